"""A matter that needs compliance, and the board too where the content says so; its effect can be watched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from apps.approvals import kinds
from apps.approvals.kinds import Kind, Need
from apps.approvals.selectors import ApprovalView
from apps.common.errors import Refused
from tests.cast import Cast

MATTER = "test_matter"


class Effects(list[tuple[int, str]]):
    """What was brought about, as (request, actor); `refuses` and `holds_from` steer the next one."""

    refuses = False
    holds_from: datetime | None = None

    def bring_about(self, approval: ApprovalView, actor: str) -> datetime | None:
        if self.refuses:
            raise Refused("content", "It is too late for that.", code="late")
        self.append((approval.id, actor))
        return self.holds_from


def needs(content: Mapping[str, Any]) -> list[Need]:
    found = [Need("threshold.sign", "every change")]
    return [*found, Need("threshold.relax", "beyond the limit")] if content.get("far") else found


def check(model_id: int | None, content: Mapping[str, Any]) -> None:
    if content.get("bound") == "impossible":
        raise Refused("content.bound", "There is no such bound.")


def ready(content: Mapping[str, Any]) -> None:
    if content.get("unfinished"):
        raise Refused("content", "Something is still missing.", code="unfinished")


@pytest.fixture
def effects() -> Iterator[Effects]:
    seen = Effects()
    before = dict(kinds._KINDS)
    kinds.register(
        Kind(
            name=MATTER,
            title="A matter of the tests",
            request="threshold.propose",
            view="threshold.view",
            signers=("threshold.sign", "threshold.relax"),
            needs=needs,
            effect=seen.bring_about,
            check=check,
            ready=ready,
            valid_for=timedelta(days=7),
        )
    )
    yield seen
    kinds._KINDS.clear()
    kinds._KINDS.update(before)


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast.assemble()
