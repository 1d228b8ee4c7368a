"""What the database refuses although no service would ask for it: SQL as the web side."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError, IntegrityError

from apps.approvals.models import Approval, ApprovalStep, Signature
from apps.approvals.selectors import ApprovalView
from apps.common import clock
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


def test_an_ended_request_stays_as_it_is(cast: Cast, effects: Effects) -> None:
    view = sign(asked(cast), cast.compliance)
    assert "stays as it is" in refused("UPDATE approvals_approval SET state = 'submitted' WHERE id = %s", view.id)
    assert "stays as it is" in refused("UPDATE approvals_approval SET reason = 'x' WHERE id = %s", view.id)


def test_a_text_cannot_change_under_its_signatures(cast: Cast, effects: Effects) -> None:
    view = sign(asked(cast, far=True), cast.compliance)
    said = refused("UPDATE approvals_approval SET content = '{\"bound\": 1}' WHERE id = %s", view.id)
    assert "another revision and digest" in said


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
