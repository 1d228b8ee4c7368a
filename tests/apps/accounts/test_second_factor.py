"""The authenticator app and recovery codes: setting up, signing in, guessing, replaying, losing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test import Client

from apps.accounts.models import User
from apps.accounts.second_factors import code_accept, has_second_factor, lacks_second_factor, second_factors_remove
from apps.accounts.services import person_deactivate
from apps.audit.selectors import entries
from apps.common import clock
from tests.apps.accounts.factors import (
    APP,
    CODES,
    SECOND,
    SIGN_IN,
    app_code,
    is_in,
    recovery_codes,
    set_up_app,
    sign_in,
)
from tests.cast import PASSWORD, confirmed, person, signed_in

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.frozen(NOON):
        yield


@pytest.fixture
def officer() -> User:
    return person("officer")


@pytest.fixture
def secret(officer: User) -> str:
    """The officer's app has been set up for a while."""
    with clock.frozen(NOON - timedelta(hours=1)):
        return set_up_app(signed_in(officer))


def said(prefix: str = "") -> list[tuple[str, str, str]]:
    kept = ("person.created", "role.granted")
    return [(each.action, each.actor, each.subject) for each in entries(action=prefix) if each.action not in kept]


def asked(who: User) -> Client:
    """A browser in which the right password was given."""
    client = Client()
    assert sign_in(client, who)["Location"] == SECOND
    return client


def test_the_app_is_asked_for_after_the_password(officer: User, secret: str) -> None:
    client = asked(officer)
    assert not is_in(client)
    assert client.post(SECOND, {"code": app_code(secret)}).status_code == 302
    assert is_in(client)
    newest = entries(action="person.signed_in")[0]
    assert (newest.subject, newest.detail) == ("user:officer", {"by": ["password", "authenticator app"]})


def test_where_one_wanted_to_go_survives_the_second_step(officer: User, secret: str) -> None:
    client = Client()
    sign_in(client, officer, next="/health/?a=1")
    assert client.post(SECOND, {"code": app_code(secret)})["Location"] == "/health/?a=1"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:x"])
def test_nobody_is_led_elsewhere_by_either_step(officer: User, secret: str, elsewhere: str) -> None:
    client = Client()
    sign_in(client, officer, next=elsewhere)
    answer = client.post(f"{SECOND}?next={elsewhere}", {"code": app_code(secret), "next": elsewhere})
    assert answer["Location"] == "/"


def test_the_password_alone_opens_no_page(officer: User, secret: str) -> None:
    client = asked(officer)
    for address in ("/", "/account/", "/account/password/", APP, CODES, "/account/confirm/", "/health/"):
        assert client.get(address)["Location"].startswith(SIGN_IN), address


def test_the_second_step_alone_opens_nothing(officer: User, secret: str) -> None:
    client = Client()
    assert client.get(SECOND)["Location"] == SIGN_IN
    assert client.post(SECOND, {"code": app_code(secret)})["Location"] == SIGN_IN
    assert not is_in(client)


def test_the_second_step_must_follow_within_five_minutes(officer: User, secret: str) -> None:
    client = asked(officer)
    stash = client.session["account_login"]
    session = client.session
    session["account_login"] = stash | {"initiated_at": stash["initiated_at"] - 301}
    session.save()
    assert client.post(SECOND, {"code": app_code(secret)})["Location"] == SIGN_IN
    assert not is_in(client)


def test_a_code_counts_once(officer: User, secret: str) -> None:
    code = app_code(secret)
    assert asked(officer).post(SECOND, {"code": code}).status_code == 302
    second = asked(officer)
    assert second.post(SECOND, {"code": code}).status_code == 200
    assert not is_in(second)


def test_the_code_that_set_the_app_up_is_used_up(officer: User) -> None:
    secret = set_up_app(signed_in(officer))
    assert code_accept(person=officer, code=app_code(secret)) is None


def test_no_code_counts_that_is_older_than_one_that_was_used(officer: User, secret: str) -> None:
    assert code_accept(person=officer, code=app_code(secret, NOON))
    assert code_accept(person=officer, code=app_code(secret, NOON - timedelta(seconds=30))) is None
    assert code_accept(person=officer, code=app_code(secret, NOON + timedelta(seconds=30)))


