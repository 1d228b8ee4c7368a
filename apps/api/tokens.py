"""Bearer tokens: what they may do, and finding the one that a request carries."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.db.models import Q

from apps.api.models import ApiToken
from apps.api.problems import unauthorized
from apps.common import clock

SCOPES = {
    "events:write": "send decisions",
    "labels:write": "send outcomes",
    "attributes:write": "upload and erase protected attributes",
    "read": "read models, results, findings and incidents",
    "gate:write": "send training sets for their check",
    "incidents:write": "open incidents",
    "audit:read": "take the audit log away",
    "admin": "register models and versions; includes reading and opening incidents",
}
"""What a token may do, and how that is said to people."""
_OF_ADMIN = ("read", "incidents:write")
_CACHE_SECONDS = 5.0
_CACHE_SIZE = 1024


@dataclass(frozen=True, slots=True)
class Bearer:
    """The program that calls: `model_slug` is None where its token is not bound to a model."""

    token_id: int
    name: str
    scopes: frozenset[str]
    model_slug: str | None
    digest: bytes
    expires_at: datetime

    @property
    def actor(self) -> str:
        """The caller's name in the audit log."""
        return f"token:{self.name}"

    def has(self, scope: str) -> bool:
        """Whether the token may do what needs `scope`; `admin` includes reading and opening incidents."""
        return scope in self.scopes or (scope in _OF_ADMIN and "admin" in self.scopes)

    def may_see(self, slug: str) -> bool:
        """Whether the token may know of the model called `slug`."""
        return self.model_slug in (None, slug)


_cache: dict[bytes, tuple[float, Bearer]] = {}


def bearer_of(authorization: str) -> Bearer:
    """The bearer named by an Authorization header.

    A revocation is noticed within five seconds. Raises Problem (401) for anything but a live token.
    """
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise unauthorized("Send 'Authorization: Bearer <token>'.")
    digest = sha256(secret.strip().encode("utf-8", "surrogateescape")).digest()
    until, bearer = _cache.get(digest, (0.0, None))
    if bearer is None or until < time.monotonic():
        bearer = _look_up(digest)
        if len(_cache) >= _CACHE_SIZE:
            _cache.clear()
        _cache[digest] = (time.monotonic() + _CACHE_SECONDS, bearer)
    if bearer.expires_at <= clock.now():
        raise unauthorized("This token has expired.")
    return bearer


def _look_up(digest: bytes) -> Bearer:
    token = ApiToken.objects.select_related("model").filter(digest=digest, revoked_at=None).first()
    if token is None:
        _cache.pop(digest, None)
        raise unauthorized("This token is not known, or it was revoked.")
    hour = clock.hour_floor(clock.now())
    if token.last_used_at is None or token.last_used_at < hour:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=hour)
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=hour)
    return Bearer(
        token_id=token.pk,
        name=token.name,
        scopes=frozenset(token.scopes),
        model_slug=token.model.slug if token.model else None,
        digest=digest,
        expires_at=token.expires_at,
    )


def lifetime(days: int) -> timedelta:
    """How long a token of `days` lives; raises ValueError outside of 1 to 730 days."""
    if not 1 <= days <= 730:
        raise ValueError(f"A token lives 1 to 730 days, not {days}.")
    return timedelta(days=days)
