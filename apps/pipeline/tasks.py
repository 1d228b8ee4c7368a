"""Doors for Celery: each wakes one service, which finds its own work. Losing a message loses a moment, no work."""

from __future__ import annotations

from celery import shared_task

from apps.pipeline import answering, services, watching
from apps.pipeline.wake import again
from apps.responses import services as responses


@shared_task(name="compute.open_uploads")
def open_uploads() -> None:
    services.open_uploads()


@shared_task(name="compute.sweep")
def sweep() -> None:
    if services.sweep():
        again(sweep)


@shared_task(name="compute.evaluate_due")
def evaluate_due() -> None:
    services.evaluate_due()


@shared_task(name="governance.respond")
def respond() -> None:
    answering.answer_waiting()


@shared_task(name="governance.deliver")
def deliver() -> None:
    responses.deliver()


@shared_task(name="governance.watch")
def watch() -> None:
    watching.watch()
