"""Merkle trees and their proofs, from RFC 9162 section 2.1 (the same tree as in RFC 6962).

Nodes of complete subtrees never change once they exist, so they are kept: node (level, index) is the root over the
2**level leaves that start at leaf ``index * 2**level``. Everything else is derived from them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Nodes = Callable[[int, int], bytes]
"""Looks up node (level, index); level 0 are the leaf hashes."""


class ProofError(Exception):
    """A proof does not show what it claims."""


@dataclass(frozen=True, slots=True)
class TreeHead:
    """The number of leaves and the root over them."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Shows that a leaf stands at `index` of the tree with `size` leaves."""

    index: int
    size: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """Shows that the tree with `old_size` leaves is the beginning of the one with `new_size`."""

    old_size: int
    new_size: int
    path: tuple[bytes, ...]


class Frontier:
    """A tree that only grows at its end, kept as its complete subtrees: at most one hash for each level.

    `peaks` are their roots, the largest subtree first; with `size` they are all that is needed to go on later.
    """

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """Raises ValueError unless there is one peak for each binary digit 1 of `size`."""
        self.size, self.peaks = size, list(peaks)
        if len(self.peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks, not {len(self.peaks)}")

    def append(self, leaf: bytes) -> None:
        """Add a leaf by its hash."""
        digest, index = leaf, self.size
        while index & 1:
            digest, index = node_hash(self.peaks.pop(), digest), index >> 1
        self.peaks.append(digest)
        self.size += 1

    @property
    def head(self) -> TreeHead:
        if not self.peaks:
            return TreeHead(0, EMPTY_ROOT)
        digest = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            digest = node_hash(peak, digest)
        return TreeHead(self.size, digest)


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def completed_nodes(nodes: Nodes, index: int, leaf: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The inner nodes (level, index, hash) that become complete when `leaf` is appended at `index`."""
    level, digest = 0, leaf
    while index & 1:
        digest = node_hash(nodes(level, index - 1), digest)
        level, index = level + 1, index >> 1
        yield level, index, digest


def root(nodes: Nodes, size: int) -> bytes:
    """The root over the first `size` leaves; SHA-256 of nothing for none."""
    return _span_root(nodes, 0, size) if size else EMPTY_ROOT


def inclusion_proof(nodes: Nodes, index: int, size: int) -> InclusionProof:
    """RFC 9162, 2.1.3.1. Raises ValueError unless 0 <= index < size."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_span_root(nodes, middle, end))
            end = middle
        else:
            path.append(_span_root(nodes, start, middle))
            start = middle
    return InclusionProof(index, size, tuple(reversed(path)))


def consistency_proof(nodes: Nodes, old_size: int, new_size: int) -> ConsistencyProof:
    """RFC 9162, 2.1.4.1. Raises ValueError unless 1 <= old_size <= new_size: nothing is consistent with no tree."""
    if not 1 <= old_size <= new_size:
        raise ValueError(f"no consistency proof from size {old_size} to size {new_size}")
    path: list[bytes] = []
    start, end, whole = 0, new_size, True
    while old_size != end:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(_span_root(nodes, middle, end))
            end = middle
        else:
            path.append(_span_root(nodes, start, middle))
            start, whole = middle, False
    if not whole:
        path.append(_span_root(nodes, start, end))
    return ConsistencyProof(old_size, new_size, tuple(reversed(path)))


def verify_inclusion(proof: InclusionProof, leaf: bytes, head: TreeHead) -> None:
    """RFC 9162, 2.1.3.2. Raises ProofError unless `leaf` stands at `proof.index` under `head`."""
    _well_formed(proof.path, leaf, head.root)
    if proof.size != head.size or not 0 <= proof.index < proof.size:
        raise ProofError(f"leaf {proof.index} of {proof.size} is not in a tree of {head.size}")
    position, last, digest = proof.index, proof.size - 1, leaf
    for sibling in proof.path:
        if last == 0:
            raise ProofError("the inclusion proof is too long")
        if position & 1 or position == last:
            digest = node_hash(sibling, digest)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            digest = node_hash(digest, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofError("the inclusion proof is too short")
    if not hmac.compare_digest(digest, head.root):
        raise ProofError("the inclusion proof leads to another root")


def verify_consistency(proof: ConsistencyProof, old: TreeHead, new: TreeHead) -> None:
    """RFC 9162, 2.1.4.2. Raises ProofError unless `new` continues `old`."""
    _well_formed(proof.path, old.root, new.root)
    if (proof.old_size, proof.new_size) != (old.size, new.size) or not 1 <= old.size <= new.size:
        raise ProofError(f"a proof from {proof.old_size} to {proof.new_size} does not link {old.size} to {new.size}")
    if old.size == new.size:
        if proof.path or not hmac.compare_digest(old.root, new.root):
            raise ProofError("two trees of one size must have one root and an empty proof")
        return
    path = list(proof.path)
    if old.size & (old.size - 1) == 0:
        path.insert(0, old.root)
    if not path:
        raise ProofError("the consistency proof is empty")
    position, last = old.size - 1, new.size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_digest = new_digest = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("the consistency proof is too long")
        if position & 1 or position == last:
            old_digest, new_digest = node_hash(sibling, old_digest), node_hash(sibling, new_digest)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_digest = node_hash(new_digest, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofError("the consistency proof is too short")
    if not (hmac.compare_digest(old_digest, old.root) and hmac.compare_digest(new_digest, new.root)):
        raise ProofError("the consistency proof leads to other roots")


def _split(size: int) -> int:
    """The largest power of two smaller than `size` (at least 2)."""
    return 1 << (size - 1).bit_length() - 1


def _span_root(nodes: Nodes, start: int, end: int) -> bytes:
    """Root over leaves [start, end), a span that the tree's definition cuts (start is aligned)."""
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return nodes(level, start >> level)
    middle = start + _split(size)
    return node_hash(_span_root(nodes, start, middle), _span_root(nodes, middle, end))


def _well_formed(path: tuple[bytes, ...], *hashes: bytes) -> None:
    for digest in (*path, *hashes):
        if len(digest) != HASH_SIZE:
            raise ProofError(f"a hash has {HASH_SIZE} bytes, not {len(digest)}")
