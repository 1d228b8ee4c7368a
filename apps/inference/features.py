"""A stated sample of decisions with their features: the smallest event keys, which are as good as drawn by lot.

An event's key is a digest of its id, so the smallest keys of a window are a uniform sample of its events that anybody
who has the events finds again, whatever order they arrived in.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt
from django.db import connection

_LARGEST = 1e100
_SPARE = 1.25

# Keys first, then one look-up in the event's own day for each: no join whose cost could grow with the window.
_SAMPLE = """
SELECT picked.event_key, event.decision, picked.features
FROM (
    SELECT event_key, occurred_at, features FROM inference_event_detail
    WHERE model_id = %(model)s AND occurred_at >= %(start)s AND occurred_at < %(end)s
        AND features ?& %(names)s::text[] AND event_key > %(after)s
    ORDER BY event_key LIMIT %(limit)s
) AS picked
CROSS JOIN LATERAL (
    SELECT decision FROM inference_event
    WHERE model_id = %(model)s AND occurred_at = picked.occurred_at AND event_key = picked.event_key LIMIT 1
) AS event
ORDER BY picked.event_key
"""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSample:
    """Decisions as sent (0 or 1), shape (n,), with their features, shape (n, features), in the order of their keys."""

    key: npt.NDArray[np.void]
    """V16."""
    decision: npt.NDArray[np.uint8]
    features: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.key)

    @property
    def digest(self) -> str:
        """SHA-256 over the keys, the decisions and the features (little-endian doubles, row by row)."""
        content = hashlib.sha256(self.key.tobytes())
        content.update(self.decision.tobytes())
        content.update(self.features.astype("<f8").tobytes())
        return content.hexdigest()


def features_sample(*, model_id: int, start: datetime, end: datetime, names: Sequence[str], size: int) -> FeatureSample:
    """The `size` smallest event keys in [start, end) among the events that have every named feature as a number.

    True and false count as 1 and 0; text, lists, null and numbers beyond 1e100 are not numbers here.
    """
    keys: list[bytes] = []
    decisions: list[int] = []
    rows: list[list[float]] = []
    wanted: dict[str, Any] = {"model": model_id, "start": start, "end": end, "names": list(names), "after": UUID(int=0)}
    limit = math.ceil(size * _SPARE)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_SAMPLE, {**wanted, "limit": limit})
            found = cursor.fetchall()
        for key, decision, given in found:
            row = _numbers(given, names)
            if row is not None:
                keys.append(key.bytes)
                decisions.append(decision)
                rows.append(row)
        if len(found) < limit or len(rows) >= size:
            break
        wanted["after"] = found[-1][0]
    return FeatureSample(
        np.frombuffer(b"".join(keys[:size]), "V16"),
        np.array(decisions[:size], np.uint8),
        np.array(rows[:size], np.float64).reshape(len(keys[:size]), len(names)),
    )


def _numbers(given: str, names: Sequence[str]) -> list[float] | None:
    features = msgspec.json.decode(given)
    row = []
    for name in names:
        value = features[name]
        if not isinstance(value, int | float) or abs(value) > _LARGEST:
            return None
        row.append(float(value))
    return row
