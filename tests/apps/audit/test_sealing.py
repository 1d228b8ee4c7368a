"""Signing heads outside the database, and noticing that the database no longer continues them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from apps.audit import sealing, selectors
from apps.audit.checking import log_faults
from apps.audit.keys import head_file, public_key, signing_key
from apps.audit.models import AuditEntry, AuditLeaf
from apps.common import clock
from biasgov import keyring
from biasgov.audit.heads import check_signature
from biasgov.audit.merkle import completed_nodes, verify_consistency
from biasgov.environment import ConfigurationError
from tests.apps.audit.log import checked, rewritten, sealed, written
from tests.sides import side

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def grown(*, until: int = 10) -> None:
    """A log with heads at minutes 0, 6, ... `until`, three entries each."""
    for minutes in range(0, until, 6):
        with clock.frozen(at(minutes)):
            written(3)
            assert sealed()


def test_a_head_signs_what_the_log_said() -> None:
    with clock.frozen(NOON):
        written(3)
        head = sealed()
    assert head is not None
    check_signature(head, public_key())
    assert head.head == selectors.tree_head(head.size)
    assert head.signed_at == NOON
    assert head_file().last() == head


def test_nothing_is_signed_before_anything_was_written(head_path: Path) -> None:
    assert sealed() is None
    assert not head_path.exists()


def test_the_first_head_is_itself_in_the_log() -> None:
    written(3)
    head = sealed()
    assert head is not None
    assert head.size == 4
    assert AuditEntry.objects.latest("id").action == "audit.heads_begun"


def test_heads_follow_growth_at_their_interval_and_time_as_a_sign_of_life() -> None:
    with clock.frozen(NOON):
        written()
        first = sealed()
    with clock.frozen(at(2)):
        written()
        assert sealed() is None
    with clock.frozen(at(5)):
        second = sealed()
    with clock.frozen(at(64)):
        assert sealed() is None
    with clock.frozen(at(65)):
        third = sealed()
    assert first is not None
    assert second is not None
    assert third is not None
    assert (second.size, third.size) == (first.size + 1, first.size + 1)
    verify_consistency(selectors.consistency_proof(first.size, second.size), first.head, second.head)


def test_a_clock_that_goes_back_does_not_turn_heads_round() -> None:
    with clock.frozen(at(90)):
        written()
        first = sealed()
    with clock.frozen(at(10)), side("compute"):
        again = sealing._sign(head_file(), first, at(10))
    assert first is not None
    assert again.timestamp == first.timestamp


def test_only_the_compute_side_holds_the_signing_key() -> None:
    web = keyring.locate(settings.HOME, side="web")
    compute = keyring.locate(settings.HOME, side="compute")
    with pytest.raises(ConfigurationError, match="holds no key called audit_signing"):
        web.path("audit_signing")
    assert compute.path("audit_signing").stat().st_mode & 0o777 == 0o600
    assert signing_key().public_key().public_bytes_raw() == public_key().public_bytes_raw()


FORKS = {
    "rolled back": "TRUNCATE audit_node, audit_leaf, audit_pending, audit_verification, audit_entry",
    "cut short": "DELETE FROM audit_leaf WHERE leaf_index > 4",
    "rewritten": "UPDATE audit_node SET node_hash = sha256('x') WHERE level = 2",
}


@pytest.mark.parametrize("fork", FORKS)
def test_a_log_that_does_not_continue_its_head_is_noticed_and_not_signed(fork: str) -> None:
    grown()
    with clock.frozen(at(10)):
        assert log_faults() == {}
        rewritten(FORKS[fork])
        written(5)
        with pytest.raises(sealing.LogForked):
            sealed()
        assert set(log_faults()) == {"forked"}


def test_a_rollback_that_has_grown_again_is_noticed() -> None:
    grown()
    with clock.frozen(at(10)):
        rewritten("TRUNCATE audit_node, audit_leaf, audit_pending, audit_verification, audit_entry")
        written(50)
        with pytest.raises(sealing.LogForked):
            sealed()
        assert "does not continue" in log_faults()["forked"]


def test_an_entry_rewritten_with_its_leaf_and_nodes_is_found_by_the_head() -> None:
    grown()
    (victim,) = AuditEntry.objects.order_by("id")[1:2]
    rewritten("UPDATE audit_entry SET actor = 'user:nobody' WHERE id = %s", victim.pk)
    victim.refresh_from_db()
    rewritten(
        "UPDATE audit_entry SET leaf_hash = %s WHERE id = %s", digest := selectors.content_hash(victim), victim.pk
    )
    rewritten("UPDATE audit_leaf SET leaf_hash = %s WHERE entry_id = %s", digest, victim.pk)
    nodes = {(0, leaf.leaf_index): bytes(leaf.leaf_hash) for leaf in AuditLeaf.objects.order_by("leaf_index")}
    for index in range(len(nodes)):
        for level, place, node in completed_nodes(lambda a, b: nodes[a, b], index, nodes[0, index]):
            nodes[level, place] = node
            rewritten("UPDATE audit_node SET node_hash = %s WHERE level = %s AND position = %s", node, level, place)
    found = checked()
    assert found.state == "broken"
    assert len(found.faults) == found.heads == 2
    assert all("has another root" in fault for fault in found.faults)
    assert set(log_faults()) == {"forked", "broken"}


REASON = "restored from the backup of 4 May; looked into by Aude"


def restored() -> None:
    """The log as a backup from before its first head has it, with two entries since."""
    rewritten("TRUNCATE audit_node, audit_leaf, audit_pending, audit_verification, audit_entry")
    written(2)


def test_after_a_fork_people_begin_anew_and_the_old_heads_are_kept(head_path: Path) -> None:
    grown()
    before = head_path.read_bytes()
    with clock.frozen(at(10)):
        restored()
        assert "forked" in log_faults()
        with side("compute"):
            call_command("audit_heads_begin_anew", reason=REASON)
        assert log_faults() == {}
    (kept,) = head_path.parent.glob("tree-heads-until-*.jsonl")
    assert kept.read_bytes() == before
    entry = AuditEntry.objects.get(action="audit.heads_begun_anew")
    assert entry.detail == {"reason": REASON, "kept": kept.name}
    assert entry.actor.startswith("operator:")
    fresh = head_file().last()
    assert fresh is not None
    assert fresh.size == 4
    assert checked().is_intact


@pytest.mark.parametrize("reason", ["", "  "])
def test_beginning_anew_needs_a_reason(reason: str, head_path: Path) -> None:
    grown()
    restored()
    with side("compute"), pytest.raises(CommandError, match="Say why"):
        call_command("audit_heads_begin_anew", reason=reason)
    assert list(head_path.parent.glob("*until*")) == []


def test_a_log_that_continues_its_heads_does_not_begin_anew(head_path: Path) -> None:
    with side("compute"), pytest.raises(CommandError, match="no signed head"):
        call_command("audit_heads_begin_anew", reason=REASON)
    grown()
    before = head_path.read_bytes()
    with side("compute"), pytest.raises(CommandError, match="nothing to begin anew"):
        call_command("audit_heads_begin_anew", reason=REASON)
    assert head_path.read_bytes() == before


def test_the_old_heads_stay_where_they_are_without_their_entry(head_path: Path) -> None:
    grown()
    before = head_path.read_bytes()
    restored()
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE audit_entry ADD CONSTRAINT broken CHECK (false) NOT VALID")
    with side("compute"), pytest.raises(IntegrityError), transaction.atomic():
        sealing.heads_begin_anew(actor="operator:tests", reason=REASON)
    assert head_path.read_bytes() == before
    assert list(head_path.parent.glob("*until*")) == []


def test_heads_by_another_key_are_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "signing_key", lambda: Ed25519PrivateKey.from_private_bytes(bytes(32)))
    grown()
    with clock.frozen(at(10)):
        assert "names another key" in log_faults()["heads"]


def test_a_new_key_is_told_in_the_log_and_the_old_heads_stay_good(tmp_path: Path, settings: Any) -> None:
    grown()
    keys = tmp_path / "keys" / "web"
    keyring.generate(tmp_path)
    old = keys / "audit_public.until-2026-05-04.key"
    old.touch(mode=0o600)
    old.write_text(public_key().public_bytes_raw().hex())
    settings.KEYRING = keyring.locate(tmp_path, side="test")
    with clock.frozen(at(20)):
        assert log_faults() == {}
        written()
        assert sealed()
        assert AuditEntry.objects.latest("id").action == "audit.key_changed"
        assert log_faults() == {}
    assert checked().is_intact
    old.unlink()
    assert "names another key" in checked().faults[0]


def test_heads_that_cannot_be_read_are_an_alarm(head_path: Path) -> None:
    grown()
    with head_path.open("ab") as tampered:
        tampered.write(b"?\n")
    with clock.frozen(at(10)):
        assert "cannot be relied on" in log_faults()["heads"]


def test_a_file_of_heads_that_is_gone_is_an_alarm(head_path: Path) -> None:
    grown()
    head_path.unlink()
    with clock.frozen(at(75)):
        assert "is gone" in log_faults()["late"]


def test_silence_is_an_alarm() -> None:
    grown()
    with clock.frozen(at(6 + 74)):
        assert log_faults() == {}
    with clock.frozen(at(6 + 76)):
        assert set(log_faults()) == {"late"}


def test_a_log_that_was_never_signed_is_an_alarm() -> None:
    with clock.frozen(NOON):
        written()
    with clock.frozen(at(59)):
        assert log_faults() == {}
    with clock.frozen(at(61)):
        assert set(log_faults()) == {"late"}


def test_a_fault_found_by_the_last_full_check_is_an_alarm() -> None:
    grown()
    (number,) = AuditEntry.objects.order_by("id").values_list("pk", flat=True)[:1]
    with clock.frozen(at(10)):
        rewritten("UPDATE audit_entry SET actor = 'user:nobody' WHERE id = %s", number)
        assert log_faults() == {}
        checked()
        assert "is not what leaf 0 recorded" in log_faults()["broken"]
