"""Writing the audit log and ordering it into the Merkle tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from apps.audit.models import AuditEntry, AuditLeaf, AuditNode, AuditPending
from apps.audit.selectors import content_hash, node_reader, tree_size
from apps.common import clock
from biasgov.audit import merkle
from biasgov.audit.encoding import entry_hash, plain

BATCH = 5_000


def append(*, actor: str, action: str, subject: str, model: str = "", detail: Mapping[str, Any] | None = None) -> int:
    """Write one entry in the caller's transaction and return its number.

    Takes no lock that another writer could wait for. What it records and the entry are kept or lost together.

    Parameters
    ----------
    actor
        ``user:ines``, ``token:nightly-feed`` or ``system:compute``.
    action
        What happened, dotted and in the past tense: ``finding.acknowledged``.
    subject
        What it happened to: ``model:claims-triage``, ``finding:12``.
    model
        The slug of the model that it concerns, where the subject is not the model itself; kept in the detail. By it
        people whose role is held for some models see what concerns those.
    detail
        JSON values only; never a protected attribute of a person, a secret or a password.

    Raises
    ------
    ValueError
        A missing part, or a detail that cannot be written faithfully.
    """
    if not (actor and action and subject):
        raise ValueError(f"an audit entry needs actor, action and subject, not {actor!r}, {action!r}, {subject!r}")
    at = clock.now()
    content = plain({**(detail or {}), **({"model": model} if model else {})})
    digest = entry_hash(at=at, actor=actor, action=action, subject=subject, detail=content)
    entry = AuditEntry.objects.create(
        at=at, actor=actor, action=action, subject=subject, detail=content, leaf_hash=digest
    )
    return entry.pk


def integrate() -> int:
    """Give every committed entry without a place its leaf in the tree; returns how many were placed.

    One sequencer works at a time; a second one returns 0 at once. An entry whose transaction commits late is found
    by its row in the queue, however high the numbers already placed are. The leaf is computed from the entry's
    content and not copied from its `leaf_hash`: `verify` tells when the two differ.
    """
    placed = 0
    try:
        while batch := _integrate_batch():
            placed += batch
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
    return placed


@transaction.atomic
def _integrate_batch() -> int:
    with connection.cursor() as cursor:
        # In this mode it keeps out another sequencer and no writer. An advisory lock could be held by anybody.
        cursor.execute("LOCK TABLE audit_pending IN SHARE UPDATE EXCLUSIVE MODE NOWAIT")
    waiting = list(AuditPending.objects.order_by("entry_id").values_list("entry_id", flat=True)[:BATCH])
    if not waiting:
        return 0
    size = tree_size()
    stored = node_reader()
    fresh: dict[tuple[int, int], bytes] = {}

    def nodes(level: int, index: int) -> bytes:
        return fresh.get((level, index)) or stored(level, index)

    leaves: list[AuditLeaf] = []
    inner: list[AuditNode] = []
    for index, entry in enumerate(AuditEntry.objects.filter(pk__in=waiting).order_by("pk"), start=size):
        digest = content_hash(entry)
        fresh[0, index] = digest
        leaves.append(AuditLeaf(leaf_index=index, entry=entry, leaf_hash=digest))
        for level, position, node in merkle.completed_nodes(nodes, index, digest):
            fresh[level, position] = node
            inner.append(AuditNode(level=level, position=position, node_hash=node))
    AuditLeaf.objects.bulk_create(leaves)
    AuditNode.objects.bulk_create(inner)
    AuditPending.objects.filter(entry_id__in=waiting).delete()
    return len(leaves)
