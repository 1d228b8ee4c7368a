"""The people of the house."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractUser, Group
from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.common import clock


class User(AbstractUser):
    """A person with an account. What they may do follows from roles and ownership alone (see `permissions`)."""

    class Meta(AbstractUser.Meta):
        db_table = "accounts_user"

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """Full name where there is one, else the user name."""
        return self.get_full_name() or self.username

    @property
    def initials(self) -> str:
        """One or two capitals for small places."""
        words = self.display_name.replace(".", " ").replace("-", " ").split()
        return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()

    @property
    def actor(self) -> str:
        """How the audit log names this person."""
        return f"user:{self.username}"


class RoleTerm(models.Model):
    """The limits within which a person holds a role: until when, and for which models (none named: for all)."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="terms")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="terms")
    until = models.DateTimeField()
    scope = ArrayField(models.BigIntegerField(), default=list, help_text="ids of models")

    class Meta:
        db_table = "accounts_role_term"
        constraints = [models.UniqueConstraint(fields=["person", "group"], name="accounts_one_term_a_role")]

    def __str__(self) -> str:
        return f"{self.group_id} of {self.person_id} until {self.until:%Y-%m-%d}"


class Invitation(models.Model):
    """A link by which a person sets a password, once; only its SHA-256 is kept."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="invitations")
    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "accounts_invitation"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"invitation {self.pk} of {self.person_id}"


class SentForm(models.Model):
    """A form that was sent, so that it is carried out once (see `replays`)."""

    digest = models.BinaryField(primary_key=True, max_length=32)
    sent_at = models.DateTimeField(default=clock.now, db_index=True)

    class Meta:
        db_table = "accounts_sent_form"

    def __str__(self) -> str:
        return f"a form sent at {self.sent_at:%Y-%m-%d %H:%M}"
