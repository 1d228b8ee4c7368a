"""What this process has done, for Prometheus. No model is named: anybody may read these."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from prometheus_client import Counter, Gauge

_ROWS = Counter("biasgov_rows", "Rows received by the API", ["kind", "result"])
_ROUND = Gauge("biasgov_round_age_seconds", "Since a side of the pipeline did its last round", ["side"])


def batch(kind: str, *, accepted: int, duplicates: int, rejected: int) -> None:
    """Count one batch of events or labels."""
    _ROWS.labels(kind, "accepted").inc(accepted)
    _ROWS.labels(kind, "duplicate").inc(duplicates)
    _ROWS.labels(kind, "rejected").inc(rejected)


def rounds(ages: Mapping[str, timedelta]) -> None:
    """Say how long ago each side did its last round."""
    for side, age in ages.items():
        _ROUND.labels(side).set(age.total_seconds())
