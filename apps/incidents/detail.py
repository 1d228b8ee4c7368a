"""One incident with all that belongs to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.db.models import Sum

from apps.incidents.due import actions_of_incident, clocks_of
from apps.incidents.evidence import thawed
from apps.incidents.models import AffectedGroup, CostLine, Evidence, Incident, IncidentLink, IncidentStep
from apps.incidents.register import rows_of
from apps.incidents.rows import CostRow, EvidenceRow, IncidentDetail, Money


def incident_detail(incident_id: int) -> IncidentDetail | None:
    """One incident with all that belongs to it, or None. Nine queries, however much that is."""
    found = Incident.objects.select_related("model", "lead").defer("search").filter(pk=incident_id).first()
    if found is None:
        return None
    return IncidentDetail(
        row=rows_of([found])[0],
        explanation=found.explanation,
        lessons=found.lessons,
        lead_id=found.lead_id,
        cause_key=found.cause_key,
        steps=tuple(IncidentStep.objects.filter(incident=found).order_by("id")),
        affected=tuple(AffectedGroup.objects.filter(incident=found).order_by("id")),
        links=tuple(IncidentLink.objects.filter(incident=found).order_by("id")),
        evidence=evidence_of(found.pk),
        clocks=clocks_of(found.pk),
        actions=actions_of_incident(found.pk),
        costs=_costs(found.pk),
        totals=totals([found.pk]).get(found.pk, ()),
    )


def evidence_of(incident_id: int) -> tuple[EvidenceRow, ...]:
    """The frozen documents of an incident, in the order in which they were put in."""
    rows = Evidence.objects.filter(incident_id=incident_id).defer("content").order_by("id")
    return tuple(
        EvidenceRow(
            each.pk, each.incident_id, each.kind, each.title, each.run_id, each.digest, each.added_by, each.added_at
        )
        for each in rows
    )


def evidence_documents(ids: Sequence[int]) -> dict[int, bytes]:
    """The canonical JSON of frozen documents. Raises ValueError for one that does not match its digest."""
    return {each.pk: thawed(each) for each in Evidence.objects.filter(pk__in=list(ids))}


def evidence(evidence_id: int) -> EvidenceRow | None:
    """One frozen document without its content, or None."""
    found = Evidence.objects.defer("content").filter(pk=evidence_id).first()
    if found is None:
        return None
    return next(each for each in evidence_of(found.incident_id) if each.id == evidence_id)


def totals(incident_ids: Sequence[int]) -> dict[int, tuple[Money, ...]]:
    """What incidents have cost, by kind and currency. One query."""
    rows = (
        CostLine.objects.filter(incident__in=list(incident_ids))
        .order_by()
        .values("incident_id", "kind", "currency")
        .annotate(total=Sum("amount"))
    )
    found: dict[int, list[Money]] = {}
    for row in rows:
        found.setdefault(row["incident_id"], []).append(Money(row["kind"], row["currency"], row["total"]))
    return {key: tuple(sorted(each, key=lambda one: (one.currency, one.kind))) for key, each in found.items()}


def by_currency(moneys: Iterable[Money]) -> dict[str, Decimal]:
    """Sums over the kinds; currencies are never added up."""
    summed: dict[str, Decimal] = {}
    for each in moneys:
        summed[each.currency] = summed.get(each.currency, Decimal(0)) + each.amount
    return dict(sorted(summed.items()))


def _costs(incident_id: int) -> tuple[CostRow, ...]:
    lines = list(CostLine.objects.filter(incident_id=incident_id).order_by("id"))
    undone = {line.reverses_id for line in lines}
    return tuple(
        CostRow(
            id=line.pk,
            kind=line.kind,
            description=line.description,
            quantity=line.quantity,
            unit_amount=line.unit_amount,
            amount=line.amount,
            currency=line.currency,
            incurred_on=line.incurred_on,
            booked_by=line.booked_by,
            taken_back=line.pk in undone or line.reverses_id is not None,
        )
        for line in lines
    )
