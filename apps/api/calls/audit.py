"""The audit log for programs that watch it: signed tree heads, proofs (RFC 9162), exports."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from apps.api.endpoint import Answer, Call, Endpoint, Parameter
from apps.api.problems import Problem, not_found
from apps.audit import exporting, selectors
from apps.audit.keys import public_key
from apps.common.errors import Refused
from biasgov.audit.bundle import pem_of
from biasgov.audit.heads import SignedHead

SCOPE = "audit:read"

ExportLines: TypeAlias = Annotated[
    str, Meta(description="JSON Lines: a header, then entries and signed heads, as docs/audit.md describes them.")
]
Hash: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class TreeHeadAnswer(Struct, frozen=True):
    """A signed head of the audit log: Ed25519 over RFC 9162's TreeHeadDataV2. Hashes and signatures in base64."""

    tree_size: int
    timestamp: Annotated[int, Meta(description="Milliseconds since 1970.")]
    root_hash: str
    log_id: Annotated[str, Meta(description="SHA-256 of the public key in DER.")]
    signature: str
    time_stamp: Annotated[str | None, Meta(description="An RFC 3161 answer, where an authority was asked.")]
    signed_at: datetime
    public_key: Annotated[str, Meta(description="PEM. Get it by another way too, and compare.")]


class InclusionAnswer(Struct, frozen=True):
    """RFC 9162, section 2.1.3: the entry with this leaf hash stands at this place under the head."""

    leaf_index: int
    leaf_hash: Hash
    path: list[Hash]
    head: TreeHeadAnswer


class ConsistencyAnswer(Struct, frozen=True):
    """RFC 9162, section 2.1.4: the second head only adds to the first."""

    first: TreeHeadAnswer
    second: TreeHeadAnswer
    path: list[Hash]


def show_tree_head(call: Call[None]) -> Answer:
    return Answer(200, _head(exporting.signed_head()))


def show_inclusion(call: Call[None]) -> Answer:
    proof, head = exporting.entry_proof(int(call.path["leaf_index"]))
    return Answer(
        200,
        InclusionAnswer(
            leaf_index=proof.leaf_index,
            leaf_hash=proof.leaf_hash.hex(),
            path=[each.hex() for each in proof.path or ()],
            head=_head(head),
        ),
    )


def show_consistency(call: Call[None]) -> Answer:
    old, new = _size(call.query, "from"), _size(call.query, "to")
    newer = exporting.head_of(new) if new is not None else exporting.signed_head()
    older = exporting.head_of(old) if old is not None else exporting.signed_head(1)
    if older.size > newer.size:
        raise Refused("from", "The earlier head must not cover more than the later one.")
    proof = selectors.consistency_proof(older.size, newer.size)
    return Answer(200, ConsistencyAnswer(_head(older), _head(newer), [each.hex() for each in proof.path]))


def export_log(call: Call[None]) -> Answer:
    if call.bearer.model_slug is not None:
        raise Problem(403, "A token that is bound to a model cannot take the whole log.")
    entry = _size(call.query, "entry")
    if entry is None:
        return Answer(200, exporting.log_export(actor=call.bearer.actor))
    number = selectors.entry_at(entry)
    if number is None:
        raise not_found()
    return Answer(
        200, exporting.part_export(entry_ids=[number], actor=call.bearer.actor, what=f"the entry at place {entry}")
    )


def _size(query: Mapping[str, str], name: str) -> int | None:
    given = query.get(name, "")
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise Refused(name, "This must be a whole number.")
    return int(given)


def _head(signed: SignedHead) -> TreeHeadAnswer:
    said = signed.to_dict()
    return TreeHeadAnswer(
        tree_size=signed.size,
        timestamp=signed.timestamp,
        root_hash=said["root_hash"],
        log_id=said["log_id"],
        signature=said["signature"],
        time_stamp=said.get("time_stamp"),
        signed_at=signed.signed_at,
        public_key=pem_of(public_key()),
    )


def _place(name: str, description: str) -> Parameter:
    return Parameter(name, description, {"type": "integer", "minimum": 0}, "")


ENDPOINTS = (
    Endpoint(
        "GET",
        "audit/tree-head",
        "read",
        "Show the last signed head of the audit log",
        show_tree_head,
        {200: TreeHeadAnswer},
    ),
    Endpoint(
        "GET",
        "audit/inclusion/<int:leaf_index>",
        "read",
        "Prove that the entry at this place stands under the last signed head",
        show_inclusion,
        {200: InclusionAnswer},
    ),
    Endpoint(
        "GET",
        "audit/consistency",
        "read",
        "Prove that a later signed head only adds to an earlier one",
        show_consistency,
        {200: ConsistencyAnswer},
        query=(
            _place("from", "The size of the earlier head; without it, the first that was signed."),
            _place("to", "The size of the later head; without it, the last that was signed."),
        ),
    ),
    Endpoint(
        "GET",
        "audit/export",
        SCOPE,
        "Take an export that `biasgov verify-audit` checks offline",
        export_log,
        {200: ExportLines},
        lines=True,
        query=(_place("entry", "Only the entry at this place, with its proof; without it, the whole log."),),
    ),
)
