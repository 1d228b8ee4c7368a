"""The daily digest: what a person's inbox received since the last one, in one message.

A digest is due once a calendar day of DIGEST_TIME_ZONE from DIGEST_HOUR on. The day is marked and the message laid into
the outbox in one transaction, so that a worker that dies neither loses a digest nor writes it twice; a day without news
has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from apps.common import clock
from apps.responses.channels import channel_of_person
from apps.responses.ladder import rank
from apps.responses.models import MailPreference, Notification, OutboxMessage
from apps.responses.preferences import DAILY

LISTED = 50
KEY = "digest:"
"""How the key of a digest begins; the day follows."""


def digests_write() -> int:
    """Write the digests that are due; how many."""
    if not settings.EMAIL_CONFIGURED:
        return 0
    now = clock.now()
    local = now.astimezone(ZoneInfo(settings.DIGEST_TIME_ZONE))
    if local.hour < settings.DIGEST_HOUR:
        return 0
    today = local.date()
    due = MailPreference.objects.filter(
        Q(digest_day=None) | Q(digest_day__lt=today), mail=DAILY, person__is_active=True
    ).exclude(person__email="")
    return sum(_write(person_id, now, today.isoformat()) for person_id in due.values_list("person_id", flat=True))


@transaction.atomic
def _write(person_id: int, now: datetime, today: str) -> bool:
    chosen = MailPreference.objects.select_for_update().get(person_id=person_id)
    if chosen.mail != DAILY or (chosen.digest_day and chosen.digest_day.isoformat() >= today):
        return False
    since = chosen.digest_until or chosen.since
    news = Notification.objects.filter(person_id=person_id, created_at__gt=since, created_at__lte=now)
    found = list(news.order_by("-created_at", "-id")[: LISTED + 1])
    MailPreference.objects.filter(pk=chosen.pk).update(digest_day=today, digest_until=now)
    if not found:
        return False
    OutboxMessage.objects.create(
        channel=channel_of_person(person_id),
        dedup_key=f"{KEY}{today}",
        title=_title(len(found)),
        body=_body(found),
        severity=max((each.severity for each in found), key=rank),
        detected_at=min(each.detected_at for each in found),
        created_at=now,
        next_attempt_at=now,
    )
    return True


def _title(count: int) -> str:
    if count > LISTED:
        return f"More than {LISTED} new messages"
    return f"{count} new message{'s' if count > 1 else ''}"


def _body(found: Sequence[Notification]) -> str:
    """Worst first, with where to read on; never more than the messages themselves say."""
    worst_first = sorted(found[:LISTED], key=lambda each: -rank(each.severity))
    lines = [f"- {each.title}\n  {settings.PUBLIC_URL}{each.path}" for each in worst_first]
    if len(found) > LISTED:
        lines.append(f"- and more, which your inbox has: {settings.PUBLIC_URL}/")
    return "\n".join(lines)
