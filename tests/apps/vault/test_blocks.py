"""Blocks of people: what goes in comes out, the newest wins, and nothing is where it does not belong."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.vault import blocks
from apps.vault.blocks import HIGHEST, LOWEST, Block
from apps.vault.columns import People, first_repeated, how_many, in_order
from apps.vault.crypto import DataKey, VaultError

KEY = DataKey(bytes(range(32)), version=7)
attributes = st.dictionaries(st.text(min_size=1, max_size=12), st.text(max_size=40), max_size=4)
# Many share half a pseudonym, which real ones never do.
subjects = st.builds(lambda a, b: bytes([a]) * 8 + bytes([b]) * 8, st.integers(0, 9), st.integers(0, 9))
crowds = st.dictionaries(subjects, attributes, max_size=30)
Crowd = Mapping[bytes, Mapping[str, str]]


def people(crowd: Crowd) -> People:
    return People.of(sorted(crowd.items()))


def block(crowd: Crowd, *, received: int = 1, schema: int = 1) -> Block:
    return blocks.merged(blocks.empty(), people(crowd), received=received, schema=schema, changeable=None)[0]


def content(of: Block) -> dict[bytes, dict[str, str]]:
    choices = of.attributes()
    return {each.tobytes(): choices[place] for each, place in zip(of.subjects, of.choice, strict=True)}


@given(crowds)
def test_a_block_holds_what_was_put_in_and_comes_back_the_same(crowd: Crowd) -> None:
    made = block(crowd, received=-5, schema=3)
    again = blocks.opened(blocks.sealed(made, KEY), KEY, first=LOWEST, last=HIGHEST)
    assert content(again) == crowd
    assert again.received.tolist() == [-5] * len(crowd)
    assert again.schema.tolist() == [3] * len(crowd)
    assert len(blocks.sealed(made, KEY)) % blocks.PADDED_TO == 33 + 16


@given(crowds.filter(bool), st.data())
def test_a_block_that_is_changed_or_moved_does_not_open(crowd: Crowd, data: st.DataObject) -> None:
    body = bytearray(blocks.sealed(block(crowd), KEY))
    for first, last in ((LOWEST, HIGHEST[:-1] + b"\0"), (LOWEST[:-1] + b"\1", HIGHEST)):
        with pytest.raises(VaultError):
            blocks.opened(bytes(body), KEY, first=first, last=last)
    bit = data.draw(st.integers(0, 8 * len(body) - 1))
    body[bit // 8] ^= 1 << bit % 8
    with pytest.raises(VaultError):
        blocks.opened(bytes(body), KEY, first=LOWEST, last=HIGHEST)


@given(crowds, crowds, st.integers(0, 2))
def test_the_newest_attributes_win_and_equally_new_ones_replace(first: Crowd, then: Crowd, received: int) -> None:
    merged, stored, replaced = blocks.merged(
        block(first, received=1), people(then), received=received, schema=2, changeable=None
    )
    late = {subject: each for subject, each in then.items() if received >= 1 or subject not in first}
    assert content(merged) == {**first, **late}
    assert (stored, replaced) == (len(late), len(late.keys() & first.keys()))
    assert [each.tobytes() for each in merged.subjects] == sorted({**first, **late})


@given(crowds, crowds)
def test_who_may_change_only_some_attributes_leaves_the_others(first: Crowd, then: Crowd) -> None:
    ours = {name for each in then.values() for name in each} | {"a", "b"}
    merged, _, _ = blocks.merged(block(first), people(then), received=1, schema=1, changeable=ours)
    for subject, each in content(merged).items():
        before, sent = first.get(subject, {}), then.get(subject)
        kept = {name: level for name, level in before.items() if name not in ours}
        assert each == (before if sent is None else {**kept, **sent})


@given(crowds, st.lists(subjects, unique=True, max_size=10), st.integers(0, 2))
def test_who_is_erased_is_gone_unless_received_later(crowd: Crowd, gone: list[bytes], until: int) -> None:
    asked = np.frombuffer(b"".join(gone), np.uint8).reshape(-1, 16)
    rest = blocks.without(block(crowd, received=1), asked, np.full(len(gone), until, np.int64))
    assert content(rest) == {each: held for each, held in crowd.items() if each not in gone or until < 1}
    levels = {level for held in content(rest).values() for level in held.values()}
    assert {level for choice in rest.attributes() for level in choice.values()} == levels, "no level is left behind"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 9_000), st.integers(1, 300), st.integers(0, 5))
def test_a_large_block_is_divided_into_ranges_without_gaps(n: int, halves: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    crowd = {rng.bytes(8) if k % halves else b"\7" * 8: k for k in range(n)}
    everybody = {high + rng.bytes(8): {"level": str(k % 5)} for high, k in crowd.items()}
    whole = block(everybody)
    parts = list(blocks.divided(whole))
    assert {subject: held for part in parts for subject, held in content(part).items()} == everybody
    assert parts[0].first == LOWEST
    assert parts[-1].last == HIGHEST
    for before, after in pairwise(parts):
        assert int.from_bytes(before.last) + 1 == int.from_bytes(after.first)
        assert after.first[8:] == bytes(8)
    for part in parts:
        assert all(part.first <= each.tobytes() <= part.last for each in part.subjects)
        assert len(parts) == 1 or 512 <= len(part) <= blocks.MOST


@given(st.lists(subjects, max_size=40))
def test_people_are_put_in_order_and_who_comes_twice_is_found(asked: list[bytes]) -> None:
    rows = np.frombuffer(b"".join(asked), np.uint8).reshape(-1, 16)
    assert [asked[place] for place in in_order(rows)] == sorted(asked)
    again = next((row for row, each in enumerate(asked) if each in asked[:row]), None)
    expected = None if again is None else (again, asked.index(asked[again]))
    assert first_repeated(rows) == expected


def test_people_are_counted_once_each() -> None:
    assert how_many(np.array([], np.uint64)) == 0
    assert how_many(np.array([3, 1, 3, 2**64 - 1], np.uint64)) == 3
