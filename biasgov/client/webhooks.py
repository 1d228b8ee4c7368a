"""Signed webhooks, as https://www.standardwebhooks.com describes them: signed by biasgov, checked by who receives them.

A message carries three headers: ``webhook-id`` (the same at every attempt: by it a receiver knows what it has already
had), ``webhook-timestamp`` (seconds since 1970, of this attempt) and ``webhook-signature`` (one or more, separated by
spaces: ``v1,`` and the base64 of the HMAC-SHA256 over ``<id>.<timestamp>.<body>``). So neither the body nor the time
can be changed, and an old message cannot be sent again by somebody who overheard it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"
TOLERANCE = timedelta(minutes=5)
SHORTEST = 16
"""Bytes of a secret; the standard asks for 24 to 64, and its own example has 24."""
_PREFIX = "whsec_"
_VERSION = "v1"


class WebhookError(ValueError):
    """A message that must not be believed, or a secret that is none."""


def secret_bytes(secret: str) -> bytes:
    """The key in a secret as it is written down: base64, with or without ``whsec_`` before it. Raises WebhookError."""
    try:
        key = base64.b64decode(secret.strip().removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise WebhookError("The secret is not base64; make one with: openssl rand -base64 32") from None
    if len(key) < SHORTEST:
        raise WebhookError(f"The secret has {len(key)} bytes, and needs at least {SHORTEST}.")
    return key


def sign(*, secret: str, identifier: str, body: bytes, at: datetime) -> dict[str, str]:
    """The headers that go with a body sent at a moment. Raises WebhookError for a secret that is none."""
    timestamp = str(int(at.timestamp()))
    return {ID: identifier, TIMESTAMP: timestamp, SIGNATURE: _signature(secret, identifier, timestamp, body)}


def check(
    *,
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    at: datetime | None = None,
    tolerance: timedelta = TOLERANCE,
) -> str:
    """The identifier of a message that is genuine and recent; whoever has had that one before takes it no second time.

    headers: of the request, in any case. at: now, unless given. Raises WebhookError, without saying what would have
    been right.
    """
    given = {name.lower(): value for name, value in headers.items()}
    identifier, timestamp, signatures = (given.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not (identifier and timestamp and signatures):
        raise WebhookError(f"A signed message has the headers {ID}, {TIMESTAMP} and {SIGNATURE}.")
    expected = _signature(secret, identifier, timestamp, body).encode()
    if not any(hmac.compare_digest(expected, each.encode()) for each in signatures.split(" ")):
        raise WebhookError("The signature does not belong to this message.")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 11):
        raise WebhookError("The time of the message is no number of seconds.")
    age = (at or datetime.now(UTC)) - datetime.fromtimestamp(int(timestamp), UTC)
    if abs(age) > tolerance:
        raise WebhookError("The message is too old, or from the future.")
    return identifier


def _signature(secret: str, identifier: str, timestamp: str, body: bytes) -> str:
    signed = b".".join((identifier.encode(), timestamp.encode(), body))
    digest = hmac.digest(secret_bytes(secret), signed, "sha256")
    return f"{_VERSION},{base64.b64encode(digest).decode()}"
