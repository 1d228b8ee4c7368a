"""A back-test in a form that can be stored, signed and drawn: its counts, its alerts, and the lines that moved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from biasgov.fairness.replay import Fate, Look, Replay, ReplayedAlert, SeriesKey
from biasgov.fairness.response_plan import SEVERITIES

ALERTS_AT_MOST = 60
LINES_AT_MOST = 4

_ORDER: tuple[Fate, ...] = ("lost", "gained", "kept")
_RANKS = ("", *SEVERITIES)


def summary(replay: Replay) -> dict[str, Any]:
    """JSON-able: counts, up to `ALERTS_AT_MOST` alerts (lost ones first, then gained) and up to `LINES_AT_MOST` lines.

    A line is one value a day, that of the day's most telling evaluation: ``[moment, value, fate]`` with the fate
    ``lost`` (a breach under today's policy alone), ``gained`` (under the proposed one alone), ``kept`` (under both) or
    "". Those with the most breaches that come or go stand first.
    """
    alerts = sorted(replay.alerts, key=lambda alert: (_ORDER.index(alert.fate), alert.at))
    weights = replay.looks.weights()
    lines = sorted(replay.looks, key=weights.__getitem__, reverse=True)
    return {
        "evaluations": replay.evaluations,
        "judged": replay.judged,
        "hidden": replay.hidden,
        "checked": replay.checked,
        "repeated": replay.repeated,
        **{fate: replay.count(fate) for fate in _ORDER},
        "severer": sum(_ranks(alert)[1] > _ranks(alert)[0] for alert in alerts if alert.fate == "kept"),
        "milder": sum(_ranks(alert)[1] < _ranks(alert)[0] for alert in alerts if alert.fate == "kept"),
        "alerts": [_alert(alert) for alert in alerts[:ALERTS_AT_MOST]],
        "alerts_left_out": max(len(alerts) - ALERTS_AT_MOST, 0),
        "lines": [_line(key, replay.looks.of(key)) for key in lines[:LINES_AT_MOST]],
    }


def _ranks(alert: ReplayedAlert) -> tuple[int, int]:
    return _RANKS.index(alert.severity_today), _RANKS.index(alert.severity_proposed)


def _alert(alert: ReplayedAlert) -> dict[str, Any]:
    moments = {
        name: at.isoformat() if at else None for name, at in (("today", alert.today), ("proposed", alert.proposed))
    }
    return asdict(alert) | moments


def _line(key: SeriesKey, looks: Sequence[Look]) -> dict[str, Any]:
    metric, attribute, group, window = key
    return {
        "metric": metric,
        "attribute": attribute,
        "group": group,
        "window": window,
        "days": [[look.as_of.isoformat(), look.value, fate_of(look)] for look in _daily(looks)],
    }


def fate_of(look: Look) -> str:
    """What becomes of one breach: ``lost``, ``gained``, ``kept``, or "" where neither policy sees one."""
    today, proposed = look.today == "breach", look.proposed == "breach"
    return "kept" if today and proposed else "lost" if today else "gained" if proposed else ""


def _daily(looks: Iterable[Look]) -> list[Look]:
    """One look for each day: one that comes or goes rather than one that stays, and the later one among equals."""
    chosen: dict[date, Look] = {}
    for look in looks:
        day = _day(look.as_of)
        if day not in chosen or _telling(look) >= _telling(chosen[day]):
            chosen[day] = look
    return list(chosen.values())


def _day(at: datetime) -> date:
    return at.date()


def _telling(look: Look) -> int:
    return {"": 0, "kept": 1}.get(fate_of(look), 2)
