"""What somebody gets who has taken over the web side: its role, its privileges and all that it may read."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from apps.audit.models import AuditPending
from apps.audit.services import append
from apps.common import clock
from apps.monitoring import documents
from apps.monitoring.models import MonitoringRun
from biasgov.celery import app
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


def test_the_shared_broker_neither_steers_a_worker_nor_carries_objects() -> None:
    assert not app.conf.worker_enable_remote_control
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_ignore_result
    assert app.conf.result_backend is None
