"""The status document: its bytes, its signature, and that nothing else passes."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from biasgov.client.status import Restriction, StatusError, verify
from tests.client.server import BLOCKED, KEY, NOON, document

TRUSTED = [KEY.public_key()]
BY_HAND = (
    '{"issued_at":"2026-05-04T12:00:00Z","key_id":"56475aa75463474c","model":"claims",'
    '"restriction":{"blocked_decision_types":["decline"],"id":7,"reason":"Für „alle“: 5 % & <b>\\n",'
    '"since":"2026-05-04T12:00:00Z"},'
    '"sequence":3,"tier":"restrict","valid_until":"2026-05-04T12:05:00Z"}'
)


def test_the_signed_bytes_are_those_that_the_documentation_describes() -> None:
    restriction = Restriction(7, ("decline",), NOON, "Für „alle“: 5 % & <b>\n")
    sent = document(tier="restrict", restriction=restriction)
    assert sent["key_id"] == hashlib.sha256(KEY.public_key().public_bytes_raw()).hexdigest()[:16]
    KEY.public_key().verify(base64.b64decode(sent["signature"]), b"biasgov status 1\n" + BY_HAND.encode())
    assert sent["etag"] == hashlib.sha256(BY_HAND.encode()).hexdigest()[:32]


def test_a_document_survives_the_way_over_the_wire() -> None:
    sent = json.dumps(document(tier="restrict", restriction=BLOCKED), indent=3, sort_keys=True)
    status = verify(json.loads(sent), TRUSTED, model="claims")
    assert (status.restriction, status.sequence, status.valid_until) == (BLOCKED, 3, NOON + timedelta(minutes=5))


def test_members_that_a_reader_does_not_know_mean_nothing() -> None:
    assert verify(document() | {"comment": "trust me"}, TRUSTED, model="claims").sequence == 3


CHANGES: list[tuple[str, Any]] = [
    ("model", "other"),
    ("tier", "alert"),
    ("tier", "green"),
    ("sequence", 4),
    ("sequence", "3"),
    ("sequence", True),
    ("sequence", -1),
    ("issued_at", "2026-05-04T12:00:01Z"),
    ("valid_until", "2036-05-04T12:00:00Z"),
    ("valid_until", "soon"),
    ("restriction", None),
    ("restriction", []),
    ("restriction", {"id": 7}),
    ("key_id", "0" * 16),
    ("signature", ""),
    ("signature", "AAAA"),
    ("signature", None),
]


@pytest.mark.parametrize(("member", "value"), CHANGES)
def test_whatever_is_changed_is_noticed(member: str, value: Any) -> None:
    with pytest.raises(StatusError):
        verify(document(tier="restrict", restriction=BLOCKED) | {member: value}, TRUSTED, model="claims")


@pytest.mark.parametrize("member", ["id", "blocked_decision_types", "since", "reason"])
def test_every_part_of_a_restriction_is_signed(member: str) -> None:
    sent = document(tier="restrict", restriction=BLOCKED)
    without = copy.deepcopy(sent)
    del without["restriction"][member]
    other = copy.deepcopy(sent)
    other["restriction"][member] = {"id": 8, "blocked_decision_types": [], "since": "2026-05-04T12:00:01Z"}.get(
        member, "x"
    )
    for forged in (without, other):
        with pytest.raises(StatusError):
            verify(forged, TRUSTED, model="claims")


@pytest.mark.parametrize("nothing", [None, [], "x", 3, {}])
def test_what_is_no_document_is_refused(nothing: Any) -> None:
    with pytest.raises(StatusError):
        verify(nothing, TRUSTED, model="claims")


def test_another_key_is_not_trusted_though_it_takes_the_name_of_ours() -> None:
    other = Ed25519PrivateKey.generate()
    with pytest.raises(StatusError, match="not among those trusted"):
        verify(document(other), TRUSTED, model="claims")
    with pytest.raises(StatusError, match="signature is wrong"):
        verify(document(other) | {"key_id": document()["key_id"]}, TRUSTED, model="claims")
    assert verify(document(other), [*TRUSTED, other.public_key()], model="claims").sequence == 3


def test_the_document_of_another_model_is_refused() -> None:
    with pytest.raises(StatusError, match="about the model"):
        verify(document(), TRUSTED, model="lending")


def test_the_client_loads_nothing_of_the_server() -> None:
    check = (
        "import biasgov.client, sys; print(sorted({'django', 'numpy', 'celery', 'msgspec', 'apps'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
