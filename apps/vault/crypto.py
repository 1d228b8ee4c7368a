"""What protects an attribute on its way into the vault and inside it.

On the way (web to compute) an upload is sealed to the compute side's public key with HPKE (RFC 9180, base mode:
DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM). Whoever sealed it cannot open it again.

Inside, every subject has one AES-256-GCM record under a data key; data keys are wrapped by the key-encryption key
(`apps.vault.wrapping`).

Record layout, big endian::

    offset  bytes  field
    0       1      layout version, 2
    1       4      data key version
    5       2      attribute schema version: which declared levels the attributes were checked against
    7       16     key commitment: HKDF-SHA256(data key, info="biasgov vault record commitment")
    23      12     nonce, random
    35      n      ciphertext of the padded attributes, followed by the 16 bytes of the tag

The associated data is layout version (1), subject pseudonym (16), data key version (4), schema version (2): a record
opens only as the record of its own subject, under its own key and schema. AES-GCM alone does not commit to its key
(one ciphertext can be made to open under two keys); the commitment, compared before anything is decrypted, closes
that. No byte of the head is free: it is compared (layout, key version, commitment), authenticated (schema version) or
used (nonce).

Plaintext: the attributes as MessagePack map with sorted names, then 0x80 and zeros up to a multiple of 64 bytes and
at least to the `width` asked for, so that the length of a record need not say anything about the levels in it. The
levels stand there by name and not by number: no table that could be altered decides what a record means.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LAYOUT = 2
HEAD = struct.Struct(">BIH16s12s")
ASSOCIATED = struct.Struct(">B16sIH")
BLOCK = 64
COMMITMENT_INFO = b"biasgov vault record commitment"
SEALING_INFO = struct.Struct(">22s16sII")
SEALING_LABEL = b"biasgov vault upload 1"
SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)

_attributes = msgspec.msgpack.Decoder(dict[str, str])
_chunk = msgspec.msgpack.Decoder(list[tuple[bytes, dict[str, str]]])

Attributes = Mapping[str, str]


class VaultError(Exception):
    """Something in the vault cannot be opened or is not what it claims; the message never holds a value."""


class DataKey:
    """A data key ready for use; holds its cipher, so that a million records share one key schedule."""

    __slots__ = ("_cipher", "commitment", "version")

    def __init__(self, key: bytes, *, version: int) -> None:
        if len(key) != 32:
            raise VaultError(f"Data key {version} has {len(key)} bytes instead of 32.")
        self.version = version
        self.commitment = derive(key, COMMITMENT_INFO)[:16]
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return f"DataKey(version={self.version})"

    def seal(self, subject: bytes, attributes: Attributes, *, schema: int, width: int = 0) -> bytes:
        """One record for a subject's 16-byte pseudonym.

        `schema` is the version of the attribute schema that the attributes were checked against; `width` the least
        size of the padded content in bytes (`content_width` gives the one that hides every choice of levels).
        """
        return self.seal_padded(subject, _padded(attributes, width), schema=schema)

    def seal_padded(self, subject: bytes, plaintext: bytes, *, schema: int) -> bytes:
        """One record of a padded plaintext, as `open_many` gives it."""
        nonce = os.urandom(12)
        head = HEAD.pack(LAYOUT, self.version, schema, self.commitment, nonce)
        return head + self._cipher.encrypt(nonce, plaintext, self._associated(subject, schema))

    def open(self, subject: bytes, record: bytes) -> dict[str, str]:
        """The attributes in one record. Raises VaultError if any bit, the subject or the key is not its own."""
        body = np.frombuffer(record, np.uint8)[None, :]
        (plaintext,) = self.open_many(np.frombuffer(subject, np.uint8)[None, :], body)
        return attributes_in(plaintext)

    def open_many(self, subjects: npt.NDArray[np.uint8], records: npt.NDArray[np.uint8]) -> list[bytes]:
        """The padded plaintexts of records of one length; their schema versions may differ.

        Parameters
        ----------
        subjects
            Pseudonyms, shape (n, 16).
        records
            Their records, shape (n, length).

        Raises
        ------
        VaultError
            At least one is not a record of its subject under this key; nothing is returned then.
        """
        n, width = records.shape
        if width < HEAD.size + 16 or subjects.shape != (n, 16):
            raise VaultError(f"Records of {width} bytes are none of ours.")
        if not (records[:, 0] == LAYOUT).all():
            raise VaultError(
                f"A record has another layout than {LAYOUT}. Layout 1, of biasgov 0.1, is not read any more: empty "
                "vault.record and upload the attributes again (a demo: remove its BIASGOV_HOME and start it anew)."
            )
        head = np.frombuffer(HEAD.pack(LAYOUT, self.version, 0, self.commitment, bytes(12)), np.uint8)
        if not ((records[:, 1:5] == head[1:5]).all() and (records[:, 7:23] == head[7:23]).all()):
            raise VaultError(f"A record does not belong to data key {self.version}.")
        nonces, sealed = records[:, 23:35].tobytes(), records[:, HEAD.size :].tobytes()
        associated = np.empty((n, ASSOCIATED.size), np.uint8)
        associated[:] = np.frombuffer(self._associated(bytes(16), 0), np.uint8)
        associated[:, 1:17] = subjects
        associated[:, 21:23] = records[:, 5:7]
        bound = associated.tobytes()
        decrypt, long, wide = self._cipher.decrypt, width - HEAD.size, ASSOCIATED.size
        try:
            return [
                decrypt(
                    nonces[12 * i : 12 * i + 12],
                    sealed[long * i : long * i + long],
                    bound[wide * i : wide * i + wide],
                )
                for i in range(n)
            ]
        except InvalidTag:
            raise VaultError(f"A record under data key {self.version} is damaged or not its subject's.") from None

    def _associated(self, subject: bytes, schema: int) -> bytes:
        if len(subject) != 16:
            raise VaultError(f"A subject pseudonym has 16 bytes, not {len(subject)}.")
        return ASSOCIATED.pack(LAYOUT, subject, self.version, schema)


def schema_version(record: bytes) -> int:
    """The attribute schema version that a record says it has; only `DataKey.open` proves it."""
    return int(HEAD.unpack_from(record)[2])


def content_width(levels: Mapping[str, Sequence[str]]) -> int:
    """Bytes of padded content that hold any choice of these {attribute: levels}: the `width` for `DataKey.seal`."""
    return len(_padded({name: max(among, key=lambda level: len(level.encode())) for name, among in levels.items()}))


def attributes_in(plaintext: bytes) -> dict[str, str]:
    """The attributes in an opened record's padded plaintext; raises VaultError for anything else."""
    end = plaintext.rfind(b"\x80")
    try:
        if end < 0 or len(plaintext) % BLOCK or plaintext[end + 1 :].strip(b"\0"):
            raise ValueError
        return _attributes.decode(plaintext[:end])
    except (msgspec.DecodeError, ValueError):
        raise VaultError("A record holds no attributes in the known form.") from None


