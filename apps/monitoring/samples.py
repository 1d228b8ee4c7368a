"""Individual fairness of a window: measured on a stated sample of its events, because it needs rows and no cube."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from apps.inference import selectors as inference
from apps.inference.selectors import FeatureSample
from apps.monitoring.baselines import Declared
from apps.monitoring.cubes import WindowCube
from apps.monitoring.windows import LENGTHS
from biasgov.fairness.evaluation import Measurement, Policy
from biasgov.fairness.individual import METRIC, measure_individual_fairness

SIZE = 2000
RULE = "smallest_event_keys"
_KEPT = 64

_measured: OrderedDict[tuple[str, float], Measurement] = OrderedDict()


def samples_of(model_id: int, declared: Declared, cubes: Mapping[str, WindowCube]) -> dict[str, FeatureSample]:
    """The sample of every window of a day and more, by window; none where no features are declared. Compute side."""
    if not declared.features:
        return {}
    return {
        window: inference.features_sample(
            model_id=model_id, start=cube.from_at, end=cube.to_at, names=declared.features, size=SIZE
        )
        for window, cube in cubes.items()
        if window in LENGTHS
    }


def sample_described(sample: FeatureSample | None, declared: Declared) -> dict[str, Any]:
    """The member `sample` of a run's document; nothing where no features are declared."""
    if sample is None:
        return {}
    return {
        "sample": {
            "features": list(declared.features),
            "rule": RULE,
            "size": SIZE,
            "n": len(sample),
            "digest": sample.digest,
        }
    }


def measured_on(sample: FeatureSample | None, declared: Declared, policy: Policy) -> tuple[Measurement, ...]:
    """The individual fairness distance of a sample; nothing if nobody declared features or asked for it."""
    if sample is None:
        return () if policy.bound(METRIC).is_open else (_measure(None, {}, policy.confidence),)
    details = sample_described(sample, declared)["sample"]
    key = (details["digest"], policy.confidence)
    # Most evaluations find the sample of the one before: the neighbours need not be looked for again.
    if key not in _measured:
        _measured[key] = _measure(sample, details, policy.confidence)
        if len(_measured) > _KEPT:
            _measured.popitem(last=False)
    return (_measured[key],)


def _measure(sample: FeatureSample | None, details: Mapping[str, Any], confidence: float) -> Measurement:
    features = sample.features if sample is not None else np.zeros((0, 0))
    decision = sample.decision if sample is not None else np.zeros(0)
    return measure_individual_fairness(features, decision, confidence=confidence, details=details)
