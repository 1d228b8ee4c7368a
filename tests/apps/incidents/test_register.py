"""Finding incidents: words, filters, order, pages, and whose they are."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.common import clock
from apps.common.errors import Refused
from apps.incidents import selectors, services
from apps.incidents.selectors import SEVEREST, Filter, IncidentRow
from tests.apps.incidents.test_closing import change
from tests.apps.incidents.test_opening import open_by_hand
from tests.cast import Cast, model

pytestmark = pytest.mark.django_db


def titles(chosen: Filter, **narrowed: object) -> list[str]:
    return [row.title for row in selectors.register(chosen, **narrowed)]


@pytest.fixture
def three(cast: Cast) -> Cast:
    first = open_by_hand(cast, title="Missed alerts", summary="Singapore reports were rated low.", severity="low")
    change(first, cast.officer, causes=["library_change"], explanation="KMeans centroids drifted.")
    open_by_hand(cast, title="Slow claims", summary="Since the update.", severity="critical")
    open_by_hand(cast, title="Fewer loans", severity="medium", model=model("lending"), origin="complaint")
    return cast


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("alert", ["Missed alerts"]),
        ("ALERTS missed", ["Missed alerts"]),
        ("centroid", ["Missed alerts"]),
        ('"rated low"', ["Missed alerts"]),
        ("alert OR loan", ["Fewer loans", "Missed alerts"]),
        ("-alert", ["Fewer loans", "Slow claims"]),
        ("giraffe", []),
        ("' OR 1=1 --", []),
        ("& | ! ( :*", []),
    ],
)
def test_words_are_found_as_people_write_them(three: Cast, words: str, found: list[str]) -> None:
    assert titles(Filter(text=words)) == found


def test_a_number_finds_the_incident(three: Cast) -> None:
    number = selectors.register(Filter())[1].id
    assert titles(Filter(text=f"#{number}")) == ["Slow claims"]


def test_filters_narrow_together(three: Cast) -> None:
    assert titles(Filter(severity="critical")) == ["Slow claims"]
    assert titles(Filter(cause="library_change")) == ["Missed alerts"]
    assert titles(Filter(origin="complaint")) == ["Fewer loans"]
    assert titles(Filter(model_id=three.owned.id)) == ["Slow claims", "Missed alerts"]
    assert titles(Filter(lead_id=three.officer.pk, severity="low")) == ["Missed alerts"]
    assert titles(Filter(opened_since=clock.now() + timedelta(days=1))) == []
    assert titles(Filter(states=("closed",))) == []
    assert titles(Filter(due_before=clock.now() + timedelta(hours=1))) == []
    assert len(titles(Filter(due_before=clock.now() + timedelta(days=4)))) == 3
    assert selectors.counts_by_state(Filter(states=("closed",)))["open"] == 3


def test_only_visible_models_are_found(three: Cast) -> None:
    assert titles(Filter(), visible=[three.owned.id]) == ["Slow claims", "Missed alerts"]
    assert titles(Filter(), visible=[]) == []
    assert selectors.counts_by_state(Filter(), visible=[])["open"] == 0


def test_the_severest_come_first_across_pages(three: Cast) -> None:
    for number in range(4):
        open_by_hand(three, title=f"No. {number}", severity=("low", "critical")[number % 2])
    seen: list[IncidentRow] = []
    after = None
    while page := selectors.register(Filter(order=SEVEREST), after=after, limit=3):
        seen += page
        after = selectors.place_of(page[-1])
    assert [row.severity for row in seen] == ["critical"] * 3 + ["medium"] + ["low"] * 3
    assert len({row.id for row in seen}) == 7


def test_saved_views_are_ones_own(three: Cast) -> None:
    kept = services.view_save(person=three.officer, register="incidents", name="Mine", query="severity=low")
    services.view_save(person=three.officer, register="incidents", name="Mine", query="severity=high")
    assert [view.query for view in selectors.saved_views(three.officer.pk, "incidents")] == ["severity=high"]
    assert selectors.saved_views(three.auditor.pk, "incidents") == ()
    assert not services.view_forget(person=three.auditor, view_id=kept.pk)
    assert services.view_forget(person=three.officer, view_id=kept.pk)
    with pytest.raises(Refused):
        services.view_save(person=three.officer, register="shoes", name="x", query="")
