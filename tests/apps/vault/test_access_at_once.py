"""Two tabs, two browsers, two workers at one access in the same moment: one look, and everybody hears how it stands."""

from __future__ import annotations

from collections import Counter
from functools import partial
from threading import Thread

import pytest
from django.db import connection

from apps.accounts.models import User
from apps.approvals import services as approvals
from apps.common import clock
from apps.pipeline import services as pipeline
from apps.vault import selectors, services
from apps.vault.models import VaultAccessStep
from tests.apps.approvals.test_at_once import together
from tests.apps.pipeline.world import ACTOR, company
from tests.cast import person
from tests.sides import side

pytestmark = pytest.mark.django_db(transaction=True)
TABS = 8


@pytest.fixture
def steward() -> User:
    return person("steward")


@pytest.fixture
def granted(steward: User) -> int:
    """The request of an access that compliance has signed."""
    company()
    services.attributes_upload(actor=ACTOR, subjects=[("ana", {"sex": "female"})])
    with side("compute"):
        pipeline.open_uploads()
    asked = services.access_request(
        person=steward, subjects=["ana"], legal_basis="gdpr-16", purpose="Ana says that it is wrong.", hours=24
    )
    given = {"digest": asked.digest, "confirmed_at": clock.now()}
    approvals.approval_sign(approval_id=asked.id, person=person("compliance"), **given)
    return asked.id


def ask(approval_id: int, steward: User, public: bytes) -> None:
    services.access_ask(approval_id=approval_id, person=steward, public_key=public, confirmed_at=clock.now())


def steps(event: str) -> int:
    return VaultAccessStep.objects.filter(event=event).count()


def test_of_many_tabs_that_ask_at_once_one_gets_its_key_used(granted: int, steward: User) -> None:
    pairs = [services.fresh_key_pair() for _ in range(TABS)]
    outcomes = together([partial(ask, granted, steward, public) for _, public in pairs])
    assert outcomes == Counter({"state": TABS - 1, "done": 1})
    with side("compute"):
        assert services.accesses_answer() == 1
    looks = together(
        [partial(services.access_show, approval_id=granted, person=steward, private_key=key) for key, _ in pairs]
    )
    assert looks["done"] == 1
    assert looks["key"] + looks["state"] == TABS - 1
    assert steps("asked") == steps("sealed") == steps("shown") == 1


def test_of_many_looks_at_once_one_sees_the_values(granted: int, steward: User) -> None:
    private, public = services.fresh_key_pair()
    ask(granted, steward, public)
    with side("compute"):
        services.accesses_answer()
    look = partial(services.access_show, approval_id=granted, person=steward, private_key=private)
    assert together([look] * TABS) == Counter({"state": TABS - 1, "done": 1})
    assert steps("shown") == 1


def test_a_look_and_an_end_at_once_leave_one_of_them(granted: int, steward: User) -> None:
    private, public = services.fresh_key_pair()
    ask(granted, steward, public)
    with side("compute"):
        services.accesses_answer()
    look = partial(services.access_show, approval_id=granted, person=steward, private_key=private)
    end = partial(services.access_end, approval_id=granted, person=steward, reason="Not needed.")
    assert together([look, end] * 2)["done"] == 1
    assert steps("shown") + steps("ended") == 1


def test_two_workers_that_answer_at_once_seal_once(granted: int, steward: User) -> None:
    private, public = services.fresh_key_pair()
    ask(granted, steward, public)
    answered: list[int] = []

    def work() -> None:
        try:
            with side("compute"):
                answered.append(services.accesses_answer())
        finally:
            connection.close()

    workers = [Thread(target=work) for _ in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert sorted(answered) == [0, 0, 0, 1]
    assert steps("sealed") == 1
    assert services.access_show(approval_id=granted, person=steward, private_key=private)[0].subject == "ana"
    found = selectors.access(granted)
    assert found is not None
    assert found.state == "shown"
