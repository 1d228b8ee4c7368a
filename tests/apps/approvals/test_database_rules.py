"""What the database refuses although no service would ask for it: SQL as the web side."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError, IntegrityError

from apps.approvals.models import Approval, ApprovalStep, Signature
from apps.approvals.selectors import ApprovalView
from apps.common import clock
from apps.common.errors import Refused
from tests.apps.approvals.conftest import Effects
from tests.apps.approvals.test_signing import asked, drafted, sign
from tests.cast import Cast
from tests.sides import side

pytestmark = pytest.mark.django_db


def refused(statement: str, *parameters: object) -> str:
    with pytest.raises(DatabaseError) as told, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
    return str(told.value)


def insert(view: ApprovalView, **changes: object) -> None:
    given = {
        "approval_id": view.id,
        "requester_id": view.requester_id,
        "verb": "threshold.sign",
        "digest": view.digest,
        "confirmed_at": clock.now(),
        **changes,
    }
    with transaction.atomic():
        Signature.objects.create(**given)


def test_a_signature_by_the_requester_is_refused(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    with pytest.raises(IntegrityError, match="approvals_nobody_signs_their_own"):
        insert(view, person=cast.owner)


def test_a_signature_cannot_lie_about_who_asked(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    with pytest.raises(IntegrityError, match="approvals_signature_of_the_request"):
        insert(view, person=cast.owner, requester_id=cast.outsider.pk)


def test_a_signature_fits_a_submitted_request_and_its_digest(cast: Cast, effects: Effects) -> None:
    for view, changes in (
        (drafted(cast), {}),
        (asked(cast), {"digest": "0" * 64}),
        (asked(cast), {"verb": "model.view"}),
    ):
        with pytest.raises(IntegrityError, match="needs that signature"):
            insert(view, person=cast.compliance, **changes)


@pytest.mark.parametrize("state", ["signed", "effective"])
def test_nothing_is_signed_without_its_signatures(cast: Cast, effects: Effects, state: str) -> None:
    view = sign(asked(cast, far=True), cast.compliance)
    said = refused("UPDATE approvals_approval SET state = %s WHERE id = %s", state, view.id)
    assert "lacks signatures" in said


@pytest.mark.parametrize(
    "change", ["expires_at = expires_at + interval '1 year'", "submitted_at = now()", "effective_from = now()"]
)
def test_how_long_a_request_waits_and_from_when_it_holds_is_not_moved(
    cast: Cast, effects: Effects, change: str
) -> None:
    """Else a request that has expired could be signed, or hold from before it was signed."""
    view = asked(cast)
    said = refused(f"UPDATE approvals_approval SET {change} WHERE id = %s", view.id)
    assert f"when request {view.id} was submitted, ends and holds stays as it is" in said


def test_an_ended_request_stays_as_it_is(cast: Cast, effects: Effects) -> None:
    view = sign(asked(cast), cast.compliance)
    assert "stays as it is" in refused("UPDATE approvals_approval SET state = 'submitted' WHERE id = %s", view.id)
    assert "stays as it is" in refused("UPDATE approvals_approval SET reason = 'x' WHERE id = %s", view.id)


def test_a_text_cannot_change_under_its_signatures(cast: Cast, effects: Effects) -> None:
    view = sign(asked(cast, far=True), cast.compliance)
    said = refused("UPDATE approvals_approval SET content = '{\"bound\": 1}' WHERE id = %s", view.id)
    assert "another revision and digest" in said


@pytest.mark.parametrize("state", ["submitted", "signed", "effective", "rejected"])
def test_a_request_begins_as_a_draft(cast: Cast, effects: Effects, state: str) -> None:
    view = asked(cast)
    copied = "kind, model_id, subject, title, content, reason, revision, digest, needs, requester_id, created_at"
    said = refused(
        f"INSERT INTO approvals_approval ({copied}, submitted_at, state)"
        f" SELECT {copied}, submitted_at, %s FROM approvals_approval WHERE id = %s",
        state,
        view.id,
    )
    assert "begins as a draft" in said


def swapped(view: ApprovalView, digest: str, step: int, content: str = '{"bound": 1, "far": true}') -> None:
    """Put another text in the place of a request's, under whatever digest, as the web side's role could."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE approvals_approval SET content = %s, digest = %s, revision = revision + %s WHERE id = %s",
            [content, digest, step, view.id],
        )


def test_a_digest_that_was_signed_does_not_come_back(cast: Cast, effects: Effects) -> None:
    view = sign(asked(cast, far=True), cast.compliance)
    swapped(view, "0" * 64, 1)
    for step in (0, 1):
        with pytest.raises(IntegrityError, match=r"revision and digest|does not come back"):
            swapped(view, view.digest, step)


def test_a_text_that_was_changed_past_its_digest_is_signed_by_nobody(cast: Cast, effects: Effects) -> None:
    """The page that the signer has open still carries the digest of the honest text."""
    view = asked(cast)
    swapped(view, "0" * 64, 1)
    swapped(view, view.digest, 1)
    with pytest.raises(Refused) as told:
        sign(view, cast.compliance)
    assert told.value.code == "forged"
    assert effects == []


def test_who_asked_cannot_be_rewritten(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    assert "permission denied" in refused(
        "UPDATE approvals_approval SET requester_id = %s WHERE id = %s", cast.outsider.pk, view.id
    )


@pytest.mark.parametrize("model", [Signature, ApprovalStep, Approval])
def test_nothing_of_it_is_taken_out(cast: Cast, effects: Effects, model: type) -> None:
    sign(asked(cast), cast.compliance)
    table = model._meta.db_table
    assert "permission denied" in refused(f"DELETE FROM {table}")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with side("owner"):
        assert "is refused" in refused(f"DELETE FROM {table}")
        assert "is refused" in refused(f"TRUNCATE {table} CASCADE")
