"""Assessments before release: importing one, and reading what was found."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts.permissions import demand, may, requires
from apps.common.errors import Refused
from apps.dashboards.acting import person_of
from apps.dashboards.thresholds.words import bound_words
from apps.registry import selectors as registry
from apps.thresholds import selectors as thresholds
from apps.thresholds import services
from apps.thresholds.selectors import LARGEST_ASSESSMENT

VIEW, PROPOSE = "threshold.view", "threshold.propose"


@require_http_methods(["GET", "POST"])
@requires(VIEW)
def assessments(request: HttpRequest, slug: str) -> HttpResponse:
    """A model's assessments; whoever may propose thresholds may import another one."""
    spec = registry.current_spec(slug)
    if spec is None:
        raise Http404("There is no such model.")
    demand(request.user, VIEW, spec)
    status, error = 200, None
    if request.method == "POST":
        demand(request.user, PROPOSE, spec)
        try:
            row = services.assessment_import(model_id=spec.id, body=_uploaded(request), person=person_of(request))
        except Refused as refusal:
            status, error = 422, refusal
        else:
            messages.success(request, f"Assessment {row.assessed.reference} is imported. It is never changed.")
            return redirect("threshold-assessment", assessment_id=row.id)
    context = {
        "spec": spec,
        "rows": thresholds.assessments_of(spec.id)[:50],
        "may_import": may(request.user, PROPOSE, spec),
        "error": error,
        "largest": LARGEST_ASSESSMENT // 1024,
    }
    return render(request, "thresholds/assessments.html", context, status=status)


@require_GET
@requires(VIEW)
def assessment(request: HttpRequest, assessment_id: int) -> HttpResponse:
    """What an assessment found, and which bounds follow from it."""
    row = thresholds.assessment(assessment_id)
    if row is None:
        raise Http404("There is no such assessment.")
    demand(request.user, VIEW, row.model_id)
    context = {
        "row": row,
        "spec": registry.model_spec_by_id(row.model_id),
        "bounds": [(metric, bound_words(bound)) for metric, bound in row.assessed.bounds.items()],
        "may_propose": may(request.user, PROPOSE, row.model_id),
    }
    return render(request, "thresholds/assessment.html", context)


def _uploaded(request: HttpRequest) -> bytes:
    """The file, no more than one byte beyond what is read. Raises Refused without one."""
    file = request.FILES.get("file")
    if file is None:
        raise Refused("file", "Choose a file, JSON or YAML.")
    return bytes(file.read(LARGEST_ASSESSMENT + 1))
