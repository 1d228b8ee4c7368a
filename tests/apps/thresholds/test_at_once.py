"""Many people at one model's thresholds in the same moment: one version each, none lost, none undone."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from apps.accounts.roles import COMPLIANCE
from apps.accounts.services import person_create
from apps.approvals import services as approvals
from apps.audit.selectors import entries
from apps.common import clock
from apps.registry.selectors import model_spec
from apps.thresholds import services
from apps.thresholds.selectors import policy_versions
from biasgov.fairness.policy import Bound, Policy
from tests.apps.approvals.test_at_once import together
from tests.apps.responses.test_at_once import AT_ONCE as CROWD
from tests.apps.responses.test_at_once import together as crowd
from tests.apps.thresholds.world import EO, STRICT, proposed, registered
from tests.cast import Cast, model

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 8


def test_of_many_proposals_signed_at_once_one_becomes_the_next_version() -> None:
    cast = Cast.assemble()
    registered(cast.owned)
    views = [
        proposed(cast.owned, cast.owner, Policy(bounds={EO: Bound(None, 0.01 + number / 1000)}))
        for number in range(AT_ONCE)
    ]
    signers = [person_create(username=f"c{n}", actor="system:tests", roles=[COMPLIANCE]) for n in range(AT_ONCE)]
    outcomes = together(
        [
            partial(
                approvals.approval_sign,
                approval_id=view.id,
                person=signer,
                digest=view.digest,
                confirmed_at=clock.now(),
            )
            for view, signer in zip(views, signers, strict=True)
        ]
    )
    assert outcomes == Counter(done=1, base_moved=AT_ONCE - 1)
    assert [each.version for each in policy_versions(cast.owned.id)] == [2, 1]


def test_of_two_hundred_signatures_on_one_proposal_one_makes_one_version() -> None:
    cast = Cast.assemble()
    registered(cast.owned)
    view = proposed(cast.owned, cast.owner)
    signers = [person_create(username=f"c{n}", actor="system:tests", roles=[COMPLIANCE]) for n in range(CROWD)]
    outcomes = crowd(
        {
            "sign": [
                partial(
                    approvals.approval_sign,
                    approval_id=view.id,
                    person=signer,
                    digest=view.digest,
                    confirmed_at=clock.now(),
                )
                for signer in signers
            ]
        }
    )
    assert outcomes["sign"] == Counter(done=1, state=CROWD - 1)
    assert [each.version for each in policy_versions(cast.owned.id)] == [2, 1]
    assert entries(action="policy.published").count() == 2


def test_emergencies_at_once_are_numbered_without_gaps_and_never_loosen_each_other() -> None:
    cast = Cast.assemble()
    registered(cast.owned)
    outcomes = together(
        [
            partial(
                services.policy_publish_emergency,
                model_id=cast.owned.id,
                policy=Policy(bounds={EO: Bound(None, 0.04 - number / 1000)}),
                assessment_reference="RA-9",
                reason="Now.",
                person=cast.officer,
            )
            for number in range(AT_ONCE)
        ]
    )
    assert set(outcomes) <= {"done", "relaxation"}
    versions = policy_versions(cast.owned.id)
    assert [each.version for each in versions] == list(range(outcomes["done"] + 1, 0, -1))
    uppers = [each.policy.bound(EO).upper for each in versions]
    assert uppers == sorted(uppers)


def test_a_first_version_is_published_once() -> None:
    spec = model("new")
    outcomes = together(
        [
            partial(
                services.policy_publish, model_id=spec.id, policy=STRICT, assessment_reference="RA-1", actor="token:t"
            )
            for _ in range(AT_ONCE)
        ]
    )
    assert outcomes == Counter(done=1, needs_signature=AT_ONCE - 1)
    assert len(policy_versions(model_spec("new").id)) == 1
