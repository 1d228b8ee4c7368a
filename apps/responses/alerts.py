"""Telling people of findings: one message for each model and evaluation, with everything in it that is news.

News are a finding that nobody was told of, one that has grown more severe than people were told, and one that has
climbed. News is told aloud where it makes its cause worse than people know it: the first finding of a cause, a severity
or a rung that none of its open findings was told with, a protected attribute that none of them was about. The rest is
noted: it waits with its cause in the inbox, and stands in the daily digest. A silence holds news back until it ends,
but never a rise in severity and never the upper rungs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from apps.accounts.roles import BOARD, OFFICER
from apps.common import clock
from apps.common.wording import shortened
from apps.registry.spec import ModelSpec
from apps.responses import ladder
from apps.responses.announcements import announce
from apps.responses.causes import attributes_of
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

    Returns the ids of the findings that were told of, aloud or not. The messages' keys depend on them and the moment
    alone: whoever computes them again gets the same, and the tables take each once.
    """
    news = [finding for finding in findings if is_news(finding)]
    silences = silences_of(spec.id) if news else ()
    heard = [finding for finding in news if not any(each.holds_back(finding) for each in silences)]
    heard.sort(key=lambda each: (-rank(each.severity), each.pk))
    known = _known({finding.cause_id for finding in heard})
    worse = {finding.cause_id for finding in heard if known[finding.cause_id].is_made_worse_by(finding)}
    new = all(finding.alerted_at is None for finding in heard)
    loud = [each for each in heard if each.cause_id in worse and _tell(each, ladder.ALERTED, as_of)]
    quiet = [each for each in heard if each.cause_id not in worse and _tell(each, ladder.NOTED, as_of)]
    if loud:
        _announce(spec, loud, _title(spec, loud, new=new), as_of, detected_at)
    if quiet:
        number = f"{len(quiet)} further findings" if len(quiet) > 1 else "a further finding"
        said = f"{spec.name}: {number} of a known cause, {quiet[0].severity}"
        _announce(spec, quiet, shortened(said, 200), as_of, detected_at, quietly=True)
    return tuple(finding.pk for finding in (*loud, *quiet))


@dataclass(slots=True)
class Known:
    """What people know of a cause: the worst that they were told of its open findings, and whom they are about."""

    severity: int = -1
    height: int = 0
    attributes: set[str] = field(default_factory=set)

    def is_made_worse_by(self, finding: Finding) -> bool:
        return (
            rank(finding.severity) > self.severity
            or height(finding.tier) > self.height
            or not attributes_of(finding.attribute) <= self.attributes
        )


def _known(cause_ids: Collection[int | None]) -> dict[int | None, Known]:
    """By cause; findings without one are known of nothing. One query."""
    known = {cause_id: Known() for cause_id in cause_ids}
    told = Finding.objects.filter(
        cause_id__in=[each for each in known if each], state=Finding.State.OPEN, alerted_at__isnull=False
    )
    for cause_id, attribute, severity, tier in told.values_list("cause_id", "attribute", "told_severity", "told_tier"):
        each = known[cause_id]
        each.severity, each.height = max(each.severity, rank(severity)), max(each.height, height(tier))
        each.attributes |= attributes_of(attribute)
    return known


def _announce(
    spec: ModelSpec,
    told: Sequence[Finding],
    title: str,
    as_of: datetime,
    detected_at: datetime,
    *,
    quietly: bool = False,
) -> None:
    escalated = any(finding.tier == ladder.ESCALATE for finding in told)
    announce(
        model=spec,
        key=dedup_key(told, as_of),
        title=title,
        body=_body(told),
        severity=told[0].severity,
        path=f"/models/{spec.slug}/",
        detected_at=detected_at,
        roles=(OFFICER, BOARD) if escalated else (OFFICER,),
        quietly=quietly,
    )


def is_news(finding: Finding) -> bool:
    """Whether people were told less of it than is the case."""
    if finding.alerted_at is None:
        return True
    return rank(finding.severity) > rank(finding.told_severity) or height(finding.tier) > height(finding.told_tier)


def dedup_key(findings: Sequence[Finding], as_of: datetime) -> str:
    """The same for the same findings at the same moment, in whatever order."""
    numbers = ",".join(str(each) for each in sorted(finding.pk for finding in findings))
    return f"alert-{hashlib.sha256(f'{as_of.isoformat()} {numbers}'.encode()).hexdigest()[:32]}"


def _tell(finding: Finding, event: str, as_of: datetime) -> bool:
    return step(
        finding,
        event,
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
