"""Computing a run again, as its page tells it: what came of it in a sentence, then digests, then numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.accounts.permissions import may, may_somewhere
from apps.dashboards.words import Badge, attribute_name, group_name, metric_name
from apps.monitoring import selectors as monitoring
from apps.monitoring.selectors import RecomputationRow, RunRow
from apps.registry.spec import ModelSpec

RECOMPUTE = "run.recompute"
_BADGES = {
    "same": Badge("within", "the same"),
    "different": Badge("breach", "different"),
    "inputs_changed": Badge("plain", "other inputs"),
    "inputs_gone": Badge("plain", "inputs not kept"),
    "code_changed": Badge("inconclusive", "other code"),
}
_WAITING, _FAILED = Badge("inconclusive", "waits"), Badge("stale", "could not be computed")


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest as it was stored and as it is now; `now` is "" where it is not told."""

    name: str
    stored: str
    now: str

    @property
    def same(self) -> bool:
        return self.stored == self.now


@dataclass(frozen=True, slots=True)
class Difference:
    what: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Again:
    """One time that the run was to be computed again."""

    status: Badge
    say: str
    asked_by: str
    asked_at: datetime
    computed_at: datetime | None
    digests: tuple[Digest, ...]
    differences: tuple[Difference, ...]
    more: int


@dataclass(frozen=True, slots=True)
class RecomputePanel:
    """newest: what came of it last. newer: the run that took this one's place, if one did."""

    newest: Again | None
    earlier: tuple[Again, ...]
    waiting: bool
    newer: int | None
    may_ask: bool


def panel_of(user: Any, run: RunRow, spec: ModelSpec) -> RecomputePanel:
    """What the page shows to this person; three queries beside those for the person's roles."""
    rows = monitoring.recomputations_of(run.id)
    newest = monitoring.revisions(run.id)[-1]
    lines = tuple(_again(each) for each in rows)
    waiting = bool(rows) and rows[0].state == "waiting"
    return RecomputePanel(
        newest=lines[0] if lines else None,
        earlier=lines[1:],
        waiting=waiting,
        newer=newest.id if newest.id != run.id else None,
        may_ask=not waiting and may_somewhere(user, RECOMPUTE) and may(user, RECOMPUTE, spec),
    )


def _again(row: RecomputationRow) -> Again:
    result = row.result
    differences = tuple(_difference(each) for each in result.get("differences", ()))
    return Again(
        status={"waiting": _WAITING, "failed": _FAILED}.get(row.state) or _BADGES[row.outcome],
        say=_say(row),
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        computed_at=row.computed_at,
        digests=tuple(
            Digest(name, result[stored], result[now])
            for name, stored, now in (
                ("outputs", "stored_digest", "recomputed_digest"),
                ("cubes", "stored_cubes", "cubes"),
                ("code", "stored_code", "code"),
            )
        )
        if result
        else (),
        differences=differences,
        more=result.get("differing", 0) - len(differences),
    )


def _say(row: RecomputationRow) -> str:
    if row.state == "waiting":
        return "The compute side is to compute this run again; that takes some seconds."
    if row.state == "failed":
        return row.note
    number = row.result["differing"]
    results = f"{number} result{'s' if number != 1 else ''}"
    missing = row.result["missing"]
    kept = "one of its hour cubes is" if missing == 1 else f"{missing:,} of its hour cubes are"
    return {
        "same": "Every number is the same, to the last byte.",
        "different": f"{results} differ although inputs and code are the same. That must not be: tell the operators.",
        "code_changed": f"{results} differ. The run was computed by another version of the code, from the same inputs."
        if number
        else "The numbers are the same. The code is another version, and the document reads differently in its bytes.",
        "inputs_changed": "It cannot be compared: late decisions, outcomes or attributes have changed the counts "
        "since. The newest revision says what they are now.",
        "inputs_gone": f"It cannot be compared: {kept} kept no longer, as the model's retention says.",
    }[row.outcome]


def _difference(given: Mapping[str, Any]) -> Difference:
    who = f", {group_name(given['group'])}" if given["group"] else ""
    changes = tuple(f"{name}: {_text(stored)} → {_text(now)}" for name, (stored, now) in given["changed"].items())
    return Difference(f"{metric_name(given['metric'])} by {attribute_name(given['attribute'])}{who}", changes)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " to ".join(map(_text, value))
    return "–" if value is None else f"{value:.17g}" if isinstance(value, float) else str(value)
