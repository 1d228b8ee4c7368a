"""Reading a small document that somebody uploads, JSON or YAML, without trusting it.

YAML is read from the parser's events and never constructed: there are no anchors, aliases, tags or directives, plain
scalars are what YAML 1.2's JSON schema says (``no`` is a word, a date is text), and every key is text and unique.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from apps.common.errors import Refused

LARGEST = 256 * 1024
DEEPEST = 12
MOST_VALUES = 20_000
FIELD = "file"

_INTEGER = re.compile(r"[-+]?[0-9]{1,15}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]{1,30}|[0-9]{1,30}(\.[0-9]{0,30})?)([eE][-+]?[0-9]{1,4})?")
_CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_document(body: bytes) -> dict[str, Any]:
    """The mapping that a JSON or YAML document holds: only text, finite numbers, truth values, None, lists, mappings.

    Raises
    ------
    Refused
        ``too_large``, ``encoding``, ``syntax``, ``duplicate_key``, ``alias``, ``tag``, ``not_finite``, ``too_deep`` or
        ``not_an_object``. No more than the place is told of a document that cannot be read.
    """
    if len(body) > LARGEST:
        raise Refused(FIELD, f"It has {len(body):,} bytes; at most {LARGEST:,} are read.", code="too_large")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(FIELD, "It is not text in UTF-8.", code="encoding") from None
    content = _json(text) if text.lstrip().startswith(("{", "[")) else _yaml(text)
    if not isinstance(content, dict):
        raise Refused(FIELD, "It must hold one mapping of names to values.", code="not_an_object")
    return content


def _json(text: str) -> Any:
    try:
        content = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        place = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise Refused(FIELD, f"It is not JSON{place}.", code="syntax") from None
    _check_depth(content)
    return content


def _yaml(text: str) -> Any:
    try:
        events = _events(text)
        content = _value(next(events), events, 1)
        if next(events, None) is not None:
            raise Refused(FIELD, "It holds more than one document.", code="syntax")
    except StopIteration:
        raise Refused(FIELD, "It is empty.", code="syntax") from None
    except yaml.MarkedYAMLError as error:
        place = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise Refused(FIELD, f"It is not YAML{place}.", code="syntax") from None
    except (yaml.YAMLError, RecursionError):
        raise Refused(FIELD, "It is not YAML.", code="syntax") from None
    return content


def _events(text: str) -> Iterator[yaml.Event]:
    """The events that carry content, each checked; their number is bounded before anything is built."""
    outer = (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentStartEvent, yaml.DocumentEndEvent)
    for number, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if number > MOST_VALUES:
            raise Refused(FIELD, f"It holds more than {MOST_VALUES:,} values.", code="too_large")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Refused(FIELD, f"Anchors and aliases are not read{_line(event)}.", code="alias")
        if getattr(event, "tags", None) or getattr(event, "version", None):
            raise Refused(FIELD, f"Directives are not read{_line(event)}.", code="tag")
        if getattr(event, "tag", None):
            raise Refused(FIELD, f"Tags are not read{_line(event)}.", code="tag")
        if not isinstance(event, outer):
            yield event


def _value(event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Any:
    if depth > DEEPEST:
        raise _too_deep()
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    if isinstance(event, yaml.SequenceStartEvent):
        items: list[Any] = []
        while not isinstance(item := next(events), yaml.SequenceEndEvent):
            items.append(_value(item, events, depth + 1))
        return items
    found: dict[str, Any] = {}
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        if not isinstance(key, yaml.ScalarEvent):
            raise Refused(FIELD, f"A key must be text{_line(key)}.", code="syntax")
        if key.value in found:
            raise Refused(FIELD, f"The key {key.value[:80]!r} appears twice{_line(key)}.", code="duplicate_key")
        found[key.value] = _value(next(events), events, depth + 1)
    return found


def _scalar(event: yaml.ScalarEvent) -> Any:
    """Quoted and block scalars are text; plain ones may be numbers, truth values or nothing."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    return _finite(text) if _NUMBER.fullmatch(text) else text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise Refused(FIELD, f"The key {key[:80]!r} appears twice in one object.", code="duplicate_key")
        found[key] = value
    return found


def _no_constant(name: str) -> None:
    raise Refused(FIELD, f"{name} is no number.", code="not_finite")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Refused(FIELD, f"{text[:40]} is too large a number.", code="not_finite")
    return number


def _check_depth(content: Any) -> None:
    level, values, depth = [content], 0, 0
    while level:
        depth, values = depth + 1, values + len(level)
        if depth > DEEPEST:
            raise _too_deep()
        if values > MOST_VALUES:
            raise Refused(FIELD, f"It holds more than {MOST_VALUES:,} values.", code="too_large")
        level = [
            each
            for one in level
            for each in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
        ]


def _too_deep() -> Refused:
    return Refused(FIELD, f"It is nested more than {DEEPEST} levels deep.", code="too_deep")


def _line(event: yaml.Event) -> str:
    return f" (line {event.start_mark.line + 1})" if event.start_mark else ""
