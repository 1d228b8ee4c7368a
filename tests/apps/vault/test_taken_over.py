"""What somebody gets who has taken over the web side: its role, its privileges and all that it may read."""

from __future__ import annotations

import hashlib
import hmac
import inspect
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import numpy as np
import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from apps.api.calls import attributes
from apps.audit.models import AuditPending
from apps.audit.services import append
from apps.common import clock
from apps.monitoring import counting, cubes, documents
from apps.monitoring.models import MonitoringRun
from apps.pipeline import tasks  # noqa: F401 - their doors are what is looked at
from apps.registry.spec import ModelSpec
from apps.vault import uploads
from apps.vault.pseudonyms import Pseudonymiser
from biasgov.celery import app
from biasgov.fairness.cube import Axis
from tests.apps.api.door import caller
from tests.apps.pipeline import world
from tests.apps.pipeline.world import NOW
from tests.sides import side

pytestmark = pytest.mark.django_db

SHADOW = """
CREATE TEMPORARY TABLE audit_pending (entry_id bigint);
GRANT INSERT ON pg_temp.audit_pending TO PUBLIC;
CREATE FUNCTION pg_temp.help_oneself() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'GRANT USAGE ON SCHEMA vault TO biasgov_web';
    EXECUTE 'GRANT SELECT ON ALL TABLES IN SCHEMA vault TO biasgov_web';
    RETURN NEW;
END $$;
CREATE TRIGGER helps BEFORE INSERT ON pg_temp.audit_pending
    FOR EACH ROW EXECUTE FUNCTION pg_temp.help_oneself();
"""


