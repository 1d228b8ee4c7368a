"""Which tokens there are; never what they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from apps.api.models import ApiToken
from apps.common import clock


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token as administrators see it. model: the name of the one it is bound to. last_used_at: to the hour."""

    id: int
    name: str
    scopes: tuple[str, ...]
    model: str
    issued_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None

    @property
    def maker(self) -> str:
        """Who issued it, as people say it."""
        kind, _, name = self.issued_by.partition(":")
        return name if kind == "user" else f"{kind} {name}"


def tokens(*, live: bool, after: str = "", limit: int = 50) -> tuple[TokenView, ...]:
    """The tokens that count, or those that do so no more, by name, from the one after `after`. One query."""
    ended = Q(revoked_at__isnull=False) | Q(expires_at__lte=clock.now())
    found = ApiToken.objects.filter(~ended if live else ended, name__gt=after).select_related("model")
    return tuple(map(_view, found.order_by("name")[:limit]))


def token(token_id: int) -> TokenView | None:
    """One token, if there is one with that id."""
    found = ApiToken.objects.select_related("model").filter(pk=token_id).first()
    return _view(found) if found else None


def _view(row: ApiToken) -> TokenView:
    return TokenView(
        id=row.pk,
        name=row.name,
        scopes=tuple(row.scopes),
        model=row.model.name if row.model else "",
        issued_by=row.issued_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
