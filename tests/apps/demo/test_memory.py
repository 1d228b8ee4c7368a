"""What the demo remembers survives, stays private, and is not guessed when it is damaged."""

from __future__ import annotations

import stat
from datetime import UTC, datetime

import pytest

from apps.demo.errors import MemoryDamagedError
from apps.demo.memory import keep, recall

HERE = "this database"


def test_a_fresh_home_gets_its_own_password_and_the_present_as_anchor(tmp_path):
    before = datetime.now(UTC)
    one, other = recall(tmp_path, HERE), recall(tmp_path, HERE)
    assert one.password != other.password
    assert len(one.password) >= 12
    assert before <= one.anchor <= datetime.now(UTC)


def test_what_is_kept_is_recalled(tmp_path):
    memory = recall(tmp_path, HERE)
    memory.fed_until["m"] = datetime(2026, 1, 2, tzinfo=UTC)
    memory.attributes_sent.append("m")
    keep(tmp_path, memory)
    assert recall(tmp_path, HERE) == memory


def test_only_the_owner_may_read_it(tmp_path):
    keep(tmp_path, recall(tmp_path, HERE))
    assert stat.S_IMODE((tmp_path / "demo.json").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


def test_a_new_database_is_not_believed_to_be_fed(tmp_path):
    memory = recall(tmp_path, HERE)
    memory.fed_until["m"] = datetime(2026, 1, 2, tzinfo=UTC)
    keep(tmp_path, memory)
    anew = recall(tmp_path, "another database")
    assert anew.fed_until == {}
    assert anew.installation == "another database"


@pytest.mark.parametrize("content", [b"", b"{", b'{"anchor": 1}', b"[]"])
def test_a_damaged_file_is_said_to_be_damaged(tmp_path, content):
    (tmp_path / "demo.json").write_bytes(content)
    with pytest.raises(MemoryDamagedError, match=r"demo\.json is damaged"):
        recall(tmp_path, HERE)
