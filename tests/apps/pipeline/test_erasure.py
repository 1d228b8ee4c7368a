"""After an erasure nothing knows the person: every table, the broker, the files and the logs are searched."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.monitoring import documents
from apps.monitoring.models import MonitoringRun
from apps.pipeline import services as pipeline
from apps.registry.spec import ModelSpec
from apps.vault import receiving
from apps.vault import services as vault
from apps.vault.models import VaultErasure, VaultUpload
from apps.vault.pseudonyms import Pseudonymiser
from tests.apps.api.door import Caller, caller
from tests.apps.pipeline import world
from tests.cast import person, signed_in
from tests.searching import known_in, traces
from tests.sides import side

pytestmark = pytest.mark.django_db
WHO = "Zerlina Quistgaard-7781"
FEATURE = 918273.6455
PLANTED = Path(settings.HOME) / "planted.txt"
RUN = [
    each.attname
    for each in MonitoringRun._meta.fields
    if each.name not in ("id", "revision", "document", "computed_at")
]


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
    assert {"public.inference_event_detail", "vault.block, opened"} <= before
    with caplog.at_level(logging.DEBUG):
        erase(door)
        world.compute()
    assert known_in(wanted) == set()
    assert not any(trace.decode(errors="replace") in caplog.text for trace in wanted)
    assert VaultErasure.objects.get().state == "done"
    assert VaultErasure.objects.get().subject is None


def in_a_table(trace: str) -> None:
    VaultErasure.objects.create(actor=trace)


def in_a_run(trace: str) -> None:
    run = MonitoringRun.objects.latest("id")
    with side("compute"):
        document = documents.close({"results": [], "note": trace})
        MonitoringRun.objects.create(
            **{name: getattr(run, name) for name in RUN}, revision=run.revision + 1, document=document.compressed
        )


def in_the_vault(trace: str) -> None:
    vault.attributes_upload(actor=world.ACTOR, subjects=[(trace, {"sex": "female"})])
    world.compute()


def in_what_is_sealed(trace: str) -> None:
    vault.attributes_upload(actor=world.ACTOR, subjects=[(trace, {"sex": "female"})])


def in_the_broker(trace: str) -> None:
    broker().rpush("traces", trace * 40)


def in_a_file(trace: str) -> None:
    PLANTED.write_text(trace)


def broker() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


@pytest.mark.parametrize(
    ("plant", "place"),
    [
        (in_a_table, "public.vault_erasure"),
        (in_a_run, "run "),
        (in_the_vault, "vault.block, opened"),
        (in_what_is_sealed, "vault_upload_part, opened"),
        (in_the_broker, "broker "),
        (in_a_file, str(PLANTED)),
    ],
    ids=["table", "run", "vault", "sealed", "broker", "file"],
)
def test_the_search_finds_what_was_left_somewhere(
    plant: Callable[[str], None], place: str, door: Caller, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: broker().delete("traces"))
    request.addfinalizer(lambda: PLANTED.unlink(missing_ok=True))
    # Somebody of this test alone, since the broker's file of changes remembers what was deleted.
    trace = f"somebody {uuid4()}"
    wanted = traces(trace) | traces(Pseudonymiser().one(trace))
    assert known_in(wanted) == set()
    plant(trace)
    assert any(each.startswith(place) for each in known_in(wanted))


def test_nothing_of_a_refused_file_is_left_anywhere(
    spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By API and by page: refused at the door, and by the compute side."""
    monkeypatch.setattr(receiving, "PART", 10)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    good = b"subject_id,sex\n" + b"".join(b"%s %d,female\n" % (WHO.encode(), number) for number in range(25))
    bad, twice = good + b"somebody,Quistgaard\n", good + b"%s 3,male\n" % WHO.encode()
    api, steward = caller(), signed_in(person("steward"))
    with caplog.at_level(logging.DEBUG):
        for content in (bad, twice):
            api.send("PUT", f"attribute-uploads/{uuid4()}", content, media_type="text/csv")
            steward.post(reverse("vault-uploads"), {"form": "csv"})
            begun = VaultUpload.objects.latest("received_at").pk
            given = {"file": SimpleUploadedFile("people.csv", content), "complete": "1"}
            steward.post(reverse("vault-upload-file", args=[begun]), given, follow=True)
        assert "vault_upload_part, opened" in known_in(traces(Pseudonymiser().one(f"{WHO} 3")))
        world.compute()
    assert set(VaultUpload.objects.values_list("state", flat=True)) == {"refused"}
    wanted = set().union(
        *(traces(Pseudonymiser().one(f"{WHO} {number}")) for number in range(25)), traces("Quistgaard")
    )
    assert known_in(wanted, beside=[tmp_path]) == set()
    assert not any(trace.decode(errors="replace") in caplog.text for trace in wanted)


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
