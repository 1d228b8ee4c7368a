"""A person's messages and mail preference, and the deliveries of the house."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.permissions import may, requires
from apps.common import clock
from apps.dashboards.acting import done, person_of
from apps.dashboards.notifications.reading import (
    MAIL,
    SEVERITIES,
    channel_lines,
    dead_lines,
    delivery_sentence,
    given_up_lines,
    older,
)
from apps.responses import selectors, services

SHOWN_AT_ONCE = 50
PERIOD = timedelta(days=7)


@require_GET
@requires("inbox.view")
def notifications(request: HttpRequest) -> HttpResponse:
    """Everything the person was told, newest first, and how they want to be told."""
    person = person_of(request)
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
    services.notifications_read(person=person_of(request))
    return redirect("notifications")


@require_POST
@requires("inbox.view")
def preference(request: HttpRequest) -> HttpResponse:
    """Choose how one's own mail comes."""
    wanted = {name: request.POST.get(name, "") for name in ("mail", "at_least")}
    done(request, lambda: services.preference_set(person=person_of(request), **wanted), "Kept.")
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
        "dead": dead_lines(dead),
        "given_up": given_up_lines(selectors.dead_by_channel()),
        "more": more,
        "may_read": may(request.user, "finding.view"),
    }
    return render(request, "notifications/deliveries.html", context)


@require_POST
@requires("delivery.resend")
def resend(request: HttpRequest, message_id: int) -> HttpResponse:
    """Try a message again that was given up."""
    done(
        request,
        lambda: services.message_resend(message_id=message_id, person=person_of(request)),
        f"Message {message_id} is on its way again.",
    )
    return redirect("deliveries")


@require_POST
@requires("delivery.resend")
def resend_all(request: HttpRequest) -> HttpResponse:
    """Try everything again that was given up on one channel."""
    channel = request.POST.get("channel", "")
    done(
        request,
        lambda: services.messages_resend(channel=channel, person=person_of(request)),
        "They are on their way again.",
    )
    return redirect("deliveries")
