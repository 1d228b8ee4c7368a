"""Issuing and revoking tokens."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import sha256

from django.db import IntegrityError, transaction

from apps.api.models import ApiToken
from apps.api.tokens import SCOPES, lifetime
from apps.audit.services import append
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.declarations import check_text
from apps.registry.selectors import model_id_of

PREFIX = "bg_"
"""Lets secret scanners recognise a token."""


def token_issue(*, actor: str, name: str, scopes: Sequence[str], model: str | None = None, days: int = 30) -> str:
    """Make a token and return it: it is shown once and cannot be found again.

    Raises
    ------
    Refused
        The name is taken (code ``exists``), a scope or the model is unknown, or the life is too long.
    """
    label = check_text(name, "name", longest=80)
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise Refused("scopes", f"{', '.join(unknown) or 'nothing'} is none of {', '.join(SCOPES)}.")
    model_id = model_id_of(model) if model else None
    if model and model_id is None:
        raise Refused("model", f"There is no model called {model!r}.", code="not_found")
    try:
        life = lifetime(days)
    except ValueError as error:
        raise Refused("days", str(error)) from None
    secret = PREFIX + secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            ApiToken.objects.create(
                name=label,
                digest=sha256(secret.encode()).digest(),
                scopes=sorted(set(scopes)),
                model_id=model_id,
                expires_at=clock.now() + life,
            )
            append(
                actor=actor,
                action="token.issued",
                subject=f"token:{label}",
                detail={"scopes": sorted(set(scopes)), "model": model, "days": days},
            )
    except IntegrityError:
        if ApiToken.objects.filter(name=label).exists():
            raise Refused("name", f"There is already a token called {label!r}.", code="exists") from None
        raise
    return secret


def token_revoke(*, actor: str, name: str) -> bool:
    """End a token now; returns whether there was a live one of that name."""
    with transaction.atomic():
        ended = ApiToken.objects.filter(name=name, revoked_at=None).update(revoked_at=clock.now()) == 1
        if ended:
            append(actor=actor, action="token.revoked", subject=f"token:{name}", detail={})
    return ended
