"""Callers of the API for its tests: a token, and requests as a program would send them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.http import HttpResponse
from django.test import Client

from apps.api.services import token_issue
from apps.api.tokens import SCOPES
from apps.common import clock

_numbers = count(1)


def token(*scopes: str, model: str | None = None, days: int = 30) -> str:
    """A fresh token; all scopes if none are named."""
    return token_issue(
        actor="operator:tests", name=f"token {next(_numbers)}", scopes=scopes or tuple(SCOPES), model=model, days=days
    )


class Caller:
    """A program with a token (or without one)."""

    def __init__(self, secret: str | None) -> None:
        self.client = Client()
        self.headers = {"Authorization": f"Bearer {secret}"} if secret else {}

    def send(
        self, method: str, address: str, body: Any = None, *, media_type: str = "application/json", **headers: str
    ) -> HttpResponse:
        """Send a request; bytes and text go as they are, anything else as JSON."""
        content = body if isinstance(body, bytes | str) else b"" if body is None else json.dumps(body)
        return self.client.generic(
            method,
            f"/api/v1/{address}",
            content,
            content_type=media_type,
            headers=self.headers | {name.replace("_", "-"): value for name, value in headers.items()},
        )

    def get(self, address: str, **headers: str) -> HttpResponse:
        return self.send("GET", address, **headers)

    def post(self, address: str, body: Any, **headers: str) -> HttpResponse:
        return self.send("POST", address, body, **headers)


def caller(*scopes: str, model: str | None = None) -> Caller:
    return Caller(token(*scopes, model=model))


def expired() -> Caller:
    """A caller whose token died yesterday."""
    with clock.frozen(datetime.now(UTC) - timedelta(days=31)):
        return caller()


def row(number: int, **changes: Any) -> dict[str, Any]:
    """Event number `number` as JSON, an hour ago."""
    at = datetime.now(UTC) - timedelta(hours=1, seconds=number % 600)
    fields = {
        "event_id": f"event-{number}",
        "subject_id": f"person-{number % 7}",
        "occurred_at": at.isoformat(),
        "version": "1.0",
        "decision": number % 2,
    }
    return fields | changes


def problem(answer: HttpResponse, status: int) -> dict[str, Any]:
    """The problem document of an answer with this status."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    document = json.loads(answer.content)
    assert document["status"] == status
    assert document["title"]
    assert document["type"].startswith("urn:biasgov:problem:")
    return document


def fields_of(document: dict[str, Any]) -> list[str]:
    """The fields that a problem document names."""
    return [error["field"] for error in document["errors"]]
