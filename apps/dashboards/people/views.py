"""People: who is here, in which roles; inviting them; giving and taking roles and models. All of it with a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts import permission_table, selectors
from apps.accounts.confirmation import requires_confirmation
from apps.accounts.invitations import VALID_FOR, invitation_issue, invitation_mail, person_invite
from apps.accounts.permissions import requires, roles_of
from apps.accounts.roles import ROLES
from apps.accounts.services import ownership_grant, ownership_revoke, role_grant, role_revoke
from apps.common.errors import Refused
from apps.dashboards.acting import person_of
from apps.dashboards.people import matrix, reading
from apps.dashboards.people.acts import ACTS
from apps.dashboards.people.forms import InviteForm, OwnForm, ReasonForm, RoleForm
from apps.registry import selectors as registry

if TYPE_CHECKING:
    from apps.accounts.models import User


@require_GET
@login_required
def permissions(request: HttpRequest) -> HttpResponse:
    """The permission matrix, for everybody who is signed in: rules that bind people are no secret to them."""
    context = {
        "roles": matrix.columns(roles_of(request.user)),
        "sections": matrix.matrix(),
        "apart": permission_table.apart(),
        "signing": permission_table.signing(),
    }
    return render(request, "people/permissions.html", context)


@require_GET
@requires("person.manage")
def people(request: HttpRequest) -> HttpResponse:
    """Everybody with an account, a page at a time."""
    asked = {name: request.GET.get(name, "")[:150].replace("\x00", "") for name in ("show", "find", "role", "after")}
    standing = asked["show"] if asked["show"] in reading.STANDINGS else selectors.HERE
    role = asked["role"] if asked["role"] in ROLES else ""
    lines = reading.lines(standing=standing, find=asked["find"], role=role, after=asked["after"])
    context = {
        "lines": lines,
        "standing": standing,
        "standings": reading.STANDINGS.items(),
        "find": asked["find"],
        "role": role,
        "roles": ROLES.items(),
        "more": lines[-1].view.username if len(lines) == reading.SHOWN_AT_ONCE else "",
    }
    return render(request, "people/list.html", context)


@require_GET
@requires("person.manage")
def person(request: HttpRequest, person_id: int) -> HttpResponse:
    """One person: how they sign in, their roles and models, and what can be done about them."""
    page = reading.page_of(request.user, _found(person_id))
    return render(request, "people/person.html", {"page": page})


@never_cache
@require_http_methods(["GET", "POST"])
@requires("person.manage")
@requires_confirmation
def invite(request: HttpRequest) -> HttpResponse:
    """A new person, and the link by which they set their password."""
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            who, address = person_invite(
                username=given["username"],
                name=given["name"],
                email=given["email"],
                roles=[given["role"]] if given["role"] else [],
                until=form.end,
                scope=form.scope,
                reason=given["reason"],
                actor=_administrator(request),
            )
        except Refused as refused:
            form.refuse(refused.field, refused.message)
        else:
            return _invited(request, who, address)
    context = {"form": form, "title": "Invite somebody", "button": "Invite"}
    return render(request, "people/form.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
@requires("person.manage")
@requires_confirmation
def link(request: HttpRequest, person_id: int) -> HttpResponse:
    """Another link, for who has lost theirs or forgotten the password; earlier ones end."""
    who = _found(person_id)
    if request.method == "POST":
        try:
            return _invited(request, who, invitation_issue(person=who, actor=_administrator(request)))
        except Refused as refused:
            messages.error(request, refused.message)
            return redirect("person", person_id=person_id)
    context = {
        "who": who,
        "title": f"Send {who.display_name} a link",
        "says": "By it they set a password, their first or a new one. The present one counts until then. "
        "A link that they had before ends.",
        "button": "Make the link",
    }
    return render(request, "people/form.html", context)


@require_http_methods(["GET", "POST"])
@requires("person.manage")
@requires_confirmation
def grant(request: HttpRequest, person_id: int) -> HttpResponse:
    """Give a role, or change until when and for which models it is held."""
    who = _found(person_id)
    form = RoleForm(request.POST or None, initial=_held(who, request.GET.get("role", "")))
    return _filled_in(
        request,
        who,
        form,
        lambda: role_grant(
            person=who,
            role=form.cleaned_data["role"],
            until=form.end,
            scope=form.scope,
            reason=form.cleaned_data["reason"],
            actor=_administrator(request),
        ),
        {"title": f"Give {who.display_name} a role", "button": "Give it"},
    )


@require_http_methods(["GET", "POST"])
@requires("person.manage")
@requires_confirmation
def revoke(request: HttpRequest, person_id: int, role: str) -> HttpResponse:
    """Take a role."""
    who = _found(person_id)
    if role not in ROLES:
        raise Http404("There is no such role.")
    form = ReasonForm(request.POST or None)
    title = f"Revoke {who.display_name}'s role: {ROLES[role]}"
    return _filled_in(
        request,
        who,
        form,
        lambda: role_revoke(person=who, role=role, reason=form.cleaned_data["reason"], actor=_administrator(request)),
        {"title": title, "button": "Revoke it", "says": "It counts from this moment, also where they are signed in."},
    )


@require_http_methods(["GET", "POST"])
@requires("person.manage")
@requires_confirmation
def own(request: HttpRequest, person_id: int) -> HttpResponse:
    """Make somebody an owner of a model."""
    who = _found(person_id)
    form = OwnForm(request.POST or None)
    return _filled_in(
        request,
        who,
        form,
        lambda: ownership_grant(
            person=who,
            model=registry.monitored_model(form.cleaned_data["model"]),
            reason=form.cleaned_data["reason"],
            actor=_administrator(request),
        ),
        {"title": f"Make {who.display_name} an owner of a model", "button": "Make them an owner"},
    )


@require_http_methods(["GET", "POST"])
@requires("person.manage")
@requires_confirmation
def disown(request: HttpRequest, person_id: int, slug: str) -> HttpResponse:
    """End somebody's ownership of a model."""
    who = _found(person_id)
    try:
        model = registry.monitored_model(slug)
    except ObjectDoesNotExist:
        raise Http404("There is no such model.") from None
    form = ReasonForm(request.POST or None)
    return _filled_in(
        request,
        who,
        form,
        lambda: ownership_revoke(
            person=who, model=model, reason=form.cleaned_data["reason"], actor=_administrator(request)
        ),
        {"title": f"End {who.display_name}'s ownership of {model.name}", "button": "End it"},
    )


