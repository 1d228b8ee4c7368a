"""Idempotency-Key: the same request gets the same answer for 24 hours, and happens once.

Only answers to what was done are kept. A refused request did nothing, so a repetition is simply judged again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

from django.db import connection, transaction
from django.http import HttpResponse

from apps.api.endpoint import JSON
from apps.api.models import IdempotentAnswer
from apps.api.problems import Problem
from apps.api.tokens import Bearer
from apps.common import clock

KEPT_FOR = timedelta(hours=24)
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


def once(*, bearer: Bearer, key: str, path: str, body: bytes, answer: Callable[[], HttpResponse]) -> HttpResponse:
    """The kept answer to this request, or `answer()`, kept in the transaction that does what was asked.

    A concurrent repetition waits for the first. Raises Problem: 400 for an unusable key, 422 for a key that was used
    with another body.
    """
    if not _KEY.fullmatch(key):
        raise Problem(400, "Idempotency-Key must be 1 to 200 printable characters without blanks.")
    digest = sha256(body).digest()
    with transaction.atomic():
        _wait_for_the_first(bearer, key, path)
        since = clock.now() - KEPT_FOR
        asked = IdempotentAnswer.objects.filter(token_id=bearer.token_id, path=path, key=key)
        kept = asked.filter(created_at__gte=since).first()
        if kept is not None:
            if bytes(kept.body_digest) != digest:
                raise Problem(422, "This Idempotency-Key was used with another body.", code="idempotency-key-reused")
            repeated = HttpResponse(bytes(kept.body), status=kept.status, content_type=JSON)
            repeated["Idempotency-Replayed"] = "true"
            return repeated
        given = answer()
        if given.status_code < 300:
            asked.delete()
            IdempotentAnswer.objects.create(
                token_id=bearer.token_id,
                key=key,
                path=path,
                body_digest=digest,
                status=given.status_code,
                body=given.content,
            )
        return given


def answers_forget() -> int:
    """Delete the answers that are kept no longer; returns how many."""
    deleted, _ = IdempotentAnswer.objects.filter(created_at__lt=clock.now() - KEPT_FOR).delete()
    return deleted


def _wait_for_the_first(bearer: Bearer, key: str, path: str) -> None:
    number = int.from_bytes(sha256(f"{bearer.token_id} {path} {key}".encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
