"""The OpenAPI document: complete, and true enough to be followed."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import get_resolver

from apps.api.urls import ENDPOINTS
from tests.apps.api.door import caller
from tests.apps.audit.log import sealed, written

METHODS = ("get", "post", "put", "patch", "delete")


def document() -> dict[str, Any]:
    answer = Client().get("/api/v1/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, item[method])
        for path, item in document()["paths"].items()
        for method in METHODS
        if method in item
    ]


def test_every_address_and_method_is_described() -> None:
    described = {(path, method) for path, method, _ in operations()}
    offered = {("/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", each.path), each.method.lower()) for each in ENDPOINTS}
    assert described == offered | {("/openapi.json", "get")}
    api = next(each for each in get_resolver().url_patterns if str(each.pattern) == "api/v1/")
    routed = {"/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(each.pattern)) for each in api.url_patterns[:-1]}
    assert routed == {path for path, _ in described}


def test_every_reference_resolves() -> None:
    found = document()
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(found)))
    assert names
    assert names <= set(found["components"]["schemas"])


def test_every_operation_says_how_it_can_fail() -> None:
    for path, _, operation in operations():
        if path != "/openapi.json":
            assert {"401", "403", "404", "422", "429", "503"} <= set(operation["responses"])
    assert len({operation["operationId"] for _, _, operation in operations()}) == len(operations())


def test_examples_followed_in_order_are_accepted(db: None, settings: Any, tmp_path: Path) -> None:
    """A client that knows the document alone: it registers, feeds and reads the example model."""
    settings.AUDIT_TREE_HEADS = tmp_path / "tree-heads.jsonl"
    written()
    sealed()
    who = caller()
    examples = {
        (path, method): operation["requestBody"]["content"]
        for path, method, operation in operations()
        if "requestBody" in operation
    }
    slug = examples["/models", "post"]["application/json"]["example"]["slug"]
    made: dict[str, Any] = {}
    for (path, method), content in examples.items():
        for media_type, described in content.items():
            example = described["example"]
            body = example if isinstance(example, str) else json.dumps(example)
            upload_id = str(uuid4())
            address = path[1:].replace("{slug}", slug).replace("{upload_id}", upload_id)
            answer = who.send(method.upper(), address, body, media_type=media_type)
            assert answer.status_code in (201, 202), (path, answer.content)
            made[path] = answer.json().get("id")
            if path.endswith("/{upload_id}"):
                made[path.removesuffix("/{upload_id}")] = upload_id
    for path, method, operation in operations():
        if method == "get" and path != "/openapi.json":
            asked = [each for each in operation.get("parameters", []) if "example" in each]
            query = "&".join(f"{each['name']}={each['example']}" for each in asked)
            above, _, last = path.rpartition("/")
            address = f"{above}/{made[above]}" if made.get(above) and last.startswith("{") else path
            answer = who.get(f"{address[1:].replace('{slug}', slug).replace('{leaf_index}', '0')}?{query}")
            assert answer.status_code == 200, (path, answer.content)


def test_times_in_the_examples_stay_acceptable() -> None:
    """Events are refused after ten years; an example that will be refused soon must be renewed."""
    oldest = datetime.now(UTC) - timedelta(days=3000)
    for moment in re.findall(r"\d{4}-\d\d-\d\dT[\d:]+(?:Z|[+-]\d\d:\d\d)", json.dumps(document())):
        assert oldest < datetime.fromisoformat(moment)


@pytest.mark.parametrize("name", ["Event", "Label", "ModelBody", "ProblemDocument", "Receipt"])
def test_shapes_are_described_by_the_structs_that_parse_them(name: str) -> None:
    schema = document()["components"]["schemas"][name]
    assert schema["properties"]
    assert schema["type"] == "object"
