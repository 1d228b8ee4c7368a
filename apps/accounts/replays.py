"""A form is carried out once, however often it is sent: by a double click, by a reload, or by who has overheard it.

Each rendering of a page puts another token against forged requests into its forms. So two requests that agree in token,
address and content are one and the same form, and who means it a second time has loaded the page a second time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from apps.accounts.addresses import came_from
from apps.accounts.confirmation import is_undone
from apps.accounts.models import SentForm
from apps.common import clock

TOKEN = "csrfmiddlewaretoken"  # noqa: S105 - the name of a field
KEPT_FOR = timedelta(days=1)
SENT_BEFORE = (
    "This form was sent before and is not carried out twice. Look at what came of it; if nothing, send it anew."
)


class OnceOnly:
    """Leads a person who sends the same form again back to its page.

    That a form was sent is written down in the transaction that carries it out: if the process dies in the middle,
    neither stays, and whoever sends it at the same time waits for how it ends. A form that failed may be sent again
    as it is, and so may one that is answered by a file: its page stays open.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        # Of a view that looks for the token itself the body is not read here: it may be a long file.
        if request.method != "POST" or getattr(view, "csrf_exempt", False):
            return None
        if not request.user.is_authenticated or TOKEN not in request.POST:
            return None
        digest = _digest(request)
        with transaction.atomic():
            if not _taken(digest):
                messages.info(request, SENT_BEFORE)
                return HttpResponseRedirect(came_from(request))
            response: HttpResponse = view(request, *args, **kwargs)
            if response.status_code >= 400 or is_undone(response) or _is_file(response):
                SentForm.objects.filter(pk=digest).delete()
        return response


def _taken(digest: bytes) -> bool:
    """Whether this is the first time that the form is sent; it is not before the transaction ends."""
    try:
        with transaction.atomic():
            SentForm.objects.create(digest=digest)
    except IntegrityError:
        return False
    return True


def forms_forget() -> int:
    """Forget the forms of more than a day ago; how many. Their tokens are still those of no new page."""
    deleted, _ = SentForm.objects.filter(sent_at__lt=clock.now() - KEPT_FOR).delete()
    return deleted


def _is_file(response: HttpResponse) -> bool:
    return "Content-Disposition" in response


def _digest(request: HttpRequest) -> bytes:
    files = sorted((name, each.name, each.size) for name, given in request.FILES.lists() for each in given)
    told = [request.user.pk, request.get_full_path(), sorted(request.POST.lists()), files]
    return sha256(json.dumps(told).encode()).digest()
