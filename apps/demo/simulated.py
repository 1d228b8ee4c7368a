"""What the two simulated models have in common: a population, an hourly stream, labels that come later."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from apps.demo.declarations import Declaration, Row
from apps.demo.stream import HOUR, Cases, Evidence, Floats, draw_hour, hours_between

HISTORY = timedelta(days=45)


class SimulatedModel(ABC):
    """A stream that began 45 days before `anchor` and goes on.

    Labels of an hour are handed over together, `label_delay` after its end: people close their cases and a
    nightly or hourly export brings what they found.
    """

    declaration: Declaration
    seed: ClassVar[int]
    per_day: ClassVar[int]
    population: ClassVar[int]
    evidence: ClassVar[Evidence]
    label_delay: ClassVar[timedelta]

    def __init__(self, anchor: datetime) -> None:
        self.first: datetime = (anchor - HISTORY).replace(minute=0, second=0, microsecond=0)
        self.last: datetime | None = None

    @abstractmethod
    def attributes(self) -> Sequence[Mapping[str, str]]:
        """The attributes of every subject, by its number; empty where nobody knows them."""

    @abstractmethod
    def seen(self, cases: Cases) -> Floats:
        """The evidence as the model sees it, which may be less than there is."""

    @abstractmethod
    def version(self, at: datetime) -> str:
        """The version that decides at that moment."""

    def released_at(self, version: str) -> datetime:
        return self.first

    def details(self, cases: Cases, index: int) -> Row:
        """Further fields of an event, such as features; none by default."""
        return {}

    def subjects(self) -> Iterator[Row]:
        for number, attributes in enumerate(self.attributes()):
            if attributes:
                yield {"subject_id": self._subject(number), "attributes": dict(attributes)}

    def events(self, start: datetime, end: datetime) -> Iterator[Row]:
        for hour in hours_between(max(start, self.first), end):
            cases = self._cases(hour)
            scores = self.evidence.score(self.seen(cases))
            favourable = self.favourable(cases)
            for index in range(len(cases.second)):
                occurred_at = cases.moment(index)
                if start <= occurred_at < end:
                    yield {
                        "event_id": self._event(hour, index),
                        "subject_id": self._subject(int(cases.subject[index])),
                        "occurred_at": occurred_at,
                        "version": self.version(occurred_at),
                        "decision": int(favourable[index]),
                        "score": round(float(scores[index]), 6),
                        **self.details(cases, index),
                    }

    def labels(self, start: datetime, end: datetime) -> Iterator[Row]:
        lag = HOUR + self.label_delay
        for hour in hours_between(max(start - lag, self.first), end - lag + HOUR):
            observed_at = hour + lag
            if start <= observed_at < end:
                for index, positive in enumerate(self._cases(hour).positive):
                    yield {
                        "event_id": self._event(hour, index),
                        "label": int(positive),
                        "observed_at": observed_at,
                    }

    def favourable(self, cases: Cases) -> npt.NDArray[np.bool_]:
        """The decision: favourable from the cut on."""
        return self.seen(cases) >= self.evidence.cut

    def _cases(self, hour: datetime) -> Cases:
        return draw_hour(self.seed, hour, per_day=self.per_day, subjects=self.population, evidence=self.evidence)

    def _event(self, hour: datetime, index: int) -> str:
        return f"{self.declaration.slug}-{hour:%Y%m%dT%H}-{index:04d}"

    def _subject(self, number: int) -> str:
        return f"{self.declaration.slug}-{number}"
