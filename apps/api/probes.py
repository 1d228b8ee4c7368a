"""What an orchestrator asks: is it alive, can it serve, what has it done."""

from __future__ import annotations

from contextlib import suppress

import redis
from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from apps.api import counters
from apps.common import clock
from apps.pipeline import selectors as pipeline


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """503 without the database. Without the broker it still serves: the pipeline only wakes up later.

    A side of the pipeline that stands still is said to be, because it cannot say so itself.
    """
    parts = {"database": _database_answers(), "broker": _broker_answers()}
    state = {name: "ok" if answers else "down" for name, answers in parts.items()}
    if parts["database"]:
        silent = pipeline.silent_sides()
        state |= {
            side: "never seen" if last is None else "stalled" if side in silent else "ok"
            for side, last in pipeline.rounds().items()
        }
    return JsonResponse(state, status=200 if parts["database"] else 503)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """This process's counters in Prometheus' text format, and since when each side's last round is over."""
    with suppress(Error):
        counters.rounds({side: clock.now() - last for side, last in pipeline.rounds().items() if last is not None})
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True


def _broker_answers() -> bool:
    if not settings.REDIS_URL:
        return False
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
