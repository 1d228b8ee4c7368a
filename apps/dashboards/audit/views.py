"""The audit log: what happened, whether the log can be relied on, and taking it away to check it elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.permissions import demand, may, requires
from apps.accounts.selectors import usernames
from apps.audit import exporting, selectors
from apps.audit.keys import head_file, public_key
from apps.audit.selectors import EntryView
from apps.audit.verification import verification_request
from apps.common import clock
from apps.common.errors import Refused
from apps.dashboards import selectors as dashboards
from apps.dashboards.acting import person_of
from apps.dashboards.audit import reading
from biasgov.audit.bundle import pem_of

MOST_EXPORTED = 10_000


@require_GET
@requires("audit.view")
def log(request: HttpRequest) -> HttpResponse:
    """The log, the latest first, narrowed as asked; its state on top."""
    scope = reading.scope_of(request.user)
    asked = reading.asked(request.GET.dict(), scope)
    before = request.GET.get("before", "")
    found = selectors.log_page(
        asked.wanted,
        before_id=int(before) if before.isdecimal() and len(before) < 19 else None,
        limit=reading.SHOWN_AT_ONCE + 1,
    )
    shown = found[: reading.SHOWN_AT_ONCE]
    context = {
        "asked": asked,
        "lines": reading.lines(shown),
        "older": shown[-1].id if len(found) > len(shown) else None,
        "is_first": not before,
        "kinds": reading.kinds(asked.typed["kind"]),
        "models": dashboards.specs_visible_to(request.user),
        "people": usernames(),
        "state": reading.state(),
        "scoped": scope is not None,
        "may_check": may(request.user, "audit.verify"),
    }
    return render(request, "audit/list.html", context)


@require_GET
@requires("audit.view")
def entry(request: HttpRequest, entry_id: int) -> HttpResponse:
    """One entry: what it says, and the proof that it stands in the signed log."""
    return render(request, "audit/entry.html", {"page": reading.page_of(_visible(request, entry_id))})


@require_POST
@requires("audit.view")
def entry_export(request: HttpRequest, entry_id: int) -> HttpResponseBase:
    """One entry with its proof, as a file."""
    found = _visible(request, entry_id)
    return _sent([found.id], f"entry {found.id}", request, f"audit-entry-{found.id}")


@require_POST
@requires("audit.view")
def export(request: HttpRequest) -> HttpResponseBase:
    """The whole log, or with its proofs what the filter leaves of it, as a file."""
    scope = reading.scope_of(request.user)
    asked = reading.asked(request.POST.dict(), scope)
    if request.POST.get("what") != "filtered":
        demand(request.user, "audit.view")
        try:
            return _attached(exporting.log_export(actor=person_of(request).actor), "audit-log")
        except Refused as refusal:
            messages.error(request, refusal.message)
            return redirect("audit")
    found = selectors.matching_ids(asked.wanted, limit=MOST_EXPORTED + 1)
    if len(found) > MOST_EXPORTED:
        messages.error(request, f"More than {MOST_EXPORTED:,} entries match: narrow the filter, or take the whole log.")
        return redirect("audit")
    return _sent(found, asked.words, request, "audit-part")


@require_POST
@requires("audit.verify")
def check(request: HttpRequest) -> HttpResponse:
    """Ask for a check of the whole log."""
    verification_request(actor=person_of(request).actor)
    messages.success(request, "The whole log is being checked. The result appears here.")
    return redirect("audit")


@require_GET
@requires("audit.view")
def key(request: HttpRequest) -> HttpResponse:
    """The public key, as PEM."""
    answer = HttpResponse(pem_of(public_key()), content_type="application/x-pem-file")
    answer["Content-Disposition"] = 'attachment; filename="audit-key.pem"'
    return answer


@require_GET
@requires("audit.view")
def tree_heads(request: HttpRequest) -> HttpResponseBase:
    """The file of signed tree heads as it is."""
    try:
        file = head_file().path.open("rb")
    except FileNotFoundError:
        raise Http404("No head was signed yet.") from None
    return FileResponse(file, as_attachment=True, filename="tree-heads.jsonl", content_type="application/x-ndjson")


def _visible(request: HttpRequest, entry_id: int) -> EntryView:
    found = selectors.log_entry(entry_id, within=reading.scope_of(request.user)) if entry_id < 2**63 else None
    if found is None:
        raise Http404("There is no such entry.")
    return found


def _sent(entry_ids: list[int], what: str, request: HttpRequest, name: str) -> HttpResponseBase:
    try:
        lines = exporting.part_export(entry_ids=entry_ids, actor=person_of(request).actor, what=what)
    except Refused as refusal:
        messages.error(request, refusal.message)
        return redirect("audit")
    return _attached(lines, name)


def _attached(lines: Iterable[bytes], name: str) -> HttpResponseBase:
    answer = StreamingHttpResponse(lines, content_type="application/x-ndjson")
    moment = slugify(f"{clock.now():%Y-%m-%d-%H%M}")
    answer["Content-Disposition"] = f'attachment; filename="{name}-{moment}.jsonl"'
    return answer
