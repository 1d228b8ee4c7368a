"""People, their roles and what they own. Every change is in the audit log, in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from guardian.shortcuts import assign_perm, remove_perm

from apps.accounts.models import User
from apps.accounts.permissions import forget
from apps.accounts.roles import ROLES
from apps.audit import services as audit
from apps.common.errors import Refused


def person_create(
    *,
    username: str,
    actor: str,
    password: str | None = None,
    name: str = "",
    email: str = "",
    roles: Sequence[str] = (),
) -> User:
    """Create a person with their roles.

    Without a password the account cannot be used to sign in until one is set. Raises Refused naming the field;
    code ``exists`` when the user name is taken.
    """
    _validate("username", UnicodeUsernameValidator(), username)
    if email:
        _validate("email", validate_email, email)
    for role in roles:
        _known(role)
    first, _, last = name.strip().partition(" ")
    person = User(username=username, email=email, first_name=first, last_name=last)
    if password is None:
        person.set_unusable_password()
    else:
        _validate("password", lambda given: validate_password(given, person), password)
        person.set_password(password)
    try:
        with transaction.atomic():
            person.save()
            audit.append(actor=actor, action="person.created", subject=person.actor, detail={"name": name.strip()})
            for role in roles:
                role_grant(person=person, role=role, actor=actor)
    except IntegrityError:
        if User.objects.filter(username=username).exists():
            raise Refused("username", f"There is already a person called {username!r}.", code="exists") from None
        raise
    return person


@transaction.atomic
def role_grant(*, person: User, role: str, actor: str) -> bool:
    """Give `person` a role; False if they had it. Raises Refused for an unknown role."""
    group = _known(role)
    _, created = User.groups.through.objects.get_or_create(user_id=person.pk, group_id=group.pk)
    if created:
        audit.append(actor=actor, action="role.granted", subject=person.actor, detail={"role": role})
        forget(person)
    return created


@transaction.atomic
def role_revoke(*, person: User, role: str, actor: str) -> bool:
    """Take a role from `person`; False if they did not have it. Raises Refused for an unknown role."""
    group = _known(role)
    removed, _ = User.groups.through.objects.filter(user_id=person.pk, group_id=group.pk).delete()
    if removed:
        audit.append(actor=actor, action="role.revoked", subject=person.actor, detail={"role": role})
        forget(person)
    return bool(removed)


@transaction.atomic
def ownership_grant(*, person: User, model: Any, actor: str) -> None:
    """Make `person` an owner of `model`, a registered model (the database object, which has a slug)."""
    assign_perm("registry.own_model", person, model)
    audit.append(actor=actor, action="ownership.granted", subject=f"model:{model.slug}", detail={"to": person.actor})
    forget(person)


@transaction.atomic
def ownership_revoke(*, person: User, model: Any, actor: str) -> None:
    """End `person`'s ownership of `model`."""
    remove_perm("registry.own_model", person, model)
    audit.append(actor=actor, action="ownership.revoked", subject=f"model:{model.slug}", detail={"from": person.actor})
    forget(person)


@transaction.atomic
def person_deactivate(*, person: User, actor: str) -> bool:
    """End `person`'s access, sessions included, without forgetting who they were; False if it had ended."""
    if not User.objects.filter(pk=person.pk, is_active=True).update(is_active=False):
        return False
    person.is_active = False
    audit.append(actor=actor, action="person.deactivated", subject=person.actor)
    forget(person)
    return True


def _known(role: str) -> Group:
    if role not in ROLES:
        raise Refused("role", f"{role!r} is none of {', '.join(ROLES)}.", code="unknown_role")
    return Group.objects.get(name=role)


def _validate(field: str, validator: Any, given: str) -> None:
    try:
        validator(given)
    except ValidationError as error:
        raise Refused(field, " ".join(error.messages)) from None
