"""Is it still the person who signed in? Asked again before a signature, and good for five minutes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from apps.accounts.permissions import sign_in_first
from apps.common import clock

VALID_FOR = timedelta(minutes=5)
_KEY = "confirmed_at"


def confirmed_at(request: HttpRequest) -> datetime | None:
    """When the person of this session last confirmed that it is them; None if that is more than five minutes ago."""
    said = request.session.get(_KEY)
    if said is None or not request.user.is_authenticated:
        return None
    at = datetime.fromisoformat(said)
    return at if timedelta(0) <= clock.now() - at < VALID_FOR else None


def confirm(request: HttpRequest) -> None:
    """Note that the person has just confirmed. The session gets a new name, since it may do more from here on."""
    request.session.cycle_key()
    request.session[_KEY] = clock.now().isoformat()


def requires_confirmation(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A view for people who have just confirmed that it is them; the others are led to confirm, and back.

    What was about to be sent by POST is not carried out by itself afterwards: the person returns to the page that
    they came from, and sends it again. Stands inside of `requires`.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return sign_in_first(request)
        return view(request, *args, **kwargs) if confirmed_at(request) else confirm_first(request)

    return guarded


def confirm_first(request: HttpRequest) -> HttpResponse:
    """Leads to the confirmation page and back; an HTMX fragment makes the whole page go there."""
    query = {"next": came_from(request)} | ({} if request.method in ("GET", "HEAD") else {"again": "1"})
    address = f"{resolve_url('confirm')}?{urlencode(query)}"
    if request.headers.get("HX-Request"):
        return HttpResponse(status=401, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def came_from(request: HttpRequest) -> str:
    """The page of ours that the person is looking at: this one, or the one whose form or fragment this is."""
    page = request.headers.get("HX-Current-URL") or request.headers.get("Referer", "")
    if request.method in ("GET", "HEAD") and not request.headers.get("HX-Request"):
        return request.get_full_path()
    return local_path(request, urlunsplit(("", "", *urlsplit(page)[2:4], ""))) if _is_ours(request, page) else "/"


def local_path(request: HttpRequest, address: str) -> str:
    """`address` if it leads to a page of ours, else the first page."""
    safe = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if safe and address else resolve_url(settings.LOGIN_REDIRECT_URL)


def _is_ours(request: HttpRequest, page: str) -> bool:
    return bool(page) and url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
