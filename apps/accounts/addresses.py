"""Addresses of ours, and the page that a person is looking at: where they are led back to."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme


def came_from(request: HttpRequest) -> str:
    """The page of ours that the person is looking at: this one, or the one whose form or fragment this is."""
    page = request.headers.get("HX-Current-URL") or request.headers.get("Referer", "")
    if request.method in ("GET", "HEAD") and not request.headers.get("HX-Request"):
        return request.get_full_path()
    return local_path(request, urlunsplit(("", "", *urlsplit(page)[2:4], ""))) if is_ours(request, page) else "/"


def local_path(request: HttpRequest, address: str) -> str:
    """`address` if it leads to a page of ours, else the first page."""
    return address if is_ours(request, address) else resolve_url(settings.LOGIN_REDIRECT_URL)


def is_ours(request: HttpRequest, address: str | None) -> bool:
    """Whether an address leads to this very site."""
    return bool(address) and url_has_allowed_host_and_scheme(
        address, {request.get_host()}, require_https=request.is_secure()
    )
