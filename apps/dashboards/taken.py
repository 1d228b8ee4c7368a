"""What people take away as a file is in the audit log: afterwards nobody can say where it is."""

from __future__ import annotations

from django.http import HttpRequest

from apps.audit import services as audit
from apps.dashboards.acting import person_of


def taken(request: HttpRequest, what: str, *, subject: str, model: str = "") -> None:
    """Write down that the person takes `what` of `subject` away, before it is sent."""
    person = person_of(request)
    audit.append(actor=person.actor, action="export.taken", subject=subject, model=model, detail={"what": what})
