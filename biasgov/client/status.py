"""The status document of a model: what a serving gateway may rely on, and the bytes that its signature covers.

The signature is Ed25519 over the ASCII line ``biasgov status 1`` with its line feed, followed by one JSON object in
UTF-8, keys in ascending order, no white space between tokens, strings escaped only where JSON demands it::

    {"issued_at":T,"key_id":K,"model":M,"restriction":R,"sequence":N,"tier":L,"valid_until":T}

- `issued_at`, `valid_until`: UTC, whole seconds, ``2026-11-22T21:40:30Z``;
- `key_id`: the first 16 hexadecimal digits of the SHA-256 of the 32 bytes of the public key;
- `sequence`: a whole number that rises with every change of a model's status, so that an older document is known;
- `tier`: ``none``, ``alert``, ``monitor-enhanced``, ``restrict`` or ``escalate``;
- `restriction`: ``null``, or ``{"blocked_decision_types":[...],"id":N,"reason":S,"since":T}``.

Sent is that object with two more members: `etag`, the first 32 hexadecimal digits of the SHA-256 of it, and
`signature`, in base64. Members that a reader does not know are not covered by the signature and mean nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PREFIX = b"biasgov status 1\n"
TIERS = ("none", "alert", "monitor-enhanced", "restrict", "escalate")
EVERY_DECISION = "*"


class StatusError(ValueError):
    """A status document that must not be relied on; the message says why."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """What may not be decided by the model at present, since when and why."""

    id: int
    blocked_decision_types: tuple[str, ...]
    since: datetime
    reason: str

    def blocks(self, decision_type: str) -> bool:
        return EVERY_DECISION in self.blocked_decision_types or decision_type in self.blocked_decision_types

    def to_dict(self) -> dict[str, Any]:
        return {
            "blocked_decision_types": list(self.blocked_decision_types),
            "id": self.id,
            "reason": self.reason,
            "since": moment(self.since),
        }


@dataclass(frozen=True, slots=True)
class Status:
    """A model's status as it is signed. `restriction` is None where every decision is allowed."""

    model: str
    tier: str
    restriction: Restriction | None
    sequence: int
    issued_at: datetime
    valid_until: datetime
    key_id: str

    def canonical(self) -> bytes:
        """The JSON object that the signature covers."""
        told = {
            "issued_at": moment(self.issued_at),
            "key_id": self.key_id,
            "model": self.model,
            "restriction": self.restriction.to_dict() if self.restriction else None,
            "sequence": self.sequence,
            "tier": self.tier,
            "valid_until": moment(self.valid_until),
        }
        return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    @property
    def etag(self) -> str:
        return hashlib.sha256(self.canonical()).hexdigest()[:32]

    def document(self, key: Ed25519PrivateKey) -> dict[str, Any]:
        """The status as it is sent, signed by `key`, which must be the one that `key_id` names."""
        if key_id(key.public_key()) != self.key_id:
            raise ValueError(f"the status names the key {self.key_id} and is signed by another")
        signature = key.sign(PREFIX + self.canonical())
        told: dict[str, Any] = json.loads(self.canonical())
        return told | {"etag": self.etag, "signature": base64.b64encode(signature).decode()}


def verify(document: Any, keys: Iterable[Ed25519PublicKey], *, model: str) -> Status:
    """The status in a document that one of `keys` has signed for `model`.

    Whether it is still valid, and newer than another, is for the reader to judge. Raises StatusError.
    """
    status = _read(document)
    known = {key_id(key): key for key in keys}
    if status.key_id not in known:
        raise StatusError(f"it is signed by the key {status.key_id}, which is not among those trusted here")
    try:
        signature = base64.b64decode(str(document.get("signature")), validate=True)
        known[status.key_id].verify(signature, PREFIX + status.canonical())
    except (binascii.Error, InvalidSignature, ValueError):
        raise StatusError("its signature is wrong") from None
    if status.model != model:
        raise StatusError(f"it is about the model {status.model!r}, not {model!r}")
    return status


def key_id(key: Ed25519PublicKey) -> str:
    """The name of a public key in status documents."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def public_key(text: str) -> Ed25519PublicKey:
    """A public key from the 64 hexadecimal digits that `manage.py status_key` prints. Raises ValueError."""
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text.strip()))


def moment(at: datetime) -> str:
    """A time as the signed bytes write it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(document: Any) -> Status:
    if not isinstance(document, Mapping):
        raise StatusError("it is no JSON object")
    try:
        given = document["restriction"]
        restriction = None if given is None else _restriction(given)
        status = Status(
            model=_text(document["model"]),
            tier=_text(document["tier"]),
            restriction=restriction,
            sequence=_number(document["sequence"]),
            issued_at=_moment(document["issued_at"]),
            valid_until=_moment(document["valid_until"]),
            key_id=_text(document["key_id"]),
        )
    except KeyError as missing:
        raise StatusError(f"it has no {missing.args[0]}") from None
    except (TypeError, ValueError) as error:
        raise StatusError(f"it cannot be read: {error}") from None
    if status.tier not in TIERS:
        raise StatusError(f"its tier {status.tier!r} is none of {', '.join(TIERS)}")
    return status


def _restriction(given: Any) -> Restriction:
    if not isinstance(given, Mapping) or not isinstance(given["blocked_decision_types"], list):
        raise TypeError("its restriction is none")
    types = tuple(_text(each) for each in given["blocked_decision_types"])
    return Restriction(_number(given["id"]), types, _moment(given["since"]), _text(given["reason"]))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"{value!r} is no whole number")
    return value


def _moment(value: Any) -> datetime:
    return datetime.strptime(_text(value), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
