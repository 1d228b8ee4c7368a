"""What people take away as a file is in the audit log: afterwards nobody can say where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.http import HttpRequest

from apps.audit import services as audit

if TYPE_CHECKING:
    from apps.accounts.models import User


def taken(request: HttpRequest, what: str, *, subject: str, model: str = "") -> None:
    """Write down that the person takes `what` of `subject` away, before it is sent."""
    person = cast("User", request.user)
    audit.append(actor=person.actor, action="export.taken", subject=subject, model=model, detail={"what": what})
