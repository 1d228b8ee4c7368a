"""Ends sessions in which nobody has done anything for an hour."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

from apps.common import clock

LAST_SEEN = "last_seen"
BACKGROUND_HEADER = "X-Background"
_WRITE_EVERY = 60


class IdleTimeout:
    """Signs out after ``SESSION_COOKIE_AGE`` seconds without a request made by the person.

    A page that refreshes itself sends the header ``X-Background``; such requests do not keep a session alive.
    The time is written at most once a minute, so that reading a page does not cost a write.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.session.session_key and request.user.is_authenticated:
            now = clock.now().timestamp()
            idle = now - request.session.get(LAST_SEEN, now)
            if idle >= settings.SESSION_COOKIE_AGE:
                logout(request)
            elif (
                LAST_SEEN not in request.session or idle >= _WRITE_EVERY
            ) and BACKGROUND_HEADER not in request.headers:
                request.session[LAST_SEEN] = now
        return self.get_response(request)
