"""Signing in and out, and changing one's password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import authenticate
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.views.generic import FormView

from apps.accounts.confirmation import confirm, local_path
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


class ConfirmForm(forms.Form):
    """The password of the person who is signed in."""

    password = forms.CharField(
        strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True})
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        _dress(self)

    def clean_password(self) -> str:
        """Counted like a failed sign-in where it is wrong."""
        given: str = self.cleaned_data["password"]
        person: Any = self.request.user
        if authenticate(self.request, username=person.username, password=given) != person:
            raise forms.ValidationError("This is not your password.")
        return given


class Confirm(LoginRequiredMixin, FormView):  # type: ignore[type-arg]
    """Asks the person who is signed in to show that it is still them, and leads back."""

    template_name = "accounts/confirm.html"
    form_class = ConfirmForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        asked = self.request.POST if self.request.method == "POST" else self.request.GET
        return super().get_context_data(**kwargs) | {
            "next": local_path(self.request, asked.get("next", "")),
            "again": asked.get("again", ""),
        }

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        person: Any = self.request.user
        append(actor=person.actor, action="person.confirmed", subject=person.actor, detail={"by": "password"})
        confirm(self.request)
        if self.request.POST.get("again"):
            messages.info(self.request, "Thank you. Nothing was sent yet: look at it once more, and send it again.")
        return redirect(local_path(self.request, self.request.POST.get("next", "")))


def _dress(form: Any) -> None:
    for name, field in form.fields.items():
        field.widget.attrs["class"] = "form-control" + (" is-invalid" if form.is_bound and name in form.errors else "")
