"""Figures, drawings, tables and colours: pure functions from numbers to what is drawn."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

from apps.dashboards.assets import PLOTLY, HashedStaticFiles, PlotlyFinder, plotly_style_ids
from apps.dashboards.drawings import dot, sparkline
from apps.dashboards.figures import heat_map_figure, reliability_figure, trend_figure
from apps.dashboards.history import Event, finding_events, latest, package_changes, version_events
from apps.dashboards.palette import TOKENS, group_colour
from apps.dashboards.series import Curve, Line, Mark, broken
from apps.dashboards.tables import table
from apps.dashboards.words import badge, bound_text, duration, interval, percent

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = [START + timedelta(days=n) for n in range(4)]


def line(**changes: object) -> Line:
    given = {
        "name": "female",
        "colour": "--group-1",
        "as_of": DAYS,
        "value": [0.9, 0.85, None, 0.7],
        "low": [0.8, 0.8, None, 0.66],
        "high": [1.0, 0.9, None, float("inf")],
        "verdict": ["within", "inconclusive", "not_estimable", "breach"],
        "emphasised": True,
    }
    return Line(**{**given, **changes})  # type: ignore[arg-type]


def trend() -> dict:
    return trend_figure(
        [line(), line(name="other", colour="--group-2", emphasised=False)],
        bounds=[0.8, 1.25],
        marks=[Mark(DAYS[1], "scikit-learn 1.4 → 1.5")],
        title="ratio",
        digits=2,
    )


def test_a_figure_is_json_without_nan() -> None:
    assert "NaN" not in json.dumps(trend(), allow_nan=False)


def test_the_trend_marks_breaches_where_they_are() -> None:
    (markers,) = [trace for trace in trend()["data"] if trace["name"] == "breach"]
    assert markers["x"] == ["2026-03-04T00:00:00Z"]
    assert markers["y"] == [0.7]
    (unsure,) = [trace for trace in trend()["data"] if trace["name"] == "too few to judge"]
    assert unsure["x"] == ["2026-03-02T00:00:00Z"]
    assert unsure["marker"]["symbol"] != markers["marker"]["symbol"]


def test_bounds_and_events_are_on_the_same_axes_as_the_line() -> None:
    layout = trend()["layout"]
    levels = [shape["y0"] for shape in layout["shapes"] if shape.get("xref") == "paper"]
    assert levels == [0.8, 1.25]
    assert [shape["x0"] for shape in layout["shapes"] if shape.get("yref") == "paper"] == ["2026-03-02T00:00:00Z"]
    low, high = layout["yaxis"]["range"]
    assert low < 0.66
    assert high > 1.25


def test_end_labels_do_not_cover_each_other() -> None:
    layout = trend()["layout"]
    heights = sorted(each["y"] for each in layout["annotations"] if each["name"] == "end")
    low, high = layout["yaxis"]["range"]
    assert len(heights) == 4
    assert min(b - a for a, b in pairwise(heights)) >= (high - low) * 0.05


def test_a_figure_names_only_colours_that_the_style_sheet_defines() -> None:
    sheet = (Path(settings.BASE_DIR) / "static/css/tokens.css").read_text()
    light, dark = sheet.split('[data-bs-theme="dark"]')
    curve = Curve("female", "--group-1", [0.2], [0.3], [0.2], [0.4], [20])
    heat = heat_map_figure(["a"], ["b"], [[0.5]], [["0.5"]], parity=1.0, axes=("x", "y"))
    figures = [trend(), reliability_figure([curve], outcome="repaid"), heat]
    used = set(re.findall(r'"(--[a-z0-9-]+)', json.dumps(figures))) | set(TOKENS)
    for name in used:
        assert re.search(rf"{name}: #[0-9a-f]{{6}};", light), name
        assert re.search(rf"{name}: #[0-9a-f]{{6}};", dark), name


def test_a_heat_map_holds_half_and_double_equally_far_from_parity() -> None:
    figure = heat_map_figure(["a"], ["b", "c"], [[0.5, 2.0]], [["", ""]], parity=1.0, axes=("", ""))
    low, high = figure["data"][0]["z"][0]
    assert low == pytest.approx(-high)


def test_a_group_keeps_its_colour_whatever_else_is_shown() -> None:
    levels = ("Male", "Female", "Other", "unknown")
    assert group_colour("Male", levels, "Male") == "--group-reference"
    assert group_colour("Female", levels, "Male") == "--group-1"
    assert group_colour("Other", levels, "Male") == "--group-2"
    assert group_colour("unknown", levels, "Male") == "--group-unknown"


def test_a_sparkline_breaks_where_nothing_was_measured() -> None:
    drawn = sparkline([0.9, 0.8, None, 0.7, 0.6], [0.8])
    assert drawn is not None
    assert len(drawn.lines) == 2
    assert len(drawn.bounds) == 1
    assert sparkline([None, None]) is None


def test_a_dot_lies_inside_its_interval() -> None:
    drawn = dot(0.4, 0.3, 0.5, scale=(0.0, 1.0), reference=0.6)
    assert drawn is not None
    assert drawn.low < drawn.x < drawn.low + drawn.width < drawn.reference
    assert dot(None, None, None, scale=(0, 1)) is None


def test_a_csv_cell_never_becomes_a_formula() -> None:
    content = table("t", "t", ["a", "b"], [["=1+1", -0.5], ["@x", None]]).csv()
    assert content.splitlines() == ["a,b", "'=1+1,-0.5", "'@x,"]


def test_numbers_read_well() -> None:
    assert percent(0.294) == "29\u00a0%"
    assert percent(0.0312) == "3.1\u00a0%"
    assert percent(None) == "–"
    assert interval(0.69, 0.73) == "0.69–0.73"
    assert interval(-0.1, 0.1) == "−0.10 to 0.10"
    assert interval(1.2, None) == "1.20–∞"
    assert bound_text("demographic_parity_ratio", {"lower": 0.8, "upper": 1.25}) == "0.80 to 1.25"
    assert bound_text("equalized_odds_difference", {"lower": None, "upper": 0.05}) == "at most 0.050"
    assert [duration(n) for n in (41, 200, 18_100, 200_000)] == ["41\u00a0s", "3\u00a0min", "5\u00a0h", "2\u00a0d"]


def test_only_within_is_green() -> None:
    kinds = {verdict: badge(verdict).kind for verdict in ("within", "breach", "inconclusive", "not_estimable", None)}
    assert [verdict for verdict, kind in kinds.items() if kind == "within"] == ["within"]


def test_a_version_names_what_its_environment_changed() -> None:
    old = {"python": "3.11", "packages": {"scikit-learn": "1.4.2", "gone": "1"}}
    new = {"python": "3.11", "packages": {"scikit-learn": "1.5.0", "new": "2"}}
    assert package_changes(old, new) == ["gone 1 removed", "new 2 added", "scikit-learn 1.4.2 → 1.5.0"]
    versions = [
        {"version": "2", "environment": new, "released_at": DAYS[1]},
        {"version": "1", "environment": old, "released_at": DAYS[0]},
    ]
    first, second = version_events(versions)
    assert first.text == "Version 1 registered."
    assert first.mark == ""
    assert "scikit-learn 1.4.2 → 1.5.0" in second.text


def test_plotly_is_served_from_the_installed_package() -> None:
    found = finders.find(PLOTLY)
    assert found is not None
    assert Path(found).stat().st_size > 1_000_000
    assert [name for name, _ in PlotlyFinder().list(None)] == ["plotly.min.js"]
    assert PlotlyFinder().find("vendor/plotly/other.js") is None


def test_style_elements_that_plotly_would_insert_are_known() -> None:
    script = Path(finders.find(PLOTLY)).read_text()
    for identity in re.findall(r'\b\w+\.id="([^"]+)",\w+\.textContent=', script):
        assert identity in plotly_style_ids()


def test_hashed_files_tolerate_a_reference_to_a_file_that_is_not_there(tmp_path: Path) -> None:
    storage = HashedStaticFiles(location=tmp_path, base_url="/static/")
    (tmp_path / "a.css").write_text("a { background: url(missing.png) } b { background: url(b.svg) }")
    (tmp_path / "b.svg").write_text("<svg></svg>")
    done = list(storage.post_process({name: (storage, name) for name in ("a.css", "b.svg")}))
    assert not [problem for _, _, problem in done if isinstance(problem, Exception)]
    written = (tmp_path / storage.stored_name("a.css")).read_text()
    assert "missing.png" in written
    assert re.search(r"b\.[0-9a-f]{12}\.svg", written)


def test_nothing_is_drawn_across_a_gap_in_the_data() -> None:
    far = line(as_of=[*DAYS[:3], DAYS[3] + timedelta(days=9)], value=[0.9, 0.85, 0.8, 0.7])
    drawn = broken(far, longest=timedelta(days=3))
    assert list(drawn.value) == [0.9, 0.85, 0.8, None, 0.7]
    assert list(drawn.as_of) == sorted(drawn.as_of)
    assert broken(line(), longest=timedelta(days=3)) == line()


def test_findings_of_one_moment_are_one_event() -> None:
    opened = [(DAYS[0], "low", "One."), (DAYS[0], "high", "Two."), (DAYS[1], "medium", "Three.")]
    assert [event.text for event in finding_events(opened)] == [
        "2 findings opened, the worst: Two (high at its last breach).",
        "Finding opened: Three (medium at its last breach).",
    ]


def test_the_newest_changes_stay_in_sight_whatever_came_after_them() -> None:
    opened = [Event(DAYS[3] + timedelta(days=day), "finding", str(day), "") for day in range(9)]
    changes = [Event(DAYS[0] + timedelta(hours=hour), "change", "", "") for hour in range(4)]
    shown, earlier = latest([*changes, *opened], most=6, changes=3)
    assert [event.kind for event in shown] == ["finding"] * 3 + ["change"] * 3
    assert [event.at for event in shown[3:]] == [change.at for change in (changes[3], changes[2], changes[1])]
    assert sorted((*shown, *earlier), key=lambda event: event.at) == [*changes, *opened]
    assert len(latest(opened, most=6, changes=3)[0]) == 6
