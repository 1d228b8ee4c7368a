"""Asking for the next version of a policy: what a request says, whose signatures it needs, what the last one does.

A request is written for the version before it. If another one is published meanwhile, it cannot be signed any more:
its text would silently undo what the other one brought.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction

from apps.approvals import services as approvals
from apps.approvals.kinds import Kind, Need
from apps.approvals.selectors import ApprovalView
from apps.approvals.selectors import approval as approval_view
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.selectors import model_spec_by_id
from apps.thresholds import backtests, publishing
from apps.thresholds.limits import checked_limits
from apps.thresholds.versions import NoPolicy, PolicyInForce, newest_version, policy_in_force, policy_version
from biasgov.fairness.policy import Policy
from biasgov.fairness.policy_changes import (
    RELAXATION,
    UNCHANGED,
    TermChange,
    beyond,
    compare,
    effect_of,
    loosened,
)

if TYPE_CHECKING:
    from apps.accounts.models import User

NAME = "threshold_change"
PROPOSE, SIGN, RELAX, VIEW = "threshold.propose", "threshold.sign", "threshold.relax", "threshold.view"
LATEST_START = timedelta(days=366)
LONGEST_REVIEW = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person asks for. effective_from: None for the moment of the last signature."""

    policy: Policy
    limits: Mapping[str, float]
    assessment_reference: str
    legal_basis: Sequence[str]
    effective_from: datetime | None
    review_due: date


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a request says, beside its reason.

    base: the newest version when it was written, which it follows. replaces: the version in force when it starts, which
    is another one while a planned version waits. backtest: what it would have done (`apps.pipeline.backtest`).
    """

    base: PolicyInForce
    replaces: PolicyInForce
    draft: Draft
    backtest: Mapping[str, Any] | None

    @property
    def changes(self) -> tuple[TermChange, ...]:
        """Every term, against what it replaces and against a planned version that it would keep from starting."""
        return compare(self.compared_with, self.draft.policy)

    @property
    def compared_with(self) -> list[Policy]:
        planned = [] if self.base.id == self.replaces.id else [self.base.policy]
        return [self.replaces.policy, *planned]

    @property
    def effect(self) -> str:
        return effect_of(self.changes)

    @property
    def beyond_limits(self) -> tuple[TermChange, ...]:
        """The relaxations that compliance alone may not sign, by the limits of the version before."""
        return beyond(self.changes, self.base.limits)

    @property
    def more_room(self) -> tuple[str, ...]:
        """Terms for which it would let compliance go further than before."""
        return loosened(self.base.limits, self.draft.limits)

    @property
    def text_digest(self) -> str:
        """Of the policies that are compared: a back-test belongs to exactly one."""
        return publishing.digest_of({"policies": [each.to_dict() for each in (*self.compared_with, self.draft.policy)]})

    def content(self) -> dict[str, Any]:
        """JSON-able; inverse of `proposal_of`."""
        start = self.draft.effective_from
        return {
            "base": {"id": self.base.id, "version": self.base.version, "digest": self.base.digest},
            "replaces": {"id": self.replaces.id, "version": self.replaces.version, "digest": self.replaces.digest},
            "policy": self.draft.policy.to_dict(),
            "limits": dict(self.draft.limits),
            "assessment": self.draft.assessment_reference,
            "legal_basis": list(self.draft.legal_basis),
            "effective_from": None if start is None else start.astimezone(UTC).isoformat(),
            "review_due": self.draft.review_due.isoformat(),
            "backtest": self.backtest,
        }


def proposal_of(content: Mapping[str, Any]) -> Proposal:
    """The proposal that a request's content is. Raises ValueError or KeyError for anything else."""
    start = content["effective_from"]
    return Proposal(
        base=policy_version(content["base"]["id"]),
        replaces=policy_version(content["replaces"]["id"]),
        draft=Draft(
            policy=Policy.from_dict(content["policy"]),
            limits=content["limits"],
            assessment_reference=content["assessment"],
            legal_basis=tuple(content["legal_basis"]),
            effective_from=None if start is None else datetime.fromisoformat(start),
            review_due=date.fromisoformat(content["review_due"]),
        ),
        backtest=content["backtest"],
    )


def is_current(proposal: Proposal) -> bool:
    """Whether nothing has been published since it was written: only then can it still be signed."""
    return newest_version(proposal.base.model_id).id == proposal.base.id


