"""One line of the benchmark table, and how a thing is timed."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`ours` and `peer_value` in `unit`; `ratio` says how many times better ours is (above 1) than the peer."""

    id: str
    what: str
    ours: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None
    rss_mb: float | None = None


def seconds(work: Callable[[], Any], *, repeats: int = 1, warm: bool = True) -> float:
    """The median wall-clock seconds of `repeats` calls, after one that is not counted when `warm`."""
    if warm:
        work()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def peak_rss_mb() -> float:
    """The most memory that this process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(lines: list[Line]) -> str:
    """The lines as text, ratios first."""
    rows = [("ratio", "id", "ours", "peer", "unit", "RSS MB", "what")]
    for line in lines:
        rows.append(
            (
                f"{line.ratio:,.1f} x" if line.ratio is not None else "",
                line.id,
                f"{line.ours:,.4g}",
                f"{line.peer} {line.peer_value:,.4g}" if line.peer_value is not None else line.peer or "",
                line.unit,
                f"{line.rss_mb:,.0f}" if line.rss_mb else "",
                line.what,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
