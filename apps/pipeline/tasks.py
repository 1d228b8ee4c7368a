"""Doors for Celery: each wakes one service, which finds its own work. Losing a message loses a moment, no work."""

from __future__ import annotations

from apps.approvals import services as approvals
from apps.monitoring import services as monitoring
from apps.pipeline import answering, services, watching
from apps.pipeline.wake import again, door
from apps.responses import services as responses
from apps.vault import services as vault


@door("compute.open_uploads")
def open_uploads() -> None:
    services.open_uploads()


@door("compute.sweep")
def sweep() -> None:
    if services.sweep():
        again(sweep)


@door("compute.evaluate_due")
def evaluate_due() -> None:
    services.evaluate_due()


@door("compute.rotate_keys")
def rotate_keys() -> None:
    if vault.rotate_when_due(seconds=services.BUDGET):
        again(rotate_keys)


@door("compute.drop_superseded")
def drop_superseded() -> None:
    monitoring.runs_drop_superseded()


@door("governance.respond")
def respond() -> None:
    answering.answer_waiting()


@door("governance.enforce_deadlines")
def enforce_deadlines() -> None:
    answering.deadlines_enforce()


@door("governance.deliver")
def deliver() -> None:
    responses.deliver()


@door("governance.watch")
def watch() -> None:
    watching.watch()


@door("governance.advance_approvals")
def advance_approvals() -> None:
    approvals.approvals_advance()