@transaction.atomic
def proposal_draft(*, model_id: int, draft: Draft, reason: str, title: str, person: User) -> ApprovalView:
    """Write a proposal down, on the newest version, and have it run over the past.

    Raises
    ------
    Http404, PermissionDenied
        The person may not propose thresholds for this model.
    Refused
        Naming the field, or ``nothing_changes``.
    """
    view = approvals.approval_draft(
        kind=NAME,
        model_id=model_id,
        subject=f"model:{model_spec_by_id(model_id).slug}",
        title=title,
        content=_placed(model_id, draft).content(),
        reason=reason,
        person=person,
    )
    _ask(view)
    return view


@transaction.atomic
def proposal_change(*, approval_id: int, draft: Draft, reason: str, title: str, person: User) -> ApprovalView:
    """Put another text in the place of a draft's, and have that run over the past. Raises as `proposal_draft` does.

    A submitted proposal stays as it is: its requester withdraws it and writes another one.
    """
    view = _own_draft(approval_id)
    changed = approvals.approval_change(
        approval_id=approval_id,
        person=person,
        title=title,
        content=_placed(_model_of(view), draft).content(),
        reason=reason,
    )
    _ask(changed)
    return changed


@transaction.atomic
def proposal_submit(*, approval_id: int, person: User) -> ApprovalView:
    """Put what the back-test found into the text, and ask for the signatures.

    Raises
    ------
    Refused
        ``base_moved``: another version was published since; ``backtest_missing``: it is not computed yet, or is out of
        date and was asked for again; or as the approvals refuse.
    """
    view = _own_draft(approval_id)
    proposal = proposal_of(view.content)
    found = backtests.fresh_result(view.id, proposal.text_digest)
    if found is None:
        raise Refused(
            "backtest", "The back-test is not computed yet. Wait for it, then submit.", code="backtest_missing"
        )
    approvals.approval_change(
        approval_id=approval_id,
        person=person,
        title=view.title,
        content=replace(proposal, backtest=found).content(),
        reason=view.reason,
    )
    return approvals.approval_submit(approval_id=approval_id, person=person)


def _placed(model_id: int, draft: Draft) -> Proposal:
    """The draft on the newest version, its parts in their final form."""
    draft = replace(
        draft,
        limits=checked_limits(draft.limits),
        assessment_reference=publishing.checked_reference(draft.assessment_reference),
        legal_basis=publishing.checked_basis(draft.legal_basis),
        effective_from=publishing.checked_start(draft.effective_from),
    )
    try:
        base = newest_version(model_id)
    except NoPolicy:
        raise Refused("model", "The model has no policy yet; its first one comes with the registration.") from None
    return Proposal(base, policy_in_force(model_id, draft.effective_from or clock.now()), draft, None)


def _check(model_id: int | None, content: Mapping[str, Any]) -> None:
    """What cannot be asked for. Runs on every new text, so whoever writes one past our forms is refused as well."""
    try:
        proposal = proposal_of(content)
    except (KeyError, TypeError, ValueError, AttributeError, ObjectDoesNotExist) as error:
        raise Refused("content", f"This is no proposal: {error}.") from None
    draft = proposal.draft
    if proposal.base.model_id != model_id or proposal.replaces.model_id != model_id or content != proposal.content():
        raise Refused("content", "The text does not fit the versions that it names.")
    publishing.checked_start(draft.effective_from)
    then = policy_in_force(proposal.base.model_id, draft.effective_from or clock.now())
    if not is_current(proposal) or then.id != proposal.replaces.id:
        raise _moved(proposal)
    publishing.check_policy(draft.policy)
    publishing.checked_reference(draft.assessment_reference)
    publishing.checked_basis(draft.legal_basis)
    if not checked_limits(draft.limits):
        raise Refused("limits", "Say how far compliance alone may relax at least one number.")
    if not draft.legal_basis:
        raise Refused("legal_basis", "Name at least one provision that the thresholds rest on.")
    _check_dates(draft)
    _check_change(proposal)
    if proposal.backtest is not None and not backtests.is_result(proposal.text_digest, proposal.backtest):
        raise Refused("content.backtest", "This is not what the back-test found.")


def _ready(content: Mapping[str, Any]) -> None:
    """Signatures are asked for a text that has its back-test in it (`proposal_submit`), by whatever way one asks."""
    if content["backtest"] is None:
        raise Refused(
            "backtest",
            "A change of thresholds is submitted with its back-test: wait for it, then submit on the proposal's page.",
            code="backtest_missing",
        )


