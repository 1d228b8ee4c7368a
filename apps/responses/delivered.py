"""Reading how messages left the house: what arrived, how soon, and what was given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Aggregate, Count, F, FloatField, Func, Min, Q, QuerySet

from apps.responses.models import Notification, OutboxMessage

IN_APP = "inbox"


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


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """A channel and its messages of a period; times in seconds from detection to delivery, None while none arrived."""

    channel: str
    sent: int
    waiting: int
    dead: int
    median: float | None
    p99: float | None


def dead_letters() -> QuerySet[OutboxMessage]:
    """The messages that were given up, newest first."""
    return OutboxMessage.objects.filter(state=OutboxMessage.State.DEAD).order_by("-id")


def dead_letter_count() -> int:
    return dead_letters().count()


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


def channel_rows(since: datetime) -> tuple[ChannelRow, ...]:
    """What became of the messages written since then, by channel; the personal ones are one channel, `person`."""
    state = OutboxMessage.State
    taken = Func(
        F("sent_at") - F("detected_at"), template="EXTRACT(EPOCH FROM %(expressions)s)", output_field=FloatField()
    )
    rows = (
        OutboxMessage.objects.filter(created_at__gte=since)
        .order_by()
        .annotate(
            kind=Func(F("channel"), template="regexp_replace(%(expressions)s, '^person-.*$', 'person')"), taken=taken
        )
        .values("kind")
        .annotate(
            sent=Count("id", filter=Q(state=state.SENT)),
            waiting=Count("id", filter=Q(state=state.PENDING)),
            dead=Count("id", filter=Q(state=state.DEAD)),
            median=_Percentile("taken", fraction=0.5),
            p99=_Percentile("taken", fraction=0.99),
        )
        .order_by("kind")
    )
    return tuple(
        ChannelRow(row["kind"], row["sent"], row["waiting"], row["dead"], row["median"], row["p99"]) for row in rows
    )


class _Percentile(Aggregate):
    """PostgreSQL's discrete percentile: a time that was really taken."""

    function = "PERCENTILE_DISC"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()
