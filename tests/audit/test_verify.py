"""`biasgov verify-audit`: what holds, what does not and where, and what is said about the key."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from biasgov.audit import bundle
from biasgov.audit.bundle import EntryLine
from biasgov.audit.heads import SignedHead, sign
from biasgov.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    TreeHead,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
)
from biasgov.audit.stamps import request_for
from biasgov.cli import main
from tests.apps.audit.tsa import Authority
from tests.audit.exports import FOREIGN, KEY, NOON, Export, data, header, honest, renumbered, restated

Said = Callable[..., tuple[int, str]]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The log's public key, as an auditor got it by another way."""
    path = tmp_path / "key.pem"
    path.write_text(bundle.pem_of(KEY.public_key()))
    return path


@pytest.fixture
def said(tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    """`said(export)`: the exit code and the words of a check with the auditor's key."""

    def check(export: Export | Path, *options: str | Path, with_key: bool = True) -> tuple[int, str]:
        path = export if isinstance(export, Path) else export.written(tmp_path)
        given = ["verify-audit", str(path), *map(str, options), *(["--key", str(key)] if with_key else [])]
        code = main(given)
        told = capsys.readouterr()
        return code, told.out + told.err

    return check


def test_an_honest_export_is_intact(said: Said) -> None:
    code, words = said(honest())
    assert code == 0
    assert words.startswith("Intact.\n")
    assert "23 entries read, 5 signed heads checked." in words
    assert "on 2026-05-04 at 12:23:00 UTC, when its last head was signed" in words
    assert "by the key that you gave" in words


@pytest.mark.parametrize("size", [1, 2, 5, 6, 31, 32, 33])
def test_an_export_of_any_length_is_intact(said: Said, size: int) -> None:
    assert said(honest(size))[0] == 0


def test_a_key_that_comes_from_the_export_itself_is_said_aloud(said: Said) -> None:
    code, words = said(honest(), with_key=False)
    assert code == 0
    assert words.startswith("Intact in itself, by a key that comes from the export itself.")
    assert "which whoever forges an export puts there" in words


def test_the_whole_log_under_a_foreign_key_is_caught_by_the_auditors_key_alone(said: Said) -> None:
    forged = Export.of([data(number, actor="user:mallory") for number in range(23)], key=FOREIGN)
    assert said(forged, with_key=False)[0] == 0
    code, words = said(forged)
    assert code == 1
    assert "names another key" in words


def test_a_key_is_taken_in_the_form_of_a_key_file_too(said: Said, tmp_path: Path) -> None:
    path = tmp_path / "audit_public.key"
    path.write_text(KEY.public_key().public_bytes_raw().hex() + "\n")
    assert said(honest(), "--key", path, with_key=False)[0] == 0


def edited(export: Export) -> None:
    place = export.place_of(12)
    export.lines[place] = export.lines[place].replace(b"user:ines", b"user:omar")


def edited_with_its_hash(export: Export) -> None:
    restated(export, 12, data(12, actor="user:omar"))


def truncated(export: Export) -> None:
    del export.lines[export.place_of(12) :]


def torn(export: Export) -> None:
    truncated(export)
    export.lines[-1] = export.lines[-1][:40]


def truncated_with_another_header(export: Export) -> None:
    truncated(export)
    export.lines[0] = header(12)


def taken_out(export: Export) -> None:
    del export.lines[export.place_of(12)]


def taken_out_and_renumbered(export: Export) -> None:
    del export.lines[export.place_of(12)]
    renumbered(export)


def put_in(export: Export) -> None:
    export.lines.insert(export.place_of(12), bundle.entry_line(EntryLine(12, leaf_hash(data(99)), data(99))))
    renumbered(export)


def swapped(export: Export) -> None:
    one, other = export.place_of(11), export.place_of(12)
    export.lines[one], export.lines[other] = export.lines[other], export.lines[one]


def swapped_and_renumbered(export: Export) -> None:
    swapped(export)
    renumbered(export)


def repeated(export: Export) -> None:
    export.lines.insert(export.place_of(12), export.lines[export.place_of(12)])


def head_of(export: Export, size: int) -> int:
    return next(i for i, line in enumerate(export.lines) if b'"tree_size":%d,' % size in line)


def without_heads(export: Export) -> None:
    export.lines = [line for line in export.lines if not line.startswith(b'{"head"')]


def without_its_last_head(export: Export) -> None:
    del export.lines[-1]


def another_root(export: Export) -> None:
    place = head_of(export, 15)
    head = SignedHead.from_dict(json.loads(export.lines[place])["head"])
    export.lines[place] = bundle.head_line(replace(head, head=TreeHead(15, leaf_hash(b"another"))))


def rerooted_by_another_key(export: Export) -> None:
    edited_with_its_hash(export)
    tree = Frontier()
    for place in range(15):
        tree.append(leaf_hash(data(place, actor="user:omar") if place == 12 else data(place)))
    forged = sign(FOREIGN, tree.head, NOON + timedelta(minutes=15))
    export.lines[head_of(export, 15)] = bundle.head_line(replace(forged, log_id=export.heads()[0].log_id))


def later_than_it_was(export: Export) -> None:
    place = head_of(export, 15)
    head = SignedHead.from_dict(json.loads(export.lines[place])["head"])
    export.lines[place] = bundle.head_line(replace(head, timestamp=head.timestamp + 1))


def a_head_out_of_place(export: Export) -> None:
    place = head_of(export, 15)
    export.lines[place - 1], export.lines[place] = export.lines[place], export.lines[place - 1]


def a_line_of_something_else(export: Export) -> None:
    export.lines.insert(export.place_of(12), b'{"comment":"nothing to see"}\n')


def a_field_beside_the_entry(export: Export) -> None:
    place = export.place_of(12)
    export.lines[place] = export.lines[place][:-2] + b',"reviewed":{}}\n'


FORGERIES = {
    edited: "Entry 12 (line 16: 2026-05-04T12:12:00.000000Z, user:omar, finding.acknowledged, finding:12) is not",
    edited_with_its_hash: "One of the entries 10 to 14 was changed, taken out, put in or moved",
    truncated: "The file ends behind 12 entries; its header promises 23.",
    torn: "Line 15 breaks off: the file was cut short.",
    truncated_with_another_header: "The last 2 entries stand under no signed head.",
    taken_out: "Entry 12 is missing: line 16 holds entry 13 in its place.",
    taken_out_and_renumbered: "The head over 15 entries signed at 2026-05-04 12:15:00 UTC stands behind 14 entries",
    put_in: "The head over 15 entries signed at 2026-05-04 12:15:00 UTC stands behind 16 entries",
    swapped: "Entry 11 is missing: line 15 holds entry 12 in its place.",
    swapped_and_renumbered: "One of the entries 10 to 14 was changed, taken out, put in or moved",
    repeated: "Line 17 holds entry 12 where entry 13 must stand.",
    without_heads: "holds no signed head, so nobody vouches for it",
    without_its_last_head: "The last 3 entries stand under no signed head.",
    another_root: "carries a signature that does not fit it",
    rerooted_by_another_key: "The head over 15 entries signed at 2026-05-04 12:15:00 UTC carries a signature that does",
    later_than_it_was: "carries a signature that does not fit it",
    a_head_out_of_place: "stands behind 14 entries (line 18): entries before it are missing",
    a_line_of_something_else: "Line 16 is neither an entry nor a signed head",
    a_field_beside_the_entry: "Entry 12 (line 16: unreadable) is not what was logged",
}


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda each: each.__name__)
def test_a_forgery_is_refused_and_its_place_named_first(said: Said, forgery: Callable[[Export], None]) -> None:
    export = honest()
    forgery(export)
    code, words = said(export)
    assert code == 1
    verdict, first = words.splitlines()[:2]
    assert verdict == "NOT INTACT."
    assert FORGERIES[forgery] in first


