"""The Inbox of a person for whom much waits: it says how much, and reads no more than a page of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.roles import COMPLIANCE
from apps.common import clock
from apps.dashboards.providers import PROVIDERS
from apps.dashboards.waiting import waiting_count
from apps.incidents.services import action_add, complaint_record, incident_open
from tests.apps.approvals.conftest import effects as _effects
from tests.apps.approvals.test_signing import asked
from tests.apps.responses.worlds import answer, look
from tests.cast import Cast, signed_in, slipped_in

pytestmark = pytest.mark.django_db
effects = _effects


@pytest.fixture
def busy(db: None, effects: Any) -> Cast:
    """The officer, who stands in for compliance, answers for everything that `more` brings."""
    cast = Cast.assemble()
    slipped_in(cast.officer, COMPLIANCE)
    more(cast, 1)
    return cast


def more(cast: Cast, number: int) -> None:
    """So many findings, signatures, complaints, actions and regulatory clocks that wait for the officer."""
    now, opened = clock.now(), []
    answer(cast.owned, *(look(cast.owned, group=f"g{number}-{place}", run_id=number) for place in range(number)))
    for place in range(number):
        asked(cast)
        complaint_record(
            model=cast.owned,
            actor=cast.officer.actor,
            source="customer",
            channel="letter",
            summary=f"Complaint {place}.",
            received_at=now - timedelta(days=29),
        )
        opened.append(
            incident_open(
                model=cast.owned,
                title=f"Incident {place}",
                summary="Something went wrong.",
                severity="high",
                origin="person",
                actor=cast.officer.actor,
                aware_at=now - timedelta(days=14),
            )
        )
    for incident in opened:
        action_add(
            incident_id=incident.pk,
            person=cast.officer,
            title="Look into it",
            owner=cast.officer,
            due_at=now + timedelta(days=1),
        )


def fetched(browser: Any) -> tuple[list[int], str]:
    """The rows that each query of the Inbox brought, and the page."""
    rows: list[int] = []

    def counted(execute: Any, statement: Any, values: Any, many: bool, context: Any) -> Any:
        answered = execute(statement, values, many, context)
        rows.append(context["cursor"].rowcount)
        return answered

    with connection.execute_wrapper(counted):
        answer = browser.get(reverse("inbox"))
    assert answer.status_code == 200
    return rows, answer.content.decode()


def test_much_that_waits_costs_no_more_queries_and_no_more_rows_than_little(busy: Cast) -> None:
    browser = signed_in(busy.officer)
    browser.get(reverse("inbox"))
    before, _ = fetched(browser)
    more(busy, 40)
    after, said = fetched(browser)
    total = waiting_count(User.objects.get(pk=busy.officer.pk), PROVIDERS, most=1_000)
    assert total == 4 * 41 + 1
    assert f"{total} things wait" in said
    assert len(after) <= len(before)
    assert max(after) <= 20
    assert "99+<" in browser.get(reverse("models")).content.decode()
