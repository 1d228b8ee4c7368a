"""Proposing a change of thresholds: write it, wait for its back-test, submit it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.permissions import demand, requires
from apps.approvals.selectors import ApprovalView
from apps.common.errors import Refused
from apps.dashboards.acting import done, person_of
from apps.dashboards.approvals.views import readable
from apps.dashboards.taken import taken
from apps.dashboards.thresholds.forms import ProposalForm, draft_of, form_of, form_sent
from apps.dashboards.thresholds.proposal import default_review, proposal_page
from apps.dashboards.thresholds.sentences import title_of
from apps.dashboards.thresholds.views import csv_of
from apps.registry import selectors as registry
from apps.registry.spec import ModelSpec
from apps.thresholds import selectors as thresholds
from apps.thresholds import services
from apps.thresholds.citations import basis_of
from apps.thresholds.selectors import AssessmentRow, Draft, NoPolicy, PolicyInForce
from biasgov.fairness.policy import PRESETS, Policy
from biasgov.fairness.policy_changes import UNCHANGED, compare, effect_of

PROPOSE = "threshold.propose"


@require_http_methods(["GET", "POST"])
@requires(PROPOSE)
def propose(request: HttpRequest, slug: str) -> HttpResponse:
    """Write a proposal for the version after the newest one."""
    spec = proposable(request, slug)
    base = _base(spec)
    source = _source(request, spec)
    if request.method == "GET":
        return _form(request, spec, base, form_of(_start(base, spec, request.GET.get("preset", ""), source)), source)
    form = form_sent(request.POST)
    try:
        draft = draft_of(form)
        title = form.value("title").strip() or _title(base.policy, draft.policy, spec)
        view = services.proposal_draft(
            model_id=spec.id, draft=draft, reason=form.value("reason"), title=title, person=person_of(request)
        )
    except Refused as refusal:
        return _form(request, spec, base, form.refused(refusal), source, status=422)
    return redirect("threshold-proposal", approval_id=view.id)


@require_http_methods(["GET", "POST"])
@requires(PROPOSE)
def edit(request: HttpRequest, approval_id: int) -> HttpResponse:
    """Put another text in the place of one's own draft's."""
    view = _change(request, approval_id)
    if view.requester_id != person_of(request).pk or view.state != "draft":
        messages.error(request, "Only who wrote a draft may change it, until it is submitted.")
        return redirect("threshold-proposal", approval_id=approval_id)
    proposal = thresholds.proposal_of(view.content)
    spec = proposable(request, view.model_slug)
    base = _base(spec)
    if request.method == "GET":
        form = form_of(proposal.draft, reason=view.reason, title=view.title)
        return _form(request, spec, base, form, None, view=view)
    form = form_sent(request.POST)
    try:
        draft = draft_of(form)
        title = form.value("title").strip() or _title(base.policy, draft.policy, spec)
        services.proposal_change(
            approval_id=approval_id, draft=draft, reason=form.value("reason"), title=title, person=person_of(request)
        )
    except Refused as refusal:
        return _form(request, spec, base, form.refused(refusal), None, view=view, status=422)
    return redirect("threshold-proposal", approval_id=approval_id)


@require_GET
@requires("inbox.view")
def proposal(request: HttpRequest, approval_id: int) -> HttpResponse:
    """A proposal for whoever may read it. While its back-test is waited for, its panel asks again by itself."""
    line = request.GET.get("line", "")
    page = proposal_page(
        request.user, _change(request, approval_id), line=int(line) if line.isdecimal() and len(line) < 4 else 0
    )
    if request.headers.get("HX-Request"):
        if not page.waiting:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "thresholds/_backtest.html", {"shown": page})
    return render(request, "thresholds/proposal.html", {"shown": page})


@require_POST
@requires(PROPOSE)
def submit(request: HttpRequest, approval_id: int) -> HttpResponse:
    """Ask for the signatures, with what the back-test found."""
    _change(request, approval_id)
    done(
        request,
        lambda: services.proposal_submit(approval_id=approval_id, person=person_of(request)),
        "Submitted. Those who may sign see it in their inbox.",
    )
    return redirect("threshold-proposal", approval_id=approval_id)


@require_POST
@requires(PROPOSE)
def repeat(request: HttpRequest, approval_id: int) -> HttpResponse:
    """Have the back-test of one's own draft computed again."""
    view = _change(request, approval_id)
    if view.requester_id != person_of(request).pk:
        raise Http404("There is no such draft of yours.")
    digest = thresholds.proposal_of(view.content).text_digest
    if services.backtest_repeat(approval_id=approval_id, digest=digest):
        messages.success(request, "It is computed again.")
    return redirect("threshold-proposal", approval_id=approval_id)


