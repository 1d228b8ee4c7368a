"""What people do on the response ladder: confirm, decline, ask for a lift, silence, retire a gateway."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.accounts.confirmation import requires_confirmation
from apps.accounts.permissions import demand, requires
from apps.common import clock
from apps.common.errors import Refused
from apps.dashboards.acting import done, person_of
from apps.dashboards.responses.reading import SILENCES
from apps.registry import selectors as registry
from apps.responses import selectors as responses
from apps.responses import services

if TYPE_CHECKING:
    from apps.accounts.models import User
    from apps.registry.spec import ModelSpec


@require_POST
@requires("restriction.confirm")
@requires_confirmation
def confirm(request: HttpRequest, slug: str, restriction_id: int) -> HttpResponse:
    """Put a proposed restriction into force, in one's own name."""
    spec = _model(request, slug, "restriction.confirm")
    _belongs(spec, restriction_id)
    note = request.POST.get("note", "")
    return _then_back(
        request,
        spec,
        lambda person: services.restriction_confirm(restriction_id=restriction_id, person=person, note=note),
        "The model is restricted. Gateways learn of it within seconds.",
    )


@require_POST
@requires("restriction.confirm")
@requires_confirmation
def decline(request: HttpRequest, slug: str, restriction_id: int) -> HttpResponse:
    """Refuse a proposed restriction with a reason."""
    spec = _model(request, slug, "restriction.confirm")
    _belongs(spec, restriction_id)
    reason = request.POST.get("reason", "")
    return _then_back(
        request,
        spec,
        lambda person: services.restriction_decline(restriction_id=restriction_id, person=person, reason=reason),
        "Declined in your name. It is proposed again only if something new happens.",
    )


@require_POST
@requires("restriction.lift")
@requires_confirmation
def lift(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for the restriction to be lifted; a second person signs."""
    spec = _model(request, slug, "restriction.lift")
    reason = request.POST.get("reason", "")
    try:
        asked = services.lift_request(model_id=spec.id, person=person_of(request), reason=reason)
    except Refused as refusal:
        messages.error(request, refusal.message)
        return _back(spec)
    messages.success(request, "Asked. Those who may sign see it in their inbox.")
    return redirect("approval", approval_id=asked.id)


@require_POST
@requires("alert.silence")
def silence(request: HttpRequest, slug: str) -> HttpResponse:
    """Hold the model's alerts back for a while."""
    spec = _model(request, slug, "alert.silence")
    hours, reason = request.POST.get("hours", ""), request.POST.get("reason", "")
    if hours not in SILENCES:
        messages.error(request, "Choose how long the silence lasts.")
        return _back(spec)
    until = clock.now() + timedelta(hours=int(hours))
    return _then_back(
        request,
        spec,
        lambda person: services.silence_set(model_id=spec.id, until=until, reason=reason, person=person),
        "Alerts are held back. What grows worse is told all the same.",
    )


@require_POST
@requires("alert.silence")
def silence_end(request: HttpRequest, slug: str, silence_id: int) -> HttpResponse:
    """Let alerts through again."""
    spec = _model(request, slug, "alert.silence")
    if silence_id not in {each.pk for each in responses.silences_of(spec.id)}:
        raise Http404("This model has no such silence.")
    return _then_back(
        request,
        spec,
        lambda person: services.silence_end(silence_id=silence_id, person=person),
        "Alerts are let through again.",
    )


@require_POST
@requires("restriction.confirm")
@requires_confirmation
def gateway_retire(request: HttpRequest, slug: str, gateway_id: int) -> HttpResponse:
    """Wait for a gateway no more."""
    spec = _model(request, slug, "restriction.confirm")
    if gateway_id not in {each.id for each in responses.gateways(spec.id)}:
        raise Http404("This model has no such gateway.")
    return _then_back(
        request,
        spec,
        lambda person: services.gateway_retire(gateway_id=gateway_id, person=person),
        "Nobody waits for that gateway any more.",
    )


def _model(request: HttpRequest, slug: str, verb: str) -> ModelSpec:
    spec = registry.current_spec(slug)
    if spec is None:
        raise Http404("There is no such model.")
    demand(request.user, verb, spec)
    return spec


def _belongs(spec: ModelSpec, restriction_id: int) -> None:
    if responses.restriction_model(restriction_id) != spec.id:
        raise Http404("This model has no such restriction.")


def _then_back(request: HttpRequest, spec: ModelSpec, verb: Callable[[User], Any], said: str) -> HttpResponse:
    done(request, lambda: verb(person_of(request)), said)
    return _back(spec)


def _back(spec: ModelSpec) -> HttpResponse:
    return redirect(f"{reverse('model', args=[spec.slug])}#response")
