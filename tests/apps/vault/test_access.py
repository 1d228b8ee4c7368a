"""People who see attributes of named subjects: asked for, signed by compliance, opened for one browser, shown once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction

from apps.accounts.models import User
from apps.accounts.permissions import forget
from apps.accounts.roles import STEWARD
from apps.approvals import services as approvals
from apps.approvals.models import Approval
from apps.approvals.selectors import ApprovalView
from apps.audit import services as audit
from apps.audit.models import AuditEntry
from apps.common import clock
from apps.common.errors import Refused
from apps.pipeline import services as pipeline
from apps.vault import access, crypto, disclosing, selectors, services
from apps.vault.crypto import DisclosedSubject, VaultError
from apps.vault.models import VaultAccess, VaultAccessStep
from tests.apps.pipeline.world import ACTOR, NOW, company
from tests.cast import person, slipped_in
from tests.sides import side

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _filled(db: None) -> Iterator[None]:
    with clock.frozen(NOW):
        company()
        services.attributes_upload(
            actor=ACTOR, subjects=[("ana", {"sex": "female", "region": "west"}), ("ben", {"sex": "male"})]
        )
        with side("compute"):
            pipeline.open_uploads()
        yield


@pytest.fixture
def steward() -> User:
    return person("steward")


@pytest.fixture
def compliance() -> User:
    return person("compliance")


def asked_by(who: User, *subjects: str, **given: Any) -> ApprovalView:
    wanted = {"legal_basis": "gdpr-16", "purpose": "Ana says that her record is wrong.", "hours": 24} | given
    return services.access_request(person=who, subjects=list(subjects or ("ana", "nobody")), **wanted)


def signed(asked: ApprovalView, by: User) -> ApprovalView:
    return approvals.approval_sign(approval_id=asked.id, person=by, digest=asked.digest, confirmed_at=clock.now())


def open_for(approval_id: int, who: User) -> bytes:
    """The person's browser asks; answers its private key."""
    private, public = services.fresh_key_pair()
    services.access_ask(approval_id=approval_id, person=who, public_key=public, confirmed_at=clock.now())
    return private


def answer() -> int:
    with side("compute"):
        return services.accesses_answer()


def ready(who: User, by: User) -> tuple[int, bytes]:
    """A request that is signed, asked for and answered."""
    asked = signed(asked_by(who), by)
    private = open_for(asked.id, who)
    assert answer() == 1
    return asked.id, private


def shown(approval_id: int, who: User, private: bytes) -> tuple[DisclosedSubject, ...]:
    return services.access_show(approval_id=approval_id, person=who, private_key=private)


def state_of(approval_id: int) -> str:
    found = selectors.access(approval_id)
    assert found is not None
    return found.state


@pytest.mark.parametrize("part", ["steward", "officer"])
def test_who_asked_sees_the_values_once_compliance_has_signed(part: str, compliance: User) -> None:
    who = person(part)
    identity, private = ready(who, compliance)
    ana, nobody = shown(identity, who, private)
    assert (ana.subject, ana.attributes) == ("ana", {"sex": "female", "region": "west"})
    assert ana.received == int(NOW.timestamp() * 1e6)
    assert nobody == DisclosedSubject("nobody", None, None)
    assert state_of(identity) == "shown"


def test_the_database_holds_no_value_and_after_the_look_nothing_at_all(steward: User, compliance: User) -> None:
    identity, private = ready(steward, compliance)
    sealed = bytes(VaultAccess.objects.get(pk=identity).sealed or b"")
    assert len(sealed) > 2048
    assert b"female" not in sealed
    assert b"ana" not in sealed
    shown(identity, steward, private)
    row = VaultAccess.objects.get(pk=identity)
    assert (row.sealed, row.public_key) == (None, None)


