"""Who is here, who holds which role, and who answers for which model."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet
from guardian.models import UserObjectPermission

from apps.accounts.models import Invitation, RoleTerm, User
from apps.accounts.permissions import OWN_MODEL
from apps.accounts.roles import OWNER, ROLES
from apps.common import clock

HERE, INVITED, LEFT = "here", "invited", "left"
STANDINGS = (HERE, INVITED, LEFT)


@dataclass(frozen=True, slots=True)
class Holding:
    """A role that a person was given: until when (None: without an end), and for which models (none named: all)."""

    role: str
    until: datetime | None
    scope: tuple[int, ...]

    @property
    def is_over(self) -> bool:
        return self.until is not None and self.until <= clock.now()


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person as administrators see them. owned: ids of models. invited_until: where an invitation waits."""

    id: int
    username: str
    name: str
    email: str
    is_active: bool
    has_password: bool
    last_sign_in: datetime | None
    holdings: tuple[Holding, ...]
    owned: tuple[int, ...]
    invited_until: datetime | None


def people_with_role(role: str) -> QuerySet[User]:
    """The active people in a role whose term is not over, by user name. Raises KeyError for an unknown role."""
    return User.objects.filter(_holds(role), is_active=True).order_by("username")


def owners_of(model_id: int) -> QuerySet[User]:
    """The active people who own a model, by user name."""
    rows = _ownerships().filter(object_pk=str(model_id))
    return User.objects.filter(is_active=True, pk__in=rows.values("user_id")).order_by("username")


def mail_addresses(ids: Collection[int]) -> dict[int, str]:
    """{person id: mail address} of those who are active and have one."""
    reachable = User.objects.filter(pk__in=ids, is_active=True).exclude(email="")
    return dict(reachable.values_list("pk", "email"))


def names_by_username(usernames: Iterable[str]) -> dict[str, str]:
    """{user name: the name that people know them by}, of those that exist."""
    return {each.username: each.display_name for each in User.objects.filter(username__in=set(usernames))}


def usernames() -> list[str]:
    """The user names of everybody, for choosing one."""
    return list(User.objects.order_by("username").values_list("username", flat=True)[:500])


def person(username: str) -> User:
    """The person of that user name; raises User.DoesNotExist."""
    return User.objects.get(username=username)


def active_person(person_id: int | None) -> User | None:
    """The person of that id, None where there is none such or they have left."""
    return User.objects.filter(pk=person_id, is_active=True).first() if person_id is not None else None


def person_called(name: str) -> User | None:
    """The active person of that user name or e-mail address."""
    return User.objects.filter(Q(username=name) | Q(email__iexact=name), is_active=True).order_by("username").first()


def names_of(person_ids: Collection[int]) -> dict[int, str]:
    """How people are called, by id."""
    return {person.pk: person.display_name for person in User.objects.filter(pk__in=set(person_ids))}


def person_by_id(person_id: int) -> User:
    """The person with that id; raises User.DoesNotExist."""
    return User.objects.get(pk=person_id)


def people(
    *, standing: str = HERE, find: str = "", role: str = "", after: str = "", limit: int = 50
) -> tuple[PersonView, ...]:
    """People by user name, from the one after `after`. Five queries however many there are.

    Parameters
    ----------
    standing
        One of `STANDINGS`: who may sign in, who of them has an invitation that waits, or who has left.
    find
        Words that each occur in the name, user name or mail address.
    role
        Only who holds this role now; for model owners also who owns a model without it. Raises KeyError if unknown.
    """
    found = User.objects.filter(is_active=standing != LEFT, username__gt=after).order_by("username")
    if standing == INVITED:
        found = found.filter(Exists(_waiting().filter(person=OuterRef("pk"))))
    for word in find.split():
        found = found.filter(
            Q(username__icontains=word)
            | Q(first_name__icontains=word)
            | Q(last_name__icontains=word)
            | Q(email__icontains=word)
        )
    if role:
        owns = Q(pk__in=_ownerships().values("user_id")) if role == OWNER else Q()
        found = found.filter(owns | _holds(role))
    return _views(list(found[:limit]))


def person_view(who: User) -> PersonView:
    """One person as administrators see them."""
    return _views([who])[0]


def open_invitations(person_ids: Iterable[int]) -> dict[int, datetime]:
    """Until when an invitation waits for each of the people who have one. One query."""
    return dict(_waiting().filter(person__in=list(person_ids)).values_list("person_id", "expires_at"))


def _views(found: Sequence[User]) -> tuple[PersonView, ...]:
    ids = [each.pk for each in found]
    terms = {
        (person_id, group_id): (until, tuple(scope))
        for person_id, group_id, until, scope in RoleTerm.objects.filter(person__in=ids).values_list(
            "person_id", "group_id", "until", "scope"
        )
    }
    holdings: dict[int, list[Holding]] = {pk: [] for pk in ids}
    groups = User.groups.through.objects.filter(user_id__in=ids).values_list("user_id", "group_id", "group__name")
    for person_id, group_id, name in groups:
        until, scope = terms.get((person_id, group_id), (None, ()))
        holdings[person_id].append(Holding(name, until, scope))
    owned: dict[int, list[int]] = {pk: [] for pk in ids}
    for person_id, model_id in _ownerships().filter(user_id__in=ids).values_list("user_id", "object_pk"):
        owned[person_id].append(int(model_id))
    waiting = open_invitations(ids)
    order = list(ROLES)
    return tuple(
        PersonView(
            id=each.pk,
            username=each.username,
            name=each.display_name,
            email=each.email,
            is_active=each.is_active,
            has_password=each.has_usable_password(),
            last_sign_in=each.last_login,
            holdings=tuple(sorted(holdings[each.pk], key=lambda held: order.index(held.role))),
            owned=tuple(sorted(owned[each.pk])),
            invited_until=waiting.get(each.pk),
        )
        for each in found
    )


def _holds(role: str) -> Q:
    if role not in ROLES:
        raise KeyError(role)
    over = RoleTerm.objects.filter(person=OuterRef("pk"), group__name=role, until__lte=clock.now())
    held = User.groups.through.objects.filter(user_id=OuterRef("pk"), group__name=role)
    return Q(Exists(held)) & ~Q(Exists(over))


def _waiting() -> QuerySet[Invitation]:
    return Invitation.objects.filter(used_at=None, revoked_at=None, expires_at__gt=clock.now())


def _ownerships() -> QuerySet[UserObjectPermission]:
    return UserObjectPermission.objects.filter(
        permission__codename=OWN_MODEL, permission__content_type__app_label="registry"
    )
