"""Signing in, failing to, and signing out, in the audit log.

Django announces these by signals and by nothing else; this is the one place that listens.
"""

from __future__ import annotations

from typing import Any

from allauth.account.authentication import get_authentication_records
from axes.signals import user_locked_out
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from apps.accounts.second_factors import WORDS
from apps.accounts.throttle import account_tried
from apps.audit.services import append

_METHODS = {"socialaccount": "identity provider"}


def connect() -> None:
    user_logged_in.connect(_signed_in, dispatch_uid="accounts.signed_in")
    user_logged_out.connect(_signed_out, dispatch_uid="accounts.signed_out")
    user_login_failed.connect(_failed, dispatch_uid="accounts.sign_in_failed")
    user_locked_out.connect(_locked_out, dispatch_uid="accounts.locked_out")


def _signed_in(user: Any, request: HttpRequest | None = None, **_: Any) -> None:
    shown = get_authentication_records(request, user) if request is not None else []
    by = [WORDS.get(each.get("type", ""), _METHODS.get(each["method"], each["method"])) for each in shown]
    append(actor=user.actor, action="person.signed_in", subject=user.actor, detail={"by": by})


def _signed_out(user: Any, **_: Any) -> None:
    if user is not None:
        append(actor=user.actor, action="person.signed_out", subject=user.actor)


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    person: Any = getattr(request, "user", None)
    if person is not None and person.is_authenticated:
        append(actor=person.actor, action="person.confirmation_failed", subject=person.actor)
        return
    append(actor="anonymous", action="person.sign_in_failed", subject=_subject(credentials.get("username")))


def _locked_out(username: str | None = None, **_: Any) -> None:
    append(actor="anonymous", action="person.locked_out", subject=_subject(account_tried(username)))


def _subject(username: str | None) -> str:
    """The account that was tried. What is no account stays unwritten: people type passwords into the wrong box."""
    known = bool(username) and get_user_model().objects.filter(username=username).exists()
    return f"user:{username}" if known else "no such account"
