"""Giving the log away so that others check it without us (`biasgov verify-audit`; format: `biasgov.audit.bundle`).

Lines are made as they are read, so a log of any length needs no memory; that somebody took an export is in the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from apps.audit import selectors
from apps.audit.keys import head_file, public_key
from apps.audit.models import AuditEntry, AuditLeaf
from apps.audit.services import append
from apps.common import clock
from apps.common.errors import Refused
from biasgov.audit import bundle, merkle
from biasgov.audit.bundle import EntryLine, Header
from biasgov.audit.encoding import leaf_data
from biasgov.audit.heads import SignedHead

BATCH = 2_000
SUBJECT = "audit:log"


def signed_head(size: int | None = None) -> SignedHead:
    """The last signed head, or the first over at least `size` leaves. Raises Refused if there is none."""
    heads = head_file()
    found = heads.last() if size is None else heads.covering(size)
    if found is None:
        raise Refused("size", "No signed head covers this yet: heads are signed every few minutes.", code="unsigned")
    return found


def head_of(size: int) -> SignedHead:
    """The signed head over exactly `size` leaves. Raises Refused if none was signed."""
    found = signed_head(size)
    if found.size != size:
        raise Refused("size", f"No head over {size:,} entries was signed; the next is over {found.size:,}.")
    return found


def log_export(*, actor: str) -> Iterator[bytes]:
    """The lines of an export of the whole log up to its last signed head.

    Raises Refused if no head was signed yet. A log that was cut short is given with the heads that show it.
    """
    last = signed_head()
    size = min(last.size, selectors.tree_size())
    append(actor=actor, action="audit.exported", subject=SUBJECT, detail={"entries": size, "what": "the whole log"})
    return _log_lines(size, last, head_file())


def part_export(*, entry_ids: Sequence[int], actor: str, what: str) -> Iterator[bytes]:
    """The lines of an export of some entries, each with its proof under the last signed head.

    Entries that no head covers yet are left out. `what` says in words what was chosen. Raises Refused as `log_export`.
    """
    last = signed_head()
    found = AuditLeaf.objects.filter(entry_id__in=entry_ids, leaf_index__lt=last.size)
    places = list(found.order_by("leaf_index").values_list("leaf_index", flat=True))
    append(actor=actor, action="audit.exported", subject=SUBJECT, detail={"entries": len(places), "what": what})
    return _part_lines(places, last)


def entry_proof(leaf_index: int) -> tuple[EntryLine, SignedHead]:
    """An entry with its proof under the last signed head. Raises Refused if no head covers it yet."""
    signed_head(leaf_index + 1)
    last = signed_head()
    (line,) = _entry_lines([leaf_index], last)
    return line, last


def consistency_export(*, old_size: int, new_size: int) -> Iterator[bytes]:
    """The lines that show that the head over `new_size` leaves only adds to the one over `old_size`."""
    if not 1 <= old_size <= new_size:
        raise Refused("from", "The earlier head must cover at least one entry, and no more than the later one.")
    heads = [head_of(old_size), head_of(new_size)]
    proof = selectors.consistency_proof(old_size, new_size)
    return iter((_header(bundle.CONSISTENCY, 0), *map(bundle.head_line, heads), bundle.consistency_line(proof.path)))


def _log_lines(size: int, last: SignedHead, heads: Iterable[SignedHead]) -> Iterator[bytes]:
    yield _header(bundle.LOG, size)
    signed = (head for head in heads if head.timestamp <= last.timestamp)
    waiting = next(signed, None)
    for start in range(0, size, BATCH):
        batch: list[bytes] = []
        for line in _entry_lines(range(start, min(start + BATCH, size)), None):
            batch.append(bundle.entry_line(line))
            while waiting is not None and waiting.size <= line.leaf_index + 1:
                batch.append(bundle.head_line(waiting))
                waiting = next(signed, None)
        yield b"".join(batch)
    while waiting is not None:
        yield bundle.head_line(waiting)
        waiting = next(signed, None)


def _part_lines(places: Sequence[int], last: SignedHead) -> Iterator[bytes]:
    yield _header(bundle.PART, len(places))
    yield bundle.head_line(last)
    for start in range(0, len(places), BATCH):
        yield b"".join(map(bundle.entry_line, _entry_lines(places[start : start + BATCH], last)))


def _entry_lines(places: Sequence[int], head: SignedHead | None) -> Iterator[EntryLine]:
    """The entries at `places`, which ascend; with their paths under `head` if one is given."""
    paths: dict[int, tuple[bytes, ...]] = {}
    if head is not None:
        size = head.size
        paths = selectors.at_once(
            lambda nodes: {place: merkle.inclusion_proof(nodes, place, size).path for place in places}
        )
    rows = AuditLeaf.objects.order_by("leaf_index").select_related("entry")
    if isinstance(places, range):
        rows = rows.filter(leaf_index__gte=places.start, leaf_index__lt=places.stop)
    else:
        rows = rows.filter(leaf_index__in=places)
    for leaf in rows:
        yield EntryLine(leaf.leaf_index, bytes(leaf.leaf_hash), _data(leaf.entry), paths.get(leaf.leaf_index))


def _data(entry: AuditEntry) -> bytes:
    return leaf_data(at=entry.at, actor=entry.actor, action=entry.action, subject=entry.subject, detail=entry.detail)


def _header(kind: str, entries: int) -> bytes:
    key = bundle.pem_of(public_key())
    return bundle.header_line(Header(kind, key, clock.now().isoformat(timespec="milliseconds"), entries))
