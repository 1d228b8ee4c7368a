"""How often people override a model's decisions, by group: counted on the compute side, small groups hidden.

The register says which events were overridden; whose they were only the vault knows. So the events' subjects are
joined with their attribute codes in memory, as hours are, counted, and what would tell of fewer than ten people is
taken out before anything is stored. The decisions that a rate is of are those of the hour cubes.

Periods of 30 days follow each other and each is counted once, two days after its end. Windows that overlap would give
individuals away: the register tells who came in between two of them, and the difference of their counts in which group.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from django.db import transaction

from apps.audit import services as audit
from apps.common import clock
from apps.inference import selectors as inference
from apps.monitoring.code_version import code_version
from apps.monitoring.cubes import WindowCube, window_cubes
from apps.monitoring.disclosure import Hidden, hidden_groups, hidden_of_table
from apps.monitoring.models import OverrideRates
from apps.monitoring.telling import Telling
from apps.monitoring.windows import LONGEST
from apps.overrides import selectors as overrides
from apps.registry.spec import ModelSpec
from apps.vault import enrichment
from biasgov.fairness.intervals import normal_quantile, wilson
from biasgov.fairness.schema import TAIL, Axis

WINDOW = "30d"
CONFIDENCE = 0.95
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Where the first period began: periods are the same for every model, and nobody chooses them."""
SETTLED = timedelta(days=2)
"""How long after its end a period is counted, so that overrides told late are in it."""

Codes = npt.NDArray[np.int16]
Counts = npt.NDArray[np.int64]


def override_rates_due(now: datetime) -> list[tuple[int, datetime]]:
    """Models (ids) with overrides in a period that has settled and is not counted yet, with the period's end."""
    due = []
    for as_of in _ends(now):
        wanted = overrides.models_with_overrides(as_of - LONGEST, as_of)
        done = set(OverrideRates.objects.filter(as_of=as_of, model_id__in=wanted).values_list("model_id", flat=True))
        due += [(model_id, as_of) for model_id in wanted if model_id not in done]
    return due


def override_rates_count(*, spec: ModelSpec, as_of: datetime) -> bool:
    """Count the overrides of the period that ends at `as_of` by group, and store the rates; False if that is done.

    Must not run inside a transaction, because the vault commits its audit entry before it decrypts.

    Raises
    ------
    apps.vault.services.VaultError
        A record of one of the subjects cannot be opened.
    """
    start = as_of - LONGEST
    found = overrides.overridden_between(spec.id, start, as_of)
    schema = spec.schema()
    windows = window_cubes(spec.id, as_of, schema)
    subjects = inference.subjects_of(spec.id, [(each.event_key, each.occurred_at) for each in found])
    codes = enrichment.attribute_codes(
        subjects=subjects, axes=schema.axes, model=spec.slug, hours=(start, as_of), purpose="decision overrides"
    )
    favourable = np.array([each.to_decision == spec.favourable_decision for each in found], bool)
    with transaction.atomic():
        telling = Telling(spec, as_of)
        hidden = hidden_groups(windows, spec.plan(), telling.holding)[WINDOW]
        document = {
            "model": spec.slug,
            "from": start.isoformat(),
            "as_of": as_of.isoformat(),
            "decisions": int(windows[WINDOW].cube.n.sum()),
            "overrides": len(found),
            "in_favour": int(favourable.sum()),
            "confidence": CONFIDENCE,
            "attributes": {
                axis.name: _groups(axis, code, favourable, subjects, windows[WINDOW], hidden)
                for axis, code in zip(schema.axes, codes, strict=True)
            },
            "code_version": code_version(),
        }
        stored = _store(spec, start, as_of, document)
        telling.finish()
    return stored


def _groups(
    axis: Axis,
    code: Codes,
    favourable: npt.NDArray[np.bool_],
    subjects: npt.NDArray[np.uint8],
    window: WindowCube,
    told_not: Hidden,
) -> list[dict[str, Any]]:
    """One row a group: overrides against and in favour, and how often its decisions were overridden."""
    n: Counts = window.cube.marginal((axis.name,)).n.sum(axis=tuple(range(-len(TAIL), 0)))
    kinds = favourable.astype(np.int64)
    events = np.zeros((len(axis), 2), np.int64)
    np.add.at(events, (code, kinds), 1)
    people = np.stack([_people(code[kinds == kind], subjects[kinds == kind], len(axis)) for kind in (0, 1)], axis=1)
    hidden_in_runs = np.array([(axis.name, label) in told_not.groups for label in axis.labels], bool)
    groups, cells = hidden_of_table(
        people_of_groups=_people(code, subjects, len(axis)), people=people, events=events, hidden=hidden_in_runs
    )
    total = events.sum(axis=1)
    # An hour that waits to be counted again may lack decisions; a rate beyond one would be none.
    rated = ~groups & (n > 0) & (n >= total)
    low, high = wilson(total, np.maximum(n, total), normal_quantile(CONFIDENCE))
    return [
        {
            "group": label,
            "suppressed": bool(groups[place]),
            "decisions": None if groups[place] else int(n[place]),
            "overrides": None if groups[place] else int(total[place]),
            "rate": float(total[place] / n[place]) if rated[place] else None,
            "interval": [float(low[place]), float(high[place])] if rated[place] else [None, None],
            "against": None if cells[place, 0] else int(events[place, 0]),
            "in_favour": None if cells[place, 1] else int(events[place, 1]),
        }
        for place, label in enumerate(axis.labels)
    ]


def _people(code: Codes, subjects: npt.NDArray[np.uint8], levels: int) -> Counts:
    """How many different people are in each group, shape (levels,)."""
    pairs = {(int(level), subject.tobytes()) for level, subject in zip(code, subjects, strict=True)}
    return np.bincount(np.array([level for level, _ in pairs], np.int64), minlength=levels)


def _store(spec: ModelSpec, start: datetime, as_of: datetime, document: dict[str, Any]) -> bool:
    canonical = msgspec.json.encode(document, order="deterministic")
    digest = hashlib.sha256(canonical).hexdigest()
    with transaction.atomic():
        _, fresh = OverrideRates.objects.get_or_create(
            model_id=spec.id,
            as_of=as_of,
            defaults={
                "from_at": start,
                "document": msgspec.json.decode(canonical),
                "digest": digest,
                "computed_at": clock.now(),
            },
        )
        if fresh:
            audit.append(
                actor="system:compute",
                action="override.rates_stored",
                subject=f"model:{spec.slug}",
                detail={"as_of": as_of.isoformat(), "document": digest, "overrides": document["overrides"]},
            )
    return fresh


def _ends(now: datetime) -> list[datetime]:
    """The ends of the last two periods that have settled, the older one first."""
    settled = (now - SETTLED - EPOCH) // LONGEST
    return [EPOCH + (settled - 1) * LONGEST, EPOCH + settled * LONGEST]
