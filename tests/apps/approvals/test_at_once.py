"""Many people at the same request in the same moment: one effect, and everybody is told how it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from threading import Barrier

import pytest
from django.db import connection

from apps.accounts.models import User
from apps.accounts.roles import COMPLIANCE
from apps.accounts.services import person_create
from apps.approvals import selectors, services
from apps.common import clock
from apps.common.errors import Refused
from tests.apps.approvals.conftest import MATTER, Effects
from tests.cast import Cast

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 20
CONNECTIONS = 50
"""The test database takes 100."""


def together(verbs: list[Callable[[], object]]) -> Counter[str]:
    """Run all of them at once as the web side, each on a connection of its own or standing in line for one; how often
    which outcome came.
    """
    lines = [verbs[start::CONNECTIONS] for start in range(min(CONNECTIONS, len(verbs)))]
    barrier = Barrier(len(lines))

    def run(line: list[Callable[[], object]]) -> list[str]:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET ROLE biasgov_web")
            barrier.wait()
            return [outcome(verb) for verb in line]
        finally:
            connection.close()

    with ThreadPoolExecutor(len(lines)) as pool:
        return Counter(chain.from_iterable(pool.map(run, lines)))


def outcome(verb: Callable[[], object]) -> str:
    try:
        verb()
    except Refused as refusal:
        return refusal.code
    return "done"


def asked(far: bool) -> selectors.ApprovalView:
    cast = Cast.assemble()
    view = services.approval_draft(
        kind=MATTER,
        model_id=cast.owned.id,
        subject="model:claims-triage",
        title="Relax",
        content={"far": far},
        reason="So.",
        person=cast.owner,
    )
    return services.approval_submit(approval_id=view.id, person=cast.owner)


def test_of_many_who_sign_at_once_one_signs(effects: Effects) -> None:
    view = asked(far=False)
    signers = [
        person_create(username=f"{COMPLIANCE}-{number}", actor="system:tests", roles=[COMPLIANCE])
        for number in range(AT_ONCE)
    ]
    given = {"digest": view.digest, "confirmed_at": clock.now()}
    outcomes = together(
        [partial(services.approval_sign, approval_id=view.id, person=each, **given) for each in signers]
    )
    assert outcomes["done"] == 1
    assert set(outcomes) <= {"done", "not_needed", "state"}
    assert len(effects) == 1
    assert selectors.approval(view.id).state == "effective"


def test_a_request_is_either_signed_or_withdrawn_or_rejected(effects: Effects) -> None:
    view = asked(far=False)
    compliance = [person_create(username=f"c{n}", actor="system:tests", roles=[COMPLIANCE]) for n in range(AT_ONCE)]
    requester = User.objects.get(pk=view.requester_id)
    given = {"digest": view.digest, "confirmed_at": clock.now()}
    verbs: list[Callable[[], object]] = [
        partial(services.approval_withdraw, approval_id=view.id, person=requester),
        *(partial(services.approval_reject, approval_id=view.id, person=each, reason="No.") for each in compliance[:9]),
        *(partial(services.approval_sign, approval_id=view.id, person=each, **given) for each in compliance[9:]),
    ]
    assert together(verbs) == Counter(done=1, state=len(verbs) - 1)
    final = selectors.approval(view.id)
    assert (final.state == "effective") == (len(effects) == 1)
    assert final.state in ("effective", "rejected", "withdrawn")
