"""One incident for each cause: which findings belong together.

The rule, the same for machines and for people. A finding that opens joins an open cause of its model, the first of

1. the cause that it was in before: the same metric, attribute and group has come back;
2. the cause that followed the same release: both opened within 30 days of it, and no other release lies between; 30
   days are the longest window, and for so long a change goes on to surface;
3. a cause that shares a protected attribute with it and was still being evaluated when the finding's window began.

Of several the newest takes it; otherwise it is a cause of its own. Of findings that open at one moment, those about
most attributes come first, so that an intersection brings its parts together. A cause is open while one of its findings
is, and until its incident is closed if it has one: what comes back amid the work belongs to the work. Machines never
merge causes; a person may take findings out of theirs, into an incident of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max

from apps.accounts.models import User
from apps.accounts.permissions import demand
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.registry import selectors as registry
from apps.responses import ladder
from apps.responses.models import Cause, Finding
from apps.responses.observations import Key, Observation
from apps.responses.steps import hold, step

AFTER_RELEASE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Release:
    """A version that took another one's place, and when."""

    version: str
    at: datetime

    def explains(self, as_of: datetime) -> bool:
        """Whether something that opened at `as_of` may be a consequence."""
        return self.at <= as_of <= self.at + AFTER_RELEASE


def releases_of(model_id: int) -> tuple[Release, ...]:
    """A model's releases but for the first, newest first."""
    versions = registry.version_details(model_id)
    return tuple(Release(each["version"], each["released_at"]) for each in versions[:-1])


def attributes_of(attribute: str) -> frozenset[str]:
    """The protected attributes that a finding is about; none for what is measured over everybody."""
    return frozenset(attribute.split("*")) - {""}


def cause_join(observation: Observation, releases: Sequence[Release]) -> tuple[Cause, str]:
    """The cause that a finding which opens now belongs to, and by what it belongs there ("" for a new one)."""
    about, as_of = attributes_of(observation.attribute), observation.as_of
    newest = next((each for each in releases if each.at <= as_of), None)
    release = newest.version if newest and newest.explains(as_of) else ""
    found = Cause.objects.filter(model_id=observation.model_id, closed_at=None)
    causes = list(found.annotate(seen=Max("findings__last_as_of")).order_by("-last_opened_as_of", "id"))
    if causes:
        back = _cause_before(observation.model_id, observation.key, causes)
        if back is not None:
            return _joined(back, about, as_of), "its return"
        for cause in causes:
            if release and release == cause.release:
                return _joined(cause, about, as_of), f"the release of version {release}"
        since = as_of - ladder.LENGTHS[observation.window]
        for cause in causes:
            shared = sorted(about & set(cause.attributes))
            if shared and cause.seen is not None and since <= cause.seen:
                return _joined(cause, about, as_of), f"the attribute {shared[0]}"
    fresh = Cause.objects.create(
        model_id=observation.model_id,
        attributes=sorted(about),
        release=release,
        opened_at=clock.now(),
        last_opened_as_of=as_of,
    )
    return fresh, ""


def cause_for_incident(*, model_id: int, finding_ids: Sequence[int], person: User) -> Cause:
    """The cause that an incident opened by hand for these open findings looks after, held with its model.

    It is theirs where they have one in common that no incident looks after. Otherwise they are taken out of their
    causes into a new one, which is how a person says that the rule was wrong; no release draws others after them.

    Raises
    ------
    Http404, PermissionDenied
        The person may not open incidents of this model.
    Refused
        A finding is not open, or is none of this model's (``closed``).
    """
    demand(person, "incident.open", model_id)
    hold(model_id)
    found = list(Finding.objects.filter(pk__in=finding_ids, model_id=model_id, state=Finding.State.OPEN).order_by("pk"))
    if missing := set(finding_ids) - {finding.pk for finding in found}:
        raise Refused("findings", f"Finding {min(missing)} is not open in this model.", code="closed")
    first, *others = {finding.cause_id for finding in found} or {None}
    only = Cause.objects.filter(pk=first, incident_id=None).first() if first and not others else None
    if only is not None:
        return only
    escalated = any(finding.tier == ladder.ESCALATE for finding in found)
    cause = Cause.objects.create(
        model_id=model_id,
        attributes=sorted(set().union(*(attributes_of(finding.attribute) for finding in found))),
        opened_at=clock.now(),
        last_opened_as_of=max(finding.opened_as_of for finding in found),
        escalated_at=clock.now() if escalated else None,
    )
    for finding in found:
        detail = {"from": finding.cause_id, "cause": cause.pk}
        step(finding, ladder.SEPARATED, actor=person.actor, detail=detail, changes={"cause_id": cause.pk})
    causes_close(model_id)
    return cause


def causes_close(model_id: int) -> None:
    """Close the causes that have neither an open finding left nor an incident; those with one close with it."""
    left = Finding.objects.filter(model_id=model_id, state=Finding.State.OPEN).values("cause_id")
    done = Cause.objects.filter(model_id=model_id, closed_at=None, incident_id=None)
    done.exclude(pk__in=left.filter(cause__isnull=False)).update(closed_at=clock.now())


def cause_end(*, incident_id: int, actor: str) -> None:
    """Close the cause that an incident has looked after, with the incident: what opens from now on is another one."""
    _settle(incident_id, clock.now(), "cause.closed", actor)


def cause_resume(*, incident_id: int, actor: str) -> None:
    """Open the cause again together with its incident."""
    _settle(incident_id, None, "cause.reopened", actor)


def _settle(incident_id: int, closed_at: datetime | None, action: str, actor: str) -> None:
    for cause in Cause.objects.filter(incident_id=incident_id, closed_at__isnull=closed_at is not None):
        Cause.objects.filter(pk=cause.pk).update(closed_at=closed_at)
        audit.append(
            actor=actor,
            action=action,
            subject=f"cause:{cause.pk}",
            model=registry.slug_of(cause.model_id),
            detail={"incident": incident_id},
        )


def _cause_before(model_id: int, key: Key, causes: Sequence[Cause]) -> Cause | None:
    """The open cause in which the same metric, attribute and group was last."""
    metric, attribute, group = key
    same = Finding.objects.filter(model_id=model_id, metric=metric, attribute=attribute, group=group)
    last = same.filter(cause__in=causes).order_by("-pk").values_list("cause_id", flat=True).first()
    return next((cause for cause in causes if cause.pk == last), None)


def _joined(cause: Cause, about: frozenset[str], as_of: datetime) -> Cause:
    cause.attributes = sorted(about | set(cause.attributes))
    cause.last_opened_as_of = max(as_of, cause.last_opened_as_of)
    cause.save(update_fields=["attributes", "last_opened_as_of"])
    return cause