def _check_dates(draft: Draft) -> None:
    start = draft.effective_from or clock.now()
    if start > clock.now() + LATEST_START:
        raise Refused("effective_from", "A version starts within a year.")
    if not start.date() < draft.review_due <= (start + LONGEST_REVIEW).date():
        raise Refused("review_due", "The next review falls due after the start, and within a year of it.")


def _check_change(proposal: Proposal) -> None:
    draft, base = proposal.draft, proposal.base
    same = set(draft.legal_basis) == set(base.legal_basis) and dict(draft.limits) == dict(base.limits)
    if proposal.effect == UNCHANGED and same and draft.assessment_reference == base.assessment_reference:
        raise Refused(
            "policy", "Nothing is changed. To keep the thresholds after a review, record the review.",
            code="nothing_changes",
        )  # fmt: skip
    if proposal.effect == RELAXATION and draft.assessment_reference in (
        base.assessment_reference,
        proposal.replaces.assessment_reference,
    ):
        raise Refused(
            "assessment_reference",
            f"A relaxation rests on a new assessment; {draft.assessment_reference} is the one of today's bounds.",
            code="same_assessment",
        )


def _needs(content: Mapping[str, Any]) -> list[Need]:
    """Compliance signs every change; the board as well what goes beyond the limits of the version before."""
    proposal = proposal_of(content)
    further = _spelled([change.term for change in proposal.beyond_limits])
    why = [f"relaxes beyond the limits of version {proposal.base.version}: {further}"] if further else []
    why += [f"lets compliance alone go further: {_spelled(proposal.more_room)}"] if proposal.more_room else []
    return [Need(SIGN, "every change of thresholds"), *([Need(RELAX, "; ".join(why))] if why else [])]


def _spelled(terms: Sequence[str]) -> str:
    """`bounds.fpr_gap.upper` -> `fpr gap upper`."""
    return ", ".join(term.removeprefix("bounds.").replace("_", " ").replace(".", " ") for term in terms)


def _bring_about(approval: ApprovalView, actor: str) -> datetime | None:
    proposal = proposal_of(approval.content)
    draft = proposal.draft
    if approval.model_id is None:
        raise Refused("model", "A threshold is one model's.")
    publishing.hold(approval.model_id)
    if not is_current(proposal):
        raise _moved(proposal)
    if proposal.backtest is None:
        raise Refused("backtest", "Nothing is signed without its back-test.", code="backtest_missing")
    is_planned = draft.effective_from is not None and draft.effective_from > clock.now()
    planned = draft.effective_from if is_planned else None
    publishing.publish(
        model_id=approval.model_id,
        version=proposal.base.version + 1,
        policy=draft.policy,
        limits=draft.limits,
        assessment_reference=draft.assessment_reference,
        legal_basis=draft.legal_basis,
        justification=approval.reason,
        effective_from=planned,
        review_due=draft.review_due,
        way=publishing.SIGNED,
        actor=actor,
        approval_id=approval.id,
    )
    return planned


def _moved(proposal: Proposal) -> Refused:
    there = newest_version(proposal.base.model_id)
    moved = (
        f"Version {there.version} was published after this proposal was written for version {proposal.base.version}."
        if there.id != proposal.base.id
        else f"Version {there.version} has started since this proposal was written."
    )
    return Refused("base", f"{moved} Renew the proposal on it.", code="base_moved")


def _own_draft(approval_id: int) -> ApprovalView:
    view = approval_view(approval_id)
    if view is None or view.kind != NAME:
        raise Refused("approval", f"There is no proposal {approval_id}.", code="unknown")
    if view.state != "draft":
        raise Refused("approval", f"This proposal is {view.state}; only a draft can be changed.", code="state")
    return view


def _model_of(view: ApprovalView) -> int:
    if view.model_id is None:
        raise LookupError(f"proposal {view.id} is about no model")
    return view.model_id


def _ask(view: ApprovalView) -> None:
    proposal = proposal_of(view.content)
    backtests.ask(
        model_id=_model_of(view),
        approval_id=view.id,
        digest=proposal.text_digest,
        today=proposal.replaces.policy,
        proposed=proposal.draft.policy,
    )


KIND = Kind(
    name=NAME,
    title="Change of thresholds",
    request=PROPOSE,
    view=VIEW,
    signers=(SIGN, RELAX),
    needs=_needs,
    effect=_bring_about,
    check=_check,
    ready=_ready,
    valid_for=timedelta(days=30),
)
