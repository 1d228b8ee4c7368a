"""The audit log by the API: what is proved is checked here with the proofs' own rules, and exports as auditors do."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from django.http import StreamingHttpResponse

from apps.audit.keys import head_file
from apps.audit.models import AuditEntry
from biasgov.audit.bundle import pem_of, read_key
from biasgov.audit.heads import SignedHead, check_signature
from biasgov.audit.merkle import ConsistencyProof, InclusionProof, verify_consistency, verify_inclusion
from biasgov.cli import main
from tests.apps.api.door import caller, fields_of, problem
from tests.apps.audit.test_sealing import grown
from tests.apps.inference.models import registered

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def head_path(tmp_path: Path, settings: Any) -> Path:
    path = tmp_path / "audit" / "tree-heads.jsonl"
    settings.AUDIT_TREE_HEADS = path
    return path


def signed(answer: dict[str, Any]) -> SignedHead:
    """The head in an answer, its signature checked."""
    head = SignedHead.from_dict({name: value for name, value in answer.items() if value is not None})
    check_signature(head, read_key(answer["public_key"]))
    return head


def test_the_last_head_is_shown_as_it_was_signed() -> None:
    problem(caller("read").get("audit/tree-head"), 422)
    grown()
    assert signed(caller("read").get("audit/tree-head").json()) == head_file().last()


def test_an_entry_is_proved_to_stand_in_the_log() -> None:
    grown()
    for place, entry in enumerate(AuditEntry.objects.order_by("id")[:7]):
        answer = caller("read").get(f"audit/inclusion/{place}").json()
        head = signed(answer["head"])
        path = tuple(map(bytes.fromhex, answer["path"]))
        assert bytes.fromhex(answer["leaf_hash"]) == bytes(entry.leaf_hash)
        verify_inclusion(InclusionProof(answer["leaf_index"], head.size, path), bytes(entry.leaf_hash), head.head)
    problem(caller("read").get("audit/inclusion/7"), 422)
    problem(caller("read").get("audit/inclusion/99999999999999999999"), 422)


def test_two_heads_are_proved_to_be_of_one_log() -> None:
    grown(until=30)
    first, *_, last = head_file()
    for query, sizes in {"": (first.size, last.size), f"from=7&to={last.size}": (7, last.size)}.items():
        answer = caller("read").get(f"audit/consistency?{query}").json()
        old, new = signed(answer["first"]), signed(answer["second"])
        assert (old.size, new.size) == sizes
        path = tuple(map(bytes.fromhex, answer["path"]))
        verify_consistency(ConsistencyProof(old.size, new.size, path), old.head, new.head)


@pytest.mark.parametrize("query", ["from=5", "to=0", "from=7&to=4", "from=x", "to=-1", "from=" + "9" * 30, "to=99"])
def test_heads_that_were_never_signed_are_refused(query: str) -> None:
    grown()
    document = problem(caller("read").get(f"audit/consistency?{query}"), 422)
    assert set(fields_of(document)) <= {"from", "to", "size"}


def saved(answer: StreamingHttpResponse, folder: Path) -> Path:
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/x-ndjson"
    path = folder / "export.jsonl"
    path.write_bytes(b"".join(answer))
    return path


@pytest.mark.parametrize("query", ["", "?entry=3"])
def test_an_export_is_checked_offline(query: str, tmp_path: Path) -> None:
    grown()
    path = saved(caller("audit:read").get(f"audit/export{query}"), tmp_path)
    key = tmp_path / "key.pem"
    key.write_text(caller("read").get("audit/tree-head").json()["public_key"])
    assert main(["verify-audit", str(path), "--key", str(key)]) == 0
    assert AuditEntry.objects.filter(action="audit.exported", actor__startswith="token:").count() == 1


def test_an_export_needs_a_token_of_its_own() -> None:
    registered("lending")
    grown()
    problem(caller("read", "admin").get("audit/export"), 403)
    problem(caller("audit:read", model="lending").get("audit/export"), 403)
    problem(caller("audit:read").get("audit/export?entry=700"), 404)
    problem(caller("audit:read").get("audit/export?entry=x"), 422)
    assert not AuditEntry.objects.filter(action="audit.exported").exists()


def test_the_key_is_that_of_the_heads() -> None:
    grown()
    answer = caller("read").get("audit/tree-head").json()
    assert pem_of(read_key(answer["public_key"])) == answer["public_key"]
    assert len(b64decode(answer["log_id"])) == 32
