"""Two hundred people, programs and evaluations at the same model at once: nothing is lost, nothing happens twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
from django.db import connection

from apps.accounts.models import User
from apps.accounts.roles import OFFICER
from apps.accounts.services import person_create
from apps.approvals.services import approval_sign
from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from apps.responses import selectors, services
from apps.responses.models import Acknowledgement, FindingTransition, Gateway, ModelStatus, Restriction
from tests.apps.responses.worlds import HOUR, look
from tests.cast import Cast

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 200
CONNECTIONS = 50
"""The test database takes 100; the others of the 200 stand in line for one."""

Verb = Callable[[], object]


def together(verbs: dict[str, list[Verb]]) -> dict[str, Counter[str]]:
    """Run all of them at once as the web side; by name, how often which outcome came. Any other error fails."""
    calls = [(name, verb) for name, each in verbs.items() for verb in each]
    assert len(calls) == AT_ONCE
    random.Random(11).shuffle(calls)
    barrier = Barrier(CONNECTIONS)

    def run(part: list[tuple[str, Verb]]) -> list[tuple[str, str]]:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET ROLE biasgov_web")
            barrier.wait(timeout=60)
            return [(name, _outcome(verb)) for name, verb in part]
        finally:
            connection.close()

    outcomes: dict[str, Counter[str]] = {name: Counter() for name in verbs}
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in pool.map(run, [calls[start::CONNECTIONS] for start in range(CONNECTIONS)]):
            for name, outcome in done:
                outcomes[name][outcome] += 1
    return outcomes


def _outcome(verb: Verb) -> str:
    try:
        verb()
    except Refused as refusal:
        return refusal.code
    return "done"


def officers(number: int) -> list[User]:
    return [person_create(username=f"officer-{n}", actor="system:tests", roles=[OFFICER]) for n in range(number)]


def test_confirmations_acknowledgements_and_evaluations_at_once() -> None:
    cast, now = Cast.assemble(), clock.hour_ceiling(clock.now())
    spec = cast.owned
    services.respond(model=spec, run_group=[look(spec, window="30d", severity="medium", as_of=now)])
    restriction, (finding,) = Restriction.objects.get(), selectors.open_findings([spec.id])
    number = ModelStatus.objects.get().sequence
    people = officers(20)
    confirm = partial(services.restriction_confirm, restriction_id=restriction.pk)
    decline = partial(services.restriction_decline, restriction_id=restriction.pk, reason="No.")
    note = partial(services.status_acknowledge, model=spec, actor="token:serving", sequence=number)
    evaluations = [
        look(spec, window="24h", severity="medium", metric=metric, as_of=now + step * HOUR)
        for step in range(1, 11)
        for metric in ("fpr_gap", "demographic_parity_ratio")
    ]
    outcomes = together(
        {
            "confirm": [partial(confirm, person=each) for each in people],
            "decline": [partial(decline, person=each) for each in people],
            "take note": [partial(services.finding_acknowledge, finding_id=finding.id, person=each) for each in people],
            "gateway": [partial(note, gateway=f"eu-{n % 30}") for n in range(120)],
            "evaluate": [partial(services.respond, model=spec, run_group=[each]) for each in evaluations],
        }
    )
    assert outcomes["confirm"]["done"] + outcomes["decline"]["done"] == 1
    assert set(outcomes["confirm"]) | set(outcomes["decline"]) <= {"done", "state"}
    assert outcomes["take note"] == Counter(done=1, acknowledged=19)
    assert outcomes["gateway"] == Counter(done=120)
    assert outcomes["evaluate"] == Counter(done=20)
    assert Restriction.objects.get().steps.count() == 2
    assert Gateway.objects.count() == Acknowledgement.objects.count() == 30
    assert entries(action="status.acknowledged").count() == 30
    assert FindingTransition.objects.filter(finding_id=finding.id, event="acknowledged").count() == 1
    changes = sorted(entry.detail["sequence"] for entry in entries(action="status.changed"))
    assert changes == list(range(1, ModelStatus.objects.get().sequence + 1))


def test_a_lift_signed_by_many_at_once_happens_once_among_evaluations() -> None:
    cast, now = Cast.assemble(), clock.hour_ceiling(clock.now())
    spec, people = cast.owned, officers(60)
    services.respond(model=spec, run_group=[look(spec, window="30d", severity="medium", as_of=now)])
    services.restriction_confirm(restriction_id=Restriction.objects.get().pk, person=cast.officer)
    for step in (1, 2, 3):
        at = now + step * HOUR
        services.respond(model=spec, run_group=[look(spec, "within", window="30d", as_of=at)])
    request = services.lift_request(model_id=spec.id, person=cast.officer, reason="Version 1.2 is out.")
    sign = partial(approval_sign, approval_id=request.id, digest=request.digest, confirmed_at=clock.now())
    again = partial(services.lift_request, model_id=spec.id, person=cast.officer, reason="Again.")
    note = partial(services.status_acknowledge, model=spec, actor="token:serving", sequence=1)
    later = [look(spec, "within", window="24h", as_of=now + step * HOUR) for step in range(4, 44)]
    outcomes = together(
        {
            "sign": [partial(sign, person=each) for each in people],
            "ask again": [again] * 40,
            "gateway": [partial(note, gateway=f"eu-{n % 12}") for n in range(60)],
            "evaluate": [partial(services.respond, model=spec, run_group=[each]) for each in later],
        }
    )
    assert outcomes["sign"]["done"] == 1
    assert set(outcomes["sign"]) <= {"done", "state", "not_needed"}
    assert set(outcomes["ask again"]) <= {"exists", "nothing"}
    assert outcomes["gateway"] == Counter(done=60)
    assert outcomes["evaluate"] == Counter(done=40)
    restriction = Restriction.objects.get()
    assert (restriction.state, restriction.approval_id) == ("lifted", request.id)
    assert restriction.steps.filter(event="lifted").count() == 1
    assert FindingTransition.objects.filter(event="eased").count() == 1
