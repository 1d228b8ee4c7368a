"""`biasgov verify-audit`: an export in, sentences and an exit code out. Works offline."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

from biasgov.audit import bundle
from biasgov.audit.bundle import BundleError, read_key
from biasgov.audit.findings import Findings, Means
from biasgov.audit.stamps import StampError, read_roots
from biasgov.audit.verify import verify

INTACT, BROKEN, BAD_INPUT = 0, 1, 3
_WHAT = {
    bundle.LOG: "the whole log up to its last signed head",
    bundle.PART: "some entries, each with the proof that it stands in the log; what was left out is not shown",
    bundle.CONSISTENCY: "the proof that a later head only adds to an earlier one",
}


def run(export: Path, *, keys: Sequence[Path], heads: Path | None, roots: Path | None) -> int:
    """Check the file `export`, print what was found, and return the exit code. `Means` says what the others are."""
    try:
        with ExitStack() as files:
            means = Means(
                keys=tuple(read_key(path.read_text(encoding="ascii", errors="replace")) for path in keys),
                roots=tuple(read_roots(roots.read_bytes())) if roots else (),
                heads=files.enter_context(heads.open("rb")) if heads else None,
            )
            found = verify(files.enter_context(_opened(export)), means)
    except (BundleError, StampError, OSError, EOFError, zlib.error) as error:
        print(f"biasgov verify-audit: {error}", file=sys.stderr)
        return BAD_INPUT
    print("\n".join(sentences(found)))
    return INTACT if found.is_intact else BROKEN


def sentences(found: Findings) -> Iterator[str]:
    """What was found, the verdict first."""
    if found.is_intact:
        yield "Intact." if not found.own_key else "Intact in itself, by a key that comes from the export itself."
    else:
        yield "NOT INTACT."
        yield from (f"- {fault}" for fault in found.faults)
    yield f"This is {_WHAT[found.format]}: {_counted(found.entries, 'entry', 'entries')} read, " + _heads(found)
    if found.last_head is not None:
        yield (
            f"It says what stood in the log on {found.last_head.signed_at:%Y-%m-%d at %H:%M:%S} UTC, when its last "
            "head was signed; nothing that was written later is in it."
        )
    if found.own_key:
        yield (
            "No key was given: the signatures were checked by the key in the export, which whoever forges an export "
            "puts there. Get the key by another way and give it with --key."
        )
    else:
        yield "The signatures were checked by the key that you gave, not by the one in the export."
    yield from _stamps(found)
    if found.outside_heads or found.later_heads:
        yield (
            f"{_counted(found.outside_heads, 'head', 'heads')} of your file of heads compared; "
            f"{found.later_heads:,} signed after this export say nothing about it."
        )
    if found.backdated > 1:
        yield f"{found.backdated:,} entries in all carry such an early time."
    yield from found.notes


def _heads(found: Findings) -> str:
    return f"{_counted(found.heads, 'signed head', 'signed heads')} checked."


def _stamps(found: Findings) -> Iterator[str]:
    if found.stamps and found.last_stamp is not None:
        yield (
            f"{_counted(found.stamps, 'time stamp', 'time stamps')} of the authority checked, the last of "
            f"{found.last_stamp:%Y-%m-%d %H:%M:%S} UTC."
        )
    if found.unchecked_stamps:
        yield (
            f"{_counted(found.unchecked_stamps, 'time stamp', 'time stamps')} not checked: give the authority's root "
            "certificates with --roots."
        )


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _opened(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path) if path.suffix == ".gz" else path.open("rb"))
