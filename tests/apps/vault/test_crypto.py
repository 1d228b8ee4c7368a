"""A record opens as its own subject's under its own key, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from apps.vault import crypto
from apps.vault.crypto import BLOCK, HEAD, DataKey, VaultError, open_chunk, seal_chunk

KEY, SUBJECT = bytes(range(32)), bytes(range(16))
attributes = st.dictionaries(st.text(min_size=1, max_size=12), st.text(max_size=40), max_size=5)
subjects = st.binary(min_size=16, max_size=16)


@given(subjects, attributes)
def test_a_record_holds_what_was_sealed(subject: bytes, content: dict[str, str]) -> None:
    key = DataKey(KEY, version=3)
    record = key.seal(subject, content, schema=1)
    assert key.open(subject, record) == content
    assert (len(record) - HEAD.size - 16) % BLOCK == 0


@given(attributes, st.data())
def test_any_changed_bit_is_refused(content: dict[str, str], data: st.DataObject) -> None:
    key = DataKey(KEY, version=3)
    record = bytearray(key.seal(SUBJECT, content, schema=1))
    bit = data.draw(st.integers(0, 8 * len(record) - 1))
    record[bit // 8] ^= 1 << bit % 8
    with pytest.raises(VaultError):
        key.open(SUBJECT, bytes(record))


@given(subjects.filter(lambda other: other != SUBJECT), attributes)
def test_another_subjects_record_is_refused(other: bytes, content: dict[str, str]) -> None:
    key = DataKey(KEY, version=3)
    with pytest.raises(VaultError):
        key.open(other, key.seal(SUBJECT, content, schema=1))


@given(st.integers(1, 2**32 - 1).filter(lambda version: version != 3), attributes)
def test_a_record_of_another_key_version_is_refused(version: int, content: dict[str, str]) -> None:
    record = DataKey(KEY, version=3).seal(SUBJECT, content, schema=1)
    with pytest.raises(VaultError):
        DataKey(KEY, version=version).open(SUBJECT, record)
    relabelled = record[:1] + version.to_bytes(4, "big") + record[5:]
    with pytest.raises(VaultError):
        DataKey(KEY, version=version).open(SUBJECT, relabelled)


@given(st.binary(min_size=32, max_size=32).filter(lambda other: other != KEY), attributes)
def test_a_record_under_another_key_is_refused_by_its_commitment(other: bytes, content: dict[str, str]) -> None:
    record = DataKey(KEY, version=3).seal(SUBJECT, content, schema=1)
    with pytest.raises(VaultError, match="does not belong to data key"):
        DataKey(other, version=3).open(SUBJECT, record)


def test_the_length_of_a_record_hides_the_level() -> None:
    key = DataKey(KEY, version=1)
    short, long = ({"ethnicity": level} for level in ("A", "Aboriginal or Torres Strait Islander"))
    assert len(key.seal(SUBJECT, short, schema=1)) == len(key.seal(SUBJECT, long, schema=1))


levels = st.dictionaries(
    st.text(min_size=1, max_size=12), st.lists(st.text(max_size=60), min_size=1, max_size=4).map(tuple), max_size=5
)


@given(levels, st.data())
def test_a_width_hides_every_choice_of_levels_and_that_some_are_missing(
    declared: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    chosen = {name: data.draw(st.sampled_from(among)) for name, among in declared.items() if data.draw(st.booleans())}
    key, width = DataKey(KEY, version=1), crypto.content_width(declared)
    record = key.seal(SUBJECT, chosen, schema=1, width=width)
    assert len(record) == len(key.seal(SUBJECT, {}, schema=1, width=width))
    assert key.open(SUBJECT, record) == chosen


@given(st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=20))
def test_records_of_several_schema_versions_open_together(versions: list[int]) -> None:
    key = DataKey(KEY, version=1)
    sealed = [key.seal(SUBJECT, {"sex": "F"}, schema=version) for version in versions]
    assert [crypto.schema_version(record) for record in sealed] == versions
    records = np.array([np.frombuffer(record, np.uint8) for record in sealed])
    opened = key.open_many(np.tile(np.frombuffer(SUBJECT, np.uint8), (len(versions), 1)), records)
    assert [crypto.attributes_in(each) for each in opened] == [{"sex": "F"}] * len(versions)


def test_another_schema_version_in_the_head_is_refused() -> None:
    key = DataKey(KEY, version=1)
    record = key.seal(SUBJECT, {"sex": "F"}, schema=1)
    with pytest.raises(VaultError, match="damaged"):
        key.open(SUBJECT, record[:5] + (2).to_bytes(2, "big") + record[7:])


def test_a_record_of_the_first_layout_is_refused_with_what_to_do() -> None:
    key = DataKey(KEY, version=1)
    record = key.seal(SUBJECT, {"sex": "F"}, schema=1)
    with pytest.raises(VaultError, match="upload the attributes again"):
        key.open(SUBJECT, b"\x01" + record[1:])


def test_many_records_open_in_order_and_one_bad_one_stops_all() -> None:
    key = DataKey(KEY, version=1)
    people = np.arange(16 * 50, dtype=np.uint16).astype(np.uint8).reshape(50, 16)
    people[:, 0] = np.arange(50)
    records = np.array(
        [
            np.frombuffer(key.seal(person.tobytes(), {"sex": str(n)}, schema=1), np.uint8)
            for n, person in enumerate(people)
        ]
    )
    opened = key.open_many(people, records)
    assert [crypto.attributes_in(each)["sex"] for each in opened] == [str(n) for n in range(50)]
    swapped = records[[1, 0, *range(2, 50)]]
    with pytest.raises(VaultError):
        key.open_many(people, swapped)


def test_a_sealed_part_opens_only_in_its_own_place_and_by_its_own_key() -> None:
    private, upload = X25519PrivateKey.generate(), bytes(16)
    rows = [(SUBJECT, {"sex": "F"}), (bytes(16), {})]
    sealed = seal_chunk(rows, private.public_key().public_bytes_raw(), upload=upload, index=0, count=2)
    key = private.private_bytes_raw()
    assert open_chunk(sealed, key, upload=upload, index=0, count=2) == rows
    for place in ({"index": 1, "count": 2}, {"index": 0, "count": 1}):
        with pytest.raises(VaultError):
            open_chunk(sealed, key, upload=upload, **place)
    with pytest.raises(VaultError):
        open_chunk(sealed, key, upload=b"x" * 16, index=0, count=2)
    with pytest.raises(VaultError):
        open_chunk(sealed, X25519PrivateKey.generate().private_bytes_raw(), upload=upload, index=0, count=2)


def test_errors_and_descriptions_never_show_a_key_or_a_value() -> None:
    key = DataKey(KEY, version=1)
    with pytest.raises(VaultError) as refused:
        key.open(bytes(16), key.seal(SUBJECT, {"religion": "Jedi"}, schema=1))
    shown = f"{refused.value!r} {refused.value.__cause__!r} {key!r}"
    assert "Jedi" not in shown
    assert KEY.hex() not in shown
    assert repr(KEY) not in shown
    assert refused.value.__suppress_context__