def test_how_long_the_sealed_values_are_does_not_tell_them() -> None:
    _, public = services.fresh_key_pair()
    lengths = {
        len(crypto.seal_disclosure((DisclosedSubject("ana", levels, 1),), public, approval=1))
        for levels in (None, {}, {"sex": "male"}, {"sex": "female", "region": "west"})
    }
    assert len(lengths) == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"subjects": []}, "subjects"),
        ({"subjects": ["ana", "ana"]}, "subjects"),
        ({"subjects": [f"person {n}" for n in range(21)]}, "subjects"),
        ({"subjects": ["a\x07"]}, "subjects"),
        ({"subjects": ["x" * 201]}, "subjects"),
        ({"legal_basis": "curiosity"}, "legal_basis"),
        ({"purpose": " "}, "reason"),
        ({"hours": 0}, "hours"),
        ({"hours": 73}, "hours"),
        ({"hours": True}, "hours"),
    ],
)
def test_a_request_names_people_purpose_basis_and_time(steward: User, given: dict[str, Any], field: str) -> None:
    wanted = {"subjects": ["ana"], "legal_basis": "gdpr-16", "purpose": "Why.", "hours": 24} | given
    with pytest.raises(Refused) as refused:
        services.access_request(person=steward, **wanted)
    assert refused.value.field == field
    assert not Approval.objects.filter(kind="access_request").exists()


@pytest.mark.parametrize("part", ["compliance", "board", "owner", "auditor", "administrator", "outsider"])
def test_nobody_else_may_ask(part: str) -> None:
    with pytest.raises(PermissionDenied):
        asked_by(person(part))


def test_the_requester_cannot_sign_even_with_the_role(steward: User, compliance: User) -> None:
    asked = asked_by(compliance_and_steward(compliance))
    with pytest.raises(Refused) as refused:
        signed(asked, compliance)
    assert refused.value.code == "own_request"
    with pytest.raises(PermissionDenied):
        signed(asked, steward)
    assert selectors.access(asked.id) is None


def compliance_and_steward(who: User) -> User:
    slipped_in(who, STEWARD)
    return who


def test_without_a_signature_there_is_nothing_to_open(steward: User, compliance: User) -> None:
    waiting, rejected, withdrawn = (asked_by(steward) for _ in range(3))
    approvals.approval_reject(approval_id=rejected.id, person=compliance, reason="Counts suffice.")
    approvals.approval_withdraw(approval_id=withdrawn.id, person=steward)
    for asked in (waiting, rejected, withdrawn):
        with pytest.raises(Refused, match="no such access"):
            open_for(asked.id, steward)


def test_asking_for_the_values_needs_a_fresh_confirmation(steward: User, compliance: User) -> None:
    asked = signed(asked_by(steward), compliance)
    for at in (None, NOW - timedelta(minutes=6)):
        with pytest.raises(Refused) as refused:
            services.access_ask(approval_id=asked.id, person=steward, public_key=bytes(32), confirmed_at=at)
        assert refused.value.code == "not_confirmed"


def test_a_second_look_and_a_replay_are_refused(steward: User, compliance: User) -> None:
    identity, private = ready(steward, compliance)
    before = VaultAccess.objects.get(pk=identity)
    shown(identity, steward, private)
    with pytest.raises(Refused, match="shown once"):
        shown(identity, steward, private)
    with pytest.raises(Refused, match="shown once"):
        open_for(identity, steward)
    # Even the role of the web side cannot put back what was there.
    for change in ({"state": "granted"}, {"state": "sealed", "sealed": before.sealed}):
        with pytest.raises(IntegrityError, match="stays as it is"), transaction.atomic():
            VaultAccess.objects.filter(pk=identity).update(**change)
    assert answer() == 0


