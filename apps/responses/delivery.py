"""Carrying the outbox out of the house: at least once, never by two at a time, with the receiver's key on it.

A deliverer takes messages by a lease, sends them outside any transaction and marks them. One that dies in between
leaves messages whose lease runs out; they are sent again with the same key, by which a receiver knows them.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import F, Min, Q

from apps.accounts.models import User
from apps.accounts.permissions import demand
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.common.patience import answers_within
from apps.responses import channels
from apps.responses.channels import Letter, Sender
from apps.responses.models import OutboxMessage

LEASE = timedelta(minutes=2)
AT_ONCE = 16
MOST_ATTEMPTS = 36
BUDGET = 4.0
"""Seconds of a round: less than until the next one, since the answers to runs come from the same worker."""
PATIENCE = 12.0
"""Seconds that a receiver has in all, however it spends them: everything else waits behind a portion."""
TOO_SLOW = "The receiver has not answered in time."
_FIRST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(minutes=10)
_SLOWER = 1.35
_BREATH = 0.1
_PENDING = OutboxMessage.State.PENDING


def deliver(*, send: Sender = channels.send, until: float = math.inf) -> int:
    """Send what is due now, in portions, and begin none after the monotonic `until`; how many were taken."""
    delivered = 0
    while time.monotonic() < until and (batch := _lease()):
        delivered += _send(batch, send)
    return delivered


def deliver_for(*, seconds: float = BUDGET, send: Sender = channels.send) -> int:
    """`deliver`, and go on for about `seconds` as long as something becomes due meanwhile.

    A receiver that refuses half of the time is asked again after a second or two, not at the next round.
    """
    until = time.monotonic() + seconds
    delivered = deliver(send=send, until=until)
    while (pause := _until_due()) is not None and time.monotonic() + pause < until:
        time.sleep(max(pause, _BREATH))
        delivered += deliver(send=send, until=until)
    return delivered


@transaction.atomic
def message_resend(*, message_id: int, person: User) -> None:
    """Give a dead message another round of attempts. Raises PermissionDenied, or Refused if it is not dead."""
    demand(person, "delivery.resend")
    revived = OutboxMessage.objects.filter(pk=message_id, state=OutboxMessage.State.DEAD).update(
        state=_PENDING, attempts=0, next_attempt_at=clock.now(), lease=None, lease_until=None
    )
    if revived != 1:
        raise Refused("message", f"Message {message_id} is not among the dead ones.", code="not_dead")
    audit.append(actor=person.actor, action="message.resent", subject=f"message:{message_id}")


@transaction.atomic
def messages_resend(*, channel: str, person: User) -> int:
    """Give every dead message of a channel another round of attempts, once the channel is mended; how many those are.

    channel: as `delivered.dead_by_channel` names it, where people's own mail is one channel. Raises PermissionDenied,
    or Refused if none of that channel is dead.
    """
    demand(person, "delivery.resend")
    dead = OutboxMessage.objects.filter(state=OutboxMessage.State.DEAD)
    own = channel == channels.PEOPLE
    ours = dead.filter(channel__startswith=channels.PERSON) if own else dead.filter(channel=channel)
    revived = ours.update(state=_PENDING, attempts=0, next_attempt_at=clock.now(), lease=None, lease_until=None)
    if not revived:
        raise Refused("channel", "No message of that channel is among the dead ones.", code="not_dead")
    audit.append(
        actor=person.actor, action="message.all_resent", subject=f"channel:{channel}", detail={"messages": revived}
    )
    return revived


def pause_after(attempts: int) -> timedelta:
    """1 s after the first failure, then a third longer each time, at most 10 minutes.

    So 99 of 100 messages pass a receiver that refuses every second one within half a minute, and one that is down for
    two hours is still tried.
    """
    return min(_FIRST_PAUSE * _SLOWER ** min(attempts - 1, 40), _LONGEST_PAUSE)


def _until_due() -> float | None:
    """Seconds until the next message that nobody holds is due, None if there is none."""
    now = clock.now()
    free = OutboxMessage.objects.filter(Q(lease_until=None) | Q(lease_until__lt=now), state=_PENDING)
    following = free.aggregate(next=Min("next_attempt_at"))["next"]
    return None if following is None else max(0.0, (following - now).total_seconds())


def _lease() -> list[OutboxMessage]:
    now = clock.now()
    with transaction.atomic():
        due = (
            OutboxMessage.objects.select_for_update(skip_locked=True)
            .filter(Q(lease_until=None) | Q(lease_until__lt=now), state=_PENDING, next_attempt_at__lte=now)
            .order_by("next_attempt_at", "id")[:AT_ONCE]
        )
        ids = [message.pk for message in due]
        if not ids:
            return []
        lease = uuid.uuid4()
        OutboxMessage.objects.filter(pk__in=ids).update(
            lease=lease, lease_until=now + LEASE, attempts=F("attempts") + 1
        )
        return list(OutboxMessage.objects.filter(lease=lease).order_by("id"))


def _send(batch: Sequence[OutboxMessage], send: Sender) -> int:
    addresses = channels.addresses({message.channel for message in batch})

    def attempt(message: OutboxMessage) -> str:
        address = addresses.get(message.channel)
        if address is None:
            return "The channel is no longer configured."
        letter = Letter(message.dedup_key, message.title, message.body, message.severity, message.detected_at)
        try:
            return send(address, letter)
        except Exception as error:  # a channel's library may fail in any way; the message stays and is tried again
            return f"Sending failed: {type(error).__name__}."

    answers = answers_within(PATIENCE, [partial(attempt, message) for message in batch])
    now = clock.now()
    return sum(
        _mark(message, TOO_SLOW if answer is None else answer, now)
        for message, answer in zip(batch, answers, strict=True)
    )


def _mark(message: OutboxMessage, problem: str, now: datetime) -> bool:
    """Write down the outcome, if the message is still ours."""
    ours = OutboxMessage.objects.filter(pk=message.pk, lease=message.lease, state=_PENDING)
    free = {"lease": None, "lease_until": None}
    if not problem:
        return bool(ours.update(state=OutboxMessage.State.SENT, sent_at=now, last_error="", **free))
    if message.attempts >= MOST_ATTEMPTS:
        with transaction.atomic():
            if ours.update(state=OutboxMessage.State.DEAD, last_error=problem, **free):
                audit.append(
                    actor="system:responses",
                    action="message.died",
                    subject=f"message:{message.pk}",
                    detail={"channel": message.channel, "attempts": message.attempts, "error": problem},
                )
        return False
    ours.update(next_attempt_at=now + pause_after(message.attempts), last_error=problem, **free)
    return False
