"""Every address there is, seen from those who have no business there: the anonymous, the outsider, another's owner.

A page stands in `PAGES` with who has business there; an address without an entry fails the first test. Addresses of
the HTTP API need none: whatever the session, all of them ask for a token (and tests/apps/api/test_outsiders.py goes
through the tokens). That the examples are real is tested too: who has business there gets in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, get_resolver

from apps.accounts.invitations import person_invite
from apps.accounts.models import User
from apps.accounts.roles import OWNER as MODEL_OWNER
from apps.accounts.services import person_create
from apps.api.models import ApiToken
from apps.api.services import token_issue
from apps.audit.selectors import entries
from apps.common import clock
from apps.incidents.models import Evidence, Incident
from apps.incidents.saved_views import REGISTERS, view_save
from apps.monitoring import selectors as monitoring
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses
from apps.responses.models import Finding, Notification, OutboxMessage, Restriction
from apps.responses.services import silence_set, status_acknowledge
from apps.retraining.services import retraining_check, retraining_release_request
from tests.apps.incidents.test_complaints import recorded
from tests.apps.incidents.test_opening import escalate
from tests.apps.responses.worlds import RUN_IDS, answer, look
from tests.board import members, opened
from tests.cast import Cast, confirmed, model, signed_in

pytestmark = pytest.mark.django_db

ANONYMOUS, OUTSIDER, OWNER = "anonymous", "outsider", "owner"
STRANGERS = (ANONYMOUS, OUTSIDER, OWNER)
SIGNED_IN = (OUTSIDER, OWNER)


@dataclass(frozen=True, slots=True)
class Page:
    """rightful: the part of who has business there ("" for nobody in this world). open_to: strangers who get in, too.

    To the owner of another model that means pages which show them their own models alone. examples: instead of the
    world's.
    """

    rightful: str
    open_to: tuple[str, ...] = ()
    examples: Mapping[str, Any] = field(default_factory=dict)


PAGES: dict[str, Page] = {
    "healthz": Page(OUTSIDER, STRANGERS),
    "readyz": Page(OUTSIDER, STRANGERS),
    "metrics": Page(OUTSIDER, STRANGERS),
    "sign-in/": Page(OUTSIDER, STRANGERS),
    "sign-in/second-factor/": Page(OUTSIDER, STRANGERS),
    "sign-in/passkey/": Page(OUTSIDER, STRANGERS),
    "sign-in/with/<slug:provider_id>/": Page(""),
    "sign-in/with/<slug:provider_id>/return/": Page(""),
    "sign-out/": Page(OUTSIDER, STRANGERS),
    "invitation/<str:token>/": Page(OUTSIDER, STRANGERS),
    "account/": Page(OUTSIDER, SIGNED_IN),
    "account/confirm/": Page(OUTSIDER, SIGNED_IN),
    "account/password/": Page(OUTSIDER, SIGNED_IN),
    "account/app/": Page(OUTSIDER, SIGNED_IN),
    "account/app/remove/": Page("", SIGNED_IN),
    "account/passkeys/": Page(OUTSIDER, SIGNED_IN),
    "account/passkeys/<int:pk>/remove/": Page("steward"),
    "account/codes/": Page("steward", SIGNED_IN),
    "account/codes/new/": Page("steward", SIGNED_IN),
    "permissions/": Page(OUTSIDER, SIGNED_IN),
    "": Page("officer", (OWNER,)),
    "models/": Page("officer", (OWNER,)),
    "models/<slug:slug>/": Page("officer"),
    "models/<slug:slug>/tables/<slug:key>.csv": Page("officer", examples={"slug": "hiring"}),
    "models/<slug:slug>/restrictions/<int:restriction_id>/confirm/": Page("officer"),
    "models/<slug:slug>/restrictions/<int:restriction_id>/decline/": Page("officer"),
    "models/<slug:slug>/lift/": Page("officer"),
    "models/<slug:slug>/silence/": Page("officer"),
    "models/<slug:slug>/silences/<int:silence_id>/end/": Page("officer"),
    "models/<slug:slug>/gateways/<int:gateway_id>/retire/": Page("officer"),
    "runs/<int:run_id>/": Page("officer"),
    "runs/<int:run_id>/evidence.json": Page("officer"),
    "runs/<int:run_id>/outputs.csv": Page("officer"),
    "runs/<int:run_id>/recompute/": Page("officer"),
    "runs/<int:run_id>/recomputed/": Page("officer"),
    "findings/<int:finding_id>/acknowledge/": Page("officer"),
    "models/<slug:slug>/findings/acknowledge/": Page("officer"),
    "alerts/<int:alert_id>/read/": Page("officer"),
    "health/": Page("officer", (OWNER,)),
    "approvals/": Page("officer", (OWNER,)),
    "approvals/<int:approval_id>/": Page("officer"),
    "approvals/<int:approval_id>/sign/": Page("compliance"),
    "approvals/<int:approval_id>/reject/": Page("compliance"),
    "approvals/<int:approval_id>/submit/": Page("officer"),
    "approvals/<int:approval_id>/withdraw/": Page("officer"),
    "approvals/<int:approval_id>/remark/": Page("officer"),
    "retraining/": Page("officer", (OWNER,)),
    "retraining/<int:check_id>/": Page("officer"),
    "retraining/<int:check_id>/release/": Page("officer"),
    "messages/": Page("officer", (OWNER,)),
    "messages/read/": Page("officer", (OWNER,)),
    "messages/mail/": Page("officer", (OWNER,)),
    "deliveries/": Page("officer"),
    "deliveries/resend/": Page("officer"),
    "deliveries/<int:message_id>/resend/": Page("officer"),
    "incidents/": Page("officer", (OWNER,)),
    "incidents/register.csv": Page("officer", (OWNER,)),
    "incidents/views/": Page("officer", (OWNER,)),
    "incidents/views/<int:view_id>/forget/": Page("officer"),
    "incidents/new/": Page("officer"),
    "incidents/<int:number>/": Page("officer"),
    "incidents/<int:number>/edit/": Page("officer"),
    "incidents/<int:number>/evidence/<int:evidence_id>.json": Page("officer"),
    "incidents/<int:number>/evidence/<int:evidence_id>.csv": Page("officer"),
    "incidents/<int:number>/<slug:verb>/": Page(""),
    "complaints/": Page("officer", (OWNER,)),
    "complaints/register.csv": Page("officer", (OWNER,)),
    "complaints/views/": Page("officer", (OWNER,)),
    "complaints/views/<int:view_id>/forget/": Page("officer"),
    "complaints/new/": Page("officer"),
    "complaints/<int:number>/": Page("officer"),
    "complaints/<int:number>/<slug:verb>/": Page("officer"),
    "board/": Page("board"),
    "board/convene/": Page("compliance"),
    "board/rules/": Page("compliance"),
    "board/<int:case_id>/": Page("board"),
    "board/<int:case_id>/question/": Page("compliance"),
    "board/<int:case_id>/papers/": Page("compliance"),
    "board/<int:case_id>/conditions/": Page("compliance"),
    "board/<int:case_id>/conditions/<int:condition_id>/drop/": Page("compliance"),
    "board/conditions/<int:action_id>/": Page(""),
    "board/<int:case_id>/open/": Page("compliance"),
    "board/<int:case_id>/conflict/": Page("board"),
    "board/<int:case_id>/vote/": Page("board"),
    "board/<int:case_id>/minutes/": Page(""),
    "board/<int:case_id>/minutes.pdf": Page(""),
    "models/<slug:slug>/overrides/": Page("officer"),
    "models/<slug:slug>/overrides.csv": Page("officer"),
    "vault/": Page("steward"),
    "vault/uploads/": Page("steward"),
    "vault/uploads/recent/": Page("steward"),
    "vault/uploads/<uuid:upload_id>/": Page(""),
    "vault/uploads/<uuid:upload_id>/progress/": Page(""),
    "vault/uploads/<uuid:upload_id>/file/": Page(""),
    "vault/uploads/<uuid:upload_id>/withdraw/": Page(""),
    "vault/reads/": Page("officer"),
    "vault/erasures/": Page("officer"),
    "vault/erasures/new/": Page("steward"),
    "vault/access/": Page("steward"),
    "vault/access/new/": Page("steward"),
    "vault/access/<int:approval_id>/": Page(""),
    "vault/access/<int:approval_id>/state/": Page(""),
    "vault/access/<int:approval_id>/open/": Page(""),
    "vault/access/<int:approval_id>/look/": Page(""),
    "vault/access/<int:approval_id>/end/": Page(""),
    "thresholds/": Page("officer", (OWNER,)),
    "thresholds/register.csv": Page("officer", (OWNER,)),
    "thresholds/versions/<int:version_id>/": Page(""),
    "thresholds/<slug:slug>/propose/": Page("officer", examples={"slug": "hiring"}),
    "thresholds/<slug:slug>/review/": Page("officer", examples={"slug": "hiring"}),
    "thresholds/<slug:slug>/assessments/": Page("officer", examples={"slug": "hiring"}),
    "thresholds/assessments/<int:assessment_id>/": Page(""),
    "thresholds/proposals/<int:approval_id>/": Page(""),
    "thresholds/proposals/<int:approval_id>/back-test.csv": Page(""),
    "thresholds/proposals/<int:approval_id>/edit/": Page(""),
    "thresholds/proposals/<int:approval_id>/repeat/": Page(""),
    "thresholds/proposals/<int:approval_id>/submit/": Page(""),
    "reports/": Page("officer", (OWNER,)),
    "reports/coverage.csv": Page("officer", (OWNER,)),
    "reports/coverage.pdf": Page("officer", (OWNER,)),
    "restrictions/": Page("officer", (OWNER,)),
    "restrictions/register.csv": Page("officer", (OWNER,)),
    "audit/": Page("auditor"),
    "audit/<int:entry_id>/": Page("auditor"),
    "audit/<int:entry_id>/proof/": Page("auditor"),
    "audit/check/": Page("auditor"),
    "audit/export/": Page("auditor"),
    "audit/key.pem": Page("auditor"),
    "audit/tree-heads.jsonl": Page(""),
    "people/": Page("administrator"),
    "people/invite/": Page("administrator"),
    "people/<int:person_id>/": Page("administrator"),
    "people/<int:person_id>/link/": Page("administrator"),
    "people/<int:person_id>/roles/": Page("administrator"),
    "people/<int:person_id>/roles/<slug:role>/revoke/": Page("administrator"),
    "people/<int:person_id>/models/": Page("administrator"),
    "people/<int:person_id>/models/<slug:slug>/end/": Page("administrator"),
    "people/<int:person_id>/<slug:name>/": Page("administrator"),
    "tokens/": Page("administrator"),
    "tokens/new/": Page("administrator"),
    "tokens/<int:token_id>/revoke/": Page("administrator"),
}
API = "api/v1/"
API_OPEN = {"api/v1/openapi.json"}

SENT = {
    "reason": "Because.",
    "text": "A remark.",
    "note": "A note.",
    "hours": "24",
    "role": "auditor",
    "model": "hiring",
    "name": "Nia",
    "username": "nia",
    "scopes": "read",
    "days": "30",
    "digest": "0" * 64,
    "title": "A title",
    "answer": "An answer.",
    "decision": "for",
    "subject_id": "person 1",
}
"""Sent to every address by POST: enough for most of them to do something, if they were let."""


def routes() -> list[str]:
    """Every address of the web side, as the URLconf writes it."""

    def walk(resolver: Any, before: str) -> Iterator[str]:
        for each in resolver.url_patterns:
            route = f"{before}{each.pattern}"
            if isinstance(each, URLPattern):
                yield route
            else:
                yield from walk(each, route)

    return sorted(set(walk(get_resolver(), "")))


@dataclass(frozen=True, slots=True)
class World:
    """People, and an example of everything that an address can name; none of it about the model of `stranger`.

    examples: by the name in the address, or by that behind the address's first part (`incidents/number`).
    """

    cast: Cast
    stranger: User
    examples: dict[str, Any]

    def address(self, route: str) -> str:
        if route.startswith(API):
            route = route.replace("^.*$", "nothing")
            return "/" + re.sub(r"<(?:(\w+):)?(\w+)>", lambda one: "1" if one[1] == "int" else "hiring", route)
        first = route.partition("/")[0]
        known = self.examples | PAGES[route].examples if route in PAGES else self.examples
        return "/" + re.sub(
            r"<\w+:(\w+)>", lambda one: str(known.get(f"{first}/{one[1]}", known.get(one[1], "none"))), route
        )

    def browser(self, part: str) -> Client:
        """Somebody's browser, in which they have just confirmed that it is them."""
        if part == ANONYMOUS:
            return Client()
        return confirmed(signed_in(self.stranger if part == OWNER else getattr(self.cast, part)))


