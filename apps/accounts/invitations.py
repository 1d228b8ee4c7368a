"""Invitations: a link by which a person sets a password, signed, good once and for three days."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

from apps.accounts.models import Invitation, User
from apps.accounts.services import Actor, authorised, password_check, person_create, said
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused

VALID_FOR = timedelta(days=3)
_SIGNER = Signer(salt="accounts.invitation")


@transaction.atomic
def person_invite(
    *,
    username: str,
    name: str,
    email: str,
    actor: Actor,
    roles: Sequence[str] = (),
    until: datetime | None = None,
    scope: Sequence[Any] = (),
    reason: str = "",
) -> tuple[User, str]:
    """Create a person without a password and invite them; the person, and the address of the invitation.

    Raises as `person_create` and `invitation_issue` do.
    """
    person = person_create(
        username=username, name=name, email=email, actor=actor, roles=roles, until=until, scope=scope, reason=reason
    )
    return person, invitation_issue(person=person, actor=actor)


@transaction.atomic
def invitation_issue(*, person: User, actor: Actor) -> str:
    """Make an invitation for `person` and return its address; it is told this once. Earlier ones end.

    A password that was set before goes on counting until the new one is set.

    Raises
    ------
    PermissionDenied
        The actor may not manage people.
    Refused
        The person has left, or is the actor.
    """
    by = authorised(actor, about=person)
    if not User.objects.filter(pk=person.pk, is_active=True).exists():
        raise Refused("person", f"{person.display_name} has left. Let them in again first.", code="inactive")
    now = clock.now()
    Invitation.objects.filter(person=person, used_at=None, revoked_at=None).update(revoked_at=now)
    token = _SIGNER.sign(secrets.token_urlsafe(32))
    expires_at = now + VALID_FOR
    Invitation.objects.create(person=person, digest=_digest(token), created_at=now, expires_at=expires_at)
    audit.append(actor=by, action="person.invited", subject=person.actor, detail={"expires_at": expires_at.isoformat()})
    return f"{settings.PUBLIC_URL}{reverse('invitation', args=[token])}"


@transaction.atomic
def invitation_withdraw(*, person: User, actor: Actor, reason: str = "") -> bool:
    """End the invitation that waits for `person`; False if there is none.

    Raises PermissionDenied for a person who may not manage people, Refused without a reason.
    """
    by = authorised(actor, about=person, reason=reason)
    now = clock.now()
    waiting = Invitation.objects.filter(person=person, used_at=None, revoked_at=None, expires_at__gt=now)
    if not waiting.update(revoked_at=now):
        return False
    audit.append(actor=by, action="invitation.withdrawn", subject=person.actor, detail=said(reason))
    return True


def invited(token: str) -> User | None:
    """Whom a link's token invites; None where it was tampered with, used, revoked or is too old."""
    invitation = _live(token)
    return invitation.person if invitation else None


@transaction.atomic
def invitation_accept(*, token: str, password: str) -> User:
    """Set the invited person's password. Their open sessions end, and so does the link.

    Raises Refused for a weak password, or code ``gone`` for a link that does not count (any more).
    """
    invitation = _live(token)
    if invitation is None:
        raise Refused("token", "This link does not count any more.", code="gone")
    person = invitation.person
    password_check(password, person)
    unused = Invitation.objects.filter(pk=invitation.pk, used_at=None, revoked_at=None)
    if unused.update(used_at=clock.now()) != 1:
        raise Refused("token", "This link does not count any more.", code="gone")
    person.set_password(password)
    person.save(update_fields=["password"])
    audit.append(actor=person.actor, action="person.password_set", subject=person.actor, detail={"by": "invitation"})
    return person


def invitation_mail(*, person: User, address: str) -> bool:
    """Send the link to the person's mail address; False where no mail is configured or it could not be sent."""
    if not (settings.EMAIL_CONFIGURED and person.email):
        return False
    content = {"person": person, "address": address, "days": VALID_FOR.days}
    message = mail.EmailMessage(
        subject=f"{settings.EMAIL_SUBJECT_PREFIX}Set your password",
        body=render_to_string("accounts/invitation.txt", content),
        to=[person.email],
    )
    try:
        return bool(message.send())
    except OSError:
        return False


def _live(token: str) -> Invitation | None:
    try:
        _SIGNER.unsign(token)
    except BadSignature:
        return None
    found = Invitation.objects.select_related("person").filter(
        digest=_digest(token), used_at=None, revoked_at=None, expires_at__gt=clock.now(), person__is_active=True
    )
    return found.first()


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
