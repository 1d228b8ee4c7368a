"""Requests for signature: read, sign, reject, take back, remark."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.confirmation import confirmed_at, requires_confirmation
from apps.accounts.permissions import requires
from apps.approvals import selectors, services
from apps.approvals.selectors import ApprovalView
from apps.dashboards.acting import done, person_of
from apps.dashboards.approvals import reading

if TYPE_CHECKING:
    from apps.accounts.models import User


@require_GET
@requires("inbox.view")
def approvals(request: HttpRequest) -> HttpResponse:
    """The requests that this person may read, those that wait for signatures or all."""
    open_only = request.GET.get("show") != "all"
    before = request.GET.get("before", "")
    lines = reading.list_of(request.user, open_only=open_only, before_id=int(before) if before.isdecimal() else None)
    more = lines[-1].id if len(lines) == reading.SHOWN_AT_ONCE else None
    return render(request, "approvals/list.html", {"lines": lines, "open_only": open_only, "more": more})


@require_GET
@requires("inbox.view")
def approval(request: HttpRequest, approval_id: int) -> HttpResponse:
    """A request; one of a kind with a page of its own is shown there."""
    view = readable(request, approval_id)
    if view.kind in reading.PAGES:
        return redirect(reading.url_of(view))
    return render(request, "approvals/page.html", {"page": reading.page_of(request.user, view)})


@require_http_methods(["GET", "POST"])
@requires("inbox.view")
@requires_confirmation
def sign(request: HttpRequest, approval_id: int) -> HttpResponse:
    """What exactly is signed, and by whom; then the signature."""
    view = readable(request, approval_id)
    if request.method == "POST":
        signed = done(
            request,
            lambda: services.approval_sign(
                approval_id=approval_id,
                person=person_of(request),
                digest=request.POST.get("digest", ""),
                confirmed_at=confirmed_at(request),
            ),
            "Signed in your name.",
        )
        return redirect(reading.url_of(view)) if signed else redirect("approval-sign", approval_id=approval_id)
    page = reading.page_of(request.user, view)
    if not page.may_sign:
        messages.error(request, "There is no signature here that you could give.")
        return redirect(reading.url_of(view))
    return render(request, "approvals/sign.html", {"page": page, "url": reading.url_of(view)})


@require_POST
@requires("inbox.view")
def reject(request: HttpRequest, approval_id: int) -> HttpResponse:
    """Refuse a request with reasons."""
    reason = request.POST.get("reason", "")
    return _then_back(
        request,
        approval_id,
        lambda person: services.approval_reject(approval_id=approval_id, person=person, reason=reason),
        "Rejected in your name.",
    )


@require_POST
@requires("inbox.view")
def submit(request: HttpRequest, approval_id: int) -> HttpResponse:
    """Ask for the signatures of one's own draft."""
    return _then_back(
        request,
        approval_id,
        lambda person: services.approval_submit(approval_id=approval_id, person=person),
        "Submitted. Those who may sign see it in their inbox.",
    )


@require_POST
@requires("inbox.view")
def withdraw(request: HttpRequest, approval_id: int) -> HttpResponse:
    """Take one's own request back."""
    return _then_back(
        request,
        approval_id,
        lambda person: services.approval_withdraw(approval_id=approval_id, person=person),
        "Withdrawn.",
    )


@require_POST
@requires("inbox.view")
def remark(request: HttpRequest, approval_id: int) -> HttpResponse:
    """Add to the discussion."""
    text = request.POST.get("text", "")
    return _then_back(
        request,
        approval_id,
        lambda person: services.approval_remark(approval_id=approval_id, person=person, text=text),
        "Your remark is there.",
    )


def readable(request: HttpRequest, approval_id: int) -> ApprovalView:
    """The request, for who may read it; for others it does not exist. Raises Http404."""
    view = selectors.approval(approval_id)
    if view is None or not selectors.may_read(person_of(request), view):
        raise Http404("There is no such request.")
    return view


def _then_back(request: HttpRequest, approval_id: int, verb: Callable[[User], Any], said: str) -> HttpResponse:
    view = readable(request, approval_id)
    done(request, lambda: verb(person_of(request)), said)
    return redirect(reading.url_of(view))
