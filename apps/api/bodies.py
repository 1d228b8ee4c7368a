"""Reading what was sent: media types, sizes, JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError

from apps.api.endpoint import JSON, NDJSON, Endpoint, Stream
from apps.api.problems import MEDIA_TYPE, FieldError, Problem
from apps.inference.shapes import MAXIMUM_BYTES

_CHUNK = 64 * 1024
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")


def check_accept(request: HttpRequest, *, lines: bool = False) -> None:
    """Raises Problem (406) if the caller takes neither JSON (or JSON `lines`) nor problem documents."""
    accepted = request.headers.get("Accept", "*/*")
    given = NDJSON if lines else JSON
    if accepted.strip() and not any(request.accepts(each) for each in (given, JSON, MEDIA_TYPE)):
        raise Problem(406, f"This API answers in {given}, which 'Accept: {accepted[:100]}' excludes.")


def read(request: HttpRequest, endpoint: Endpoint) -> tuple[bytes, str]:
    """The body's bytes and its media type. Raises Problem: 411, 413 or 415."""
    media_type = _media_type(request, endpoint)
    if _length(request) > MAXIMUM_BYTES:
        raise too_large()
    try:
        return request.body, media_type
    except RequestDataTooBig:
        raise too_large() from None
    except UnreadablePostError:
        raise Problem(400, "The body ended early.") from None


def stream(request: HttpRequest, endpoint: Endpoint) -> tuple[Stream, str]:
    """The body to be read bit by bit, and its media type. Raises Problem: 400 or 416 for its range, 411 or 415.

    ``Content-Range`` says that it is the end of a file of which the beginning was sent before.
    """
    media_type, length = _media_type(request, endpoint), _length(request)
    start = 0
    if said := request.headers.get("Content-Range"):
        found = _RANGE.fullmatch(said)
        if found is None:
            raise Problem(400, "Content-Range must read 'bytes FIRST-LAST/ALL'.")
        start, last, size = map(int, found.groups())
        if (last + 1, start + length) != (size, size):
            raise Problem(416, "A range must reach to the end of the file and be as long as the body.")
    return Stream(_chunks(request, length), start), media_type


def _chunks(request: HttpRequest, length: int) -> Iterator[bytes]:
    left = length
    try:
        while left > 0 and (chunk := request.read(min(_CHUNK * 4, left))):
            left -= len(chunk)
            yield chunk
    except UnreadablePostError:
        left = max(left, 1)
    if left:
        raise Problem(400, "The body ended early. What arrived in whole parts is kept; go on from there.")


def _media_type(request: HttpRequest, endpoint: Endpoint) -> str:
    media_type = (request.content_type or "").lower()
    if media_type not in endpoint.media_types:
        raise Problem(415, f"Send {' or '.join(endpoint.media_types)}, not {media_type or 'nothing'!r}.")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Problem(415, "Send the body without Content-Encoding.")
    return media_type


def _length(request: HttpRequest) -> int:
    if request.headers.get("Transfer-Encoding") and not request.headers.get("Content-Length"):
        raise Problem(411, "Send Content-Length instead of chunks.")
    return int(request.META.get("CONTENT_LENGTH") or 0)


def discard(request: HttpRequest) -> None:
    """Read what is left of a refused body, up to twice what is allowed.

    A connection that is closed on unread bytes is reset, and the sender would never see the answer.
    """
    left = 2 * MAXIMUM_BYTES
    try:
        while left > 0 and (chunk := request.read(_CHUNK)):
            left -= len(chunk)
    except (UnreadablePostError, RequestDataTooBig):
        return


def too_large() -> Problem:
    return Problem(413, f"A body has at most {MAXIMUM_BYTES // 1024 // 1024} MiB: split it.")


def parse(body: bytes, struct: Any) -> Any:
    """The body as `struct`.

    Raises Problem: 400 where it is not JSON in UTF-8 or repeats a key, 422 naming the field where it is not as
    declared. No value is repeated in the answer.
    """
    try:
        json.loads(body, object_pairs_hook=_once, parse_constant=_no_constant)
        return _decoder(struct).decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except RecursionError:
        raise Problem(400, "The body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise Problem(400, "The body is not UTF-8.") from None
    except _RepeatedKey as error:
        key = str(error.args[0])[:80]
        found = FieldError(key, "duplicate_key", "This key appears twice in one object.")
        raise Problem(400, f"The key {key!r} appears twice in one object.", errors=[found]) from None
    except (msgspec.DecodeError, ValueError):
        raise Problem(400, "The body is not JSON.") from None


class _RepeatedKey(Exception):  # noqa: N818
    pass


def _once(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise _RepeatedKey(key)
        seen.add(key)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _invalid(message: str) -> Problem:
    problem, _, path = message.partition(" - at `$")
    field = path.removesuffix("`").lstrip(".")
    code = "invalid"
    for opening, name in (
        ("Object contains unknown field `", "unknown_field"),
        ("Object missing required field `", "missing"),
    ):
        if problem.startswith(opening):
            member = problem.removeprefix(opening).removesuffix("`")[:80]
            field, code = f"{field}.{member}".lstrip("."), name
            problem = "This is not a field of this object" if name == "unknown_field" else "This field is required"
    if problem.startswith("Invalid enum value"):
        problem = "This is none of the allowed values; see the OpenAPI document"
    field = field or "body"
    return Problem(422, f"{field}: {problem}.", errors=[FieldError(field, code, f"{problem}.")])


@cache
def _decoder(struct: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(struct)
