"""What the people of the demo do about what the pipeline found: told once, by calling the services in their names.

Security triage: the update of a library was seen, the restriction is confirmed, the incident investigated, the board
votes, and the officer asks for the restriction to be lifted. Thresholds: one change comes into force, one is rejected,
and a relaxation waits for compliance. Each person does what their role allows; whoever asks does not sign.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Final, TypeVar

from apps.accounts.models import User
from apps.accounts.selectors import person
from apps.approvals import services as approvals
from apps.approvals.selectors import ApprovalView
from apps.board import selectors as board_read
from apps.board import services as board
from apps.common import clock
from apps.common.errors import Refused
from apps.demo.errors import StuckError
from apps.incidents import selectors as incidents_read
from apps.incidents import services as incidents
from apps.registry import selectors as registry
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses_read
from apps.responses import services as responses
from apps.thresholds import selectors as thresholds_read
from apps.thresholds import services as thresholds
from apps.thresholds.selectors import Draft
from biasgov.fairness.policy import Bound, Policy

Found = TypeVar("Found")
PATIENCE: Final = 300.0
"""Seconds that a back-test or the board's convening may take."""
LOOK_EVERY: Final = 1.0
TRIAGE, CLAIMS, INCOME = "security-triage", "claims-triage", "income"


def tell(watch: Callable[[], object]) -> None:
    """Tell the whole story, calling `watch` about once a second while the workers have something to do.

    Raises StuckError where they take longer than `PATIENCE`, and Refused where somebody is refused what the story has
    them do.
    """
    triage(registry.model_spec(TRIAGE), watch)
    policies(watch)


def triage(spec: ModelSpec, watch: Callable[[], object]) -> None:
    """From the restriction to the board's decision, and the request to lift what is in force."""
    ines, omar, carla = person("ines"), person("omar"), person("carla")
    proposed = responses_read.restriction_of(spec.id)
    if proposed is not None and not proposed.in_force:
        responses.restriction_confirm(
            restriction_id=proposed.id,
            person=ines,
            note="Reports are read by analysts in the order of arrival until the update is rolled back.",
        )
    opened = incidents_read.incidents(model_id=spec.id)
    if not opened:
        return
    incident = opened[-1]
    _investigate(incident.id, ines=ines, omar=omar)
    _decide(incident.id, carla=carla, ines=ines, omar=omar, watch=watch)
    if responses_read.restriction_of(spec.id) is not None:
        responses.lift_request(
            model_id=spec.id,
            person=ines,
            reason="The rollback to scikit-learn 1.4.2 is prepared and was tested on the reports of March.",
        )


def _investigate(incident_id: int, *, ines: User, omar: User) -> None:
    """The officer leads, names the cause, and gives the owner something to do."""
    incidents.incident_move(incident_id=incident_id, person=ines, event="investigation_started")
    row = incidents_read.incident(incident_id)
    if row is None:
        raise LookupError(incident_id)
    incidents.incident_change(
        incident_id=incident_id,
        person=ines,
        seen=row.revision,
        title=row.title,
        summary=row.summary,
        severity=row.severity,
        lead=ines,
        causes=["library_change", "sampling"],
        explanation="The classifier was rebuilt on scikit-learn 1.5.0, on whose defaults it had relied. Critical "
        "reports from the region with the fewest training examples fell below the cut-off first.",
    )
    incidents.action_add(
        incident_id=incident_id,
        person=ines,
        title="Roll back to scikit-learn 1.4.2 and pin the version in the build",
        owner=omar,
        due_at=clock.now() + timedelta(days=3),
    )
    incidents.cost_book(
        incident_id=incident_id,
        person=ines,
        kind="hours",
        description="Analysts read every report again",
        quantity=Decimal(46),
        unit_amount=Decimal("68.00"),
        currency="EUR",
        incurred_on=clock.now().date(),
    )


