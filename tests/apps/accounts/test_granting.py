"""Giving and taking roles: who may, what stays apart, what ends by itself, and who must always remain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations
from threading import Barrier, Thread
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction

from apps.accounts.models import RoleTerm, User
from apps.accounts.permissions import may, may_somewhere, models_within, roles_of
from apps.accounts.roles import (
    ADMINISTRATOR,
    APART,
    AUDITOR,
    BOARD,
    COMPLIANCE,
    EVERYWHERE,
    MATRIX,
    OFFICER,
    OWN,
    OWNER,
    ROLES,
    SIGNING,
    STEWARD,
    kept_apart,
    reach,
)
from apps.accounts.selectors import people_with_role
from apps.accounts.services import (
    ownership_grant,
    ownership_revoke,
    person_create,
    person_deactivate,
    person_reactivate,
    role_grant,
    role_revoke,
)
from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.models import MonitoredModel
from apps.registry.selectors import models_visible_to
from tests.cast import Cast, model, person

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)

BOTH_ENDS = [
    ("threshold.propose", "threshold.sign"),
    ("threshold.propose", "threshold.relax"),
    ("threshold.sign", "threshold.relax"),
    ("access.request", "access.sign"),
    ("remediation.plan", "retraining.sign"),
    ("incident.manage", "board.vote"),
    ("person.manage", "threshold.sign"),
    ("person.manage", "board.vote"),
    ("person.manage", "finding.acknowledge"),
    ("person.manage", "vault.upload"),
]
READING = {"view", "verify", "recompute"}


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.frozen(NOON):
        yield


@pytest.fixture
def cast() -> Cast:
    return Cast.assemble()


def fresh(who: User) -> User:
    return User.objects.get(pk=who.pk)


def row(cast: Cast) -> MonitoredModel:
    return MonitoredModel.objects.get(pk=cast.owned.id)


def code(refused: Any) -> str:
    return refused.value.code


@pytest.mark.parametrize(("one", "other"), BOTH_ENDS)
def test_no_roles_that_may_meet_hold_both_ends(one: str, other: str) -> None:
    for first, second in combinations(ROLES, 2):
        together = {verb for verb in (one, other) if reach(verb, first) or reach(verb, second)}
        assert len(together) < 2 or kept_apart(first, second), (first, second)


def test_who_audits_only_reads() -> None:
    assert {verb.split(".")[1] for verb, cells in MATRIX.items() if AUDITOR in cells} <= READING


def test_whose_word_takes_effect_is_known_as_signing() -> None:
    effective = ("sign", "relax", "vote", "lift", "confirm", "countersign")
    by_matrix = {
        role
        for verb, cells in MATRIX.items()
        for role in cells
        if verb.split(".")[1] in effective or verb == "person.manage"
    }
    assert by_matrix == SIGNING


def test_the_table_of_roles_apart_names_only_roles_and_says_why() -> None:
    for some, others, why in APART:
        assert some | others <= set(ROLES)
        assert not some & others
        assert why.endswith(".")


@pytest.mark.parametrize(
    ("held", "role"),
    [("officer", COMPLIANCE), ("steward", COMPLIANCE), ("compliance", BOARD), ("administrator", OFFICER),
     ("auditor", STEWARD), ("board", OFFICER), ("outsider", None)],
)  # fmt: skip
def test_roles_that_must_not_meet_are_refused(cast: Cast, held: str, role: str | None) -> None:
    who = getattr(cast, held)
    if role is None:
        assert role_grant(person=who, role=OFFICER, actor="system:tests")
        assert role_grant(person=who, role=STEWARD, actor="system:tests")
        return
    before = roles_of(who)
    with pytest.raises(Refused, match="must not be one person") as refused:
        role_grant(person=who, role=role, actor="system:tests")
    assert code(refused) == "apart"
    assert roles_of(fresh(who)) == before


def test_a_person_is_not_created_with_roles_that_must_not_meet() -> None:
    with pytest.raises(Refused):
        person_create(username="both", roles=[OFFICER, COMPLIANCE], actor="system:tests")
    assert not User.objects.filter(username="both").exists()


def test_owning_a_model_counts_as_the_owners_role(cast: Cast) -> None:
    with pytest.raises(Refused) as refused:
        ownership_grant(person=cast.compliance, model=row(cast), actor="system:tests")
    assert code(refused) == "apart"
    ownership_grant(person=cast.outsider, model=row(cast), actor="system:tests")
    with pytest.raises(Refused):
        role_grant(person=cast.outsider, role=BOARD, actor="system:tests")
    ownership_revoke(person=cast.outsider, model=row(cast), actor="system:tests")
    assert role_grant(person=cast.outsider, role=BOARD, actor="system:tests")


def test_a_model_is_not_registered_for_somebody_who_must_not_own_one(cast: Cast) -> None:
    with pytest.raises(Refused) as refused:
        model("lending", owner="compliance")
    assert refused.value.field == "owner"
    assert not MonitoredModel.objects.filter(slug="lending").exists()


def test_administrators_give_and_take_roles_and_nobody_else_does(cast: Cast) -> None:
    assert role_grant(person=cast.outsider, role=OFFICER, actor=cast.administrator, reason="as agreed")
    assert entries(action="role.granted")[0].actor == "user:administrator"
    for part in ("officer", "compliance", "auditor", "owner"):
        with pytest.raises(PermissionDenied):
            role_revoke(person=cast.outsider, role=OFFICER, actor=getattr(cast, part), reason="as agreed")
    assert role_revoke(person=cast.outsider, role=OFFICER, actor=cast.administrator, reason="as agreed")


def test_a_person_says_why_and_the_log_keeps_it(cast: Cast) -> None:
    for nothing in ("", "  "):
        with pytest.raises(Refused) as refused:
            role_grant(person=cast.outsider, role=OFFICER, actor=cast.administrator, reason=nothing)
        assert code(refused) == "reason"
    assert not roles_of(fresh(cast.outsider))
    role_grant(person=cast.outsider, role=OFFICER, actor=cast.administrator, reason=" Stands in for Olivia. ")
    assert entries(action="role.granted")[0].detail == {"role": OFFICER, "reason": "Stands in for Olivia."}


def test_what_is_so_already_is_not_done_again(cast: Cast) -> None:
    assert not ownership_grant(person=cast.owner, model=row(cast), actor="system:tests")
    assert ownership_revoke(person=cast.owner, model=row(cast), actor="system:tests")
    assert not ownership_revoke(person=cast.owner, model=row(cast), actor="system:tests")
    assert [each.action for each in entries(action="ownership.")] == ["ownership.revoked", "ownership.granted"]


def test_nobody_changes_their_own_roles(cast: Cast) -> None:
    attempts = [
        lambda: role_grant(person=cast.administrator, role=AUDITOR, actor=cast.administrator, reason="as agreed"),
        lambda: role_revoke(
            person=cast.administrator, role=ADMINISTRATOR, actor=cast.administrator, reason="as agreed"
        ),
        lambda: ownership_grant(
            person=cast.administrator, model=row(cast), actor=cast.administrator, reason="as agreed"
        ),
        lambda: person_deactivate(person=cast.administrator, actor=cast.administrator, reason="as agreed"),
    ]
    for attempt in attempts:
        with pytest.raises(Refused) as refused:
            attempt()
        assert code(refused) == "own_role"
    assert roles_of(fresh(cast.administrator)) == {ADMINISTRATOR}


def test_the_last_administrator_stays(cast: Cast) -> None:
    for attempt in (role_revoke, person_deactivate):
        with pytest.raises(Refused) as refused:
            attempt(
                person=cast.administrator,
                actor="system:tests",
                **({"role": ADMINISTRATOR} if attempt is role_revoke else {}),
            )
        assert code(refused) == "last_administrator"
    second = person_create(username="second", roles=[ADMINISTRATOR], actor="system:tests")
    assert role_revoke(person=cast.administrator, role=ADMINISTRATOR, actor=second, reason="as agreed")
    with pytest.raises(Refused):
        person_deactivate(person=second, actor="system:tests")


def test_an_administrator_who_has_left_does_not_count(cast: Cast) -> None:
    second = person_create(username="second", roles=[ADMINISTRATOR], actor="system:tests")
    assert person_deactivate(person=second, actor=cast.administrator, reason="as agreed")
    with pytest.raises(Refused):
        role_revoke(person=cast.administrator, role=ADMINISTRATOR, actor="system:tests")
    assert person_reactivate(person=second, actor=cast.administrator, reason="as agreed")
    assert not person_reactivate(person=second, actor=cast.administrator, reason="as agreed")
    assert may(fresh(second), "person.manage")


@pytest.mark.django_db(transaction=True)
def test_two_administrators_cannot_remove_each_other_at_once() -> None:
    one, two = (person_create(username=name, roles=[ADMINISTRATOR], actor="system:tests") for name in ("one", "two"))
    barrier, outcomes = Barrier(2), []

    def remove(by: User, whom: User) -> None:
        try:
            barrier.wait()
            outcomes.append(role_revoke(person=whom, role=ADMINISTRATOR, actor=by, reason="as agreed"))
        except Refused as refused:
            outcomes.append(refused.code)
        except PermissionDenied:
            outcomes.append("not any more")
        finally:
            connection.close()

    threads = [Thread(target=remove, args=pair) for pair in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(True) == 1
    assert people_with_role(ADMINISTRATOR).count() == 1


@pytest.mark.django_db(transaction=True)
def test_roles_that_must_not_meet_do_not_meet_by_being_given_at_once() -> None:
    who = person("outsider")
    barrier, outcomes = Barrier(2), []

    def give(role: str) -> None:
        try:
            barrier.wait()
            outcomes.append(role_grant(person=fresh(who), role=role, actor="system:tests"))
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [Thread(target=give, args=(role,)) for role in (OFFICER, COMPLIANCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["True", "apart"]
    assert len(roles_of(fresh(who))) == 1


def test_an_auditors_role_ends_by_itself(cast: Cast) -> None:
    assert may(cast.auditor, "model.view", cast.owned)
    with clock.frozen(NOON + timedelta(days=89, hours=23)):
        assert may(fresh(cast.auditor), "audit.view")
        assert cast.auditor in people_with_role(AUDITOR)
    with clock.frozen(NOON + timedelta(days=90)):
        assert not may(cast.auditor, "audit.view"), "what a request remembers ends as well"
        assert not may_somewhere(fresh(cast.auditor), "inbox.view")
        assert cast.auditor not in people_with_role(AUDITOR)


def test_the_end_and_the_models_are_in_the_log(cast: Cast) -> None:
    until = NOON + timedelta(days=7)
    assert role_grant(person=cast.auditor, role=AUDITOR, actor="system:tests", until=until, scope=[cast.owned])
    assert not role_grant(person=cast.auditor, role=AUDITOR, actor="system:tests", until=until, scope=[cast.owned])
    assert entries(action="role.granted")[0].detail == {
        "role": AUDITOR,
        "until": "2026-11-09T12:00:00+00:00",
        "models": ["claims-triage"],
    }


@pytest.mark.parametrize(
    ("role", "days", "scoped"),
    [(AUDITOR, 0, False), (AUDITOR, -1, False), (AUDITOR, 367, False), (OFFICER, 4000, False),
     (ADMINISTRATOR, 5, False), (OFFICER, 5, True), (STEWARD, None, True)],
)  # fmt: skip
def test_terms_that_a_role_cannot_have_are_refused(cast: Cast, role: str, days: int | None, scoped: bool) -> None:
    until = None if days is None else NOON + timedelta(days=days)
    with pytest.raises(Refused):
        role_grant(person=cast.outsider, role=role, actor="x", until=until, scope=[cast.owned] if scoped else [])
    assert not roles_of(fresh(cast.outsider))


def test_any_role_may_end(cast: Cast) -> None:
    role_grant(person=cast.outsider, role=OFFICER, actor="system:tests", until=NOON + timedelta(days=1))
    assert may(cast.outsider, "model.view")
    with clock.frozen(NOON + timedelta(days=1)):
        assert not may(cast.outsider, "model.view")
        assert role_grant(person=cast.outsider, role=OFFICER, actor="system:tests")
        assert may(cast.outsider, "model.view")
    assert not RoleTerm.objects.filter(person=cast.outsider).exists()


def narrowed(cast: Cast) -> User:
    """An auditor of the one model that the owner has."""
    role_grant(
        person=cast.outsider, role=AUDITOR, actor="system:tests", until=NOON + timedelta(days=30), scope=[cast.owned]
    )
    return fresh(cast.outsider)


def test_an_auditor_of_some_models_sees_no_other(cast: Cast) -> None:
    other = model("lending")
    who = narrowed(cast)
    assert may(who, "model.view", cast.owned)
    assert not may(who, "model.view", other)
    assert not may(who, "model.view")
    assert [each.slug for each in models_visible_to(who)] == ["claims-triage"]
    assert models_within(who, "run.view") == {cast.owned.id}


def test_an_auditor_of_some_models_reaches_no_page_about_the_whole_house(cast: Cast) -> None:
    who = narrowed(cast)
    for verb, cells in MATRIX.items():
        if AUDITOR not in cells:
            assert not may_somewhere(who, verb), verb
        elif cells.get(OWNER) == OWN or verb == "audit.view":  # the log shows them what is about these models
            assert models_within(who, verb) == {cast.owned.id}, verb
        else:
            assert may_somewhere(who, verb) is (cells.get(OWNER) == EVERYWHERE), verb
    assert not may(who, "audit.view")
    assert not may_somewhere(who, "vault.view")
    assert may_somewhere(who, "inbox.view")


def test_taking_a_role_away_takes_its_term_with_it(cast: Cast) -> None:
    assert role_revoke(person=cast.auditor, role=AUDITOR, actor="system:tests")
    assert not RoleTerm.objects.exists()


def test_roles_and_their_terms_take_one_query(cast: Cast, django_assert_num_queries: Any) -> None:
    who = narrowed(cast)
    with django_assert_num_queries(1):
        assert roles_of(who) == {AUDITOR}
        assert may_somewhere(who, "inbox.view")


def test_names_that_differ_by_case_alone_are_one_name(cast: Cast) -> None:
    with pytest.raises(Refused) as refused:
        person_create(username="Officer", actor="system:tests")
    assert code(refused) == "exists"


@pytest.mark.parametrize(("field", "changes"), [("name", {"name": "x" * 200}), ("username", {"username": "x" * 151})])
def test_what_is_too_long_is_refused_with_the_fields_name(field: str, changes: dict[str, str]) -> None:
    with transaction.atomic(), pytest.raises(Refused) as refused:
        person_create(**({"username": "somebody", "actor": "system:tests"} | changes))
    assert refused.value.field == field
