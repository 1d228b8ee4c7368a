"""What stands on a trend besides its lines: bounds, events, and the names at the right end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from apps.dashboards.series import Line, Mark, moments, numbers

_END_LABEL_SHARE = 0.055


def bound_line(bound: float) -> dict[str, Any]:
    """A dashed line across the plot."""
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": bound,
        "y1": bound,
        "line": {"color": "--bound", "width": 1.5, "dash": "dash"},
    }


def mark_line(mark: Mark) -> dict[str, Any]:
    """A dotted line at the moment of an event."""
    at = moments([mark.at])[0]
    line = {"color": "--muted", "width": 1, "dash": "dot"}
    return {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": at, "x1": at, "line": line}


def mark_labels(marks: Sequence[Mark]) -> list[dict[str, Any]]:
    """Above the plot, on two levels in turn so that neighbours do not cover each other."""
    return [
        {
            "name": "mark",
            "x": moments([mark.at])[0],
            "y": 1.0,
            "yref": "paper",
            "yanchor": "bottom",
            "yshift": 2 + 15 * (place % 2),
            "text": mark.text,
            "showarrow": False,
            "font": {"size": 11, "color": "--text"},
        }
        for place, mark in enumerate(marks)
    ]


def end_labels(
    lines: Sequence[Line], bounds: Sequence[float], limits: tuple[float, float], digits: int
) -> list[dict[str, Any]]:
    """Names at the right end, moved apart where they would overlap."""
    wanted = [(bound, f"bound {bound:.{digits}f}", "--bound", 400) for bound in bounds]
    for line in lines:
        known = [value for value in numbers(line.value) if value is not None]
        if known:
            text = f"{line.name} {known[-1]:.{digits}f}"
            wanted.append((known[-1], text, line.colour, 700 if line.emphasised else 400))
    wanted.sort(key=lambda label: label[0])
    step = (limits[1] - limits[0]) * _END_LABEL_SHARE
    placed: list[dict[str, Any]] = []
    height = -math.inf
    for value, text, colour, weight in wanted:
        height = max(value, height + step)
        placed.append(
            {
                "name": "end",
                "xref": "paper",
                "x": 1.0,
                "xanchor": "left",
                "xshift": 6,
                "y": height,
                "yanchor": "middle",
                "text": text,
                "showarrow": False,
                "font": {"size": 12, "color": colour, "weight": weight},
            }
        )
    return placed


def room(labels: Sequence[dict[str, Any]]) -> int:
    """Pixels at the right that the longest end label needs."""
    return min(260, 24 + 8 * max((len(label["text"]) for label in labels), default=0))