def seal_chunk(
    rows: Sequence[tuple[bytes, Attributes]], public_key: bytes, *, upload: bytes, index: int, count: int
) -> bytes:
    """Rows (16-byte pseudonym, attributes) sealed to the compute side, as part `index` of `count` of an upload."""
    return SUITE.encrypt(
        msgspec.msgpack.encode([(subject, dict(attributes)) for subject, attributes in rows]),
        X25519PublicKey.from_public_bytes(public_key),
        info=SEALING_INFO.pack(SEALING_LABEL, upload, index, count),
    )


def open_chunk(
    sealed: bytes, private_key: bytes, *, upload: bytes, index: int, count: int
) -> list[tuple[bytes, dict[str, str]]]:
    """Inverse of `seal_chunk`. Raises VaultError for other bytes, another key, upload, index or count."""
    try:
        content = SUITE.decrypt(
            sealed,
            X25519PrivateKey.from_private_bytes(private_key),
            info=SEALING_INFO.pack(SEALING_LABEL, upload, index, count),
        )
        rows = _chunk.decode(content)
    except (InvalidTag, ValueError, msgspec.DecodeError):
        raise VaultError(f"Part {index + 1} of {count} of the upload does not open with this key.") from None
    if any(len(subject) != 16 for subject, _ in rows):
        raise VaultError(f"Part {index + 1} of {count} of the upload names a subject that is no pseudonym.")
    return rows


def _padded(attributes: Attributes, width: int = 0) -> bytes:
    content = msgspec.msgpack.encode({name: attributes[name] for name in sorted(attributes)}) + b"\x80"
    return content.ljust(-(-max(len(content), width) // BLOCK) * BLOCK, b"\0")


def derive(key: bytes, info: bytes) -> bytes:
    """32 bytes made of a key for one use; HKDF-SHA256."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(key)


def fresh_key() -> bytes:
    """32 random bytes."""
    return os.urandom(32)
