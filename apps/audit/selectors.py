"""Reading the audit log: filters, tree heads, proofs, verification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Max, QuerySet

from apps.audit.models import ABOUT, FAMILY, SAID, AuditEntry, AuditLeaf, AuditNode
from biasgov.audit import merkle
from biasgov.audit.encoding import entry_hash
from biasgov.audit.heads import SignedHead
from biasgov.audit.merkle import ConsistencyProof, InclusionProof, Nodes, TreeHead

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EntryView:
    """One entry. model: the slug of the model that it concerns, "" for none."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    model: str


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which entries. action: a kind (``finding.closed``), or a family of them (``finding.``).

    within: only what concerns these models (slugs); None for everything. text: part of what is said, in any case.
    """

    actor: str = ""
    action: str = ""
    subject: str = ""
    model: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    within: frozenset[str] | None = None

    @property
    def about(self) -> frozenset[str] | None:
        """The models that remain; None for everything."""
        if not self.model:
            return self.within
        return frozenset({self.model}) & (self.within if self.within is not None else {self.model})


def entries(
    *,
    actor: str = "",
    action: str = "",
    subject: str = "",
    text: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEntry]:
    """The log, the latest first; the parameters as in `LogFilter`."""
    found = AuditEntry.objects.order_by("-at", "-id")
    if actor:
        found = found.filter(actor=actor)
    if action.endswith("."):
        found = found.alias(family=FAMILY).filter(family=action[:-1])
    elif action:
        found = found.filter(action=action)
    if subject:
        found = found.filter(subject=subject)
    if text:
        found = found.alias(said=SAID).filter(said__icontains=text)
    if since:
        found = found.filter(at__gte=since)
    if until:
        found = found.filter(at__lt=until)
    return found


def log_page(wanted: LogFilter, *, before_id: int | None = None, limit: int) -> list[EntryView]:
    """At most `limit` entries, the latest first, from the one behind `before_id` on."""
    found = _matching(wanted)
    last = AuditEntry.objects.filter(pk=before_id).values_list("at", "pk").first() if before_id else None
    if last is not None:
        at, pk = last
        found = found.filter(at__lte=at).exclude(at=at, pk__gte=pk)
    return [_view(entry) for entry in _of_models(found, wanted.about, limit)]


def log_entry(entry_id: int, *, within: frozenset[str] | None = None) -> EntryView | None:
    """One entry; None if it is not there, or does not concern one of the models `within`."""
    found = AuditEntry.objects.annotate(about=ABOUT).filter(pk=entry_id)
    if within is not None:
        found = found.filter(about__in=within)
    entry = found.first()
    return None if entry is None else _view(entry)


def matching_ids(wanted: LogFilter, *, limit: int) -> list[int]:
    """The numbers of at most `limit` matching entries, the latest first."""
    return [entry.pk for entry in _of_models(_matching(wanted), wanted.about, limit)]


def _matching(wanted: LogFilter) -> QuerySet[AuditEntry]:
    return entries(
        actor=wanted.actor,
        action=wanted.action,
        subject=wanted.subject,
        text=wanted.text,
        since=wanted.since,
        until=wanted.until,
    )


def _of_models(found: QuerySet[AuditEntry], models: frozenset[str] | None, limit: int) -> Sequence[AuditEntry]:
    """The first `limit`, by an ordered index for each model: an index over several is not in order."""
    described = found.annotate(about=ABOUT)
    if models is None:
        return list(described[:limit])
    rows = [entry for model in sorted(models) for entry in described.filter(about=model)[:limit]]
    return sorted(rows, key=lambda entry: (entry.at, entry.pk), reverse=True)[:limit]


def _view(entry: AuditEntry) -> EntryView:
    return EntryView(
        id=entry.pk,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        detail=entry.detail,
        model=getattr(entry, "about", None) or "",
    )


def place_of(entry_id: int) -> int | None:
    """The place of an entry in the tree, counted from 0; None before it has one."""
    return AuditLeaf.objects.filter(entry_id=entry_id).values_list("leaf_index", flat=True).first()


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
