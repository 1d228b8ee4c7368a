"""Data -> plotly figure, as plain dicts. No request, no database, no colour value.

Colours are names of CSS custom properties (`--group-1`, with `/0.2` for opacity); static/js/chart.js puts in the
values of the reader's scheme. Lines carry their names at their ends; on a narrow screen the script hides annotations
named `end` and shows the legend instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from apps.dashboards.annotations import bound_line, end_labels, mark_labels, mark_line, room
from apps.dashboards.palette import VERDICTS
from apps.dashboards.series import Curve, Line, Mark, moments, numbers

Figure = dict[str, Any]

_SYMBOLS = {"breach": "circle", "inconclusive": "diamond-open", "not_estimable": "x-thin-open"}
_VERDICT_NAMES = {"breach": "breach", "inconclusive": "too few to judge", "not_estimable": "not estimable"}


def trend_figure(
    lines: Sequence[Line], *, bounds: Sequence[float], marks: Sequence[Mark], title: str, digits: int
) -> Figure:
    """The emphasised line with its interval ribbon, others thin; bounds dashed, verdicts as symbols."""
    low, high = _range(lines, bounds)
    form = f".{digits}f"
    traces: list[dict[str, Any]] = []
    for line in sorted(lines, key=lambda each: each.emphasised):
        if line.emphasised:
            traces += _ribbon(line)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if len(line.as_of) == 1 else "lines",
                "name": line.name,
                "x": moments(line.as_of),
                "y": numbers(line.value),
                "customdata": [[a, b] for a, b in zip(numbers(line.low), numbers(line.high), strict=True)],
                "line": {"color": line.colour, "width": 2.5 if line.emphasised else 1.2},
                "hovertemplate": f"{line.name} %{{y:{form}}} (%{{customdata[0]:{form}}} to %{{customdata[1]:{form}}})"
                "<extra></extra>",
            }
        )
    traces += [trace for line in lines if line.emphasised for trace in _verdict_markers(line)]
    ends = end_labels(lines, bounds, (low, high), digits)
    return {
        "data": traces,
        "layout": {
            "xaxis": {"type": "date", "showgrid": False, "automargin": True, "tickformat": "%-d %b", "nticks": 8},
            "yaxis": {
                "title": {"text": title},
                "range": [low, high],
                "tickformat": ".2f",
                "zeroline": False,
                "automargin": True,
            },
            "hovermode": "x unified",
            "showlegend": False,
            "margin": {"l": 60, "r": room(ends), "t": 44 if marks else 14, "b": 36},
            "height": 340,
            "shapes": [bound_line(bound) for bound in bounds] + [mark_line(mark) for mark in marks],
            "annotations": ends + mark_labels(marks),
        },
    }


def reliability_figure(curves: Sequence[Curve], *, outcome: str) -> Figure:
    """Observed rate against mean score per group; a calibrated model lies on the diagonal."""
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "perfectly calibrated",
            "x": [0, 1],
            "y": [0, 1],
            "line": {"color": "--muted", "width": 1, "dash": "dot"},
            "hoverinfo": "skip",
        }
    ]
    for curve in curves:
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": curve.name,
                "x": list(curve.score),
                "y": list(curve.rate),
                "customdata": list(curve.n),
                "line": {"color": curve.colour, "width": 2},
                "marker": {"color": curve.colour, "size": 6},
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [high - rate for high, rate in zip(curve.high, curve.rate, strict=True)],
                    "arrayminus": [rate - low for low, rate in zip(curve.low, curve.rate, strict=True)],
                    "color": f"{curve.colour}/0.55",
                    "thickness": 1,
                    "width": 2,
                },
                "hovertemplate": f"{curve.name}: score %{{x:.2f}}, observed %{{y:.3f}}, n %{{customdata:,}}"
                "<extra></extra>",
            }
        )
    return {
        "data": traces,
        "layout": {
            "xaxis": {"title": {"text": "mean score"}, "range": [0, 1], "zeroline": False, "automargin": True},
            "yaxis": {
                "title": {"text": f"share with outcome “{outcome}”"},
                "range": [0, 1],
                "zeroline": False,
                "automargin": True,
            },
            "showlegend": True,
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "margin": {"l": 60, "r": 16, "t": 40, "b": 44},
            "height": 380,
        },
    }


def heat_map_figure(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    texts: Sequence[Sequence[str]],
    *,
    parity: float,
    axes: tuple[str, str],
) -> Figure:
    """Intersections: one cell a group, coloured by its distance from parity, its text in words.

    A ratio is coloured on a log scale, so that 0.5 and 2 lie equally far from parity.
    """
    scaled = [[None if v is None else _signed(v, parity) for v in row] for row in values]
    reach = max((abs(v) for row in scaled for v in row if v is not None), default=0.0) or 0.1
    return {
        "data": [
            {
                "type": "heatmap",
                "x": list(columns),
                "y": list(rows),
                "z": scaled,
                "text": [list(row) for row in texts],
                "texttemplate": "%{text}",
                "hovertemplate": "%{y}, %{x}<br>%{text}<extra></extra>",
                "zmin": -reach,
                "zmax": reach,
                "showscale": False,
                "xgap": 2,
                "ygap": 2,
                "hoverongaps": False,
                "colorscale": [[0, "--heat-low"], [0.5, "--heat-middle"], [1, "--heat-high"]],
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": axes[1]}, "type": "category", "side": "bottom", "automargin": True},
            "yaxis": {
                "title": {"text": axes[0]},
                "type": "category",
                "autorange": "reversed",
                "automargin": True,
            },
            "showlegend": False,
            "margin": {"l": 90, "r": 8, "t": 8, "b": 60},
            "height": 110 + 46 * max(len(rows), 1),
        },
    }


def _signed(value: float, parity: float) -> float:
    if parity == 1.0:
        return math.log(max(value, 0.05))
    return value - parity


def _range(lines: Sequence[Line], bounds: Sequence[float]) -> tuple[float, float]:
    """From the values, the bounds and the emphasised ribbon; a ribbon far beyond the values is cut."""
    values = [v for line in lines for v in numbers(line.value) if v is not None]
    if not values:
        return (min([0.0, *bounds]), max([1.0, *bounds]))
    low, high = min([*values, *bounds]), max([*values, *bounds])
    reach = max(high - low, 0.05)
    ends = [v for line in lines if line.emphasised for v in numbers([*line.low, *line.high]) if v is not None]
    low = min([low, *(end for end in ends if end > low - reach)])
    high = max([high, *(end for end in ends if end < high + reach)])
    air = (high - low) * 0.06
    return round(low - air, 4), round(high + air, 4)


def _ribbon(line: Line) -> list[dict[str, Any]]:
    """One filled band for every unbroken stretch of intervals: nothing is drawn where nothing was measured."""
    x, low, high = moments(line.as_of), numbers(line.low), numbers(line.high)
    measured = [a is not None and b is not None for a, b in zip(low, high, strict=True)]
    bands = []
    for known, stretch in groupby(range(len(x)), key=measured.__getitem__):
        if not known:
            continue
        part = list(stretch)
        shared = {
            "type": "scatter",
            "mode": "lines",
            "x": [x[i] for i in part],
            "line": {"width": 0, "color": line.colour},
            "hoverinfo": "skip",
            "showlegend": False,
        }
        bands += [
            {**shared, "name": "interval low", "y": [low[i] for i in part]},
            {
                **shared,
                "name": "interval",
                "y": [high[i] for i in part],
                "fill": "tonexty",
                "fillcolor": f"{line.colour}/0.16",
            },
        ]
    return bands


def _marker_size(moments_shown: int) -> int:
    """Smaller where there are many, so that the line stays visible."""
    return 7 if moments_shown <= 60 else 5 if moments_shown <= 150 else 4


def _verdict_markers(line: Line) -> list[dict[str, Any]]:
    markers = []
    for verdict, symbol in _SYMBOLS.items():
        at = [i for i, said in enumerate(line.verdict) if said == verdict]
        known = [i for i in at if numbers([line.value[i]])[0] is not None]
        if not known:
            continue
        markers.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": _VERDICT_NAMES[verdict],
                "x": moments([line.as_of[i] for i in known]),
                "y": numbers([line.value[i] for i in known]),
                "marker": {
                    "color": VERDICTS[verdict],
                    "symbol": symbol,
                    "size": _marker_size(len(line.as_of)),
                    "line": {"color": VERDICTS[verdict], "width": 1.5},
                },
                "hovertemplate": f"{_VERDICT_NAMES[verdict]}<extra></extra>",
            }
        )
    return markers
