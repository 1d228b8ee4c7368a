"""A proposal as its page shows it: what the past would have been, today's text beside the proposed one, who signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.accounts.permissions import may
from apps.approvals import states
from apps.approvals.selectors import ApprovalView
from apps.common import clock
from apps.dashboards.approvals import reading as approvals
from apps.dashboards.approvals.reading import ApprovalPage
from apps.dashboards.charts import Chart
from apps.dashboards.tables import Table, table
from apps.dashboards.thresholds import sentences
from apps.dashboards.thresholds.figures import FATES, backtest_figure
from apps.dashboards.thresholds.words import EFFECTS, ChangeLine, bound_words, change_lines, exact, term_name
from apps.dashboards.words import NBSP, WINDOWS, Badge, attribute_name, group_name, metric_name
from apps.thresholds import selectors as thresholds
from apps.thresholds.citations import CITATIONS
from apps.thresholds.selectors import Proposal

CAPTION = (
    "One value a day. Open circles: breaches that would be none any more; filled: breaches by both; diamonds: new ones."
)


@dataclass(frozen=True, slots=True)
class BacktestPanel:
    """The back-test. lines: the series that may be drawn, in words; chosen: which of them `chart` shows."""

    say: str
    budget: str
    chart: Chart | None
    lines: tuple[str, ...]
    chosen: int
    alerts: Table | None
    alerts_left_out: int
    statistics: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TextLine:
    """Something beside the terms, today and as proposed."""

    label: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class ProposalPage:
    """page: the request as every request is shown. waiting: why there is no back-test yet, in words."""

    page: ApprovalPage
    proposal: Proposal
    effect: Badge
    starts: str
    lines: tuple[ChangeLine, ...]
    unchanged: tuple[ChangeLine, ...]
    texts: tuple[TextLine, ...]
    limits: tuple[TextLine, ...]
    board: str
    backtest: BacktestPanel | None
    waiting: str
    failed: bool
    outdated: str
    may_edit: bool
    may_submit: bool
    may_reject: bool


def proposal_page(user: Any, view: ApprovalView, *, line: int = 0) -> ProposalPage:
    """What a proposal's page shows to this person. line: which series of the back-test is drawn."""
    proposal = thresholds.proposal_of(view.content)
    found, waiting, failed = _found(view, proposal)
    page = approvals.page_of(user, view)
    lines = change_lines(proposal.replaces.policy, proposal.draft.policy, proposal.changes, proposal.beyond_limits)
    current = not view.is_open or thresholds.is_current(proposal)
    is_draft = page.is_own and view.state == states.DRAFT
    return ProposalPage(
        page=page,
        proposal=proposal,
        effect=EFFECTS[proposal.effect],
        starts=_starts(proposal),
        lines=tuple(each for each in lines if each.effect),
        unchanged=tuple(each for each in lines if not each.effect),
        texts=tuple(_texts(proposal)),
        limits=tuple(_limits(proposal)),
        board=_board(view, proposal),
        backtest=backtest_panel(proposal, found, line) if found else None,
        waiting=waiting,
        failed=failed,
        outdated="" if current else _outdated(proposal),
        may_edit=is_draft and may(user, "threshold.propose", view.model_id),
        may_submit=is_draft and bool(found) and current,
        may_reject=page.may_reject,
    )


def backtest_panel(proposal: Proposal, found: Mapping[str, Any], line: int) -> BacktestPanel:
    """What a back-test found, drawn and in words."""
    lines = found.get("lines", ())
    chosen = line if 0 <= line < len(lines) else 0
    alerts = found.get("alerts", ())
    return BacktestPanel(
        say=sentences.alerts_sentence(found),
        budget=sentences.budget_sentence(found),
        chart=_chart(proposal, lines[chosen]) if lines else None,
        lines=tuple(_named(each) for each in lines),
        chosen=chosen,
        alerts=_alerts(alerts) if alerts else None,
        alerts_left_out=found.get("alerts_left_out", 0),
        statistics=tuple(_statistics(found)),
    )


def signed_facts(view: ApprovalView) -> list[tuple[str, str]]:
    """What exactly is signed, for the page where it is signed: every change, and what the back-test found."""
    proposal = thresholds.proposal_of(view.content)
    lines = change_lines(proposal.replaces.policy, proposal.draft.policy, proposal.changes)
    changed = [(each.label, f"{each.after}, today {each.before} ({each.effect.text})") for each in lines if each.effect]
    texts = [*_texts(proposal), *_limits(proposal)]
    found = proposal.backtest or {}
    return [
        *changed,
        *((each.label, f"{each.after}, today {each.before}" if each.changed else each.after) for each in texts),
        ("back-test", sentences.alerts_sentence(found) if found else "none"),
        ("false alarms", sentences.budget_sentence(found) or "–"),
    ]


def review_facts(view: ApprovalView) -> list[tuple[str, str]]:
    """What a review says: the version that stays, on what grounds, and until when."""
    kept = thresholds.kept_of(view.content)
    bounds = kept.version.policy.bounds
    return [
        ("version that stays", f"version {kept.version.version}"),
        *((metric_name(metric), bound_words(bound)) for metric, bound in bounds.items()),
        ("assessment", kept.assessment_reference),
        ("next review due", kept.next_due.isoformat()),
        *((str(name).replace("_", " "), str(value)) for name, value in kept.evidence.items()),
    ]


