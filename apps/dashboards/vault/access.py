"""Seeing attributes of named people: asking, what became of it, and the one look."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.confirmation import confirmed_at, requires_confirmation
from apps.accounts.permissions import may, requires
from apps.approvals import selectors as approvals
from apps.common.errors import Refused
from apps.dashboards.acting import done, person_of
from apps.dashboards.approvals.reading import page_of
from apps.dashboards.approvals.views import readable
from apps.dashboards.vault import reading
from apps.dashboards.words import Badge, attribute_name
from apps.vault import selectors, services
from apps.vault.selectors import AccessRow
from apps.vault.services import DisclosedSubject

_COOKIE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class AccessState:
    """What the person can do about an access now; `waits`: something is about to happen by itself."""

    status: Badge
    row: AccessRow | None
    own: bool
    may_open: bool
    may_look: bool
    may_end: bool
    waits: bool


@dataclass(frozen=True, slots=True)
class SeenPerson:
    """A named person as shown: attributes with their levels; `known` is false where the vault does not know them."""

    subject: str
    known: bool
    attributes: tuple[tuple[str, str], ...]
    received: datetime | None


@require_GET
@requires("vault.view")
def accesses(request: HttpRequest) -> HttpResponse:
    """Requests for access, newest first."""
    before = request.GET.get("before", "")
    before_id = int(before) if before.isdecimal() else None
    lines = reading.access_lines(request.user, reading.AT_ONCE, before_id=before_id)
    more = lines[-1].id if len(lines) == reading.AT_ONCE else None
    return render(request, "vault/accesses.html", {"lines": lines, "more": more})


@require_http_methods(["GET", "POST"])
@requires("access.request")
def ask(request: HttpRequest) -> HttpResponse:
    """Ask compliance for a look."""
    given = request.POST
    if request.method == "POST":
        hours = given.get("hours", "")
        try:
            asked = services.access_request(
                person=person_of(request),
                subjects=[line for line in given.get("subjects", "").splitlines() if line.strip()],
                legal_basis=given.get("legal_basis", ""),
                purpose=given.get("purpose", ""),
                hours=int(hours) if hours.isdecimal() and len(hours) < 4 else 0,
            )
        except Refused as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(request, "Asked. Compliance sees it in the inbox.")
            return redirect("vault-access", approval_id=asked.id)
    return render(request, "vault/ask.html", {"given": given, "bases": services.LEGAL_BASES.items()})


@require_GET
@requires("inbox.view")
def access(request: HttpRequest, approval_id: int) -> HttpResponse:
    """A request for access, and what became of it."""
    view = _readable(request, approval_id)
    found = _state(request, approval_id)
    return render(request, "vault/access.html", {"page": page_of(request.user, view), "state": found})


@require_GET
@requires("inbox.view")
def state(request: HttpRequest, approval_id: int) -> HttpResponse:
    """What can be done about it now."""
    view = _readable(request, approval_id)
    page, found = page_of(request.user, view), _state(request, approval_id)
    return render(request, "vault/_access.html", {"page": page, "state": found})


@require_POST
@requires("access.request")
@requires_confirmation
def open_values(request: HttpRequest, approval_id: int) -> HttpResponse:
    """Have the values opened, to be sealed to a key that from here on is in this browser alone."""
    _readable(request, approval_id)
    private, public = services.fresh_key_pair()
    answer = redirect("vault-access", approval_id=approval_id)
    asked = done(
        request,
        lambda: services.access_ask(
            approval_id=approval_id, person=person_of(request), public_key=public, confirmed_at=confirmed_at(request)
        ),
    )
    if asked:
        answer.set_cookie(
            _cookie(approval_id),
            urlsafe_b64encode(private).decode(),
            max_age=_COOKIE_SECONDS,
            path=reverse("vault-access", args=[approval_id]),
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Strict",
        )
    return answer


@require_POST
@requires("access.request")
@never_cache
def look(request: HttpRequest, approval_id: int) -> HttpResponse:
    """The values, in this one answer and never again."""
    view = _readable(request, approval_id)
    try:
        private = urlsafe_b64decode(request.COOKIES.get(_cookie(approval_id), ""))
        disclosed = services.access_show(approval_id=approval_id, person=person_of(request), private_key=private)
    except ValueError:
        return _refused(request, approval_id, "Only the browser in which you asked for the values can show them.")
    except Refused as refusal:
        return _refused(request, approval_id, refusal.message)
    people = [_seen(each) for each in disclosed]
    answer = render(request, "vault/look.html", {"people": people, "view": view})
    answer.delete_cookie(_cookie(approval_id), path=reverse("vault-access", args=[approval_id]), samesite="Strict")
    return answer


@require_POST
@requires("inbox.view")
def end(request: HttpRequest, approval_id: int) -> HttpResponse:
    """End an access before its time."""
    _readable(request, approval_id)
    reason = request.POST.get("reason", "")
    done(
        request,
        lambda: services.access_end(approval_id=approval_id, person=person_of(request), reason=reason),
        "Ended.",
    )
    return redirect("vault-access", approval_id=approval_id)


def _readable(request: HttpRequest, approval_id: int) -> approvals.ApprovalView:
    view = readable(request, approval_id)
    if view.kind != reading.ACCESS:
        raise Http404("There is no such request.")
    return view


def _state(request: HttpRequest, approval_id: int) -> AccessState:
    row, view = selectors.access(approval_id), approvals.approval(approval_id)
    if view is None:
        raise Http404("There is no such request.")
    own = row is not None and row.person_id == person_of(request).pk and may(request.user, "access.request")
    status = reading.access_status(view, row)
    shown = row.state if row and status.text != "time over" else ""
    return AccessState(
        status=status,
        row=row,
        own=own,
        may_open=own and shown == "granted",
        may_look=own and shown == "sealed" and _cookie(approval_id) in request.COOKIES,
        may_end=shown in ("granted", "asked", "sealed") and (own or may(request.user, "access.sign")),
        waits=own and shown == "asked",
    )


def _seen(each: DisclosedSubject) -> SeenPerson:
    levels = sorted((each.attributes or {}).items())
    return SeenPerson(
        subject=each.subject,
        known=each.attributes is not None,
        attributes=tuple((attribute_name(name), level) for name, level in levels),
        received=None if each.received is None else datetime.fromtimestamp(each.received / 1e6, UTC),
    )


def _cookie(approval_id: int) -> str:
    return f"access-{approval_id}"


def _refused(request: HttpRequest, approval_id: int, message: str) -> HttpResponse:
    messages.error(request, message)
    return redirect("vault-access", approval_id=approval_id)
