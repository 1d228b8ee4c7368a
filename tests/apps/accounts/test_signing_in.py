"""Signing in and out: sessions, lockout, idling, passwords, and what the audit log says of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.permissions import may
from apps.audit.selectors import entries
from apps.common import clock
from tests.cast import PASSWORD, person, signed_in

pytestmark = pytest.mark.django_db

LOGIN, LOGOUT, CHANGE = "/sign-in/", "/sign-out/", "/account/password/"


def sign_in(client: Client, username: str = "officer", password: str = PASSWORD, **more: Any) -> Any:
    return client.post(LOGIN, {"username": username, "password": password, **more})


def is_in(client: Client, **headers: str) -> bool:
    return client.get(CHANGE, headers=headers).status_code == 200


def said() -> list[tuple[str, str]]:
    return [(entry.action, entry.subject) for entry in entries(action="person.") if entry.action != "person.created"]


def test_the_addresses_have_their_names() -> None:
    assert [reverse(name) for name in ("login", "logout", "password_change")] == [LOGIN, LOGOUT, CHANGE]


def test_signing_in_and_out() -> None:
    person("officer")
    client = Client()
    assert sign_in(client, next="/health/")["Location"] == "/health/"
    assert is_in(client)
    assert client.post(LOGOUT)["Location"] == LOGIN
    assert not is_in(client)
    assert said() == [("person.signed_out", "user:officer"), ("person.signed_in", "user:officer")]


def test_the_form_says_what_is_wrong_and_whom_it_concerns() -> None:
    person("officer")
    page = sign_in(Client(), password="wrong").content.decode()
    assert 'role="alert"' in page
    assert "do not go together" in page
    assert page.count("<label") == 2
    assert 'for="id_username"' in page
    assert 'id="id_username"' in page


def test_nobody_is_led_elsewhere_after_signing_in() -> None:
    person("officer")
    assert sign_in(Client(), next="https://evil.example/")["Location"] == "/"


def test_signing_out_by_a_link_is_not_possible() -> None:
    assert signed_in(person("officer")).get(LOGOUT).status_code == 405


def test_the_session_changes_its_name_at_sign_in() -> None:
    person("officer")
    client = Client()
    session = client.session
    session["planted"] = "by an attacker"
    session.save()
    before = session.session_key
    client.cookies[settings.SESSION_COOKIE_NAME] = before
    sign_in(client)
    assert client.session.session_key != before
    assert is_in(client)
    thief = Client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = before
    assert not is_in(thief)


def test_who_has_left_cannot_sign_in() -> None:
    User.objects.filter(pk=person("officer").pk).update(is_active=False)
    client = Client()
    sign_in(client)
    assert not is_in(client)
    assert said() == [("person.sign_in_failed", "user:officer")]


def test_a_failure_is_in_the_log_without_what_was_typed() -> None:
    person("officer")
    sign_in(Client(), password="wrong-password-1")
    sign_in(Client(), username="my secret passphrase", password="x")
    assert said() == [("person.sign_in_failed", "no such account"), ("person.sign_in_failed", "user:officer")]
    assert "secret" not in str([(entry.subject, entry.detail) for entry in entries()])


def test_guessing_is_stopped_even_for_the_right_password(settings: Any) -> None:
    settings.AXES_ENABLED = True
    person("officer")
    person("outsider")
    client = Client()
    for _ in range(settings.AXES_FAILURE_LIMIT):
        answer = sign_in(client, password="wrong")
    assert answer.status_code == 429
    assert "try again in 15 minutes" in answer.content.decode()
    assert sign_in(client).status_code == 429
    assert not is_in(client)
    assert ("person.locked_out", "user:officer") in said()
    assert sign_in(client, username="outsider").status_code == 302


def test_a_session_in_which_nothing_happens_ends() -> None:
    client = signed_in(person("officer"))
    noon = datetime.now(UTC)
    with clock.frozen(noon):
        assert is_in(client)
    with clock.frozen(noon + timedelta(minutes=59)):
        assert is_in(client)
    with clock.frozen(noon + timedelta(minutes=118)):
        assert is_in(client)
    with clock.frozen(noon + timedelta(minutes=178, seconds=1)):
        assert not is_in(client)
    assert said()[0] == ("person.signed_out", "user:officer")


def test_a_page_that_refreshes_itself_does_not_keep_a_session_alive() -> None:
    client = signed_in(person("officer"))
    noon = datetime.now(UTC)
    with clock.frozen(noon):
        assert is_in(client)
    with clock.frozen(noon + timedelta(minutes=50)):
        assert is_in(client, **{"X-Background": "1"})
    with clock.frozen(noon + timedelta(minutes=61)):
        assert not is_in(client)


def change(client: Client, old: str, new: str, again: str | None = None) -> Any:
    return client.post(CHANGE, {"old_password": old, "new_password1": new, "new_password2": again or new})


def test_changing_the_password_ends_the_other_sessions() -> None:
    somebody = person("officer")
    here, elsewhere = signed_in(somebody), signed_in(somebody)
    assert change(here, PASSWORD, "seven paper boats at dusk").status_code == 302
    assert is_in(here)
    assert not is_in(elsewhere)
    assert said()[0] == ("person.password_changed", "user:officer")


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("wrong", "seven paper boats", "seven paper boats"),
        (PASSWORD, "short", "short"),
        (PASSWORD, "one two three", "x"),
    ],
)
def test_a_password_is_not_changed_by_mistake(old: str, new: str, again: str) -> None:
    client = signed_in(person("officer"))
    answer = change(client, old, new, again)
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
    assert User.objects.get(username="officer").check_password(PASSWORD)


def test_the_password_page_is_for_those_who_are_signed_in() -> None:
    assert Client().get(CHANGE)["Location"] == f"{LOGIN}?next={CHANGE}"


def test_the_command_makes_the_first_administrator() -> None:
    out, err = StringIO(), StringIO()
    call_command("person_create", "root", name="Rut Ott", roles=["administrator"], stdout=out, stderr=err)
    created = User.objects.get(username="root")
    assert created.check_password(out.getvalue().strip())
    assert may(created, "person.manage")
    with pytest.raises(CommandError, match="already a person"):
        call_command("person_create", "root", stdout=out, stderr=err)


def test_a_form_whose_session_is_over_leads_back_to_its_page_and_says_that_nothing_was_done() -> None:
    """Its own address is no page: whoever signed in on the way there would see an error of the browser."""
    person("officer")
    page, address = reverse("thresholds"), reverse("approval-remark", args=[1])

    def sent(visitor: Client, referrer: str) -> str:
        return visitor.post(address, {"text": "Read."}, headers={"Referer": referrer} if referrer else {})["Location"]

    assert sent(Client(), f"http://testserver{page}?state=all") == f"{LOGIN}?next={page}%3Fstate%3Dall"
    for elsewhere in ("", "https://evil.example/thresholds/", f"http://testserver.evil.example{page}"):
        assert sent(Client(), elsewhere) == f"{LOGIN}?next=/"
    visitor = Client()
    sent(visitor, f"http://testserver{page}")
    assert "was not carried out. Sign in, and send it again." in visitor.get(LOGIN).content.decode()
    assert sign_in(visitor, next=page)["Location"] == page
    assert visitor.get(page).status_code == 200
