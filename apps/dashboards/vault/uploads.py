"""Files of attributes by page: begun, sent, followed, taken back."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.permissions import demand, requires
from apps.common.errors import Refused
from apps.dashboards.acting import person_of
from apps.dashboards.vault import reading
from apps.dashboards.vault.intake import Intake, intake
from apps.vault import selectors
from apps.vault.selectors import UploadRow
from apps.vault.services import Receiving, upload_begin, upload_withdraw


@require_http_methods(["GET", "POST"])
@requires("vault.view")
def uploads(request: HttpRequest) -> HttpResponse:
    """Every upload, newest first; posting begins one."""
    if request.method == "POST":
        return _begin(request)
    lines = reading.upload_lines(reading.AT_ONCE, before=_moment(request.GET.get("before", "")))
    more = lines[-1].at if len(lines) == reading.AT_ONCE else None
    return render(request, "vault/uploads.html", {"lines": lines, "more": more})


@require_GET
@requires("vault.view")
def recent(request: HttpRequest) -> HttpResponse:
    """The newest uploads, for as long as something happens to one of them."""
    lines = reading.upload_lines(reading.SHOWN)
    return render(request, "vault/_uploads.html", {"lines": lines, "moving": any(line.moving for line in lines)})


@require_GET
@requires("vault.view")
def upload(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """One upload: its state, and the form for its file while it is being received."""
    row = _found(upload_id)
    own = row.actor == person_of(request).actor and row.state == "receiving"
    return render(request, "vault/upload.html", {"line": reading.upload_line(row), "row": row, "own": own})


@require_GET
@requires("vault.view")
def progress(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """How far it is."""
    return render(request, "vault/_progress.html", {"line": reading.upload_line(_found(upload_id))})


@csrf_exempt
@require_POST
@requires("vault.upload")
def receive(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Take the file. What arrives before the form is known to be ours is sealed, and only the form makes it count."""
    try:
        receiving = Receiving(upload_id=upload_id, actor=person_of(request).actor)
    except Refused as refused:
        if refused.code == "not_found":
            raise Http404("There is no such upload.") from None
        messages.error(request, refused.message)
        return redirect("vault-upload", upload_id=upload_id)
    return _received(request, upload_id, intake(request, receiving))


@csrf_protect
def _received(request: HttpRequest, upload_id: UUID, handler: Intake) -> HttpResponse:
    try:
        if handler.refused is None and "complete" not in request.POST:
            raise Refused("File", "did not arrive to its end. Send it again: what is here is not sealed twice.")
        handler.end()
    except Refused as refused:
        messages.error(request, f"{refused.field}: {refused.message}")
    else:
        messages.success(request, "The file is sealed. The compute side stores it now; you may leave this page.")
    return redirect("vault-upload", upload_id=upload_id)


@require_POST
@requires("vault.upload")
def withdraw(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Take back what was not received to its end."""
    try:
        upload_withdraw(upload_id=upload_id, actor=person_of(request).actor)
    except Refused as refused:
        if refused.code == "not_found":
            raise Http404("There is no such upload.") from None
        messages.error(request, f"The upload {refused.message}")
    else:
        messages.success(request, "Taken back. Nothing of it is left.")
    return redirect("vault-upload", upload_id=upload_id)


def _begin(request: HttpRequest) -> HttpResponse:
    demand(request.user, "vault.upload")
    try:
        begun = upload_begin(actor=person_of(request).actor, form=request.POST.get("form", ""))
    except Refused as refused:
        messages.error(request, refused.message)
        return redirect("vault")
    return redirect("vault-upload", upload_id=begun)


def _found(upload_id: UUID) -> UploadRow:
    row = selectors.upload(str(upload_id))
    if row is None:
        raise Http404("There is no such upload.")
    return row


def _moment(said: str) -> datetime | None:
    try:
        found = parse_datetime(said)
    except ValueError:
        return None
    return found if found and found.tzinfo else None
