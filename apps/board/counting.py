"""Counting votes: who counts, whether the quorum is there, and what the votes say. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from apps.board.rules import CHAIR, Rules
from apps.board.states import ABSTAIN, AGAINST, CARRIED, FAILED, FOR


@dataclass(frozen=True, slots=True)
class Count:
    """eligible: members who hold the role and have no conflict. needed: how many of them make the quorum. tie: which
    rule broke a tie, "" if there was none.
    """

    eligible: int
    needed: int
    votes_for: int
    votes_against: int
    abstentions: int
    outcome: str
    tie: str

    @property
    def voted(self) -> int:
        return self.votes_for + self.votes_against + self.abstentions

    @property
    def quorate(self) -> bool:
        return self.voted >= self.needed

    @property
    def complete(self) -> bool:
        """Everybody who may has voted."""
        return self.voted >= self.eligible


def count(rules: Rules, eligible: Collection[int], votes: Mapping[int, str], chair: int | None) -> Count:
    """Count `votes` (person: choice) of those who are `eligible`; the others' do not count.

    Carried with more votes for than against: abstentions make the quorum and no majority.
    """
    given = [votes[person] for person in eligible if person in votes]
    in_favour, against = given.count(FOR), given.count(AGAINST)
    tie = rules.tie if in_favour == against else ""
    chairs = votes.get(chair) if chair in eligible and chair is not None else None
    carried = in_favour > against or (tie == CHAIR and chairs == FOR)
    return Count(
        eligible=len(eligible),
        needed=rules.needed(len(eligible)),
        votes_for=in_favour,
        votes_against=against,
        abstentions=given.count(ABSTAIN),
        outcome=CARRIED if carried else FAILED,
        tie=tie,
    )
