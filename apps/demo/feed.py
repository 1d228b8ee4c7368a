"""Feeding the models through the public API, from where the last run left off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from tqdm import tqdm

from apps.demo.claims_triage import ClaimsTriage
from apps.demo.client import ApiClient, Sent
from apps.demo.declarations import Source
from apps.demo.income import Income
from apps.demo.memory import DemoMemory, keep
from apps.demo.recidivism import Recidivism
from apps.demo.security_triage import SecurityTriage

SOURCES: Final[Mapping[str, Callable[[datetime], Source]]] = {
    "recidivism": Recidivism,
    "income": Income,
    "security-triage": SecurityTriage,
    "claims-triage": ClaimsTriage,
}
SLICE: Final = timedelta(days=5)
"""How much of a stream is sent before the place is written down."""
FOREVER: Final = datetime.max.replace(tzinfo=UTC)


class Feeder:
    """Sends what has not been sent yet; forgets nothing over runs, and repeats at most one slice after a crash."""

    def __init__(self, client: ApiClient, memory: DemoMemory, home: Path) -> None:
        self._client = client
        self._memory = memory
        self._home = home
        self._sources: dict[str, Source] = {}

    def register(self, *, owner: str) -> None:
        """Register the models and their versions, those that are not there yet.

        Every event names its version, so a version has to be known before the first event that names it comes.
        """
        for slug in SOURCES:
            if slug in self._memory.fed_until:
                continue
            source = self._source(slug)
            declaration = source.declaration
            self._client.model_register(declaration.body(owner=owner))
            for release in declaration.releases:
                body = release.body(released_at=source.released_at(release.version))
                self._client.version_register(slug, body)

    def attributes(self) -> None:
        """Send the protected attributes of every subject, once."""
        for slug in SOURCES:
            if slug in self._memory.attributes_sent:
                continue
            subjects = list(self._source(slug).subjects())
            with _bar(f"{slug}: people", len(subjects)) as bar:
                for sent in self._client.attributes(subjects):
                    bar.update(sent.accepted)
            self._memory.attributes_sent.append(slug)
            keep(self._home, self._memory)

    def history(self, until: datetime) -> Sent:
        """Send everything up to `until`, with progress bars for what takes long."""
        total = Sent()
        for slug in SOURCES:
            gaps = list(self._gaps(slug, until))
            if not gaps:
                continue
            if gaps[-1][1] - gaps[0][0] < timedelta(days=1):
                total += self._slices(slug, gaps, lambda sent: None)
                continue
            with tqdm(desc=f"{slug}: events and labels", unit=" rows", unit_scale=True, leave=True) as bar:
                total += self._slices(slug, gaps, partial(_move, bar))
        return total

    def catch_up(self, until: datetime) -> Sent:
        """Send what happened since the last call, silently."""
        total = Sent()
        for slug in SOURCES:
            total += self._slices(slug, list(self._gaps(slug, until)), lambda sent: None)
        return total

    def _gaps(self, slug: str, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The intervals not sent yet, at most SLICE long; nothing for a model whose stream has ended."""
        start = self._memory.fed_until.get(slug)
        if start is None:
            start = self._source(slug).first
        elif (ended := self._memory.ended_at.get(slug)) is not None and start >= ended:
            return
        while start < until:
            end = min(start + SLICE, until)
            yield start, end
            start = end

    def _slices(self, slug: str, gaps: list[tuple[datetime, datetime]], report: Callable[[Sent], object]) -> Sent:
        total = Sent()
        for start, end in gaps:
            source = self._source(slug)
            for sent in self._client.events(slug, source.events(start, end)):
                report(sent)
                total += sent
            for sent in self._client.labels(slug, source.labels(start, end)):
                report(sent)
                total += sent
            self._memory.fed_until[slug] = end
            if source.last is not None:
                self._memory.ended_at[slug] = source.last
            keep(self._home, self._memory)
        if self._memory.fed_until.get(slug, self._memory.anchor) >= self._memory.ended_at.get(slug, FOREVER):
            self._sources.pop(slug, None)
        return total

    def _source(self, slug: str) -> Source:
        if slug not in self._sources:
            self._sources[slug] = SOURCES[slug](self._memory.anchor)
        return self._sources[slug]


def _move(bar: tqdm[object], sent: Sent) -> None:
    bar.update(sent.accepted + sent.duplicates)


def _bar(title: str, total: int) -> tqdm[object]:
    return tqdm(desc=title, total=total, unit=" rows", unit_scale=True, leave=True)


def present() -> datetime:
    """Now, in UTC. The API refuses events of the future."""
    return datetime.now(UTC)
