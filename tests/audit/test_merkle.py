"""The tree against the published vectors and against its definition, and every way of forging a proof."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from biasgov.audit.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    ConsistencyProof,
    Frontier,
    InclusionProof,
    ProofError,
    TreeHead,
    completed_nodes,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "merkle"
TREE = json.loads((VECTORS / "tree.json").read_text())
LEAVES = [bytes.fromhex(data) for data in TREE["leaves"]]


def probes(kind: str) -> list[dict[str, Any]]:
    """The proofs of one kind that transparency-dev/merkle tests against, true ones and forged ones."""
    found: list[dict[str, Any]] = json.loads((VECTORS / f"{kind}.json").read_text())
    return found


def path_of(probe: dict[str, Any]) -> tuple[bytes, ...]:
    return tuple(b64decode(each) for each in probe["proof"] or [])


def digest_of(probe: dict[str, Any], name: str) -> bytes:
    return b64decode(probe[name] or "")


def believed(check: Callable[[], None]) -> bool:
    try:
        check()
    except ProofError:
        return False
    return True


def planted(leaves: list[bytes]) -> Callable[[int, int], bytes]:
    """The stored nodes of the tree over `leaves`, grown leaf by leaf."""
    nodes: dict[tuple[int, int], bytes] = {}
    for index, data in enumerate(leaves):
        nodes[0, index] = leaf_hash(data)
        for level, place, node in completed_nodes(lambda a, b: nodes[a, b], index, nodes[0, index]):
            nodes[level, place] = node
    return lambda level, index: nodes[level, index]


def defined_root(leaves: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + defined_root(leaves[:k]) + defined_root(leaves[k:])).digest()


NODES = planted(LEAVES)


def head(size: int) -> TreeHead:
    return TreeHead(size, root(NODES, size))


@pytest.mark.parametrize("vector", TREE["hashes"], ids=lambda vector: vector["of"])
def test_hashes_are_the_published_ones(vector: dict[str, str]) -> None:
    if "left" in vector:
        made = node_hash(bytes.fromhex(vector["left"]), bytes.fromhex(vector["right"]))
    else:
        made = leaf_hash(bytes.fromhex(vector["leaf"])) if "leaf" in vector else root(NODES, 0)
    assert made.hex() == vector["hash"]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_the_published_ones(size: int) -> None:
    assert root(NODES, size).hex() == TREE["roots"][size - 1]


@pytest.mark.parametrize("vector", TREE["inclusion"], ids=lambda vector: f"{vector['index']} of {vector['size']}")
def test_inclusion_proofs_are_the_published_ones(vector: dict[str, Any]) -> None:
    made = inclusion_proof(NODES, vector["index"], vector["size"])
    assert [each.hex() for each in made.path] == vector["path"]


@pytest.mark.parametrize("vector", TREE["consistency"], ids=lambda vector: f"{vector['old']} to {vector['new']}")
def test_consistency_proofs_are_the_published_ones(vector: dict[str, Any]) -> None:
    made = consistency_proof(NODES, vector["old"], vector["new"])
    assert [each.hex() for each in made.path] == vector["path"]


@pytest.mark.parametrize("probe", probes("inclusion"), ids=lambda probe: probe["file"])
def test_published_inclusion_proofs_are_judged_as_published(probe: dict[str, Any]) -> None:
    proof = InclusionProof(probe["leafIdx"], probe["treeSize"], path_of(probe))
    tree = TreeHead(probe["treeSize"], digest_of(probe, "root"))
    assert believed(lambda: verify_inclusion(proof, digest_of(probe, "leafHash"), tree)) is not probe["wantErr"]


@pytest.mark.parametrize("probe", probes("consistency"), ids=lambda probe: probe["file"])
def test_published_consistency_proofs_are_judged_as_published(probe: dict[str, Any]) -> None:
    old = TreeHead(probe["size1"], digest_of(probe, "root1"))
    new = TreeHead(probe["size2"], digest_of(probe, "root2"))
    proof = ConsistencyProof(old.size, new.size, path_of(probe))
    # One published root is twelve bytes of text, which its origin does not look at and we refuse.
    true = not probe["wantErr"] and len(old.root) == HASH_SIZE
    assert believed(lambda: verify_consistency(proof, old, new)) is true


def test_every_proof_of_every_size_up_to_forty_holds() -> None:
    leaves = [bytes([n]) for n in range(40)]
    nodes = planted(leaves)
    heads = {size: TreeHead(size, defined_root(leaves[:size])) for size in range(1, 41)}
    for size in range(1, 41):
        assert root(nodes, size) == heads[size].root
        for index in range(size):
            verify_inclusion(inclusion_proof(nodes, index, size), leaf_hash(leaves[index]), heads[size])
        for old in range(1, size + 1):
            verify_consistency(consistency_proof(nodes, old, size), heads[old], heads[size])


def forged_paths(path: tuple[bytes, ...]) -> list[tuple[bytes, ...]]:
    """Every small lie about a path: cut, grown, doubled, swapped, one bit turned, a hash too short."""
    stranger = leaf_hash(b"stranger")
    lies = [path[:-1], path[1:], (*path, stranger), (stranger, *path), path + path, path[::-1]]
    for place, digest in enumerate(path):
        turned = bytes([digest[0] ^ 1]) + digest[1:]
        lies += [(*path[:place], changed, *path[place + 1 :]) for changed in (turned, stranger, digest[:31], b"")]
    return [lie for lie in lies if lie != path]


@pytest.mark.parametrize(("index", "size"), [(0, 8), (5, 8), (2, 3), (1, 5), (4, 5), (6, 7)])
def test_no_forged_inclusion_proof_is_believed(index: int, size: int) -> None:
    proof, leaf = inclusion_proof(NODES, index, size), leaf_hash(LEAVES[index])
    lies: list[tuple[InclusionProof, bytes, TreeHead]] = [
        (replace(proof, path=path), leaf, head(size)) for path in forged_paths(proof.path)
    ]
    lies += [(replace(proof, index=other), leaf, head(size)) for other in range(-1, size + 2) if other != index]
    lies += [(proof, leaf, head(other)) for other in range(9) if other != size]
    lies += [(replace(proof, size=other), leaf, replace(head(size), size=other)) for other in (0, -1)]
    lies += [(proof, leaf_hash(b"other"), head(size)), (proof, b"", head(size)), (proof, leaf, TreeHead(size, b""))]
    for lie, claimed, against in lies:
        with pytest.raises(ProofError):
            verify_inclusion(lie, claimed, against)


@pytest.mark.parametrize(("old", "new"), [(1, 8), (6, 8), (2, 5), (3, 7), (4, 8), (7, 8)])
def test_no_forged_consistency_proof_is_believed(old: int, new: int) -> None:
    proof = consistency_proof(NODES, old, new)
    lies: list[tuple[ConsistencyProof, TreeHead, TreeHead]] = [
        (replace(proof, path=path), head(old), head(new)) for path in forged_paths(proof.path)
    ]
    lies += [
        (replace(proof, old_size=other), head(other), head(new)) for other in range(new + 2) if other not in (old, 9)
    ]
    lies += [(proof, TreeHead(old, leaf_hash(b"x")), head(new)), (proof, head(old), TreeHead(new, leaf_hash(b"x")))]
    lies += [(replace(proof, path=()), head(old), head(new)), (proof, head(new), head(old))]
    for lie, before, after in lies:
        with pytest.raises(ProofError):
            verify_consistency(lie, before, after)


def test_a_tree_of_size_zero_proves_nothing() -> None:
    empty = TreeHead(0, EMPTY_ROOT)
    with pytest.raises(ValueError, match="no consistency proof"):
        consistency_proof(NODES, 0, 8)
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(NODES, 0, 0)
    for path in ((), (leaf_hash(b"x"),)):
        with pytest.raises(ProofError):
            verify_consistency(ConsistencyProof(0, 8, path), empty, head(8))
        with pytest.raises(ProofError):
            verify_consistency(ConsistencyProof(0, 0, path), empty, empty)
        with pytest.raises(ProofError):
            verify_inclusion(InclusionProof(0, 0, path), leaf_hash(b"x"), empty)


def test_the_same_size_with_another_root_is_no_continuation() -> None:
    with pytest.raises(ProofError):
        verify_consistency(ConsistencyProof(4, 4, ()), head(4), TreeHead(4, leaf_hash(b"x")))


def test_an_inner_node_does_not_pass_for_an_entry() -> None:
    """The second preimage: an entry made of two hashes, or a smaller tree whose leaves are the larger one's nodes."""
    left, right = (leaf_hash(data) for data in LEAVES[:2])
    entry = left + right
    assert leaf_hash(entry) != node_hash(left, right)
    proof = inclusion_proof(NODES, 0, 8)
    shorter = InclusionProof(0, 4, proof.path[1:])
    assert not believed(lambda: verify_inclusion(shorter, leaf_hash(entry), TreeHead(4, head(8).root)))
    assert not believed(lambda: verify_inclusion(shorter, node_hash(left, right), head(8)))


def test_a_frontier_has_the_roots_of_the_whole_tree() -> None:
    leaves = [bytes([n]) for n in range(70)]
    nodes, frontier = planted(leaves), Frontier()
    assert frontier.head == TreeHead(0, EMPTY_ROOT)
    for size, data in enumerate(leaves, start=1):
        frontier.append(leaf_hash(data))
        assert frontier.head == TreeHead(size, root(nodes, size))
        assert Frontier(size, frontier.peaks).head == frontier.head
        assert len(frontier.peaks) == size.bit_count()


def test_a_frontier_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="3 leaves"):
        Frontier(3, [leaf_hash(b"x")])
