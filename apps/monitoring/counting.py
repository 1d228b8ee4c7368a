"""Counting hours: events are joined with attribute codes in memory, reduced to cubes, and the join is gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from apps.inference import selectors as inference
from apps.monitoring.cubes import Counted, CountedHour
from apps.monitoring.people import People
from apps.monitoring.windows import HOUR
from apps.registry.spec import ModelSpec
from apps.vault import enrichment
from biasgov.fairness.cube import OutcomeCube

EVENTS_AT_ONCE = 500_000
HOURS_AT_ONCE = 168
WIDEST_GAP = timedelta(hours=24)


def hours_count(*, spec: ModelSpec, hours: Sequence[datetime]) -> Iterator[list[CountedHour]]:
    """Count hours of a model, as many together as hold about half a million events (at least one, at most a week).

    Must not run inside a transaction, because the vault commits its audit entry before it decrypts.

    Yields
    ------
    list of CountedHour
        In order of time, every hour of `hours` once.

    Raises
    ------
    apps.vault.services.VaultError
        A record of one of the subjects cannot be opened; the hours not yet yielded are not counted.
    """
    waiting, together = sorted(set(hours)), 1
    while waiting:
        taken = _together(waiting, together)
        waiting = waiting[len(taken) :]
        counted, events = _count(spec, taken)
        yield counted
        span = (taken[-1] - taken[0]) / HOUR + 1
        together = int(min(max(span * EVENTS_AT_ONCE / max(events, 1), 1), HOURS_AT_ONCE))


def _together(hours: Sequence[datetime], most: int) -> Sequence[datetime]:
    """The first of `hours` that one pass reads: a span of at most `most` hours without a wide gap."""
    end = 1
    while end < len(hours) and hours[end] - hours[0] < most * HOUR and hours[end] - hours[end - 1] <= WIDEST_GAP:
        end += 1
    return hours[:end]


def _count(spec: ModelSpec, hours: Sequence[datetime]) -> tuple[list[CountedHour], int]:
    start, end = hours[0], hours[-1] + HOUR
    events = inference.events_between(spec.id, start, end)
    cubes: dict[datetime, dict[int, Counted]] = {hour: {} for hour in hours}
    if len(events):
        schema = spec.schema()
        subjects = events.subject.view(np.uint8).reshape(-1, 16)
        codes = enrichment.attribute_codes(
            subjects=subjects,
            axes=schema.axes,
            model=spec.slug,
            hours=(start, end),
        )
        favourable = (events.decision == spec.favourable_decision).astype(np.uint8)
        order = np.lexsort((events.version_id, events.hour))
        hour, version = events.hour[order], events.version_id[order]
        cuts = np.flatnonzero((hour[1:] != hour[:-1]) | (version[1:] != version[:-1])) + 1
        for rows in np.split(order, cuts):
            at = _aware(events.hour[rows[0]])
            if at in cubes:
                here = [axis[rows] for axis in codes]
                cubes[at][int(events.version_id[rows[0]])] = Counted(
                    OutcomeCube.count(schema, here, favourable[rows], events.label[rows], events.score[rows]),
                    People.count(schema, here, subjects[rows]),
                )
    return [CountedHour(at, cubes[at]) for at in hours], len(events)


def _aware(hour: np.datetime64) -> datetime:
    return datetime.fromtimestamp(int(hour.astype("datetime64[s]").astype(np.int64)), UTC)
