"""A person's messages and mail preference, and the deliveries of the house."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.permissions import may, requires
from apps.common import clock
from apps.common.errors import Refused
from apps.dashboards.notifications.reading import MAIL, SEVERITIES, channel_lines, delivery_sentence, older
from apps.responses import selectors, services

if TYPE_CHECKING:
    from apps.accounts.models import User

SHOWN_AT_ONCE = 50
PERIOD = timedelta(days=7)


@require_GET
@requires("inbox.view")
def notifications(request: HttpRequest) -> HttpResponse:
    """Everything the person was told, newest first, and how they want to be told."""
    person = cast("User", request.user)
    found, more = older(selectors.notifications(person), request.GET.get("before", ""), SHOWN_AT_ONCE)
    context = {
        "found": found,
        "more": more,
        "unread": selectors.unread_count(person),
        "preference": selectors.preference_of(person),
        "mail_choices": MAIL,
        "severities": SEVERITIES,
        "mail_configured": settings.EMAIL_CONFIGURED,
        "digest_time": f"{settings.DIGEST_HOUR:02}:00 ({settings.DIGEST_TIME_ZONE})",
    }
    return render(request, "notifications/list.html", context)


@require_POST
@requires("inbox.view")
def all_read(request: HttpRequest) -> HttpResponse:
    """Mark all of one's own messages as read."""
    services.notifications_read(person=cast("User", request.user))
    return redirect("notifications")


@require_POST
@requires("inbox.view")
def preference(request: HttpRequest) -> HttpResponse:
    """Choose how one's own mail comes."""
    try:
        services.preference_set(
            person=cast("User", request.user),
            mail=request.POST.get("mail", ""),
            at_least=request.POST.get("at_least", ""),
        )
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "Kept.")
    return redirect("notifications")


@require_GET
@requires("delivery.resend")
def deliveries(request: HttpRequest) -> HttpResponse:
    """What became of the messages of a week, and those that were given up."""
    channels = selectors.channel_rows(clock.now() - PERIOD)
    dead, more = older(selectors.dead_letters(), request.GET.get("before", ""), SHOWN_AT_ONCE)
    context = {
        "say": delivery_sentence(channels, selectors.dead_letter_count()),
        "channels": channel_lines(channels),
        "dead": dead,
        "more": more,
        "may_read": may(request.user, "finding.view"),
    }
    return render(request, "notifications/deliveries.html", context)


@require_POST
@requires("delivery.resend")
def resend(request: HttpRequest, message_id: int) -> HttpResponse:
    """Try a message again that was given up."""
    try:
        services.message_resend(message_id=message_id, person=cast("User", request.user))
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"Message {message_id} is on its way again.")
    return redirect("deliveries")
