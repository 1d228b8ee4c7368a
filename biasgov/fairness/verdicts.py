"""Measurement and policy make a verdict: within, breach, inconclusive or not estimable. Never two, always four."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

from biasgov.fairness.intervals import normal_quantile
from biasgov.fairness.looks import looks_a_year
from biasgov.fairness.measurement import TWO_AT_ONCE, Measurement
from biasgov.fairness.policy import Bound, Policy
from biasgov.fairness.schema import SEPARATOR
from biasgov.fairness.significance import holm

Verdict = Literal["within", "breach", "inconclusive", "not_estimable"]

UNKNOWN_GROUP = "unknown_group"
GROUP_TOO_SMALL = "group_too_small"
REFERENCE_TOO_SMALL = "reference_too_small"
CELL_TOO_SMALL = "cell_too_small"
BELOW_MINIMUM_SHARE = "below_minimum_share"
INTERVAL_REACHES_BOUND = "interval_reaches_bound"
NO_INTERVAL = "no_interval"
NOT_SIGNIFICANT = "not_significant"
NO_BOUND = "no_bound"

Key = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True)
class Result:
    """A measurement as one policy judges it.

    reason: why it is inconclusive or not estimable; `no_bound` where nothing was asked of it; else None.
    severity: of a breach only. decided_by_window: the narrowest window from this one on that is conclusive, and
    decided_verdict what it says (see `decide_by_window`).
    """

    measurement: Measurement
    p_adjusted: float | None
    bound: Bound
    verdict: Verdict
    severity: str | None
    reason: str | None
    decided_by_window: str | None = None
    decided_verdict: Verdict | None = None

    @property
    def metric(self) -> str:
        return self.measurement.metric

    @property
    def attribute(self) -> str:
        return self.measurement.attribute

    @property
    def group(self) -> str | None:
        return self.measurement.group

    @property
    def reference(self) -> str | None:
        return self.measurement.reference

    @property
    def value(self) -> float | None:
        return self.measurement.value

    @property
    def interval(self) -> tuple[float | None, float | None]:
        return self.measurement.low, self.measurement.high

    @property
    def n(self) -> int:
        return self.measurement.n

    @property
    def key(self) -> Key:
        """What stays the same from window to window."""
        return self.metric, self.attribute, self.group

    @property
    def judged(self) -> bool:
        """Whether a bound was put to a known group: only then does the verdict say something about fairness."""
        return self.measurement.known and not self.bound.is_open

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, without NaN; exact inverse of `from_dict`."""
        return {
            **self.measurement.to_dict(),
            "p_adjusted": self.p_adjusted,
            "bound": self.bound.to_dict(),
            "verdict": self.verdict,
            "severity": self.severity,
            "reason": self.reason,
            "judged": self.judged,
            "decided_by_window": self.decided_by_window,
            "decided_verdict": self.decided_verdict,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Result:
        """Inverse of `to_dict`. Raises ValueError if something is missing."""
        try:
            return cls(
                measurement=Measurement.from_dict(content),
                p_adjusted=content["p_adjusted"],
                bound=_bound(**content["bound"]),
                verdict=content["verdict"],
                severity=content["severity"],
                reason=content["reason"],
                decided_by_window=content["decided_by_window"],
                decided_verdict=content["decided_verdict"],
            )
        except KeyError as error:
            raise ValueError(f"not a result: {error} is missing") from error
        except TypeError as error:
            raise ValueError(f"not a result: {error}") from error


@lru_cache(maxsize=256, typed=True)
def _bound(lower: float | None, upper: float | None) -> Bound:
    """One bound for all the results that were held against it: a long past has few bounds and many results."""
    return Bound.from_dict({"lower": lower, "upper": upper})


def judge(measurements: Iterable[Measurement], policy: Policy, *, hours: float | None = None) -> tuple[Result, ...]:
    """Verdicts in the order of the measurements; needs nothing but them, so a stored run can be judged again.

    Families for Holm's method are the p-values of one metric over the groups of all single attributes, over those of
    all declared pairs, and so on by the number of attributes joined; an aggregate is a family by itself.
    hours: length of a window that is looked at every hour; its p-values are adjusted for a year of looks as well
    (`looks.looks_a_year`). None: this is the only look.
    """
    measured = tuple(measurements)
    looks = 1.0 if hours is None else looks_a_year(hours)
    return tuple(_judge(one, p, policy) for one, p in zip(measured, _adjusted(measured, looks), strict=True))


def judge_again(stored: Result, policy: Policy, *, confidence: float) -> Result:
    """A stored result as another policy would have judged it.

    confidence: of the stored interval, that is of the policy which judged it. Under the same confidence the answer is
    what `judge` would have said; under another one the interval's ends are carried there as `carried` does. The
    adjusted p-value stays: Holm's method asks nothing of a policy. Which window decides is not said again.
    """
    return _judge(carried(stored.measurement, confidence, policy.confidence), stored.p_adjusted, policy)


def side_of_bound(measurement: Measurement, bound: Bound) -> int:
    """-1 below the lower bound, 1 above the upper one, 0 within, ends included.

    Ratios and differences of counted rates are compared in integers: (2/3)/(5/6) is 0.7999999999999999 in floating
    point, yet exactly 4/5.
    """
    lower, upper = bound.exact_lower, bound.exact_upper
    if measurement.value is None or (lower is None and upper is None):
        return 0
    top, bottom = exact_value(measurement)
    if lower is not None and top * lower.denominator < lower.numerator * bottom:
        return -1
    if upper is not None and top * upper.denominator > upper.numerator * bottom:
        return 1
    return 0


def exact_value(measurement: Measurement) -> tuple[int, int]:
    """The value as an integer fraction with a positive denominator, from its counts where it has them."""
    a, b = measurement.numerator, measurement.denominator
    c, d = measurement.reference_numerator, measurement.reference_denominator
    if measurement.form == "rate" and a is not None and b:
        return a, b
    if a is not None and b and c is not None and d:
        if measurement.form == "ratio" and c:
            return a * d, b * c
        if measurement.form == "difference":
            return a * d - c * b, b * d
        if measurement.form == "absolute_difference":
            return abs(a * d - c * b), b * d
    value = Fraction(measurement.value or 0.0)
    return value.numerator, value.denominator


def decide_by_window(windows: Mapping[str, Sequence[Result]]) -> dict[str, tuple[Result, ...]]:
    """Say for every result which window decided it.

    windows: results by window, narrowest first ("24h", "7d", "30d"). A conclusive result is decided by its own
    window; an inconclusive one by the next wider window where the same metric, attribute and group is conclusive.
    Where no window is, and for what is not estimable, both fields stay None. The verdicts themselves do not change.
    """
    names = list(windows)
    by_key = [{result.key: result for result in windows[name]} for name in names]
    decided: dict[str, tuple[Result, ...]] = {}
    for place, name in enumerate(names):
        filled = []
        for result in windows[name]:
            window, verdict = None, None
            if result.verdict in ("within", "breach"):
                window, verdict = name, result.verdict
            elif result.verdict == "inconclusive":
                for wider in range(place + 1, len(names)):
                    there = by_key[wider].get(result.key)
                    if there is not None and there.verdict in ("within", "breach"):
                        window, verdict = names[wider], there.verdict
                        break
            filled.append(replace(result, decided_by_window=window, decided_verdict=verdict))
        decided[name] = tuple(filled)
    return decided


def _adjusted(measurements: Sequence[Measurement], looks: float) -> list[float | None]:
    adjusted = [one.p for one in measurements]
    families: dict[tuple[str, int], list[int]] = {}
    for place, one in enumerate(measurements):
        if one.p is not None and one.group is not None:
            families.setdefault((one.metric, one.attribute.count(SEPARATOR)), []).append(place)
    for places in families.values():
        values = holm([adjusted[place] or 0.0 for place in places]).tolist()
        for place, value in zip(places, values, strict=True):
            adjusted[place] = value
    return [None if p is None else min(p * looks, 1.0) for p in adjusted]


def _judge(measurement: Measurement, p: float | None, policy: Policy) -> Result:
    bound = policy.bound(measurement.metric)
    verdict: Verdict = "inconclusive"
    severity = None
    if measurement.gap is not None:
        verdict, reason = "not_estimable", measurement.gap
    elif not measurement.known:
        reason = UNKNOWN_GROUP
    elif (small := _too_small(measurement, policy)) is not None:
        reason = small
    elif bound.is_open:
        return Result(measurement, p, bound, "within", None, NO_BOUND)
    elif (side := side_of_bound(measurement, bound)) == 0:
        return Result(measurement, p, bound, "within", None, None)
    else:
        distance = _distance(measurement, measurement.low, measurement.high, bound, side)
        evidence = _distance(measurement, *_alert_interval(measurement, policy), bound, side)
        if distance is None or evidence is None:
            reason = NO_INTERVAL
        elif evidence <= 0:
            reason = INTERVAL_REACHES_BOUND
        elif p is not None and p >= policy.alpha:
            reason = NOT_SIGNIFICANT
        else:
            return Result(measurement, p, bound, "breach", policy.severity(distance), None)
    return Result(measurement, p, bound, verdict, severity, reason)


def _too_small(measurement: Measurement, policy: Policy) -> str | None:
    """Why the groups are too small to be judged either way: a verdict that could only be green would be none."""
    if measurement.least_n < policy.minimum_group:
        alone = measurement.group is None or measurement.n < policy.minimum_group
        return GROUP_TOO_SMALL if alone else REFERENCE_TOO_SMALL
    if measurement.least_cell < policy.minimum_cell:
        return CELL_TOO_SMALL
    if measurement.share < policy.minimum_share:
        return BELOW_MINIMUM_SHARE
    return None


def at_alert_confidence(measurement: Measurement, policy: Policy) -> Measurement:
    """The measurement with its interval carried from the policy's confidence to its alert confidence."""
    low, high = _alert_interval(measurement, policy)
    return replace(measurement, low=low, high=high)


def carried(measurement: Measurement, confidence: float, wanted: float) -> Measurement:
    """The measurement with its interval, which has `confidence`, carried to the confidence `wanted`.

    Each end moves away from the value by the ratio of the two normal quantiles, on the logarithmic scale for a ratio.
    It is exact for a normal estimate and close for the score intervals; how the rule as a whole behaves is simulated.
    An interval made of two at half the error each stays one: the quantiles are those of the two.
    """
    if wanted == confidence:
        return measurement
    low, high = _carried_interval(measurement, confidence, wanted)
    return replace(measurement, low=low, high=high)


def _alert_interval(measurement: Measurement, policy: Policy) -> tuple[float | None, float | None]:
    return _carried_interval(measurement, policy.confidence, max(policy.alert_confidence, policy.confidence))


def _carried_interval(measurement: Measurement, confidence: float, wanted: float) -> tuple[float | None, float | None]:
    wider = _quantile(measurement, wanted) / _quantile(measurement, confidence)
    value = measurement.value
    if wider == 1 or value is None:
        return measurement.low, measurement.high

    def moved(end: float | None) -> float | None:
        if end is None:
            return None
        if measurement.form == "ratio" and value > 0 and end > 0:
            return float(value * (end / value) ** wider)
        return value + (end - value) * wider

    return moved(measurement.low), moved(measurement.high)


def _quantile(measurement: Measurement, confidence: float) -> float:
    return normal_quantile((1 + confidence) / 2 if measurement.method == TWO_AT_ONCE else confidence)


def _distance(measurement: Measurement, low: float | None, high: float | None, bound: Bound, side: int) -> float | None:
    """How far the nearer end of an interval of the measurement lies beyond the bound; None without that end.

    Ratios above the upper bound are turned over first, so that 1.25 to 2.5 is as far as 0.8 to 0.4.
    """
    if side < 0:
        return None if high is None or bound.lower is None else bound.lower - high
    if low is None or bound.upper is None:
        return None
    if measurement.form == "ratio" and bound.upper > 0:
        return 1 / bound.upper - 1 / low if low > 0 else -1.0
    return low - bound.upper
