"""Reading findings, notifications and how fast they were delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, QuerySet

from apps.accounts.permissions import may, owned_model_ids
from apps.responses.models import Answered, Finding, FindingTransition, Notification, OutboxMessage

ACKNOWLEDGE = "finding.acknowledge"
IN_APP = "inbox"


@dataclass(frozen=True, slots=True)
class InboxItem:
    """Something that waits for a person. path: where to do it, below the site's root."""

    kind: str
    finding_id: int
    model_id: int
    title: str
    sentence: str
    severity: str
    since: datetime
    path: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert and one channel: when it was detected and when it was delivered (None: not yet, or never)."""

    channel: str
    dedup_key: str
    detected_at: datetime
    delivered_at: datetime | None
    state: str

    @property
    def seconds(self) -> float | None:
        """From detection to delivery."""
        return None if self.delivered_at is None else (self.delivered_at - self.detected_at).total_seconds()


def open_findings(model_ids: Sequence[int]) -> QuerySet[Finding]:
    """The open findings of these models, newest first."""
    found = Finding.objects.filter(model_id__in=model_ids, state=Finding.State.OPEN)
    return found.select_related("model", "acknowledged_by").order_by("-opened_at", "-id")


def open_counts(model_ids: Sequence[int]) -> dict[int, int]:
    """The number of open findings of each model that has any; one query."""
    rows = Finding.objects.filter(model_id__in=model_ids, state=Finding.State.OPEN).order_by()
    return dict(rows.values_list("model_id").annotate(number=Count("id")))


def findings_of(model_id: int, *, state: str = "", before_id: int | None = None) -> QuerySet[Finding]:
    """A model's findings, newest first; `before_id` continues a page."""
    found = Finding.objects.filter(model_id=model_id).select_related("acknowledged_by").order_by("-id")
    if state:
        found = found.filter(state=state)
    return found if before_id is None else found.filter(pk__lt=before_id)


def findings(model_id: int, *, limit: int, state: str = "", before_id: int | None = None) -> list[Finding]:
    """One page of `findings_of`."""
    return list(findings_of(model_id, state=state, before_id=before_id)[:limit])


def finding(finding_id: int) -> Finding:
    """One finding with its model; raises Finding.DoesNotExist."""
    return Finding.objects.select_related("model", "acknowledged_by").get(pk=finding_id)


def transitions(finding_id: int) -> list[FindingTransition]:
    """The steps of a finding's life, oldest first."""
    return list(FindingTransition.objects.filter(finding_id=finding_id).order_by("at", "id"))


def waiting_for(user: Any) -> list[InboxItem]:
    """What waits for this person: open findings that nobody has acknowledged, worst first."""
    waiting = sorted(_unacknowledged(user).select_related("model"), key=lambda each: (-each.rank, each.opened_at))
    return [
        InboxItem(
            kind="finding",
            finding_id=each.pk,
            model_id=each.model_id,
            title=f"Acknowledge a finding of {each.model.name}",
            sentence=each.sentence,
            severity=each.severity,
            since=each.opened_at,
            path=f"/models/{each.model.slug}/",
        )
        for each in waiting
    ]


def waiting_count(user: Any) -> int:
    """How many items `waiting_for` has; one query beside those for the person's roles."""
    return _unacknowledged(user).count()


def notifications(user: Any, *, unread_only: bool = False) -> QuerySet[Notification]:
    """The person's notifications, newest first."""
    own = Notification.objects.filter(person_id=user.pk).order_by("-created_at", "-id")
    return own.filter(read_at=None) if unread_only else own


def unread_count(user: Any) -> int:
    return Notification.objects.filter(person_id=user.pk, read_at=None).count()


def dead_letters() -> QuerySet[OutboxMessage]:
    """The messages that were given up, newest first."""
    return OutboxMessage.objects.filter(state=OutboxMessage.State.DEAD).order_by("-id")


def delivery_times(since: datetime) -> tuple[Delivery, ...]:
    """Every alert since then and each of its channels; the inbox is a channel of its own."""
    told = (
        Notification.objects.filter(created_at__gte=since)
        .order_by()
        .values("dedup_key")
        .annotate(detected=Min("detected_at"), told=Min("created_at"))
    )
    inbox = [Delivery(IN_APP, row["dedup_key"], row["detected"], row["told"], OutboxMessage.State.SENT) for row in told]
    sent = [
        Delivery(message.channel, message.dedup_key, message.detected_at, message.sent_at, message.state)
        for message in OutboxMessage.objects.filter(created_at__gte=since).order_by("id")
    ]
    return (*inbox, *sent)


def answered(run_ids: Sequence[int]) -> frozenset[int]:
    """Those of the runs that have been answered."""
    return frozenset(Answered.objects.filter(run_id__in=run_ids).values_list("run_id", flat=True))


def _unacknowledged(user: Any) -> QuerySet[Finding]:
    found = Finding.objects.filter(state=Finding.State.OPEN, acknowledged_at=None)
    return found if may(user, ACKNOWLEDGE) else found.filter(model_id__in=_may_acknowledge(user))


def _may_acknowledge(user: Any) -> list[int]:
    return [model_id for model_id in owned_model_ids(user) if may(user, ACKNOWLEDGE, model_id)]
