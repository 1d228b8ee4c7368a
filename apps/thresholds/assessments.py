"""An assessment before release, as a file: which fairness was found for whom, and which bounds follow.

The format is described in docs/thresholds.md. Nothing of it judges anything by itself: its baselines stand beside the
bounds for whoever signs them, and its bounds are a proposal's starting point.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from apps.common import clock
from apps.common.errors import Refused
from apps.registry.spec import ModelSpec
from apps.thresholds.documents import read_document
from biasgov.fairness.policy import METRICS, Bound
from biasgov.fairness.schema import SEPARATOR

FORMAT = "biasgov-assessment/1"
MOST_BASELINES = 500
_FIELDS = {"format", "model", "reference", "title", "assessed_on", "assessor", "data", "baselines", "bounds", "notes"}
_DATA = {"description", "events", "from", "until"}
_BASELINE = {"attribute", "group", "reference", "value", "interval", "n"}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was found for one group, or for all groups together (None)."""

    metric: str
    attribute: str
    group: str | None
    reference: str | None
    value: float
    low: float | None
    high: float | None
    n: int | None


@dataclass(frozen=True, slots=True)
class Assessed:
    """A checked assessment."""

    reference: str
    title: str
    assessed_on: date
    assessor: str
    data: Mapping[str, Any]
    baselines: tuple[Baseline, ...]
    bounds: Mapping[str, Bound]
    notes: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; inverse of `from_dict`."""
        return {
            "reference": self.reference,
            "title": self.title,
            "assessed_on": self.assessed_on.isoformat(),
            "assessor": self.assessor,
            "data": dict(self.data),
            "baselines": [asdict(each) for each in self.baselines],
            "bounds": {metric: bound.to_dict() for metric, bound in self.bounds.items()},
            "notes": self.notes,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Assessed:
        return cls(
            reference=content["reference"],
            title=content["title"],
            assessed_on=date.fromisoformat(content["assessed_on"]),
            assessor=content["assessor"],
            data=content["data"],
            baselines=tuple(Baseline(**each) for each in content["baselines"]),
            bounds={metric: Bound.from_dict(bound) for metric, bound in content["bounds"].items()},
            notes=content["notes"],
        )


def read_assessment(body: bytes, spec: ModelSpec) -> Assessed:
    """The assessment in a JSON or YAML file, checked against the model that it must be about.

    Raises Refused naming the field, or `documents.read_document`'s refusals of the file as a whole.
    """
    given = _mapping(read_document(body), "file", _FIELDS)
    if given.get("format") != FORMAT:
        raise Refused("format", f"It must be {FORMAT!r}, not {given.get('format')!r}.")
    if given.get("model") != spec.slug:
        raise Refused("model", f"The assessment is about {given.get('model')!r}, and not about {spec.slug!r}.")
    assessed_on = _date(given.get("assessed_on"), "assessed_on")
    if assessed_on > clock.now().date():
        raise Refused("assessed_on", f"{assessed_on.isoformat()} is still to come.")
    return Assessed(
        reference=_text(given.get("reference"), "reference", 200),
        title=_text(given.get("title"), "title", 200),
        assessed_on=assessed_on,
        assessor=_text(given.get("assessor"), "assessor", 200),
        data=_data(given.get("data")),
        baselines=_baselines(given.get("baselines"), spec),
        bounds=_bounds(given.get("bounds")),
        notes=_text(given["notes"], "notes", 4000) if given.get("notes") else "",
    )


def _baselines(given: Any, spec: ModelSpec) -> tuple[Baseline, ...]:
    found: list[Baseline] = []
    for metric, rows in _mapping(given, "baselines", set(METRICS)).items():
        if not isinstance(rows, list) or not rows:
            raise Refused(f"baselines.{metric}", "It must be a list of at least one finding.")
        found += [_baseline(metric, row, f"baselines.{metric}[{place}]", spec) for place, row in enumerate(rows)]
        if len(found) > MOST_BASELINES:
            raise Refused("baselines", f"There are more than {MOST_BASELINES} findings.", code="too_large")
    if not found:
        raise Refused("baselines", "An assessment without any finding is none.")
    said = [(each.metric, each.attribute, each.group) for each in found]
    for one in said:
        if said.count(one) > 1:
            raise Refused("baselines", f"{one[0]} of {one[2] or 'all groups'} is said twice.", code="duplicate")
    return tuple(found)


def _baseline(metric: str, given: Any, field: str, spec: ModelSpec) -> Baseline:
    row = _mapping(given, field, _BASELINE)
    attribute = _attribute(row.get("attribute"), f"{field}.attribute", spec)
    value = _number(row.get("value"), f"{field}.value")
    interval = row.get("interval", [None, None])
    if not isinstance(interval, list) or len(interval) != 2:
        raise Refused(f"{field}.interval", "It must be two numbers, the lower end first.")
    low, high = (
        None if end is None else _number(end, f"{field}.interval[{place}]") for place, end in enumerate(interval)
    )
    if (low is not None and low > value) or (high is not None and high < value):
        raise Refused(f"{field}.interval", f"The value {value} lies outside of it.")
    n = row.get("n")
    if n is not None and (isinstance(n, bool) or not isinstance(n, int) or not 0 <= n <= 10**12):
        raise Refused(f"{field}.n", "It must be a whole number of people, 0 or more.")
    return Baseline(
        metric=metric,
        attribute=attribute,
        group=_group(row.get("group"), attribute, f"{field}.group", spec),
        reference=_group(row.get("reference"), attribute, f"{field}.reference", spec),
        value=value,
        low=low,
        high=high,
        n=n,
    )


def _attribute(given: Any, field: str, spec: ModelSpec) -> str:
    name = _text(given, field, 400)
    parts = name.split(SEPARATOR)
    if any(part not in spec.attribute_names for part in parts) or len(set(parts)) != len(parts):
        raise Refused(field, f"{name!r} is made of none of the model's attributes {', '.join(spec.attribute_names)}.")
    return name


def _group(given: Any, attribute: str, field: str, spec: ModelSpec) -> str | None:
    if given is None:
        return None
    name = _text(given, field, 400)
    levels = {each.name: each.levels for each in spec.attributes}
    names, parts = attribute.split(SEPARATOR), name.split(SEPARATOR)
    if len(parts) != len(names) or any(part not in levels[one] for one, part in zip(names, parts, strict=True)):
        raise Refused(field, f"{name!r} is no declared group of {attribute!r}.")
    return name


def _bounds(given: Any) -> dict[str, Bound]:
    found = {}
    for metric, bound in _mapping(given or {}, "bounds", set(METRICS)).items():
        ends = _mapping(bound, f"bounds.{metric}", {"lower", "upper"})
        try:
            found[metric] = Bound.from_dict(ends)
        except ValueError as error:
            raise Refused(f"bounds.{metric}", f"{error}.") from None
    return found


def _data(given: Any) -> dict[str, Any]:
    row = _mapping(given or {}, "data", _DATA)
    found: dict[str, Any] = {}
    if row.get("description") is not None:
        found["description"] = _text(row["description"], "data.description", 1000)
    if row.get("events") is not None:
        found["events"] = _number(row["events"], "data.events")
    for name in ("from", "until"):
        if row.get(name) is not None:
            found[name] = _date(row[name], f"data.{name}").isoformat()
    return found


def _mapping(given: Any, field: str, known: set[str]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise Refused(field, "It must be a mapping of names to values.")
    strange = sorted(set(given) - known)
    if strange:
        raise Refused(field, f"It has no {strange[0][:80]!r}; it may have {', '.join(sorted(known))}.", code="unknown")
    return given


def _text(given: Any, field: str, longest: int) -> str:
    if not isinstance(given, str):
        raise Refused(field, "It must be text." if given is not None else "It is missing.")
    text = given.strip()
    if not text or len(text) > longest or _CONTROL.search(text) or _has_surrogate(text):
        raise Refused(field, f"There must be 1 to {longest} characters and no control characters.")
    return text


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _number(given: Any, field: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or abs(given) > 1e12:
        raise Refused(field, "It must be a number." if given is not None else "It is missing.")
    return given


def _date(given: Any, field: str) -> date:
    text = _text(given, field, 10)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused(field, f"{text!r} is no date; write it as 2026-11-20.") from None
