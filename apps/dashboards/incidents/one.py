"""One incident: read, opened by hand, described anew, acted upon, and its evidence as files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.permissions import demand, may, requires
from apps.accounts.selectors import active_person
from apps.common.errors import Refused
from apps.dashboards import selectors as dashboards
from apps.dashboards.acting import person_of
from apps.dashboards.incidents import reading
from apps.dashboards.incidents.doing import VERBS
from apps.dashboards.incidents.evidence import CHART, chart_table
from apps.dashboards.incidents.forms import Failed, Given
from apps.dashboards.taken import taken
from apps.dashboards.tasks import finding_text
from apps.incidents import selectors, services
from apps.incidents.causes import CAUSES
from apps.incidents.selectors import EvidenceRow, IncidentDetail
from apps.pipeline.escalating import incident_open_by_hand
from apps.registry import selectors as registry
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses

if TYPE_CHECKING:
    from apps.accounts.models import User
    from apps.responses.selectors import FindingRow

VIEW, OPEN, MANAGE = "incident.view", "incident.open", "incident.manage"
REFUSED = 422


@require_GET
@requires(VIEW)
def incident(request: HttpRequest, number: int) -> HttpResponse:
    """Everything about an incident."""
    return _page(request, _visible(request, number))


@require_POST
@requires(VIEW)
def act(request: HttpRequest, number: int, verb: str) -> HttpResponse:
    """Do what one of the page's forms asks for; a refusal shows the page again with what was written."""
    detail = _visible(request, number)
    if verb not in VERBS:
        raise Http404("There is no such thing to do.")
    do, place = VERBS[verb]
    given, spec = Given(request.POST), registry.model_spec_by_id(detail.row.model_id)
    try:
        with transaction.atomic():
            services.incident_seen(incident_id=number, seen=given.number("seen"))
            said = do(detail, spec, person_of(request), given)
    except Refused as refusal:
        return _page(request, _visible(request, number), Failed(verb, refusal, request.POST))
    messages.success(request, said)
    return redirect(f"{reverse('incident', args=[number])}#{place}")


@require_http_methods(["GET", "POST"])
@requires(MANAGE)
def edit(request: HttpRequest, number: int) -> HttpResponse:
    """Describe an incident anew: title, description, severity, lead and root cause."""
    detail = _visible(request, number)
    demand(request.user, MANAGE, detail.row.model_id)
    failed = None
    if request.method == "POST":
        given = Given(request.POST)
        try:
            services.incident_change(
                incident_id=number,
                person=person_of(request),
                seen=given.number("seen") or 0,
                title=given.text("title"),
                summary=given.text("summary"),
                severity=given.text("severity"),
                lead=_lead(given.number("lead")),
                causes=given.several("causes"),
                explanation=given.text("explanation"),
            )
        except Refused as refusal:
            failed = Failed("edit", refusal, request.POST)
            detail = _visible(request, number)
        else:
            messages.success(request, "Changed, in your name.")
            return redirect("incident", number=number)
    context = {
        "detail": detail,
        "failed": failed,
        "shown": _shown(detail, failed),
        "leads": reading.leads(),
        "severities": selectors.SEVERITIES,
        "causes": CAUSES,
    }
    return render(request, "incidents/edit.html", context, status=REFUSED if failed else 200)


@require_http_methods(["GET", "POST"])
@requires(OPEN)
def new(request: HttpRequest) -> HttpResponse:
    """Open an incident by hand: first its model, then what has happened and what it is opened for."""
    specs = [spec for spec in dashboards.specs_visible_to(request.user) if may(request.user, OPEN, spec)]
    asked = (request.POST if request.method == "POST" else request.GET).get("model", "")
    spec = next((each for each in specs if each.slug == asked), None)
    if asked and spec is None:
        raise Http404("There is no such model.")
    failed = None
    if request.method == "POST":
        if spec is None:
            raise Http404("An incident is about a model.")
        try:
            opened = _open(person_of(request), spec, Given(request.POST))
        except Refused as refusal:
            failed = Failed("new", refusal, request.POST)
        else:
            messages.success(request, f"Incident {opened} is open, and you lead it.")
            return redirect("incident", number=opened)
    chosen = request.POST.getlist("findings") if failed else request.GET.getlist("finding")
    known = responses.open_findings([spec.id]) if spec else ()
    findings = sorted(known, key=lambda each: str(each.id) not in chosen)
    context = {
        "specs": specs,
        "spec": spec,
        "findings": [(each, finding_text(each, spec.words)) for each in findings] if spec else (),
        "chosen": chosen,
        "leaves": _leaves([each for each in findings if str(each.id) in chosen]),
        "severities": selectors.SEVERITIES,
        "failed": failed,
        "given": failed.parts if failed else _begun(spec, [each for each in findings if str(each.id) in chosen]),
    }
    return render(request, "incidents/new.html", context, status=REFUSED if failed else 200)


