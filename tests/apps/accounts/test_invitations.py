"""Invitations: what the link opens, for how long, how often, and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.db import connection
from django.test import Client

from apps.accounts.invitations import invitation_accept, invitation_issue, invitation_mail, invited
from apps.accounts.models import Invitation, User
from apps.accounts.selectors import open_invitations
from apps.accounts.services import person_create, person_deactivate
from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from tests.apps.accounts.factors import SECOND, is_in, set_up_app, sign_in
from tests.cast import PASSWORD, person, signed_in

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
NEW = "seven paper boats at dusk"


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.frozen(NOON):
        yield


@pytest.fixture
def newcomer() -> User:
    return person_create(username="nia", name="Nia Novak", email="nia@example.org", actor="system:tests")


def path_of(address: str, settings: Any) -> str:
    assert address.startswith(settings.PUBLIC_URL)
    return address.removeprefix(settings.PUBLIC_URL)


def token_of(address: str) -> str:
    return address.rstrip("/").rpartition("/")[2]


def give(client: Client, path: str, password: str = NEW, again: str | None = None) -> Any:
    return client.post(path, {"new_password1": password, "new_password2": again or password})


def test_the_link_sets_the_first_password(newcomer: User, settings: Any) -> None:
    path = path_of(invitation_issue(person=newcomer, actor="user:administrator"), settings)
    client = Client()
    page = client.get(path)
    assert "You will sign in as <strong>nia</strong>" in page.content.decode()
    assert page["Referrer-Policy"] == "strict-origin"
    assert "no-store" in page["Cache-Control"]
    assert give(client, path)["Location"] == "/sign-in/"
    sign_in(client, newcomer, NEW)
    assert is_in(client)
    said = [(each.action, each.actor) for each in entries(subject="user:nia") if each.action.startswith("person.")]
    assert said == [
        ("person.signed_in", "user:nia"),
        ("person.password_set", "user:nia"),
        ("person.invited", "user:administrator"),
        ("person.created", "system:tests"),
    ]


def test_looking_at_the_link_uses_nothing_up(newcomer: User, settings: Any) -> None:
    path = path_of(invitation_issue(person=newcomer, actor="x"), settings)
    for _ in range(3):
        assert Client().get(path).status_code == 200
    assert Client().head(path).status_code == 405
    assert give(Client(), path).status_code == 302


def test_the_link_counts_once(newcomer: User, settings: Any) -> None:
    path = path_of(invitation_issue(person=newcomer, actor="x"), settings)
    give(Client(), path)
    assert Client().get(path).status_code == 404
    assert give(Client(), path, "eight silver spoons in June").status_code == 404
    newcomer.refresh_from_db()
    assert newcomer.check_password(NEW)


def test_the_link_ends_after_three_days(newcomer: User, settings: Any) -> None:
    path = path_of(invitation_issue(person=newcomer, actor="x"), settings)
    with clock.frozen(NOON + timedelta(days=3) - timedelta(seconds=1)):
        assert Client().get(path).status_code == 200
    with clock.frozen(NOON + timedelta(days=3)):
        assert Client().get(path).status_code == 404
        assert give(Client(), path).status_code == 404


def test_a_newer_link_ends_the_older_one(newcomer: User) -> None:
    old = invitation_issue(person=newcomer, actor="x")
    new = invitation_issue(person=newcomer, actor="x")
    assert invited(token_of(old)) is None
    assert invited(token_of(new)) == newcomer


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: "x" + t, lambda t: t.swapcase(), lambda t: "", lambda t: t + ":x"]
)
def test_a_link_that_was_tampered_with_is_nothing(newcomer: User, change: Any) -> None:
    token = token_of(invitation_issue(person=newcomer, actor="x"))
    assert invited(change(token)) is None
    assert invited(token) == newcomer


def test_a_link_signed_elsewhere_is_nothing(newcomer: User) -> None:
    from django.core.signing import Signer

    assert invited(Signer(salt="another").sign("x")) is None
    assert invited(Signer(salt="accounts.invitation").sign("made up")) is None


def test_only_the_hash_of_the_link_is_kept(newcomer: User) -> None:
    token = token_of(invitation_issue(person=newcomer, actor="x"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(t)::text FROM accounts_invitation t")
        (stored,) = cursor.fetchone()
    assert token not in stored
    assert token.partition(":")[0] not in stored
    assert token not in str([(each.subject, each.detail) for each in entries()])


def test_a_weak_password_is_refused_and_the_link_goes_on_counting(newcomer: User, settings: Any) -> None:
    path = path_of(invitation_issue(person=newcomer, actor="x"), settings)
    for password, again in (("short", None), ("nia@example.org", None), ("123456789012345", None), (NEW, "other")):
        answer = give(Client(), path, password, again)
        assert (answer.status_code, 'role="alert"' in answer.content.decode()) == (200, True), password
    assert give(Client(), path).status_code == 302


def test_a_forgotten_password_is_replaced_the_same_way_and_open_sessions_end(settings: Any) -> None:
    officer = person("officer")
    elsewhere = signed_in(officer)
    path = path_of(invitation_issue(person=officer, actor="user:administrator"), settings)
    assert is_in(elsewhere), "an invitation alone changes nothing"
    give(Client(), path)
    assert not is_in(elsewhere)
    client = Client()
    sign_in(client, officer)
    assert not is_in(client)


def test_the_link_does_not_go_past_a_second_factor(settings: Any) -> None:
    officer = person("officer")
    set_up_app(signed_in(officer))
    path = path_of(invitation_issue(person=officer, actor="user:administrator"), settings)
    client = Client()
    give(client, path)
    assert not is_in(client)
    assert sign_in(client, officer, NEW)["Location"] == SECOND


def test_who_is_signed_in_in_that_browser_is_signed_out(newcomer: User, settings: Any) -> None:
    client = signed_in(person("officer"))
    give(client, path_of(invitation_issue(person=newcomer, actor="x"), settings))
    assert not is_in(client)


def test_who_has_left_is_not_invited_and_their_link_ends(newcomer: User) -> None:
    token = token_of(invitation_issue(person=newcomer, actor="x"))
    person_deactivate(person=newcomer, actor="x")
    assert invited(token) is None
    with pytest.raises(Refused) as refused:
        invitation_issue(person=newcomer, actor="x")
    assert refused.value.code == "inactive"


def test_only_administrators_invite_and_never_themselves(newcomer: User) -> None:
    administrator = person("administrator")
    assert invitation_issue(person=newcomer, actor=administrator)
    with pytest.raises(PermissionDenied):
        invitation_issue(person=newcomer, actor=person("officer"))
    with pytest.raises(Refused):
        invitation_issue(person=administrator, actor=administrator)


def test_what_waits_is_known(newcomer: User) -> None:
    invitation_issue(person=newcomer, actor="x")
    assert open_invitations([newcomer.pk]) == {newcomer.pk: NOON + timedelta(days=3)}
    with clock.frozen(NOON + timedelta(days=4)):
        assert open_invitations([newcomer.pk]) == {}


@pytest.mark.django_db(transaction=True)
def test_of_two_who_use_the_link_at_once_one_sets_the_password() -> None:
    somebody = person_create(username="nia", actor="system:tests")
    token = token_of(invitation_issue(person=somebody, actor="x"))
    barrier, outcomes, refusals = Barrier(8), [], []

    def use(number: int) -> None:
        try:
            with clock.frozen(NOON):
                barrier.wait()
                invitation_accept(token=token, password=f"{NEW} {number}")
            outcomes.append(number)
        except Refused as refused:
            refusals.append(refused.code)
        finally:
            connection.close()

    threads = [Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 1
    assert refusals == ["gone"] * 7
    somebody.refresh_from_db()
    assert somebody.check_password(f"{NEW} {outcomes[0]}")
    assert Invitation.objects.get().used_at


def test_the_mail_carries_the_link(newcomer: User, settings: Any) -> None:
    address = invitation_issue(person=newcomer, actor="x")
    assert not invitation_mail(person=newcomer, address=address), "no mail is configured"
    settings.EMAIL_CONFIGURED = True
    assert invitation_mail(person=newcomer, address=address)
    (sent,) = mail.outbox
    assert sent.to == ["nia@example.org"]
    assert address in sent.body
    assert "user name is nia" in sent.body


def test_a_mail_that_cannot_be_sent_is_not_called_sent(newcomer: User, settings: Any) -> None:
    settings.EMAIL_CONFIGURED = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", 1, 1
    assert not invitation_mail(person=newcomer, address="http://localhost/invitation/x/")


def test_the_command_prints_a_link(capsys: pytest.CaptureFixture[str]) -> None:
    somebody = person("administrator")
    call_command("person_invite", "administrator")
    address = capsys.readouterr().out.strip()
    assert invited(token_of(address)) == somebody
    assert somebody.check_password(PASSWORD)
