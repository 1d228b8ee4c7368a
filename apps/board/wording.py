"""A decision in one sentence, the same on the page, in the minutes and in the message."""

from __future__ import annotations

from apps.board.counting import Count
from apps.board.rules import CHAIR
from apps.board.states import CARRIED


def decision_sentence(counted: Count) -> str:
    """`The board says yes: 2 for, 1 against, nobody abstained. 3 of 4 members voted, the quorum was 2.`"""
    said = "yes" if counted.outcome == CARRIED else "no"
    abstained = f"{counted.abstentions or 'nobody'} abstained"
    tie = ""
    if counted.tie:
        how = "the chair's vote broke it" if counted.tie == CHAIR else "a tie fails"
        tie = f" The votes were tied: {how}."
    return (
        f"The board says {said}: {counted.votes_for} for, {counted.votes_against} against, {abstained}.{tie}"
        f" {counted.voted} of {people(counted.eligible)} who may vote did; the quorum was {counted.needed}."
    )


def standing_sentence(counted: Count) -> str:
    """How a vote stands that is not over, without what was voted: `1 of 3 members has voted; 1 more for the quorum.`"""
    has = "has" if counted.voted == 1 else "have"
    said = f"{counted.voted} of {people(counted.eligible)} who may vote {has} voted"
    if counted.eligible < counted.needed:
        return f"{said}. The quorum is {counted.needed}, and there are too few members without a conflict to reach it."
    if counted.quorate:
        return f"{said}; the quorum of {counted.needed} is there."
    return f"{said}; the quorum is {counted.needed}, {counted.needed - counted.voted} more must vote."


def people(number: int) -> str:
    return f"{number} member{'s' if number != 1 else ''}"
