"""Files of people's attributes, read as they arrive: no more of a file is in memory than what came last.

Three forms, all UTF-8: CSV with a heading that names the column ``subject_id`` and attributes (an empty cell is an
unknown one), JSON ``{"subjects": [{"subject_id": ..., "attributes": {...}}, ...]}``, and the same rows as NDJSON.

A refusal names the row as a spreadsheet or an editor numbers it, and the column; never anything that stands there.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from apps.common.errors import Refused
from apps.vault.columns import Attributes

CSV, JSON, NDJSON = "csv", "json", "ndjson"
FORMS = (CSV, JSON, NDJSON)
SUBJECT, ATTRIBUTES = "subject_id", "attributes"
LONGEST_ROW = 64 * 1024
_DELIMITERS = (",", ";", "\t")
_SPACE = re.compile(r"[ \t\r\n]*")
_OPENING = re.compile(r'[ \t\r\n]*\{[ \t\r\n]*"subjects"[ \t\r\n]*:[ \t\r\n]*\[')
_CLOSING = re.compile(r"[ \t\r\n]*\][ \t\r\n]*\}[ \t\r\n]*")


class RowReader(Protocol):
    """Turns bytes, however they are cut, into rows."""

    heading: Sequence[str]
    """What another reader has to be told to go on: the names of the columns, where the form has any."""

    @property
    def position(self) -> int:
        """How many bytes of the file the rows given so far take: from there another reader can go on."""

    def rows(self, data: bytes, *, last: bool) -> Iterator[tuple[str, Attributes]]:
        """The (subject id, attributes) pairs that are complete with these bytes; `last`: no more come.

        Raises Refused for what is no row.
        """


def reader(form: str, *, position: int = 0, rows: int = 0, heading: Sequence[str] = ()) -> RowReader:
    """A reader of a file of that form, from its beginning or from where another one stood, so many rows into it."""
    return _CsvReader(position, rows, heading) if form == CSV else _JsonReader(form, position, rows)


def row_name(form: str, index: int) -> str:
    """How people find the row of this index, counted from 0: in CSV the heading is row 1."""
    return f"Row {index + (2 if form == CSV else 1):,}"


class _CsvReader:
    def __init__(self, position: int, rows: int, heading: Sequence[str]) -> None:
        self.position = position
        self.heading: Sequence[str] = tuple(heading)
        self._row = rows
        self._rest = b""
        self._blank = False

    def rows(self, data: bytes, *, last: bool) -> Iterator[tuple[str, Attributes]]:
        *lines, rest = (self._rest + data).split(b"\n")
        lines = [line + b"\n" for line in lines] + ([rest] if last and rest else [])
        self._rest = b"" if last else rest
        if lines and not self.heading:
            self._understand(lines.pop(0))
        if self.heading:
            yield from self._records(lines, last=last)
        elif last:
            raise Refused("Heading", f"is missing; the first line names the columns, one of them {SUBJECT}.")
        if len(self._rest) > LONGEST_ROW:
            raise self._refused("is too long, or a quotation mark in it is not closed.")

    def _records(self, lines: list[bytes], *, last: bool) -> Iterator[tuple[str, Attributes]]:
        # The delimiter goes before the names, so that another reader learns both from the heading.
        delimiter, *names = self.heading
        subject = names.index(SUBJECT)
        place = taken = 0

        def texts() -> Iterator[str]:
            nonlocal place
            for place, line in enumerate(lines, 1):  # noqa: B007 - read outside, between two records
                yield self._text(line)

        records = csv.reader(texts(), delimiter=delimiter, strict=True)
        while True:
            try:
                cells = next(records)
            except StopIteration:
                break
            except csv.Error:
                if place == len(lines) and not last:
                    self._rest = b"".join([*lines[taken:], self._rest])
                    break
                raise self._refused("is not CSV: a quotation mark is not closed, or stands within a cell.") from None
            size = sum(map(len, lines[taken:place]))
            taken = place
            self.position += size
            if not cells:
                self._blank = True
                continue
            if self._blank:
                raise self._refused("stands after an empty line.")
            if len(cells) != len(names):
                raise self._refused(f"has {len(cells):,} cells; the heading has {len(names)}.")
            if size > LONGEST_ROW:
                raise self._refused("is too long.")
            yield (
                cells[subject],
                {name: cell for name, cell in zip(names, cells, strict=True) if cell and name != SUBJECT},
            )
            self._row += 1

    def _understand(self, line: bytes) -> None:
        """Take the heading. What is wrong with it is named by place: in a file without one it is somebody's values."""
        self.position += len(line)
        text = self._text(line.removeprefix(codecs.BOM_UTF8), where="Heading")
        for delimiter in _DELIMITERS:
            try:
                names = next(csv.reader([text], delimiter=delimiter), [])
            except csv.Error:
                continue
            if SUBJECT in names:
                break
        else:
            raise Refused("Heading", f"names no column {SUBJECT}; the first line must name the columns.")
        again = next((place for place, name in enumerate(names) if name in names[:place]), None)
        if again is not None:
            raise Refused("Heading", f"names column {again + 1} twice.")
        self.heading = (delimiter, *names)

    def _text(self, line: bytes, *, where: str = "") -> str:
        try:
            return line.decode()
        except UnicodeDecodeError:
            raise Refused(where or row_name(CSV, self._row), "is not UTF-8.") from None

    def _refused(self, message: str) -> Refused:
        return Refused(row_name(CSV, self._row), message)


