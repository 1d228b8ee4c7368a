"""Telling people: one alert for each model and evaluation, in the inbox and by every configured channel."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from apps.common import clock
from apps.registry.spec import ModelSpec
from apps.responses import ladder
from apps.responses.announcements import announce
from apps.responses.findings import step
from apps.responses.ladder import rank
from apps.responses.models import Finding

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
    announce(
        model=spec,
        key=key,
        title=_title(spec, fresh),
        body=_body(fresh),
        severity=fresh[0].severity,
        path=f"/models/{spec.slug}/",
        detected_at=detected_at,
    )
    return key


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
