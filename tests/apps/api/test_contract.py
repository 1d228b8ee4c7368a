"""The OpenAPI document held against the API by schemathesis: what is sent follows the document, or just misses it.

Always the same requests, few of each operation. In a quiet hour `CONTRACT_EXAMPLES=100` sends more, and every single
way of missing the document beside.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as documented

from apps.api import openapi
from apps.api.urls import ENDPOINTS
from apps.registry.spec import ModelSpec
from biasgov.wsgi import application
from tests.apps.api.door import token
from tests.apps.audit.log import sealed, written

pytestmark = pytest.mark.django_db

FEW = 6
EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", FEW))

schema = schemathesis.openapi.from_dict(msgspec.to_builtins(openapi.document(ENDPOINTS)))
schema.app = application
schema.config.phases.coverage.enabled = EXAMPLES > FEW


@schemathesis.serializer("application/x-ndjson", "text/csv")
def as_it_is(context: Any, value: Any) -> bytes:
    """Lines and tables are text in the document."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@pytest.fixture
def door(spec: ModelSpec, settings: Any, tmp_path: Path) -> Iterator[str]:
    """A token that may do everything; the connection of the test's transaction outlives each request."""
    settings.API_RATE_PER_MINUTE = 1_000_000
    settings.AUDIT_TREE_HEADS = tmp_path / "tree-heads.jsonl"
    written()
    sealed()
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield token()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_api_answers_as_its_document_says(case: Any, door: str, spec: ModelSpec) -> None:
    if "slug" in case.path_parameters:
        case.path_parameters["slug"] = spec.slug
    answer = case.call(headers={"Authorization": f"Bearer {door}"})
    case.validate_response(
        answer,
        checks=[
            checks.not_a_server_error,
            documented.status_code_conformance,
            documented.content_type_conformance,
            documented.response_headers_conformance,
            documented.response_schema_conformance,
        ],
    )
