"""The life of a case, in one table.

Papers, the question and the conditions change until voting opens, and what is voted on stays as it is from then on. A
case lapses when what it is about has changed or ended before the board has decided.
"""

from __future__ import annotations

ABSENT = ""
CONVENED, VOTING, DECIDED, LAPSED = "convened", "voting", "decided", "lapsed"

STEPS: dict[tuple[str, str], str] = {
    (ABSENT, "convened"): CONVENED,
    (CONVENED, "voting_opened"): VOTING,
    (VOTING, "decided"): DECIDED,
    (CONVENED, "lapsed"): LAPSED,
    (VOTING, "lapsed"): LAPSED,
}

OPEN = (CONVENED, VOTING)
ALL = (*OPEN, DECIDED, LAPSED)

TITLES = {CONVENED: "papers are gathered", VOTING: "voting is open", DECIDED: "decided", LAPSED: "lapsed"}

CARRIED, FAILED = "carried", "failed"
FOR, AGAINST, ABSTAIN = "for", "against", "abstain"
CHOICES = (FOR, AGAINST, ABSTAIN)
