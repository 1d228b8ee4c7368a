"""The coverage of a quarter: what the page, the table and the paper say, to whom."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pandas as pd
import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.services import ownership_grant
from apps.common import clock
from apps.registry.models import MonitoredModel
from apps.registry.spec import ModelSpec
from apps.reports.selectors import CoverageWeek, Quarter, coverage_report
from tests.apps.pipeline import world
from tests.apps.pipeline.world import NOW
from tests.cast import person, signed_in

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 3, 16, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _present() -> Iterator[None]:
    with clock.frozen(NOW):
        yield


def decided() -> pd.DataFrame:
    return world.people(300, hours=40, before=NOW - timedelta(days=5), unknown=0.3)


def known() -> float:
    """The share of decisions about people who are known."""
    return float(decided()["known"].mean())


@pytest.fixture
def hiring() -> ModelSpec:
    """A model of which three of ten people are unknown, in the week that ended on Monday."""
    spec, frame = world.company(), decided()
    world.send_attributes(frame)
    world.send_events(spec, frame)
    world.compute()
    return spec


def addresses() -> list[str]:
    return [reverse(name) for name in ("reports", "report-coverage-csv", "report-coverage-pdf")]


def test_a_quarter_has_the_weeks_that_end_in_it() -> None:
    quarter = Quarter.named("2026-Q1")
    assert quarter == Quarter.of(NOW)
    assert quarter.weeks(until=NOW)[-1] == MONDAY
    assert len(quarter.weeks(until=quarter.end)) == 13
    assert quarter.before.name == "2025-Q4"
    assert quarter.before.after == quarter
    ends = [
        each for number in range(1, 5) for each in Quarter(2026, number).weeks(until=datetime(2028, 1, 1, tzinfo=UTC))
    ]
    assert len(set(ends)) == len(ends)
    assert all(later - earlier == timedelta(days=7) for earlier, later in pairwise(ends))


def test_coverage_is_told_by_week_with_the_unknown_of_each_decision(hiring: ModelSpec) -> None:
    report = coverage_report([hiring], Quarter.of(NOW), at=NOW)
    assert {(line.attribute, line.last.ended, line.last.state) for line in report.lines} == {
        ("sex", MONDAY, "alert"),
        ("region", MONDAY, "alert"),
    }
    line = report.lines[0]
    assert line.last.known == pytest.approx(known())
    assert line.weeks_met == 0
    shares = {name: 1 - (share or 0) for name, share in line.unknown.items()}
    assert set(shares) == {"unfavourable", "favourable"}
    assert min(shares.values()) <= line.last.known <= max(shares.values())
    for each in line.ranges:
        assert each.low is not None
        assert each.value is not None
        assert each.low <= each.value


def test_what_came_after_a_week_was_first_told_is_its_lag(hiring: ModelSpec) -> None:
    frame = decided().assign(known=True)
    with clock.frozen(NOW + timedelta(hours=1)):
        world.send_attributes(frame)
        world.compute()
    with clock.frozen(NOW + timedelta(hours=2)):  # the past is restated a quarter of an hour later
        world.compute()
        report = coverage_report([hiring], Quarter.of(NOW), at=clock.now())
    line = report.lines[0]
    assert line.last.known == 1
    assert line.last.at_first == pytest.approx(known())
    assert line.last.came_late == pytest.approx(1 - known())
    assert line.last.state == "met"


def test_the_page_says_the_worst_first_and_the_files_say_the_same(hiring: ModelSpec) -> None:
    client = signed_in(person("compliance"))
    page = client.get(reverse("reports")).content.decode()
    assert f"of Hiring is known for {100 * known():.0f}% of the decisions" in page
    assert "too few known" in page
    table = client.get(reverse("report-coverage-csv")).getvalue().decode()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert {row["attribute"] for row in rows} == {"sex", "region"}
    assert all(float(row["known"]) == pytest.approx(known()) for row in rows)
    paper = client.get(reverse("report-coverage-pdf"))
    assert paper["Content-Type"] == "application/pdf"
    assert paper.content.startswith(b"%PDF-")
    assert paper.content == client.get(reverse("report-coverage-pdf")).content


def test_what_is_not_told_is_never_called_covered() -> None:
    spec, frame = world.company(), decided()
    frame["known"] = frame["subject"].isin(frame["subject"].unique()[:3])
    world.send_attributes(frame)
    world.send_events(spec, frame)
    world.compute()
    report = coverage_report([spec], Quarter.of(NOW), at=NOW)
    assert {line.last.state for line in report.lines} == {"untold"}
    page = signed_in(person("compliance")).get(reverse("reports")).content.decode()
    assert "Nothing is told of any attribute" in page
    assert "is known for more than" not in page


def test_nine_tenths_do_not_yet_meet_the_objective() -> None:
    def state(known: float) -> str:
        return CoverageWeek(MONDAY, 1, 100, known, None, None).state

    assert [state(known) for known in (0.79, 0.8, 0.9, 0.91)] == ["alert", "below", "below", "met"]


def test_without_a_week_the_page_says_what_to_do() -> None:
    world.company()
    page = signed_in(person("officer")).get(reverse("reports")).content.decode()
    assert "Nothing to report yet" in page
    assert "Without a week in this quarter" in page


@pytest.mark.parametrize("asked", ["2026-Q2", "2026-Q5", "soon", "2026-Q1%00"])
def test_a_quarter_that_there_is_not_is_not_found(asked: str) -> None:
    assert signed_in(person("officer")).get(f"{reverse('reports')}?quarter={asked}").status_code == 404


def test_strangers_outsiders_and_administrators_see_nothing(hiring: ModelSpec) -> None:
    outsider, administrator = signed_in(person("outsider")), signed_in(person("administrator"))
    for address in addresses():
        assert Client().get(address).status_code == 302, address
        assert outsider.get(address).status_code == 403, address
        assert administrator.get(address).status_code == 403, address


def test_an_owner_sees_their_own_models_alone(hiring: ModelSpec) -> None:
    other = world.company("lending")
    owner = person("owner")
    ownership_grant(person=owner, model=MonitoredModel.objects.get(pk=other.id), actor="system:tests")
    for address in addresses()[:2]:
        answer = signed_in(owner).get(address)
        text = (answer.getvalue() if answer.streaming else answer.content).decode()
        assert "Hiring" not in text, address


def test_a_steward_reads_the_figures_without_a_way_to_the_models(hiring: ModelSpec) -> None:
    page = signed_in(person("steward")).get(reverse("reports")).content.decode()
    assert "Hiring" in page
    assert reverse("model", args=["hiring"]) not in page


def test_the_page_takes_no_more_queries_for_more_models(
    hiring: ModelSpec, django_assert_max_num_queries: object
) -> None:
    for number in range(12):
        world.company(f"model-{number}")
    client = signed_in(person("compliance"))
    client.get(reverse("reports"))
    with django_assert_max_num_queries(25):  # type: ignore[operator]
        page = client.get(reverse("reports")).content.decode()
    assert "More models" in page
