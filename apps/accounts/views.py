"""Signing in and out, and changing one's password."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import resolve_url

from apps.audit.services import append


class SignInForm(AuthenticationForm):
    """User name and password."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "This user name and password do not go together. Both are case-sensitive.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _dress(self)
        self.fields["username"].label = "User name"


class NewPasswordForm(PasswordChangeForm):
    """The present password, and the new one twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _dress(self)


class SignIn(auth_views.LoginView):
    """An attempt that cannot be written to the audit log does not sign anybody in."""

    template_name = "accounts/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    @transaction.atomic
    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        return super().form_valid(form)


class SignOut(auth_views.LogoutView):
    """By POST alone."""


class PasswordChange(LoginRequiredMixin, auth_views.PasswordChangeView):
    """Ends the person's other sessions, since their hash of the password no longer fits."""

    template_name = "accounts/password.html"
    form_class = NewPasswordForm

    def get_success_url(self) -> str:
        return resolve_url("inbox")

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        person = form.user
        append(actor=person.actor, action="person.password_changed", subject=person.actor)
        return super().form_valid(form)


def _dress(form: Any) -> None:
    for name, field in form.fields.items():
        field.widget.attrs["class"] = "form-control" + (" is-invalid" if form.is_bound and name in form.errors else "")