def test_every_byte_of_an_export_but_its_headers_words_counts(said: Said, tmp_path: Path) -> None:
    content = b"".join(honest(1).lines)
    start = content.index(b"\n") + 1
    path = tmp_path / "export.jsonl"
    for place in range(start, len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert said(path)[0] == 1, content[place - 20 : place + 20]


def test_an_empty_export_proves_nothing(said: Said) -> None:
    code, words = said(Export([header(0)]))
    assert code == 1
    assert "An empty log proves nothing" in words
    nothing = bundle.head_line(sign(KEY, TreeHead(0, EMPTY_ROOT), NOON))
    code, words = said(Export([header(0), nothing]))
    assert code == 1
    assert "there is nothing under it" in words


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"[]\n", b"hello\n", b'{"format":"biasgov-audit-log","v":2}\n', b"\xff"]
)
def test_what_is_no_export_is_bad_input(said: Said, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "something"
    path.write_bytes(content)
    assert said(path)[0] == 3


def test_a_file_or_key_that_cannot_be_read_is_bad_input(said: Said, tmp_path: Path, key: Path) -> None:
    assert said(tmp_path / "none.jsonl")[0] == 3
    export = honest().written(tmp_path)
    assert said(export, "--key", tmp_path / "none.pem")[0] == 3
    assert said(export, "--key", export)[0] == 3
    assert said(export, "--roots", key)[0] == 3
    broken = tmp_path / "export.jsonl.gz"
    broken.write_bytes(b"no gzip")
    assert said(broken)[0] == 3


def test_a_gzipped_export_is_read_as_it_is(said: Said, tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(honest().lines)))
    assert said(path)[0] == 0


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[Export], Path]:
    """A file of the heads of an export, as it was kept elsewhere."""

    def write(export: Export) -> Path:
        path = tmp_path / "tree-heads.jsonl"
        path.write_bytes(b"".join(json.dumps(head.to_dict()).encode() + b"\n" for head in export.heads()))
        return path

    return write


