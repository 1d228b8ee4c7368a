"""The tree against the published vectors and against its definition, and every way of forging a proof."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from apps.audit.merkle import (
    EMPTY_ROOT,
    ConsistencyProof,
    InclusionProof,
    ProofError,
    TreeHead,
    completed_nodes,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

# The eight leaves, roots and proofs that Certificate Transparency implementations of RFC 6962 test against.
LEAVES = [
    bytes.fromhex(data)
    for data in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


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


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_the_published_ones(size: int) -> None:
    assert root(NODES, size).hex() == ROOTS[size - 1]


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert (
        root(NODES, 0)
        == EMPTY_ROOT
        == bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    )


@pytest.mark.parametrize(("place", "path"), INCLUSION.items())
def test_inclusion_proofs_are_the_published_ones(place: tuple[int, int], path: list[str]) -> None:
    assert [each.hex() for each in inclusion_proof(NODES, *place).path] == path


@pytest.mark.parametrize(("sizes", "path"), CONSISTENCY.items())
def test_consistency_proofs_are_the_published_ones(sizes: tuple[int, int], path: list[str]) -> None:
    assert [each.hex() for each in consistency_proof(NODES, *sizes).path] == path


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
