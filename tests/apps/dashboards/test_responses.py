"""The response ladder on a model's page: what it says, what people do there, and who may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.common import clock
from apps.pipeline import heartbeat
from apps.pipeline.models import Side
from apps.registry.spec import ModelSpec
from apps.responses import selectors
from apps.responses.models import Restriction
from apps.responses.services import restriction_confirm, silence_set, status_acknowledge
from tests.apps.responses.worlds import answer, look
from tests.cast import Cast, confirmed, model, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.assemble()


@pytest.fixture
def spec(cast: Cast) -> ModelSpec:
    """A model for which a restriction is proposed."""
    now = clock.now()
    answer(cast.owned, look(cast.owned, window="30d", severity="medium", as_of=now), at=now)
    return cast.owned


def page(who: Any, spec: ModelSpec) -> str:
    return signed_in(who).get(reverse("model", args=[spec.slug])).content.decode()


def proposed() -> Restriction:
    return Restriction.objects.get(state="proposed")


def addresses(spec: ModelSpec, cast: Cast) -> dict[str, str]:
    """Everything that can be done on the ladder of a model, with what belongs to it."""
    gateway = status_acknowledge(model=spec, actor="token:a", gateway="eu-1", sequence=0)
    until = clock.now() + timedelta(hours=1)
    silence = silence_set(model_id=spec.id, until=until, reason="Known.", person=cast.officer)
    (row,) = [each for each in selectors.gateways(spec.id) if each.name == gateway.gateway]
    return {
        "confirm": reverse("restriction-confirm", args=[spec.slug, proposed().pk]),
        "decline": reverse("restriction-decline", args=[spec.slug, proposed().pk]),
        "lift": reverse("restriction-lift", args=[spec.slug]),
        "silence": reverse("silence", args=[spec.slug]),
        "silence_end": reverse("silence-end", args=[spec.slug, silence.pk]),
        "retire": reverse("gateway-retire", args=[spec.slug, row.id]),
    }


def test_the_page_says_what_is_proposed_why_and_what_comes_next(spec: ModelSpec, cast: Cast) -> None:
    said = page(cast.officer, spec)
    for words in (
        "A restriction is proposed and waits for a person&#x27;s confirmation.",
        "No decision of this model may be applied without a person.",
        "breach in the 30d window",
        "to be remediated by",
        "Confirm the restriction",
        "if not remediated in time",
    ):
        assert words in said, words


def test_an_officer_confirms_and_the_page_shows_the_gateways(spec: ModelSpec, cast: Cast) -> None:
    status_acknowledge(model=spec, actor="token:serving", gateway="eu-1", sequence=0)
    browser = confirmed(signed_in(cast.officer))
    answer = browser.post(reverse("restriction-confirm", args=[spec.slug, proposed().pk]), follow=True)
    said = answer.content.decode()
    assert "The model is restricted. Gateways learn of it within seconds." in said
    assert "acknowledged by 0 of 1 gateways" in said
    assert "not acknowledged" in said
    found = selectors.restriction_of(spec.id)
    assert found is not None
    status_acknowledge(model=spec, actor="token:serving", gateway="eu-1", sequence=found.sequence or 0)
    assert "after the breach" in page(cast.officer, spec)


def test_without_a_fresh_confirmation_nothing_is_confirmed(spec: ModelSpec, cast: Cast) -> None:
    address = reverse("restriction-confirm", args=[spec.slug, proposed().pk])
    assert signed_in(cast.officer).post(address).url.startswith(reverse("confirm"))
    assert proposed().state == "proposed"


def test_a_decline_needs_a_reason(spec: ModelSpec, cast: Cast) -> None:
    browser, address = (
        confirmed(signed_in(cast.officer)),
        reverse("restriction-decline", args=[spec.slug, proposed().pk]),
    )
    browser.post(address, {"reason": " "})
    assert proposed().state == "proposed"
    said = browser.post(address, {"reason": "A person decides anyway."}, follow=True).content.decode()
    assert "people declined to restrict the model" in said


def test_a_lift_is_asked_for_and_leads_to_the_request(spec: ModelSpec, cast: Cast) -> None:
    restriction_confirm(restriction_id=proposed().pk, person=cast.officer)
    browser = confirmed(signed_in(cast.officer))
    answer = browser.post(reverse("restriction-lift", args=[spec.slug]), {"reason": "Version 1.2 is out."})
    request = browser.get(answer.url).content.decode()
    assert "Lift the restriction of Claims triage" in request
    assert "waits for signatures" in page(cast.officer, spec)
    assert "Ask for the restriction to be lifted" not in page(cast.officer, spec)


def test_alerts_are_held_back_and_let_through_again(spec: ModelSpec, cast: Cast) -> None:
    browser = signed_in(cast.officer)
    browser.post(reverse("silence", args=[spec.slug]), {"hours": "24", "reason": "Known fault."})
    assert "Known fault." in page(cast.officer, spec)
    (silence,) = selectors.silences_of(spec.id)
    browser.post(reverse("silence-end", args=[spec.slug, silence.pk]))
    assert "Known fault." not in page(cast.officer, spec)


@pytest.mark.parametrize("hours", ["", "0", "9999", "x"])
def test_a_silence_lasts_as_long_as_the_page_offers(spec: ModelSpec, cast: Cast, hours: str) -> None:
    signed_in(cast.officer).post(reverse("silence", args=[spec.slug]), {"hours": hours, "reason": "Known."})
    assert selectors.silences_of(spec.id) == ()


@pytest.mark.parametrize("part", ["owner", "compliance", "board", "auditor", "steward", "administrator", "outsider"])
def test_nobody_but_the_officer_does_anything_there(spec: ModelSpec, cast: Cast, part: str) -> None:
    browser = confirmed(signed_in(getattr(cast, part)))
    for name, address in addresses(spec, cast).items():
        assert browser.post(address, {"reason": "x", "hours": "4"}).status_code in (403, 404), name
    assert proposed().state == "proposed"


def test_strangers_are_sent_to_sign_in(spec: ModelSpec, cast: Cast) -> None:
    for address in addresses(spec, cast).values():
        assert Client().post(address).url.startswith(reverse("login"))
        assert signed_in(cast.officer).get(address).status_code == 405


def test_what_belongs_to_another_model_does_not_exist_under_this_one(spec: ModelSpec, cast: Cast) -> None:
    model("other")
    browser = confirmed(signed_in(cast.officer))
    for name, address in addresses(spec, cast).items():
        other = address.replace(spec.slug, "other")
        if name not in ("lift", "silence"):
            assert browser.post(other, {"reason": "x"}).status_code == 404, name
        assert browser.post(address.replace(spec.slug, "nothing")).status_code == 404


def test_those_who_may_only_look_see_no_button(spec: ModelSpec, cast: Cast) -> None:
    for who in (cast.owner, cast.auditor, cast.compliance):
        said = page(who, spec)
        assert "A restriction is proposed" in said
        for button in ("Confirm the restriction", "Decline", "Hold back"):
            assert button not in said


def test_the_inbox_asks_the_officer_to_confirm_and_nobody_else(spec: ModelSpec, cast: Cast) -> None:
    ask = "Restrict Claims triage: People from APAC"
    assert ask in signed_in(cast.officer).get(reverse("inbox")).content.decode()
    assert ask not in signed_in(cast.owner).get(reverse("inbox")).content.decode()


def test_the_table_of_models_names_the_response(spec: ModelSpec, cast: Cast) -> None:
    browser = signed_in(cast.officer)
    assert "To be restricted" in browser.get(reverse("models")).content.decode()
    restriction_confirm(restriction_id=proposed().pk, person=cast.officer)
    assert "Restricted" in browser.get(reverse("models")).content.decode()


def test_the_page_takes_the_same_number_of_queries_with_many_gateways(
    spec: ModelSpec, cast: Cast, django_assert_max_num_queries: Any
) -> None:
    for number in range(50):
        status_acknowledge(model=spec, actor="token:a", gateway=f"eu-{number}", sequence=0)
    browser = signed_in(cast.officer)
    with django_assert_max_num_queries(45):
        browser.get(reverse("model", args=[spec.slug]))


def test_health_tells_how_long_it_took_until_a_restriction_was_in_effect(spec: ModelSpec, cast: Cast) -> None:
    restriction_confirm(restriction_id=proposed().pk, person=cast.officer)
    with clock.frozen(clock.now() + timedelta(minutes=7, seconds=5)):
        said = health(cast.officer)
        assert "not acknowledged" in said
        assert "The only one took 7\xa0min; 1 is not in effect everywhere yet." in said
        found = selectors.restriction_of(spec.id)
        assert found is not None
        status_acknowledge(model=spec, actor="token:a", gateway="eu-1", sequence=found.sequence or 0)
        said = health(cast.officer)
    assert "The only one took 7\xa0min." in said
    assert "not acknowledged" not in said


def test_health_tells_how_fast_each_objective_uses_up_what_it_may_miss(spec: ModelSpec, cast: Cast) -> None:
    """An hour of watching in which the compute side missed three minutes of sixty: 5 % of them, where 0.5 % may be."""
    for minute in range(1, 61):
        with clock.frozen(clock.now() - timedelta(minutes=minute)):
            heartbeat.beat(Side.GOVERNANCE)
            if minute > 3:
                heartbeat.beat(Side.COMPUTE)
    said = health(cast.officer)
    line = said[said.index("the pipeline is up") :].partition("</tr>")[0]
    assert line.count(">10.0<") + line.count(">10<") == 3
    assert "used up" in line
    assert "nothing measured yet" in said[said.index("attributes are known") :].partition("</tr>")[0]


def test_a_side_that_stands_still_is_said_on_health_and_in_the_inbox(spec: ModelSpec, cast: Cast) -> None:
    with clock.frozen(clock.now() - timedelta(minutes=6)):
        heartbeat.beat(Side.GOVERNANCE)
    for said in (health(cast.officer), signed_in(cast.officer).get(reverse("inbox")).content.decode()):
        assert "The governance side stands still: nobody is alerted" in said
    heartbeat.beat(Side.GOVERNANCE)
    assert "stands still" not in health(cast.officer)


def health(who: Any) -> str:
    return signed_in(who).get(reverse("health")).content.decode()
