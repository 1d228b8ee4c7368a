"""Reading the audit log: filters, tree heads, proofs, verification."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Max, Q, QuerySet

from apps.audit.models import AuditEntry, AuditLeaf, AuditNode
from biasgov.audit import merkle
from biasgov.audit.encoding import entry_hash
from biasgov.audit.heads import SignedHead
from biasgov.audit.merkle import ConsistencyProof, InclusionProof, Nodes, TreeHead

T = TypeVar("T")


def entries(
    *,
    actor: str = "",
    action: str = "",
    subject: str = "",
    text: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEntry]:
    """The log, newest first. `action` and `subject` match from their beginning, `text` anywhere in the three."""
    found = AuditEntry.objects.order_by("-id").select_related("leaf")
    if actor:
        found = found.filter(actor=actor)
    if action:
        found = found.filter(action__startswith=action)
    if subject:
        found = found.filter(subject__startswith=subject)
    if text:
        found = found.filter(Q(actor__icontains=text) | Q(action__icontains=text) | Q(subject__icontains=text))
    if since:
        found = found.filter(at__gte=since)
    if until:
        found = found.filter(at__lt=until)
    return found


def entry_at(leaf_index: int) -> int | None:
    """The number of the entry at a place in the tree; None if there is none."""
    return AuditLeaf.objects.filter(leaf_index=leaf_index).values_list("entry_id", flat=True).first()


def tree_size() -> int:
    """How many entries have their place in the tree."""
    highest = AuditLeaf.objects.aggregate(highest=Max("leaf_index"))["highest"]
    return 0 if highest is None else highest + 1


def tree_head(size: int | None = None) -> TreeHead:
    """The head over the first `size` leaves, all of them by default.

    Raises ValueError for a size the tree has not reached.
    """
    reached = tree_size()
    wanted = reached if size is None else size
    if not 0 <= wanted <= reached:
        raise ValueError(f"the tree has {reached} leaves, not {wanted}")
    return TreeHead(wanted, at_once(lambda nodes: merkle.root(nodes, wanted)))


def continues(signed: SignedHead) -> bool:
    """Whether the tree in the database is the one that was signed, with nothing but more leaves behind."""
    return tree_size() >= signed.size and tree_head(signed.size) == signed.head


def inclusion_proof(leaf_index: int, size: int | None = None) -> InclusionProof:
    """That leaf `leaf_index` is in the tree of `size` (default: the present one). Raises ValueError out of range."""
    reached = tree_head(size).size
    return at_once(lambda nodes: merkle.inclusion_proof(nodes, leaf_index, reached))


def consistency_proof(old_size: int, new_size: int | None = None) -> ConsistencyProof:
    """That the tree only grew between two sizes. Raises ValueError out of range; size 0 proves nothing."""
    reached = tree_head(new_size).size
    return at_once(lambda nodes: merkle.consistency_proof(nodes, old_size, reached))


def at_once(work: Callable[[Nodes], T]) -> T:
    """What `work` makes of stored nodes, which are fetched by two queries however many it looks up.

    `work` is done twice, first on a tree of zeros, and so must look up the same whatever it finds.
    """
    wanted: set[tuple[int, int]] = set()

    def note(level: int, index: int) -> bytes:
        wanted.add((level, index))
        return bytes(merkle.HASH_SIZE)

    work(note)
    found = _stored_nodes(wanted)
    return work(lambda level, index: found[level, index])


def _stored_nodes(wanted: set[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    leaves = [index for level, index in wanted if level == 0]
    inner = [(level, index) for level, index in wanted if level]
    rows: list[tuple[int, int, Any]] = []
    if leaves:
        found = AuditLeaf.objects.filter(leaf_index__in=leaves).values_list("leaf_index", "leaf_hash")
        rows += [(0, index, digest) for index, digest in found]
    if inner:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT level, position, node_hash FROM audit_node"
                " JOIN unnest(%s::smallint[], %s::bigint[]) AS wanted (level, position) USING (level, position)",
                [[level for level, _ in inner], [index for _, index in inner]],
            )
            rows += cursor.fetchall()
    return {(level, index): bytes(digest) for level, index, digest in rows}


def node_reader() -> Nodes:
    """Looks up stored nodes of the tree, one by one."""

    def nodes(level: int, index: int) -> bytes:
        stored: Any
        if level == 0:
            stored = AuditLeaf.objects.values_list("leaf_hash", flat=True).get(leaf_index=index)
        else:
            stored = AuditNode.objects.values_list("node_hash", flat=True).get(level=level, position=index)
        return bytes(stored)

    return nodes


def content_hash(entry: AuditEntry) -> bytes:
    """The leaf hash of what the entry says now."""
    return entry_hash(at=entry.at, actor=entry.actor, action=entry.action, subject=entry.subject, detail=entry.detail)
