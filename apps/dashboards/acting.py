"""What a person does on a page: in whose name, and what is said of it on the next one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.http import HttpRequest

from apps.common.errors import Refused

if TYPE_CHECKING:
    from apps.accounts.models import User


def person_of(request: HttpRequest) -> User:
    """Who is signed in; only for views that let nobody else in."""
    return cast("User", request.user)


def done(request: HttpRequest, verb: Callable[[], Any], said: str = "") -> bool:
    """Do what was asked for and say so; a refusal is said in its own words instead, and nothing was done (False)."""
    try:
        verb()
    except Refused as refusal:
        messages.error(request, refusal.message)
        return False
    if said:
        messages.success(request, said)
    return True