@pytest.mark.parametrize("role", ["web", "compute"])
def test_no_side_makes_temporary_tables(role: str) -> None:
    with (
        side(role),
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("CREATE TEMPORARY TABLE audit_pending (entry_id bigint)")


def test_a_table_of_ones_own_does_not_come_before_the_owners() -> None:
    with side("owner"), connection.cursor() as cursor:
        cursor.execute(f"GRANT TEMPORARY ON DATABASE {connection.settings_dict['NAME']} TO biasgov_web")
    with side("web"):
        with connection.cursor() as cursor:
            cursor.execute(SHADOW)
        number = append(actor="user:mallory", action="door.tried", subject="vault")
        with (
            pytest.raises(ProgrammingError, match="permission denied for schema vault"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT body FROM vault.block")
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE pg_temp.audit_pending")
        assert AuditPending.objects.filter(entry_id=number).exists()


def test_functions_that_run_as_the_owner_look_nowhere_else_first_and_are_not_everybodys() -> None:
    found = world.rows(
        "SELECT p.proname::text, p.proconfig, has_function_privilege('public', p.oid, 'EXECUTE') FROM pg_proc p"
        " JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prosecdef AND n.nspname !~ '^(pg_|information_schema)'"
    )
    assert len(found) >= 2
    for name, settings, anybody in found:
        (path,) = (each.partition("=")[2] for each in settings if each.startswith("search_path="))
        assert path.split(", ")[0] == "pg_catalog", name
        assert path.split(", ")[-1] == "pg_temp", name
        assert not anybody, name


def test_what_is_stored_for_the_web_side_holds_no_small_group() -> None:
    frame = world.people(200, hours=5)
    frame = frame[~(frame["region"].eq("west") & (frame["region"].eq("west").cumsum() > 4))]
    with clock.frozen(NOW):
        spec = world.company()
        world.send_events(spec, frame)
        world.send_attributes(frame)
        world.compute()
    stored = [documents.read(bytes(run.document)) for run in MonitoringRun.objects.filter(model_id=spec.id)]
    results = [result for document in stored for result in document["results"]]
    small = [each for each in results if each["group"] and "west" in each["group"].split("*")]
    resting = [
        each
        for each in results
        if each["group"] is None and each["attribute"] == "region" and each["reason"] == "group_too_small"
    ]
    assert small
    assert resting
    for each in small + resting:
        told = ("value", "n", "numerator", "denominator", "least_n", "least_cell", "details", "interval")
        assert {each[name] for name in told} == {None}, each["metric"]
        assert each["suppressed"]
    for each in results:
        assert each["n"] is None or each["n"] >= 10 or each["group"] is None
        assert each["least_n"] in (None, 0) or each["least_n"] >= 10
    assert any(each["value"] is not None for each in results)
    for document in stored:
        bins = [point for groups in document["reliability"].values() for group in groups.values() for point in group]
        assert all(point["n"] is None or point["n"] >= 10 for point in bins)


def test_no_digest_lets_the_web_side_try_whose_attributes_are_which(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds every event, every pseudonym and the program: only the codes are missing to count the cubes."""
    frame = world.people(4, hours=3)
    with clock.frozen(NOW):
        spec = world.company()
        world.send_events(spec, frame)
        world.send_attributes(frame)
        world.compute()
    run = MonitoringRun.objects.filter(model_id=spec.id, window="24h").latest("as_of")
    told = f"{run.cubes_digest} {run.seed} {documents.read(bytes(run.document))}"
    hours = [run.from_at + timedelta(hours=each) for each in range(24)]
    people = Pseudonymiser().many(frame["subject"].unique())
    truth = frame.drop_duplicates("subject")[["sex", "region"]].to_dict("split")["data"]
    matching = []
    for guess in product(product(*world.LEVELS.values()), repeat=len(people)):
        content = counted_with(monkeypatch, spec, hours, dict(zip(people, guess, strict=True)))
        plain = hashlib.sha256(content).hexdigest()
        assert plain not in told
        assert str(int(plain[:12], 16)) not in told
        with side("compute"):
            if hmac.digest(cubes._digest_key(), content, "sha256").hex() == run.cubes_digest:
                matching.append(guess)
    assert [list(map(list, guess)) for guess in matching] == [truth], "who has the key can tell: so the attack is sound"


def counted_with(
    monkeypatch: pytest.MonkeyPatch, spec: ModelSpec, hours: list[datetime], attributes: dict[bytes, tuple[str, ...]]
) -> bytes:
    """What is digested of the cubes if people's attributes are these."""

    def codes(*, subjects: np.ndarray, axes: Sequence[Axis], **_: Any) -> list[np.ndarray]:
        rows = [
            [axis.code(level) for axis, level in zip(axes, attributes[each.tobytes()], strict=True)]
            for each in subjects
        ]
        return list(np.array(rows, np.int16).T)

    monkeypatch.setattr(counting.enrichment, "attribute_codes", codes)
    counted = [each for some in counting.hours_count(spec=spec, hours=hours) for each in some]
    return cubes._content(
        [
            cubes._Listed(
                each.hour, version, part.cube.total, cubes._digest_of(part.cube.to_bytes(), part.people.to_bytes())
            )
            for each in counted
            for version, part in sorted(each.cubes.items())
        ]
    )


def test_a_task_is_told_nothing_and_answers_nothing() -> None:
    doors = {name: task for name, task in app.tasks.items() if name.startswith(("compute.", "governance."))}
    assert len(doors) > 15
    assert all(not inspect.signature(task.run).parameters for task in doors.values())
    assert all("args" not in each and "kwargs" not in each for each in app.conf.beat_schedule.values())


@pytest.mark.parametrize("fails", ["attributes_upload", "current_schema"])
def test_an_error_page_and_its_log_line_echo_nothing_of_what_was_sent(
    fails: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a fault of ours")

    world.company()
    who = caller("attributes:write")
    monkeypatch.setattr(attributes if fails == "attributes_upload" else uploads, fails, broken)
    answer = who.send("PUT", "attributes", {"subjects": [{"subject_id": "Zerlina", "attributes": {"sex": "female"}}]})
    assert answer.status_code == 500
    assert "a fault of ours" in caplog.text
    for said in (answer.content.decode(), caplog.text):
        assert "Zerlina" not in said
        assert "female" not in said


def test_the_shared_broker_neither_steers_a_worker_nor_carries_objects() -> None:
    assert not app.conf.worker_enable_remote_control
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_ignore_result
    assert app.conf.result_backend is None
