"""The minutes of a case: one content for the page and for the PDF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.board import states
from apps.board.selectors import CaseDetail, MemberView
from apps.common.pdf import Document
from apps.dashboards.board.reading import KINDS, SAID, actor_of_case, names_of, rules_text


@dataclass(frozen=True, slots=True)
class VoteLine:
    """A member in the minutes: their part and vote, and the reason they gave."""

    name: str
    vote: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class Minutes:
    """Everything that the minutes say."""

    title: str
    decision: str
    question: str
    course: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    papers: tuple[tuple[str, str, str], ...]
    conditions: tuple[tuple[str, str, str], ...]
    votes: tuple[VoteLine, ...]
    rules: str
    digest: str
    foot: str
    at: datetime


def minutes_of(view: CaseDetail) -> Minutes:
    """The minutes of a case that has ended. Raises ValueError for one that has not."""
    row = view.row
    if row.ended_at is None:
        raise ValueError(f"case {row.id} has not ended")
    ended = next(step for step in reversed(view.steps) if step.event in (states.DECIDED, states.LAPSED))
    names = names_of(view)
    said = {each["person"]: each for each in view.tally.get("members", ())}
    return Minutes(
        title=f"Minutes of case {row.id}",
        decision=ended.text,
        question=row.question,
        course=(
            ("about", f"{KINDS.get(row.kind, row.kind)} {row.subject_id}: {row.title}"),
            ("model", row.model_name or "the whole house"),
            ("convened", f"{_moment(row.convened_at)} by {actor_of_case(view.convened_by, names)}"),
            ("vote opened", _moment(view.opened_at)),
            ("vote until", _moment(row.vote_until)),
            ("ended", _moment(row.ended_at)),
        ),
        facts=view.facts,
        papers=tuple(
            (each.title, "\n".join(filter(None, (each.text, each.link))), actor_of_case(each.added_by, names))
            for each in view.papers
        ),
        conditions=tuple((each.title, each.owner, f"{each.hours} business hours") for each in view.conditions),
        votes=tuple(_vote(each, said.get(each.actor, {})) for each in view.members),
        rules=rules_text(view.rules),
        digest=view.digest,
        foot=f"Ethics board, case {row.id}",
        at=row.ended_at,
    )


def minutes_pdf(minutes: Minutes) -> bytes:
    """The minutes as a PDF file."""
    paper = Document(minutes.title, foot=minutes.foot, at=minutes.at)
    paper.paragraph(minutes.decision, bold=True)
    paper.heading("Question")
    paper.paragraph(minutes.question)
    paper.facts(minutes.course)
    paper.heading("Members and votes")
    paper.table(
        ("member", "vote", "reason"),
        [(each.name, each.vote, each.reason or "–") for each in minutes.votes],
        widths=(3, 3, 6),
    )
    paper.heading("Conditions")
    if minutes.conditions:
        paper.table(("what", "by whom", "within"), minutes.conditions, widths=(6, 3, 2))
    else:
        paper.paragraph("None.")
    paper.heading("What the board had before it")
    paper.facts(minutes.facts)
    paper.heading("Papers")
    if minutes.papers:
        paper.table(("paper", "content", "from"), minutes.papers, widths=(3, 7, 2))
    else:
        paper.paragraph("None.")
    paper.heading("Rules")
    paper.paragraph(minutes.rules)
    if minutes.digest:
        paper.paragraph(f"The votes cover exactly this content: sha256 {minutes.digest}", muted=True)
    return paper.content()


def _vote(member: MemberView, counted: Mapping[str, str]) -> VoteLine:
    vote = SAID[member.vote.choice] if member.vote else "did not vote"
    part = {
        "conflict": f"conflict of interest: {member.conflict}",
        "left": "no longer a member when the votes were counted",
    }.get(counted.get("standing", member.standing), "")
    given = vote if not part else f"{vote}, not counted" if member.vote else ""
    return VoteLine(
        name=member.name,
        vote="; ".join(filter(None, (given, part))),
        reason=member.vote.reason if member.vote else "",
        at=_moment(member.vote.cast_at) if member.vote else "",
    )


def _moment(at: datetime | None) -> str:
    return "–" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
