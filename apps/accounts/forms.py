"""The forms of signing in, and of one's own account."""

from __future__ import annotations

from typing import Any

from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, SetPasswordForm
from django.http import HttpRequest

from apps.accounts import throttle
from apps.accounts.models import User
from apps.accounts.second_factors import code_accept, moment_of

_RULES = "At least 12 characters, not only digits; nothing common, nothing like your name."
_ONE_TIME = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false", "placeholder": ""}


def dress(form: Any) -> None:
    """Our look for a form's fields."""
    for name, field in form.fields.items():
        wrong = form.is_bound and name in form.errors
        kind = "form-check-input" if getattr(field.widget, "input_type", "") == "checkbox" else "form-control"
        field.widget.attrs["class"] = kind + (" is-invalid" if wrong else "")


class SignInForm(AuthenticationForm):
    """User name and password."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "This user name and password do not go together. Both are case-sensitive.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "User name"
        dress(self)


class NewPasswordForm(PasswordChangeForm):
    """The present password, and the new one twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name_passwords(self)
        dress(self)


class FirstPasswordForm(SetPasswordForm):  # type: ignore[type-arg]
    """A password twice, for who was invited."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name_passwords(self)
        dress(self)


class CodeForm(AuthenticateForm):
    """A code of the authenticator app, or a recovery code. Wrong ones are counted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = "Code of your authenticator app, or a recovery code"
        self.fields["code"].widget.attrs |= _ONE_TIME
        dress(self)

    def clean_code(self) -> str:
        """Leaves in `authenticator` which second factor the code belongs to."""
        request, person, code = context.request, self.user, self.cleaned_data["code"]
        if not throttle.second_factor_allowed(request, person):
            request.axes_locked_out = True
            raise forms.ValidationError("There were too many wrong codes.")
        factor = code_accept(person=person, code=code)
        if factor is None:
            throttle.second_factor_failed(request, person)
            raise forms.ValidationError("This code is wrong, or it was used before. A new one comes every 30 seconds.")
        throttle.second_factor_passed(person)
        factor.user = person
        self.authenticator = factor
        return str(code)


class PasswordForm(forms.Form):
    """The password of the person who is signed in."""

    password = forms.CharField(strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))

    def __init__(self, *args: Any, user: User, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.request = request
        dress(self)

    def clean_password(self) -> str:
        """Counted like a failed sign-in where it is wrong."""
        given: str = self.cleaned_data["password"]
        if authenticate(self.request, username=self.user.username, password=given) != self.user:
            raise forms.ValidationError("This is not your password.")
        return given


class AuthenticatorAppForm(ActivateTOTPForm):
    """The first code that a new authenticator app shows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = "The code that it shows now"
        self.fields["code"].widget.attrs |= _ONE_TIME
        dress(self)

    def clean_code(self) -> str:
        code = "".join(self.cleaned_data["code"].split())
        if moment_of(self.secret, code) is None:
            raise forms.ValidationError(
                "This is not the code that the app shows now. A new one comes every 30 seconds."
            )
        return code


class PasskeyForm(AddWebAuthnForm):
    """A name for a new passkey; what the browser made of it is filled in by a script."""

    name = forms.CharField(required=False, max_length=60, label="Name, so that you know it again")
    passwordless = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)


def _name_passwords(form: Any) -> None:
    form.fields["new_password1"].help_text = _RULES
    form.fields["new_password2"].label = "The same again"
    form.fields["new_password2"].help_text = ""