@pytest.mark.parametrize("over", ["ended", "expired"])
def test_what_is_over_is_not_replayed(over: str, steward: User, compliance: User) -> None:
    """With the cookie and the sealed values of before, and even by the hand of the web side's role."""
    identity, private = ready(steward, compliance)
    before = VaultAccess.objects.get(pk=identity)
    later = timedelta(minutes=1 if over == "ended" else 60 * 24)
    with clock.frozen(NOW + later):
        if over == "ended":
            services.access_end(approval_id=identity, person=compliance, reason="The complaint is withdrawn.")
        else:
            services.accesses_advance()
        assert state_of(identity) == over
        with pytest.raises(Refused):
            shown(identity, steward, private)
        with pytest.raises(Refused):
            open_for(identity, steward)
        for change in ({"state": "asked", "asked_at": clock.now()}, {"state": "sealed", "sealed": before.sealed}):
            with pytest.raises(IntegrityError, match="stays as it is"), transaction.atomic():
                VaultAccess.objects.filter(pk=identity).update(**change)
        assert answer() == 0


def test_what_was_opened_is_not_opened_again_for_another_key(steward: User, compliance: User) -> None:
    """The web side's role may say that it was not answered yet; the compute side remembers that it was."""
    identity, _ = ready(steward, compliance)
    audit.append(actor="user:mallory", action="door.tried", subject="vault")
    VaultAccess.objects.filter(pk=identity).update(
        state="asked", sealed=None, public_key=services.fresh_key_pair()[1], asked_at=clock.now()
    )
    assert answer() == 0
    assert VaultAccess.objects.get(pk=identity).reason == "It was opened before."


def test_another_person_and_another_browser_see_nothing_and_use_nothing_up(steward: User, compliance: User) -> None:
    identity, private = ready(steward, compliance)
    with pytest.raises(Refused, match="no such access"):
        shown(identity, person("officer"), private)
    for other in (services.fresh_key_pair()[0], b"short", bytes(32)):
        with pytest.raises(Refused) as refused:
            shown(identity, steward, other)
        assert refused.value.code == "key"
    assert len(shown(identity, steward, private)) == 2


def test_what_was_sealed_for_one_request_does_not_open_as_anothers() -> None:
    private, public = services.fresh_key_pair()
    sealed = crypto.seal_disclosure((DisclosedSubject("ana", {}, 1),), public, approval=7)
    assert crypto.open_disclosure(sealed, private, approval=7)
    with pytest.raises(VaultError):
        crypto.open_disclosure(sealed, private, approval=8)
    with pytest.raises(VaultError):
        crypto.open_disclosure(sealed[:-1] + bytes([sealed[-1] ^ 1]), private, approval=7)


def test_access_ends_with_its_time(steward: User, compliance: User) -> None:
    asked = signed(asked_by(steward, hours=1), compliance)
    late = signed(asked_by(steward, hours=1), compliance)
    open_for(late.id, steward)
    with clock.frozen(NOW + timedelta(hours=1)):
        with pytest.raises(Refused) as refused:
            open_for(asked.id, steward)
        assert refused.value.code == "expired"
        assert answer() == 0
        services.accesses_advance()
    assert (state_of(asked.id), state_of(late.id)) == ("expired", "ended")


def test_values_that_are_not_looked_at_in_time_are_gone(steward: User, compliance: User) -> None:
    identity, private = ready(steward, compliance)
    with clock.frozen(NOW + timedelta(minutes=11)):
        with pytest.raises(Refused, match="within ten minutes"):
            shown(identity, steward, private)
        assert services.accesses_advance() == 1
    row = VaultAccess.objects.get(pk=identity)
    assert (row.state, row.sealed) == ("ended", None)


def test_what_was_never_answered_may_be_asked_for_again(steward: User, compliance: User) -> None:
    asked = signed(asked_by(steward), compliance)
    open_for(asked.id, steward)
    with clock.frozen(NOW + timedelta(minutes=11)):
        assert services.accesses_advance() == 1
        private = open_for(asked.id, steward)
        assert answer() == 1
        assert len(shown(asked.id, steward, private)) == 2


