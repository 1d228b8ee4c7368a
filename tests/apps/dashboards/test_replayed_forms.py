"""Forms that are sent again: one after the other, all at once, after a refusal, and without their token."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.accounts.models import SentForm, User
from apps.accounts.replays import SENT_BEFORE, forms_forget
from apps.approvals.models import Approval
from apps.common import clock
from apps.incidents import services as complaints
from apps.incidents.models import Complaint
from apps.responses.models import Restriction
from apps.responses.services import restriction_confirm
from tests.apps.audit.log import sealed, written
from tests.apps.responses.worlds import answer, look
from tests.cast import Cast, confirmed

pytestmark = pytest.mark.django_db

COMPLAINT = {
    "model": "claims-triage",
    "source": "customer",
    "channel": "mail",
    "rule": "rg-271-30",
    "summary": "Rated low for no reason that I was told.",
}


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast.assemble()


def browser(who: User) -> Client:
    """A browser that is asked for the token of its forms, as every real one is."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(who, backend="django.contrib.auth.backends.ModelBackend")
    return client


def token(client: Client, page: str) -> str:
    """That of the forms of a page, as it is loaded now."""
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(page).content.decode())
    assert found is not None
    return found[1]


def new_complaint() -> str:
    return f"{reverse('complaint-new')}?model=claims-triage"


def test_the_same_form_is_carried_out_once(cast: Cast) -> None:
    client = browser(cast.officer)
    form = COMPLAINT | {"csrfmiddlewaretoken": token(client, new_complaint())}
    first, second = (client.post(reverse("complaint-new"), form) for _ in range(2))
    assert Complaint.objects.count() == 1
    assert first["Location"] == reverse("complaint", args=[Complaint.objects.get().pk])
    assert second.status_code == 302
    assert SENT_BEFORE in client.get(first["Location"]).content.decode()


def test_who_loads_the_page_again_may_mean_it_again(cast: Cast) -> None:
    client = browser(cast.officer)
    for _ in range(2):
        client.post(reverse("complaint-new"), COMPLAINT | {"csrfmiddlewaretoken": token(client, new_complaint())})
    assert Complaint.objects.count() == 2


def test_what_was_not_carried_out_may_be_sent_again_as_it_is(cast: Cast) -> None:
    """A form of a person who had to confirm first; and one that was refused, once the reason is gone."""
    spec, now = cast.owned, clock.now()
    answer(spec, look(spec, window="30d", severity="medium", as_of=now), at=now)
    client, page = browser(cast.officer), reverse("model", args=[spec.slug])
    form = {"reason": "Version 1.2 is out.", "csrfmiddlewaretoken": token(client, page)}
    address = reverse("restriction-lift", args=[spec.slug])
    assert client.post(address, form)["Location"].startswith(reverse("confirm"))
    confirmed(client)
    restriction_confirm(restriction_id=Restriction.objects.get().pk, person=cast.officer)
    client.post(address, form)
    assert Approval.objects.filter(kind="restriction_lift").count() == 1
    client.post(address, form)
    assert Approval.objects.filter(kind="restriction_lift").count() == 1
    assert SENT_BEFORE in client.get(page).content.decode()


def test_a_file_is_given_as_often_as_it_is_asked_for(cast: Cast, settings: Any, tmp_path: Path) -> None:
    settings.AUDIT_TREE_HEADS = tmp_path / "tree-heads.jsonl"
    written()
    sealed()
    client = browser(cast.auditor)
    form = {"csrfmiddlewaretoken": token(client, reverse("audit"))}
    for _ in range(2):
        assert "attachment" in client.post(reverse("audit-export"), form)["Content-Disposition"]


def test_another_persons_form_is_another_form(cast: Cast) -> None:
    for who in (cast.officer, cast.compliance):
        client = browser(who)
        client.post(reverse("complaint-new"), COMPLAINT | {"csrfmiddlewaretoken": token(client, new_complaint())})
    assert Complaint.objects.count() == 2


def test_a_form_that_is_too_old_is_not_carried_out_and_says_so(cast: Cast) -> None:
    """Its page was loaded before the person signed in anew, which changes the token."""
    client = browser(cast.officer)
    old = token(client, new_complaint())
    client.logout()
    client.force_login(cast.officer, backend="django.contrib.auth.backends.ModelBackend")
    given = client.post(reverse("complaint-new"), COMPLAINT | {"csrfmiddlewaretoken": old})
    assert (given.status_code, Complaint.objects.count()) == (403, 0)
    assert "Nothing was done. Load the page again" in given.content.decode()


def test_forms_are_forgotten_after_a_day(cast: Cast) -> None:
    client = browser(cast.officer)
    client.post(reverse("complaint-new"), COMPLAINT | {"csrfmiddlewaretoken": token(client, new_complaint())})
    assert (forms_forget(), SentForm.objects.count()) == (0, 1)
    with clock.frozen(clock.now() + timedelta(days=1, minutes=1)):
        assert (forms_forget(), SentForm.objects.count()) == (1, 0)


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_is_carried_out() -> None:
    client = browser(Cast.assemble().officer)
    form = COMPLAINT | {"csrfmiddlewaretoken": token(client, new_complaint())}

    def send(_: int) -> int:
        return sent_by(client, form)

    with ThreadPoolExecutor(max_workers=10) as pool:
        assert set(pool.map(send, range(50))) == {302}
    assert Complaint.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("before", [True, False], ids=["before the act", "after the act"])
def test_what_a_killed_process_left_can_be_sent_again_and_is_carried_out_once(before: bool) -> None:
    client = browser(Cast.assemble().officer)
    form = COMPLAINT | {"csrfmiddlewaretoken": token(client, new_complaint())}

    def killed() -> None:
        real = complaints.complaint_record

        def dying(**given: Any) -> None:
            if not before:
                real(**given)
            os.kill(os.getpid(), signal.SIGKILL)

        complaints.complaint_record = dying
        sent_by(client, form)

    assert died(killed) == signal.SIGKILL
    assert Complaint.objects.count() == 0
    assert [sent_by(client, form) for _ in range(2)] == [302, 302]
    assert Complaint.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_who_sends_while_the_first_is_carried_out_waits_for_how_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    client = browser(Cast.assemble().officer)
    form = COMPLAINT | {"csrfmiddlewaretoken": token(client, new_complaint())}
    begun, real = threading.Event(), complaints.complaint_record

    def failing(**given: Any) -> Any:
        if begun.is_set():
            return real(**given)
        begun.set()
        until(lambda: waiting_backends() == 1)
        raise PermissionDenied

    monkeypatch.setattr(complaints, "complaint_record", failing)
    with ThreadPoolExecutor(max_workers=2) as pool:
        first = pool.submit(sent_by, client, form)
        assert begun.wait(timeout=30)
        second = pool.submit(sent_by, client, form)
        assert (first.result(timeout=60), second.result(timeout=60)) == (403, 302)
    assert Complaint.objects.count() == 1


def sent_by(client: Client, form: dict[str, str]) -> int:
    """Send a form by a connection of its own, with the cookies of a browser."""
    mine = Client(enforce_csrf_checks=True)
    mine.cookies = client.cookies
    try:
        return mine.post(reverse("complaint-new"), form).status_code
    finally:
        connection.close()


def died(work: Callable[[], None]) -> int:
    """Do it in a process of its own; by which signal that died."""
    # Closed first, so that the child inherits no connection that it could end for us.
    connection.close()
    process = os.fork()
    if not process:
        work()
        os._exit(0)
    return os.WTERMSIG(os.waitpid(process, 0)[1])


def waiting_backends() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted")
        return int(cursor.fetchone()[0])


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)
