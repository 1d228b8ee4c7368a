"""The register of restrictions: all that there ever were, who decided, and how soon every gateway obeyed."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from apps.approvals.services import approval_sign
from apps.common import clock
from apps.dashboards.registers import SHOWN_AT_ONCE
from apps.registry.spec import ModelSpec
from apps.responses.models import Restriction
from apps.responses.services import (
    lift_request,
    restriction_confirm,
    restriction_decline,
    status_acknowledge,
)
from tests.apps.responses.worlds import HOUR, NOON, answer, answer_hours, look
from tests.cast import Cast, model, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.assemble()


def shown(who: Any, query: str = "") -> str:
    answered = signed_in(who).get(f"{reverse('restrictions')}{query}")
    assert answered.status_code == 200
    return answered.content.decode()


def file(who: Any, query: str = "") -> list[dict[str, str]]:
    answered = signed_in(who).get(f"{reverse('restrictions-csv')}{query}")
    return list(csv.DictReader(io.StringIO(b"".join(answered.streaming_content).decode())))


def lifted(spec: ModelSpec, cast: Cast) -> Restriction:
    """Confirmed an hour after the breach, obeyed twenty minutes later, and lifted with the evidence back."""
    answer(spec, look(spec, window="30d", severity="medium"), at=NOON)
    (found,) = Restriction.objects.filter(model_id=spec.id)
    with clock.frozen(NOON + HOUR):
        restriction_confirm(restriction_id=found.pk, person=cast.officer, note="A desk decides.")
    with clock.frozen(NOON + HOUR + timedelta(minutes=20)):
        found.refresh_from_db()
        status_acknowledge(model=spec, actor="token:a", gateway="eu-1", sequence=found.sequence)
    answer_hours(spec, "within", "within", "within", start=NOON + 2 * HOUR, window="30d")
    with clock.frozen(NOON + 5 * HOUR):
        asked = lift_request(model_id=spec.id, person=cast.officer, reason="The feed is mended.")
        approval_sign(approval_id=asked.id, person=cast.compliance, digest=asked.digest, confirmed_at=NOON + 5 * HOUR)
    found.refresh_from_db()
    assert found.state == "lifted"
    return found


def test_what_is_over_still_says_who_decided_and_how_soon_it_was_obeyed(cast: Cast) -> None:
    found = lifted(cast.owned, cast)
    with clock.frozen(NOON + 6 * HOUR):
        page = shown(cast.officer)
    for words in (
        "No model is restricted.",
        "In 90 days every gateway obeyed within 1\N{NO-BREAK SPACE}h of the breach at the median.",
        "confirmed by Olivia Okafor",
        "“A desk decides.”",
        f'<a href="{reverse("approval", args=[found.approval_id])}">request {found.approval_id}</a>',
    ):
        assert words in page
    (row,) = file(cast.auditor, "?show=lifted")
    assert (row["state"], row["decided by"], row["seconds from breach to effect"]) == (
        "lifted",
        "Olivia Okafor",
        "4800.0",
    )
    assert file(cast.auditor, "?show=declined") == []


def test_what_people_declined_and_what_waits_stand_there_too(cast: Cast) -> None:
    answer(cast.owned, look(cast.owned, window="30d", severity="medium"))
    restriction_decline(restriction_id=Restriction.objects.get().pk, person=cast.officer, reason="A person reads all.")
    other = model("lending")
    answer(other, look(other, window="30d", severity="medium"))
    page = shown(cast.compliance)
    assert "and 1 restriction waits for a person&#x27;s decision" in page
    assert "declined by Olivia Okafor" in page
    assert 'href="/models/lending/#response"' in page
    assert 'href="/models/lending/#response"' not in shown(cast.compliance, "?model=claims-triage")
    assert "No restriction matches." in shown(cast.compliance, "?show=in_force")


def test_an_owner_sees_their_own_models_and_who_has_no_business_nothing(cast: Cast) -> None:
    other = model("lending")
    answer(other, look(other, window="30d", severity="medium"))
    assert "No restriction was ever proposed." in shown(cast.owner)
    assert file(cast.owner) == []
    for part in ("outsider", "steward", "administrator"):
        for name in ("restrictions", "restrictions-csv"):
            assert signed_in(getattr(cast, part)).get(reverse(name)).status_code == 403


@pytest.mark.parametrize("query", ["?model=nothing", "?show=%00", "?before=\u0661", "?before=" + "9" * 40, "?show=x"])
def test_what_makes_no_sense_narrows_nothing(cast: Cast, query: str) -> None:
    answer(cast.owned, look(cast.owned, window="30d", severity="medium"))
    assert "Claims triage" in shown(cast.officer, query)


def test_many_come_in_pages_at_a_fixed_number_of_queries(cast: Cast, django_assert_max_num_queries: Any) -> None:
    Restriction.objects.bulk_create(
        Restriction(
            model_id=model(f"model-{number}").id,
            state="proposed",
            automatic=False,
            blocked_decision_types=["*"],
            reason="Below the bound.",
            breach_at=NOON,
            proposed_at=NOON,
        )
        for number in range(SHOWN_AT_ONCE + 3)
    )
    with django_assert_max_num_queries(40):
        first = shown(cast.officer)
    following = first.partition('href="?before=')[2].partition('"')[0]
    assert (first.count('scope="row"'), shown(cast.officer, f"?before={following}").count('scope="row"')) == (50, 3)
    assert len(file(cast.officer)) == SHOWN_AT_ONCE + 3