def test_an_access_is_ended_by_who_asked_or_who_signs_and_by_nobody_else(steward: User, compliance: User) -> None:
    first, second = (signed(asked_by(steward), compliance) for _ in range(2))
    identity, private = first.id, open_for(first.id, steward)
    assert answer() == 1
    with pytest.raises(PermissionDenied):
        services.access_end(approval_id=identity, person=person("officer"), reason="No.")
    with pytest.raises(Refused, match="Say why"):
        services.access_end(approval_id=identity, person=compliance, reason=" ")
    services.access_end(approval_id=identity, person=compliance, reason="The complaint is withdrawn.")
    services.access_end(approval_id=second.id, person=steward, reason="Not needed.")
    with pytest.raises(Refused, match="has ended"):
        shown(identity, steward, private)
    with pytest.raises(Refused, match="has ended"):
        open_for(second.id, steward)
    assert VaultAccess.objects.get(pk=identity).sealed is None


@pytest.mark.parametrize("when", ["before asking", "before the answer", "before the look"])
def test_who_has_lost_the_role_sees_nothing(when: str, steward: User, compliance: User) -> None:
    asked = signed(asked_by(steward), compliance)
    if when == "before asking":
        lose_role(steward)
        with pytest.raises(PermissionDenied):
            open_for(asked.id, steward)
        return
    private = open_for(asked.id, steward)
    if when == "before the answer":
        lose_role(steward)
        assert answer() == 0
        assert state_of(asked.id) == "ended"
        return
    assert answer() == 1
    lose_role(steward)
    with pytest.raises(PermissionDenied):
        shown(asked.id, steward, private)


def lose_role(who: User) -> None:
    with side("owner"):
        User.groups.through.objects.filter(user_id=who.pk).delete()
    forget(who)


FORGERIES = {
    "another text": "UPDATE approvals_approval SET content = jsonb_set(content, '{subjects}', '[\"ben\"]')"
    " WHERE id = %s",
    "another requester": "UPDATE vault_access SET person_id = (SELECT id FROM accounts_user WHERE username ="
    " 'officer') WHERE approval_id = %s",
    "no signature": "DELETE FROM approvals_signature WHERE approval_id = %s",
    "not in effect": "UPDATE approvals_approval SET state = 'withdrawn' WHERE id = %s",
    "another kind": "UPDATE approvals_approval SET kind = 'retraining_release' WHERE id = %s",
    "signer gone": "UPDATE accounts_user SET is_active = false WHERE username = 'compliance' AND %s > 0",
    "longer ago": "UPDATE approvals_approval SET effective_from = effective_from - interval '2 days' WHERE id = %s",
    "asked long ago": "UPDATE vault_access SET asked_at = asked_at - interval '1 hour' WHERE approval_id = %s",
    "no key": "UPDATE vault_access SET public_key = NULL WHERE approval_id = %s",
}


@pytest.mark.parametrize("statement", FORGERIES.values(), ids=FORGERIES.keys())
def test_the_compute_side_opens_nothing_for_a_row_that_does_not_hold(
    statement: str, steward: User, compliance: User
) -> None:
    """By the hand of somebody who owns the database: the triggers that would refuse it are off."""
    person("officer")
    asked = signed(asked_by(steward), compliance)
    open_for(asked.id, steward)
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("approvals_approval", "approvals_signature", "vault_access"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement, [asked.id])
        assert cursor.rowcount == 1
    assert answer() == 0
    row = VaultAccess.objects.get(pk=asked.id)
    assert (row.state, row.sealed) == ("ended", None)
    assert row.reason
    assert not AuditEntry.objects.filter(action="vault.attributes_read").exists()


def test_a_row_without_a_request_cannot_be_made(steward: User) -> None:
    asked = asked_by(steward)
    VaultAccess.objects.create(
        approval_id=asked.id,
        person=steward,
        until=NOW + timedelta(days=1),
        state="asked",
        public_key=services.fresh_key_pair()[1],
        asked_at=NOW,
    )
    assert answer() == 0
    assert state_of(asked.id) == "ended"


