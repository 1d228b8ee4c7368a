"""What one call of the API is: its address, who may make it, its body and its answer.

The same description serves the dispatcher and the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.http import HttpRequest

from apps.api.tokens import Bearer
from apps.registry.spec import ModelSpec

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"

Body = TypeVar("Body")


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and what is sent with it, as msgspec encodes it; `etag` names content that may be asked for again."""

    status: int
    content: Any
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Call(Generic[Body]):
    """A call that was let in: by whom, about which model, with what.

    `body` is the decoded body, or its bytes where the endpoint decodes batches itself, or a `Stream`. `path` holds what
    the address names beside the model.
    """

    bearer: Bearer
    body: Body
    media_type: str
    model: ModelSpec | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> ModelSpec:
        """The model that the address names."""
        if self.model is None:
            raise LookupError("this address names no model")
        return self.model


@dataclass(frozen=True, slots=True)
class Stream:
    """A body that is read bit by bit and is never whole in memory: bytes from `start` of a file, which end with it."""

    chunks: Iterator[bytes]
    start: int


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter, always optional."""

    name: str
    description: str
    schema: Mapping[str, Any]
    example: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one address below /api/v1/.

    body: the struct of the request, None where there is none. raw: `run` gets the bytes. stream: `run` gets a `Stream`.
    answers: struct by status. example: a body that is accepted (OpenAPI shows it and the tests send it).
    """

    method: str
    path: str
    scope: str
    summary: str
    run: Callable[[Call[Any]], Answer]
    answers: Mapping[int, Any]
    body: Any = None
    media_types: tuple[str, ...] = (JSON,)
    raw: bool = False
    stream: bool = False
    query: tuple[Parameter, ...] = ()
    example: Any = None
    max_age: int | None = None
    """For how many seconds the answer may be kept; with an ETag, so that it can be asked for again cheaply."""
    row: Any = None
    """The struct of one line, for application/x-ndjson."""
    lines: bool = False
    """The answer's content are the bytes of an application/x-ndjson file, sent as they are made."""
    csv_example: str = ""

    @property
    def is_about_model(self) -> bool:
        return "<slug>" in self.path


def query_of(request: HttpRequest) -> dict[str, str]:
    """Query parameters by name; a parameter given twice keeps all its values, joined by commas."""
    return {name: ",".join(str(value) for value in values) for name, values in request.GET.lists()}
