"""What the bytes of a batch become, good and hostile."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.errors import Refused
from apps.inference.decoding import EVENTS, LABELS, Malformed

GOOD: dict[str, Any] = {
    "event_id": "e1",
    "subject_id": "s1",
    "occurred_at": "2026-11-02T09:30:00+11:00",
    "version": "1.0",
    "decision": 1,
}


def batch(*rows: Any) -> bytes:
    return json.dumps({"events": rows}).encode()


def raw_row(**texts: str) -> str:
    """A row with members whose JSON is given as it stands."""
    members = {name: json.dumps(value) for name, value in GOOD.items()} | texts
    return "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"


def raw_batch(*rows: str) -> bytes:
    return ('{"events":[' + ",".join(rows) + "]}").encode()


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        (raw_row(sex='"female"'), "unknown_field", "sex"),
        (raw_row(score="1.5"), "invalid_score", "score"),
        (raw_row(score="-0.1"), "invalid_score", "score"),
        (raw_row(score="1e999"), "invalid_score", "score"),
        (raw_row(score='"0.5"'), "invalid_score", "score"),
        (raw_row(score="true"), "invalid_score", "score"),
        (raw_row(decision="2"), "invalid_decision", "decision"),
        (raw_row(decision="true"), "invalid_decision", "decision"),
        (raw_row(decision='"1"'), "invalid_decision", "decision"),
        (raw_row(label="-1"), "invalid_label", "label"),
        (raw_row(occurred_at='"2026-11-02T09:30:00"'), "invalid_occurred_at", "occurred_at"),
        (raw_row(occurred_at='"yesterday"'), "invalid_occurred_at", "occurred_at"),
        (raw_row(occurred_at="1793600000"), "invalid_occurred_at", "occurred_at"),
        (raw_row(occurred_at='"2026-02-30T00:00:00Z"'), "invalid_occurred_at", "occurred_at"),
        (raw_row(event_id='""'), "invalid_event_id", "event_id"),
        (raw_row(event_id=json.dumps("x" * 201)), "invalid_event_id", "event_id"),
        (raw_row(subject_id="7"), "invalid_subject_id", "subject_id"),
        (raw_row(features='{"a":[[1]]}'), "invalid_features", "features[...][0]"),
        (raw_row(features='{"a":{"b":1}}'), "invalid_features", "features[...]"),
        (raw_row(features='{"a":' + "1" * 5000 + "}"), "invalid_features", "features[...]"),
        (raw_row(features='{"a":1e999}'), "invalid_features", "features[...]"),
        (raw_row(override='{"by":"x","decision":1}'), "missing", "override.reason"),
        (raw_row(override='{"by":"x","decision":1,"reason":"r","sex":"f"}'), "unknown_field", "override.sex"),
        ('{"event_id":"e1"}', "missing", "subject_id"),
        ("[]", "invalid", ""),
        ("null", "invalid", ""),
        ('"text"', "invalid", ""),
    ],
)
def test_row_of_the_wrong_shape_is_named_and_the_others_stay(row: str, code: str, field: str) -> None:
    decoded = EVENTS.decode(raw_batch(raw_row(), row, raw_row()), lines=False)
    assert list(decoded.places) == [0, 2]
    assert [(each.index, each.code, each.field) for each in decoded.rejected] == [(1, code, field)]


@pytest.mark.parametrize(
    "row",
    [
        raw_row()[:-1] + ',"decision":0}',
        raw_row()[:-1] + ',"\\u0064ecision":0}',
        raw_row(score="null")[:-1] + ',"score":0.5}',
        raw_row(features='{"a":1,"a":2}'),
        raw_row(features='{"a\\"":1,"a\\"":2}'),
        raw_row(features='{"a":"\\"","b":["x","y"],"b":1}'),
        raw_row(override='{"by":"x","by":"y","decision":1,"reason":"r"}'),
    ],
)
def test_key_that_appears_twice_is_found(row: str) -> None:
    decoded = EVENTS.decode(raw_batch(raw_row(), row), lines=False)
    assert [each.code for each in decoded.rejected] == ["duplicate_key"]
    assert list(decoded.places) == [0]


@pytest.mark.parametrize(
    "row",
    [
        raw_row(score="null", label="null", features="null", override="null"),
        raw_row(features='{"decision":1,"score":"x","t":["a","b",null,1.5,true]}'),
        raw_row(features='{"quote":"a \\"b\\" c","slash":"\\\\"}'),
        raw_row(event_id='"\\u00e9\\ud83d\\ude42"'),
        raw_row(override='{"by":"x","decision":1,"reason":"\\"really\\""}'),
    ],
)
def test_honest_row_is_never_taken_for_one_with_repeated_keys(row: str) -> None:
    decoded = EVENTS.decode(raw_batch(row, raw_row()), lines=False)
    assert decoded.rejected == []
    assert len(decoded.rows) == 2


json_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | json_text
)


@given(st.dictionaries(json_text, scalars | st.lists(scalars, max_size=4), max_size=6), json_text, st.booleans())
def test_whatever_json_writes_is_read_back(features: dict[str, Any], name: str, ascii_only: bool) -> None:
    row = GOOD | {"event_id": name, "features": features}
    decoded = EVENTS.decode(json.dumps({"events": [row, GOOD]}, ensure_ascii=ascii_only).encode(), lines=False)
    assert decoded.rejected == []
    assert decoded.rows[0].features == features
    assert decoded.rows[0].event_id == name


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json",
        b'{"events":[{"score":NaN}]}',
        b'{"events":[{"score":Infinity}]}',
        b'{"events":[]}x',
        b"\xff\xfe",
        raw_batch(raw_row(event_id='"\\ud800x"')),
        b'{"events":["' + b'"]',
        b'{"events":' + b"[" * 200_000,
        b'{"events":[' + b'{"a":' * 100_000,
    ],
)
def test_bytes_that_are_not_json_are_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        EVENTS.decode(body, lines=False)


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        (b"[]", "body", "invalid"),
        (b"null", "body", "invalid"),
        (b"{}", "events", "missing"),
        (b'{"events":{}}', "events", "invalid"),
        (b'{"events":[]}', "events", "empty"),
        (b'{"labels":[]}', "labels", "unknown_field"),
        (b'{"events":[' + raw_row().encode() + b'],"extra":1}', "extra", "unknown_field"),
        (b'{"events":[1],"events":[' + raw_row().encode() + b"]}", "events", "duplicate_key"),
        (b'{"events":[' + b",".join([b"1"] * 10_001) + b"]}", "events", "too_many"),
    ],
)
def test_envelope_of_the_wrong_shape_is_refused(body: bytes, field: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        EVENTS.decode(body, lines=False)
    assert (refused.value.field, refused.value.code) == (field, code)


def test_ten_thousand_rows_fit() -> None:
    assert len(EVENTS.decode(batch(*[GOOD] * 10_000), lines=False).rows) == 10_000


def test_invalid_utf8_spoils_only_its_row() -> None:
    body = raw_batch(raw_row(), raw_row()).replace(b'"e1"', b'"\xff1"', 1)
    decoded = EVENTS.decode(body, lines=False)
    assert [(each.index, each.code) for each in decoded.rejected] == [(0, "malformed")]


def test_refusal_never_repeats_a_value() -> None:
    decoded = EVENTS.decode(raw_batch(raw_row(score='"very private"', sex='"female"')), lines=False)
    assert "private" not in str(decoded.rejected)
    assert "female" not in str(decoded.rejected)


def test_lines_are_rows_and_blank_lines_are_not() -> None:
    body = "\n".join([raw_row(), "", raw_row(), "  "]).encode()
    assert len(EVENTS.decode(body, lines=True).rows) == 2


def test_bad_line_is_named_by_its_row_and_the_others_land() -> None:
    body = "\r\n".join([raw_row(), "", "{broken", raw_row(score="7"), raw_row()]).encode()
    decoded = EVENTS.decode(body, lines=True)
    assert list(decoded.places) == [0, 3]
    assert [(each.index, each.code) for each in decoded.rejected] == [(1, "malformed"), (2, "invalid_score")]


def test_two_rows_on_one_line_are_refused() -> None:
    decoded = EVENTS.decode((raw_row() + raw_row() + "\n" + raw_row()).encode(), lines=True)
    assert [each.code for each in decoded.rejected] == ["malformed"]
    assert list(decoded.places) == [1]


def test_labels_are_decoded_by_the_same_rules() -> None:
    good = '{"event_id":"e","label":1,"observed_at":"2026-11-02T00:00:00Z"}'
    bad = good.replace('"label":1', '"label":2')
    twice = good[:-1] + ',"label":0}'
    body = ('{"labels":[' + ",".join([good, bad, twice]) + "]}").encode()
    decoded = LABELS.decode(body, lines=False)
    assert list(decoded.places) == [0]
    assert [each.code for each in decoded.rejected] == ["invalid_label", "duplicate_key"]
