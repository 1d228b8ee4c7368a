"""From the bytes of a batch to rows: whole batches at once, row by row only where something is wrong.

JSON lets a key appear twice and parsers keep one of them. Counting quotation marks finds that without a second
parse: every key and every text has exactly two, so a batch that holds more of them than its rows account for
repeats a key. Texts with an escaped quotation mark make the count useless; those rows are parsed a second time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import UNSET

from apps.common.errors import Refused
from apps.inference.shapes import MAXIMUM_ROWS, Event, Label, Rejection

Row = TypeVar("Row", Event, Label)


class Malformed(Exception):  # noqa: N818 - an answer to the sender
    """The bytes are not JSON (or not UTF-8); nothing of them can be used."""


class _RepeatedKey(Exception):  # noqa: N818
    pass


@dataclass(frozen=True, slots=True)
class Decoded(Generic[Row]):
    """Rows that parsed, with their places in the batch, and the refusal of those that did not."""

    rows: list[Row]
    places: Sequence[int]
    rejected: list[Rejection]


@dataclass(frozen=True, slots=True)
class BatchFormat(Generic[Row]):
    """How batches of one kind of row are decoded: `{"<name>": [row, ...]}` or one row a line."""

    name: str
    whole: msgspec.json.Decoder[Any]
    row: msgspec.json.Decoder[Row]
    quotes: Callable[[Sequence[Row]], int]

    def decode(self, body: bytes, *, lines: bool) -> Decoded[Row]:
        """The rows of a batch.

        Raises
        ------
        Malformed
            The body is not JSON or not UTF-8.
        Refused
            The body is JSON of another shape, empty, or has too many rows (code ``too_many``).
        """
        try:
            rows: list[Row] = self.row.decode_lines(body) if lines else getattr(self.whole.decode(body), self.name)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return self._row_by_row(_raw_lines(body) if lines else self._raw_rows(body))
        self._check_number(len(rows))
        expected = self.quotes(rows) + (0 if lines else 2)
        several_a_line = lines and len(rows) != len(_raw_lines(body))
        if body.count(b'"') != expected or b'\\"' in body or several_a_line:
            return self._row_by_row(_raw_lines(body) if lines else self._raw_rows(body))
        return Decoded(rows, range(len(rows)), [])

    def _raw_rows(self, body: bytes) -> list[bytes]:
        try:
            envelope = _ENVELOPE.decode(body)
        except msgspec.ValidationError:
            _check_json(body)
            raise Refused("body", f'The body must be an object {{"{self.name}": [...]}}.') from None
        except UnicodeDecodeError:
            raise Malformed("The body is not UTF-8.") from None
        except RecursionError:
            raise Malformed("The body is nested too deeply.") from None
        except msgspec.DecodeError as error:
            raise Malformed(f"{error}.") from None
        for name in envelope:
            if name != self.name:
                raise Refused(name, f"The body has the one member {self.name!r}.", code="unknown_field")
        if self.name not in envelope:
            raise Refused(self.name, f'The body must be an object {{"{self.name}": [...]}}.', code="missing")
        try:
            raws = _RAWS.decode(envelope[self.name])
        except msgspec.ValidationError:
            raise Refused(self.name, "This must be a list.") from None
        # The list is all there is beside the name: anything more is a second list under the same name.
        if body.count(b'"') != 2 + bytes(envelope[self.name]).count(b'"'):
            raise Refused(self.name, f"{self.name!r} appears twice.", code="duplicate_key")
        return [bytes(raw) for raw in raws]

    def _row_by_row(self, raws: Sequence[bytes]) -> Decoded[Row]:
        self._check_number(len(raws))
        rows: list[Row] = []
        places: list[int] = []
        rejected: list[Rejection] = []
        for index, raw in enumerate(raws):
            try:
                row = self.row.decode(raw)
                if raw.count(b'"') != self.quotes((row,)) or b'\\"' in raw:
                    json.loads(raw, object_pairs_hook=_once)
            except msgspec.ValidationError as error:
                rejected.append(_explain(index, raw, str(error)))
            except _RepeatedKey as error:
                rejected.append(
                    Rejection(index, "duplicate_key", f"The key {error.args[0]!r} appears twice.", error.args[0])
                )
            except (msgspec.DecodeError, ValueError, RecursionError):
                rejected.append(Rejection(index, "malformed", "This row is not JSON in UTF-8."))
            else:
                rows.append(row)
                places.append(index)
        return Decoded(rows, places, rejected)

    def _check_number(self, rows: int) -> None:
        if not rows:
            raise Refused(self.name, "A batch holds at least one row.", code="empty")
        if rows > MAXIMUM_ROWS:
            raise Refused(
                self.name, f"A batch holds at most {MAXIMUM_ROWS:,} rows, not {rows:,}: split it.", code="too_many"
            )


def _check_json(body: bytes) -> None:
    """Raises Malformed. A body of the wrong shape is called so only if it is JSON to its end."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Malformed("The body is not JSON.") from None


def _raw_lines(body: bytes) -> list[bytes]:
    return [line for line in body.split(b"\n") if line.strip()]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _RepeatedKey(key)
        found[key] = value
    return found


def _explain(index: int, raw: bytes, message: str) -> Rejection:
    """The rejection of a row of the wrong shape, without repeating any value of it."""
    problem, _, path = message.partition(" - at `$")
    field = path.removesuffix("`").lstrip(".")
    if problem.startswith("Object contains unknown field `"):
        name = problem.split("`")[1][:80]
        return Rejection(index, "unknown_field", f"{name!r} is not a field.", f"{field}.{name}".lstrip("."))
    if problem.startswith("Object missing required field `"):
        name = problem.split("`")[1]
        return Rejection(index, "missing", f"{name!r} is required.", f"{field}.{name}".lstrip("."))
    root = field.split("[")[0].split(".")[0]
    code = f"invalid_{root}" if root else "invalid"
    if problem.startswith("Invalid RFC3339"):
        problem = "Expected an RFC 3339 time with an offset"
    return Rejection(index, code, f"{problem}.", field)


def _event_quotes(events: Sequence[Event]) -> int:
    """Quotation marks in the JSON of `events`: two a key, two a text."""
    texts = 9 * len(events)  # five required keys, four of them with text
    for event in events:
        texts += (
            (event.score is not UNSET)
            + (event.label is not UNSET)
            + (event.features is not UNSET)
            + (event.override is not UNSET)
        )
        if event.override:
            texts += 5
        if event.features:
            texts += len(event.features)
            for value in event.features.values():
                if type(value) is str:
                    texts += 1
                elif type(value) is list:
                    texts += sum(type(item) is str for item in value)
    return 2 * texts


def _label_quotes(labels: Sequence[Label]) -> int:
    return 2 * 5 * len(labels)


class EventsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A batch of events."""

    events: Annotated[list[Event], msgspec.Meta(min_length=1, max_length=MAXIMUM_ROWS)]


class LabelsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A batch of labels."""

    labels: Annotated[list[Label], msgspec.Meta(min_length=1, max_length=MAXIMUM_ROWS)]


_ENVELOPE = msgspec.json.Decoder(dict[str, msgspec.Raw])
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])

EVENTS: BatchFormat[Event] = BatchFormat(
    "events", msgspec.json.Decoder(EventsBody), msgspec.json.Decoder(Event), _event_quotes
)
LABELS: BatchFormat[Label] = BatchFormat(
    "labels", msgspec.json.Decoder(LabelsBody), msgspec.json.Decoder(Label), _label_quotes
)
