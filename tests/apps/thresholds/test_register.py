"""The threshold register: numbering, dates, provenance, and that nothing published changes."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.spec import ModelSpec
from apps.thresholds.models import PolicyVersion
from apps.thresholds.selectors import (
    NoPolicy,
    PolicyInForce,
    policies_in_force,
    policy_in_force,
    policy_version,
    policy_versions,
)
from apps.thresholds.services import policy_publish, preset_publish
from biasgov.fairness.policy import PRESETS, Bound, Policy
from biasgov.fairness.response_plan import ResponsePlan
from tests.cast import model, person
from tests.sides import side

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
STRICT = Policy(bounds={"equalized_odds_difference": Bound(None, 0.02)})
DAY = timedelta(days=1)


@pytest.fixture
def spec(db: None) -> ModelSpec:
    return model()


def publish(spec: ModelSpec, **changes: Any) -> PolicyInForce:
    given: dict[str, Any] = {"policy": STRICT, "assessment_reference": "GOV002-17", "actor": "user:officer"}
    return policy_publish(model_id=spec.id, **(given | changes))


def test_a_published_policy_is_in_force_as_it_was_written(spec: ModelSpec) -> None:
    published = publish(spec, justification=" Agreed in May. ")
    found = policy_in_force(spec.id, clock.now())
    assert found == published == policy_version(published.id)
    assert (found.policy, found.version, found.assessment_reference) == (STRICT, 1, "GOV002-17")
    assert found.justification == "Agreed in May."
    assert len(found.digest) == 64


def test_a_ladder_by_a_calendar_that_does_not_exist_is_refused(spec: ModelSpec) -> None:
    with pytest.raises(Refused, match=r"ladder\.calendar"):
        publish(spec, policy=Policy(ladder=ResponsePlan(calendar="AU-XXX")))
    assert publish(spec, policy=Policy(ladder=ResponsePlan(calendar="AU-NSW"))).policy.ladder.calendar == "AU-NSW"


def test_the_digest_is_of_the_content_alone(spec: ModelSpec) -> None:
    other = Policy(bounds={"equalized_odds_difference": Bound(None, 0.03)})
    first, same, different = publish(spec), publish(spec), publish(spec, policy=other)
    assert first.digest == same.digest != different.digest


def test_a_later_version_starts_when_it_says(spec: ModelSpec) -> None:
    with clock.frozen(NOON):
        first = publish(spec)
        later = publish(spec, effective_from=NOON + 3 * DAY)
    assert policy_in_force(spec.id, NOON + DAY) == first
    assert policy_in_force(spec.id, NOON + 3 * DAY) == later
    assert [each.version for each in policy_versions(spec.id)] == [2, 1]


def test_an_urgent_change_replaces_one_that_was_planned(spec: ModelSpec) -> None:
    with clock.frozen(NOON):
        publish(spec)
        publish(spec, effective_from=NOON + 3 * DAY)
        urgent = publish(spec)
    assert policy_in_force(spec.id, NOON + DAY) == urgent
    assert policy_in_force(spec.id, NOON + 30 * DAY) == urgent


def test_the_past_before_the_first_version_is_judged_by_it(spec: ModelSpec) -> None:
    with clock.frozen(NOON):
        first = publish(spec)
        publish(spec, effective_from=NOON + DAY)
    assert policy_in_force(spec.id, NOON - 60 * DAY) == first


def test_many_models_are_answered_alike_in_two_queries(spec: ModelSpec, django_assert_num_queries: Any) -> None:
    other, bare = model("other"), model("bare")
    with clock.frozen(NOON):
        publish(spec)
        publish(spec, effective_from=NOON + DAY)
        publish(other)
    ids = [spec.id, other.id, bare.id]
    for at in (NOON - DAY, NOON, NOON + DAY):
        with django_assert_num_queries(2):
            found = policies_in_force(ids, at)
        assert found == {each: policy_in_force(each, at) for each in (spec.id, other.id)}


def test_what_was_judged_stays_judged(spec: ModelSpec) -> None:
    publish(spec, effective_from=clock.now() - 90 * DAY)
    with pytest.raises(Refused) as refused:
        publish(spec, effective_from=clock.now() - DAY)
    assert refused.value.field == "effective_from"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("assessment_reference", {"assessment_reference": " "}),
        ("assessment_reference", {"assessment_reference": "x" * 201}),
        ("legal_basis", {"legal_basis": ["aia-9-7"]}),
        ("effective_from", {"effective_from": datetime(2027, 1, 1)}),  # noqa: DTZ001
    ],
)
def test_a_policy_without_provenance_is_refused(spec: ModelSpec, field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        publish(spec, **changes)
    assert refused.value.field == field
    assert not PolicyVersion.objects.exists()
    assert not entries(action="policy.").exists()


def test_the_database_wants_an_assessment_too(spec: ModelSpec) -> None:
    published = publish(spec)
    row = PolicyVersion.objects.get(pk=published.id)
    row.pk, row.version, row.assessment_reference = None, 2, "  "
    with pytest.raises(DatabaseError, match="thresholds_assessment_is_named"):
        row.save(force_insert=True)


def test_a_model_without_any_policy_says_so(spec: ModelSpec) -> None:
    with pytest.raises(NoPolicy):
        policy_in_force(spec.id, clock.now())
    assert policy_versions(spec.id) == ()


def test_publishing_is_in_the_log(spec: ModelSpec) -> None:
    published = publish(spec)
    entry = entries(action="policy.published").get()
    assert (entry.actor, entry.subject) == ("user:officer", "model:claims-triage")
    assert entry.detail["digest"] == published.digest
    assert entry.detail["assessment"] == "GOV002-17"


def test_the_preset_of_the_industry_names_its_legal_basis(spec: ModelSpec) -> None:
    published = preset_publish(model_id=spec.id, assessment_reference="GOV002-17", actor="user:officer")
    assert published.policy == PRESETS["insurance"]
    assert {"aia-9-8", "cps-230-33"} <= set(published.legal_basis)


@pytest.mark.parametrize("change", ["UPDATE {} SET version = 9", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_a_published_version_cannot_be_changed(spec: ModelSpec, change: str) -> None:
    publish(spec)
    statement = change.format("thresholds_policyversion")
    for role in ("web", "compute"):
        with side(role), connection.cursor() as cursor, pytest.raises(DatabaseError) as refused, transaction.atomic():
            cursor.execute(statement)
        assert isinstance(refused.value.__cause__, psycopg.errors.InsufficientPrivilege)
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(DatabaseError, match="what is written there stays"), transaction.atomic():
            cursor.execute(statement)


def test_the_compute_side_reads_the_policy_and_publishes_none(spec: ModelSpec) -> None:
    published = publish(spec)
    with side("compute"):
        assert policy_in_force(spec.id, clock.now()) == published
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            publish(spec)


@pytest.mark.django_db(transaction=True)
def test_versions_published_at_once_are_numbered_without_gaps() -> None:
    specs = [model("first"), model("second")]
    together = threading.Barrier(6)

    def work(number: int) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET ROLE biasgov_web")
            together.wait(timeout=10)
            for turn in range(8):
                try:
                    with transaction.atomic():
                        publish(specs[(number + turn) % 2])
                        if turn % 4 == number % 4:
                            raise Abandoned
                except Abandoned:
                    continue
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(work, number) for number in range(6)]:
            future.result(timeout=60)
    for spec in specs:
        versions = sorted(each.version for each in policy_versions(spec.id))
        assert versions == list(range(1, len(versions) + 1))
    assert PolicyVersion.objects.count() == 6 * 6


class Abandoned(Exception):  # noqa: N818 - a change of mind, not a fault
    """The publication is rolled back."""


def run(spec: ModelSpec, file: Path, **changes: str) -> str:
    out = StringIO()
    given = {"model": spec.slug, "file": str(file), "assessment": "GOV002-18", "by": "officer"} | changes
    call_command("policy_publish", *[f"--{name}={value}" for name, value in given.items()], stdout=out)
    return out.getvalue()


def test_the_command_publishes_a_file(spec: ModelSpec, tmp_path: Path) -> None:
    person("officer")
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"bounds": {"fpr_gap": {"upper": 0.04}}, "alpha": 0.01}))
    assert "Version 1 of claims-triage is in force" in run(spec, file)
    found = policy_in_force(spec.id, clock.now())
    assert (found.policy.bound("fpr_gap").upper, found.policy.alpha) == (0.04, 0.01)
    assert found.published_by == "user:officer"


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        ("{", {}, "--file"),
        ("[]", {}, "--file"),
        ('{"bounds": {"fairness": {"upper": 1}}}', {}, "unknown metric"),
        ("{}", {"by": "nobody"}, "does not exist"),
        ("{}", {"model": "nothing"}, "does not exist"),
        ("{}", {"assessment": " "}, "assessment_reference"),
    ],
)
def test_the_command_says_what_is_wrong(
    spec: ModelSpec, tmp_path: Path, content: str, changes: dict[str, str], message: str
) -> None:
    person("officer")
    file = tmp_path / "policy.json"
    file.write_text(content)
    with pytest.raises(CommandError, match=message):
        run(spec, file, **changes)
    assert not PolicyVersion.objects.exists()