@pytest.fixture
def there(world: ModelSpec, db: None, settings: Any) -> World:
    settings.NOTIFICATION_URLS = ["json://127.0.0.1:9/hook"]
    cast = Cast.assemble()
    members(3)
    stranger = person_create(username="stranger", name="Stella Stone", roles=[MODEL_OWNER], actor="system:tests")
    model("lending", owner="stranger")
    owned, officer, now = cast.owned, cast.officer, clock.now()
    answer(owned, look(owned, window="30d", severity="medium", as_of=now), at=now)
    incident = Incident.objects.get(pk=escalate(cast, "APAC", run_id=next(RUN_IDS)).incident_id)
    case = opened("incident", incident.pk)
    status_acknowledge(model=owned, actor="token:a", gateway="eu-1", sequence=0)
    held = [
        retraining_check(model=owned, name=name, actor="token:a", rows=10, sources=[("model_decision", 10)])
        for name in ("autumn", "winter")
    ]
    asked = retraining_release_request(check_id=held[0].id, person=officer, reason="A sample was read.")
    OutboxMessage.objects.update(state="dead")
    token_issue(actor="operator:tests", name="there", scopes=["read"])
    _, link = person_invite(username="invited", name="", email="", actor="system:tests")
    key = Authenticator.objects.create(
        user=cast.steward, type=Authenticator.Type.WEBAUTHN, data={"name": "Key", "credential": {}}
    )
    silence = silence_set(model_id=owned.id, until=now + timedelta(hours=1), reason="Known.", person=officer)
    views = {each: view_save(person=officer, register=each, name="Mine", query="") for each in REGISTERS}
    return World(
        cast,
        stranger,
        {
            "slug": owned.slug,
            "key": "groups",
            "provider_id": "company",
            "token": link.rstrip("/").rpartition("/")[2],
            "pk": key.pk,
            "run_id": monitoring.latest_runs(world.id)["24h"].id,
            "finding_id": Finding.objects.filter(model_id=owned.id, acknowledged_at=None).latest("id").pk,
            "alert_id": Notification.objects.filter(person=officer).latest("id").pk,
            "restriction_id": Restriction.objects.get(model_id=owned.id, state="proposed").pk,
            "silence_id": silence.pk,
            "gateway_id": responses.gateways(owned.id)[0].id,
            "approval_id": asked.id,
            "check_id": held[1].id,
            "person_id": cast.auditor.pk,
            "role": "auditor",
            "name": "leave",
            "token_id": ApiToken.objects.get(name="there").pk,
            "message_id": OutboxMessage.objects.latest("id").pk,
            "incidents/number": incident.pk,
            "incidents/verb": "note",
            "incidents/evidence_id": Evidence.objects.filter(incident=incident).latest("id").pk,
            "incidents/view_id": views["incidents"].pk,
            "complaints/number": recorded(cast).pk,
            "complaints/verb": "examine",
            "complaints/view_id": views["complaints"].pk,
            "case_id": case.pk,
            "condition_id": 1,
            "upload_id": "00000000-0000-0000-0000-000000000000",
            "action_id": 1,
            "entry_id": max(each.id for each in entries()),
        },
    )


