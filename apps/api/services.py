"""Issuing and revoking tokens."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import sha256

from django.db import IntegrityError, transaction

from apps.accounts.services import Actor, authorised, said
from apps.api.models import ApiToken
from apps.api.tokens import SCOPES, lifetime
from apps.audit.services import append
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.declarations import check_text
from apps.registry.selectors import model_id_of

PREFIX = "bg_"
"""Lets secret scanners recognise a token."""


def token_issue(*, actor: Actor, name: str, scopes: Sequence[str], model: str | None = None, days: int = 30) -> str:
    """Make a token and return it: it is shown once and cannot be found again.

    Raises
    ------
    PermissionDenied
        The actor is a person who may not manage tokens.
    Refused
        The name is taken (code ``exists``), a scope or the model is unknown, or the life is too long.
    """
    by = authorised(actor, "token.manage")
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
                issued_by=by,
                expires_at=clock.now() + life,
            )
            append(
                actor=by,
                action="token.issued",
                subject=f"token:{label}",
                detail={"scopes": sorted(set(scopes)), "model": model, "days": days},
            )
    except IntegrityError:
        if ApiToken.objects.filter(name=label).exists():
            raise Refused("name", f"There is already a token called {label!r}.", code="exists") from None
        raise
    return secret


@transaction.atomic
def token_revoke(*, actor: Actor, name: str, reason: str = "") -> bool:
    """End a token now; returns whether there was a live one of that name.

    Raises PermissionDenied for a person who may not manage tokens, Refused for one who gives no reason.
    """
    by = authorised(actor, "token.manage", reason=reason)
    ended = ApiToken.objects.filter(name=name, revoked_at=None).update(revoked_at=clock.now()) == 1
    if ended:
        append(actor=by, action="token.revoked", subject=f"token:{name}", detail=said(reason))
    return ended