def _decide(incident_id: int, *, carla: User, ines: User, omar: User, watch: Callable[[], object]) -> None:
    """The board reads, sets a condition, and votes."""
    cases = _wait(lambda: board_read.cases_about("incident", incident_id), watch, "the board to be convened")
    case_id = cases[0].id
    board.paper_add(
        case_id=case_id,
        person=ines,
        title="What happened after the update",
        text="In the week after the update the share of critical reports that were rated low rose in every region, and "
        "most in APAC. The runs that show it are frozen in the incident's evidence.",
    )
    board.condition_add(
        case_id=case_id,
        person=carla,
        title="Show the board a gate report of the next build, by region, before it decides again",
        owner=omar,
        hours=40,
    )
    board.voting_open(case_id=case_id, person=carla)
    votes: Mapping[str, tuple[str, str]] = {
        "bela": ("for", "The restriction has to stay until a build has passed the gate for every region."),
        "noor": ("for", "Reports that are missed in one region harm everybody who relies on them."),
        "emil": ("abstain", "I would have liked to hear the analysts of the region first."),
    }
    for name, (choice, reason) in votes.items():
        case = board_read.case(case_id)
        if case is None or case.row.state != "voting":
            return
        board.vote_cast(
            case_id=case_id,
            person=person(name),
            choice=choice,
            reason=reason,
            digest=case.digest,
            confirmed_at=clock.now(),
        )


def policies(watch: Callable[[], object]) -> None:
    """Three changes of thresholds: one in force, one rejected, one that waits for compliance."""
    omar, ines, carla = person("omar"), person("ines"), person("carla")
    tighter = _proposed(
        CLAIMS, ines, _bounded(CLAIMS, "equalized_odds_difference", Bound(None, 0.04)), watch,
        title="Watch claims more closely",
        reason="The pilot's assessment measured differences well below the bound of today.",
    )  # fmt: skip
    approvals.approval_sign(approval_id=tighter.id, person=carla, digest=tighter.digest, confirmed_at=clock.now())
    refused = _proposed(
        INCOME, omar, _bounded(INCOME, "demographic_parity_ratio", Bound(0.76, 1.32)), watch,
        title="Fewer alerts about estimates of income",
        reason="The alerts repeat what is known.",
    )  # fmt: skip
    approvals.approval_reject(
        approval_id=refused.id,
        person=carla,
        reason="A known difference is a reason to mend the model, not the bound. Come back with a remediation plan.",
    )
    _proposed(
        CLAIMS, omar, _bounded(CLAIMS, "equalized_odds_difference", Bound(None, 0.06)), watch,
        title="Back to a wider bound for small claims",
        reason="Small claims vary more from week to week; the assessment of this quarter shows by how much.",
    )  # fmt: skip


def _bounded(slug: str, metric: str, bound: Bound) -> Policy:
    """The newest policy of a model, with one bound in another place."""
    newest = thresholds_read.newest_version(registry.model_spec(slug).id).policy
    return replace(newest, bounds={**newest.bounds, metric: bound})


def _proposed(
    slug: str, by: User, policy: Policy, watch: Callable[[], object], *, title: str, reason: str
) -> ApprovalView:
    """A proposal with its back-test, submitted."""
    spec = registry.model_spec(slug)
    base = thresholds_read.newest_version(spec.id)
    draft = Draft(
        policy=policy,
        limits=base.limits,
        assessment_reference=f"RA-{clock.now():%Y}-{base.version:03}-{slug}",
        legal_basis=base.legal_basis,
        effective_from=None,
        review_due=(clock.now() + timedelta(days=180)).date(),
    )
    view = thresholds.proposal_draft(model_id=spec.id, draft=draft, reason=reason, title=title, person=by)

    def submit() -> ApprovalView | None:
        try:
            return thresholds.proposal_submit(approval_id=view.id, person=by)
        except Refused as refused:
            if refused.code != "backtest_missing":
                raise
            return None

    return _wait(submit, watch, f"the back-test of “{title}”")


def _wait(look: Callable[[], Found | None], watch: Callable[[], object], what: str) -> Found:
    """What `look` finds once it finds something; the workers do their part meanwhile. Raises StuckError."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if found := look():
            return found
        watch()
        time.sleep(LOOK_EVERY)
    raise StuckError(f"The story waited {PATIENCE:.0f} seconds for {what}.")
