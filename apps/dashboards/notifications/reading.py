"""What the pages about messages show, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from apps.accounts.permissions import may_somewhere
from apps.common import clock
from apps.dashboards.waiting import Provider, Task
from apps.dashboards.words import NBSP
from apps.registry.spec import ModelSpec
from apps.responses import selectors
from apps.responses.selectors import ChannelRow
from biasgov.fairness.response_plan import SEVERITIES as KNOWN

OBJECTIVE = 15 * 60
"""Seconds from detection to delivery."""
REMINDED_FOR = timedelta(days=7)
"""How long the Inbox speaks of what was given up."""

MAIL: Mapping[str, str] = {
    "each": "each message at once",
    "daily": "all of a day in one message",
    "never": "nothing; the inbox alone",
}
SEVERITIES: Mapping[str, str] = {each: each if each == KNOWN[-1] else f"{each} and worse" for each in KNOWN}


@dataclass(frozen=True, slots=True)
class ChannelLine:
    title: str
    sent: int
    waiting: int
    dead: int
    median: str
    p99: str


@dataclass(frozen=True, slots=True)
class DeadLine:
    """A message that was given up, with its channel as people know it."""

    message: Any
    channel: str


@dataclass(frozen=True, slots=True)
class GivenUpLine:
    """How many messages were given up on a channel."""

    channel: str
    title: str
    dead: int


def dead_lines(rows: Sequence[Any]) -> list[DeadLine]:
    """Messages that were given up, in the table's lines."""
    return [DeadLine(row, channel_title(row.channel)) for row in rows]


def given_up_lines(counts: Mapping[str, int]) -> list[GivenUpLine]:
    """The channels that messages were given up on."""
    return [GivenUpLine(channel, channel_title(channel), dead) for channel, dead in counts.items()]


def to_resend(user: Any, specs: Sequence[ModelSpec], limit: int) -> list[Task]:
    """One task for all messages of the last days that were given up, for those who may send them again."""
    if not _to_resend_count(user, 1):
        return []
    newest = selectors.dead_letters()[0]
    return [
        Task(
            kind="Resend",
            text=delivery_sentence((), selectors.dead_letter_count()),
            about=f"last by {channel_title(newest.channel)}: {newest.last_error}",
            url=reverse("deliveries"),
            since=newest.created_at,
        )
    ]


def _to_resend_count(user: Any, most: int | None) -> int:
    """One, however many there are: the same channel is mended for all of them. What is older is left to the page."""
    if not may_somewhere(user, "delivery.resend"):
        return 0
    return int(selectors.dead_letters().filter(created_at__gte=clock.now() - REMINDED_FOR).exists())


TO_RESEND = Provider(to_resend, _to_resend_count)


def older(found: QuerySet[Any], before: str, limit: int) -> tuple[list[Any], int | None]:
    """The newest `limit` rows with an id below `before`, and from which id on there may be more."""
    if before.isascii() and before.isdecimal() and len(before) < 19:
        found = found.filter(pk__lt=int(before))
    rows = list(found.order_by("-pk")[:limit])
    return rows, rows[-1].pk if len(rows) == limit else None


def channel_lines(rows: Sequence[ChannelRow]) -> list[ChannelLine]:
    """The table of the channels."""
    return [
        ChannelLine(channel_title(row.channel), row.sent, row.waiting, row.dead, _time(row.median), _time(row.p99))
        for row in rows
    ]


def channel_title(channel: str) -> str:
    """A channel as people know it: its kind, and the end of its fingerprint to tell two of a kind apart."""
    kind, _, fingerprint = channel.partition("-")
    if kind == "person":
        return "people's own mail"
    kind = kind.removeprefix("signed+")
    named = f"signed webhook, {kind}" if channel.startswith("signed+") else kind
    return f"{named} ({fingerprint[-4:]})"


def delivery_sentence(rows: Sequence[ChannelRow], dead: int) -> str:
    """What a reader has to know, in one or two sentences."""
    if dead:
        many = dead != 1
        return f"{dead:,} message{'s' if many else ''} could not be delivered and {'were' if many else 'was'} given up."
    if not rows:
        return "No message left the house in the last 7 days. The inbox was told of everything."
    slow = [row for row in rows if row.p99 is not None and row.p99 > OBJECTIVE]
    if slow:
        return (
            f"{channel_title(slow[0].channel).capitalize()} was slow: 1 in 100 took longer than {_time(slow[0].p99)}."
        )
    if any(row.waiting for row in rows):
        return f"{sum(row.waiting for row in rows):,} on their way; no message was given up."
    return "Every message of the last 7 days was delivered."


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "none yet"
    if seconds < 120:
        return f"{seconds:.0f}{NBSP}s"
    return f"{seconds / 60:.0f}{NBSP}min" if seconds < 7200 else f"{seconds / 3600:.0f}{NBSP}h"
