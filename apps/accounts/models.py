"""The people of the house."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser


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
