"""Who holds which role, and who answers for which model."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Exists, OuterRef, QuerySet
from guardian.models import UserObjectPermission

from apps.accounts.models import RoleTerm, User
from apps.accounts.permissions import OWN_MODEL
from apps.accounts.roles import ROLES
from apps.common import clock


def people_with_role(role: str) -> QuerySet[User]:
    """The active people in a role whose term is not over, by user name. Raises KeyError for an unknown role."""
    if role not in ROLES:
        raise KeyError(role)
    over = RoleTerm.objects.filter(person=OuterRef("pk"), group__name=role, until__lte=clock.now())
    held = User.groups.through.objects.filter(user_id=OuterRef("pk"), group__name=role)
    return User.objects.filter(~Exists(over), Exists(held), is_active=True).order_by("username")


def owners_of(model_id: int) -> QuerySet[User]:
    """The active people who own a model, by user name."""
    rows = UserObjectPermission.objects.filter(
        object_pk=str(model_id), permission__codename=OWN_MODEL, permission__content_type__app_label="registry"
    )
    return User.objects.filter(is_active=True, pk__in=rows.values("user_id")).order_by("username")


def mail_addresses(ids: Collection[int]) -> dict[int, str]:
    """{person id: mail address} of those who are active and have one."""
    reachable = User.objects.filter(pk__in=ids, is_active=True).exclude(email="")
    return dict(reachable.values_list("pk", "email"))


def person(username: str) -> User:
    """The person of that user name; raises User.DoesNotExist."""
    return User.objects.get(username=username)


def active_person(person_id: int | None) -> User | None:
    """The person of that id, None where there is none such or they have left."""
    return User.objects.filter(pk=person_id, is_active=True).first() if person_id is not None else None
