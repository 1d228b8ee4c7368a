"""Doors for Celery, like `apps.pipeline.tasks`."""

from __future__ import annotations

from apps.api.idempotency import answers_forget
from apps.pipeline.wake import door


@door("governance.forget_answers")
def forget_answers() -> None:
    answers_forget()