def test_no_more_is_opened_a_day_than_people_would_notice(
    steward: User, compliance: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disclosing, "A_DAY", 2)
    for _ in range(2):
        ready(steward, compliance)
    asked = signed(asked_by(steward), compliance)
    open_for(asked.id, steward)
    assert answer() == 0
    assert state_of(asked.id) == "ended"
    with clock.frozen(NOW + timedelta(days=1, minutes=1)):
        again = signed(asked_by(steward), compliance)
        open_for(again.id, steward)
        assert answer() == 1


def test_the_entry_is_there_before_anything_is_opened_and_without_it_nothing_is(
    steward: User, compliance: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = signed(asked_by(steward), compliance)
    open_for(asked.id, steward)

    def broken(**_: Any) -> None:
        raise OSError("the log is full")

    def looking(subjects: Any) -> Any:
        entry = AuditEntry.objects.get(action="vault.attributes_read")
        assert entry.subject == f"approval:{asked.id}"
        assert entry.detail == {
            "purpose": "access request",
            "for": "Ana says that her record is wrong.",
            "legal_basis": "gdpr-16",
            "person": steward.pk,
            "subjects": 2,
        }
        return ()

    with monkeypatch.context() as patch:
        patch.setattr(disclosing.audit, "append", broken)
        patch.setattr(disclosing, "_values", lambda subjects: pytest.fail("opened without an entry"))
        with pytest.raises(OSError, match="the log is full"):
            answer()
    monkeypatch.setattr(disclosing, "_values", looking)
    assert answer() == 1


def test_a_damaged_block_or_a_key_that_is_none_ends_the_access_and_holds_nobody_up(
    steward: User, compliance: User
) -> None:
    bad_key, good = (signed(asked_by(steward, "nobody"), compliance) for _ in range(2))
    services.access_ask(approval_id=bad_key.id, person=steward, public_key=bytes(32), confirmed_at=clock.now())
    open_for(good.id, steward)
    assert answer() == 1
    assert VaultAccess.objects.get(pk=bad_key.id).reason == "Nothing can be sealed to this key."
    damaged = signed(asked_by(steward), compliance)
    open_for(damaged.id, steward)
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE vault.block NO FORCE ROW LEVEL SECURITY")
        cursor.execute("UPDATE vault.block SET body = set_byte(body, 60, get_byte(body, 60) # 1)")
        cursor.execute("ALTER TABLE vault.block FORCE ROW LEVEL SECURITY")
    assert answer() == 0
    assert "is damaged" in VaultAccess.objects.get(pk=damaged.id).reason


def test_every_step_is_in_the_register_and_in_the_log_and_no_value_is(steward: User, compliance: User) -> None:
    identity, private = ready(steward, compliance)
    shown(identity, steward, private)
    events = list(VaultAccessStep.objects.filter(access_id=identity).order_by("id").values_list("event", "actor"))
    assert events == [
        ("granted", compliance.actor),
        ("asked", steward.actor),
        ("sealed", "system:compute"),
        ("shown", steward.actor),
    ]
    logged = AuditEntry.objects.filter(subject=f"approval:{identity}", action__startswith="vault.").order_by("id")
    assert [each.action for each in logged] == [
        "vault.access_granted",
        "vault.access_asked",
        "vault.attributes_read",
        "vault.access_sealed",
        "vault.access_shown",
    ]
    for entry in logged:
        assert "female" not in str(entry.detail)
        assert "west" not in str(entry.detail)


def test_the_steps_are_one_table() -> None:
    final = {"shown", "ended", "expired"}
    assert {state for state, _ in access.STEPS} == set(VaultAccess.State) - final
    assert set(access.STEPS.values()) == set(VaultAccess.State)
