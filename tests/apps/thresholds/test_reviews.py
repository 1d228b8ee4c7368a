"""Calibration reviews: when they fall due, and that keeping a version is itself signed for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, transaction
from django.http import Http404

from apps.approvals.selectors import ApprovalView, approval
from apps.common import clock
from apps.common.errors import Refused
from apps.thresholds import services
from apps.thresholds.models import Review
from apps.thresholds.selectors import newest_version, reviews_due, reviews_due_count, version_detail
from tests.apps.thresholds.world import TIGHTER, published, registered, sign
from tests.cast import Cast, model
from tests.sides import side

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.frozen(NOON):
        yield


def kept(cast: Cast, by: str = "owner", **changes: Any) -> ApprovalView:
    who = getattr(cast, by)
    given: dict[str, Any] = {
        "next_due": (clock.now() + 364 * DAY).date(),
        "assessment_reference": "RA-2027-002",
        "evidence": {"alerts": 3, "complaints": 0},
        "reason": "Three alerts, all of them right; no complaint.",
    }
    view = services.review_draft(model_id=cast.owned.id, person=who, **(given | changes))
    return services.review_submit(approval_id=view.id, person=who)


def due(cast: Cast, within: timedelta = 30 * DAY) -> list[int]:
    return [each.version for each in reviews_due([cast.owned.id], before=(clock.now() + within).date())]


def test_a_review_falls_due_after_a_year_and_not_before(cast: Cast) -> None:
    assert due(cast) == []
    with clock.frozen(NOON + 336 * DAY):
        assert due(cast) == [1]


def test_only_the_version_in_force_is_reviewed(cast: Cast) -> None:
    published(cast.owned, cast.owner, [cast.compliance], TIGHTER)
    with clock.frozen(NOON + 340 * DAY):
        assert due(cast) == [2]


def test_a_kept_version_is_due_again_a_year_after_its_signed_review(cast: Cast) -> None:
    with clock.frozen(NOON + 340 * DAY):
        view = kept(cast)
        assert due(cast) == [1]
        sign(view, cast.compliance)
        assert due(cast) == []
        detail = version_detail(newest_version(cast.owned.id).id)
        assert [each.approval_id for each in detail.reviews] == [view.id]
        assert detail.review_due == (NOON + 704 * DAY).date()
    with clock.frozen(NOON + 690 * DAY):
        assert due(cast) == [1]


def test_a_signed_review_ends_an_emergencys_week(cast: Cast) -> None:
    services.policy_publish_emergency(
        model_id=cast.owned.id, policy=TIGHTER, assessment_reference="RA-9", reason="Now.", person=cast.officer
    )
    assert due(cast, 7 * DAY) == [2]
    sign(kept(cast), cast.compliance)
    assert due(cast, 7 * DAY) == []


def test_who_reviewed_does_not_sign(cast: Cast) -> None:
    view = kept(cast, "officer")
    with pytest.raises(Refused):
        sign(view, cast.officer)
    with pytest.raises(PermissionDenied):
        sign(view, cast.board)
    assert not Review.objects.exists()


@pytest.mark.parametrize("part", ["compliance", "board", "auditor", "steward", "administrator", "outsider"])
def test_who_may_not_propose_reviews_nothing(cast: Cast, part: str) -> None:
    with pytest.raises((PermissionDenied, Http404)):
        kept(cast, part)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("next_due", {"next_due": NOON.date()}),
        ("next_due", {"next_due": (NOON + 367 * DAY).date()}),
        ("assessment_reference", {"assessment_reference": ""}),
        ("reason", {"reason": " "}),
    ],
)
def test_an_incomplete_review_is_refused(cast: Cast, field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        kept(cast, **changes)
    assert refused.value.field == field


def test_a_review_of_what_is_no_longer_in_force_is_not_signed(cast: Cast) -> None:
    view = kept(cast)
    published(cast.owned, cast.officer, [cast.compliance], TIGHTER)
    with pytest.raises(Refused) as refused:
        sign(view, cast.compliance)
    assert refused.value.code == "base_moved"
    assert approval(view.id).state == "submitted"


def test_the_database_keeps_no_review_without_its_signature(cast: Cast) -> None:
    view = kept(cast)
    row = Review(policy_version_id=newest_version(cast.owned.id).id, approval_id=view.id, next_due=NOON.date())
    with pytest.raises(DatabaseError, match="no signed review"), transaction.atomic():
        row.save(force_insert=True)
    sign(view, cast.compliance)
    for role in ("web", "owner"):
        with side(role), connection.cursor() as cursor, pytest.raises(DatabaseError), transaction.atomic():
            cursor.execute("DELETE FROM thresholds_review")


def test_reviews_of_many_models_are_one_query(cast: Cast, django_assert_num_queries: Any) -> None:
    ids = [cast.owned.id]
    for number in range(5):
        spec = model(f"other-{number}")
        registered(spec)
        ids.append(spec.id)
    with django_assert_num_queries(1):
        assert len(reviews_due(ids, before=(NOON + 400 * DAY).date())) == 6
    before = (NOON + 400 * DAY).date()
    assert reviews_due(None, before=before, limit=2) == reviews_due(ids, before=before)[:2]
    assert [reviews_due_count(each, before=before) for each in (None, ids[:2], [])] == [6, 2, 0]
