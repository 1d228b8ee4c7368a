"""Checking an export of the audit log by oneself: `biasgov verify-audit`. Streams, whatever the log's length.

The tree is built from the hash that each line states, and each line's content is held against its hash. So a changed
entry is named where only it was changed; where its hash was changed with it, or lines were taken out, put in or moved,
the first signed head behind it no longer fits and says between which places that was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from biasgov.audit import bundle
from biasgov.audit.bundle import BundleError, ConsistencyLine, EntryLine, Header
from biasgov.audit.findings import Findings, HeadChecks, Means, Stopped, entry_words, head_words
from biasgov.audit.heads import SignedHead, log_id
from biasgov.audit.merkle import (
    ConsistencyProof,
    Frontier,
    InclusionProof,
    ProofError,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)

SLACK = timedelta(hours=1)
"""By how much an entry's time may lie before a head that does not cover it yet: the longest a transaction takes."""

AHEAD = timedelta(minutes=5)
"""By how much an entry's time may lie behind a head that covers it: clocks of two machines differ."""

_AT = re.compile(rb',"at":"([0-9T:.-]{26}Z)","detail":')


def verify(file: BinaryIO, means: Means) -> Findings:
    """Check an export. Raises BundleError only for a file that is none at all: its header cannot be read."""
    header = bundle.read_header(file)
    found = Findings(header.format, header.exported_at, own_key=not means.keys)
    keys = means.keys or (bundle.read_key(header.public_key),)
    checks = HeadChecks({log_id(key): key for key in keys}, means.roots, found)
    try:
        _CHECKS[header.format](_Export(header, bundle.read_lines(file), checks, means.heads, found))
    except BundleError as error:
        found.fault(str(error))
    except Stopped:
        pass
    return found


@dataclass(frozen=True, slots=True)
class _Export:
    """A file under check."""

    header: Header
    lines: Iterator[tuple[int, bundle.Line]]
    checks: HeadChecks
    outside: BinaryIO | None
    found: Findings

    def outside_heads(self) -> Iterator[SignedHead]:
        """The heads that were kept elsewhere, if any were given."""
        if self.outside is not None:
            yield from replace(self.checks, last=None).of_file(self.outside)

    def heads(self, wanted: int) -> list[SignedHead]:
        """The heads that a proof is about."""
        heads = [line for _, (_, line) in zip(range(wanted), self.lines, strict=False) if isinstance(line, SignedHead)]
        if len(heads) != wanted:
            raise BundleError("Behind the header there must be " + ("a signed head." if wanted == 1 else "two heads."))
        for head in heads:
            self.checks.check(head)
            self.found.headed(head)
        if not all(head.size for head in heads):
            raise Stopped
        return heads

    def check_count(self) -> None:
        if self.found.entries != self.header.entries:
            self.found.fault(
                f"The file ends behind {self.found.entries:,} entries; its header promises {self.header.entries:,}."
            )
        elif not self.found.entries:
            self.found.fault("The export holds no entry. An empty log proves nothing: it records its own beginning.")


def _check_log(export: _Export) -> None:
    found, tree = export.found, _Tree(export.found)
    others = _Outside(export)
    for number, line in export.lines:
        if isinstance(line, EntryLine) and line.path is None:
            _check_place(line, tree.size, number, found)
            tree.add(line, number)
            others.compare(tree)
        elif isinstance(line, SignedHead):
            _check_reach(line, tree.size, number, found)
            export.checks.check(line)
            tree.compare(line)
            found.headed(line)
        else:
            raise BundleError(f"Line {number:,} does not belong into an export of the whole log.")
    export.check_count()
    if found.last_head is None:
        found.fault("The export holds no signed head, so nobody vouches for it.")
    elif found.last_head.size < tree.size:
        found.fault(f"The last {tree.size - found.last_head.size:,} entries stand under no signed head.")
    others.finish(tree)


def _check_place(line: EntryLine, expected: int, number: int, found: Findings) -> None:
    if line.leaf_index > expected:
        found.fault(f"Entry {expected:,} is missing: line {number:,} holds entry {line.leaf_index:,} in its place.")
    elif line.leaf_index < expected:
        found.fault(f"Line {number:,} holds entry {line.leaf_index:,} where entry {expected:,} must stand.")
    if line.leaf_index != expected:
        raise Stopped


def _check_reach(signed: SignedHead, size: int, number: int, found: Findings) -> None:
    if signed.size == size:
        return
    why = "entries before it are missing" if signed.size > size else "it is out of its place"
    found.fault(f"{head_words(signed)} stands behind {size:,} entries (line {number:,}): {why}.")
    raise Stopped


