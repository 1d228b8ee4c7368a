"""What protects an attribute on its way into the vault and inside it.

On the way (web to compute) an upload is sealed to the compute side's public key with HPKE (RFC 9180, base mode:
DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM). Whoever sealed it cannot open it again.

Inside, people are kept in blocks (`apps.vault.blocks`), each one AES-256-GCM ciphertext under a data key; data keys are
wrapped by the key-encryption key (`apps.vault.wrapping`).

Layout of what a data key sealed, big endian::

    offset  bytes  field
    0       1      layout version, 3
    1       4      data key version
    5       16     key commitment: HKDF-SHA256(data key, info="biasgov vault record commitment")
    21      12     nonce, random
    33      n      ciphertext, followed by the 16 bytes of the tag

The associated data is layout version (1), data key version (4) and what the caller binds it to: it opens only in its
own place, under its own key. AES-GCM alone does not commit to its key (one ciphertext can be made to open under two
keys); the commitment, compared before anything is decrypted, closes that. No byte of the head is free: it is compared
(layout, key version, commitment) or used (nonce).
"""

from __future__ import annotations

import os
import struct

import msgspec
import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from apps.vault.columns import People

LAYOUT = 3
HEAD = struct.Struct(">BI16s12s")
ASSOCIATED = struct.Struct(">BI")
TAG = 16
COMMITMENT_INFO = b"biasgov vault record commitment"
SEALING_INFO = struct.Struct(">22s16sI?")
SEALING_LABEL = b"biasgov vault upload 2"
DISCLOSING_INFO = struct.Struct(">26sq")
DISCLOSING_LABEL = b"biasgov vault disclosure 1"
DISCLOSURE_PADDED_TO = 2048
SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class VaultError(Exception):
    """Something in the vault cannot be opened or is not what it claims; the message never holds a value."""


class DataKey:
    """A data key ready for use; holds its cipher, so that many blocks share one key schedule."""

    __slots__ = ("_cipher", "_head", "commitment", "version")

    def __init__(self, key: bytes, *, version: int) -> None:
        if len(key) != 32:
            raise VaultError(f"Data key {version} has {len(key)} bytes instead of 32.")
        self.version = version
        self.commitment = derive(key, COMMITMENT_INFO)[:16]
        self._head = HEAD.pack(LAYOUT, version, self.commitment, bytes(12))[:-12]
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return f"DataKey(version={self.version})"

    def seal(self, plaintext: bytes, *, bound_to: bytes) -> bytes:
        """The plaintext sealed, to be opened as nothing but what it is bound to."""
        nonce = os.urandom(12)
        return self._head + nonce + self._cipher.encrypt(nonce, plaintext, self._associated(bound_to))

    def open(self, sealed: bytes, *, bound_to: bytes) -> bytes:
        """Inverse of `seal`. Raises VaultError if any bit, the key or what it is bound to differs."""
        if len(sealed) < HEAD.size + TAG or sealed[0] != LAYOUT:
            raise VaultError(f"A block of the vault has another layout than {LAYOUT}.")
        if not sealed.startswith(self._head):
            raise VaultError(f"A block of the vault does not belong to data key {self.version}.")
        try:
            return self._cipher.decrypt(
                sealed[len(self._head) : HEAD.size], sealed[HEAD.size :], self._associated(bound_to)
            )
        except InvalidTag:
            raise VaultError(f"A block under data key {self.version} is damaged or not in its own place.") from None

    def _associated(self, bound_to: bytes) -> bytes:
        return ASSOCIATED.pack(LAYOUT, self.version) + bound_to


class _Chunk(msgspec.Struct, array_like=True):
    """People as they travel: pseudonyms, 16 bytes each; places among the choices, 4 bytes each, little endian."""

    subjects: bytes
    choice: bytes
    choices: list[dict[str, str]]


_chunk = msgspec.msgpack.Decoder(_Chunk)


