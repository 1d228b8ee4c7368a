"""What has to be done by when: regulatory clocks and actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Min, QuerySet

from apps.incidents import clocks
from apps.incidents.models import Action, RegulatoryClock
from apps.incidents.rows import ActionRow, ClockRow, Due

WAITING_CLOCKS = (RegulatoryClock.State.PROPOSED, RegulatoryClock.State.RUNNING)


def action(action_id: int) -> ActionRow | None:
    """One action, or None."""
    return next(iter(actions(Action.objects.filter(pk=action_id))), None)


def actions_of_incident(incident_id: int) -> tuple[ActionRow, ...]:
    """The actions of an incident, first due first."""
    return actions(Action.objects.filter(incident_id=incident_id))


def actions_of_case(case_id: int) -> tuple[ActionRow, ...]:
    """The conditions of a decision of the board, as actions."""
    return actions(Action.objects.filter(case_id=case_id))


def actions_due(owner_id: int, *, limit: int = 50) -> tuple[ActionRow, ...]:
    """The open actions of a person, first due first."""
    return actions(Action.objects.filter(owner_id=owner_id, state=Action.State.OPEN), limit)


def actions_due_count(owner_id: int, most: int | None = None) -> int:
    """How many open actions a person has, counted up to `most`."""
    return Action.objects.filter(owner_id=owner_id, state=Action.State.OPEN)[:most].count()


def next_due(incident_ids: Sequence[int]) -> dict[int, Due]:
    """What is due next in each of these incidents; nothing where nothing is. Two queries."""
    asked = list(incident_ids)
    sources: list[tuple[str, QuerySet[Any]]] = [
        ("clock", RegulatoryClock.objects.filter(incident__in=asked, state__in=WAITING_CLOCKS)),
        ("action", Action.objects.filter(incident__in=asked, state=Action.State.OPEN)),
    ]
    found: dict[int, Due] = {}
    for what, rows in sources:
        for row in rows.order_by().values("incident_id").annotate(at=Min("due_at")):
            known = found.get(row["incident_id"])
            if known is None or row["at"] < known.at:
                found[row["incident_id"]] = Due(row["at"], what)
    return found


def clocks_of(incident_id: int) -> tuple[ClockRow, ...]:
    """The regulatory clocks of an incident, first due first."""
    rows = RegulatoryClock.objects.filter(incident_id=incident_id).order_by("due_at", "id")
    return tuple(
        ClockRow(
            id=each.pk,
            incident_id=each.incident_id,
            key=each.rule,
            rule=clocks.RULES[each.rule],
            state=each.state,
            started_at=each.started_at,
            due_at=each.due_at,
            decided_by=each.decided_by,
            reported_at=each.reported_at,
            note=each.note,
        )
        for each in rows
    )


def actions(found: QuerySet[Action], limit: int | None = None) -> tuple[ActionRow, ...]:
    """Actions as values, first due first."""
    return tuple(
        ActionRow(
            id=each.pk,
            model_id=each.model_id,
            incident_id=each.incident_id,
            case_id=each.case_id,
            title=each.title,
            owner_id=each.owner_id,
            owner=each.owner.display_name,
            due_at=each.due_at,
            state=each.state,
            outcome=each.outcome,
            added_by=each.added_by,
            added_at=each.added_at,
            ended_by=each.ended_by,
            ended_at=each.ended_at,
        )
        for each in found.select_related("owner").order_by("due_at", "id")[:limit]
    )
