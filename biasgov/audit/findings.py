"""What a check of an export brings along and what it finds, and the checks that every signed head goes through."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from biasgov.audit.heads import HeadError, SignedHead, check_signature, read_line
from biasgov.audit.stamps import StampError, check_stamp

MOST_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Means:
    """What the verifier brings: keys got by another way, the authority's roots, a file of heads kept elsewhere."""

    keys: tuple[Ed25519PublicKey, ...] = ()
    roots: tuple[x509.Certificate, ...] = ()
    heads: BinaryIO | None = None


@dataclass(slots=True)
class Findings:
    """What a check found; `faults` come in the order of the file, the first bad entry first."""

    format: str = ""
    exported_at: str = ""
    own_key: bool = False
    entries: int = 0
    heads: int = 0
    first_head: SignedHead | None = None
    last_head: SignedHead | None = None
    outside_heads: int = 0
    later_heads: int = 0
    stamps: int = 0
    unchecked_stamps: int = 0
    last_stamp: datetime | None = None
    backdated: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_intact(self) -> bool:
        return not self.faults

    def fault(self, said: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(said)
        elif len(self.faults) == MOST_FAULTS:
            self.faults.append("There is more that does not hold; only the first faults are listed.")

    def note(self, said: str) -> None:
        if len(self.notes) < MOST_FAULTS:
            self.notes.append(said)

    def headed(self, signed: SignedHead) -> None:
        """A head of the export itself."""
        self.heads += 1
        self.first_head, self.last_head = self.first_head or signed, signed


class Stopped(Exception):  # noqa: N818 - the fault is told already
    """Nothing behind this point of the file can be judged."""


@dataclass(slots=True)
class HeadChecks:
    """The heads of one file in their order: signed by a known key, never going back, stamped by the authority."""

    keys: Mapping[bytes, Ed25519PublicKey]
    roots: Sequence[x509.Certificate]
    found: Findings
    last: SignedHead | None = None

    def check(self, signed: SignedHead) -> None:
        when = head_words(signed)
        key = self.keys.get(signed.log_id)
        if key is None:
            self.found.fault(f"{when} names another key than the one that it is checked by.")
        else:
            try:
                check_signature(signed, key)
            except HeadError:
                self.found.fault(f"{when} carries a signature that does not fit it.")
        if not signed.size:
            self.found.fault(f"{when} proves nothing: there is nothing under it.")
        if self.last is not None and (signed.size < self.last.size or signed.timestamp < self.last.timestamp):
            self.found.fault(f"{when} stands behind one that is larger or later.")
        self.last = signed
        if signed.time_stamp:
            self._check_stamp(signed, when)

    def of_file(self, file: BinaryIO) -> Iterator[SignedHead]:
        """The heads of a file that was kept elsewhere, each checked; lines that are none are noted."""
        for number, line in enumerate(file, start=1):
            try:
                signed = read_line(line)
            except HeadError:
                self.found.note(f"Line {number:,} of the file of heads cannot be read and was passed over.")
                continue
            self.check(signed)
            yield signed

    def _check_stamp(self, signed: SignedHead, when: str) -> None:
        if not self.roots:
            self.found.unchecked_stamps += 1
            return
        try:
            at = check_stamp(signed.time_stamp, signed.stamped_bytes, self.roots)
        except StampError as error:
            self.found.fault(f"{when} carries a time stamp that does not hold: {error}.")
            return
        self.found.stamps += 1
        self.found.last_stamp = at


def head_words(signed: SignedHead) -> str:
    return f"The head over {signed.size:,} entries signed at {signed.signed_at:%Y-%m-%d %H:%M:%S} UTC"


def entry_words(data: bytes) -> str:
    """An entry in a few words, for people who must find it."""
    try:
        content = json.loads(data)
        return f"{content['at']}, {content['actor']}, {content['action']}, {content['subject']}"[:200]
    except (ValueError, RecursionError, KeyError, TypeError):
        return "unreadable"
