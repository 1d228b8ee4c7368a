"""A client that keeps a model's status at hand, so that a gateway can ask before every decision without waiting.

`StatusClient.check` answers from memory. A thread of the client's own asks the server every few seconds (and is
answered "not modified" as long as nothing changed), checks signature, model, validity and order, puts the new status in
the place of the old one in one assignment, and acknowledges it once it is in effect. What is not to be relied on is not
used, and when the last status that was is no longer valid, the declared mode decides:

- ``Failing.CLOSED``: without a valid status nothing is decided;
- ``Failing.OPEN``: without a valid status everything is decided that was not restricted when the client last knew. A
  restriction that was once seen stays until a newer status lifts it.
"""

from __future__ import annotations

import json
import logging
import os
import random
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from biasgov.client.status import Status, StatusError, public_key, verify

logger = logging.getLogger(__name__)

LARGEST = 256 * 1024
LONGEST_PAUSE = 60.0
Clock = Callable[[], datetime]


class Failing(Enum):
    """What happens while no valid status is known; there is no default, somebody must decide."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a decision may be made, and on what that rests.

    basis: ``status`` (a valid one), ``last restriction`` (no longer valid, but nobody has lifted it), ``failing open``
    or ``failing closed``. sequence: of the status, None without one.
    """

    allowed: bool
    basis: str
    reason: str
    restriction_id: int | None
    sequence: int | None

    def __bool__(self) -> bool:
        return self.allowed


