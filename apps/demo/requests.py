"""What the people of the demo have asked for: changes of thresholds, a look into the vault, and a vote of the board.

Told once the workers run, since a proposal needs its back-test: a tighter bound and a relaxation come into force, a
relaxation is rejected, and another and a request for access wait for compliance. Whoever asks does not sign. The board
has a vote before it, on what the ladder has escalated about the estimates of income. What an interrupted start has
asked for already is not asked again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final, TypeVar

from apps.accounts.models import User
from apps.accounts.selectors import person
from apps.approvals import selectors as approvals_read
from apps.approvals import services as approvals
from apps.approvals.selectors import ApprovalView
from apps.approvals.states import DRAFT, SUBMITTED
from apps.board import selectors as board_read
from apps.board import services as board
from apps.common import clock
from apps.common.errors import Refused
from apps.demo.errors import StuckError
from apps.incidents import selectors as incidents
from apps.registry import selectors as registry
from apps.thresholds import selectors as thresholds_read
from apps.thresholds import services as thresholds
from apps.thresholds.selectors import Draft
from apps.vault import services as vault
from biasgov.fairness.policy import Bound, Policy

Found = TypeVar("Found")
PATIENCE: Final = 300.0
"""Seconds that a back-test, or the board's convening, may take."""
LOOK_EVERY: Final = 1.0
CLAIMS, INCOME, RECIDIVISM = "claims-triage", "income", "recidivism"


def ask(watch: Callable[[], object]) -> None:
    """Ask for everything, calling `watch` about once a second while a worker has something to do.

    Raises StuckError where it takes longer than `PATIENCE`, and Refused where somebody is refused what they ask for.
    """
    _thresholds(watch)
    _access()
    _vote(watch)


def _thresholds(watch: Callable[[], object]) -> None:
    omar, ines, carla = person("omar"), person("ines"), person("carla")
    tighter = _proposed(
        CLAIMS, ines, "equalized_odds_difference", Bound(None, 0.04), watch,
        title="Watch claims more closely",
        reason="The pilot's assessment measured differences well below the bound of today.",
    )  # fmt: skip
    wider = _proposed(
        RECIDIVISM, omar, "equalized_odds_difference", Bound(None, 0.07), watch,
        title="A bound that a month of screenings can be held against",
        reason="A month has some three hundred screenings; about the bound of today it can say nothing either way.",
    )  # fmt: skip
    for agreed in (tighter, wider):
        if agreed.state == SUBMITTED:
            approvals.approval_sign(approval_id=agreed.id, person=carla, digest=agreed.digest, confirmed_at=clock.now())
    fewer = _proposed(
        INCOME, omar, "demographic_parity_ratio", Bound(0.76, 1.32), watch,
        title="Fewer alerts about estimates of income",
        reason="The alerts repeat what is known.",
    )  # fmt: skip
    if fewer.state == SUBMITTED:
        approvals.approval_reject(
            approval_id=fewer.id,
            person=carla,
            reason="A known difference is a reason to mend the model, not the bound. Come back with a plan for that.",
        )
    _proposed(
        CLAIMS, omar, "equalized_odds_difference", Bound(None, 0.06), watch,
        title="Back to a wider bound for small claims",
        reason="Small claims vary more from week to week; the assessment of this quarter shows by how much.",
    )  # fmt: skip


def _access() -> None:
    if approvals_read.approvals(subject="vault", limit=1):
        return
    vault.access_request(
        person=person("dana"),
        subjects=[f"{CLAIMS}-1207"],
        legal_basis="gdpr-15",
        purpose="A claimant asks which attributes we hold about them. They have shown who they are; the answer is due "
        "within a month.",
        hours=24,
    )


def _vote(watch: Callable[[], object]) -> None:
    """Compliance opens the board's vote on the first incident of income, where there is one."""
    found = incidents.incidents(model_id=registry.model_spec(INCOME).id)
    if not found:
        return
    about = found[-1].id
    case = _wait(lambda: board_read.cases_about("incident", about), watch, "the board's case")[0]
    if case.state == "convened":
        board.voting_open(case_id=case.id, person=person("carla"))


def _proposed(
    slug: str, by: User, metric: str, bound: Bound, watch: Callable[[], object], *, title: str, reason: str
) -> ApprovalView:
    """A proposal of another bound, with its back-test, submitted; the one that was made before where there is one."""
    spec = registry.model_spec(slug)
    made = approvals_read.approvals(kind=thresholds_read.CHANGE, model_id=spec.id)
    view = next((each for each in made if each.title == title), None)
    if view is None:
        draft = _draft(slug, spec.id, metric, bound)
        view = thresholds.proposal_draft(model_id=spec.id, draft=draft, reason=reason, title=title, person=by)
    elif view.state != DRAFT:
        return view
    approval_id = view.id

    def submit() -> ApprovalView | None:
        try:
            return thresholds.proposal_submit(approval_id=approval_id, person=by)
        except Refused as refused:
            if refused.code != "backtest_missing":
                raise
            return None

    return _wait(submit, watch, f"the back-test of “{title}”")


def _draft(slug: str, model_id: int, metric: str, bound: Bound) -> Draft:
    """The newest version of a model's policy, with one bound in another place."""
    base = thresholds_read.newest_version(model_id)
    policy: Policy = replace(base.policy, bounds={**base.policy.bounds, metric: bound})
    return Draft(
        policy=policy,
        limits=base.limits,
        assessment_reference=f"RA-{clock.now():%Y}-{base.version:03}-{slug}",
        legal_basis=base.legal_basis,
        effective_from=None,
        review_due=(clock.now() + timedelta(days=180)).date(),
    )


def _wait(look: Callable[[], Found | None], watch: Callable[[], object], what: str) -> Found:
    """What `look` finds once it finds something; the workers do their part meanwhile. Raises StuckError."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if found := look():
            return found
        watch()
        time.sleep(LOOK_EVERY)
    raise StuckError(f"{what[:1].upper()}{what[1:]} was not there after {PATIENCE:.0f} seconds.")
