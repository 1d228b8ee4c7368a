"""The door: lets a call in or turns it away, in one order for every endpoint."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags
from django.views.decorators.csrf import csrf_exempt

from apps.api import bodies
from apps.api.endpoint import JSON, NDJSON, Answer, Call, Endpoint, query_of
from apps.api.idempotency import once
from apps.api.problems import Problem, not_found
from apps.api.throttle import check_rate
from apps.api.tokens import Bearer, bearer_of
from apps.common.errors import Refused
from apps.registry.selectors import current_spec
from apps.registry.spec import ModelSpec

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5


def view(endpoints: Mapping[str, Endpoint]) -> Callable[..., HttpResponseBase]:
    """The Django view of one address, whose methods are `endpoints`."""

    @csrf_exempt
    def answer(request: HttpRequest, **path: str) -> HttpResponseBase:
        try:
            return _answer(request, endpoints, path)
        except Problem as problem:
            bodies.discard(request)
            return problem.response()
        except Refused as refused:
            bodies.discard(request)
            return Problem.of_refusal(refused).response()
        except (OperationalError, InterfaceError) as error:
            logger.error("%s %s failed: no database (%s)", request.method, _pattern(request), type(error).__name__)
            return Problem(
                503,
                "The database is out of reach. Send this again; what was stored already is not stored twice.",
                headers={"Retry-After": str(RETRY_SECONDS)},
            ).response()
        except Exception:
            logger.exception("%s %s failed", request.method, _pattern(request))
            return Problem(500, "This failed on our side.").response()

    return answer


def _pattern(request: HttpRequest) -> str:
    """The address without what a caller put into it: that may be a person's id."""
    return request.resolver_match.route if request.resolver_match else "?"


def _answer(request: HttpRequest, endpoints: Mapping[str, Endpoint], path: dict[str, str]) -> HttpResponseBase:
    endpoint = endpoints.get(request.method or "")
    if endpoint is None:
        allowed = ", ".join(sorted(endpoints))
        raise Problem(405, f"This address takes {allowed}.", headers={"Allow": allowed})
    bearer = bearer_of(request.headers.get("Authorization", ""))
    check_rate(bearer)
    model = _model(endpoint, bearer, path.pop("slug", None))
    bodies.check_accept(request, lines=endpoint.lines)
    if endpoint.stream:
        stream, media_type = bodies.stream(request, endpoint)
        return _encoded(endpoint.run(Call(bearer, stream, media_type, model, path, query_of(request))))
    content, media_type = bodies.read(request, endpoint) if endpoint.body else (b"", "")

    def done() -> Answer:
        body: Any = content if endpoint.raw else bodies.parse(content, endpoint.body) if endpoint.body else None
        return endpoint.run(Call(bearer, body, media_type, model, path, query_of(request)))

    def run() -> HttpResponse:
        answer = done()
        return _encoded(answer) if endpoint.max_age is None else _kept(request, answer, endpoint.max_age)

    if endpoint.lines:
        lines = done()
        return StreamingHttpResponse(lines.content, status=lines.status, content_type=NDJSON)
    key = request.headers.get("Idempotency-Key")
    if key is not None and request.method == "POST":
        return once(bearer=bearer, key=key, path=request.path, body=content, answer=run)
    return run()


def _model(endpoint: Endpoint, bearer: Bearer, slug: str | None) -> ModelSpec | None:
    """The model of the address: whether it exists is told only to tokens that may know of it."""
    if slug is not None and not bearer.may_see(slug):
        raise not_found()
    if not bearer.has(endpoint.scope):
        raise Problem(403, f"This needs a token with the scope {endpoint.scope!r}.")
    if slug is None:
        return None
    model = current_spec(slug)
    if model is None:
        raise not_found()
    return model


def _encoded(answer: Answer) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(answer.content), status=answer.status, content_type=JSON)


def _kept(request: HttpRequest, answer: Answer, max_age: int) -> HttpResponse:
    """The answer with its ETag, or "not modified" to who has it already."""
    etag = f'"{answer.etag}"'
    known = {each.removeprefix("W/") for each in parse_etags(request.headers.get("If-None-Match", ""))}
    given = HttpResponse(status=304) if known & {etag, "*"} else _encoded(answer)
    given["ETag"], given["Cache-Control"] = etag, f"private, max-age={max_age}"
    return given


@csrf_exempt
def nothing_here(request: HttpRequest, **_: str) -> HttpResponse:
    """Every other address below the API."""
    bodies.discard(request)
    try:
        bearer_of(request.headers.get("Authorization", ""))
    except Problem as problem:
        return problem.response()
    return not_found().response()
