"""Holding alerts back for a while: a person, a reason and an end, or it does not happen."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from apps.accounts.models import User
from apps.accounts.permissions import demand
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.selectors import slug_of
from apps.responses.ladder import rank
from apps.responses.models import Finding, Silence
from apps.responses.models.findings import LONGEST_SILENCE
from biasgov.fairness.response_plan import SEVERITIES

_LONGEST_REASON = 2000


@transaction.atomic
def silence_set(*, model_id: int, until: datetime, reason: str, person: User, finding_id: int | None = None) -> Silence:
    """Hold the alerts of a model, or of one of its open findings, back until a moment at most 30 days away.

    What is worse than anything open now is told all the same, and so are restrictions and escalations.

    Raises
    ------
    Http404, PermissionDenied
        The person may not see the model, or may not silence its alerts.
    Refused
        Without a reason, with an end that is not ahead or too far, or for a finding that is not open.
    """
    demand(person, "alert.silence", model_id)
    now = clock.now()
    if not reason.strip() or len(reason.strip()) > _LONGEST_REASON:
        raise Refused("reason", f"Say why, in at most {_LONGEST_REASON:,} characters.")
    if until.tzinfo is None or not now < until <= now + LONGEST_SILENCE:
        raise Refused("until", f"A silence ends within {LONGEST_SILENCE.days} days from now.")
    found = Finding.objects.filter(model_id=model_id, state=Finding.State.OPEN)
    if finding_id is not None:
        found = found.filter(pk=finding_id)
    severities = list(found.values_list("severity", flat=True))
    if finding_id is not None and not severities:
        raise Refused("finding", f"Finding {finding_id} is not an open one of this model.", code="unknown")
    silence = Silence.objects.create(
        model_id=model_id,
        finding_id=finding_id,
        severity=max(severities, key=rank, default=SEVERITIES[0]),
        reason=reason.strip(),
        person=person,
        set_at=now,
        until=until,
    )
    audit.append(
        actor=person.actor,
        action="silence.set",
        subject=f"silence:{silence.pk}",
        model=slug_of(model_id),
        detail={
            "finding": finding_id,
            "until": until.isoformat(),
            "severity": silence.severity,
            "reason": silence.reason,
        },
    )
    return silence


@transaction.atomic
def silence_end(*, silence_id: int, person: User) -> None:
    """End a silence before its time. Raises Refused if there is none in force, and as `silence_set` does."""
    silence = Silence.objects.filter(pk=silence_id).first()
    if silence is None:
        raise Refused("silence", f"There is no silence {silence_id}.", code="unknown")
    demand(person, "alert.silence", silence.model_id)
    now = clock.now()
    if Silence.objects.filter(pk=silence_id, ended_at=None, until__gt=now).update(ended_at=now) != 1:
        raise Refused("silence", f"Silence {silence_id} has ended.", code="ended")
    audit.append(
        actor=person.actor,
        action="silence.ended",
        subject=f"silence:{silence_id}",
        model=slug_of(silence.model_id),
    )


def silences_of(model_id: int) -> tuple[Silence, ...]:
    """The silences of a model that are in force now, the longest first."""
    now = clock.now()
    in_force = Q(ended_at=None, until__gt=now, set_at__lte=now)
    return tuple(Silence.objects.select_related("person").filter(in_force, model_id=model_id).order_by("-until"))
