"""What the pages about people show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from apps.accounts import selectors
from apps.accounts.identities import identities_of
from apps.accounts.roles import ROLES, SIGNING
from apps.accounts.second_factors import people_with_second_factor
from apps.accounts.selectors import HERE, INVITED, LEFT, Holding, PersonView
from apps.dashboards.words import Badge
from apps.registry.selectors import ModelName, model_names

SHOWN_AT_ONCE = 50
STANDINGS = {HERE: "Here", INVITED: "Invited", LEFT: "Left"}


@dataclass(frozen=True, slots=True)
class RoleLine:
    """A role that a person holds: `models` are those that it is narrowed to, by name."""

    role: str
    title: str
    until: datetime | None
    models: tuple[str, ...]
    is_over: bool


@dataclass(frozen=True, slots=True)
class PersonLine:
    """A person as they stand in the list. `factor` says whether they have a second factor; `owned` names models."""

    view: PersonView
    roles: tuple[RoleLine, ...]
    owned: tuple[ModelName, ...]
    factor: Badge
    standing: Badge | None


@dataclass(frozen=True, slots=True)
class PersonPage:
    """A person with all that an administrator may do about them; about oneself that is nothing."""

    line: PersonLine
    is_self: bool
    has_second_factor: bool
    has_identity: bool

    @property
    def view(self) -> PersonView:
        return self.line.view


def lines(*, standing: str, find: str, role: str, after: str) -> list[PersonLine]:
    """One page of people by user name."""
    found = selectors.people(standing=standing, find=find, role=role, after=after, limit=SHOWN_AT_ONCE)
    return _lines(found)


def page_of(reader: Any, who: Any) -> PersonPage:
    """One person, as `reader` sees them."""
    view = selectors.person_view(who)
    return PersonPage(
        line=_lines([view])[0],
        is_self=reader.pk == view.id,
        has_second_factor=view.id in people_with_second_factor([view.id]),
        has_identity=bool(identities_of(who)),
    )


def _lines(found: Sequence[PersonView]) -> list[PersonLine]:
    protected = people_with_second_factor([view.id for view in found])
    wanted = {pk for view in found for pk in (*view.owned, *(one for held in view.holdings for one in held.scope))}
    names = {each.id: each for each in model_names() if each.id in wanted} if wanted else {}
    return [
        PersonLine(
            view=view,
            roles=tuple(_role(held, names) for held in view.holdings),
            owned=tuple(names[pk] for pk in view.owned if pk in names),
            factor=_factor(view, view.id in protected),
            standing=_standing(view),
        )
        for view in found
    ]


def _role(held: Holding, names: Mapping[int, ModelName]) -> RoleLine:
    narrowed = tuple(names[pk].name if pk in names else f"model {pk}" for pk in held.scope)
    return RoleLine(held.role, ROLES[held.role], held.until, narrowed, held.is_over)


def _factor(view: PersonView, protected: bool) -> Badge:
    if protected:
        return Badge("within", "yes")
    signs = any(held.role in SIGNING and not held.is_over for held in view.holdings)
    if signs and settings.SIGNERS_NEED_SECOND_FACTOR:
        return Badge("inconclusive", "no, so cannot sign")
    return Badge("plain", "no")


def _standing(view: PersonView) -> Badge | None:
    if not view.is_active:
        return Badge("plain", "has left")
    if view.invited_until:
        return Badge("inconclusive", "invited")
    if not view.has_password and view.last_sign_in is None:
        return Badge("stale", "cannot sign in yet")
    return None
