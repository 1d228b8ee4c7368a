"""What this process has done, for Prometheus. No model is named: anybody may read these."""

from __future__ import annotations

from prometheus_client import Counter

_ROWS = Counter("biasgov_rows", "Rows received by the API", ["kind", "result"])


def batch(kind: str, *, accepted: int, duplicates: int, rejected: int) -> None:
    """Count one batch of events or labels."""
    _ROWS.labels(kind, "accepted").inc(accepted)
    _ROWS.labels(kind, "duplicate").inc(duplicates)
    _ROWS.labels(kind, "rejected").inc(rejected)