def _found(view: ApprovalView, proposal: Proposal) -> tuple[Mapping[str, Any] | None, str, bool]:
    """What was found, else why there is nothing yet and whether it failed."""
    if proposal.backtest is not None:
        return proposal.backtest, "", False
    state = thresholds.backtest_state(view.id, proposal.text_digest)
    if state is None:
        return None, "There is no back-test of this text. Change it, and one is computed.", False
    if state.state == "done":
        return state.result, "", False
    if state.state == "failed":
        return None, f"The back-test failed. {state.note}", True
    going = state.note or "This takes less than a minute once it has begun."
    return None, f"The last 90 days are being run again with the proposed bounds. {going}", False


def _chart(proposal: Proposal, line: Mapping[str, Any]) -> Chart:
    metric = line["metric"]
    title = _named(line)
    today, proposed = (policy.bound(metric) for policy in (proposal.replaces.policy, proposal.draft.policy))
    fates = {fate: words for fate, (words, _, _) in FATES.items()}
    rows = [(moment[:10], value, fates.get(fate, "no breach")) for moment, value, fate in line["days"]]
    return Chart(
        key="backtest",
        title=title,
        caption=CAPTION,
        figure=backtest_figure(line["days"], today, proposed, name=metric_name(metric)),
        table=table("backtest", title, ("day", metric_name(metric), "what becomes of it"), rows),
    )


def _named(line: Mapping[str, Any]) -> str:
    whom = " ".join([attribute_name(line["attribute"]), *([group_name(line["group"])] if line["group"] else [])])
    window = WINDOWS.get(line["window"], line["window"])
    return f"{metric_name(line['metric']).capitalize()}, {whom}, {window}"


def _alerts(alerts: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (
            _named(each),
            each["fate"],
            (each["today"] or "")[:16].replace("T", " "),
            (each["proposed"] or "")[:16].replace("T", " "),
            each["value"],
            each["severity_today"],
            each["severity_proposed"],
        )
        for each in alerts
    ]
    columns = ("alert", "what becomes of it", "today", "as proposed", "value", "severity today", "severity as proposed")
    return table("alerts", "Alerts of the last 90 days, UTC", columns, rows)


def _statistics(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    told = [
        ("evaluations run again", f"{found.get('evaluations', 0):,}, {found.get('judged', 0):,} judged values"),
        ("hidden, and judged by neither", f"{found.get('hidden', 0):,} values of small groups"),
        ("repeated as stored", f"{found.get('repeated', 0):,} of {found.get('checked', 0):,} stored verdicts"),
    ]
    budget = found.get("budget")
    if not budget:
        return told
    for name, words in (("today", "false alarms a year, today"), ("proposed", "false alarms a year, as proposed")):
        each = budget[name]
        if each["per_year"] is not None:
            told.append((words, f"{each['per_year']:.2f} ({each['low']:.2f} to {each['high']:.2f}, 95{NBSP}%)"))
    if budget["looked_for"]:
        told.append(("delay", f"median of {budget['delay_streams']} simulated changes"))
    population = budget["population"]
    told.append(
        (
            "simulated",
            f"{budget['streams']} years of {population['groups']} equal groups under parity, "
            f"{population['events_per_day']:,.0f} decisions a day, selection rate {population['selection_rate']:.3f}",
        )
    )
    if budget["not_simulated"]:
        told.append(("not simulated", ", ".join(map(metric_name, budget["not_simulated"]))))
    return told


def _texts(proposal: Proposal) -> list[TextLine]:
    base, draft = proposal.replaces, proposal.draft
    named = [", ".join(CITATIONS[key].name for key in keys if key in CITATIONS) or "none" for keys in
             (base.legal_basis, draft.legal_basis)]  # fmt: skip
    return [
        TextLine("assessment", base.assessment_reference, draft.assessment_reference),
        TextLine("legal basis", named[0], named[1]),
        TextLine("review due", _day(base.review_due), _day(draft.review_due)),
    ]


def _limits(proposal: Proposal) -> list[TextLine]:
    """How far compliance alone may go, where it changes."""
    old, new = proposal.base.limits, proposal.draft.limits
    return [
        TextLine(
            f"limit of compliance: {term_name(term)}",
            exact(old[term]) if term in old else "the board signs",
            exact(new[term]) if term in new else "the board signs",
        )
        for term in dict.fromkeys((*old, *new))
        if old.get(term) != new.get(term)
    ]


def _board(view: ApprovalView, proposal: Proposal) -> str:
    """Why the ethics board is not among the signatures."""
    if any(need.verb == "threshold.relax" for need in view.needs):
        return ""
    if proposal.effect != "relaxation":
        return "not needed: nothing is relaxed"
    relaxed = [each.term for each in proposal.changes if each.effect == "relaxation"]
    room = [f"{exact(proposal.base.limits[term])}" for term in relaxed if term in proposal.base.limits]
    return f"not needed: within the limit of {', '.join(room)}" if room else "not needed"


def _starts(proposal: Proposal) -> str:
    start = proposal.draft.effective_from
    if start is None:
        return "becomes effective on signature"
    return f"becomes effective {start.day} {start:%b %Y %H:%M} UTC, or on signature if that is later"


def _outdated(proposal: Proposal) -> str:
    newest = thresholds.newest_version(proposal.base.model_id)
    return (
        f"Version {newest.version} was published after this was written for version {proposal.base.version}. "
        "It cannot be signed any more. Its requester takes it back and writes another one."
    )


def _day(day: Any) -> str:
    return f"{day.day} {day:%b %Y}"


def default_review() -> Any:
    """A year from now, the latest that is allowed."""
    return clock.now().date() + thresholds.REVIEWED_EVERY
