"""Signing in, by password and second factor, by passkey or through an identity provider; and signing out.

What is not written to the audit log did not happen: each step is one transaction with its entry.
"""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.webauthn.views import LoginWebAuthnView
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.openid_connect import views as openid
from django.conf import settings
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.addresses import local_path
from apps.accounts.forms import SignInForm
from apps.accounts.second_factors import APP, CODES, PASSKEY, kinds_held
from apps.audit.services import append
from biasgov.openid import PROVIDER_ID


class SignIn(auth_views.LoginView):
    """User name and password; who has a second factor is asked for it next."""

    template_name = "accounts/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"openid": settings.OPENID, "provider_id": PROVIDER_ID}

    @transaction.atomic
    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        wanted = local_path(self.request, self.get_success_url())
        person = form.get_user()
        login = Login(user=person, redirect_url=wanted)
        return perform_password_login(self.request, {"username": person.username}, login)


class SecondFactor(AuthenticateView):
    """The second step: a code, or a passkey."""

    template_name = "accounts/second_factor.html"

    @method_decorator(transaction.atomic)
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().post(request, *args, **kwargs)

    def form_invalid(self, form: Any) -> HttpResponse:
        person = self.stage.login.user
        by = "code" if form is self.auth_form else "passkey"
        append(actor="anonymous", action="second_factor.failed", subject=person.actor, detail={"by": by})
        return super().form_invalid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        held = kinds_held(self.stage.login.user)
        return super().get_context_data(**kwargs) | {
            "by_code": bool(held & {APP, CODES}),
            "by_passkey": PASSKEY in held,
        }


@method_decorator(transaction.atomic, name="post")
@method_decorator(never_cache, name="dispatch")
class PasskeySignIn(LoginWebAuthnView):
    """A passkey alone: it is something the person has, and has unlocked by what they know or are."""

    def form_invalid(self, form: Any) -> HttpResponse:
        append(actor="anonymous", action="second_factor.failed", subject="no such account", detail={"by": "passkey"})
        return super().form_invalid(form)


@require_POST
def openid_sign_in(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Leads to the identity provider; with `prove`, which then asks the person anew who they are."""
    provider = _provider(request, provider_id)
    wanted = local_path(request, request.POST.get("next", ""))
    asked = {"prompt": "login", "max_age": "0"} if request.POST.get("prove") else {}
    return provider.redirect(request, process=AuthProcess.LOGIN, next_url=wanted, auth_params=asked)


@require_GET
@never_cache
@transaction.atomic
def openid_return(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Where the identity provider sends people back to."""
    _provider(request, provider_id)
    return openid.callback(request, provider_id)


class SignOut(auth_views.LogoutView):
    """By POST alone."""


def _provider(request: HttpRequest, provider_id: str) -> Any:
    if settings.OPENID is None or provider_id != PROVIDER_ID:
        raise Http404("There is no such identity provider.")
    return get_adapter().get_provider(request, provider_id)
