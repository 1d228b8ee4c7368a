"""Commands for operators: repeatable, and honest about what they find."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings

from apps.common import clock
from apps.monitoring import selectors
from apps.monitoring.models import MonitoringRun
from apps.registry.spec import ModelSpec
from tests.apps.pipeline import world
from tests.apps.pipeline.world import NOW
from tests.sides import side


@pytest.fixture
def spec(db: None) -> Iterator[ModelSpec]:
    with clock.frozen(NOW):
        found = world.company()
        frame = world.people(150, hours=24 * 3)
        world.send_events(found, frame)
        world.send_attributes(frame)
        yield found


def run(command: str, *arguments: str) -> str:
    said = StringIO()
    with side("compute"):
        call_command(command, *arguments, stdout=said, verbosity=0)
    return said.getvalue()


def test_backfill_evaluates_every_step_and_again_changes_nothing(spec: ModelSpec) -> None:
    arguments = ("--model", "hiring", "--from", (NOW - timedelta(hours=20)).isoformat(), "--to", NOW.isoformat())
    run("open_uploads")
    run("backfill", *arguments, "--step", "6h")
    rows = selectors.runs(spec.id, "24h", limit=100).rows
    start = clock.hour_ceiling(NOW - timedelta(hours=20))
    assert {start + timedelta(hours=6 * step) for step in range(4)} <= {row.as_of for row in rows}
    before = MonitoringRun.objects.count()
    run("backfill", *arguments, "--step", "6h")
    assert MonitoringRun.objects.count() == before


def test_recompute_compares_the_bytes_of_every_run(spec: ModelSpec) -> None:
    world.compute()
    stored = MonitoringRun.objects.count()
    assert run("recompute", "--model", "hiring") == f"{stored} same\n"
    one = selectors.latest_runs(spec.id)["7d"].id
    assert run("recompute", "--run", str(one)) == "1 same\n"
    with side("owner"):
        MonitoringRun.objects.filter(pk=one).update(document_digest="0" * 64)
    with pytest.raises(CommandError, match="1 runs differ"):
        run("recompute", "--run", str(one))


@pytest.mark.parametrize(
    "arguments",
    [
        ("backfill", "--model", "nobody", "--from", "2026-01-01", "--to", "2026-01-02"),
        ("backfill", "--model", "hiring", "--from", "soon", "--to", "2026-01-02"),
        ("backfill", "--model", "hiring", "--from", "2026-01-01", "--to", "2026-01-02", "--step", "0h"),
        ("backfill", "--model", "hiring", "--from", "2026-02-01", "--to", "2026-01-02"),
        ("recompute", "--run", "0"),
        ("recompute", "--model", "nobody"),
    ],
)
def test_a_command_says_what_it_cannot_do(spec: ModelSpec, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)


def test_keys_are_made_once_for_their_owner_alone_and_never_shown(tmp_path: Path) -> None:
    with override_settings(HOME=tmp_path):
        said = StringIO()
        call_command("setup_keys", stdout=said)
        keys = {path: path.read_text() for path in (tmp_path / "keys").rglob("*.key")}
        call_command("setup_keys", stdout=said)
    assert {path.parent.name for path in keys} == {"shared", "web", "compute"}
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
    assert keys == {path: path.read_text() for path in keys}
    assert not any(content.strip() in said.getvalue() for content in keys.values())
