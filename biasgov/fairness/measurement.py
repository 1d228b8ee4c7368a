"""One measured number with its uncertainty and everything a later judgement needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

Form = Literal["rate", "ratio", "difference", "absolute_difference", "estimate"]
"""How the value follows from the four counts: a/b, (a/b)/(c/d), a/b - c/d, |a/b - c/d|; `estimate`: it does not."""

GROUP_TOO_SMALL = "group_too_small"
NO_EVENTS = "no_events"
NO_LABELS = "no_labels"
NO_SCORES = "no_scores"
EMPTY_DENOMINATOR = "empty_denominator"
REFERENCE_NOT_ESTIMABLE = "reference_not_estimable"
REFERENCE_RATE_ZERO = "reference_rate_zero"
FEWER_THAN_TWO_GROUPS = "fewer_than_two_groups"
ONE_DECISION = "one_decision_only"
NO_BASELINE = "no_baseline"
NO_FEATURES = "no_features"
CONSTANT_FEATURES = "constant_features"

TWO_AT_ONCE = "newcombe_simultaneous"
"""Method of an interval that holds for two gaps at once, each at half the error (Bonferroni)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A metric of one group, or of all groups together, in one window.

    attribute: a name or names joined by `*`. group: a level, or levels joined by `*`; None for an aggregate.
    reference: what the group is compared with; None for rates, aggregates have the group at the other end
    (min/max, or the widest gap) in `details`.
    value: None if it is not estimable, and then `gap` says why. low, high: the interval's ends; None = unbounded or
    not available.
    n: events of the group in the window (of all known groups for an aggregate). share: n / all events of the window
    (for an aggregate the smallest share among the groups that its value rests on).
    numerator .. reference_denominator: the counts that the value is made of according to `form`, compared exactly.
    p: two-sided p-value of equality before adjustment for multiple tests; None where nothing is tested.
    least_n, least_cell: fewest events, and smallest denominator of the metric, among the groups the value rests on.
    method: how the interval was made. known: False for a group with an unknown attribute, which is never judged.
    """

    metric: str
    attribute: str
    group: str | None
    reference: str | None
    value: float | None
    low: float | None
    high: float | None
    n: int
    share: float
    form: Form
    numerator: int | None
    denominator: int | None
    reference_numerator: int | None
    reference_denominator: int | None
    p: float | None
    least_n: int
    least_cell: int
    method: str
    known: bool
    gap: str | None
    details: Mapping[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, without NaN; exact inverse of `from_dict`."""
        content = {name: getattr(self, name) for name in _FIELDS}
        content["interval"] = [content.pop("low"), content.pop("high")]
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Measurement:
        """Inverse of `to_dict`; other keys are ignored. Raises ValueError if something is missing."""
        try:
            low, high = content["interval"]
            given = {name: content[name] for name in _FIELDS if name not in ("low", "high")}
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a measurement: {error}") from error
        return cls(low=low, high=high, **given)


_FIELDS = tuple(field.name for field in fields(Measurement))
