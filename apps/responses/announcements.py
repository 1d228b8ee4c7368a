"""Telling people: in the inbox and by every configured channel, in the transaction of what is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import chain

from django.conf import settings
from django.db import transaction

from apps.accounts.models import User
from apps.accounts.roles import OFFICER
from apps.accounts.selectors import owners_of, people_with_role
from apps.common import clock
from apps.registry.spec import ModelSpec
from apps.responses.channels import channel_of, channel_of_person
from apps.responses.models import Notification, OutboxMessage
from apps.responses.preferences import mailed_at_once


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
    people: Sequence[User] = (),
    quietly: bool = False,
) -> None:
    """Tell the model's owners, `people` and those in `roles`: in the inbox, by mail as each of them prefers, and by
    every channel of the house; once for each `key`.

    `key` has at most 100 characters; `path` is where to read on, below PUBLIC_URL. `quietly` interrupts nobody: the
    message stands among those that were read, and in the daily digest.
    """
    now = clock.now()
    named = chain(people, *map(people_with_role, roles), owners_of(model.id) if model else ())
    told = {person.pk: person for person in named}
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
                read_at=now if quietly else None,
            )
            for person in told.values()
        ],
        ignore_conflicts=True,
    )
    if quietly:
        return
    channels = [channel_of(url) for url in settings.NOTIFICATION_URLS]
    channels += [channel_of_person(person_id) for person_id in mailed_at_once(told.values(), severity)]
    OutboxMessage.objects.bulk_create(
        [
            OutboxMessage(
                channel=channel,
                dedup_key=key,
                title=title,
                body=f"{body}\n\n{settings.PUBLIC_URL}{path}",
                severity=severity,
                detected_at=detected_at,
                created_at=now,
                next_attempt_at=now,
            )
            for channel in channels
        ],
        ignore_conflicts=True,
    )
