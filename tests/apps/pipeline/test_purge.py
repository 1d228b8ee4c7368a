"""After a run nobody's attribute is anywhere but in the vault."""

from __future__ import annotations

import logging
from uuid import UUID

import pytest
from django.db import connection

from apps.common import clock
from apps.vault.pseudonyms import Pseudonymiser
from tests.apps.pipeline import world
from tests.apps.pipeline.world import NOW
from tests.sides import side

pytestmark = pytest.mark.django_db
LEVELS = sorted({level for levels in world.LEVELS.values() for level in levels})


def tables() -> dict[str, str]:
    """The whole content of every table outside the vault, as text, by name."""
    names = world.rows(
        "SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('vault', 'information_schema') AND n.nspname !~ '^pg_cat'"
    )
    found: dict[str, str] = {}
    with side("owner"), connection.cursor() as cursor:
        for (name,) in names:
            cursor.execute(f"SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM {name} t")
            found[name] = cursor.fetchone()[0]
    return found


def test_no_table_outside_the_vault_knows_a_subject_and_a_level(caplog: pytest.LogCaptureFixture) -> None:
    frame = world.people(120, hours=5)
    with clock.frozen(NOW), caplog.at_level(logging.DEBUG):
        spec = world.company()
        world.send_attributes(frame)
        world.send_events(spec, frame)
        world.compute()
    everything = tables()
    subjects = [UUID(bytes=each) for each in Pseudonymiser().many(frame["subject"].unique().tolist())]
    traces = [form for subject in subjects for form in (str(subject), subject.hex)]
    know_subjects = {name for name, text in everything.items() if any(trace in text for trace in traces)}
    know_levels = {name for name, text in everything.items() if any(level in text for level in LEVELS)}
    assert know_subjects
    assert all(name.startswith("public.inference_event") for name in know_subjects)
    assert know_subjects.isdisjoint(know_levels)
    assert not any(trace in caplog.text for trace in traces)
    assert not world.rows("SELECT relname FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'")


def test_events_carry_no_more_than_they_came_with() -> None:
    (columns,) = world.rows(
        "SELECT array_agg(attname::text ORDER BY attname) FROM pg_attribute"
        " WHERE attrelid = 'inference_event'::regclass AND attnum > 0"
    )[0]
    assert columns == ["decision", "event_key", "model_id", "occurred_at", "score", "subject", "version_id"]
