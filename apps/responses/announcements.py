"""Telling people: in the inbox and by every configured channel, in the transaction of what is told."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from itertools import chain

from django.conf import settings
from django.db import transaction

from apps.accounts.roles import OFFICER
from apps.accounts.selectors import owners_of, people_with_role
from apps.common import clock
from apps.registry.spec import ModelSpec
from apps.responses.models import Notification, OutboxMessage


@transaction.atomic
def announce(
    *,
    model: ModelSpec | None,
    key: str,
    title: str,
    body: str,
    severity: str,
    path: str,
    detected_at: datetime,
    roles: Sequence[str] = (OFFICER,),
) -> None:
    """Tell the model's owners and the people in `roles`, in the inbox and by every channel; once for each `key`.

    `key` has at most 100 characters; `path` is where to read on, below PUBLIC_URL.
    """
    now = clock.now()
    told = chain(*map(people_with_role, roles), owners_of(model.id) if model else ())
    people = {person.pk: person for person in told}
    Notification.objects.bulk_create(
        [
            Notification(
                person=person,
                model_id=model.id if model else None,
                dedup_key=key,
                title=title,
                body=body,
                severity=severity,
                path=path,
                detected_at=detected_at,
                created_at=now,
            )
            for person in people.values()
        ],
        ignore_conflicts=True,
    )
    OutboxMessage.objects.bulk_create(
        [
            OutboxMessage(
                channel=channel_of(url),
                dedup_key=key,
                title=title,
                body=f"{body}\n\n{settings.PUBLIC_URL}{path}",
                severity=severity,
                detected_at=detected_at,
                created_at=now,
                next_attempt_at=now,
            )
            for url in settings.NOTIFICATION_URLS
        ],
        ignore_conflicts=True,
    )


def channel_of(url: str) -> str:
    """The name of a notification address in the tables: its kind and a fingerprint, since the address holds secrets."""
    return f"{url.partition(':')[0][:30]}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
