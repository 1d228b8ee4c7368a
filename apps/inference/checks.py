"""What an event must be beyond its shape, and the columns of those that pass."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from apps.inference.packing import POSTGRES_EPOCH_MICROSECONDS, microseconds
from apps.inference.shapes import MAXIMUM_FEATURE_BYTES, Event, Label, Rejection
from apps.registry.spec import ModelSpec

FUTURE_TOLERANCE = timedelta(minutes=5)
OLDEST = timedelta(days=3652)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
PROTECTED_MESSAGE = "{!r} is a protected attribute: send attributes to PUT /attributes, never with an event."


@dataclass(frozen=True, slots=True)
class Columns:
    """Accepted rows as aligned arrays, sorted by key, each key once."""

    key: npt.NDArray[np.void]
    occurred_at: npt.NDArray[np.int64]
    version_id: npt.NDArray[np.int32]
    decision: npt.NDArray[np.int16]
    score: npt.NDArray[np.float32]
    label: npt.NDArray[np.int16]
    places: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.key)


def event_keys(ids: Sequence[str]) -> npt.NDArray[np.void]:
    """First 16 bytes of each id's SHA-256: what is stored instead of the id."""
    return np.frombuffer(b"".join([sha256(name.encode()).digest()[:16] for name in ids]), "V16")


def check_events(spec: ModelSpec, events: Sequence[Event], *, now: datetime) -> tuple[Columns, list[Rejection]]:
    """Columns of the good events and the reasons against the others; `places` index into `events`."""
    rejected: dict[int, Rejection] = {}
    count = len(events)
    times = microseconds((event.occurred_at.timestamp() for event in events), count)
    _check_times(times, now, "occurred_at", rejected)
    for field in ("event_id", "subject_id"):
        _check_text([getattr(event, field) for event in events], field, rejected)
    versions = [spec.versions.get(event.version, 0) for event in events]
    if 0 in versions:
        for index, version in enumerate(versions):
            if not version:
                message = "This version of the model is not registered."
                rejected.setdefault(index, Rejection(index, "unknown_version", message, "version"))
    protected = {name.casefold() for name in spec.attribute_names}
    for index, event in enumerate(events):
        if event.features or event.override:
            problem = _details_problem(event, protected)
            if problem:
                rejected.setdefault(index, Rejection(index, *problem))
    columns = Columns(
        key=event_keys([event.event_id for event in events]),
        occurred_at=times,
        version_id=np.array(versions, np.int32),
        decision=np.array([event.decision for event in events], np.int16),
        score=np.array([event.score if type(event.score) is float else np.nan for event in events], np.float32),
        label=np.array([event.label if type(event.label) is int else -1 for event in events], np.int16),
        places=np.arange(count),
    )
    return _sorted_once(columns, without=rejected), [rejected[index] for index in sorted(rejected)]


def check_labels(labels: Sequence[Label], *, now: datetime) -> tuple[Columns, list[Rejection]]:
    """Like `check_events`; `occurred_at` holds the time of observation, and nothing is sorted out as a duplicate."""
    rejected: dict[int, Rejection] = {}
    count = len(labels)
    times = microseconds((label.observed_at.timestamp() for label in labels), count)
    _check_times(times, now, "observed_at", rejected)
    _check_text([label.event_id for label in labels], "event_id", rejected)
    keep = np.array([index for index in range(count) if index not in rejected], np.int64)
    keys = event_keys([label.event_id for label in labels])[keep]
    order = np.lexsort((times[keep], *_halves(keys)))
    keep = keep[order]
    none = np.zeros(len(keep), np.int32)
    columns = Columns(
        key=keys[order],
        occurred_at=times[keep],
        version_id=none,
        decision=none.astype(np.int16),
        score=none.astype(np.float32),
        label=np.array([label.label for label in labels], np.int16)[keep],
        places=keep,
    )
    return columns, [rejected[index] for index in sorted(rejected)]


def _sorted_once(columns: Columns, *, without: dict[int, Rejection]) -> Columns:
    """Without the rejected rows, ordered by key, the first row of each key: concurrent batches lock alike."""
    keep = np.ones(len(columns), bool)
    keep[list(without)] = False
    places = np.flatnonzero(keep)
    low, high = _halves(columns.key[places])
    order = np.lexsort((low, high))
    low, high, places = low[order], high[order], places[order]
    first = np.ones(len(places), bool)
    first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    chosen = places[first]
    return Columns(
        columns.key[chosen],
        columns.occurred_at[chosen],
        columns.version_id[chosen],
        columns.decision[chosen],
        columns.score[chosen],
        columns.label[chosen],
        chosen,
    )


def _halves(keys: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Lower and upper eight bytes as numbers, in the order PostgreSQL gives to uuids."""
    halves = np.ascontiguousarray(keys).view(">u8").reshape(-1, 2).astype(np.uint64)
    return halves[:, 1], halves[:, 0]


def _check_times(times: npt.NDArray[np.int64], now: datetime, field: str, rejected: dict[int, Rejection]) -> None:
    present = round(now.timestamp() * 1e6) - POSTGRES_EPOCH_MICROSECONDS
    latest = present + FUTURE_TOLERANCE // timedelta(microseconds=1)
    oldest = present - OLDEST // timedelta(microseconds=1)
    if not len(times) or (int(times.min()) >= oldest and int(times.max()) <= latest):
        return
    for index in np.flatnonzero(times > latest).tolist():
        message = "This time is more than 5 minutes in the future."
        rejected.setdefault(index, Rejection(index, "time_in_future", message, field))
    for index in np.flatnonzero(times < oldest).tolist():
        message = "This time is more than ten years ago."
        rejected.setdefault(index, Rejection(index, "time_too_old", message, field))


def _check_text(texts: list[str], field: str, rejected: dict[int, Rejection]) -> None:
    if "".join(texts).isprintable():
        return
    for index, text in enumerate(texts):
        if CONTROL.search(text):
            message = "Control characters are not allowed."
            rejected.setdefault(index, Rejection(index, f"invalid_{field}", message, field))


def _details_problem(event: Event, protected: set[str]) -> tuple[str, str, str] | None:
    if event.override:
        for field in ("by", "reason"):
            if "\0" in getattr(event.override, field):
                return "invalid_override", "Control characters are not allowed.", f"override.{field}"
    if not event.features:
        return None
    for name in event.features:
        if name.strip().casefold() in protected:
            return "protected_attribute", PROTECTED_MESSAGE.format(name), f"features.{name}"
    encoded = msgspec.json.encode(event.features)
    if len(encoded) > MAXIMUM_FEATURE_BYTES:
        return "invalid_features", f"Features hold at most {MAXIMUM_FEATURE_BYTES:,} bytes.", "features"
    if b"\\u0000" in encoded and _holds_nul(event.features):
        return "invalid_features", "The character U+0000 is not allowed.", "features"
    return None


def _holds_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\0" in value


def protected_field(spec: ModelSpec, rejection: Rejection) -> Rejection:
    """An unknown field that is one of the model's protected attributes is refused as such."""
    name = rejection.field.rpartition(".")[2]
    if rejection.code != "unknown_field" or name.strip().casefold() not in {
        attribute.casefold() for attribute in spec.attribute_names
    }:
        return rejection
    return Rejection(rejection.index, "protected_attribute", PROTECTED_MESSAGE.format(name), rejection.field)