def seal_chunk(people: People, public_key: bytes, *, upload: bytes, index: int, last: bool) -> bytes:
    """People sealed to the compute side, as part `index` of an upload and as its last one or not."""
    content = _Chunk(
        people.subjects.tobytes(), people.choice.astype("<u4").tobytes(), [dict(each) for each in people.choices]
    )
    return SUITE.encrypt(
        msgspec.msgpack.encode(content),
        X25519PublicKey.from_public_bytes(public_key),
        info=SEALING_INFO.pack(SEALING_LABEL, upload, index, last),
    )


def open_chunk(sealed: bytes, private_key: bytes, *, upload: bytes, index: int, last: bool) -> People:
    """Inverse of `seal_chunk`. Raises VaultError for other bytes, another key, upload or place in it."""
    try:
        content = _chunk.decode(
            SUITE.decrypt(
                sealed,
                X25519PrivateKey.from_private_bytes(private_key),
                info=SEALING_INFO.pack(SEALING_LABEL, upload, index, last),
            )
        )
        subjects = np.frombuffer(content.subjects, np.uint8).reshape(-1, 16)
        choice = np.frombuffer(content.choice, "<u4").astype(np.uint32)
    except (InvalidTag, ValueError, msgspec.DecodeError):
        raise VaultError(f"Part {index + 1} of the upload does not open with this key.") from None
    if len(choice) != len(subjects) or (len(choice) and choice.max() >= len(content.choices)):
        raise VaultError(f"Part {index + 1} of the upload does not say whose attributes are which.")
    return People(subjects, choice, tuple(content.choices))


class DisclosedSubject(msgspec.Struct, frozen=True, array_like=True):
    """What one person is to see of another: the levels by attribute, None where the vault does not know the subject.

    `received`: when they came, microseconds since 1970.
    """

    subject: str
    attributes: dict[str, str] | None
    received: int | None

    def __repr__(self) -> str:
        return "DisclosedSubject()"


_disclosed = msgspec.msgpack.Decoder(tuple[DisclosedSubject, ...])


def seal_disclosure(disclosed: tuple[DisclosedSubject, ...], public_key: bytes, *, approval: int) -> bytes:
    """Values sealed to a person's own key, for one request; the length tells little of them.

    Raises VaultError if that is no key.
    """
    content = msgspec.msgpack.encode(disclosed)
    whole = -(-len(content) // DISCLOSURE_PADDED_TO) * DISCLOSURE_PADDED_TO
    padded = len(content).to_bytes(4) + content.ljust(whole, b"\0")
    info = DISCLOSING_INFO.pack(DISCLOSING_LABEL, approval)
    try:
        return SUITE.encrypt(padded, X25519PublicKey.from_public_bytes(public_key), info=info)
    except ValueError:
        raise VaultError("Nothing can be sealed to this key.") from None


def open_disclosure(sealed: bytes, private_key: bytes, *, approval: int) -> tuple[DisclosedSubject, ...]:
    """Inverse of `seal_disclosure`. Raises VaultError for other bytes, another key or another request."""
    try:
        padded = SUITE.decrypt(
            sealed,
            X25519PrivateKey.from_private_bytes(private_key),
            info=DISCLOSING_INFO.pack(DISCLOSING_LABEL, approval),
        )
        return _disclosed.decode(padded[4 : 4 + int.from_bytes(padded[:4])])
    except (InvalidTag, ValueError, msgspec.DecodeError):
        raise VaultError("The values do not open with this key.") from None


def fresh_key_pair() -> tuple[bytes, bytes]:
    """A new private key for one disclosure, and its public half."""
    private = X25519PrivateKey.generate()
    return private.private_bytes_raw(), private.public_key().public_bytes_raw()


def derive(key: bytes, info: bytes) -> bytes:
    """32 bytes made of a key for one use; HKDF-SHA256."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(key)


def fresh_key() -> bytes:
    """32 random bytes."""
    return os.urandom(32)