def test_heads_that_were_kept_elsewhere_are_compared(said: Said, kept: Callable[[Export], Path]) -> None:
    code, words = said(honest(), "--heads", kept(honest()))
    assert code == 0
    assert "5 heads of your file of heads compared" in words


def test_a_log_cut_back_to_an_earlier_head_is_shown_by_the_heads(said: Said, kept: Callable[[Export], Path]) -> None:
    back = honest(20)
    assert said(back)[0] == 0
    code, words = said(back, "--heads", kept(honest()))
    assert code == 1
    assert "covers more than the 20 entries of this export" in words


def test_heads_signed_after_the_export_do_not_speak_against_it(said: Said, kept: Callable[[Export], Path]) -> None:
    export = honest(20)
    export.lines[0] = export.lines[0].replace(b"2026-05-05T12:00:00", b"2026-05-04T12:20:00")
    code, words = said(export, "--heads", kept(honest()))
    assert code == 0
    assert "1 signed after this export say nothing about it" in words


def test_another_log_under_the_same_key_is_shown_by_the_heads(said: Said, kept: Callable[[Export], Path]) -> None:
    other = Export.of([data(number, actor="user:omar" if number == 12 else "user:ines") for number in range(23)])
    assert said(other)[0] == 0
    code, words = said(other, "--heads", kept(honest()))
    assert code == 1
    assert "in the file of heads has another root" in words
    assert "entries 15 to 14" not in words


def test_a_line_of_the_heads_that_a_crash_cut_off_is_passed_over(said: Said, kept: Callable[[Export], Path]) -> None:
    path = kept(honest())
    path.write_bytes(b'{"tree_size":3,"ti\n' + path.read_bytes())
    code, words = said(honest(), "--heads", path)
    assert code == 0
    assert "Line 1 of the file of heads cannot be read" in words


def test_an_entry_that_was_written_later_than_it_says_is_pointed_out(said: Said) -> None:
    entries = [data(number) for number in range(0, 600, 100)] + [data(1), data(2)]
    late = Export([header(len(entries))])
    tree = Frontier()
    for place, content in enumerate(entries):
        tree.append(leaf_hash(content))
        late.lines.append(bundle.entry_line(EntryLine(place, leaf_hash(content), content)))
        if place in (5, 7):
            late.lines.append(bundle.head_line(sign(KEY, tree.head, NOON + timedelta(minutes=501 + place))))
    code, words = said(late)
    assert code == 0
    assert "Entry 6 (2026-05-04T12:01:00.000000Z" in words
    assert "2 entries in all" in words


def test_an_entry_that_says_it_was_written_later_than_it_was_is_pointed_out(said: Said) -> None:
    code, words = said(Export.of([data(0), data(900), data(2), data(3)]))
    assert code == 0
    assert "Entry 1 (2026-05-05T03:00:00.000000Z" in words
    assert "later than the signed head that covers it" in words
    assert "later than the signed head" not in said(honest())[1]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority") / "tsa")


def test_time_stamps_are_checked_with_the_authoritys_roots(said: Said, authority: Authority) -> None:
    def stamped(head: SignedHead) -> SignedHead:
        return replace(head, time_stamp=authority.answer(request_for(head.stamped_bytes).as_bytes()))

    export = Export.of([data(number) for number in range(7)], stamped=stamped)
    code, words = said(export)
    assert code == 0
    assert "2 time stamps not checked" in words
    code, words = said(export, "--roots", authority.roots)
    assert code == 0
    assert "2 time stamps of the authority checked" in words
    heads = export.heads()
    export.lines[-1] = bundle.head_line(replace(heads[1], time_stamp=heads[0].time_stamp))
    code, words = said(export, "--roots", authority.roots)
    assert code == 1
    assert "carries a time stamp that does not hold" in words