def tried(browser: Client, address: str) -> dict[str, Any]:
    """The answers to GET and POST; what they did is undone."""
    answers = {}
    for method in ("GET", "POST"):
        with transaction.atomic():
            answers[method] = browser.generic(method, address) if method == "GET" else browser.post(address, SENT)
            transaction.set_rollback(True)
    return answers


def is_shut(part: str, given: Any) -> bool:
    """Whether an answer lets nobody in: refused, or (for who is not signed in) led to sign in first."""
    led = part == ANONYMOUS and given.status_code == 302 and given["Location"].startswith("/sign-in/")
    return led or given.status_code in (401, 403, 404, 405)


def test_every_page_says_who_has_business_there() -> None:
    assert {route for route in routes() if not route.startswith(API)} == set(PAGES)


@pytest.mark.parametrize("part", STRANGERS)
def test_strangers_get_nowhere_and_do_nothing(there: World, part: str) -> None:
    let_in, done = [], []
    for route in routes():
        page = PAGES.get(route, Page(""))
        if part in page.open_to or route in API_OPEN:
            continue
        browser, address = there.browser(part), there.address(route)
        for method in ("GET", "POST"):
            before = entries().count()
            given = browser.get(address) if method == "GET" else browser.post(address, SENT)
            if not is_shut(part, given):
                let_in.append(f"{method} {address}: {given.status_code}")
            if entries().count() != before:
                done.append(f"{method} {address}")
    assert let_in == []
    assert done == []


