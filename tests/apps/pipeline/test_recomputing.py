"""Runs that people ask to have computed again: who may, what comes of it, and what is not told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.http import Http404
from django.urls import reverse

from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from apps.monitoring import recomputing, selectors
from apps.monitoring.models import Recomputation
from apps.monitoring.recomputations import ATTEMPTS, LEASE
from apps.monitoring.services import recomputation_ask, recomputation_next
from apps.registry.spec import ModelSpec
from tests.apps.pipeline.world import NOW, company, compute, people, send_attributes, send_events
from tests.cast import Cast, signed_in
from tests.sides import side


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast.assemble()


@pytest.fixture
def spec(cast: Cast) -> Iterator[ModelSpec]:
    with clock.frozen(NOW):
        spec = company()
        frame = people(300, hours=30)
        send_events(spec, frame)
        send_attributes(frame)
        compute()
        yield spec


@pytest.fixture
def run_id(spec: ModelSpec) -> int:
    return selectors.latest_runs(spec.id)["24h"].id


def carried_out() -> bool:
    with side("compute"):
        return recomputation_next()


def newest(run_id: int) -> selectors.RecomputationRow:
    return selectors.recomputations_of(run_id)[0]


def test_a_run_is_computed_again_and_is_the_same(run_id: int, cast: Cast) -> None:
    recomputation_ask(run_id=run_id, person=cast.auditor)
    assert newest(run_id).state == "waiting"
    with pytest.raises(Refused, match="already"):
        recomputation_ask(run_id=run_id, person=cast.officer)
    assert carried_out()
    assert not carried_out()
    found, run = newest(run_id), selectors.run(run_id)
    assert (found.state, found.outcome, found.asked_by) == ("done", "same", cast.auditor.display_name)
    assert found.result["recomputed_digest"] == run.document_digest
    assert found.result["cubes"] == run.cubes_digest
    assert found.result["code"] == run.code_version
    (entry,) = entries(action="run.recomputed")
    assert (entry.detail["outcome"], entry.detail["recomputed_digest"]) == ("same", run.document_digest)
    assert entries(action="run.recompute_asked").get().actor == cast.auditor.actor
    recomputation_ask(run_id=run_id, person=cast.officer)


def test_others_ask_for_nothing(run_id: int, cast: Cast) -> None:
    for person in (cast.compliance, cast.board):
        with pytest.raises(PermissionDenied):
            recomputation_ask(run_id=run_id, person=person)
    for person in (cast.owner, cast.outsider):
        with pytest.raises(Http404):
            recomputation_ask(run_id=run_id, person=person)
    with pytest.raises(Refused, match="no run"):
        recomputation_ask(run_id=10**9, person=cast.officer)
    assert not Recomputation.objects.exists()


def test_where_inputs_have_changed_neither_numbers_nor_the_new_digest_are_told(
    spec: ModelSpec, run_id: int, cast: Cast
) -> None:
    send_events(spec, people(5, hours=3, seed=9))
    compute()
    recomputation_ask(run_id=run_id, person=cast.officer)
    assert carried_out()
    found = newest(run_id)
    assert found.outcome == "inputs_changed"
    assert (found.result["recomputed_digest"], found.result["differing"], found.result["differences"]) == ("", 0, [])
    assert found.result["cubes"] != found.result["stored_cubes"]
    said = signed_in(cast.officer).get(reverse("run", args=[run_id])).content.decode()
    assert "It cannot be compared: late decisions" in said
    assert "Superseded:" in said


def test_cubes_that_are_kept_no_longer_are_said_to_be_gone(run_id: int, cast: Cast) -> None:
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM cube.hour_cube WHERE hour = (SELECT max(hour) FROM cube.hour_cube)")
    recomputation_ask(run_id=run_id, person=cast.officer)
    assert carried_out()
    found = newest(run_id)
    assert (found.outcome, found.result["missing"]) == ("inputs_gone", 2)
    said = signed_in(cast.officer).get(reverse("run", args=[run_id])).content.decode()
    assert "2 of its hour cubes are kept no longer" in said


def test_another_code_is_compared_number_by_number(run_id: int, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    real = recomputing.evaluate_windows

    def other(cubes: Any, inputs: Any) -> Any:
        """The same windows under a looser confidence, as another version of the core might judge them."""
        inputs.policy["body"]["confidence"] = 0.8
        return real(cubes, inputs)

    monkeypatch.setattr(recomputing, "evaluate_windows", other)
    monkeypatch.setattr(recomputing, "code_version", lambda: "another")
    recomputation_ask(run_id=run_id, person=cast.officer)
    assert carried_out()
    found = newest(run_id)
    assert found.outcome == "code_changed"
    assert found.result["differing"] >= len(found.result["differences"]) > 0
    told = [each for each in found.result["differences"] if each["changed"]]
    assert any("interval" in each["changed"] for each in told)
    page = signed_in(cast.auditor).get(reverse("run", args=[run_id])).content.decode()
    assert "another version of the code" in page
    assert "interval: " in page


def test_what_cannot_be_computed_says_the_kind_of_error_and_no_value(
    run_id: int, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**_: Any) -> Any:
        raise ValueError("Alice is female")

    monkeypatch.setattr("apps.monitoring.recomputations.run_recompute", fails)
    recomputation_ask(run_id=run_id, person=cast.officer)
    assert carried_out()
    found = newest(run_id)
    assert (found.state, found.note) == ("failed", "It could not be computed again (ValueError).")
    assert "Alice" not in str(entries(action="run.recomputed").get().detail)


def test_a_worker_that_died_is_followed_by_another_and_in_the_end_it_is_given_up(run_id: int, cast: Cast) -> None:
    recomputation_ask(run_id=run_id, person=cast.officer)
    asked = Recomputation.objects.filter(run_id=run_id)
    with side("compute"):
        asked.update(attempts=1, lease_until=NOW + LEASE)
    assert not carried_out()
    with clock.frozen(NOW + LEASE + timedelta(seconds=1)):
        with side("compute"):
            asked.update(attempts=ATTEMPTS)
        assert not carried_out()
    assert newest(run_id).note == "It did not come to an end."


def test_the_web_side_can_neither_bring_an_answer_along_nor_give_one(run_id: int, spec: ModelSpec, cast: Cast) -> None:
    with pytest.raises(IntegrityError, match="without an answer"), transaction.atomic():
        Recomputation.objects.create(
            run_id=run_id, model_id=spec.id, asked_by=cast.officer, state="done", outcome="same"
        )
    recomputation_ask(run_id=run_id, person=cast.officer)
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        Recomputation.objects.update(outcome="same")


def test_the_page_offers_it_to_those_who_may(run_id: int, cast: Cast) -> None:
    address, asks = reverse("run", args=[run_id]), reverse("run-recompute", args=[run_id])
    assert asks not in signed_in(cast.compliance).get(address).content.decode()
    assert signed_in(cast.compliance).post(asks).status_code == 403
    officer = signed_in(cast.officer)
    assert asks in officer.get(address).content.decode()
    said = officer.post(asks, follow=True).content.decode()
    assert "Asked, in your name." in said
    assert reverse("run-recomputed", args=[run_id]) in said
    assert asks not in said
    assert carried_out()
    part = officer.get(reverse("run-recomputed", args=[run_id])).content.decode()
    assert "Every number is the same, to the last byte." in part
    assert "hx-get" not in part