@pytest.mark.parametrize(("seconds", "counts"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_clocks_may_differ_by_half_a_minute(officer: User, secret: str, seconds: int, counts: bool) -> None:
    code = app_code(secret, NOON + timedelta(seconds=seconds))
    assert bool(code_accept(person=officer, code=code)) is counts


def test_a_code_may_be_typed_with_spaces(officer: User, secret: str) -> None:
    code = app_code(secret)
    assert code_accept(person=officer, code=f" {code[:3]} {code[3:]} ")


@pytest.mark.parametrize("code", ["", " ", "12345", "0000000", "abcdef", "١٢٣٤٥٦", "\x00", "9" * 5000])
def test_nonsense_is_no_code(officer: User, secret: str, code: str) -> None:
    client = asked(officer)
    assert client.post(SECOND, {"code": code}).status_code == 200
    assert not is_in(client)


def test_another_persons_code_opens_nothing(officer: User, secret: str) -> None:
    other = person("compliance")
    theirs = set_up_app(signed_in(other))
    with clock.frozen(NOON + timedelta(minutes=2)):
        assert code_accept(person=officer, code=app_code(theirs)) is None


def test_a_wrong_code_is_in_the_log(officer: User, secret: str) -> None:
    asked(officer).post(SECOND, {"code": "000000"})
    assert said("second_factor.")[0] == ("second_factor.failed", "anonymous", "user:officer")
    assert entries(action="second_factor.failed")[0].detail == {"by": "code"}


def test_guessing_codes_is_stopped_whatever_the_address(officer: User, secret: str, settings: Any) -> None:
    settings.AXES_ENABLED = True
    for number in range(settings.AXES_FAILURE_LIMIT):
        client = Client(REMOTE_ADDR=f"10.0.0.{number}")
        sign_in(client, officer)
        last = client.post(SECOND, {"code": "000000"})
    assert last.status_code == 429
    elsewhere = Client(REMOTE_ADDR="10.9.9.9")
    sign_in(elsewhere, officer)
    assert elsewhere.post(SECOND, {"code": app_code(secret)}).status_code == 429
    assert not is_in(elsewhere)
    assert ("person.locked_out", "anonymous", "user:officer") in said("person.")


def test_wrong_codes_are_forgotten_after_a_right_one(officer: User, secret: str, settings: Any) -> None:
    settings.AXES_ENABLED = True
    client = asked(officer)
    for _ in range(settings.AXES_FAILURE_LIMIT - 1):
        client.post(SECOND, {"code": "000000"})
    assert client.post(SECOND, {"code": app_code(secret)}).status_code == 302
    other = asked(officer)
    other.post(SECOND, {"code": "000000"})
    assert other.post(SECOND, {"code": app_code(secret, NOON + timedelta(seconds=30))}).status_code == 302


def test_guessing_codes_does_not_stop_the_owner_of_another_account(officer: User, secret: str, settings: Any) -> None:
    settings.AXES_ENABLED = True
    client = asked(officer)
    for _ in range(settings.AXES_FAILURE_LIMIT):
        client.post(SECOND, {"code": "000000"})
    person("outsider")
    assert client.post(SIGN_IN, {"username": "outsider", "password": PASSWORD}).status_code == 302


def test_recovery_codes_are_shown_once_and_count_once(officer: User) -> None:
    client = signed_in(officer)
    set_up_app(client)
    codes = recovery_codes(client)
    assert len(set(codes)) == 10
    assert recovery_codes(client) == []
    there = asked(officer)
    assert there.post(SECOND, {"code": codes[3]}).status_code == 302
    assert is_in(there)
    assert entries(action="person.signed_in")[0].detail == {"by": ["password", "recovery code"]}
    again = asked(officer)
    assert again.post(SECOND, {"code": codes[3]}).status_code == 200
    assert "9 left" in there.get("/account/").content.decode()


def test_new_recovery_codes_end_the_old_ones(officer: User) -> None:
    client = signed_in(officer)
    set_up_app(client)
    old = recovery_codes(client)
    assert client.post("/account/codes/new/")["Location"] == CODES
    new = recovery_codes(client)
    assert len(new) == 10
    assert not set(old) & set(new)
    assert code_accept(person=officer, code=old[0]) is None
    assert code_accept(person=officer, code=new[0])
    assert said("recovery_codes.")[0] == ("recovery_codes.made", "user:officer", "user:officer")


def test_who_has_left_between_the_steps_does_not_get_in(officer: User, secret: str) -> None:
    client = asked(officer)
    person_deactivate(person=officer, actor="user:administrator")
    client.post(SECOND, {"code": app_code(secret)})
    assert not is_in(client)


def test_the_session_changes_its_name_at_the_second_step(officer: User, secret: str) -> None:
    client = asked(officer)
    before = client.session.session_key
    client.post(SECOND, {"code": app_code(secret)})
    assert client.session.session_key != before


def test_setting_up_asks_who_it_is_and_is_in_the_log(officer: User) -> None:
    client = signed_in(officer)
    assert client.get(APP)["Location"].startswith("/account/confirm/?next=%2Faccount%2Fapp%2F")
    set_up_app(client)
    assert has_second_factor(officer)
    assert said("second_factor.")[0] == ("second_factor.added", "user:officer", "user:officer")


def test_an_app_is_not_set_up_by_a_wrong_code(officer: User) -> None:
    client = confirmed(signed_in(officer))
    client.get(APP)
    assert 'role="alert"' in client.post(APP, {"code": "000000"}).content.decode()
    assert not has_second_factor(officer)


def test_the_secret_is_not_kept_in_clear(officer: User, secret: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(data::text, ' ') FROM mfa_authenticator")
        (stored,) = cursor.fetchone()
    assert secret not in stored
    assert all(code not in stored for code in Authenticator.objects.get(type="recovery_codes").wrap().generate_codes())


def test_a_known_password_does_not_take_the_second_factor_away(officer: User, secret: str) -> None:
    client = signed_in(officer)
    client.post("/account/confirm/", {"password": PASSWORD})
    assert client.post("/account/app/remove/")["Location"].startswith("/account/confirm/")
    page = client.get("/account/confirm/?ask=proof").content.decode()
    assert 'name="password"' not in page
    assert client.post("/account/confirm/", {"password": PASSWORD, "ask": "proof"}).status_code == 200
    client.post("/account/confirm/", {"password": PASSWORD})
    assert client.get("/account/app/remove/").status_code == 302
    assert has_second_factor(officer)


def test_the_second_factor_takes_itself_away(officer: User, secret: str) -> None:
    client = signed_in(officer)
    client.post("/account/confirm/", {"code": app_code(secret), "ask": "proof"})
    assert client.post("/account/app/remove/")["Location"] == "/account/"
    assert not Authenticator.objects.exists()
    assert said("second_factor.")[0] == ("second_factor.removed", "user:officer", "user:officer")


def test_a_code_confirms_too(officer: User, secret: str) -> None:
    client = signed_in(officer)
    assert client.post("/account/confirm/", {"code": app_code(secret), "next": "/health/"})["Location"] == "/health/"
    assert entries(action="person.confirmed")[0].detail == {"by": "authenticator app"}
    client.post("/account/confirm/", {"code": "000000"})
    assert said("person.")[0] == ("person.confirmation_failed", "user:officer", "user:officer")


def test_guessing_a_code_to_confirm_is_stopped(officer: User, secret: str, settings: Any) -> None:
    settings.AXES_ENABLED = True
    client = signed_in(officer)
    for _ in range(settings.AXES_FAILURE_LIMIT):
        client.post("/account/confirm/", {"code": "000000"})
    assert client.post("/account/confirm/", {"code": app_code(secret)}).status_code == 429


def test_who_lost_everything_is_freed_by_an_administrator(officer: User, secret: str) -> None:
    assert second_factors_remove(person=officer, actor="user:administrator") == 1
    assert second_factors_remove(person=officer, actor="user:administrator") == 0
    client = Client()
    assert sign_in(client, officer)["Location"] == "/"
    assert said("second_factor.")[0] == ("second_factor.reset", "user:administrator", "user:officer")


def test_whose_word_takes_effect_needs_a_second_factor(settings: Any) -> None:
    settings.SIGNERS_NEED_SECOND_FACTOR = True
    lacking = {
        part
        for part in ("officer", "compliance", "board", "administrator", "owner", "steward", "auditor")
        if lacks_second_factor(person(part))
    }
    assert lacking == {"officer", "compliance", "board", "administrator"}
