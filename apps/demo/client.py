"""A client of the public HTTP API: one connection kept open, bodies of bounded size, errors in plain words."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import msgspec

from apps.demo.declarations import Row
from apps.demo.errors import ApiError

ROWS: Final = 5_000
"""Rows per request: half of what the API takes, about 1 MB of JSON."""

ATTEMPTS: Final = 6
WAIT_AT_MOST: Final = 60.0
TIMEOUT: Final = 120.0
Item = TypeVar("Item")
SILENCE: Final = "no answer"
_PASSING = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the rows that were sent."""

    accepted: int = 0
    duplicates: int = 0

    def __add__(self, other: Sent) -> Sent:
        return Sent(self.accepted + other.accepted, self.duplicates + other.duplicates)


class ApiClient:
    """Speaks to one server with one token. Not for use by several threads at once.

    Every call may be repeated without harm, because the API recognises events, labels and registrations that it has
    seen; so a broken connection, a 429 or a 5xx is tried again.
    """

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{url!r} is not an http:// address.")
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=TIMEOUT)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def model_register(self, body: Row) -> bool:
        """Register a model; False if it was there already."""
        return self._register("/api/v1/models", body)

    def version_register(self, slug: str, body: Row) -> bool:
        """Register a version of a model; False if it was there already."""
        return self._register(f"/api/v1/models/{slug}/versions", body)

    def events(self, slug: str, rows: Iterable[Row]) -> Iterator[Sent]:
        """Send events; yields after every request."""
        return self._batches(f"/api/v1/models/{slug}/events", "events", rows)

    def labels(self, slug: str, rows: Iterable[Row]) -> Iterator[Sent]:
        """Send labels; yields after every request."""
        return self._batches(f"/api/v1/models/{slug}/labels", "labels", rows)

    def attributes(self, rows: Iterable[Row]) -> Iterator[Sent]:
        """Send protected attributes of subjects; yields after every request."""
        for content, _ in ahead(encoded("subjects", rows)):
            answer = self._send("PUT", "/api/v1/attributes", content)
            yield Sent(accepted=int(answer["sealed"]))

    def is_welcome(self) -> bool:
        """Whether the server knows this token."""
        try:
            self.call("GET", "/api/v1/models?limit=1")
        except ApiError as error:
            if error.status == 401:
                return False
            raise
        return True

    def call(self, method: str, path: str, body: Row | None = None) -> Row:
        """One call and its decoded answer. Raises ApiError."""
        return self._send(method, path, b"" if body is None else msgspec.json.encode(body))

    def _send(self, method: str, path: str, content: bytes) -> Row:
        said = SILENCE
        for attempt in range(ATTEMPTS):
            wait = min(0.2 * 2**attempt, WAIT_AT_MOST)
            try:
                status, text, after = self._exchange(method, path, content)
            except (http.client.HTTPException, OSError) as error:
                self._connection.close()
                said = f"{type(error).__name__}: {error}" if said == SILENCE else said
            else:
                if status < 400:
                    return _decoded(text)
                said = _detail(text)
                if status not in _PASSING:
                    raise ApiError(f"{method} {path} answered {status}: {said}", status=status)
                said = f"{status}: {said}"
                wait = min(after or wait, WAIT_AT_MOST)
            if attempt + 1 < ATTEMPTS:
                time.sleep(wait)
        raise ApiError(f"{method} {path} failed {ATTEMPTS} times, at last with {said}")

    def _exchange(self, method: str, path: str, content: bytes) -> tuple[int, bytes, float]:
        """Status, body and the seconds that ``Retry-After`` asks for."""
        self._connection.request(method, path, content, self._headers)
        answer = self._connection.getresponse()
        after = answer.headers.get("Retry-After", "")
        return answer.status, answer.read(), float(after) if after.isdigit() else 0.0

    def _register(self, path: str, body: Row) -> bool:
        try:
            self.call("POST", path, body)
        except ApiError as error:
            if error.status == 409:
                return False
            raise
        return True

    def _batches(self, path: str, kind: str, rows: Iterable[Row]) -> Iterator[Sent]:
        for content, size in ahead(encoded(kind, rows)):
            answer = self._send("POST", path, content)
            if answer["rejected"]:
                first = answer["rejected"][0]
                raise ApiError(
                    f"POST {path} rejected {len(answer['rejected'])} of {size} rows; "
                    f"row {first['index']}: {first['message']}"
                )
            yield Sent(int(answer["accepted"]), int(answer["duplicates"]))


def batched(rows: Iterable[Row], size: int = ROWS) -> Iterator[Sequence[Row]]:
    """Lists of at most `size` rows, in order."""
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def encoded(kind: str, rows: Iterable[Row]) -> Iterator[tuple[bytes, int]]:
    """JSON bodies ``{kind: [...]}`` and the number of rows in each."""
    for batch in batched(rows):
        yield msgspec.json.encode({kind: batch}), len(batch)


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, of which the next one is made in another thread while this one is in use."""
    with ThreadPoolExecutor(max_workers=1) as maker:
        coming = maker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = maker.submit(next, items, None)
            yield item


def _decoded(text: bytes) -> Row:
    answer: Any = msgspec.json.decode(text)
    if not isinstance(answer, dict):
        raise ApiError(f"The server answered with {type(answer).__name__} instead of an object.")
    return answer


def _detail(text: bytes) -> str:
    """The words of a problem document, or the beginning of whatever else was answered."""
    try:
        return str(msgspec.json.decode(text)["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return text[:200].decode(errors="replace")
