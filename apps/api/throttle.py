"""How often one token may call: a fixed window of a minute, counted in Valkey.

Without Valkey nobody is refused: losing events is worse than a busy minute.
"""

from __future__ import annotations

import time
from functools import cache

import redis
from django.conf import settings

from apps.api.problems import Problem
from apps.api.tokens import Bearer

_WINDOW = 60
_PAUSE = 5.0
_silent_until = 0.0


def check_rate(bearer: Bearer) -> None:
    """Count this call. Raises Problem (429) with Retry-After past ``API_RATE_PER_MINUTE``."""
    global _silent_until
    if not settings.REDIS_URL or time.monotonic() < _silent_until:
        return
    now = time.time()
    key = f"api:rate:{bearer.digest[:12].hex()}:{int(now // _WINDOW)}"
    try:
        with _client(settings.REDIS_URL).pipeline(transaction=False) as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, 2 * _WINDOW)
            calls, _ = pipeline.execute()
    except redis.RedisError:
        _silent_until = time.monotonic() + _PAUSE
        return
    if calls > settings.API_RATE_PER_MINUTE:
        wait = _WINDOW - int(now % _WINDOW)
        raise Problem(
            429,
            f"This token may call {settings.API_RATE_PER_MINUTE:,} times a minute. Try again in {wait} s.",
            headers={"Retry-After": str(wait)},
        )


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=0.25, socket_connect_timeout=0.25)