@require_GET
@requires("inbox.view")
def backtest_csv(request: HttpRequest, approval_id: int) -> HttpResponse:
    """The line that the back-test's chart shows, day by day."""
    line = request.GET.get("line", "")
    page = proposal_page(
        request.user, _change(request, approval_id), line=int(line) if line.isdecimal() and len(line) < 4 else 0
    )
    if page.backtest is None or page.backtest.chart is None:
        raise Http404("This proposal has no such table.")
    taken(request, "the back-test", subject=f"approval:{approval_id}", model=page.page.view.model_slug)
    return csv_of(page.backtest.chart.table.csv(), f"back-test-{approval_id}")


def proposable(request: HttpRequest, slug: str) -> ModelSpec:
    """The model, for who may propose its thresholds. Raises Http404 or PermissionDenied."""
    spec = registry.current_spec(slug)
    if spec is None:
        raise Http404("There is no such model.")
    demand(request.user, PROPOSE, spec)
    return spec


def _base(spec: ModelSpec) -> PolicyInForce:
    try:
        return thresholds.newest_version(spec.id)
    except NoPolicy:
        raise Http404("The model has no thresholds yet; they come with its registration.") from None


def _change(request: HttpRequest, approval_id: int) -> ApprovalView:
    view = readable(request, approval_id)
    if view.kind != thresholds.CHANGE:
        raise Http404("There is no such proposal.")
    return view


def _source(request: HttpRequest, spec: ModelSpec) -> AssessmentRow | None:
    """The imported assessment that the form starts from."""
    asked = request.GET.get("assessment", "")
    found = thresholds.assessment(int(asked)) if asked.isdecimal() and len(asked) < 12 else None
    return found if found is not None and found.model_id == spec.id else None


def _start(base: PolicyInForce, spec: ModelSpec, preset: str, source: AssessmentRow | None) -> Draft:
    """The newest version as a draft, under the bounds of a preset or of an assessment where one is chosen."""
    draft = Draft(
        policy=base.policy,
        limits=base.limits,
        assessment_reference=base.assessment_reference,
        legal_basis=base.legal_basis,
        effective_from=None,
        review_due=default_review(),
    )
    if preset in PRESETS:
        bounds, basis = PRESETS[preset].bounds, basis_of(preset)
        draft = replace(draft, policy=replace(base.policy, bounds=bounds), legal_basis=basis)
    if source is not None:
        bounds = {**base.policy.bounds, **source.assessed.bounds}
        draft = replace(
            draft,
            policy=replace(base.policy, bounds=bounds),
            assessment_reference=source.assessed.reference,
        )
    return draft


def _form(
    request: HttpRequest,
    spec: ModelSpec,
    base: PolicyInForce,
    form: ProposalForm,
    source: AssessmentRow | None,
    *,
    view: ApprovalView | None = None,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "spec": spec,
        "base": base,
        "form": form,
        "source": source,
        "view": view,
        "presets": sorted(PRESETS),
        "assessments": thresholds.assessments_of(spec.id)[:20],
    }
    return render(request, "thresholds/propose.html", context, status=status)


def _title(before: Policy, after: Policy, spec: ModelSpec) -> str:
    changes = compare([before], after)
    moved = list(dict.fromkeys(each.metric or "" for each in changes if each.effect != UNCHANGED))
    return title_of(effect_of(changes), moved if all(moved) else [], spec.name)
