"""How often somebody may guess: a password from one address, a second factor from anywhere.

Six wrong passwords for one user name from one address end attempts from there for a quarter of an hour. Whoever gets as
far as the second factor knows the password, so there the account alone is counted, whatever the address.
"""

from __future__ import annotations

from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.http import HttpRequest

from apps.accounts.models import User

# No user name has a space in it.
_SECOND_FACTOR = "second factor of "


def lockout_parameters(request: Any, credentials: dict[str, Any] | None = None) -> list[str | list[str]]:
    """What django-axes counts together. `request` may be one of its recorded attempts, too."""
    tried = (credentials or {}).get("username") or getattr(request, "username", None) or ""
    return ["username"] if tried.startswith(_SECOND_FACTOR) else [["username", "ip_address"]]


def client_address(request: HttpRequest) -> str | None:
    """Where the request comes from: behind our own proxy, the address that this proxy saw."""
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return forwarded if settings.BEHIND_PROXY and forwarded else request.META.get("REMOTE_ADDR")


def second_factor_allowed(request: HttpRequest, person: User) -> bool:
    """Whether a second factor of `person` may be tried now."""
    return bool(AxesProxyHandler.is_allowed(request, _credentials(person)))


def second_factor_failed(request: HttpRequest, person: User) -> None:
    """Count a wrong one."""
    AxesProxyHandler.user_login_failed(sender=__name__, credentials=_credentials(person), request=request)


def second_factor_passed(person: User) -> None:
    """Forget the wrong ones."""
    AxesProxyHandler.reset_attempts(username=_credentials(person)["username"])


def account_tried(username: str | None) -> str:
    """The user name behind what django-axes calls one."""
    return (username or "").removeprefix(_SECOND_FACTOR)


def _credentials(person: User) -> dict[str, str]:
    return {"username": f"{_SECOND_FACTOR}{person.username}"}
