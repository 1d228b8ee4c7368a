"""Confirming that it is you: when it is asked, what counts, and where it leads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path

from apps.accounts.confirmation import confirmed_at, requires_confirmation
from apps.audit.selectors import entries
from apps.common import clock
from tests.cast import PASSWORD, confirmed, person, signed_in

CONFIRM = "/account/confirm/"
SIGN = "/papers/1/sign/"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@requires_confirmation
def sign(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.method} at {confirmed_at(request):%H:%M}")


urlpatterns = [path("papers/1/sign/", sign), path("", include("biasgov.urls"))]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.frozen(NOON):
        yield


@pytest.fixture
def officer() -> Client:
    return signed_in(person("officer"))


def give(client: Client, password: str = PASSWORD, **more: str) -> Any:
    return client.post(CONFIRM, {"password": password, "next": SIGN, **more})


def said() -> list[tuple[str, str, dict]]:
    found = entries(action="person.")
    return [(each.action, each.actor, each.detail) for each in found if each.action.startswith("person.confirm")]


def test_who_has_not_confirmed_is_led_there_and_back(officer: Client) -> None:
    assert officer.get(f"{SIGN}?a=1")["Location"] == f"{CONFIRM}?next=%2Fpapers%2F1%2Fsign%2F%3Fa%3D1"
    assert give(officer)["Location"] == SIGN
    assert officer.get(SIGN).content == b"GET at 12:00"
    assert officer.post(SIGN).content == b"POST at 12:00"
    assert said() == [("person.confirmed", "user:officer", {"by": "password"})]


def test_signing_in_is_no_confirmation() -> None:
    person("officer")
    client = Client()
    client.post("/sign-in/", {"username": "officer", "password": PASSWORD})
    assert client.get(SIGN).status_code == 302


def test_a_confirmation_ends_after_five_minutes(officer: Client) -> None:
    give(officer)
    with clock.frozen(NOON + timedelta(minutes=4, seconds=59)):
        assert officer.get(SIGN).status_code == 200
    with clock.frozen(NOON + timedelta(minutes=5)):
        assert officer.get(SIGN).status_code == 302


def test_a_confirmation_from_the_future_counts_for_nothing(officer: Client) -> None:
    assert confirmed(officer, NOON + timedelta(days=1)).get(SIGN).status_code == 302


def test_a_form_sent_too_late_leads_back_to_its_page_and_is_not_carried_out(officer: Client) -> None:
    answer = officer.post(SIGN, headers={"Referer": "http://testserver/approvals/7/?tab=paper"})
    assert answer["Location"] == f"{CONFIRM}?next=%2Fapprovals%2F7%2F%3Ftab%3Dpaper&again=1"
    back = give(officer, next="/health/", again="1")
    assert back["Location"] == "/health/"
    assert "Nothing was sent yet" in officer.get("/health/").content.decode()


@pytest.mark.parametrize(
    "referrer", ["", "https://evil.example/approvals/7/", "//evil.example/", "javascript:alert(1)"]
)
def test_a_form_from_elsewhere_leads_to_the_first_page(officer: Client, referrer: str) -> None:
    answer = officer.post(SIGN, headers={"Referer": referrer})
    assert answer["Location"] == f"{CONFIRM}?next=%2F&again=1"


def test_a_fragment_makes_the_whole_page_confirm(officer: Client) -> None:
    answer = officer.post(SIGN, headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/board/3/"})
    assert (answer.status_code, answer["HX-Redirect"]) == (401, f"{CONFIRM}?next=%2Fboard%2F3%2F&again=1")


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", ""]
)
def test_nobody_is_led_elsewhere_after_confirming(officer: Client, elsewhere: str) -> None:
    assert give(officer, next=elsewhere)["Location"] == "/"
    page = officer.get(CONFIRM, {"next": elsewhere}).content.decode()
    assert "evil" not in page
    assert "javascript" not in page


def test_a_wrong_password_confirms_nothing_and_is_in_the_log(officer: Client) -> None:
    answer = give(officer, password="wrong")
    assert (answer.status_code, 'role="alert"' in answer.content.decode()) == (200, True)
    assert officer.get(SIGN).status_code == 302
    assert said() == [("person.confirmation_failed", "user:officer", {})]


def test_another_persons_password_confirms_nothing(officer: Client) -> None:
    other = person("outsider")
    other.set_password("nine silver spoons in June")
    other.save()
    give(officer, password="nine silver spoons in June")
    assert officer.get(SIGN).status_code == 302


def test_guessing_is_stopped(officer: Client, settings: Any) -> None:
    settings.AXES_ENABLED = True
    for _ in range(settings.AXES_FAILURE_LIMIT):
        give(officer, password="wrong")
    assert give(officer).status_code == 429
    assert officer.get(SIGN).status_code == 302


def test_the_session_changes_its_name(officer: Client) -> None:
    before = officer.session.session_key
    give(officer)
    assert officer.session.session_key != before


def test_signing_out_forgets_it() -> None:
    who = person("officer")
    client = confirmed(signed_in(who))
    assert client.get(SIGN).status_code == 200
    client.post("/sign-out/")
    client.force_login(who, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(SIGN).status_code == 302


def test_strangers_sign_in_first() -> None:
    for address in (SIGN, CONFIRM):
        assert Client().get(address)["Location"].startswith("/sign-in/?next=")
