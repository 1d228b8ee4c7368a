"""Exports of the real log: checked offline by the command that an auditor runs, whatever the owner did before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.audit import exporting, selectors
from apps.audit.keys import head_file
from apps.audit.models import AuditEntry
from apps.common import clock
from apps.common.errors import Refused
from biasgov.cli import main
from tests.apps.audit.log import rewritten, sealed, written
from tests.apps.audit.test_sealing import at, grown

pytestmark = pytest.mark.django_db

AUDITOR = "user:aude"
Checked = Callable[..., tuple[int, str]]


@pytest.fixture
def key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    call_command("audit_key")
    path = tmp_path / "key.pem"
    path.write_text(capsys.readouterr().out)
    return path


@pytest.fixture
def offline(tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]) -> Checked:
    """`offline(lines)`: the exit code and the words of `biasgov verify-audit` on what was exported."""

    def check(lines: Iterable[bytes], *options: Any) -> tuple[int, str]:
        path = tmp_path / "export.jsonl"
        path.write_bytes(b"".join(lines))
        code = main(["verify-audit", str(path), "--key", str(key), *map(str, options)])
        return code, capsys.readouterr().out

    return check


def test_an_export_is_intact_and_covers_what_is_signed(offline: Checked) -> None:
    grown()
    with clock.frozen(at(10)):
        written(2)
        code, words = offline(exporting.log_export(actor=AUDITOR), "--heads", head_file().path)
    assert code == 0, words
    assert "7 entries read, 2 signed heads checked." in words
    entry = AuditEntry.objects.latest("id")
    assert (entry.actor, entry.action, entry.detail["entries"]) == (AUDITOR, "audit.exported", 7)


def test_what_is_exported_in_portions_is_one_export(offline: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "BATCH", 2)
    grown(until=40)
    assert offline(exporting.log_export(actor=AUDITOR))[0] == 0
    odd = list(AuditEntry.objects.order_by("id").values_list("pk", flat=True)[::2])
    assert offline(exporting.part_export(entry_ids=odd, actor=AUDITOR, what="every other"))[0] == 0


def test_before_the_first_head_there_is_nothing_to_export() -> None:
    written()
    for export in (
        lambda: exporting.log_export(actor=AUDITOR),
        lambda: exporting.part_export(entry_ids=[1], actor=AUDITOR, what="one"),
        lambda: exporting.entry_proof(0),
    ):
        with pytest.raises(Refused, match="No signed head covers this yet"):
            export()


def test_an_entry_that_the_owner_changed_is_named(offline: Checked) -> None:
    grown()
    (number,) = AuditEntry.objects.order_by("id").values_list("pk", flat=True)[4:5]
    rewritten("UPDATE audit_entry SET actor = 'user:nobody' WHERE id = %s", number)
    code, words = offline(exporting.log_export(actor=AUDITOR))
    assert code == 1
    assert words.splitlines()[1].startswith("- Entry 4 (line 7: 2026-05-04T12:06:00.000000Z, user:nobody")


def test_a_log_that_the_owner_cut_short_is_shown_by_its_heads(offline: Checked) -> None:
    grown()
    rewritten("DELETE FROM audit_leaf WHERE leaf_index > 4")
    code, words = offline(exporting.log_export(actor=AUDITOR))
    assert code == 1
    assert "The head over 7 entries" in words
    assert "entries before it are missing" in words


def test_a_part_leaves_out_what_no_head_covers_yet(offline: Checked) -> None:
    grown()
    numbers = list(AuditEntry.objects.order_by("id").values_list("pk", flat=True)) + written(1)
    code, words = offline(exporting.part_export(entry_ids=numbers, actor=AUDITOR, what="all of it"))
    assert code == 0, words
    assert "7 entries read" in words


def test_two_heads_are_shown_to_be_of_one_log(offline: Checked) -> None:
    grown(until=30)
    sizes = [head.size for head in head_file()]
    for old in sizes:
        assert offline(exporting.consistency_export(old_size=old, new_size=sizes[-1]))[0] == 0
    for old, new in ((0, 4), (5, 7), (7, 4), (4, 100)):
        with pytest.raises(Refused):
            exporting.consistency_export(old_size=old, new_size=new)


def test_a_proof_of_an_entry_costs_the_same_in_a_long_log(django_assert_max_num_queries: Any) -> None:
    with clock.frozen(at(0)):
        written(150)
        sealed()
    with django_assert_max_num_queries(4):
        line, head = exporting.entry_proof(70)
    assert head.size == 151
    assert line.path == selectors.inclusion_proof(70, 151).path


def test_the_command_writes_a_file_once_and_whole(tmp_path: Path, key: Path) -> None:
    path = tmp_path / "log.jsonl"
    with pytest.raises(CommandError, match="No signed head"):
        call_command("audit_export", path, verbosity=0)
    assert not path.exists()
    grown()
    call_command("audit_export", path, verbosity=0)
    assert main(["verify-audit", str(path), "--key", str(key)]) == 0
    assert path.stat().st_mode & 0o137 == 0
    with pytest.raises(CommandError, match="exists already"):
        call_command("audit_export", path, verbosity=0)
