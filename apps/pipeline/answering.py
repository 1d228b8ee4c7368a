"""Carrying what runs found over to the governance wing."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.common import clock
from apps.monitoring import selectors as monitoring
from apps.monitoring.services import cadence_set
from apps.pipeline.escalating import addition_carry, escalation_carry
from apps.pipeline.models import UnansweredEvaluation
from apps.registry import selectors as registry
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses_read
from apps.responses import services as responses
from biasgov.fairness.response_plan import SEVERITIES

logger = logging.getLogger(__name__)

BUDGET = 20.0


def answer_next(model_id: int) -> bool:
    """Have a model's oldest evaluation that waits answered; False if none waits. One transaction, one at a time.

    Windows without a single event ask nothing of anybody and are passed over.
    """
    with transaction.atomic():
        queue = UnansweredEvaluation.objects.filter(model_id=model_id).order_by("as_of", "id")
        waiting = queue.select_for_update().first()
        if waiting is None:
            return False
        documents = [found for found in monitoring.run_documents(waiting.run_ids).values() if found["n"]]
        if documents:
            spec = registry.model_spec_by_id(waiting.model_id)
            answer = responses.respond(
                model=spec,
                run_group=[each for found in documents for each in observations(waiting.model_id, found)],
                runs=[
                    responses.AnsweredRun(found["id"], found["window"], datetime.fromisoformat(found["as_of"]))
                    for found in documents
                ],
            )
            _carry(spec, answer)
        waiting.delete()
    return True


def oldest_waiting(model_id: int) -> datetime | None:
    """The moment of a model's evaluation that is answered next; None if none waits."""
    queue = UnansweredEvaluation.objects.filter(model_id=model_id).order_by("as_of", "id")
    return queue.values_list("as_of", flat=True).first()


def deadlines_enforce() -> int:
    """Escalate what was not remediated in time; answers for how many models. One transaction a model."""
    late = responses_read.overdue_models()
    for model_id in late:
        with transaction.atomic():
            spec = registry.model_spec_by_id(model_id)
            _carry(spec, responses.deadlines_enforce(model=spec))
    return len(late)


def answer_waiting(*, seconds: float = BUDGET) -> int:
    """Answer what waits, oldest first, for about `seconds`; answers how many evaluations that were.

    A model whose answer fails is left for the next round, evaluations in their order, and does not silence the others.
    """
    deadline, answered = time.monotonic() + seconds, 0
    models = set(UnansweredEvaluation.objects.values_list("model_id", flat=True))
    while models and time.monotonic() < deadline:
        oldest = UnansweredEvaluation.objects.filter(model_id__in=models).order_by("as_of", "id").first()
        if oldest is None:
            break
        try:
            answered += answer_next(oldest.model_id)
        except Exception:
            logger.exception("Answering the evaluations of model %s failed.", oldest.model_id)
            models.remove(oldest.model_id)
    return answered


def _carry(spec: ModelSpec, answer: responses.Answer) -> None:
    """What the governance wing asks of the others, in the transaction of its answer."""
    cadence_set(model_id=spec.id, every=answer.evaluate_every)
    for each in answer.escalations:
        given = escalation_carry(model=spec, escalation=each)
        responses.escalation_answered(cause_id=each.cause_id, incident_id=given.incident_id)
    for addition in answer.additions:
        addition_carry(model=spec, addition=addition)


def observations(model_id: int, document: Mapping[str, Any]) -> Iterator[responses.Observation]:
    """The judged results of a run's document in the governance wing's words.

    Where the window's last hours are in breach by themselves and that says more than the whole of it, the run is in
    breach as these hours are.
    """
    as_of = datetime.fromisoformat(document["as_of"])
    # Where a past that was computed today is told at its own times, nothing is detected after it is answered.
    detected_at = min(datetime.fromisoformat(document["computed_at"]), clock.now())
    early = _early_breaches(document)
    for whole in document["results"]:
        if whole["judged"]:
            result, period = early.get(_key(whole), (whole, ""))
            low, high = result["interval"] or (None, None)
            yield responses.Observation(
                model_id=model_id,
                run_id=document["id"],
                window=document["window"],
                as_of=as_of,
                metric=result["metric"],
                attribute=result["attribute"],
                group=result["group"],
                reference=result["reference"],
                verdict=result["verdict"],
                severity=result["severity"],
                value=result["value"],
                low=low,
                high=high,
                bound_low=result["bound"]["lower"],
                bound_high=result["bound"]["upper"],
                decided_by_window=result["decided_by_window"],
                suppressed=result["suppressed"],
                detected_at=detected_at,
                period=period,
            )


def _early_breaches(document: Mapping[str, Any]) -> dict[tuple[str, str, str | None], tuple[Mapping[str, Any], str]]:
    """The severest breach of the window's last hours by what it is about, and how many hours these are."""
    found: dict[tuple[str, str, str | None], tuple[Mapping[str, Any], str]] = {}
    for part in document.get("early", ()):
        for result in part["results"]:
            known = found.get(_key(result))
            if known is None or _rank(result) > _rank(known[0]):
                found[_key(result)] = (result, part["window"])
    return found


def _key(result: Mapping[str, Any]) -> tuple[str, str, str | None]:
    return result["metric"], result["attribute"], result["group"]


def _rank(result: Mapping[str, Any]) -> int:
    return SEVERITIES.index(result["severity"])
