"""No audit, no effect: what is governed does not change without an entry of the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from apps.accounts import services as accounts
from apps.accounts.models import User
from apps.api import services as api
from apps.approvals import services as approvals
from apps.audit.models import AuditEntry
from apps.audit.services import append
from apps.audit.verification import verification_request
from apps.board import services as board
from apps.board.models import Case
from apps.common import clock
from apps.incidents.models import Incident
from apps.incidents.opening import incident_open
from apps.pipeline import services as pipeline
from apps.pipeline import watching
from apps.registry.services import version_register
from apps.responses import selectors
from apps.responses import services as responses
from apps.responses.models import Answered
from apps.responses.silences import silence_set
from apps.retraining.services import retraining_check
from apps.thresholds.services import policy_publish
from apps.vault import rotation
from apps.vault import services as vault
from biasgov.fairness.policy import DEFAULT_POLICY
from biasgov.governed import GOVERNED, UNGOVERNED
from tests.apps.approvals.conftest import MATTER
from tests.apps.audit.test_guards import session_of
from tests.apps.pipeline import world
from tests.apps.responses.worlds import answer, look
from tests.cast import PASSWORD, Cast, model, person
from tests.sides import side

NO_ENTRY = "wrote nothing into the audit log"
_TABLES = """
SELECT CASE n.nspname WHEN 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname IN ('public', 'vault', 'cube')
"""


@pytest.mark.django_db
def test_every_table_is_governed_or_says_why_not() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        tables = {table for (table,) in cursor.fetchall()}
    assert not GOVERNED.keys() & UNGOVERNED.keys()
    assert GOVERNED.keys() | UNGOVERNED.keys() == tables, "biasgov/governed.py must name each table once"


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db(transaction=True)
def test_a_governed_change_without_an_entry_does_not_commit() -> None:
    who = person("officer")
    change = "UPDATE accounts_user SET is_superuser = true"

    def deferred() -> None:
        execute("SET CONSTRAINTS ALL DEFERRED")
        execute(change)

    def with_an_entry_that_was_undone() -> None:
        with transaction.atomic():
            append(actor="user:mallory", action="undone", subject="the entry")
            transaction.set_rollback(True)
        execute(change)

    for attempt in (lambda: execute(change), deferred, with_an_entry_that_was_undone):
        append(actor="user:mallory", action="before", subject="the change")
        with pytest.raises(IntegrityError, match=NO_ENTRY), transaction.atomic():
            attempt()
    who.refresh_from_db()
    assert not who.is_superuser


@pytest.mark.django_db(transaction=True)
def test_an_evaluation_of_which_nothing_follows_commits_without_an_entry() -> None:
    spec = model()
    answer(spec, look(spec, "within"))
    assert Answered.objects.filter(model_id=spec.id).exists()
    assert not AuditEntry.objects.filter(action="status.changed").exists()


@pytest.mark.django_db(transaction=True)
def test_an_entry_anywhere_in_the_transaction_will_do() -> None:
    who = person("officer")
    with transaction.atomic():
        with transaction.atomic():
            User.objects.filter(pk=who.pk).update(is_active=False)
        with transaction.atomic():
            append(actor="system:tests", action="person.deactivated", subject=who.actor)
    who.refresh_from_db()
    assert not who.is_active


@pytest.mark.django_db(transaction=True)
def test_what_does_not_count_needs_no_entry() -> None:
    who = person("officer")
    User.objects.filter(pk=who.pk).update(last_login=clock.now(), is_active=True)


def governed_content() -> dict[str, str]:
    """A digest of each governed table, seen by a superuser: row level security hides the vault from its owner."""
    with session_of("superuser") as session:
        return {
            table: session.execute(
                f"SELECT coalesce(md5(string_agg(t::text, '' ORDER BY t::text)), '') FROM {table} t".encode()
            ).fetchone()[0]
            for table in GOVERNED
        }


@contextmanager
def broken_sink() -> Iterator[None]:
    """Nothing can be written into the log."""
    with side("owner"):
        execute("ALTER TABLE audit_entry ADD CONSTRAINT broken CHECK (false) NOT VALID")
    yield
    with side("owner"):
        execute("ALTER TABLE audit_entry DROP CONSTRAINT broken")


@dataclass(frozen=True, slots=True)
class World:
    """What the acts are about: a request in draft, an open finding, events and attributes that wait."""

    cast: Cast
    draft: int
    finding: int
    frame: Any

    @classmethod
    def made(cls) -> Self:
        cast = Cast.assemble()
        spec = world.company()
        frame = world.people(60, before=clock.now() - timedelta(hours=1))
        world.send_events(spec, frame)
        world.send_attributes(frame)
        api.token_issue(actor="system:tests", name="live", scopes=["read"])
        answer(cast.owned, look(cast.owned))
        (finding,) = selectors.findings_of(cast.owned.id)
        draft = approvals.approval_draft(
            kind=MATTER,
            model_id=cast.owned.id,
            subject="threshold:1",
            title="A matter",
            content={},
            reason="A reason.",
            person=cast.officer,
        )
        return cls(cast, draft.id, finding.id, frame)


def acts(made: World) -> dict[str, Callable[[], object]]:
    """One act for each kind of service, each of which has its effect while the log works."""
    officer, owned = made.cast.officer, made.cast.owned
    tests = "system:tests"
    return {
        "a person is invited": lambda: accounts.person_create(username="eve", actor=tests, roles=["auditor"]),
        "a role is granted": lambda: accounts.role_grant(person=officer, role="data_steward", actor=tests),
        "a person leaves": lambda: accounts.person_deactivate(person=made.cast.outsider, actor=tests),
        "a token is issued": lambda: api.token_issue(actor=tests, name="fresh", scopes=["read"]),
        "a token is revoked": lambda: api.token_revoke(actor=tests, name="live"),
        "a model is registered": lambda: model("another-model"),
        "a version is registered": lambda: version_register(
            actor=tests, model_id=owned.id, version="9", environment={}
        ),
        "a policy is published": lambda: policy_publish(
            model_id=owned.id, policy=DEFAULT_POLICY, assessment_reference="GOV002-18", actor=tests
        ),
        "a finding is acknowledged": lambda: responses.finding_acknowledge(finding_id=made.finding, person=officer),
        "alerts are silenced": lambda: silence_set(
            model_id=owned.id, until=clock.now() + timedelta(days=1), reason="A reason.", person=officer
        ),
        "a breach is answered": lambda: answer(owned, look(owned, "breach", group="NA", run_id=72)),
        "an incident is opened": lambda: incident_open(
            model=owned,
            title="A title",
            summary="What happened.",
            severity="high",
            origin="person",
            actor=officer.actor,
            person=officer,
        ),
        "the board is convened": lambda: board.case_convene(
            kind="incident", subject_id=Incident.objects.latest("id").pk, person=officer
        ),
        "a vote is opened": lambda: board.voting_open(case_id=newest_case().pk, person=made.cast.compliance),
        "a vote is given": lambda: board.vote_cast(
            case_id=newest_case().pk,
            person=made.cast.board,
            choice="for",
            reason="A reason.",
            digest=newest_case().digest,
            confirmed_at=clock.now(),
        ),
        "a conflict is declared": lambda: board.conflict_declare(
            case_id=newest_case().pk, person=made.cast.board, reason="A reason."
        ),
        "a training set is checked": lambda: retraining_check(
            model=owned, name="June", rows=100, sources=[("human_review", 100)], actor=tests
        ),
        "a request is submitted": lambda: approvals.approval_submit(approval_id=made.draft, person=officer),
        "a request is withdrawn": lambda: approvals.approval_withdraw(approval_id=made.draft, person=officer),
        "attributes are uploaded": lambda: world.send_attributes(made.frame),
        "a subject is erased": lambda: vault.erasure_request(actor=tests, subject_id="person-1-1"),
        "uploads are opened": lambda: on_the_compute_side(pipeline.open_uploads),
        "a model is evaluated": lambda: on_the_compute_side(pipeline.evaluate_due),
        "a key is made": lambda: on_the_compute_side(rotation.data_key_make),
        "an alarm is raised": watching.watch_log,
        "a check of the log is asked for": lambda: verification_request(actor="user:aude"),
        "a role is taken": lambda: accounts.role_revoke(person=made.cast.board, role="board_member", actor=tests),
    }


def newest_case() -> Case:
    return Case.objects.latest("id")


def on_the_compute_side(work: Callable[[], object]) -> object:
    with side("compute"):
        return work()


@pytest.fixture
def made(effects: object, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> World:
    monkeypatch.setattr(watching, "log_faults", lambda: {"forked": "The log was rolled back."})
    return World.made()


@pytest.mark.django_db(transaction=True)
def test_while_the_log_cannot_be_written_nothing_happens_in_any_service(made: World) -> None:
    before = governed_content()
    happened = []
    with broken_sink():
        for name, act in acts(made).items():
            with suppress(Exception):
                act()
            happened += [
                f"{name}: {table}" for table, content in governed_content().items() if content != before[table]
            ]
            before = governed_content()
    assert happened == []


@pytest.mark.django_db(transaction=True)
def test_each_of_these_acts_has_its_effect_and_its_entry_while_the_log_works(made: World) -> None:
    without = []
    for name, act in acts(made).items():
        before, entries = governed_content(), AuditEntry.objects.count()
        act()
        if governed_content() == before or AuditEntry.objects.count() == entries:
            without.append(name)
    assert without == []


@pytest.mark.django_db(transaction=True)
def test_nobody_signs_in_while_the_log_cannot_be_written(db: None) -> None:
    person("officer")
    client = Client(raise_request_exception=False)
    with broken_sink():
        assert client.post("/sign-in/", {"username": "officer", "password": PASSWORD}).status_code == 500
    assert client.get("/account/").status_code == 302
    assert client.post("/sign-in/", {"username": "officer", "password": PASSWORD}).status_code == 302
    assert client.get("/account/").status_code == 200
