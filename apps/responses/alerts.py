"""Telling people of findings: one message for each model and evaluation, with everything in it that is news.

News are a finding that nobody was told of, one that has grown more severe than people were told, and one that has
climbed. A silence holds news back until it ends, but never a rise in severity and never the upper rungs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from apps.accounts.roles import BOARD, OFFICER
from apps.common import clock
from apps.common.wording import shortened
from apps.registry.spec import ModelSpec
from apps.responses import ladder
from apps.responses.announcements import announce
from apps.responses.ladder import height, rank
from apps.responses.models import Finding
from apps.responses.silences import silences_of
from apps.responses.steps import step

LISTED = 10
RUNGS = {
    ladder.ALERT: "alert",
    ladder.MONITOR: "monitored closer",
    ladder.RESTRICT: "restriction",
    ladder.ESCALATE: "escalated to the ethics board",
}


def alert(spec: ModelSpec, findings: Sequence[Finding], *, as_of: datetime, detected_at: datetime) -> tuple[int, ...]:
    """Tell the officers and the model's owners what is news of `findings`, and the board what escalated.

    Returns the ids of the findings that were told of. The message's key depends on them and the moment alone: whoever
    computes it again gets the same, and the tables take it once.
    """
    news = [finding for finding in findings if is_news(finding)]
    silences = silences_of(spec.id) if news else ()
    loud = [finding for finding in news if not any(each.holds_back(finding) for each in silences)]
    new = all(finding.alerted_at is None for finding in loud)
    told = [
        finding for finding in sorted(loud, key=lambda each: (-rank(each.severity), each.pk)) if _tell(finding, as_of)
    ]
    if not told:
        return ()
    escalated = any(finding.tier == ladder.ESCALATE for finding in told)
    announce(
        model=spec,
        key=dedup_key(told, as_of),
        title=_title(spec, told, new=new),
        body=_body(told),
        severity=told[0].severity,
        path=f"/models/{spec.slug}/",
        detected_at=detected_at,
        roles=(OFFICER, BOARD) if escalated else (OFFICER,),
    )
    return tuple(finding.pk for finding in told)


def is_news(finding: Finding) -> bool:
    """Whether people were told less of it than is the case."""
    if finding.alerted_at is None:
        return True
    return rank(finding.severity) > rank(finding.told_severity) or height(finding.tier) > height(finding.told_tier)


def dedup_key(findings: Sequence[Finding], as_of: datetime) -> str:
    """The same for the same findings at the same moment, in whatever order."""
    numbers = ",".join(str(each) for each in sorted(finding.pk for finding in findings))
    return f"alert-{hashlib.sha256(f'{as_of.isoformat()} {numbers}'.encode()).hexdigest()[:32]}"


def _tell(finding: Finding, as_of: datetime) -> bool:
    return step(
        finding,
        ladder.ALERTED,
        run_id=finding.run_id,
        as_of=as_of,
        changes={
            "alerted_at": finding.alerted_at or clock.now(),
            "told_severity": finding.severity,
            "told_tier": finding.tier,
        },
        only_if={
            "alerted_at": finding.alerted_at,
            "told_severity": finding.told_severity,
            "told_tier": finding.told_tier,
        },
    )


def _title(spec: ModelSpec, findings: Sequence[Finding], *, new: bool) -> str:
    fresh = "new " if new else ""
    number = f"a {fresh}finding" if len(findings) == 1 else f"{len(findings)} {fresh}findings"
    highest = max((finding.tier for finding in findings), key=height)
    what = f", {RUNGS[highest]}" if highest != ladder.ALERT else ""
    return shortened(f"{spec.name}: {number}, {findings[0].severity}{what}", 200)


def _body(findings: Sequence[Finding]) -> str:
    lines = [f"- {finding.sentence} ({_standing(finding)})" for finding in findings[:LISTED]]
    more = len(findings) - LISTED
    if more > 0:
        lines.append(f"- and {more} more")
    return "\n".join(lines)


def _standing(finding: Finding) -> str:
    if finding.tier == ladder.ALERT:
        return finding.severity
    return f"{finding.severity}; {RUNGS[finding.tier]}: {finding.entered[finding.tier]['why']}"
