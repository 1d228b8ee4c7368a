"""Requests that need the board as matters of it: the decision meets the need, or rejects the request."""

from __future__ import annotations

from apps.accounts.models import User
from apps.approvals import selectors as approvals
from apps.approvals.kinds import kind
from apps.approvals.selectors import ApprovalView
from apps.approvals.services import approval_decide
from apps.approvals.states import SUBMITTED
from apps.board.matters import Decision, Matter, Subject
from apps.common import clock

APPROVAL = "approval"
_LONGEST_REASON = 5000


def waiting() -> list[tuple[int, str]]:
    """Every submitted request with a need of the board that is not met, and its digest."""
    return [(view.id, view.digest) for view in approvals.approvals_for_the_board()]


def subject(approval_id: int) -> Subject | None:
    """A request as the board has it before it."""
    view = approvals.approval(approval_id)
    if view is None:
        return None
    people = User.objects.in_bulk([view.requester_id, *(each.person_id for each in view.signatures)])
    requester = people[view.requester_id]
    signers = [people[each.person_id] for each in view.signatures]
    why = "; ".join(need.why for need in view.open_needs if need.collective)
    return Subject(
        id=view.id,
        key=view.digest,
        open=_is_open(view) and bool(why),
        title=view.title,
        question=f"Does the board agree to the request “{view.title}”?",
        model_id=view.model_id,
        facts=(
            ("what is asked for", kind(view.kind).title),
            ("title", view.title),
            ("justification", view.reason),
            ("asked by", view.requester),
            ("needs the board because", why),
            ("digest of the request", view.digest),
        ),
        path=f"/approvals/{view.id}/",
        requester=requester,
        parties=((requester, "Asked for it."), *((signer, "Has signed it in another role.") for signer in signers)),
        until=view.expires_at,
    )


def decided(decision: Decision) -> bool:
    """Carry the decision over to the request; whether it stands or took effect."""
    reason = "\n".join([decision.sentence, *decision.reasons])[:_LONGEST_REASON]
    view = approval_decide(
        approval_id=decision.subject_id,
        digest=decision.key,
        case_id=decision.case_id,
        carried=decision.carried,
        reason=reason,
    )
    return view.state in (SUBMITTED, "signed", "effective")


def _is_open(view: ApprovalView) -> bool:
    return view.state == SUBMITTED and (view.expires_at is None or view.expires_at > clock.now())


MATTER = Matter(kind=APPROVAL, title="request", waiting=waiting, subject=subject, decided=decided)
