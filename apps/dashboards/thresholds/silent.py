"""Bounds that never alert while complaints come in: where the two registers meet, since neither may read the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from apps.common import clock
from apps.dashboards.words import metric_name
from apps.incidents import selectors as incidents
from apps.registry.selectors import ModelName
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses
from apps.thresholds import selectors as thresholds

LOOKED_BACK = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class SilentBounds:
    """A model with complaints, and its bounds that raised no alert in the same time."""

    slug: str
    name: str
    complaints: int
    metrics: tuple[str, ...]

    @property
    def text(self) -> str:
        came = "1 complaint" if self.complaints == 1 else f"{self.complaints} complaints"
        named = [metric_name(metric) for metric in self.metrics]
        bounds = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
        many = "s" if len(named) > 1 else ""
        return f"{came} in the last 90 days, and the bound{many} on {bounds} raised no alert."


def silent_bounds(models: Sequence[ModelName | ModelSpec]) -> tuple[SilentBounds, ...]:
    """The models with most complaints first; four queries, however many models."""
    now = clock.now()
    since = now - LOOKED_BACK
    complained = incidents.complaints_since_of([each.id for each in models], since)
    if not complained:
        return ()
    alerted = responses.metrics_alerted(list(complained), since)
    policies = thresholds.policies_in_force(list(complained), now)
    found = [
        SilentBounds(
            slug=each.slug,
            name=each.name,
            complaints=complained[each.id],
            metrics=tuple(
                metric
                for metric, bound in policies[each.id].policy.bounds.items()
                if not bound.is_open and metric not in alerted.get(each.id, ())
            ),
        )
        for each in models
        if each.id in complained and each.id in policies
    ]
    return tuple(sorted((each for each in found if each.metrics), key=lambda each: -each.complaints))
