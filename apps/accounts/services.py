"""People, their roles and what they own. Every change is in the audit log, in the same transaction.

`actor` is who does it: a person, who must be allowed to manage people, says why and changes no role of their own; or
the name of a command or program as the audit log writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from guardian.shortcuts import assign_perm, remove_perm

from apps.accounts.models import RoleTerm, User
from apps.accounts.permissions import demand, forget, owned_model_ids, roles_of
from apps.accounts.roles import ADMINISTRATOR, AUDITOR, OWNER, ROLES, kept_apart
from apps.accounts.selectors import people_with_role
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused

AUDIT = timedelta(days=90)
"""How long an auditor's role lasts where nothing else is said."""
LONGEST_AUDIT = timedelta(days=366)
LONGEST_TERM = timedelta(days=10 * 366)
LONGEST_REASON = 2000

Actor = User | str


@transaction.atomic
def person_create(
    *,
    username: str,
    actor: Actor,
    password: str | None = None,
    name: str = "",
    email: str = "",
    roles: Sequence[str] = (),
    until: datetime | None = None,
    scope: Sequence[Any] = (),
    reason: str = "",
) -> User:
    """Create a person with their roles; `until`, `scope` and `reason` go with each of the roles (see `role_grant`).

    Without a password the account cannot be used to sign in until one is set. Raises Refused naming the field;
    code ``exists`` when the user name is taken.
    """
    by = authorised(actor, reason=reason)
    _validate("username", UnicodeUsernameValidator(), username)
    if User.objects.filter(username__iexact=username).exists():
        raise Refused("username", f"There is already a person called {username!r}.", code="exists")
    if email:
        _validate("email", validate_email, email)
    for role in roles:
        _known(role)
    first, _, last = name.strip().partition(" ")
    person = User(username=username, email=email, first_name=first, last_name=last)
    if password is None:
        person.set_unusable_password()
    else:
        password_check(password, person)
        person.set_password(password)
    try:
        with transaction.atomic():
            person.full_clean(exclude=["password"], validate_unique=False, validate_constraints=False)
            person.save()
            audit.append(
                actor=by, action="person.created", subject=person.actor, detail={"name": name.strip()} | said(reason)
            )
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Refused(_FIELDS.get(field, field), " ".join(messages)) from None
    except IntegrityError:
        if User.objects.filter(username=username).exists():
            raise Refused("username", f"There is already a person called {username!r}.", code="exists") from None
        raise
    for role in roles:
        role_grant(person=person, role=role, actor=actor, until=until, scope=scope, reason=reason)
    return person


@transaction.atomic
def role_grant(
    *,
    person: User,
    role: str,
    actor: Actor,
    until: datetime | None = None,
    scope: Sequence[Any] = (),
    reason: str = "",
) -> bool:
    """Give `person` a role, or change how long or for which models they hold it; False if nothing changed.

    Parameters
    ----------
    until
        When the role ends by itself. An auditor's always does: after 90 days if not said, after 366 at the latest;
        an administrator's never does.
    scope
        The models (with id and slug) that an auditor may see; none named: all.
    reason
        Why, for the audit log; a person has to say it.

    Raises
    ------
    PermissionDenied
        The actor may not manage people.
    Refused
        ``reason``; ``unknown_role``; ``own_role``; ``apart``, where the person holds a role that must not meet this
        one; or a term or scope that this role cannot have.
    """
    by = authorised(actor, about=person, reason=reason)
    group = _known(role)
    term = _term(role, until, scope)
    User.objects.select_for_update().get(pk=person.pk)
    forget(person)
    _keep_apart(person, role)
    _, created = User.groups.through.objects.get_or_create(user_id=person.pk, group_id=group.pk)
    if not (_term_set(person, group, term, [model.id for model in scope]) or created):
        return False
    detail: dict[str, Any] = {"role": role}
    if term:
        detail |= {"until": term.isoformat(), "models": sorted(model.slug for model in scope)}
    audit.append(actor=by, action="role.granted", subject=person.actor, detail=detail | said(reason))
    forget(person)
    return True


@transaction.atomic
def role_revoke(*, person: User, role: str, actor: Actor, reason: str = "") -> bool:
    """Take a role from `person`; False if they did not have it.

    Raises Refused for an unknown role, one's own, or the last administrator's, and where a person gives no reason;
    PermissionDenied for an actor who may not manage people.
    """
    by = authorised(actor, about=person, reason=reason)
    group = _known(role)
    if role == ADMINISTRATOR:
        _not_the_last_administrator(person)
    RoleTerm.objects.filter(person=person, group=group).delete()
    removed, _ = User.groups.through.objects.filter(user_id=person.pk, group_id=group.pk).delete()
    if removed:
        audit.append(actor=by, action="role.revoked", subject=person.actor, detail={"role": role} | said(reason))
        forget(person)
    return bool(removed)


@transaction.atomic
def ownership_grant(*, person: User, model: Any, actor: Actor, reason: str = "") -> bool:
    """Make `person` an owner of `model`, a registered model (the database object, which has a slug); False if they are.

    Raises Refused (``apart``) where the person holds a role that must not meet a model owner's, or ``own_role``.
    """
    by = authorised(actor, about=person, reason=reason)
    User.objects.select_for_update().get(pk=person.pk)
    forget(person)
    _keep_apart(person, OWNER)
    if model.pk in owned_model_ids(person):
        return False
    assign_perm("registry.own_model", person, model)
    _owning(by, "ownership.granted", model, {"to": person.actor} | said(reason))
    forget(person)
    return True


