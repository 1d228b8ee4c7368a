"""After an erasure nothing knows the person: every table, the broker, the files and the logs are searched."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import redis
from django.conf import settings
from django.db import connection

from apps.pipeline import services as pipeline
from apps.registry.spec import ModelSpec
from apps.vault import services as vault
from apps.vault.models import VaultErasure, VaultUpload
from apps.vault.pseudonyms import Pseudonymiser
from tests.apps.api.door import Caller, caller
from tests.apps.pipeline import world
from tests.sides import side

pytestmark = pytest.mark.django_db
WHO = "Zerlina Quistgaard-7781"
FEATURE = 918273.6455


def traces(value: bytes | UUID | str) -> set[bytes]:
    """How a value may be written: as it is, in hexadecimal, with hyphens."""
    if isinstance(value, str):
        return {value.encode(), value.encode().hex().encode()}
    known = value if isinstance(value, UUID) else UUID(bytes=value)
    return {known.bytes, known.hex.encode(), str(known).encode()}


def everything() -> Iterator[tuple[str, bytes]]:
    """The content of every table of every schema, the broker and every file of the home that is not PostgreSQL's."""
    names = world.rows(
        "SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_cat' AND n.nspname <> 'information_schema'"
    )
    for (name,) in names:
        vault = name.startswith("vault.")
        with side("compute" if vault else "owner"), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('biasgov.purpose', %s, true)", ["keys" if vault else ""])
            cursor.execute(f"SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM {name} t")
            yield name, cursor.fetchone()[0].encode()
    broker = redis.Redis.from_url(settings.REDIS_URL)
    for key in broker.scan_iter():
        yield f"broker {key!r}", key + bytes(broker.dump(key) or b"")
    for path in Path(settings.HOME).rglob("*"):
        if path.is_file() and "postgres" not in path.as_posix():
            yield str(path), path.read_bytes()


def known_in(wanted: set[bytes]) -> set[str]:
    return {place for place, content in everything() if any(trace in content for trace in wanted)}


def at(minutes: int) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


@pytest.fixture
def spec() -> ModelSpec:
    return world.company(features=["income"])


@pytest.fixture
def door(spec: ModelSpec) -> Caller:
    """A caller by whom one person among thirty has given everything that can be given."""
    found = caller()
    people = [WHO, *(f"person {number}" for number in range(30))]
    rows = [{"subject_id": name, "attributes": {"sex": "female", "region": "west"}} for name in people]
    assert found.send("PUT", "attributes", {"subjects": rows}, Idempotency_Key="one").status_code == 202
    events = [
        {
            "event_id": f"event {number}",
            "subject_id": name,
            "occurred_at": at(90),
            "version": "1.0",
            "decision": 1,
            "features": {"income": FEATURE if name == WHO else 1.0},
        }
        for number, name in enumerate(people)
    ]
    answer = found.post("models/hiring/events", {"events": events}, Idempotency_Key="two")
    assert answer.status_code in (200, 202), answer.content
    world.compute()
    return found


def erase(door: Caller) -> None:
    assert door.send("DELETE", f"attributes/{WHO}".replace(" ", "%20")).status_code == 202


def test_a_search_over_everything_finds_nothing_of_an_erased_person(
    door: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    pseudonym = Pseudonymiser().one(WHO)
    wanted = traces(WHO) | traces(pseudonym) | traces(str(FEATURE))
    before = known_in(wanted)
    assert {name.rpartition("_2")[0] or name for name in before} >= {"public.inference_event"}
    assert "public.inference_event_detail" in before
    with caplog.at_level(logging.DEBUG):
        erase(door)
        world.compute()
    assert known_in(wanted) == set()
    assert not any(trace.decode(errors="replace") in caplog.text for trace in traces(pseudonym))
    assert VaultErasure.objects.get().state == "done"
    assert VaultErasure.objects.get().subject is None


def test_the_events_of_an_erased_person_still_count_and_belong_to_nobody_else(door: Caller) -> None:
    def counted() -> tuple[int, int]:
        ((events, subjects),) = world.rows("SELECT count(*), count(DISTINCT subject) FROM inference_event")
        return events, subjects

    before = counted()
    erase(door)
    world.compute()
    assert counted() == before


def test_a_pseudonym_is_kept_while_something_older_is_still_sealed(door: Caller) -> None:
    sealed = {"subjects": [{"subject_id": WHO, "attributes": {"sex": "female", "region": "west"}}]}
    assert door.send("PUT", "attributes", sealed).status_code == 202
    erase(door)
    with side("compute"):
        vault.erasures_execute()
        assert vault.erasures_forget() == []
        assert VaultErasure.objects.get().subject is not None
        pipeline.open_uploads()
    assert not VaultUpload.objects.exclude(state="stored").exists()
    assert VaultErasure.objects.get().subject is None
    assert known_in(traces(Pseudonymiser().one(WHO))) == set()