class _Tree:
    """The tree over the stated hashes as it grows, and up to where it fits the heads."""

    def __init__(self, found: Findings) -> None:
        self.found = found
        self.frontier = Frontier()
        self.good = 0
        self.forked = False
        self.earliest = b""
        self.latest: tuple[bytes, EntryLine | None] = (b"", None)

    @property
    def size(self) -> int:
        return self.frontier.size

    def add(self, line: EntryLine, number: int) -> None:
        if leaf_hash(line.data) != line.leaf_hash:
            self.found.fault(_changed(line, number))
        at = _AT.search(line.data)
        if at and at[1] < self.earliest:
            self.found.backdated += 1
            if self.found.backdated == 1:
                self.found.note(
                    f"Entry {line.leaf_index:,} ({entry_words(line.data)}) carries a time more than an hour before a "
                    "signed head that does not cover it yet: it was written later than it says."
                )
        if at and at[1] > self.latest[0]:
            self.latest = at[1], line
        self.frontier.append(line.leaf_hash)
        self.found.entries = self.frontier.size

    def compare(self, signed: SignedHead, *, source: str = "") -> None:
        self.earliest = _written(signed.signed_at - SLACK)
        at, line = self.latest
        if line is not None and at > _written(signed.signed_at + AHEAD):
            said = f"Entry {line.leaf_index:,} ({entry_words(line.data)})"
            self.found.note(f"{said} carries a time later than the signed head that covers it.")
            self.latest = b"", None
        if self.frontier.head == signed.head:
            self.good = self.size
        elif not self.forked:
            self.forked = True
            first, last = self.good, signed.size - 1
            where = f"Entry {first:,}" if first == last else f"One of the entries {first:,} to {last:,}"
            if first > last:
                where = f"Something before entry {signed.size:,}"
            self.found.fault(
                f"{where} was changed, taken out, put in or moved: {head_words(signed)}{source} has another root."
            )


class _Outside:
    """Heads that were kept elsewhere, walked along with the export."""

    def __init__(self, export: _Export) -> None:
        self.found = export.found
        self.exported_at = _moment(export.header.exported_at)
        self.heads = export.outside_heads()
        self.waiting = next(self.heads, None)

    def compare(self, tree: _Tree) -> None:
        while self.waiting is not None and self.waiting.size <= tree.size:
            self.found.outside_heads += 1
            if self.waiting.size == tree.size:
                tree.compare(self.waiting, source=" in the file of heads")
            self.waiting = next(self.heads, None)

    def finish(self, tree: _Tree) -> None:
        while self.waiting is not None:
            if self.exported_at is None or self.waiting.signed_at <= self.exported_at:
                self.found.fault(
                    f"{head_words(self.waiting)} in the file of heads covers more than the {tree.size:,} entries of "
                    "this export, which says that it was made later: its end was cut off."
                )
                return
            self.found.later_heads += 1
            self.waiting = next(self.heads, None)


def _check_part(export: _Export) -> None:
    found = export.found
    (head,) = export.heads(1)
    _check_known(head, export)
    before = -1
    for number, line in export.lines:
        if not isinstance(line, EntryLine) or line.path is None:
            raise BundleError(f"Line {number:,} is no entry with its proof.")
        if line.leaf_index <= before:
            found.fault(f"Entry {line.leaf_index:,} (line {number:,}) stands behind entry {before:,}.")
        before = line.leaf_index
        if leaf_hash(line.data) != line.leaf_hash:
            found.fault(_changed(line, number))
        try:
            verify_inclusion(InclusionProof(line.leaf_index, head.size, line.path), line.leaf_hash, head.head)
        except ProofError as error:
            found.fault(f"{_named(line, number)} is not shown to be in the log: {error}.")
        found.entries += 1
    export.check_count()


def _check_consistency(export: _Export) -> None:
    old, new = export.heads(2)
    _check_known(new, export)
    _, proof = next(export.lines, (0, None))
    if not isinstance(proof, ConsistencyLine) or next(export.lines, None) is not None:
        raise BundleError("Behind the two heads there must be one proof and nothing else.")
    try:
        verify_consistency(ConsistencyProof(old.size, new.size, proof.path), old.head, new.head)
    except ProofError as error:
        export.found.fault(f"The later head is not shown to continue the earlier: {error}.")


def _check_known(head: SignedHead, export: _Export) -> None:
    """One size has one root: a head that was kept elsewhere with another is a fork."""
    for kept in export.outside_heads():
        if kept.size == head.size:
            export.found.outside_heads += 1
            if kept.head != head.head:
                export.found.fault(f"{head_words(kept)} in the file of heads has another root than this export's.")
                return


def _named(line: EntryLine, number: int) -> str:
    return f"Entry {line.leaf_index:,} (line {number:,}: {entry_words(line.data)})"


def _changed(line: EntryLine, number: int) -> str:
    return f"{_named(line, number)} is not what was logged: its content does not fit its hash."


def _written(at: datetime) -> bytes:
    """A time as entries write it, so that the two can be compared as they are."""
    return at.replace(tzinfo=None).isoformat(timespec="microseconds").encode() + b"Z"


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_CHECKS: dict[str, Callable[[_Export], None]] = {
    bundle.LOG: _check_log,
    bundle.PART: _check_part,
    bundle.CONSISTENCY: _check_consistency,
}
