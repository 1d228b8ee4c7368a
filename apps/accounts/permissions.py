"""May this person do this? Answered from the matrix in `roles` and from who owns which model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, Protocol

from django.contrib import messages
from django.contrib.auth.models import Group
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import F, FilteredRelation, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from guardian.models import UserObjectPermission

from apps.accounts.addresses import came_from
from apps.accounts.roles import BY_MODEL, EVERYWHERE, MATRIX, OWN, OWNER
from apps.common import clock

OWN_MODEL = "own_model"
NOT_CARRIED_OUT = "Your session had ended, and what you sent was not carried out. Sign in, and send it again."


class HasId(Protocol):
    """A monitored model, or its specification."""

    @property
    def id(self) -> int: ...


def may(user: Any, verb: str, model: HasId | int | None = None) -> bool:
    """Whether `user` may do `verb`: to `model`, or without one to every model there is.

    Superusers get nothing extra, and people who have left (inactive) get nothing. `model` is anything with an
    `id`, or the id. Raises KeyError for a verb that is not in the matrix.
    """
    within = models_within(user, verb)
    return within is None or (model is not None and _id(model) in within)


def may_somewhere(user: Any, verb: str) -> bool:
    """Whether `user` may do `verb` to at least some models; what a page shows must then be narrowed to those."""
    within = models_within(user, verb)
    return within is None or bool(within)


def models_within(user: Any, verb: str) -> frozenset[int] | None:
    """The ids of the models to which `user` may do `verb`; None where that is every model there is.

    A role held for some models only reaches as far as an owner of those models would, within its own column of the
    matrix: pages about the whole house (the board) stay closed, but for those that can be narrowed (`BY_MODEL`).
    """
    cells = MATRIX[verb]
    owners = cells.get(OWNER)
    within: set[int] = set()
    for role, scope in grants_of(user).items():
        if role == OWNER or role not in cells:
            continue
        if scope is None or owners == EVERYWHERE:
            return None
        within |= scope if owners == OWN or verb in BY_MODEL else set()
    if owners == EVERYWHERE and (OWNER in grants_of(user) or owned_model_ids(user)):
        return None
    return frozenset(within | owned_model_ids(user)) if owners == OWN else frozenset(within)


def demand(user: Any, verb: str, model: HasId | int | None = None) -> None:
    """Let only those pass who may.

    Raises
    ------
    Http404
        The person may not even see `model`: its existence is a secret to them.
    PermissionDenied
        They may see it, or no model is concerned, but they may not do this.
    """
    if may(user, verb, model):
        return
    if model is not None and not may(user, "model.view", model):
        raise Http404("There is no such page.")
    raise PermissionDenied(f"Your roles do not include {verb}.")


def requires(verb: str) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """A view for people who may do `verb` somewhere; the view itself calls `demand` once it knows the model.

    Who is not signed in is sent to the sign-in page (the whole page, for a fragment); who may not gets 403.
    """
    if verb not in MATRIX:
        raise KeyError(verb)

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return sign_in_first(request)
            if not may_somewhere(request.user, verb):
                raise PermissionDenied(f"Your roles do not include {verb}.")
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def sign_in_first(request: HttpRequest) -> HttpResponse:
    """Leads to the sign-in page and back; an HTMX fragment makes the whole page go there.

    A form whose session is over was not carried out, and its own address is no page: it leads back to the page that it
    stands on.
    """
    if request.headers.get("HX-Request"):
        return HttpResponse(status=401, headers={"HX-Redirect": resolve_url("login")})
    if request.method not in ("GET", "HEAD"):
        messages.warning(request, NOT_CARRIED_OUT, fail_silently=True)
    return redirect_to_login(came_from(request))


def roles_of(user: Any) -> frozenset[str]:
    """The names of the roles that the person holds now."""
    return frozenset(grants_of(user))


def grants_of(user: Any) -> Mapping[str, frozenset[int] | None]:
    """The person's roles, each with the ids of the models it is held for, or None for all.

    A role whose term is over is not among them. One query for each user object.
    """
    if not (user.is_authenticated and user.is_active):
        return {}
    known: tuple[tuple[str, datetime | None, frozenset[int] | None], ...] | None = user.__dict__.get("_grants")
    if known is None:
        term = FilteredRelation("terms", condition=Q(terms__person=user.pk))
        rows = Group.objects.filter(user=user.pk).annotate(term=term).values_list("name", "term__until", "term__scope")
        known = tuple((name, until, frozenset(scope) if scope else None) for name, until, scope in rows)
        user.__dict__["_grants"] = known
    now = clock.now()
    return {name: scope for name, until, scope in known if until is None or now < until}


def owned_model_ids(user: Any) -> frozenset[int]:
    """The ids of the models whose owner `user` is; one query for each user object."""
    if not (user.is_authenticated and user.is_active):
        return frozenset()
    known: frozenset[int] | None = user.__dict__.get("_owned_model_ids")
    if known is None:
        rows = _ownerships().filter(user_id=user.pk)
        known = frozenset(map(int, rows.values_list("object_pk", flat=True)))
        user.__dict__["_owned_model_ids"] = known
    return known


def recall(people: Iterable[Any]) -> None:
    """Look up the roles and the models of many people at once, in two queries, before `may` is asked about each."""
    unknown = {user.pk: user for user in people if user.is_active and "_grants" not in user.__dict__}
    if len(unknown) < 2:
        return
    grants: dict[int, list[tuple[str, datetime | None, frozenset[int] | None]]] = {pk: [] for pk in unknown}
    term = FilteredRelation("terms", condition=Q(terms__person=F("user")))
    held = Group.objects.filter(user__in=list(unknown)).annotate(term=term)
    for person_id, name, until, scope in held.values_list("user", "name", "term__until", "term__scope"):
        grants[person_id].append((name, until, frozenset(scope) if scope else None))
    owned: dict[int, set[int]] = {pk: set() for pk in unknown}
    for person_id, model_id in _ownerships().filter(user__in=list(unknown)).values_list("user_id", "object_pk"):
        owned[person_id].add(int(model_id))
    for pk, user in unknown.items():
        user.__dict__["_grants"] = tuple(grants[pk])
        user.__dict__["_owned_model_ids"] = frozenset(owned[pk])


def forget(user: Any) -> None:
    """Drop what `user` remembers of its roles and models, after they changed."""
    user.__dict__.pop("_grants", None)
    user.__dict__.pop("_owned_model_ids", None)


def _ownerships() -> QuerySet[UserObjectPermission]:
    return UserObjectPermission.objects.filter(
        permission__codename=OWN_MODEL, permission__content_type__app_label="registry"
    )


def _id(model: HasId | int) -> int:
    return model if isinstance(model, int) else model.id
