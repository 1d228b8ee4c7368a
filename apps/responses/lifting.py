"""Coming down from the upper rungs: asked for by a person, signed by a second one, by the board where it has a say.

The board signs too where a finding has been escalated to it, and where the evidence is not yet within bounds. What
counts as evidence is the shortest window that was in breach: longer ones go on holding decisions from before, and are
expected to. For the same reason only windows that hold nothing from before the lift lift a finding again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import demand
from apps.approvals import selectors as approvals
from apps.approvals.kinds import Content, Kind, Need
from apps.approvals.selectors import ApprovalView
from apps.approvals.services import approval_draft, approval_submit
from apps.approvals.states import OPEN
from apps.common import clock
from apps.common.errors import Refused
from apps.registry import selectors as registry
from apps.responses import ladder
from apps.responses.announcements import announce
from apps.responses.deadlines import deadline_of, plan_of
from apps.responses.ladder import Recovery, height
from apps.responses.models import Finding, Restriction
from apps.responses.restrictions import restriction_lifted
from apps.responses.status import status_settle
from apps.responses.steps import brought_down, hold, step

NAME = "restriction_lift"
_SECOND = Need("restriction.countersign", "Nobody lifts a restriction alone.")


@transaction.atomic
def lift_request(*, model_id: int, person: User, reason: str) -> ApprovalView:
    """Ask for a model to come down from the upper rungs, and for its restriction to be lifted if there is one.

    Raises
    ------
    Http404, PermissionDenied
        The person may not see the model, or may not ask for this.
    Refused
        Nothing is there to be lifted, a proposed restriction waits for a decision, or a request is open (``exists``).
    """
    demand(person, "restriction.lift", model_id)
    hold(model_id)
    spec = registry.model_spec_by_id(model_id)
    content = lift_content(model_id)
    subject = f"model:{spec.slug}"
    waiting = approvals.approvals(kind=NAME, state_in=OPEN, subject=subject, limit=1)
    if waiting:
        raise Refused("model", f"Request {waiting[0].id} for this waits for signatures.", code="exists")
    what = "Lift the restriction of" if content["restriction"] else "Bring down the ladder:"
    draft = approval_draft(
        kind=NAME,
        model_id=model_id,
        subject=subject,
        title=f"{what} {spec.name}"[:200],
        content=content,
        reason=reason,
        person=person,
    )
    return approval_submit(approval_id=draft.id, person=person)


def lift_content(model_id: int) -> dict[str, Any]:
    """What a request for this would say now: the restriction, the findings concerned, and what the evidence is.

    Raises Refused if nothing is there to be lifted, or if a restriction is still proposed.
    """
    plan = plan_of(model_id, clock.now())
    concerned = _concerned(model_id)
    restriction = Restriction.objects.filter(model_id=model_id, state__in=ladder.LIVE).first()
    if restriction is not None and restriction.state == ladder.PROPOSED:
        raise Refused("restriction", "Confirm or decline the proposed restriction first.", code="proposed")
    if restriction is None and not concerned:
        raise Refused("model", "Nothing of this model is restricted or escalated.", code="nothing")
    return {
        "restriction": restriction.pk if restriction else None,
        "blocked_decision_types": list(restriction.blocked_decision_types) if restriction else [],
        "escalated": any(finding.tier == ladder.ESCALATE for finding in concerned),
        "recovered": all(ladder.recovered(finding.windows, plan) for finding in concerned),
        "findings": [{"id": each.pk, "sentence": each.sentence, "tier": each.tier} for each in concerned],
    }


def _needs(content: Content) -> Sequence[Need]:
    if content["escalated"]:
        return (_SECOND, Need("board.vote", "The matter has been escalated to the ethics board."))
    if not content["recovered"]:
        return (_SECOND, Need("board.vote", "The evidence is not yet back within bounds."))
    return (_SECOND,)


def _check(model_id: int | None, content: Content) -> None:
    if model_id is None:
        raise Refused("model", "A restriction is that of a model.")
    now = lift_content(model_id)
    for fact in ("restriction", "escalated", "recovered"):
        if content.get(fact) != now[fact]:
            raise Refused(f"content.{fact}", f"It is {now[fact]!r} now. Ask again.", code="changed")
    if content != now:
        raise Refused("content", "This is not how the matter stands. Ask again.", code="changed")


def _effect(approval: ApprovalView, actor: str) -> datetime | None:
    """Lift the restriction and bring every finding on the upper rungs down, in the transaction of the last signature.

    Evidence that has grown worse since it was signed for makes this impossible; better evidence does not.
    """
    model_id, content = approval.model_id, approval.content
    if model_id is None:
        raise Refused("model", "A restriction is that of a model.")
    hold(model_id)
    now = lift_content(model_id)
    worse = (now["escalated"] and not content["escalated"]) or (content["recovered"] and not now["recovered"])
    if worse or now["restriction"] != content["restriction"]:
        raise Refused("approval", "The matter has changed since this was asked for. Ask again.", code="changed")
    if content["restriction"]:
        restriction = Restriction.objects.get(pk=content["restriction"])
        restriction_lifted(restriction, actor=actor, approval_id=approval.id)
    _ease(model_id, actor, approval.id)
    status_settle(model_id)
    announce(
        model=registry.model_spec_by_id(model_id),
        key=f"lift-{approval.id}",
        title=f"{approval.model_name}: {'the restriction is lifted' if content['restriction'] else 'down the ladder'}",
        body=f"{approval.reason}\n\nAsked for by {approval.requester}, signed by {_signers(approval)}.",
        severity="",
        path=f"/models/{approval.model_slug}/",
        detected_at=clock.now(),
    )
    return None


def _ease(model_id: int, actor: str, approval_id: int) -> None:
    plan, now = plan_of(model_id, clock.now()), clock.now()
    to_tier, _ = ladder.STEPS[ladder.RESTRICT, ladder.EASED]
    for finding in _concerned(model_id):
        windows = {window: Recovery.from_dict(kept) for window, kept in finding.windows.items()}
        step(
            finding,
            ladder.EASED,
            actor=actor,
            run_id=finding.run_id,
            as_of=finding.last_as_of,
            detail={"approval": approval_id},
            changes={
                **brought_down(finding, to_tier),
                "windows": {window: ladder.counted_anew(each).to_dict() for window, each in windows.items()},
                "persistence": {},
                "counts_from": now,
                "deadline_at": deadline_of(plan, finding.severity, now),
            },
        )


def _concerned(model_id: int) -> list[Finding]:
    found = Finding.objects.filter(model_id=model_id, state=Finding.State.OPEN).order_by("pk")
    return [finding for finding in found if height(finding.tier) >= height(ladder.RESTRICT)]


def _signers(approval: ApprovalView) -> str:
    agreed = ["the ethics board"] if approval.resolutions else []
    return " and ".join([*(each.person for each in approval.signatures), *agreed])


KIND = Kind(
    name=NAME,
    title="Lifting a restriction",
    request="restriction.lift",
    view="finding.view",
    signers=("restriction.countersign", "board.vote"),
    needs=_needs,
    check=_check,
    effect=_effect,
)