@require_http_methods(["GET", "POST"])
@requires("person.manage")
@requires_confirmation
def act(request: HttpRequest, person_id: int, name: str) -> HttpResponse:
    """One of the acts that need a reason and nothing else."""
    who = _found(person_id)
    if name not in ACTS:
        raise Http404("There is no such page.")
    chosen = ACTS[name]
    form = ReasonForm(request.POST or None)
    return _filled_in(
        request,
        who,
        form,
        lambda: chosen.do(person=who, reason=form.cleaned_data["reason"], actor=_administrator(request)),
        {"title": chosen.title.format(name=who.display_name), "says": chosen.says, "button": chosen.button},
        done=chosen.done.format(name=who.display_name),
    )


def _filled_in(
    request: HttpRequest,
    who: User,
    form: ReasonForm,
    do: Callable[[], Any],
    words: dict[str, str],
    *,
    done: str = "Done, and kept in the audit log with your reason.",
) -> HttpResponse:
    """Show the form; once it is filled in do what it asks, and go back to the person."""
    if request.method == "POST" and form.is_valid():
        try:
            changed = do()
        except Refused as refused:
            form.refuse(refused.field, refused.message)
        else:
            messages.success(request, done if changed else "Nothing had to be changed.")
            return redirect("person", person_id=who.pk)
    return render(request, "people/form.html", {"form": form, "who": who, **words})


def _invited(request: HttpRequest, who: User, address: str) -> HttpResponse:
    """Says that the link was sent, or shows it this once, to be handed over."""
    mailed = invitation_mail(person=who, address=address)
    context = {"who": who, "address": "" if mailed else address, "days": VALID_FOR.days}
    return render(request, "people/invited.html", context)


def _held(who: User, role: str) -> dict[str, Any]:
    """What the form starts with: the role as it is held now."""
    names = {each.id: each.slug for each in registry.model_names()}
    for held in selectors.person_view(who).holdings:
        if held.role == role:
            scope = [names[pk] for pk in held.scope if pk in names]
            return {"role": role, "until": held.until.date() if held.until else None, "models": scope}
    return {"role": role}


def _found(person_id: int) -> User:
    try:
        return selectors.person_by_id(person_id)
    except ObjectDoesNotExist:
        raise Http404("There is no such person.") from None


def _administrator(request: HttpRequest) -> User:
    return person_of(request)
