"""The pipeline's story: what arrived is counted, what was counted is evaluated, what was evaluated is answered.

Everything that must happen is a row (a dirty hour, a due evaluation, an unanswered one, a sealed upload) that these
verbs find by themselves, whoever calls them and however often.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from django.db import transaction

from apps.common import clock
from apps.inference import selectors as events
from apps.inference import services as inference
from apps.monitoring import services as monitoring
from apps.pipeline import heartbeat
from apps.pipeline.models import Side, UnansweredEvaluation
from apps.pipeline.retention import counted_since
from apps.registry import selectors as registry
from apps.thresholds import selectors as thresholds
from apps.vault import services as vault

logger = logging.getLogger(__name__)

BUDGET = 20.0
LEASE = 120.0
HOURS_AT_ONCE = 168
BACKLOG = 24
PATIENCE = timedelta(minutes=5)


def run_hour(leased: Sequence[inference.LeasedHour]) -> None:
    """Count leased hours of one model: the story of an hour, told for as many as one pass can hold.

    The cubes, what they make due and the end of the lease are one transaction, so an hour is counted exactly once
    wherever the worker dies; and only while its lease holds, so a slow worker never undoes a faster one.
    """
    spec = registry.model_spec_by_id(leased[0].model_id)
    by_hour = {each.hour: each for each in leased}
    for counted in monitoring.hours_count(spec=spec, hours=list(by_hour)):
        with transaction.atomic():
            held = inference.hours_held([by_hour[each.hour] for each in counted])
            since = counted_since(spec.id)
            ours = {each.hour for each in held if each.hour >= since}
            monitoring.hours_store(spec=spec, counted=[each for each in counted if each.hour in ours])
            inference.hours_release(held)


def run_hours(leased: Sequence[inference.LeasedHour]) -> None:
    """`run_hour`, and if a record in the vault is damaged, hour by hour: the hours without it must not wait for it."""
    try:
        run_hour(leased)
    except vault.VaultError:
        if len(leased) == 1:
            raise
        for each in leased:
            with _reported(f"counting the hour {each.hour} of model {each.model_id}"):
                run_hour([each])


def run_evaluation(due: monitoring.DueEvaluation) -> None:
    """Evaluate the three windows of one due moment; the runs wait for the governance wing's answer from then on."""
    spec = registry.model_spec_by_id(due.model_id)
    policy = thresholds.policy_in_force(spec.id, due.as_of)
    with transaction.atomic():
        run_ids = monitoring.windows_evaluate(spec=spec, as_of=due.as_of, policy=policy, due=due)
        if run_ids:
            UnansweredEvaluation.objects.create(model_id=spec.id, as_of=due.as_of, run_ids=run_ids)


def sweep(*, seconds: float = BUDGET) -> bool:
    """Count dirty hours and evaluate what is due, for about `seconds`; True if work is left.

    Models with a long backlog are evaluated when it is counted, or after five minutes at the latest.
    """
    heartbeat.beat(Side.COMPUTE)
    deadline, worker = soon(seconds), _worker()
    while time.monotonic() < deadline:
        leased = inference.hours_lease(limit=HOURS_AT_ONCE, seconds=LEASE, worker=worker)
        if not leased:
            break
        with _reported(f"counting {len(leased)} hours of model {leased[0].model_id} from {leased[0].hour}"):
            run_hours(leased)
    more = evaluate(deadline=deadline)
    heartbeat.beat(Side.COMPUTE)
    return more or time.monotonic() >= deadline


def evaluate_due(*, seconds: float = BUDGET) -> bool:
    """Make sure that every model is evaluated at least once an hour, and evaluate; True if work is left."""
    monitoring.evaluations_mark_live(model_ids=[spec.id for spec in registry.all_specs()])
    return evaluate(deadline=soon(seconds))


def evaluate(*, deadline: float) -> bool:
    """Evaluate due moments until the monotonic `deadline`; True if some are left that could be evaluated now."""
    while ready := _ready_models():
        if time.monotonic() >= deadline:
            return True
        leased = monitoring.evaluations_lease(models=ready, limit=1, seconds=LEASE, worker=_worker())
        if not leased:
            return False
        for due in leased:
            with _reported(f"evaluating model {due.model_id} as of {due.as_of}"):
                run_evaluation(due)
    return False


def count_overrides(*, seconds: float = BUDGET) -> bool:
    """Count the overrides of decisions by group, in periods that have ended; True if work is left."""
    deadline = soon(seconds)
    for model_id, as_of in monitoring.override_rates_due(clock.now()):
        if time.monotonic() >= deadline:
            return True
        with _reported(f"counting overrides of model {model_id} before {as_of}"):
            monitoring.override_rates_count(spec=registry.model_spec_by_id(model_id), as_of=as_of)
    return False


def soon(seconds: float = BUDGET) -> float:
    """The monotonic time in so many seconds, for `evaluate`."""
    return time.monotonic() + seconds


def open_uploads() -> int:
    """Carry out erasures, open sealed uploads and have the hours of their subjects counted again.

    Erasures come first, so that an upload that cannot be opened does not hold them up.
    """
    while vault.erasures_execute():
        pass
    opened = 0
    with vault.opening_alone() as alone:
        while alone and (upload := vault.upload_open_next()):
            while upload.left:
                vault.upload_store_some(upload)
            with transaction.atomic():
                inference.hours_mark_dirty_for_subjects(subjects=vault.upload_finish(upload))
            opened += 1
    if opened:
        vault.keys_report()
    with transaction.atomic():
        inference.subjects_forget(subjects=vault.erasures_forget())
    return opened


def _ready_models() -> list[int]:
    waiting = monitoring.evaluations_waiting()
    backlog = events.dirty_hours_waiting(model_ids=list(waiting))
    return [
        model
        for model, since in waiting.items()
        if model not in backlog or backlog[model].hours <= BACKLOG or clock.now() - since > PATIENCE
    ]


def _worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


@contextmanager
def _reported(what: str) -> Iterator[None]:
    """Say that something failed and go on with the rest; its lease brings it back.

    Only the kind of error is said: a database's or a library's message may quote values.
    """
    try:
        yield
    except (vault.VaultError, vault.KeysUnavailable) as error:
        logger.error("%s failed: %s", what, error)
    except Exception as error:
        logger.error("%s failed: %s at %s", what, type(error).__name__, _place(error))


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else "?"
