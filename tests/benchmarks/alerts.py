"""The alert policy as a whole: how often it cries wolf and how late, beside plain rules and the theoretical limit.

`make bench ARGS=alerts` measures the default policy; `python -m tests.benchmarks.alerts --confidence 0.998 --alpha
0.01` prints the same table for another one.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from biasgov.fairness.change_monitor import change_delay, false_changes
from biasgov.fairness.looks import ALERTING
from biasgov.fairness.policy import DEFAULT_POLICY, Policy
from biasgov.fairness.simulation import (
    AlarmStatistics,
    DelayStatistics,
    Rule,
    detection_delay,
    false_alarm_budget,
)
from biasgov.fairness.streams import LOW_RATIO, TPR_GAP
from tests.benchmarks.record import Line

SEED = 31
QUIET_STREAMS = 40
SHIFTED_STREAMS = 40
GOAL_PER_YEAR = 1.0
GOAL_DELAY = 1.5
CELLS = tuple((events, groups, 0.3) for events in (100, 1_000, 10_000) for groups in (2, 5)) + tuple(
    (events, 2, 0.6) for events in (100, 1_000, 10_000)
)
"""Events a day, groups, selection rate."""

_HORIZONS = {100: 8_760, 1_000: 4_380, 10_000: 720}
"""Hours that are watched after a change, by events a day."""

_RULES: tuple[Rule, ...] = ("point", "bootstrap")
_DECISION_INTERVALS = (5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Cell:
    """What was measured of one volume, number of groups and selection rate."""

    events: int
    groups: int
    selection_rate: float
    quiet: AlarmStatistics
    plain: dict[Rule, AlarmStatistics]
    ratio: DelayStatistics
    gap: DelayStatistics
    changes: dict[float, tuple[AlarmStatistics, DelayStatistics]]

    @property
    def name(self) -> str:
        return f"{self.events}_{self.groups}_{self.selection_rate:g}"

    @property
    def meets_goals(self) -> tuple[bool, bool, bool]:
        """False alarms, delay for the ratio, delay for the TPR gap."""
        return (self.quiet.per_year <= GOAL_PER_YEAR, self.ratio.ratio <= GOAL_DELAY, self.gap.ratio <= GOAL_DELAY)


def lines() -> list[Line]:
    """The default policy: one line a cell for its false alarms, its two delays and the change point."""
    cells = _measure(DEFAULT_POLICY, ALERTING)
    print(table(cells))  # noqa: T201
    return [line for cell in cells for line in _lines_of(cell)]


def table(cells: list[Cell]) -> str:
    """All cells as text, and in how many of them the goals are met."""
    header = (
        "events/day", "groups", "rate", "false alarms/year", "point", "bootstrap",
        "ratio .7: delay", "of limit", "TPR gap .1: delay", "of limit", "change h=5", "change h=10",
    )  # fmt: skip
    rows: list[tuple[str, ...]] = [header]
    for cell in cells:
        rows.append(
            (
                f"{cell.events:,}",
                str(cell.groups),
                f"{cell.selection_rate:g}",
                f"{cell.quiet.per_year:.2f} ({cell.quiet.low:.2f} to {cell.quiet.high:.2f})",
                *(f"{cell.plain[rule].per_year:,.0f}" for rule in _RULES),
                *_delay(cell.ratio),
                *_delay(cell.gap),
                *(
                    f"{alarms.per_year:.1f}/year, {delay.hours:,.0f} h, {delay.ratio:.1f} x"
                    for alarms, delay in cell.changes.values()
                ),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    text = ["  ".join(part.ljust(width) for part, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    met = [sum(kept) for kept in zip(*(cell.meets_goals for cell in cells), strict=True)]
    by_metric: dict[str, int] = {}
    for cell in cells:
        for metric, alarms in cell.quiet.by_metric.items():
            by_metric[metric] = by_metric.get(metric, 0) + alarms
    text.append(
        f"Goals met, of {len(cells)} cells: at most {GOAL_PER_YEAR:g} false alarm a model and year {met[0]}; "
        f"median delay at most {GOAL_DELAY:g} times the limit: ratio {met[1]}, TPR gap {met[2]}."
    )
    text.append(f"Metrics in false alarms: {by_metric or 'none'}.")
    return "\n".join(text)


def _measure(policy: Policy, windows: Mapping[str, int]) -> list[Cell]:
    cells = []
    for events, groups, selection_rate in CELLS:
        population: dict[str, Any] = {
            "events_per_day": events,
            "groups": groups,
            "selection_rate": selection_rate,
            "seed": SEED,
        }
        quiet = {**population, "streams": QUIET_STREAMS}
        shifted = {**population, "streams": SHIFTED_STREAMS, "horizon_hours": _HORIZONS[events]}
        cells.append(
            Cell(
                events,
                groups,
                selection_rate,
                quiet=false_alarm_budget(policy, windows=windows, **quiet),
                plain={rule: false_alarm_budget(policy, rule=rule, **quiet) for rule in _RULES},
                ratio=detection_delay(policy, LOW_RATIO, windows=windows, **shifted),
                gap=detection_delay(policy, TPR_GAP, windows=windows, **shifted),
                changes={
                    h: (false_changes(h=h, **quiet), change_delay(LOW_RATIO, h=h, **shifted))
                    for h in _DECISION_INTERVALS
                },
            )
        )
    return cells


def _lines_of(cell: Cell) -> list[Line]:
    where = f"{cell.events:,} events a day, {cell.groups} groups, selection rate {cell.selection_rate:g}"
    quiet = cell.quiet
    ours = quiet.per_year if quiet.alarms else quiet.high
    found = [
        Line(
            id=f"alerts_false_{cell.name}_{rule}",
            what=f"false alarms under parity, {where}; 95 % interval {quiet.low:.2f} to {quiet.high:.2f}",
            ours=quiet.per_year,
            unit="a model and year",
            peer=rule,
            peer_value=cell.plain[rule].per_year,
            # Two rules without a single alarm cannot be told apart.
            ratio=cell.plain[rule].per_year / ours if cell.plain[rule].alarms else None,
        )
        for rule in _RULES
    ]
    watched = [("ratio", "a true ratio of 0.7", cell.ratio), ("tpr_gap", "a true TPR gap of 0.1", cell.gap)]
    for h, (alarms, delay) in cell.changes.items():
        said = f"the change to 0.7, CUSUM h={h:g}, {alarms.per_year:.2f} false a year"
        watched.append((f"change_h{h:g}", said, delay))
    for name, what, delay in watched:
        if math.isfinite(delay.events):
            found.append(
                Line(
                    id=f"alerts_delay_{cell.name}_{name}",
                    what=f"median delay to detect {what}, {where}: {delay.hours:,.0f} h",
                    ours=delay.events,
                    unit="events a group",
                    peer="fixed-sample test",
                    peer_value=delay.limit,
                    ratio=delay.limit / delay.events,
                )
            )
    return found


def _delay(delay: DelayStatistics) -> tuple[str, str]:
    if math.isinf(delay.hours):
        return f"not in half of {delay.streams}", "-"
    out = f", {delay.already_alarmed} in alarm" if delay.already_alarmed else ""
    return f"{delay.hours:,.0f} h, {delay.events:,.0f} events{out}", f"{delay.ratio:.2f} x"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--confidence", type=float, default=DEFAULT_POLICY.alert_confidence)
    parser.add_argument("--alpha", type=float, default=DEFAULT_POLICY.alpha)
    parser.add_argument("--minimum-group", type=int, default=DEFAULT_POLICY.minimum_group)
    parser.add_argument("--windows", default="", help="hours, by commas; 24,168,720: no early ones")
    given = parser.parse_args()
    policy = replace(
        DEFAULT_POLICY, alert_confidence=given.confidence, alpha=given.alpha, minimum_group=given.minimum_group
    )
    windows = {f"{hours}h": int(hours) for hours in given.windows.split(",") if hours} or ALERTING
    start = time.perf_counter()
    print(table(_measure(policy, windows)))  # noqa: T201
    print(f"{time.perf_counter() - start:,.0f} s")  # noqa: T201


if __name__ == "__main__":
    main()
