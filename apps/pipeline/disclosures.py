"""Telling the data protection contact of every opening of values for a person, and of every look at them."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from apps.accounts.roles import COMPLIANCE
from apps.accounts.selectors import person_called
from apps.responses.announcements import announce
from apps.vault import selectors as vault
from apps.vault.selectors import AccessStep
from apps.vault.services import step_announced

_SAID = {"sealed": "were opened for", "shown": "were shown to"}


def disclosures_announce() -> int:
    """Tell of what has not been told yet; answers how many steps of accesses.

    The contact is the person whom `BIASGOV_DATA_PROTECTION_CONTACT` names; without one, everybody in compliance is.
    """
    steps = vault.access_steps_unannounced()
    contact = person_called(settings.DATA_PROTECTION_CONTACT) if steps and settings.DATA_PROTECTION_CONTACT else None
    for step in steps:
        with transaction.atomic():
            if step_announced(step_id=step.id):
                announce(
                    model=None,
                    key=f"access-{step.approval_id}-{step.event}",
                    title=_title(step),
                    body=f"Legal basis: {step.basis}. The purpose is in request {step.approval_id}.",
                    severity="medium",
                    path=f"/vault/access/{step.approval_id}/",
                    detected_at=step.at,
                    roles=() if contact else (COMPLIANCE,),
                    people=[contact] if contact else (),
                )
    return len(steps)


def _title(step: AccessStep) -> str:
    people = "1 person" if step.subjects == 1 else f"{step.subjects} people"
    return f"Attributes of {people} {_SAID[step.event]} {step.person}"
