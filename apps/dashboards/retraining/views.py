"""Training sets that were checked, and asking for the release of one that is held."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.permissions import demand, may, requires
from apps.approvals import selectors as approvals
from apps.common.errors import Refused
from apps.dashboards import selectors as dashboards
from apps.dashboards.acting import person_of
from apps.dashboards.approvals.reading import line_of, url_of
from apps.dashboards.words import Badge
from apps.retraining import selectors, services
from apps.retraining.selectors import CheckRow

SHOWN_AT_ONCE = 50
BADGES = {
    "allowed": Badge("within", "may be used"),
    "held": Badge("breach", "held"),
    "released": Badge("within", "released by people"),
}
SOURCES = {
    "observed_outcome": "an outcome that was observed",
    "human_review": "people who looked at the case",
    "external": "a source outside",
    "model_decision": "a model's own decision",
    "unknown": "nobody knows",
}


@require_GET
@requires("model.view")
def checks(request: HttpRequest) -> HttpResponse:
    """The training sets of the models that this person may see, newest first."""
    before = request.GET.get("before", "")
    found = selectors.checks(
        [spec.id for spec in dashboards.specs_visible_to(request.user)],
        limit=SHOWN_AT_ONCE,
        before_id=int(before) if before.isdecimal() else None,
    )
    context = {
        "lines": [(each, BADGES[each.state]) for each in found],
        "more": found[-1].id if len(found) == SHOWN_AT_ONCE else None,
    }
    return render(request, "retraining/list.html", context)


@require_GET
@requires("model.view")
def check(request: HttpRequest, check_id: int) -> HttpResponse:
    """One training set: what was found, and how it is released."""
    found = _visible(request, check_id)
    asked = approvals.approvals(kind=services.RELEASE, subject=found.subject, limit=10)
    context = {
        "check": found,
        "status": BADGES[found.state],
        "sources": [(SOURCES[source], rows) for source, rows in found.manifest["sources"].items()],
        "requests": [line_of(each) for each in asked],
        "may_ask": found.state == "held"
        and may(request.user, "remediation.plan", found.model_id)
        and not any(each.is_open for each in asked),
    }
    return render(request, "retraining/page.html", context)


@require_POST
@requires("remediation.plan")
def release(request: HttpRequest, check_id: int) -> HttpResponse:
    """Ask for the release of a held training set."""
    found = _visible(request, check_id)
    try:
        asked = services.retraining_release_request(
            check_id=found.id, person=person_of(request), reason=request.POST.get("reason", "")
        )
    except Refused as refusal:
        messages.error(request, refusal.message)
        return redirect("retraining-check", check_id=check_id)
    messages.success(request, "Asked. Compliance sees it in the inbox.")
    return redirect(url_of(asked))


def _visible(request: HttpRequest, check_id: int) -> CheckRow:
    found = selectors.check(check_id)
    if found is None:
        raise Http404("There is no such training set.")
    demand(request.user, "model.view", found.model_id)
    return found
