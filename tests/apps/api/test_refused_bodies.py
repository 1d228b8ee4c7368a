"""A refused body is read to its end: on a connection that is closed over unread bytes the answer gets lost."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.test import Client

from apps.inference.shapes import MAXIMUM_BYTES
from apps.registry.spec import ModelSpec
from tests.apps.api.door import token

TOO_LARGE = MAXIMUM_BYTES + 100_000


@pytest.mark.parametrize(
    ("address", "known", "size", "status"),
    [
        ("models/hiring/events", True, TOO_LARGE, 413),
        ("models/hiring/events", False, 2_000_000, 401),
        ("models/unheard-of/events", True, 2_000_000, 404),
        ("nowhere", True, 2_000_000, 404),
    ],
)
def test_a_refused_body_is_read_to_its_end(spec: ModelSpec, address: str, known: bool, size: int, status: int) -> None:
    stream = BytesIO(b" " * size)
    answer = Client().generic(
        "POST",
        f"/api/v1/{address}",
        b"",
        headers={"Authorization": f"Bearer {token() if known else 'bg_nobody'}"},
        **{"wsgi.input": stream, "CONTENT_LENGTH": str(size), "CONTENT_TYPE": "application/json"},
    )
    assert answer.status_code == status
    assert stream.tell() == size


def test_a_refused_body_without_end_is_not_read_forever(spec: ModelSpec) -> None:
    stream = BytesIO(b" " * (4 * MAXIMUM_BYTES))
    answer = Client().generic(
        "POST",
        "/api/v1/nowhere",
        b"",
        headers={"Authorization": f"Bearer {token()}"},
        **{"wsgi.input": stream, "CONTENT_LENGTH": str(4 * MAXIMUM_BYTES)},
    )
    assert answer.status_code == 404
    assert 2 * MAXIMUM_BYTES <= stream.tell() < 3 * MAXIMUM_BYTES
