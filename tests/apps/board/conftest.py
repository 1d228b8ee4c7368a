"""The cast with a board of three, an escalated incident, and a request that needs the board."""

from __future__ import annotations

import pytest

from apps.approvals import services as approvals
from apps.approvals.selectors import ApprovalView
from apps.incidents.models import Incident
from tests.apps.approvals.conftest import MATTER, Effects
from tests.apps.approvals.conftest import effects as _effects
from tests.apps.incidents.test_opening import escalate
from tests.board import members
from tests.cast import Cast

effects = _effects


@pytest.fixture
def cast(db: None) -> Cast:
    made = Cast.assemble()
    members(3)
    return made


@pytest.fixture
def incident(cast: Cast) -> Incident:
    """An incident that an escalation has opened."""
    return Incident.objects.get(pk=escalate(cast, "APAC").incident_id)


@pytest.fixture
def request_(cast: Cast, effects: Effects) -> ApprovalView:
    """A submitted request of the model's owner that compliance and the board must agree to."""
    return asked(cast)


def asked(cast: Cast, bound: float = 0.04) -> ApprovalView:
    view = approvals.approval_draft(
        kind=MATTER,
        model_id=cast.owned.id,
        subject=f"model:{cast.owned.slug}",
        title="Relax the bound far",
        content={"bound": bound, "far": True},
        reason="The pilot had no such forms.",
        person=cast.owner,
    )
    return approvals.approval_submit(approval_id=view.id, person=cast.owner)