@transaction.atomic
def ownership_revoke(*, person: User, model: Any, actor: Actor, reason: str = "") -> bool:
    """End `person`'s ownership of `model`; False if they do not own it."""
    by = authorised(actor, about=person, reason=reason)
    User.objects.select_for_update().get(pk=person.pk)
    forget(person)
    if model.pk not in owned_model_ids(person):
        return False
    remove_perm("registry.own_model", person, model)
    _owning(by, "ownership.revoked", model, {"from": person.actor} | said(reason))
    forget(person)
    return True


@transaction.atomic
def person_deactivate(*, person: User, actor: Actor, reason: str = "") -> bool:
    """End `person`'s access, sessions included, without forgetting who they were; False if it had ended.

    Raises Refused for oneself and for the last administrator.
    """
    by = authorised(actor, about=person, reason=reason)
    _not_the_last_administrator(person)
    return _active_set(person, False, by, "person.deactivated", reason)


@transaction.atomic
def person_reactivate(*, person: User, actor: Actor, reason: str = "") -> bool:
    """Let `person` in again, with the roles they had; False if they are not away."""
    by = authorised(actor, about=person, reason=reason)
    return _active_set(person, True, by, "person.reactivated", reason)


def authorised(
    actor: Actor, verb: str = "person.manage", *, about: User | None = None, reason: str | None = None
) -> str:
    """The actor's name in the audit log.

    Raises PermissionDenied for a person who may not do `verb`; Refused (``own_role``) for who changes themselves,
    and for a person whose `reason` is empty, where there has to be one.
    """
    if isinstance(actor, User):
        demand(actor, verb)
        if reason is not None and not reason.strip():
            raise Refused("reason", "Say why. It is kept in the audit log.", code="reason")
    name = actor.actor if isinstance(actor, User) else actor
    if about is not None and about.pk and name == about.actor:
        raise Refused(
            "person", "Nobody changes their own roles and access. Ask another administrator.", code="own_role"
        )
    return name


def said(reason: str) -> dict[str, str]:
    """A reason as part of an audit entry's detail."""
    return {"reason": reason.strip()[:LONGEST_REASON]} if reason.strip() else {}


def password_check(password: str, person: User) -> None:
    """Raises Refused for a password that is too weak."""
    _validate("password", lambda given: validate_password(given, person), password)


_FIELDS = {"first_name": "name", "last_name": "name"}


def _keep_apart(person: User, role: str) -> None:
    held = set(roles_of(person)) | ({OWNER} if owned_model_ids(person) else set())
    for other in held - {role}:
        if why := kept_apart(role, other):
            raise Refused(
                "role", f"{ROLES[role]} and {ROLES[other].lower()} must not be one person. {why}", code="apart"
            )


def _owning(by: str, action: str, model: Any, detail: dict[str, str]) -> None:
    audit.append(actor=by, action=action, subject=f"model:{model.slug}", detail=detail)


def _active_set(person: User, active: bool, by: str, action: str, reason: str) -> bool:
    if not User.objects.filter(pk=person.pk, is_active=not active).update(is_active=active):
        return False
    person.is_active = active
    audit.append(actor=by, action=action, subject=person.actor, detail=said(reason))
    forget(person)
    return True


def _not_the_last_administrator(person: User) -> None:
    """Holds all administrators' rows, so that two of them cannot remove each other at once."""
    list(people_with_role(ADMINISTRATOR).select_for_update(of=("self",)))
    left = set(people_with_role(ADMINISTRATOR).values_list("pk", flat=True))
    if left == {person.pk}:
        raise Refused("role", "This is the last administrator. Make another one first.", code="last_administrator")


def _term(role: str, until: datetime | None, scope: Sequence[Any]) -> datetime | None:
    now = clock.now()
    if role == ADMINISTRATOR and until is not None:
        raise Refused("until", "An administrator's role has no end: the house would be locked out.")
    if role != AUDITOR and scope:
        raise Refused("scope", "Only an auditor's role can be narrowed to some models.")
    if role == AUDITOR and until is None:
        return now + AUDIT
    longest = LONGEST_AUDIT if role == AUDITOR else LONGEST_TERM
    if until is not None and not now < until <= now + longest:
        raise Refused("until", f"The end must lie within the next {longest.days} days.")
    return until


def _term_set(person: User, group: Group, until: datetime | None, scope: list[int]) -> bool:
    """Whether anything changed."""
    if until is None:
        return bool(RoleTerm.objects.filter(person=person, group=group).delete()[0])
    wanted = {"until": until, "scope": sorted(scope)}
    term, created = RoleTerm.objects.get_or_create(person=person, group=group, defaults=wanted)
    if created or (term.until == until and term.scope == wanted["scope"]):
        return created
    return bool(RoleTerm.objects.filter(pk=term.pk).update(**wanted))


def _known(role: str) -> Group:
    if role not in ROLES:
        raise Refused("role", f"{role!r} is none of {', '.join(ROLES)}.", code="unknown_role")
    return Group.objects.get(name=role)


def _validate(field: str, validator: Any, given: str) -> None:
    try:
        validator(given)
    except ValidationError as error:
        raise Refused(field, " ".join(error.messages)) from None
