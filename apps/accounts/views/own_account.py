"""One's own account: password, authenticator app, passkeys and recovery codes."""

from __future__ import annotations

from typing import Any, cast

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.internal.auth import begin_registration
from allauth.mfa.webauthn.views import AddWebAuthnView, RemoveWebAuthnView
from django.conf import settings
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.urls import reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.accounts.confirmation import View, confirm, requires_proof
from apps.accounts.forms import NewPasswordForm
from apps.accounts.identities import identities_of
from apps.accounts.models import User
from apps.accounts.second_factors import APP, CODES, PASSKEY, WORDS, code_accept, lacks_second_factor
from apps.audit.services import append


@require_GET
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """How one signs in, and what one may do here."""
    person = cast(User, request.user)
    held: dict[str, list[Authenticator]] = {}
    for factor in Authenticator.objects.filter(user=person).order_by("created_at"):
        held.setdefault(factor.type, []).append(factor)
    codes = held.get(CODES, [])
    context = {
        "app": next(iter(held.get(APP, [])), None),
        "passkeys": held.get(PASSKEY, []),
        "codes_left": len(codes[0].wrap().get_unused_codes()) if codes else None,
        "lacks_second_factor": lacks_second_factor(person),
        "identities": identities_of(person) if settings.OPENID else [],
        "openid": settings.OPENID,
    }
    return render(request, "accounts/account.html", context)


class PasswordChange(LoginRequiredMixin, auth_views.PasswordChangeView):
    """Ends the person's other sessions, since their hash of the password no longer fits."""

    template_name = "accounts/password.html"
    form_class = NewPasswordForm

    def get_success_url(self) -> str:
        return resolve_url("account")

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        person = form.user
        append(actor=person.actor, action="person.password_changed", subject=person.actor)
        return super().form_valid(form)


class AppAdd(ActivateTOTPView):
    template_name = "accounts/app_add.html"

    def form_valid(self, form: Any) -> HttpResponse:
        answer = super().form_valid(form)
        code_accept(person=form.user, code=form.cleaned_data["code"])
        _added(self.request, APP, codes=self.did_generate_recovery_codes)
        return answer


class AppRemove(DeactivateTOTPView):
    template_name = "accounts/app_remove.html"
    success_url = reverse_lazy("account")

    def form_valid(self, form: Any) -> HttpResponse:
        _note(self.request, "second_factor.removed", APP)
        return super().form_valid(form)


class PasskeyAdd(AddWebAuthnView):
    """A passkey that can be used alone, since it is unlocked by what its holder knows or is."""

    template_name = "accounts/passkey_add.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        context["passkey_options"] = begin_registration(self.request.user, passwordless=True)
        return context

    def form_valid(self, form: Any) -> HttpResponse:
        answer = super().form_valid(form)
        _added(self.request, PASSKEY, codes=self.did_generate_recovery_codes)
        return answer


class PasskeyRemove(RemoveWebAuthnView):
    template_name = "accounts/passkey_remove.html"
    success_url = reverse_lazy("account")

    def form_valid(self, form: Any) -> HttpResponse:
        _note(self.request, "second_factor.removed", PASSKEY)
        return super().form_valid(form)


class CodesMake(GenerateRecoveryCodesView):
    template_name = "accounts/codes_make.html"

    def form_valid(self, form: Any) -> HttpResponse:
        _note(self.request, "recovery_codes.made", CODES)
        return super().form_valid(form)


class CodesShow(ViewRecoveryCodesView):
    """Shown once, right after they were made."""

    template_name = "accounts/codes.html"


def _added(request: HttpRequest, kind: str, *, codes: bool) -> None:
    """Note a new second factor. Whoever has just shown it need not confirm by it right away."""
    _note(request, "second_factor.added", kind)
    if codes:
        _note(request, "recovery_codes.made", CODES)
    confirm(request, by=WORDS[kind])


def _note(request: HttpRequest, action: str, kind: str) -> None:
    person = cast(User, request.user)
    append(actor=person.actor, action=action, subject=person.actor, detail={"kind": WORDS[kind]})


def _guarded(view: View) -> View:
    """Only for who has just confirmed; the change and its audit entry are one transaction."""
    return never_cache(requires_proof(transaction.atomic(view)))


app_add = _guarded(AppAdd.as_view())
app_remove = _guarded(AppRemove.as_view())
passkey_add = _guarded(PasskeyAdd.as_view())
passkey_remove = _guarded(PasskeyRemove.as_view())
codes_make = _guarded(CodesMake.as_view())
codes_show = _guarded(CodesShow.as_view())
