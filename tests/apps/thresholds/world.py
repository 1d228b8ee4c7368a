"""Proposals from draft to signature, with back-tests answered at once by the compute side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from apps.accounts.models import User
from apps.approvals import services as approvals
from apps.approvals.selectors import ApprovalView
from apps.common import clock
from apps.registry.spec import ModelSpec
from apps.thresholds import services
from apps.thresholds.selectors import Draft, PolicyInForce, newest_version
from biasgov.fairness.policy import Bound, Policy
from tests.sides import side

EO = "equalized_odds_difference"
STRICT = Policy(bounds={EO: Bound(None, 0.05)})
LOOSER = Policy(bounds={EO: Bound(None, 0.07)})
FAR = Policy(bounds={EO: Bound(None, 0.2)})
TIGHTER = Policy(bounds={EO: Bound(None, 0.03)})
FOUND = {"kept": 2, "lost": 15, "gained": 0, "share": 1.0}
REASON = "Two thirds of the alerts came from the forms of one hospital."


def registered(spec: ModelSpec, policy: Policy = STRICT, **given: Any) -> PolicyInForce:
    """The model's first version."""
    given = {"assessment_reference": "RA-2026-014", "actor": "token:tests"} | given
    return services.policy_publish(model_id=spec.id, policy=policy, **given)


def draft_of(spec: ModelSpec, policy: Policy = LOOSER, **changes: Any) -> Draft:
    """What a person asks for, everything but the policy as it is."""
    base = newest_version(spec.id)
    given: dict[str, Any] = {
        "policy": policy,
        "limits": base.limits,
        "assessment_reference": f"RA-2026-{base.version + 30:03}",
        "legal_basis": base.legal_basis,
        "effective_from": None,
        "review_due": (clock.now() + timedelta(days=180)).date(),
    }
    return Draft(**(given | changes))


def drafted(
    spec: ModelSpec, by: User, policy: Policy = LOOSER, *, reason: str = REASON, **changes: Any
) -> ApprovalView:
    """A draft whose back-test is not computed."""
    draft = draft_of(spec, policy, **changes)
    return services.proposal_draft(model_id=spec.id, draft=draft, reason=reason, title="Another bound", person=by)


def computed(found: dict[str, Any] = FOUND) -> int:
    """Answer every back-test that waits; how many there were."""
    number = 0
    with side("compute"):
        while asked := services.backtest_lease():
            assert services.backtest_store(asked=asked, result=found)
            number += 1
    return number


def proposed(spec: ModelSpec, by: User, policy: Policy = LOOSER, **changes: Any) -> ApprovalView:
    """A submitted proposal."""
    view = drafted(spec, by, policy, **changes)
    computed()
    return services.proposal_submit(approval_id=view.id, person=by)


def sign(view: ApprovalView, by: User, **changes: Any) -> ApprovalView:
    given = {"digest": view.digest, "confirmed_at": clock.now(), **changes}
    return approvals.approval_sign(approval_id=view.id, person=by, **given)


def published(
    spec: ModelSpec, by: User, signers: Sequence[User], policy: Policy = LOOSER, effective_from: datetime | None = None
) -> PolicyInForce:
    """The next version, proposed by one person and signed by others."""
    view = proposed(spec, by, policy, effective_from=effective_from)
    for signer in signers:
        view = sign(view, signer)
    assert view.state in ("signed", "effective")
    return newest_version(spec.id)