@require_GET
@requires(VIEW)
def evidence_json(request: HttpRequest, number: int, evidence_id: int) -> HttpResponse:
    """A frozen document, byte for byte: its SHA-256 is the one that the page names."""
    row, slug = _evidence(request, number, evidence_id)
    headers = {"Content-Disposition": f'attachment; filename="incident-{number}-{row.kind}-{row.id}.json"'}
    taken(request, f"the evidence {row.id}", subject=f"incident:{number}", model=slug)
    body = selectors.evidence_documents([row.id])[row.id]
    return HttpResponse(body, content_type="application/json", headers=headers)


@require_GET
@requires(VIEW)
def evidence_csv(request: HttpRequest, number: int, evidence_id: int) -> HttpResponse:
    """All points of a frozen chart."""
    row, slug = _evidence(request, number, evidence_id)
    if row.kind != CHART:
        raise Http404("Only charts have a table.")
    headers = {"Content-Disposition": f'attachment; filename="incident-{number}-chart-{row.id}.csv"'}
    taken(request, f"the evidence {row.id}", subject=f"incident:{number}", model=slug)
    return HttpResponse(chart_table(row).csv(), content_type="text/csv; charset=utf-8", headers=headers)


def _visible(request: HttpRequest, number: int) -> IncidentDetail:
    """The incident, for who may see it; for others it does not exist."""
    detail = selectors.incident_detail(number)
    if detail is None:
        raise Http404("There is no such incident.")
    demand(request.user, VIEW, detail.row.model_id)
    return detail


def _evidence(request: HttpRequest, number: int, evidence_id: int) -> tuple[EvidenceRow, str]:
    """The piece of evidence, and the slug of its incident's model."""
    detail = _visible(request, number)
    found = next((each for each in detail.evidence if each.id == evidence_id), None)
    if found is None:
        raise Http404("There is no such evidence.")
    return found, detail.row.model_slug


def _page(request: HttpRequest, detail: IncidentDetail, failed: Failed | None = None) -> HttpResponse:
    spec = registry.model_spec_by_id(detail.row.model_id)
    context = {
        "page": reading.page_of(request.user, detail, spec),
        "spec": spec,
        "failed": failed,
        "kinds": selectors.COST_KINDS,
    }
    return render(request, "incidents/page.html", context, status=REFUSED if failed else 200)


def _begun(spec: ModelSpec | None, findings: Sequence[FindingRow]) -> dict[str, str]:
    """What the form holds when it is opened for findings: what they say, and how severe the worst of them is."""
    if spec is None or not findings:
        return {}
    return {
        "title": services.title_of(spec, findings),
        "summary": "\n".join(finding_text(each, spec.words) for each in findings),
        "severity": max((each.severity for each in findings), key=selectors.SEVERITIES.index),
    }


def _leaves(findings: Sequence[FindingRow]) -> tuple[tuple[int, int], ...]:
    """The incidents that chosen findings belong to, each with how many would leave it."""
    causes = responses.causes(findings)
    found = [causes[each.cause_id].incident for each in findings if each.cause_id in causes]
    return tuple((number, found.count(number)) for number in sorted({each for each in found if each}))


def _open(person: User, spec: ModelSpec, given: Given) -> int:
    wanted = set(given.numbers("findings"))
    return incident_open_by_hand(
        model=spec,
        person=person,
        findings=[each for each in responses.open_findings([spec.id]) if each.id in wanted],
        leaving=given.numbers("leaving"),
        run_ids=given.numbers("runs"),
        title=given.text("title"),
        summary=given.text("summary"),
        severity=given.text("severity"),
        began_at=given.moment("began_at"),
        aware_at=given.moment("aware_at"),
    )


def _lead(person_id: int | None) -> User | None:
    if person_id is None:
        return None
    found = active_person(person_id)
    if found is None:
        raise Refused("lead", "There is no such person.")
    return found


def _shown(detail: IncidentDetail, failed: Failed | None) -> dict[str, object]:
    """What the form holds: what was sent, else how the incident stands."""
    if failed is not None:
        parts = failed.parts
        names = ("title", "summary", "severity", "explanation", "lead")
        return {**{name: parts.get(name, "") for name in names}, "causes": parts.getlist("causes")}
    row = detail.row
    return {
        "title": row.title,
        "summary": row.summary,
        "severity": row.severity,
        "explanation": detail.explanation,
        "lead": str(detail.lead_id or ""),
        "causes": row.causes,
    }
