"""What the API answers when it does not do as asked: RFC 9457 problem documents that name the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from django.http import HttpResponse

from apps.common.errors import Refused

MEDIA_TYPE = "application/problem+json"
MAXIMUM_ERRORS = 100


class FieldError(msgspec.Struct, frozen=True):
    """One thing that is wrong with the request."""

    field: str
    code: str
    message: str


class ProblemDocument(msgspec.Struct, frozen=True):
    """RFC 9457, with every error by field."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


STATUS_OF_CODE = {
    "exists": HTTPStatus.CONFLICT,
    "conflict": HTTPStatus.CONFLICT,
    "not_found": HTTPStatus.NOT_FOUND,
    "too_many": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


class Problem(Exception):  # noqa: N818 - an answer, not a fault
    """Ends a call with a problem document."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str = "",
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = HTTPStatus(status)
        self.detail = detail
        self.code = code or self.status.phrase.lower().replace(" ", "-")
        self.errors = list(errors)[:MAXIMUM_ERRORS]
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    @classmethod
    def of_refusal(cls, refused: Refused) -> Problem:
        """A service's refusal: 409 for what exists already, 413 for too many rows, else 422."""
        error = FieldError(refused.field, refused.code, refused.message)
        status = STATUS_OF_CODE.get(refused.code, HTTPStatus.UNPROCESSABLE_ENTITY)
        return cls(status, f"{refused.field}: {refused.message}", errors=[error])

    def response(self) -> HttpResponse:
        """The problem as an HTTP answer."""
        document = ProblemDocument(
            f"urn:biasgov:problem:{self.code}", self.status.phrase, int(self.status), self.detail, self.errors
        )
        content = msgspec.json.encode({**msgspec.to_builtins(document), **self.members})
        answer = HttpResponse(content, status=self.status, content_type=MEDIA_TYPE)
        for name, value in self.headers.items():
            answer[name] = value
        return answer


def unauthorized(detail: str) -> Problem:
    """401: no usable token."""
    return Problem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="biasgov"'})


def not_found() -> Problem:
    """404, in the same words for what does not exist and what this token may not know of."""
    return Problem(404, "There is nothing here that this token may see.")
