"""A simulated stream: every hour is drawn from a generator of its own, seeded by the model and the hour.

So the stream is a function of time: asking twice, in another process or for parts of an hour gives the same events.

The simulated world is the textbook one of two normal distributions. A case is positive with probability `prior`; its
evidence z is normal with deviation 1 around +separation (positive) or -separation (negative). The calibrated score
is then exactly sigmoid(2 * separation * z + logit(prior)), so that every error rate has a closed form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

HOUR = timedelta(hours=1)
DAYTIME = tuple(0.7 + 0.6 * float(np.sin(np.pi * hour / 24)) ** 2 for hour in range(24))
"""Share of the mean hourly volume by hour of day (UTC): a calm night, a busy noon; the mean is 1."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """How well positives can be told from negatives, and from which score on the favourable decision falls.

    `fnr` and `fpr` are the error rates of the calibrated score, the same for everybody.
    """

    prior: float
    fnr: float
    fpr: float

    @property
    def separation(self) -> float:
        """Distance of either mean from 0."""
        return -(NormalDist().inv_cdf(self.fnr) + NormalDist().inv_cdf(self.fpr)) / 2

    @property
    def cut(self) -> float:
        """Evidence from which the decision is favourable."""
        return (NormalDist().inv_cdf(self.fnr) - NormalDist().inv_cdf(self.fpr)) / 2

    def drag(self, fnr: float) -> float:
        """By how much the evidence of a group must be lowered to give it the false negative rate `fnr`."""
        return NormalDist().inv_cdf(fnr) - NormalDist().inv_cdf(self.fnr)

    def score(self, z: Floats) -> Floats:
        """Probability of a positive given evidence `z`."""
        odds = 2 * self.separation * z + np.log(self.prior / (1 - self.prior))
        return np.asarray(1 / (1 + np.exp(-odds)), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases of one hour in order of time; arrays of equal length. `second` counts within the hour."""

    hour: datetime
    second: Floats
    subject: npt.NDArray[np.int64]
    positive: npt.NDArray[np.bool_]
    evidence: Floats
    extra: Floats

    def moment(self, index: int) -> datetime:
        return self.hour + timedelta(milliseconds=round(float(self.second[index]) * 1000))


def draw_hour(seed: int, hour: datetime, *, per_day: int, subjects: int, evidence: Evidence) -> Cases:
    """The cases of the hour that starts at `hour`; `extra` holds uniform numbers for whatever else is simulated."""
    random = np.random.default_rng([seed, int(hour.timestamp()) // 3600])
    n = int(random.poisson(per_day / 24 * DAYTIME[hour.hour]))
    positive = random.random(n) < evidence.prior
    return Cases(
        hour=hour,
        second=np.sort(random.random(n)) * 3599.999,
        subject=random.integers(subjects, size=n),
        positive=positive,
        evidence=random.standard_normal(n) + np.where(positive, evidence.separation, -evidence.separation),
        extra=random.random(n),
    )


def hours_between(start: datetime, end: datetime) -> Iterator[datetime]:
    """Starts of the hours that overlap [start, end)."""
    hour = start.replace(minute=0, second=0, microsecond=0)
    while hour < end:
        yield hour
        hour += HOUR
