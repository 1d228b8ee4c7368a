"""What administrators fill in about people and tokens. The services judge what is given; here it gets its types."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from django import forms

from apps.accounts.forms import dress
from apps.accounts.roles import ROLES
from apps.accounts.services import LONGEST_REASON
from apps.api.tokens import SCOPES
from apps.registry.selectors import ModelName, model_names


class ReasonForm(forms.Form):
    """Why something is done."""

    reason = forms.CharField(
        label="Why; it is kept in the audit log",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer()
        dress(self)

    def offer(self) -> None:
        """Fill in what there is to choose from."""

    def refuse(self, field: str, message: str) -> None:
        """Show a service's refusal beside the field that it names."""
        self.add_error(field if field in self.fields else None, message)
        dress(self)


class RoleForm(ReasonForm):
    """A role, until when, and for which models."""

    role = forms.ChoiceField(choices=list(ROLES.items()))
    until = forms.DateField(
        label="Until the end of this day (UTC)",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="Empty: without an end; an auditor's role then ends after 90 days. An administrator's has none.",
    )
    models = forms.MultipleChoiceField(
        label="Only for these models",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="For auditors alone. None chosen: for all models.",
    )
    field_order: tuple[str, ...] = ("role", "until", "models", "reason")

    def offer(self) -> None:
        self._names = model_names()
        self.fields["models"].choices = _choices(self._names)  # type: ignore[attr-defined]

    @property
    def scope(self) -> list[ModelName]:
        """The models that were chosen."""
        return [each for each in self._names if each.slug in self.cleaned_data["models"]]

    @property
    def end(self) -> datetime | None:
        """The last second of the day that was given."""
        day = self.cleaned_data["until"]
        return datetime.combine(day, time(23, 59, 59), UTC) if day else None


class InviteForm(RoleForm):
    """A new person, with their first role."""

    name = forms.CharField(label="Full name", max_length=300)
    username = forms.CharField(label="User name", max_length=150, help_text="They sign in with it. It stays for good.")
    email = forms.EmailField(label="Mail address", required=False, max_length=254)
    role = forms.ChoiceField(choices=[("", "none yet"), *ROLES.items()], required=False)
    field_order = ("name", "username", "email", "role", "until", "models", "reason")


class OwnForm(ReasonForm):
    """A model that a person shall own."""

    model = forms.ChoiceField()
    field_order = ("model", "reason")

    def offer(self) -> None:
        self.fields["model"].choices = _choices(model_names())  # type: ignore[attr-defined]


class TokenForm(forms.Form):
    """A token for a program."""

    name = forms.CharField(max_length=80, help_text="Which program holds it. The audit log shows this name.")
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=[(scope, f"{scope}: {words}") for scope, words in SCOPES.items()],
        widget=forms.CheckboxSelectMultiple,
    )
    model = forms.ChoiceField(required=False, help_text="A token for one model knows of no other.")
    days = forms.IntegerField(label="Days until it ends", min_value=1, max_value=730, initial=90)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["model"].choices = [("", "every model"), *_choices(model_names())]  # type: ignore[attr-defined]
        dress(self)

    def refuse(self, field: str, message: str) -> None:
        """Show a service's refusal beside the field that it names."""
        self.add_error(field if field in self.fields else None, message)


def _choices(names: tuple[ModelName, ...]) -> list[tuple[str, str]]:
    return [(each.slug, f"{each.name} ({each.slug})") for each in names]