class StatusClient:
    """Keeps the status of one model fresh; safe to use from many threads.

    Parameters
    ----------
    url
        Where biasgov answers, without a path: ``https://fairness.example.org``.
    model, token
        The model's slug, and a token with the scope ``read`` that may see it.
    keys
        The public keys to trust, as `manage.py status_key` prints them; two while a key is changed.
    gateway
        This gateway's name in acknowledgements; gateways that share a token need names of their own.
    failing
        See `Failing`.
    refresh, timeout
        Seconds between two questions, and that one may take.
    leeway
        Seconds by which the clocks of both may differ.
    memory
        A file that keeps the newest status seen, so that after a restart an older one is refused and a restriction is
        not forgotten.

    Raises
    ------
    ValueError
        No key to trust, a key that is none, or a memory that cannot be relied on.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str,
        token: str,
        keys: Sequence[str],
        gateway: str,
        failing: Failing,
        refresh: float = 5.0,
        timeout: float = 3.0,
        leeway: float = 30.0,
        memory: Path | None = None,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._address = f"{url.rstrip('/')}/api/v1/models/{quote(model, safe='')}/status"
        self._model, self._gateway, self._failing = model, gateway, Failing(failing)
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._keys: list[Ed25519PublicKey] = [public_key(each) for each in keys]
        if not self._keys:
            raise ValueError("a client that trusts no key can rely on nothing: give the server's public key")
        self._refresh, self._timeout, self._leeway = refresh, timeout, timedelta(seconds=leeway)
        self._memory, self._clock = memory, clock
        self._status = self._remembered()
        self._acknowledged = -1
        self._failures = 0
        self._round = threading.Lock()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Ask once, then go on asking in the background. Harmless when repeated."""
        with self._round:
            if self._thread is not None:
                return
            self._end.clear()
            self._thread = threading.Thread(target=self._keep_fresh, name=f"status of {self._model}", daemon=True)
        self.refresh()
        self._thread.start()

    def stop(self) -> None:
        """End the background questions; `check` goes on answering from what is known."""
        thread, self._thread = self._thread, None
        self._end.set()
        if thread is not None and thread.is_alive():
            thread.join()

    @property
    def status(self) -> Status | None:
        """The newest status that was accepted, valid or not."""
        return self._status

    def check(self, decision_type: str) -> Answer:
        """Whether the model may decide this now. Answers at once; asks nobody."""
        status = self._status
        if status is not None and self._is_valid(status):
            return self._said(status, decision_type, "status")
        if self._failing is Failing.CLOSED:
            return Answer(False, "failing closed", "No valid status of the model is known.", None, _sequence(status))
        if status is not None and status.restriction is not None:
            return self._said(status, decision_type, "last restriction")
        return Answer(True, "failing open", "No valid status of the model is known.", None, _sequence(status))

    def refresh(self) -> bool:
        """Ask the server now and acknowledge what is new; whether a valid status is known afterwards."""
        with self._round:
            try:
                self._ask()
                self._acknowledge()
            except (OSError, HTTPException, ValueError) as problem:
                self._failures += 1
                logger.warning("The status of %s could not be refreshed: %s", self._model, _words(problem))
            else:
                self._failures = 0
        return self._status is not None and self._is_valid(self._status)

    def _keep_fresh(self) -> None:
        while not self._end.wait(self._pause()):
            self.refresh()

    def _pause(self) -> float:
        """The usual pause, longer after failures, never the same for all gateways."""
        pause = min(self._refresh * 2.0 ** min(self._failures, 6), max(LONGEST_PAUSE, self._refresh))
        return pause * random.uniform(0.8, 1.2)  # noqa: S311 - to spread questions, not to keep a secret

    def _ask(self) -> None:
        known = self._status
        headers = {"If-None-Match": f'"{known.etag}"'} if known is not None else {}
        document = self._call("GET", self._address, headers=headers)
        if document is None:
            return
        status = verify(document, self._keys, model=self._model)
        if status.issued_at > self._clock() + self._leeway:
            raise StatusError(f"it is issued in the future, at {status.issued_at.isoformat()}")
        if not self._is_valid(status):
            raise StatusError(f"it was valid until {status.valid_until.isoformat()}")
        if _place(status) < _place(known):
            raise StatusError(
                f"number {status.sequence} is older than number {_sequence(known)}, which was seen before"
            )
        self._status = status
        if _sequence(known) != status.sequence:
            self._remember(document)

    def _acknowledge(self) -> None:
        """Tell the server which status is in effect here; once for each number."""
        status = self._status
        if status is None or status.sequence == self._acknowledged:
            return
        body = json.dumps({"gateway": self._gateway, "sequence": status.sequence}).encode()
        self._call("POST", f"{self._address}/ack", body=body, headers={"Content-Type": "application/json"})
        self._acknowledged = status.sequence

    def _call(self, method: str, address: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Any:
        """The decoded answer, None for "not modified". Raises OSError, HTTPException or ValueError."""
        request = urllib.request.Request(  # noqa: S310 - the address is the operator's
            address, body, {**self._headers, **headers}, method=method
        )
        try:
            with _opener.open(request, timeout=self._timeout) as answer:
                content = answer.read(LARGEST + 1)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 304:
                    return None
                raise
        if len(content) > LARGEST:
            raise StatusError(f"the answer is larger than {LARGEST} bytes")
        return json.loads(content)

    def _is_valid(self, status: Status) -> bool:
        return self._clock() <= status.valid_until + self._leeway

    def _said(self, status: Status, decision_type: str, basis: str) -> Answer:
        restriction = status.restriction
        if restriction is None or not restriction.blocks(decision_type):
            return Answer(True, basis, "", None, status.sequence)
        return Answer(False, basis, restriction.reason, restriction.id, status.sequence)

    def _remembered(self) -> Status | None:
        """The newest status seen before the start: no longer valid perhaps, but signed."""
        if self._memory is None or not self._memory.exists():
            return None
        return verify(json.loads(self._memory.read_bytes()), self._keys, model=self._model)

    def _remember(self, document: Any) -> None:
        if self._memory is None:
            return
        beside = self._memory.with_name(f"{self._memory.name}.new")
        beside.write_text(json.dumps(document))
        os.replace(beside, self._memory)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token goes to the address that was configured and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def _place(status: Status | None) -> tuple[int, datetime]:
    """Where a status stands in the order of all of its model's."""
    return (-1, datetime.min.replace(tzinfo=UTC)) if status is None else (status.sequence, status.issued_at)


def _sequence(status: Status | None) -> int | None:
    return None if status is None else status.sequence


def _words(problem: Exception) -> str:
    with suppress(AttributeError):
        return f"HTTP {problem.code} {problem.reason}"  # type: ignore[attr-defined]
    return str(problem) or type(problem).__name__
