"""The pages: fetch, permit, render."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.permissions import demand, may_somewhere, requires
from apps.accounts.selectors import names_by_username
from apps.common import clock
from apps.dashboards import recomputing, selectors
from apps.dashboards.acting import done, person_of
from apps.dashboards.early import early_sentences
from apps.dashboards.groups import GroupTable
from apps.dashboards.health import health_page, objectives, silent
from apps.dashboards.outputs import judged_rows, outputs_table, retraining_reviews, run_summary
from apps.dashboards.panels import switches
from apps.dashboards.portfolio import FILTERS
from apps.dashboards.providers import PROVIDERS
from apps.dashboards.responses.reading import ladder, response_panel
from apps.dashboards.tables import Table
from apps.dashboards.taken import taken
from apps.dashboards.tasks import Portfolio, finding_rows, greeting
from apps.dashboards.topics import Choice, choose
from apps.dashboards.waiting import waiting
from apps.monitoring import selectors as monitoring
from apps.monitoring import services as monitoring_services
from apps.monitoring.selectors import RunRow
from apps.registry import selectors as registry
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses_read
from apps.responses import services as responses

ALERTS_AT_MOST = 5


@require_GET
@requires("inbox.view")
def inbox(request: HttpRequest) -> HttpResponse:
    """What waits for this person, and the models that they may see."""
    sees_models = may_somewhere(request.user, "model.view")
    specs = selectors.specs_visible_to(request.user)
    context: dict[str, Any] = {"portfolio": _portfolio(request, "inbox", specs) if sees_models else None}
    if _fragment(request, "portfolio") and sees_models:
        return render(request, "dashboards/_portfolio.html", context)
    waits = waiting(request.user, specs, PROVIDERS)
    request.things_waiting = waits.total  # type: ignore[attr-defined]  # the side bar says the same number
    context |= {"greeting": greeting(request.user), "waiting": waits}
    context["alerts"] = responses_read.notifications(request.user, unread_only=True)[:ALERTS_AT_MOST]
    if may_somewhere(request.user, "health.view"):
        context |= {"objectives": objectives(specs), "silent": silent()}
    return render(request, "dashboards/inbox.html", context)


@require_GET
@requires("model.view")
def models(request: HttpRequest) -> HttpResponse:
    """The models that this person may see."""
    specs = selectors.specs_visible_to(request.user)
    template = "dashboards/_portfolio.html" if _fragment(request, "portfolio") else "dashboards/models.html"
    return render(request, template, {"portfolio": _portfolio(request, "models", specs)})


@require_GET
@requires("model.view")
def model(request: HttpRequest, slug: str) -> HttpResponse:
    """One model under the chosen window, attribute and metric; HTMX gets the panel alone."""
    spec = _visible_model(request, slug)
    fragment = _fragment(request, "panel")
    head = None if fragment else selectors.model_head(spec)
    choice = _choice(request, spec, head.worst if head else {})
    page = selectors.model_page(spec, choice)
    context: dict[str, Any] = {
        "spec": spec,
        "choice_query": choice.query(),
        "switches": switches(spec, choice),
        "panel": page.panel,
        "events": page.events,
        "earlier": page.earlier,
        "longer": page.longer,
        "confidence": page.confidence,
    }
    if head is None:
        return render(request, "dashboards/_panel.html", context)
    plan = responses_read.plan_of(spec.id, clock.now())
    response = response_panel(request.user, spec, head.findings, plan)
    context |= {
        "head": head,
        "owner": names_by_username([spec.owner]).get(spec.owner, spec.owner),
        "response": response,
        "ladder": ladder(head.findings, response, plan),
        "may_retire": may_somewhere(request.user, "restriction.confirm"),
        **finding_rows(request.user, spec, head.findings),
    }
    return render(request, "dashboards/model.html", context)


@require_GET
@requires("model.view")
def model_table(request: HttpRequest, slug: str, key: str) -> HttpResponse:
    """A table behind a model page's chart, as CSV."""
    spec = _visible_model(request, slug)
    choice = _choice(request, spec)
    panel = selectors.model_page(spec, choice, whole=True).panel
    tables = {each.table.key: each.table for each in _tabled(panel)} if panel else {}
    if key not in tables:
        raise Http404("This page has no such table.")
    taken(request, f"the table {key} ({choice.window})", subject=f"model:{spec.slug}")
    return _csv(tables[key], f"{spec.slug}-{key}-{choice.window}")


@require_GET
@requires("run.view")
def run(request: HttpRequest, run_id: int) -> HttpResponse:
    """One run: where it comes from, what came out, and how it compares with the bounds."""
    row, spec = _visible_run(request, run_id)
    document = monitoring.run_documents([run_id])[run_id]
    context = {
        "run": row,
        "spec": spec,
        "policy": document["policy"],
        "versions": ", ".join(f"{name} ({n:,} decisions)" for name, n in document["versions"].items()),
        "summary": run_summary(document["results"]),
        "notices": (
            *early_sentences(document, spec.words),
            *retraining_reviews(document["results"], spec.words),
        ),
        "judged": judged_rows(document["results"]),
        "outputs": outputs_table(document["results"]),
        "revisions": monitoring.revisions(run_id),
        "again": recomputing.panel_of(request.user, row, spec),
    }
    return render(request, "dashboards/run.html", context)


@require_GET
@requires("run.view")
def run_recomputed(request: HttpRequest, run_id: int) -> HttpResponse:
    """What came of computing the run again, for a page that waits for it."""
    row, spec = _visible_run(request, run_id)
    context = {"run": row, "again": recomputing.panel_of(request.user, row, spec)}
    return render(request, "dashboards/_recompute.html", context)


