"""The tokens' page: making one, seeing it once, ending it, and who cannot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.api.models import ApiToken
from apps.api.services import token_issue, token_revoke
from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from tests.apps.api.door import Caller
from tests.cast import Cast, confirmed, signed_in

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
GIVEN = {"name": "scoring service", "scopes": ["events:write", "read"], "model": "", "days": "90"}
WHY = {"reason": "The service is switched off."}


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.frozen(NOON):
        yield


@pytest.fixture
def cast() -> Cast:
    return Cast.assemble()


@pytest.fixture
def admin(cast: Cast) -> Client:
    return confirmed(signed_in(cast.administrator))


def text(answer: Any) -> str:
    return answer.content.decode()


def shown(answer: Any) -> list[str]:
    return [each.name for each in answer.context["tokens"]]


def test_a_token_is_shown_once_and_works(cast: Cast, admin: Client) -> None:
    answer = admin.post("/tokens/new/", GIVEN)
    secret = answer.context["secret"]
    assert secret in text(answer)
    assert "no-store" in answer["Cache-Control"]
    assert Caller(secret).get("models").status_code == 200
    assert secret not in text(admin.get("/tokens/"))
    issued = entries(action="token.issued")[0]
    assert (issued.actor, issued.detail) == (
        "user:administrator",
        {"scopes": ["events:write", "read"], "model": None, "days": 90},
    )


def test_sending_the_form_again_makes_no_second_token(cast: Cast, admin: Client) -> None:
    admin.post("/tokens/new/", GIVEN)
    again = admin.post("/tokens/new/", GIVEN)
    assert "already a token called" in text(again)
    assert ApiToken.objects.count() == 1


def test_the_list_says_who_made_it_for_what_and_when_it_was_used(cast: Cast, admin: Client) -> None:
    secret = admin.post("/tokens/new/", GIVEN | {"model": cast.owned.slug}).context["secret"]
    token_issue(actor="operator:root", name="by hand", scopes=["read"])
    Caller(secret).get(f"models/{cast.owned.slug}/policy")
    by_hand, service = admin.get("/tokens/").context["tokens"]
    assert (by_hand.maker, by_hand.model, by_hand.last_used_at) == ("operator root", "", None)
    assert (service.maker, service.model, service.last_used_at) == ("administrator", cast.owned.name, NOON)
    assert (service.scopes, service.expires_at) == (("events:write", "read"), NOON + timedelta(days=90))


def test_a_token_is_revoked_with_a_reason(cast: Cast, admin: Client) -> None:
    admin.post("/tokens/new/", GIVEN)
    address = f"/tokens/{ApiToken.objects.get().pk}/revoke/"
    assert "This field is required." in text(admin.post(address, {"reason": " "}))
    assert admin.post(address, WHY)["Location"] == "/tokens/"
    assert ApiToken.objects.get().revoked_at == NOON
    assert entries(action="token.revoked")[0].detail == WHY
    assert "revoked before" in text(admin.post(address, WHY, follow=True))
    assert shown(admin.get("/tokens/")) == []
    assert shown(admin.get("/tokens/?show=ended")) == ["scoring service"]


def test_a_token_that_has_expired_stands_among_the_ended(cast: Cast, admin: Client) -> None:
    token_issue(actor="operator:root", name="short", scopes=["read"], days=1)
    with clock.frozen(NOON + timedelta(days=1)):
        later = confirmed(signed_in(cast.administrator))
        assert shown(later.get("/tokens/")) == []
        assert shown(later.get("/tokens/?show=ended")) == ["short"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 81}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"model": "no-such-model"}, "model"),
        ({"days": "0"}, "days"),
        ({"days": "731"}, "days"),
        ({"days": "many"}, "days"),
    ],
)
def test_a_wrong_token_names_the_field(cast: Cast, admin: Client, changes: dict[str, Any], field: str) -> None:
    answer = admin.post("/tokens/new/", GIVEN | changes)
    assert list(answer.context["form"].errors) == [field]
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("part", ["outsider", "officer", "compliance", "board", "owner", "steward", "auditor"])
def test_nobody_but_an_administrator_handles_tokens(cast: Cast, part: str) -> None:
    token_issue(actor="operator:root", name="there", scopes=["read"])
    person = getattr(cast, part)
    browser = confirmed(signed_in(person))
    before = entries().count()
    for address in ("/tokens/", "/tokens/new/", f"/tokens/{ApiToken.objects.get().pk}/revoke/"):
        assert browser.get(address).status_code == 403
        assert browser.post(address, GIVEN | WHY).status_code in (403, 405)
    for attempt in (
        lambda: token_issue(actor=person, name="more", scopes=["read"]),
        lambda: token_revoke(actor=person, name="there", reason="x"),
    ):
        with pytest.raises(PermissionDenied):
            attempt()
    assert entries().count() == before


def test_a_person_who_revokes_says_why(cast: Cast) -> None:
    token_issue(actor="operator:root", name="there", scopes=["read"])
    with pytest.raises(Refused) as refused:
        token_revoke(actor=cast.administrator, name="there")
    assert refused.value.field == "reason"


def test_making_and_ending_ask_who_one_is(cast: Cast) -> None:
    token_issue(actor="operator:root", name="there", scopes=["read"])
    careless = signed_in(cast.administrator)
    for address in ("/tokens/new/", f"/tokens/{ApiToken.objects.get().pk}/revoke/"):
        assert careless.post(address, GIVEN | WHY)["Location"].startswith("/account/confirm/")
    assert [each.name for each in ApiToken.objects.filter(revoked_at=None)] == ["there"]


def test_many_tokens_come_in_pages_in_one_query(cast: Cast, admin: Client) -> None:
    for number in range(60):
        token_issue(actor="operator:root", name=f"t{number:02}", scopes=["read"])
    admin.get("/tokens/")
    with CaptureQueriesContext(connection) as queries:
        first = admin.get("/tokens/")
    assert (len(shown(first)), sum("api_apitoken" in each["sql"] for each in queries)) == (50, 1)
    assert shown(admin.get("/tokens/?after=t49")) == [f"t{number}" for number in range(50, 60)]
    assert admin.get("/tokens/9999/revoke/").status_code == 404
