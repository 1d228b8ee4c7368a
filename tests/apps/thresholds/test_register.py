"""The register: numbering, dates, provenance, the ways in, and that nothing published changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.http import Http404

from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.spec import ModelSpec
from apps.thresholds import register
from apps.thresholds.limits import HOUSE_LIMITS
from apps.thresholds.models import PolicyVersion
from apps.thresholds.selectors import (
    Filters,
    NoPolicy,
    policies_in_force,
    policy_in_force,
    policy_version,
    policy_versions,
)
from apps.thresholds.services import policy_publish_emergency, preset_publish
from biasgov.fairness.policy import PRESETS, Bound, Policy
from biasgov.fairness.response_plan import ResponsePlan
from tests.apps.thresholds.world import EO, LOOSER, STRICT, TIGHTER, published, registered
from tests.cast import Cast, model, person
from tests.sides import side

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def spec(db: None) -> ModelSpec:
    return model()


@pytest.fixture
def noon() -> Iterator[None]:
    with clock.frozen(NOON):
        yield


def test_a_first_policy_is_in_force_as_it_was_written(spec: ModelSpec) -> None:
    first = registered(spec, justification=" Agreed in May. ")
    found = policy_in_force(spec.id, clock.now())
    assert found == first == policy_version(first.id)
    assert (found.policy, found.version, found.assessment_reference) == (STRICT, 1, "RA-2026-014")
    assert (found.justification, found.way, found.limits) == ("Agreed in May.", "registration", HOUSE_LIMITS)
    assert len(found.digest) == 64


def test_a_ladder_by_a_calendar_that_does_not_exist_is_refused(db: None) -> None:
    with pytest.raises(Refused, match=r"ladder\.calendar"):
        registered(model("a"), Policy(ladder=ResponsePlan(calendar="AU-XXX")))
    found = registered(model("b"), Policy(ladder=ResponsePlan(calendar="AU-NSW")))
    assert found.policy.ladder.calendar == "AU-NSW"


def test_the_digest_is_of_the_content_alone(db: None) -> None:
    policies = {"a": STRICT, "b": STRICT, "c": TIGHTER}
    first, same, different = (registered(model(slug), policy) for slug, policy in policies.items())
    assert first.digest == same.digest != different.digest


def test_a_first_policy_may_have_begun_in_the_past_and_its_review_is_due_in_a_year(spec: ModelSpec) -> None:
    first = registered(spec, effective_from=clock.now() - 90 * DAY)
    assert first.review_due == (clock.now() + 365 * DAY).date()


def test_a_later_version_is_not_published_without_a_signature(spec: ModelSpec) -> None:
    registered(spec)
    with pytest.raises(Refused) as refused:
        registered(spec, TIGHTER)
    assert refused.value.code == "needs_signature"
    assert [each.version for each in policy_versions(spec.id)] == [1]


def test_a_later_version_starts_when_it_says(noon: None, cast: Cast) -> None:
    first = policy_in_force(cast.owned.id, NOON)
    later = published(cast.owned, cast.owner, [cast.compliance], effective_from=NOON + 3 * DAY)
    assert policy_in_force(cast.owned.id, NOON + DAY) == first
    assert policy_in_force(cast.owned.id, NOON + 3 * DAY) == later
    assert [each.version for each in policy_versions(cast.owned.id)] == [2, 1]


def test_an_urgent_change_replaces_one_that_was_planned(noon: None, cast: Cast) -> None:
    published(cast.owned, cast.owner, [cast.compliance], effective_from=NOON + 3 * DAY)
    urgent = published(cast.owned, cast.owner, [cast.compliance], TIGHTER)
    assert policy_in_force(cast.owned.id, NOON + DAY) == urgent
    assert policy_in_force(cast.owned.id, NOON + 30 * DAY) == urgent


def test_the_past_before_the_first_version_is_judged_by_it(noon: None, cast: Cast) -> None:
    first = policy_in_force(cast.owned.id, NOON)
    published(cast.owned, cast.owner, [cast.compliance], effective_from=NOON + DAY)
    assert policy_in_force(cast.owned.id, NOON - 60 * DAY) == first


def test_a_page_beyond_the_last_is_the_last(noon: None, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "PAGE", 2)
    for policy in (TIGHTER, STRICT):
        published(cast.owned, cast.owner, [cast.compliance], policy)
    asked = Filters(model=cast.owned.slug)
    pages = [register.register_page(cast.officer, asked, page=number) for number in (1, 2, 3, 9)]
    assert [[row.version for row in each.rows] for each in pages] == [[3, 2], [1], [1], [1]]
    assert {(each.total, each.pages) for each in pages} == {(3, 2)}
    assert [each.page for each in pages] == [1, 2, 2, 2]
    assert register.register_page(cast.officer, Filters(model="nothing"), page=7).rows == ()


def test_many_models_are_answered_alike_in_two_queries_at_most(
    noon: None, cast: Cast, django_assert_max_num_queries: Any
) -> None:
    spec, other, bare = cast.owned, model("other"), model("bare")
    published(spec, cast.owner, [cast.compliance], effective_from=NOON + DAY)
    registered(other)
    ids = [spec.id, other.id, bare.id]
    for at in (NOON - DAY, NOON, NOON + DAY):
        with django_assert_max_num_queries(2):
            found = policies_in_force(ids, at)
        assert found == {each: policy_in_force(each, at) for each in (spec.id, other.id)}


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
        registered(spec, **changes)
    assert refused.value.field == field
    assert not PolicyVersion.objects.exists()
    assert not entries(action="policy.").exists()


def written(spec: ModelSpec, **changes: Any) -> None:
    """A row past the services, like the newest one but for `changes`."""
    row = PolicyVersion.objects.filter(model_id=spec.id).first()
    assert row is not None
    for field, value in {"pk": None, "version": row.version + 1, **changes}.items():
        setattr(row, field, value)
    with transaction.atomic():
        row.save(force_insert=True)


@pytest.mark.parametrize(
    ("message", "changes"),
    [
        ("the first version comes with the registration", {}),
        ("thresholds_emergency_has_a_reason", {"way": "emergency", "justification": " "}),
        ("thresholds_assessment_is_named", {"way": "emergency", "justification": "x", "assessment_reference": " "}),
        ("thresholds_not_backdated", {"way": "emergency", "justification": "x", "effective_from": NOON - DAY}),
        ("no signed request", {"way": "signed"}),
        ("numbered without gaps", {"way": "emergency", "justification": "x", "version": 3}),
    ],
)
def test_the_database_refuses_what_the_services_would(
    noon: None, spec: ModelSpec, message: str, changes: dict[str, Any]
) -> None:
    registered(spec)
    for role in ("web", "owner"):
        with side(role), pytest.raises(DatabaseError, match=message):
            written(spec, **changes)


LOOSE_BOUND = {"bounds": {EO: {"lower": None, "upper": 0.06}}}


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        (LOOSE_BOUND, {}),
        ({"bounds": {EO: {"lower": None, "upper": None}}}, {}),
        ({"bounds": {}}, {}),
        ({"minimum_group": 300}, {}),
        ({"ladder": {}}, {}),
        ({}, {f"bounds.{EO}.upper": 0.5}),
    ],
)
def test_an_emergency_that_loosens_anything_is_refused_by_the_database_too(
    noon: None, spec: ModelSpec, body: dict[str, Any], limits: dict[str, float]
) -> None:
    """Nobody signs an emergency: by SQL it would be the way around all signatures."""
    registered(spec)
    before = PolicyVersion.objects.get(model_id=spec.id)
    changed = {"body": before.body | body, "limits": before.limits | limits, "digest": "a" * 64}
    for role in ("web", "owner"):
        with side(role), pytest.raises(DatabaseError, match="keeps each bound of version 1 or tightens it"):
            written(spec, way="emergency", justification="Now.", effective_from=NOON, published_at=NOON, **changed)


def test_a_model_without_any_policy_says_so(spec: ModelSpec) -> None:
    with pytest.raises(NoPolicy):
        policy_in_force(spec.id, clock.now())
    assert policy_versions(spec.id) == ()


def test_publishing_is_in_the_log(spec: ModelSpec) -> None:
    first = registered(spec, actor="user:officer")
    entry = entries(action="policy.published").get()
    assert (entry.actor, entry.subject) == ("user:officer", "model:claims-triage")
    assert entry.detail["digest"] == first.digest
    assert (entry.detail["assessment"], entry.detail["way"]) == ("RA-2026-014", "registration")


def test_the_preset_of_the_industry_names_its_legal_basis(spec: ModelSpec) -> None:
    first = preset_publish(model_id=spec.id, assessment_reference="GOV002-17", actor="user:officer")
    assert first.policy == PRESETS["insurance"]
    assert {"aia-9-8", "cps-230-33"} <= set(first.legal_basis)


@pytest.mark.parametrize("change", ["UPDATE {} SET version = 9", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_a_published_version_cannot_be_changed(spec: ModelSpec, change: str) -> None:
    registered(spec)
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
    first = registered(spec)
    other = model("other")
    with side("compute"):
        assert policy_in_force(spec.id, clock.now()) == first
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            registered(other)


def emergency(cast: Cast, policy: Policy = TIGHTER, **changes: Any) -> Any:
    given = {"assessment_reference": "RA-2026-099", "reason": "A court asks for it today.", "person": cast.officer}
    return policy_publish_emergency(model_id=cast.owned.id, policy=policy, **(given | changes))


def test_an_emergency_tightens_at_once_is_flagged_and_is_reviewed_within_a_week(cast: Cast) -> None:
    urgent = emergency(cast)
    assert policy_in_force(cast.owned.id, clock.now()) == urgent
    assert (urgent.version, urgent.way, urgent.justification) == (2, "emergency", "A court asks for it today.")
    assert urgent.review_due == (clock.now() + 7 * DAY).date()
    entry = entries(action="policy.published_in_emergency").get()
    assert (entry.actor, entry.detail["reason"]) == ("user:officer", "A court asks for it today.")


@pytest.mark.parametrize(
    "policy",
    [LOOSER, Policy(bounds={EO: Bound(None, 0.03)}, minimum_group=31), Policy(bounds={"fpr_gap": Bound(-0.01, 0.01)})],
)
def test_no_relaxation_is_an_emergency(cast: Cast, policy: Policy) -> None:
    with pytest.raises(Refused) as refused:
        emergency(cast, policy)
    assert refused.value.code == "relaxation"


def test_an_emergency_does_not_drop_a_planned_tightening(noon: None, cast: Cast) -> None:
    published(cast.owned, cast.owner, [cast.compliance], TIGHTER, NOON + 3 * DAY)
    with pytest.raises(Refused, match="rarer"):
        emergency(cast, Policy(bounds={EO: Bound(None, 0.04)}))
    assert emergency(cast, Policy(bounds={EO: Bound(None, 0.02)})).version == 3


def test_an_emergency_tightens_bounds_and_nothing_else(cast: Cast) -> None:
    with pytest.raises(Refused) as refused:
        emergency(cast, Policy(bounds={EO: Bound(None, 0.03)}, minimum_group=20))
    assert refused.value.code == "not_a_bound"
    assert emergency(cast, Policy(bounds={EO: Bound(None, 0.03), "fpr_gap": Bound(-0.05, 0.05)})).version == 2


def test_an_emergency_needs_a_reason(cast: Cast) -> None:
    with pytest.raises(Refused) as refused:
        emergency(cast, reason=" ")
    assert refused.value.field == "reason"


@pytest.mark.parametrize("part", ["compliance", "board", "steward", "auditor", "administrator", "outsider"])
def test_others_publish_nothing_in_an_emergency(cast: Cast, part: str) -> None:
    with pytest.raises((PermissionDenied, Http404)):
        emergency(cast, person=getattr(cast, part))
    assert len(policy_versions(cast.owned.id)) == 1


def run(spec: ModelSpec, file: Path, *flags: str, **changes: str) -> str:
    out = StringIO()
    given = {"model": spec.slug, "file": str(file), "assessment": "GOV002-18", "by": "officer"} | changes
    call_command("policy_publish", *[f"--{name}={value}" for name, value in given.items()], *flags, stdout=out)
    return out.getvalue()


def test_the_command_publishes_a_file(spec: ModelSpec, tmp_path: Path) -> None:
    person("officer")
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"bounds": {"fpr_gap": {"upper": 0.04}}, "alpha": 0.01}))
    assert "Version 1 of claims-triage is in force" in run(spec, file)
    found = policy_in_force(spec.id, clock.now())
    assert (found.policy.bound("fpr_gap").upper, found.policy.alpha) == (0.04, 0.01)
    assert found.published_by == "user:officer"


def test_the_command_changes_a_policy_only_in_an_emergency(cast: Cast, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"bounds": {EO: {"upper": 0.03}}}))
    with pytest.raises(CommandError, match="compliance signs it"):
        run(cast.owned, file)
    with pytest.raises(CommandError, match="reason"):
        run(cast.owned, file, "--emergency")
    with pytest.raises(CommandError, match="may not propose"):
        run(cast.owned, file, "--emergency", reason="Now.", by="compliance")
    assert "bears no signature" in run(cast.owned, file, "--emergency", reason="Now.")
    file.write_text(json.dumps({"bounds": {EO: {"upper": 0.3}}}))
    with pytest.raises(CommandError, match="rarer"):
        run(cast.owned, file, "--emergency", reason="Now.")
    assert [each.way for each in policy_versions(cast.owned.id)] == ["emergency", "registration"]


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
