"""What django-allauth asks us: where to lead people, how to say things, how to keep secrets, whom to let in."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from functools import cache
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.accounts.addresses import is_ours
from apps.accounts.confirmation import confirm
from apps.accounts.identities import IdentityRefused, identity_admit, proved_just_now
from apps.audit.services import append

UNKNOWN_IDENTITY = "This company account is not known here. Ask an administrator to invite you."
_NONCE = 12


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs themselves up, nobody is led to another site, and nothing is said but what we say ourselves."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        return is_ours(self.request, url)

    def add_message(
        self, request: HttpRequest, level: int, *args: Any, message: str | None = None, **more: Any
    ) -> None:
        if message:
            messages.add_message(request, level, message)

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        messages.error(request, "You cannot sign in with this. Ask an administrator.")
        return redirect("login")

    def post_login(self, request: HttpRequest, user: Any, **details: Any) -> HttpResponse:
        """Who has proved themselves to the identity provider this very minute need not do so again here."""
        response: HttpResponse = super().post_login(request, user, **details)
        identity = (details.get("signal_kwargs") or {}).get("sociallogin")
        if identity is not None and proved_just_now(identity):
            confirm(request, by="identity provider")
        return response


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets of authenticator apps and recovery codes are encrypted with a key made of Django's secret."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "This was not accepted. A code counts once and for 30 seconds: try the next one.",
    }

    def encrypt(self, text: str) -> str:
        nonce = os.urandom(_NONCE)
        return b64encode(nonce + _cipher(settings.SECRET_KEY).encrypt(nonce, text.encode(), None)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        kept = b64decode(encrypted_text)
        return _cipher(settings.SECRET_KEY).decrypt(kept[:_NONCE], kept[_NONCE:], None).decode()

    def generate_authenticator_name(self, user: Any, type: Authenticator.Type) -> str:
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1
        return f"Passkey {number}"


class IdentityAdapter(DefaultSocialAccountAdapter):
    """An identity provider's account opens the one person here whose mail address it has verified, or nothing."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        try:
            identity_admit(sociallogin)
        except IdentityRefused as refused:
            append(
                actor="anonymous",
                action="person.sign_in_refused",
                subject=refused.person.actor if refused.person else "no such account",
                detail={"reason": refused.reason},
            )
            raise ImmediateHttpResponse(_back(request, UNKNOWN_IDENTITY)) from None

    def on_authentication_error(self, request: HttpRequest, provider: Any, **_: Any) -> None:
        raise ImmediateHttpResponse(_back(request, f"Signing in with {provider.name} did not work. Try again."))


def _back(request: HttpRequest, message: str) -> HttpResponse:
    messages.error(request, message)
    return redirect("login")


@cache
def _cipher(secret: str) -> AESGCM:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"biasgov second factors").derive(secret.encode())
    return AESGCM(key)
