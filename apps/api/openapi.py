"""The OpenAPI 3.1 document, made of the same structs that parse the requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec

from apps.api.endpoint import CSV, JSON, NDJSON, Endpoint
from apps.api.problems import MEDIA_TYPE, ProblemDocument
from apps.api.tokens import SCOPES
from apps.inference.shapes import MAXIMUM_BYTES, MAXIMUM_ROWS

_REFERENCE = "#/components/schemas/{name}"

_PROBLEMS = {
    400: "The body is not JSON in UTF-8, ends early, repeats a key or is nested too deeply; or the Idempotency-Key is "
    "unusable.",
    401: "No token, or one that is unknown, revoked or expired.",
    403: "The token lacks the scope.",
    404: "Nothing that this token may see.",
    405: "Another method; `Allow` names those that exist.",
    406: "`Accept` excludes JSON.",
    409: "It exists already.",
    411: "Without Content-Length.",
    413: f"More than {MAXIMUM_BYTES // 1024 // 1024} MiB or {MAXIMUM_ROWS:,} rows.",
    416: "A range that does not reach to the end of the file.",
    415: "Another media type, or an encoded body.",
    422: "JSON, but not as declared: `errors` names every field.",
    429: "Too many calls in this minute; `Retry-After` says when to go on.",
    503: "The database is out of reach; `Retry-After` says when to send this again. Nothing is stored twice.",
}

_INFO = {
    "title": "biasgov",
    "description": "Fairness monitoring of models that decide about people. Times are RFC 3339 with an offset. Errors "
    "are RFC 9457 problem documents. Every POST honours `Idempotency-Key`: within 24 hours the same request is "
    "answered again without being done again. Malformed JSON is 400; JSON that is not as declared is 422.",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The document that describes `endpoints`."""
    schemas, components = _schemas(endpoints)
    paths: dict[str, Any] = {}
    for endpoint in endpoints:
        address, parameters = _address(endpoint.path)
        item = paths.setdefault(address, {"parameters": parameters} if parameters else {})
        item[endpoint.method.lower()] = _operation(endpoint, schemas)
    paths["/openapi.json"] = {"get": _own_operation()}
    return {
        "openapi": "3.1.0",
        "info": {**_INFO, "version": version("biasgov")},
        "servers": [{"url": "/api/v1"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": f"A token made by `manage.py token_create`. Scopes: {', '.join(SCOPES)}. `admin` "
                    "registers models and versions and includes `read` and `incidents:write`. A token may be bound to "
                    "one model.",
                }
            },
        },
    }


def _schemas(endpoints: Iterable[Endpoint]) -> tuple[dict[Any, Any], dict[str, Any]]:
    structs: list[Any] = [ProblemDocument]
    for endpoint in endpoints:
        structs += [each for each in (endpoint.body, endpoint.row, *endpoint.answers.values()) if each is not None]
    distinct = list(dict.fromkeys(structs))
    schemas, components = msgspec.json.schema_components(distinct, ref_template=_REFERENCE)
    return dict(zip(distinct, schemas, strict=True)), components


_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_PATH = {"int": {"type": "integer", "minimum": 1}, "uuid": {"type": "string", "format": "uuid"}}


def _address(path: str) -> tuple[str, list[dict[str, Any]]]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _PATH.get(kind, _NAME)}
        for kind, name in re.findall(r"<(?:(\w+):)?(\w+)>", path)
    ]
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path), parameters


def _operation(endpoint: Endpoint, schemas: dict[Any, Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {
            "name": each.name,
            "in": "query",
            "required": False,
            "description": each.description,
            "schema": each.schema,
            **({"example": each.example} if each.example else {}),
        }
        for each in endpoint.query
    ]
    if endpoint.method == "POST":
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "Makes repeating the request harmless.",
                "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
            }
        )
    if endpoint.stream:
        parameters.append(
            {
                "name": "Content-Range",
                "in": "header",
                "required": False,
                "description": "`bytes FIRST-LAST/ALL`: the rest of a file whose beginning is here already.",
                "schema": {"type": "string"},
            }
        )
    if endpoint.max_age is not None:
        parameters.append(
            {
                "name": "If-None-Match",
                "in": "header",
                "required": False,
                "description": "The ETag of what you have.",
                "schema": {"type": "string"},
            }
        )
    operation: dict[str, Any] = {
        "operationId": endpoint.run.__name__,
        "summary": endpoint.summary,
        "description": f"Scope: `{endpoint.scope}`.",
        "responses": _responses(endpoint, schemas),
    }
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(endpoint, schemas)}
    return operation


def _content(endpoint: Endpoint, schemas: dict[Any, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {JSON: {"schema": schemas[endpoint.body], "example": endpoint.example}}
    if NDJSON in endpoint.media_types:
        row = endpoint.example[next(iter(endpoint.example))][0]
        content[NDJSON] = {
            "schema": {"type": "string", "description": f"One {endpoint.row.__name__} a line, as in the JSON batch."},
            "example": msgspec.json.encode(row).decode() + "\n",
        }
    if CSV in endpoint.media_types:
        content[CSV] = {
            "schema": {"type": "string", "description": "A heading, one of its columns subject_id; a row a person."},
            "example": endpoint.csv_example,
        }
    return content


def _responses(endpoint: Endpoint, schemas: dict[Any, Any]) -> dict[str, Any]:
    possible = [401, 403, 404, 405, 406, 422, 429, 503]
    if endpoint.body is not None:
        possible += [400, 411, 413, 415]
    if endpoint.method == "POST" or endpoint.stream:
        possible.append(409)
    if endpoint.stream:
        possible.append(416)
    responses = {
        str(status): {"description": _PROBLEMS[status], "content": {MEDIA_TYPE: {"schema": schemas[ProblemDocument]}}}
        for status in sorted(possible)
    }
    for status, struct in endpoint.answers.items():
        good = status < 300
        described = {"schema": schemas[struct]}
        if not good:
            described = {"schema": {"anyOf": [schemas[struct], schemas[ProblemDocument]]}}
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase if good else _PROBLEMS[status],
            "content": {(NDJSON if endpoint.lines else JSON) if good else MEDIA_TYPE: described},
        }
    if endpoint.max_age is not None:
        responses["304"] = {"description": "What you have is what there is."}
    return dict(sorted(responses.items()))


def _own_operation() -> dict[str, Any]:
    return {
        "operationId": "openapi",
        "summary": "This document",
        "security": [],
        "responses": {"200": {"description": "OK", "content": {JSON: {"schema": {"type": "object"}}}}},
    }