def proofs(size: int = 23) -> tuple[list[SignedHead], Callable[[int, int], bytes]]:
    """The heads of an honest log and its nodes."""
    stored = {(0, place): leaf_hash(data(place)) for place in range(size)}

    def nodes(level: int, index: int) -> bytes:
        if (level, index) not in stored:
            stored[level, index] = node_hash(nodes(level - 1, 2 * index), nodes(level - 1, 2 * index + 1))
        return stored[level, index]

    return honest(size).heads(), nodes


def part(*places: int, of: Callable[[int], bytes] = data) -> Export:
    heads, nodes = proofs()
    made = Export([header(len(places), kind=bundle.PART), bundle.head_line(heads[-1])])
    for place in places:
        path = inclusion_proof(nodes, place, 23).path
        made.lines.append(bundle.entry_line(EntryLine(place, leaf_hash(of(place)), of(place), path)))
    return made


def test_a_part_is_shown_to_stand_in_the_log(said: Said, kept: Callable[[Export], Path]) -> None:
    code, words = said(part(3, 12, 22), "--heads", kept(honest()))
    assert code == 0
    assert "what was left out is not shown: 3 entries read" in words


def test_a_part_that_was_forged_is_refused(said: Said) -> None:
    code, words = said(part(3, 12, of=lambda place: data(place, actor="user:omar" if place == 12 else "user:ines")))
    assert code == 1
    assert "Entry 12 (line 4:" in words
    assert "is not shown to be in the log" in words
    moved = part(3, 12)
    moved.lines[-1] = moved.lines[-1].replace(b'"leaf_index":12', b'"leaf_index":13')
    assert said(moved)[0] == 1
    assert said(Export(part(3, 12).lines[:-1]))[0] == 1
    assert said(Export([header(0, kind=bundle.PART), *part().lines[1:]]))[0] == 1
    assert said(Export([part(3).lines[0], part(3).lines[2]]))[0] == 1


def consistency(old: int, new: int) -> Export:
    heads, nodes = proofs()
    by_size = {head.size: head for head in heads}
    return Export(
        [
            header(0, kind=bundle.CONSISTENCY),
            bundle.head_line(by_size[old]),
            bundle.head_line(by_size[new]),
            bundle.consistency_line(consistency_proof(nodes, old, new).path),
        ]
    )


@pytest.mark.parametrize(("old", "new"), [(5, 10), (10, 23), (15, 15)])
def test_the_continuation_of_a_head_is_shown(said: Said, old: int, new: int) -> None:
    code, words = said(consistency(old, new))
    assert code == 0
    assert "a later head only adds to an earlier one" in words


def test_a_continuation_that_is_none_is_refused(said: Said) -> None:
    forged = consistency(5, 10)
    forged.lines[-1] = consistency(5, 15).lines[-1]
    assert said(forged)[0] == 1
    back = consistency(5, 10)
    back.lines[1], back.lines[2] = back.lines[2], back.lines[1]
    assert said(back)[0] == 1
    nothing = sign(KEY, TreeHead(0, EMPTY_ROOT), NOON)
    empty = consistency(5, 10)
    empty.lines[1:] = [bundle.head_line(nothing), empty.lines[2], bundle.consistency_line(())]
    assert said(empty)[0] == 1


def test_a_long_log_is_checked_without_holding_it_in_memory(said: Said, tmp_path: Path) -> None:
    path = Export.of([data(number) for number in range(20_000)]).written(tmp_path)
    tracemalloc.start()
    code, _ = said(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert code == 0
    assert peak < path.stat().st_size / 4


def test_it_needs_neither_django_nor_a_database(tmp_path: Path, key: Path) -> None:
    path = honest().written(tmp_path)
    program = (
        "import sys\n"
        "for name in ('django', 'celery', 'psycopg', 'redis'): sys.modules[name] = None\n"
        "from biasgov.cli import main\n"
        f"sys.exit(main(['verify-audit', {str(path)!r}, '--key', {str(key)!r}]))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout[:7]) == (0, "Intact."), ran.stderr


def test_ordinary_tools_come_to_the_same(tmp_path: Path, key: Path) -> None:
    """The commands of docs/audit.md, as they stand there."""
    path = honest().written(tmp_path, "audit.jsonl")
    guide = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    by_hand, signature = re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)

    def shell(script: str) -> list[str]:
        ran = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, check=True)
        return ran.stdout.split("\n")

    computed, stated, *_ = shell(by_hand)
    assert computed.split()[0] == stated == leaf_hash(data(2)).hex()
    assert shell(signature)[0] == "Signature Verified Successfully"
    path.write_bytes(path.read_bytes().replace(b'"tree_size":23', b'"tree_size":22'))
    with pytest.raises(subprocess.CalledProcessError):
        shell(signature)
