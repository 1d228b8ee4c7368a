"""Telling people: one alert for each model and evaluation, in the inbox and by every configured channel."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from itertools import chain

from django.conf import settings

from apps.accounts.roles import OFFICER
from apps.accounts.selectors import owners_of, people_with_role
from apps.common import clock
from apps.registry.spec import ModelSpec
from apps.responses import ladder
from apps.responses.findings import step
from apps.responses.ladder import rank
from apps.responses.models import Finding, Notification, OutboxMessage

LISTED = 10


def alert(spec: ModelSpec, findings: Sequence[Finding], *, as_of: datetime, detected_at: datetime) -> str:
    """Alert the officers and the model's owners to those of `findings` that nobody was told of; "" if there are none.

    Returns the alert's deduplication key, which depends on the findings alone: whoever computes it again, gets the
    same, and the tables take it once.
    """
    now = clock.now()
    fresh = [
        finding
        for finding in sorted(findings, key=lambda each: (-rank(each.severity), each.pk))
        if finding.alerted_at is None
        and step(
            finding,
            ladder.ALERTED,
            run_id=finding.run_id,
            as_of=as_of,
            changes={"alerted_at": now},
            only_if={"alerted_at": None},
        )
    ]
    if not fresh:
        return ""
    key = dedup_key(fresh)
    title, body = _title(spec, fresh), _body(fresh)
    people = {person.pk: person for person in chain(people_with_role(OFFICER), owners_of(spec.id))}
    Notification.objects.bulk_create(
        [
            Notification(
                person=person,
                model_id=spec.id,
                dedup_key=key,
                title=title,
                body=body,
                severity=fresh[0].severity,
                path=f"/models/{spec.slug}/",
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
                body=f"{body}\n\n{settings.PUBLIC_URL}/models/{spec.slug}/",
                severity=fresh[0].severity,
                detected_at=detected_at,
                created_at=now,
                next_attempt_at=now,
            )
            for url in settings.NOTIFICATION_URLS
        ],
        ignore_conflicts=True,
    )
    return key


def channel_of(url: str) -> str:
    """The name of a notification address in the tables: its kind and a fingerprint, since the address holds secrets."""
    return f"{url.partition(':')[0][:30]}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"


def dedup_key(findings: Sequence[Finding]) -> str:
    """The same for the same findings, in whatever order."""
    numbers = ",".join(str(each) for each in sorted(finding.pk for finding in findings))
    return f"alert-{hashlib.sha256(numbers.encode()).hexdigest()[:32]}"


def _title(spec: ModelSpec, findings: Sequence[Finding]) -> str:
    number = "a new finding" if len(findings) == 1 else f"{len(findings)} new findings"
    return f"{spec.name}: {number}, {findings[0].severity}"[:200]


def _body(findings: Sequence[Finding]) -> str:
    lines = [f"- {finding.sentence} ({finding.severity})" for finding in findings[:LISTED]]
    more = len(findings) - LISTED
    if more > 0:
        lines.append(f"- and {more} more")
    return "\n".join(lines)
