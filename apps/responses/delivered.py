"""Reading how messages left the house: what arrived, how soon, and what was given up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Aggregate, Count, F, FloatField, Func, Q, QuerySet

from apps.common import clock
from apps.responses.digests import KEY as DIGEST
from apps.responses.models import OutboxMessage

IN_APP = "inbox"


@dataclass(frozen=True, slots=True)
class ChannelTimes:
    """How soon the alerts that were detected within a window arrived by one channel; the inbox is a channel, too.

    slowest: seconds from detection to delivery, or until now for what is not delivered. counted: the alerts of which it
    is known whether they were late; late: those that were.
    """

    channel: str
    window: str
    slowest: float
    counted: int
    late: int


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


def dead_by_channel() -> dict[str, int]:
    """How many messages were given up, by channel; the personal ones are one channel, `person`. One query."""
    found = dead_letters().order_by().annotate(kind=_kind()).values_list("kind").annotate(Count("id"))
    return dict(found.order_by("kind"))


_TIMES = """
WITH alerts AS (
    SELECT %(inbox)s AS channel, min(detected_at) AS detected, min(created_at) AS delivered
    FROM responses_notification WHERE created_at >= %(first)s GROUP BY dedup_key
    UNION ALL
    SELECT CASE WHEN starts_with(channel, 'person-') THEN 'person' ELSE channel END, detected_at, sent_at
    FROM responses_outboxmessage WHERE created_at >= %(first)s AND NOT starts_with(dedup_key, %(digest)s)
), timed AS (
    SELECT channel, width_bucket(detected, %(starts)s::timestamptz[]) AS reach, delivered IS NOT NULL AS arrived,
        coalesce(delivered, %(now)s) - detected AS taken
    FROM alerts WHERE detected >= %(first)s
)
SELECT channel, reach, extract(epoch FROM max(taken))::float,
    count(*) FILTER (WHERE arrived OR taken >= %(within)s), count(*) FILTER (WHERE taken >= %(within)s)
FROM timed GROUP BY channel, reach
"""


def delivery_times(windows: Mapping[str, timedelta], *, within: timedelta) -> tuple[ChannelTimes, ...]:
    """How soon alerts arrived, by channel and window up to now; one that takes `within` or longer is late.

    People's own channels are one, `person`. A digest is no alert: it repeats what a person has been told in the inbox.
    One query.
    """
    now = clock.now()
    ordered = sorted(windows, key=lambda name: windows[name], reverse=True)
    starts = [now - windows[name] for name in ordered]
    asked: dict[str, Any] = {
        "inbox": IN_APP,
        "digest": DIGEST,
        "now": now,
        "within": within,
        "first": starts[0],
        "starts": starts,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TIMES, asked)
        counted = cursor.fetchall()
    # What was detected within a shorter window counts in the longer ones as well.
    reached: dict[tuple[str, str], list[tuple[float, int, int]]] = {}
    for channel, reach, *figures in counted:
        for name in ordered[:reach]:
            reached.setdefault((channel, name), []).append(tuple(figures))
    return tuple(
        ChannelTimes(*key, max(slowest), sum(judged), sum(late))
        for key, figures in sorted(reached.items())
        for slowest, judged, late in [zip(*figures, strict=True)]
    )


def channel_rows(since: datetime) -> tuple[ChannelRow, ...]:
    """What became of the messages written since then, by channel; the personal ones are one channel, `person`."""
    state = OutboxMessage.State
    taken = Func(
        F("sent_at") - F("detected_at"), template="EXTRACT(EPOCH FROM %(expressions)s)", output_field=FloatField()
    )
    rows = (
        OutboxMessage.objects.filter(created_at__gte=since)
        .order_by()
        .annotate(kind=_kind(), taken=taken)
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


def _kind() -> Func:
    return Func(F("channel"), template="regexp_replace(%(expressions)s, '^person-.*$', 'person')")


class _Percentile(Aggregate):
    """PostgreSQL's discrete percentile: a time that was really taken."""

    function = "PERCENTILE_DISC"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()
