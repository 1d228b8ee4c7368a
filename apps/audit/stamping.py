"""Asking a time stamp authority, where one is configured."""

from __future__ import annotations

import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

from django.conf import settings

from apps.common.patience import answers_within
from biasgov.audit.stamps import StampError, check_stamp, read_roots, request_for

PATIENCE = 10.0
"""Seconds that the authority has in all."""
LARGEST_ANSWER = 64 * 1024


def stamp(message: bytes) -> bytes:
    """The authority's answer over `message`, checked against its roots and our nonce.

    Raises StampError if it cannot be had or does not hold.
    """
    try:
        roots = read_roots(Path(settings.TIME_STAMP_ROOTS).read_bytes())
    except OSError as error:
        raise StampError(f"TIME_STAMP_ROOTS cannot be read: {error.strerror}") from None
    request = request_for(message)
    (answer,) = answers_within(PATIENCE, [partial(_ask, settings.TIME_STAMP_URL, request.as_bytes())])
    if answer is None:
        raise StampError("the authority does not answer in time")
    check_stamp(answer, message, roots, request=request)
    return answer


def _ask(url: str, query: bytes) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise StampError("TIME_STAMP_URL must begin with http:// or https://")
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked
        url, data=query, headers={"Content-Type": "application/timestamp-query"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:  # noqa: S310
            answer: bytes = reply.read(LARGEST_ANSWER + 1)
    except urllib.error.HTTPError as error:
        with error:
            raise StampError(f"the authority answers {error.code}") from None
    except (urllib.error.URLError, OSError) as error:
        raise StampError(f"the authority does not answer: {getattr(error, 'reason', error)}") from None
    if len(answer) > LARGEST_ANSWER:
        raise StampError("the authority's answer is too long")
    return answer
