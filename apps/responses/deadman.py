"""A sign of life for somebody outside: when it stays away, they raise the alarm that this house no longer can."""

from __future__ import annotations

import logging
from functools import partial
from http.client import HTTPException

from django.conf import settings

from apps.common import clock
from apps.common.patience import answers_within
from apps.responses.channels import DIRECT, Letter, send

logger = logging.getLogger(__name__)

TIMEOUT = 5.0
PATIENCE = 8.0
"""Seconds that all of them together are waited for."""


def alive() -> int:
    """Ping every address in HEARTBEAT_URLS: web addresses by GET, others by apprise; how many took it.

    Called at the end of a round of the governance side, so that a round that failed pings nobody. An address that does
    not answer harms nothing here: its owner notices.
    """
    return sum(map(bool, answers_within(PATIENCE, [partial(_ping, url) for url in settings.HEARTBEAT_URLS])))


def _ping(url: str) -> bool:
    kind = url.partition(":")[0].lower()
    try:
        if kind in ("http", "https"):
            with DIRECT.open(url, timeout=TIMEOUT) as answer:
                return bool(answer.status < 300)
        sign_of_life = "The governance side did its round."
        return send(url, Letter("heartbeat", "biasgov is alive", sign_of_life, "", clock.now())) == ""
    except (OSError, HTTPException, ValueError) as error:
        logger.warning("A heartbeat address (%s) did not answer: %s", kind, type(error).__name__)
        return False
