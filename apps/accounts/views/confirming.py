"""Confirming that it is still the person who signed in: by password, code, passkey or identity provider."""

from __future__ import annotations

from typing import Any, cast

from allauth.mfa.webauthn.forms import ReauthenticateWebAuthnForm
from allauth.mfa.webauthn.internal.auth import begin_authentication
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from apps.accounts.addresses import local_path
from apps.accounts.confirmation import PASSWORD, confirm
from apps.accounts.forms import CodeForm, PasswordForm
from apps.accounts.identities import identities_of
from apps.accounts.models import User
from apps.accounts.second_factors import APP, CODES, PASSKEY, WORDS, kinds_held
from apps.audit.services import append
from biasgov.openid import PROVIDER_ID

AGAIN = "Thank you. Nothing was sent yet: look at it once more, and send it again."


@method_decorator([never_cache, login_required], name="dispatch")
class Confirm(View):
    """One form for each way that the person has; whichever is sent is checked."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(request, request.GET, self._forms(request, request.GET))

    @method_decorator(transaction.atomic)
    def post(self, request: HttpRequest) -> HttpResponse:
        forms = self._forms(request, request.POST)
        sent = next((form for form in forms.values() if form.is_bound), None)
        person = cast(User, request.user)
        if sent is None or not sent.is_valid():
            if sent is not None and not isinstance(sent, PasswordForm):
                append(actor=person.actor, action="person.confirmation_failed", subject=person.actor)
            return self._page(request, request.POST, forms)
        by = self._by(sent)
        append(actor=person.actor, action="person.confirmed", subject=person.actor, detail={"by": by})
        confirm(request, by=by)
        if request.POST.get("again"):
            messages.info(request, AGAIN)
        return redirect(local_path(request, request.POST.get("next", "")))

    def _forms(self, request: HttpRequest, asked: Any) -> dict[str, Any]:
        person = cast(User, request.user)
        held = kinds_held(person)
        sent = request.POST if request.method == "POST" else {}

        def data(field: str) -> Any:
            return sent if field in sent else None

        forms: dict[str, Any] = {}
        if held & {APP, CODES}:
            forms["code_form"] = CodeForm(user=person, data=data("code"))
        if PASSKEY in held:
            forms["passkey_form"] = ReauthenticateWebAuthnForm(user=person, data=data("credential"))
        if person.has_usable_password() and not (asked.get("ask") and held & {APP, PASSKEY}):
            forms["password_form"] = PasswordForm(user=person, request=request, data=data("password"))
        return forms

    def _by(self, form: Any) -> str:
        """What the person has shown; for a second factor, its use is noted with it."""
        if isinstance(form, PasswordForm):
            return PASSWORD
        factor = form.authenticator if isinstance(form, CodeForm) else form.cleaned_data["credential"]
        factor.record_usage()
        return WORDS[factor.type]

    def _page(self, request: HttpRequest, asked: Any, forms: dict[str, Any]) -> HttpResponse:
        person = cast(User, request.user)
        context: dict[str, Any] = forms | {
            "next": local_path(request, asked.get("next", "")),
            "again": asked.get("again", ""),
            "ask": asked.get("ask", ""),
        }
        if "passkey_form" in forms:
            context["passkey_options"] = begin_authentication(person)
        if settings.OPENID and identities_of(person):
            context |= {"openid": settings.OPENID, "provider_id": PROVIDER_ID}
        return render(request, "accounts/confirm.html", context)
