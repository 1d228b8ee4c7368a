"""Counting, checked against every way in which small boards can vote."""

from __future__ import annotations

from itertools import product

import pytest

from apps.board.counting import count
from apps.board.rules import Rules
from apps.common.errors import Refused

CHOICES = ("for", "against", "abstain", "")


def test_every_vote_of_a_board_of_four_comes_out_as_people_would_count_it() -> None:
    for tie, chair in (("fails", ""), ("chair", "a")):
        rules = Rules(tie=tie, chair=chair)
        for given in product(CHOICES, repeat=4):
            votes = {person: choice for person, choice in enumerate(given, 1) if choice}
            counted = count(rules, [1, 2, 3, 4], votes, 1 if chair else None)
            yes, no = given.count("for"), given.count("against")
            expected = yes > no or (yes == no and tie == "chair" and given[0] == "for")
            assert (counted.outcome == "carried") == expected, given
            assert counted.quorate == (4 - given.count("") >= 2), given
            assert counted.complete == ("" not in given), given


def test_who_may_not_vote_counts_neither_for_the_quorum_nor_for_the_majority() -> None:
    votes = {1: "for", 2: "against", 3: "against"}
    counted = count(Rules(), [1, 4, 5], votes, None)
    assert (counted.votes_for, counted.votes_against, counted.needed, counted.quorate) == (1, 0, 2, False)


@pytest.mark.parametrize(("eligible", "share", "needed"), [(1, 50, 2), (3, 50, 2), (5, 50, 3), (4, 50, 2), (3, 67, 3)])
def test_a_quorum_is_a_share_rounded_up_and_never_one_person(eligible: int, share: int, needed: int) -> None:
    assert Rules(quorum_share=share).needed(eligible) == needed


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("quorum_least", {"quorum_least": 1}),
        ("quorum_share", {"quorum_share": 101}),
        ("quorum_share", {"quorum_share": True}),
        ("quorum_share", {"quorum_share": "50"}),
        ("tie", {"tie": "coin"}),
        ("chair", {"tie": "chair"}),
        ("chair", {"chair": "bea"}),
        ("time_zone", {"time_zone": "Mars/Olympus"}),
        ("calendar", {"calendar": "XX"}),
        ("calendar", {"calendar": 3}),
        ("opens", {"opens": 17}),
        ("majority", {"majority": 2}),
    ],
)
def test_rules_that_do_not_fit_are_refused_by_name(field: str, changes: dict[str, object]) -> None:
    with pytest.raises(Refused) as refused:
        Rules.of(changes)
    assert refused.value.field == f"content.{field}"
