"""A back-test as a figure: today's bound and the proposed one over the same stored values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.dashboards.annotations import room
from apps.dashboards.figures import Figure
from apps.dashboards.thresholds.words import exact
from biasgov.fairness.policy import Bound

Day = tuple[str, float | None, str]

FATES: Mapping[str, tuple[str, str, str]] = {
    "lost": ("breach today, none as proposed", "--breach", "circle-open"),
    "gained": ("breach as proposed, none today", "--inconclusive", "diamond"),
    "kept": ("breach by both", "--breach", "circle"),
}
_APART = 0.06


def backtest_figure(days: Sequence[Day], today: Bound, proposed: Bound, *, name: str) -> Figure:
    """One value a day; lost breaches as open circles, kept ones filled, gained ones as diamonds; bounds dashed."""
    values = [value for _, value, _ in days if value is not None]
    ends = _ends(today, proposed)
    low, high = _range([*values, *(at for at, _, _ in ends)])
    labels = _labels(ends, high - low)
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": [moment for moment, _, _ in days],
                "y": [value for _, value, _ in days],
                "line": {"color": "--group-1", "width": 1.6},
                "hovertemplate": "%{y:.4f}<extra></extra>",
            },
            *(_markers(days, fate) for fate in FATES if any(said == fate for _, _, said in days)),
        ],
        "layout": {
            "xaxis": {"type": "date", "showgrid": False, "automargin": True, "tickformat": "%-d %b", "nticks": 8},
            "yaxis": {"title": {"text": name}, "range": [low, high], "zeroline": False, "automargin": True},
            "hovermode": "x unified",
            "showlegend": False,
            "margin": {"l": 60, "r": room(labels), "t": 14, "b": 36},
            "height": 340,
            "shapes": [_dashed(at, colour) for at, _, colour in ends],
            "annotations": labels,
        },
    }


def _ends(today: Bound, proposed: Bound) -> list[tuple[float, str, str]]:
    """Every end of a bound: where, its name and its colour; what stays is named once."""
    found: list[tuple[float, str, str]] = []
    for before, after in ((today.lower, proposed.lower), (today.upper, proposed.upper)):
        if before == after:
            found += [(before, "bound", "--bound")] if before is not None else []
            continue
        found += [(before, "today", "--muted")] if before is not None else []
        found += [(after, "proposed", "--bound")] if after is not None else []
    return sorted(found)


def _markers(days: Sequence[Day], fate: str) -> dict[str, Any]:
    name, colour, symbol = FATES[fate]
    at = [(moment, value) for moment, value, said in days if said == fate]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [moment for moment, _ in at],
        "y": [value for _, value in at],
        "marker": {"color": colour, "symbol": symbol, "size": 8, "line": {"color": colour, "width": 1.8}},
        "hovertemplate": f"{name}<extra></extra>",
    }


def _dashed(at: float, colour: str) -> dict[str, Any]:
    line = {"color": colour, "width": 1.5, "dash": "dash"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": at, "y1": at, "line": line}


def _labels(ends: Sequence[tuple[float, str, str]], height: float) -> list[dict[str, Any]]:
    """Names at the right end, moved apart where they would overlap."""
    placed: list[dict[str, Any]] = []
    for at, name, colour in ends:
        y = max(at, placed[-1]["y"] + height * _APART) if placed else at
        placed.append(
            {
                "name": "end",
                "xref": "paper",
                "x": 1.0,
                "xanchor": "left",
                "xshift": 6,
                "y": y,
                "yanchor": "middle",
                "text": f"{name} {exact(at)}",
                "showarrow": False,
                "font": {"size": 12, "color": colour, "weight": 700 if name != "today" else 400},
            }
        )
    return placed


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    air = max((high - low) * 0.08, 0.005)
    return round(low - air, 4), round(high + air, 4)
