"""Overrides by group: the same counts as pandas on the rows, and nothing of fewer than ten people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit.selectors import entries
from apps.common import clock
from apps.monitoring import selectors
from apps.monitoring.models import OverrideRates
from apps.overrides.services import Given, overrides_record
from apps.pipeline.services import count_overrides
from apps.registry.spec import ModelSpec
from biasgov.fairness.intervals import normal_quantile, wilson
from tests.apps.pipeline.world import ACTOR, company, compute, people, send_attributes, send_events
from tests.sides import side

pytestmark = pytest.mark.django_db

EVENING = datetime(2026, 3, 19, 23, 50, tzinfo=UTC)
END = datetime(2026, 4, 7, tzinfo=UTC)
"""Of the period that the evening lies in: 685 times 30 days after the epoch."""
SETTLED = END + timedelta(days=2, hours=6)


def overridden(spec: ModelSpec, frame: pd.DataFrame, **numbers: int) -> pd.DataFrame:
    """Override so many decisions of each sex, each of another person; the rows that were."""
    chosen = [
        frame[frame["known"] & (frame["sex"] == sex)].drop_duplicates("subject").head(number)
        for sex, number in numbers.items()
    ]
    rows = pd.concat(chosen)
    given = [Given(row["event"], "agent-7", 1 - row["decision"]) for row in rows.to_dict("records")]
    assert overrides_record(spec=spec, overrides=given, actor=ACTOR).accepted == len(given)
    return rows


def world(**numbers: int) -> tuple[ModelSpec, pd.DataFrame, pd.DataFrame]:
    """A model with a day of events, of which decisions were overridden."""
    with clock.frozen(EVENING):
        spec, frame = company(), people(800, before=EVENING, unknown=0.05)
        send_events(spec, frame)
        send_attributes(frame)
        compute()
        rows = overridden(spec, frame, **numbers)
    return spec, frame, rows


def count() -> None:
    with side("compute"):
        assert count_overrides() is False


def groups(spec: ModelSpec, attribute: str) -> dict[str, dict[str, object]]:
    found = selectors.override_rates(spec.id)
    assert found is not None
    return {each["group"]: each for each in found["attributes"][attribute]}


def test_counts_and_rates_are_those_of_the_rows() -> None:
    spec, frame, rows = world(female=90, male=40)
    with clock.frozen(SETTLED):
        count()
    told = groups(spec, "sex")
    for sex in ("female", "male"):
        n = int((frame["known"] & (frame["sex"] == sex)).sum())
        mine = rows[rows["sex"] == sex]
        low, high = wilson(len(mine), n, normal_quantile(0.95))
        assert told[sex]["decisions"] == n
        assert told[sex]["overrides"] == len(mine)
        assert told[sex]["in_favour"] == int((mine["decision"] == 0).sum())
        assert told[sex]["against"] == int((mine["decision"] == 1).sum())
        assert told[sex]["rate"] == pytest.approx(len(mine) / n)
        assert told[sex]["interval"] == pytest.approx([float(low), float(high)])
    document = selectors.override_rates(spec.id)
    assert (document["overrides"], document["decisions"]) == (130, len(frame))
    reads = entries(action="vault.attributes_read")
    (read,) = [each for each in reads if each.detail["purpose"] == "decision overrides"]
    assert read.detail["subjects"] == 130
    assert len(entries(action="override.rates_stored")) == 1


def test_fewer_than_ten_people_are_not_told_and_do_not_follow_from_the_others() -> None:
    spec, _, _ = world(female=60, male=7)
    with clock.frozen(SETTLED):
        count()
    for group in groups(spec, "sex").values():
        assert group["suppressed"] is True
        for field in ("decisions", "overrides", "rate", "in_favour", "against"):
            assert group[field] is None, field
    found = selectors.override_rates(spec.id)
    assert found["overrides"] == 67


def test_a_direction_of_few_people_is_hidden_with_its_partners() -> None:
    spec, _, _ = world(female=120, male=120)
    with clock.frozen(SETTLED):
        count()
    for attribute in ("sex", "region"):
        told = groups(spec, attribute)
        for kind in ("in_favour", "against"):
            hidden = [name for name, each in told.items() if each[kind] is None and name != "unknown"]
            assert len(hidden) != 1, (attribute, kind)
            for name, each in told.items():
                assert each[kind] is None or each[kind] >= 10, (attribute, name, kind)


def test_a_period_is_counted_once_after_it_has_settled() -> None:
    """A second count of the same people, a few later, would give those few away."""
    spec, frame, _ = world(female=90, male=40)
    with clock.frozen(END + timedelta(days=1)):
        count()
        assert not OverrideRates.objects.exists()
    with clock.frozen(SETTLED):
        count()
        before = OverrideRates.objects.get()
        late = frame[frame["known"] & (frame["sex"] == "male")].drop_duplicates("subject").iloc[40:60]
        given = [Given(row["event"], "agent-7", 1 - row["decision"]) for row in late.to_dict("records")]
        overrides_record(spec=spec, overrides=given, actor=ACTOR)
        count()
        assert OverrideRates.objects.get().digest == before.digest
    with clock.frozen(SETTLED + timedelta(days=30)):
        count()
    assert OverrideRates.objects.get().digest == before.digest
    assert before.as_of - before.from_at == timedelta(days=30)
    assert before.as_of == END


def test_a_period_missed_by_a_month_is_counted_all_the_same() -> None:
    spec, _, _ = world(female=90, male=40)
    with clock.frozen(SETTLED + timedelta(days=29)):
        count()
    assert OverrideRates.objects.get().as_of == END
    assert groups(spec, "sex")["male"]["overrides"] == 40


def test_rates_stay_as_they_were_released() -> None:
    world(female=90, male=40)
    with clock.frozen(SETTLED):
        count()
    for who in ("web", "compute", "owner"):
        for statement in ("UPDATE monitoring_override_rates SET digest = ''", "DELETE FROM monitoring_override_rates"):
            with side(who), pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)


def test_a_model_without_overrides_is_not_counted() -> None:
    with clock.frozen(EVENING):
        company()
    with clock.frozen(SETTLED):
        count()
    assert not OverrideRates.objects.exists()
    assert not entries(action="vault.attributes_read")
