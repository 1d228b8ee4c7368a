"""What was sealed opens in its own place under its own key, or not at all."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from apps.vault.columns import People
from apps.vault.crypto import DataKey, VaultError, open_chunk, seal_chunk

KEY, SUBJECT, PLACE = bytes(range(32)), bytes(range(16)), b"a place of 32 bytes, say, or so."
contents = st.binary(max_size=200)


@given(contents, st.binary(max_size=40))
def test_what_was_sealed_opens_in_its_own_place(content: bytes, place: bytes) -> None:
    key = DataKey(KEY, version=3)
    sealed = key.seal(content, bound_to=place)
    assert key.open(sealed, bound_to=place) == content
    assert content == b"" or len(content) < 8 or content not in sealed


@given(contents, st.data())
def test_any_changed_bit_is_refused(content: bytes, data: st.DataObject) -> None:
    key = DataKey(KEY, version=3)
    sealed = bytearray(key.seal(content, bound_to=PLACE))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(VaultError):
        key.open(bytes(sealed), bound_to=PLACE)


@given(contents, st.data())
def test_anything_cut_off_or_added_is_refused(content: bytes, data: st.DataObject) -> None:
    key = DataKey(KEY, version=3)
    sealed = key.seal(content, bound_to=PLACE)
    for changed in (sealed[: data.draw(st.integers(0, len(sealed) - 1))], sealed + b"\0"):
        with pytest.raises(VaultError):
            key.open(changed, bound_to=PLACE)


@given(contents, st.binary(max_size=40).filter(lambda other: other != PLACE))
def test_in_another_place_it_is_refused(content: bytes, other: bytes) -> None:
    key = DataKey(KEY, version=3)
    with pytest.raises(VaultError):
        key.open(key.seal(content, bound_to=PLACE), bound_to=other)


@given(st.integers(1, 2**32 - 1).filter(lambda version: version != 3), contents)
def test_what_another_key_version_sealed_is_refused(version: int, content: bytes) -> None:
    sealed = DataKey(KEY, version=3).seal(content, bound_to=PLACE)
    with pytest.raises(VaultError):
        DataKey(KEY, version=version).open(sealed, bound_to=PLACE)
    relabelled = sealed[:1] + version.to_bytes(4, "big") + sealed[5:]
    with pytest.raises(VaultError):
        DataKey(KEY, version=version).open(relabelled, bound_to=PLACE)


@given(st.binary(min_size=32, max_size=32).filter(lambda other: other != KEY), contents)
def test_what_another_key_sealed_is_refused_by_its_commitment(other: bytes, content: bytes) -> None:
    sealed = DataKey(KEY, version=3).seal(content, bound_to=PLACE)
    with pytest.raises(VaultError, match="does not belong to data key"):
        DataKey(other, version=3).open(sealed, bound_to=PLACE)


def test_a_sealed_part_opens_only_in_its_own_place_and_by_its_own_key() -> None:
    private, upload = X25519PrivateKey.generate(), bytes(16)
    people = People.of([(SUBJECT, {"sex": "F"}), (bytes(16), {})])
    sealed = seal_chunk(people, private.public_key().public_bytes_raw(), upload=upload, index=0, last=False)
    key = private.private_bytes_raw()
    opened = open_chunk(sealed, key, upload=upload, index=0, last=False)
    assert opened.subjects.tobytes() == SUBJECT + bytes(16)
    assert [opened.choices[place] for place in opened.choice] == [{"sex": "F"}, {}]
    for index, last in ((1, False), (0, True)):
        with pytest.raises(VaultError):
            open_chunk(sealed, key, upload=upload, index=index, last=last)
    with pytest.raises(VaultError):
        open_chunk(sealed, key, upload=b"x" * 16, index=0, last=False)
    with pytest.raises(VaultError):
        open_chunk(sealed, X25519PrivateKey.generate().private_bytes_raw(), upload=upload, index=0, last=False)


def test_errors_and_descriptions_never_show_a_key_or_a_value() -> None:
    key = DataKey(KEY, version=1)
    with pytest.raises(VaultError) as refused:
        key.open(key.seal(b"religion: Jedi", bound_to=b""), bound_to=PLACE)
    people = People.of([(SUBJECT, {"religion": "Jedi"})])
    shown = f"{refused.value!r} {refused.value.__cause__!r} {key!r} {people!r}"
    assert "Jedi" not in shown
    assert KEY.hex() not in shown
    assert repr(KEY) not in shown
    assert refused.value.__suppress_context__