@require_POST
@requires("run.recompute")
def run_recompute(request: HttpRequest, run_id: int) -> HttpResponse:
    """Have the run computed again by the compute side, and compared."""
    _visible_run(request, run_id)
    done(
        request,
        lambda: monitoring_services.recomputation_ask(run_id=run_id, person=person_of(request)),
        "Asked, in your name. The compute side takes it up within seconds.",
    )
    return redirect(f"{reverse('run', args=[run_id])}#recompute")


@require_GET
@requires("run.view")
def run_evidence(request: HttpRequest, run_id: int) -> HttpResponse:
    """The run as JSON: the document with small groups suppressed, and the digests that it is checked against."""
    row, spec = _visible_run(request, run_id)
    evidence = monitoring.run_documents([run_id])[run_id] | {
        "model": spec.slug,
        "document_digest": row.document_digest,
        "cubes_digest": row.cubes_digest,
    }
    taken(request, "the evidence", subject=f"run:{run_id}", model=spec.slug)
    body = json.dumps(evidence, indent=1, ensure_ascii=False, sort_keys=True)
    headers = {"Content-Disposition": f'attachment; filename="{spec.slug}-run-{run_id}.json"'}
    return HttpResponse(body, content_type="application/json", headers=headers)


@require_GET
@requires("run.view")
def run_table(request: HttpRequest, run_id: int) -> HttpResponse:
    """All outputs of a run as CSV."""
    _, spec = _visible_run(request, run_id)
    document = monitoring.run_documents([run_id])[run_id]
    taken(request, "the table of outputs", subject=f"run:{run_id}", model=spec.slug)
    return _csv(outputs_table(document["results"]), f"{spec.slug}-run-{run_id}")


@require_POST
@requires("inbox.view")
def alert_read(request: HttpRequest, alert_id: int) -> HttpResponse:
    """Take one's own alert out of the inbox; somebody else's does not exist."""
    if not responses.notifications_read(person=person_of(request), ids=[alert_id]):
        raise Http404("There is no such unread alert.")
    return redirect("inbox")


@require_POST
@requires("finding.acknowledge")
def finding_acknowledge(request: HttpRequest, finding_id: int) -> HttpResponse:
    """Take note of a finding in one's own name."""
    finding = responses_read.finding(finding_id)
    if finding is None:
        raise Http404("There is no such finding.")
    demand(request.user, "finding.acknowledge", finding.model_id)
    done(
        request,
        lambda: responses.finding_acknowledge(finding_id=finding_id, person=person_of(request)),
        "The finding is acknowledged in your name.",
    )
    return redirect(f"{reverse('model', args=[finding.model_slug])}#finding-{finding_id}")


@require_POST
@requires("finding.acknowledge")
def findings_acknowledge(request: HttpRequest, slug: str) -> HttpResponse:
    """Take note of findings of one cause together, in one's own name: of those that the form showed and of no other."""
    spec = _visible_model(request, slug)
    demand(request.user, "finding.acknowledge", spec)
    asked = {int(each) for each in request.POST.getlist("finding") if each.isdecimal() and len(each) < 19}
    shown = [finding for finding in responses_read.open_findings([spec.id]) if finding.id in asked]
    done(
        request,
        lambda: responses.findings_acknowledge(finding_ids=[each.id for each in shown], person=person_of(request)),
        "The findings are acknowledged in your name, each by itself in the log.",
    )
    place = f"cause-{shown[0].cause_id}" if shown else "findings"
    return redirect(f"{reverse('model', args=[spec.slug])}#{place}")


@require_GET
@requires("health.view")
def health(request: HttpRequest) -> HttpResponse:
    """The four objectives, and every model's freshness and coverage."""
    page = health_page(selectors.specs_visible_to(request.user))
    return render(request, "dashboards/health.html", {"page": page, "objectives": page.objectives})


def _fragment(request: HttpRequest, target: str) -> bool:
    """Whether HTMX asked for the element `target` alone; a restored history entry needs the whole page."""
    htmx = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and htmx.target == target and not htmx.history_restore_request


def _visible_model(request: HttpRequest, slug: str) -> ModelSpec:
    try:
        spec = registry.model_spec(slug)
    except ObjectDoesNotExist:
        raise Http404("There is no such model.") from None
    demand(request.user, "model.view", spec)
    return spec


def _visible_run(request: HttpRequest, run_id: int) -> tuple[RunRow, ModelSpec]:
    row = monitoring.run(run_id)
    if row is None:
        raise Http404("There is no such run.")
    demand(request.user, "run.view", row.model_id)
    return row, registry.model_spec_by_id(row.model_id)


def _choice(request: HttpRequest, spec: ModelSpec, first: Mapping[str, str] = MappingProxyType({})) -> Choice:
    """What the switches say; a reader who has chosen nothing is led to `first`."""
    asked = {name: request.GET[name] for name in ("window", "attribute", "metric") if name in request.GET}
    try:
        return choose(spec, asked or first)
    except ValueError as error:
        raise Http404(str(error)) from None


def _portfolio(request: HttpRequest, page: str, specs: Sequence[ModelSpec]) -> Portfolio:
    asked = request.GET.get("show", "all")
    entries = selectors.portfolio(specs)
    return Portfolio.of(entries, asked if asked in FILTERS else "all", page, request.user)


def _tabled(panel: Any) -> list[GroupTable | Any]:
    return [panel.groups, *panel.charts]


def _csv(content: Table, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return HttpResponse(content.csv(), content_type="text/csv; charset=utf-8", headers=headers)
