"""The side bar: which pages this person may open, and what waits for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from apps.accounts.permissions import may_somewhere, roles_of
from apps.accounts.roles import ROLES
from apps.dashboards.providers import PROVIDERS
from apps.dashboards.waiting import waiting_count


@dataclass(frozen=True, slots=True)
class Item:
    title: str
    url: str
    current: bool
    waiting: str


@dataclass(frozen=True, slots=True)
class Navigation:
    """`items` are the pages that exist and that the person may open."""

    items: tuple[Item, ...]
    person: str
    role: str


COUNTED_AT_MOST = 99
"""Every page counts what waits: beyond this the side bar says `99+`, and the Inbox how many."""

_ABOUT_PEOPLE = tuple(f"person-{name}" for name in ("invite", "link", "grant", "revoke", "own", "disown", "act"))
_PAGES = (
    ("Inbox", "inbox", "inbox.view", ("inbox", "approvals", "approval", "approval-sign", "notifications")),
    ("Models", "models", "model.view", ("models", "model", "run")),
    (
        "Thresholds",
        "thresholds",
        "threshold.view",
        (
            "thresholds",
            "threshold-version",
            "threshold-proposal",
            "threshold-edit",
            "threshold-propose",
            "threshold-review",
            "threshold-assessments",
            "threshold-assessment",
        ),
    ),
    (
        "Incidents",
        "incidents",
        "incident.view",
        (
            "incidents",
            "incident",
            "incident-new",
            "incident-edit",
            "complaints",
            "complaint",
            "complaint-new",
            "restrictions",
        ),
    ),
    ("Training sets", "retraining", "model.view", ("retraining", "retraining-check")),
    ("Board", "board", "board.view", ("board", "case", "case-vote", "case-minutes")),
    (
        "Vault",
        "vault",
        "vault.view",
        (
            "vault",
            "vault-uploads",
            "vault-upload",
            "vault-reads",
            "vault-erasures",
            "vault-accesses",
            "vault-access",
            "vault-access-look",
            "vault-access-new",
        ),
    ),
    ("Reports", "reports", "coverage.view", ("reports",)),
    ("Audit", "audit", "audit.view", ("audit", "audit-entry")),
    ("Health", "health", "health.view", ("health", "deliveries")),
    (
        "People",
        "people",
        "person.manage",
        ("people", "person", *_ABOUT_PEOPLE, "tokens", "token-issue", "token-revoke"),
    ),
)


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Evaluated only by templates that show the side bar; answers to API calls and fragments cost nothing."""
    return {"navigation": SimpleLazyObject(lambda: _navigation(request))}


def _navigation(request: HttpRequest) -> Navigation:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return Navigation((), "", "")
    here = request.resolver_match.url_name if request.resolver_match else ""
    items = tuple(
        Item(
            title,
            reverse(name),
            here in pages,
            _waiting(request) if name == "inbox" else "",
        )
        for title, name, verb, pages in _PAGES
        if may_somewhere(user, verb)
    )
    titles = [title for role, title in ROLES.items() if role in roles_of(user)]
    return Navigation(items, user.display_name, ", ".join(titles) or "no role yet")


def _waiting(request: HttpRequest) -> str:
    """How many things wait for the person, "" for none; the Inbox has counted them already."""
    number: int | None = getattr(request, "things_waiting", None)
    if number is None:
        number = waiting_count(request.user, PROVIDERS, most=COUNTED_AT_MOST + 1)
    return f"{COUNTED_AT_MOST}+" if number > COUNTED_AT_MOST else str(number or "")
