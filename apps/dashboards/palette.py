"""One colour for one group everywhere: colour names that style sheet and charts share.

A colour is a CSS custom property (`--group-3`), defined for light and dark in static/css/tokens.css. Charts carry
the names, `static/js/chart.js` puts in the values, so that a figure follows the reader's scheme. The group hues
are Okabe and Ito's, which stay apart for the common kinds of colour blindness.
"""

from __future__ import annotations

from collections.abc import Sequence

GROUP_HUES = 8
UNKNOWN = "unknown"

REFERENCE = "--group-reference"
VERDICTS = {
    "within": "--within",
    "breach": "--breach",
    "inconclusive": "--inconclusive",
    "not_estimable": "--muted",
}
TOKENS = (
    "--text",
    "--muted",
    "--grid",
    "--surface",
    "--bound",
    "--group-unknown",
    REFERENCE,
    *VERDICTS.values(),
    *(f"--group-{index}" for index in range(1, GROUP_HUES + 1)),
)


def group_index(level: str, levels: Sequence[str], reference: str) -> str:
    """The stable name of a level's hue: 'reference', 'unknown' or '1' to '8', by its place in the declared order.

    Levels beyond eight share hues with earlier ones; charts label lines directly, so none is told by hue alone.
    """
    if level == UNKNOWN:
        return UNKNOWN
    if level == reference:
        return "reference"
    others = [name for name in levels if name not in (reference, UNKNOWN)]
    place = others.index(level) if level in others else 0
    return str(place % GROUP_HUES + 1)


def group_colour(level: str, levels: Sequence[str], reference: str) -> str:
    """The CSS custom property of a level's colour."""
    return f"--group-{group_index(level, levels, reference)}"
