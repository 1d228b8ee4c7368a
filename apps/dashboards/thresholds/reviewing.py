"""The calibration review: record that the thresholds were looked at and stay, and remind those who have to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.accounts.permissions import models_within, requires
from apps.common import clock
from apps.common.errors import Refused
from apps.dashboards.acting import person_of
from apps.dashboards.thresholds.proposal import default_review
from apps.dashboards.thresholds.proposing import PROPOSE, proposable
from apps.dashboards.waiting import Provider, Task
from apps.dashboards.words import Badge
from apps.incidents import selectors as incidents
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses
from apps.thresholds import selectors as thresholds
from apps.thresholds import services
from apps.thresholds.selectors import DueReview, NoPolicy

REMINDED_BEFORE = timedelta(days=30)
LOOKED_BACK = timedelta(days=365)


@require_http_methods(["GET", "POST"])
@requires(PROPOSE)
def review(request: HttpRequest, slug: str) -> HttpResponse:
    """Record that the thresholds in force stay, and ask for the signature under it."""
    spec = proposable(request, slug)
    try:
        policy = thresholds.policy_in_force(spec.id, clock.now())
    except NoPolicy:
        raise Http404("The model has no thresholds yet.") from None
    evidence = _evidence(spec)
    sent = {
        "assessment_reference": policy.assessment_reference,
        "next_due": default_review().isoformat(),
        "reason": "",
    } | {name: value for name, value in request.POST.dict().items() if isinstance(value, str)}
    context = {"spec": spec, "policy": policy, "evidence": evidence, "sent": sent}
    if request.method == "GET":
        return render(request, "thresholds/review.html", context)
    person = person_of(request)
    try:
        view = services.review_draft(
            model_id=spec.id,
            next_due=_date(sent["next_due"]),
            assessment_reference=sent["assessment_reference"],
            evidence=evidence,
            reason=sent["reason"],
            person=person,
        )
        services.review_submit(approval_id=view.id, person=person)
    except Refused as refusal:
        return render(request, "thresholds/review.html", context | {"error": refusal}, status=422)
    messages.success(request, "Asked. Compliance sees it in the inbox.")
    return redirect("approval", approval_id=view.id)


def _evidence(spec: ModelSpec) -> dict[str, Any]:
    """The figures that a review looks at."""
    now = clock.now()
    since = now - LOOKED_BACK
    opened = [each for each in responses.findings_of(spec.id) if each.opened_as_of >= since]
    return {
        "looked_back_days": LOOKED_BACK.days,
        "alerts": len(opened),
        "alerts_of_high_or_critical_severity": sum(each.severity in ("high", "critical") for each in opened),
        "complaints": incidents.complaints_since(spec.id, since),
    }


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise Refused("next_due", f"{text[:40]!r} is no date; write it as 2027-05-20.") from None


def _to_review(user: Any, specs: Sequence[ModelSpec], limit: int) -> list[Task]:
    names = {spec.id: spec for spec in specs}
    due = thresholds.reviews_due(_answered_for(user), before=_soon(), limit=limit)
    return [_task(each, names[each.model_id]) for each in due if each.model_id in names]


def _count(user: Any, most: int | None) -> int:
    within = _answered_for(user)
    return thresholds.reviews_due_count(within, before=_soon(), most=most) if within is None or within else 0


def _answered_for(user: Any) -> frozenset[int] | None:
    return models_within(user, PROPOSE)


def _soon() -> date:
    return (clock.now() + REMINDED_BEFORE).date()


def _task(due: DueReview, spec: ModelSpec) -> Task:
    overdue = due.due <= clock.now().date()
    emergency = due.way == "emergency"
    return Task(
        kind="Review",
        text=f"{'Emergency version' if emergency else 'Thresholds of version'} {due.version}: calibration review",
        about=spec.name,
        url=reverse("threshold-review", args=[spec.slug]),
        since=clock.now(),
        status=Badge("breach", "due") if overdue else Badge("inconclusive", "soon"),
        due=datetime.combine(due.due, time(), UTC),
    )


TO_REVIEW = Provider(_to_review, _count)
"""Versions in force whose calibration review falls due within a month."""