class _JsonReader:
    """JSON and NDJSON: objects one after the other, in an array or not."""

    heading: Sequence[str] = ()

    def __init__(self, form: str, position: int, rows: int) -> None:
        self._form = form
        self._array = form == JSON
        self._opened = not self._array or position > 0
        self._comma = self._array and rows > 0
        self._closed = False
        self._row = rows
        self._before = position
        self._text = ""
        self._at = 0
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._object = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)

    @property
    def position(self) -> int:
        return self._before + len(self._text[: self._at].encode())

    def rows(self, data: bytes, *, last: bool) -> Iterator[tuple[str, Attributes]]:
        self._before, self._text, self._at = self.position, self._text[self._at :] + self._decoded(data, last), 0
        if not self._opened and (opening := _OPENING.match(self._text)):
            self._at, self._opened = opening.end(), True
        while self._opened and not self._closed and (given := self._next(last)) is not None:
            yield given
            self._row += 1
        if self._closed and self._text[self._at :].strip(" \t\r\n"):
            raise Refused("File", "goes on after the end of its JSON.")
        if last and not (self._closed if self._array else self._at == len(self._text)):
            raise Refused("File", 'is not {"subjects": [...]}.') if not self._opened else self._cut_off()
        if len(self._text) - self._at > LONGEST_ROW:
            raise self._refused("is not a JSON object, or is too long.")

    def _next(self, last: bool) -> tuple[str, Attributes] | None:
        start = self._past_space(self._at)
        if self._array and (closing := _CLOSING.match(self._text, start)):
            self._at, self._closed = closing.end(), True
            return None
        if self._comma and start < len(self._text):
            if self._text[start] not in ",]":
                raise self._refused("is not separated from the one before by a comma.")
            start = self._past_space(start + 1) if self._text[start] == "," else len(self._text)
        if start >= len(self._text):
            # White space at the end of NDJSON belongs to the last row.
            self._at = start if not self._array else self._at
            return None
        if self._text[start] == "]":
            return None
        if self._text[start] != "{":
            raise self._refused("is not a JSON object.")
        try:
            found, self._at = self._object.raw_decode(self._text, start)
        except _Unusable as error:
            raise self._refused(str(error)) from None
        except (ValueError, RecursionError):
            if last or len(self._text) - start > LONGEST_ROW:
                raise self._refused("is not a JSON object, or is too long.") from None
            return None
        self._comma = self._array
        return self._row_of(found)

    def _row_of(self, found: dict[str, Any]) -> tuple[str, Attributes]:
        if found.keys() != {SUBJECT, ATTRIBUTES}:
            raise self._refused(f"must have the members {SUBJECT} and {ATTRIBUTES} and no other.")
        subject, attributes = found[SUBJECT], found[ATTRIBUTES]
        if not isinstance(subject, str):
            raise self._refused("must be text.", SUBJECT)
        if not isinstance(attributes, dict) or not all(isinstance(level, str) for level in attributes.values()):
            raise self._refused("must be an object of attributes and their levels, all text.", ATTRIBUTES)
        return subject, attributes

    def _past_space(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def _decoded(self, data: bytes, last: bool) -> str:
        try:
            return self._utf8.decode(data, last)
        except UnicodeDecodeError:
            raise self._refused("or one of those after it is not UTF-8.") from None

    def _cut_off(self) -> Refused:
        return Refused("File", f"ends early: {row_name(self._form, self._row)} is not complete, or its end is missing.")

    def _refused(self, message: str, column: str = "") -> Refused:
        row = row_name(self._form, self._row)
        return Refused(f"{row}, column {column}" if column else row, message)


class _Unusable(Exception):  # noqa: N818 - becomes a refusal that names the row
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Unusable("names a member twice.")
    return found


def _no_constant(_: str) -> None:
    raise _Unusable("holds a number that is not JSON.")