def test_no_form_is_taken_without_the_token_of_its_page(there: World) -> None:
    """A form from another site, or of a session that is over: nobody is let through, who has business there neither."""
    taken, done = [], []
    for route, page in PAGES.items():
        browser = there.browser(page.rightful or "officer")
        browser.handler.enforce_csrf_checks = True
        before = entries().count()
        given = browser.post(there.address(route), SENT)
        if given.status_code not in (403, 404, 405):
            taken.append(f"{route}: {given.status_code}")
        if entries().count() != before:
            done.append(route)
    assert taken == []
    assert done == []


@pytest.mark.parametrize("part", STRANGERS)
def test_what_is_said_to_be_open_is_open(there: World, part: str) -> None:
    refused = []
    for route, page in PAGES.items():
        if part in page.open_to:
            answers = tried(there.browser(part), there.address(route))
            if all(given.status_code in (401, 403, 405) for given in answers.values()):
                refused.append(route)
    assert refused == []


def test_what_is_taken_away_as_a_file_is_in_the_log(there: World) -> None:
    """But for the log's own public key, with which nobody learns anything."""
    unsaid, files = [], 0
    for route, page in PAGES.items():
        if not page.rightful or route == "audit/key.pem":
            continue
        before = entries(action="export.taken").count() + entries(action="audit.exported").count()
        for method in ("get", "post"):
            given = getattr(there.browser(page.rightful), method)(
                there.address(route), SENT if method == "post" else {}
            )
            if given.status_code == 200 and "attachment" in given.get("Content-Disposition", ""):
                files += 1
                after = entries(action="export.taken").count() + entries(action="audit.exported").count()
                unsaid += [route] if after == before else []
    assert unsaid == []
    assert files >= 11


def test_who_has_business_there_gets_in(there: World) -> None:
    """So that the examples name what exists, and strangers are not refused for a typing error."""
    refused = []
    for route, page in PAGES.items():
        if not page.rightful:
            continue
        answers = tried(there.browser(page.rightful), there.address(route))
        states = {method: given.status_code for method, given in answers.items()}
        good = [state for state in states.values() if state in (200, 302)]
        if not good or max(states.values()) >= 500 or 403 in states.values():
            refused.append(f"{route}: {states}")
    assert refused == []
