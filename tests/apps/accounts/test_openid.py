"""Signing in through a company's identity provider: a real one, on this machine."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from apps.accounts.identities import identities_unlink
from apps.accounts.models import User
from apps.accounts.permissions import roles_of
from apps.accounts.services import person_create, person_deactivate
from apps.audit.selectors import entries
from apps.common import clock
from biasgov import openid
from biasgov.environment import ConfigurationError
from tests.apps.accounts.factors import SECOND, app_code, is_in, set_up_app
from tests.cast import PASSWORD, person, signed_in

pytestmark = pytest.mark.django_db

START, SIGN_IN = "/sign-in/with/company/", "/sign-in/"
VERIFIED = {"email": "officer@example.org", "email_verified": True}


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The provider's address; it runs as a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(300):
            with suppress(requests.ConnectionError):
                requests.get(f"{address}/.well-known/openid-configuration", timeout=5).raise_for_status()
                break
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(autouse=True)
def _configured(provider: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("OIDC_ISSUER", provider), ("OIDC_CLIENT_ID", "biasgov"), ("OIDC_CLIENT_SECRET", "secret")):
        monkeypatch.setenv(name, value)
    settings.OPENID = openid.provider()
    settings.SOCIALACCOUNT_PROVIDERS = openid.allauth_providers(settings.OPENID)


@pytest.fixture
def officer() -> User:
    return person("officer")


def known_there(provider: str, sub: str = "s-1", **claims: Any) -> str:
    requests.put(f"{provider}/users/{sub}", json=claims or VERIFIED, timeout=5).raise_for_status()
    return sub


def through(client: Client, sub: str, *, action: str = "", **more: str) -> Any:
    """The answer of ours to somebody who comes back from the provider, where they signed in as `sub`."""
    there = client.post(START, more)
    assert there.status_code == 302, there.content
    back = requests.post(
        there["Location"], data={"sub": sub} | ({"action": action} if action else {}), allow_redirects=False, timeout=5
    )
    address = urlsplit(back.headers["Location"])
    return client.get(f"{address.path}?{address.query}")


def refusals() -> list[tuple[str, str]]:
    found = entries(action="person.sign_in_refused")
    return [(each.subject, each.detail["reason"]) for each in found]


def test_a_verified_mail_address_opens_the_person_who_has_it(provider: str, officer: User) -> None:
    client = Client()
    answer = through(client, known_there(provider), next="/health/")
    assert answer["Location"] == "/health/"
    assert is_in(client)
    assert entries(action="person.signed_in")[0].detail == {"by": ["identity provider"]}
    assert entries(action="identity.linked")[0].subject == "user:officer"


def test_the_address_is_compared_without_regard_to_case(provider: str, officer: User) -> None:
    client = Client()
    through(client, known_there(provider, email="Officer@Example.ORG", email_verified=True))
    assert is_in(client)


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "officer@example.org", "email_verified": False},
        {"email": "officer@example.org", "email_verified": "true"},
        {"email": "officer@example.org", "email_verified": "false"},
        {"email": "officer@example.org", "email_verified": 1},
        {"email": "officer@example.org"},
        {"email": "nobody@example.org", "email_verified": True},
        {"email": "", "email_verified": True},
        {"email": ["officer@example.org"], "email_verified": True},
        {"name": "Olivia Okafor", "preferred_username": "officer"},
    ],
)
def test_anything_else_opens_nothing_and_says_one_thing(provider: str, officer: User, claims: dict[str, Any]) -> None:
    client = Client()
    answer = through(client, known_there(provider, **claims))
    assert answer["Location"] == SIGN_IN
    assert "not known here" in client.get(SIGN_IN).content.decode()
    assert not is_in(client)
    assert not SocialAccount.objects.exists()
    assert User.objects.count() == 1
    assert refusals()[0][0] == "no such account"


def test_an_address_that_two_people_have_opens_neither(provider: str, officer: User) -> None:
    person_create(username="twin", email="OFFICER@example.org", actor="system:tests")
    client = Client()
    through(client, known_there(provider))
    assert not is_in(client)
    assert refusals() == [("no such account", "several people have this mail address")]


def test_no_role_comes_from_outside(provider: str) -> None:
    somebody = person("outsider")
    claims = {
        "email": "outsider@example.org",
        "email_verified": True,
        "groups": ["administrator"],
        "roles": ["auditor"],
    }
    client = Client()
    through(client, known_there(provider, **claims))
    assert is_in(client)
    assert roles_of(somebody) == frozenset()
    assert client.get("/").status_code == 403


def test_the_subject_stays_bound_whatever_becomes_of_the_address(provider: str, officer: User) -> None:
    through(Client(), known_there(provider))
    User.objects.filter(pk=officer.pk).update(email="olivia@example.org")
    client = Client()
    through(client, known_there(provider))
    assert is_in(client)


def test_whoever_gets_a_freed_address_at_the_provider_does_not_get_the_person(provider: str, officer: User) -> None:
    through(Client(), known_there(provider))
    client = Client()
    through(client, known_there(provider, "s-2", **VERIFIED))
    assert not is_in(client)
    assert refusals() == [("user:officer", "the person is bound to another account of the provider")]
    assert identities_unlink(person=officer, actor="user:administrator")
    through(client, known_there(provider, "s-2", **VERIFIED))
    assert is_in(client)


def test_who_has_left_does_not_come_back_through_the_provider(provider: str, officer: User) -> None:
    through(Client(), known_there(provider))
    person_deactivate(person=officer, actor="user:administrator")
    client = Client()
    assert through(client, known_there(provider))["Location"] == SIGN_IN
    assert not is_in(client)
    assert refusals() == [("user:officer", "the person has left")]


def test_a_second_factor_is_asked_for_here_too(provider: str, officer: User) -> None:
    secret = set_up_app(signed_in(officer))
    client = Client()
    assert through(client, known_there(provider), next="/health/")["Location"] == SECOND
    assert not is_in(client)
    with clock.frozen(clock.now()):
        assert client.post(SECOND, {"code": app_code(secret, clock.now().replace(microsecond=0))}).status_code in (
            200,
            302,
        )


def test_a_denied_or_failed_return_leads_back_to_sign_in(provider: str, officer: User) -> None:
    client = Client()
    assert through(client, known_there(provider), action="deny")["Location"] == SIGN_IN
    assert "did not work" in client.get(SIGN_IN).content.decode()
    for query in ("", "?code=x", "?code=x&state=y", "?error=server_error&state=z"):
        assert client.get(f"{START}return/{query}")["Location"] == SIGN_IN, query
    assert not is_in(client)


def test_another_browsers_return_signs_nobody_in(provider: str, officer: User) -> None:
    """Login CSRF: the answer of the provider counts only where the question was asked."""
    attacker, victim = Client(), Client()
    there = attacker.post(START)
    back = requests.post(there["Location"], data={"sub": known_there(provider)}, allow_redirects=False, timeout=5)
    address = urlsplit(back.headers["Location"])
    assert victim.get(f"{address.path}?{address.query}")["Location"] == SIGN_IN
    assert not is_in(victim)


def test_a_return_counts_once(provider: str, officer: User) -> None:
    client = Client()
    there = client.post(START)
    back = requests.post(there["Location"], data={"sub": known_there(provider)}, allow_redirects=False, timeout=5)
    address = urlsplit(back.headers["Location"])
    client.get(f"{address.path}?{address.query}")
    client.post("/sign-out/")
    client.get(f"{address.path}?{address.query}")
    assert not is_in(client)


def test_the_question_carries_a_state_and_a_challenge_and_nothing_of_the_address(provider: str) -> None:
    there = Client().post(f"{START}?auth_params=prompt%3Dnone&scope=everything&process=connect", {"process": "connect"})
    asked = parse_qs(urlsplit(there["Location"]).query)
    assert {"state", "code_challenge"} <= set(asked)
    assert asked["code_challenge_method"] == ["S256"]
    assert "prompt" not in asked
    assert set(asked["scope"][0].split()) == {"openid", "profile", "email"}
    assert asked["redirect_uri"] == ["http://testserver/sign-in/with/company/return/"]


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:x"])
def test_nobody_is_led_elsewhere_by_the_provider(provider: str, officer: User, elsewhere: str) -> None:
    assert through(Client(), known_there(provider), next=elsewhere)["Location"] == "/"


def test_it_begins_by_a_form_alone() -> None:
    assert Client().get(START).status_code == 405
    assert Client(enforce_csrf_checks=True).post(START).status_code == 403


def test_without_a_provider_there_is_no_such_page(settings: Any) -> None:
    settings.OPENID, settings.SOCIALACCOUNT_PROVIDERS = None, {}
    assert Client().post(START).status_code == 404
    assert Client().get(f"{START}return/").status_code == 404
    assert "company account" not in Client().get(SIGN_IN).content.decode()


def test_other_providers_do_not_exist() -> None:
    assert Client().post("/sign-in/with/google/").status_code == 404


def test_who_has_no_password_here_confirms_at_the_provider(provider: str, officer: User) -> None:
    officer.set_unusable_password()
    officer.save()
    client = Client()
    through(client, known_there(provider, **VERIFIED, auth_time=1))
    page = client.get("/account/confirm/?next=/account/app/").content.decode()
    assert 'name="prove"' in page
    assert 'name="password"' not in page
    there = client.post(START, {"prove": "1"})
    asked = parse_qs(urlsplit(there["Location"]).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
    asleep = int(clock.now().timestamp()) - 90
    through(client, known_there(provider, **VERIFIED, auth_time=asleep), next="/account/app/", prove="1")
    assert client.get("/account/app/").status_code == 302, "the provider did not ask the person anew"
    known_there(provider, **VERIFIED, auth_time=int(clock.now().timestamp()))
    assert through(client, "s-1", next="/account/app/", prove="1")["Location"] == "/account/app/"
    assert client.get("/account/app/").status_code == 200


def test_an_old_proof_of_the_provider_confirms_nothing(provider: str, officer: User) -> None:
    client = Client()
    through(client, known_there(provider, **VERIFIED, auth_time=int(clock.now().timestamp()) - 90))
    assert is_in(client)
    assert client.get("/account/app/").status_code == 302


def test_the_password_goes_on_working(provider: str, officer: User) -> None:
    through(Client(), known_there(provider))
    client = Client()
    client.post(SIGN_IN, {"username": "officer", "password": PASSWORD})
    assert is_in(client)


@pytest.mark.parametrize(
    "given",
    [
        {"OIDC_CLIENT_SECRET": ""},
        {"OIDC_ISSUER": "http://idp.example.org"},
        {"OIDC_ISSUER": "idp.example.org"},
        {"OIDC_CLIENT_ID": ""},
    ],
)
def test_half_a_configuration_is_refused_at_start(given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="OIDC_"):
        openid.provider()


def test_the_secret_is_not_shown_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_CLIENT_SECRET", "very-secret")
    assert "very-secret" not in repr(openid.provider())
