"""The compute side's keys, ready for use."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.conf import settings

from apps.common import clock
from apps.vault.crypto import DataKey, KeyEncryption, LocalKeyEncryption, VaultError, fresh_key
from biasgov.keyring import read_key

Cursor = psycopg.Cursor[tuple[Any, ...]]


def key_encryption() -> KeyEncryption:
    """What wraps data keys: the key file of the compute side."""
    return LocalKeyEncryption(settings.KEYRING.read("key_encryption"))


def key_encryption_of(version: int, wrapped_by: str) -> KeyEncryption:
    """The key that wrapped a data key: the present one or, while it is being rotated, the one that takes its place.

    Raises VaultError if neither is the one asked for.
    """
    path = settings.KEYRING.path("key_encryption")
    # The present one is asked again at the end: the other may have taken its place meanwhile.
    for place in (path, upcoming_path(path), path):
        try:
            found = LocalKeyEncryption(read_key(place))
        except FileNotFoundError:
            continue
        if found.key_id == wrapped_by:
            return found
    raise VaultError(f"Data key {version} is wrapped by {wrapped_by}; this process holds {key_encryption().key_id}.")


def upcoming_path(path: Path) -> Path:
    """Where the key lies that is about to take the place of the one in `path`."""
    return path.with_name(path.name + ".next")


def private_key() -> bytes:
    """The compute side's private key for sealed uploads."""
    return bytes(settings.KEYRING.read("vault_private"))


def public_key() -> bytes:
    """The key that uploads are sealed to; all that the web side holds."""
    return bytes(settings.KEYRING.read("vault_public"))


def fingerprint(key: bytes) -> str:
    """Short name of a public key, 16 hexadecimal characters."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key)
    return digest.finalize()[:8].hex()


def own_fingerprint() -> str:
    """Fingerprint of the public key that belongs to `private_key`."""
    return fingerprint(X25519PrivateKey.from_private_bytes(private_key()).public_key().public_bytes_raw())


def data_keys(cursor: Cursor) -> dict[int, DataKey]:
    """All data keys by version, unwrapped, but for those below the floor. Raises VaultError if one does not open."""
    cursor.execute("SELECT version, wrapped, wrapped_by FROM vault.data_key WHERE version >= %s", [floor(cursor)])
    return {version: _unwrapped(version, wrapped, by) for version, wrapped, by in cursor.fetchall()}


def current_data_key(cursor: Cursor) -> DataKey:
    """The newest data key, made now if there is none yet."""
    keys = data_keys(cursor)
    if not keys:
        make_data_key(cursor, 1)
        keys = data_keys(cursor)
    return keys[max(keys)]


def make_data_key(cursor: Cursor, version: int) -> None:
    """Make the data key of that version, wrapped; nothing happens if it is there."""
    wrapping = key_encryption()
    cursor.execute(
        "INSERT INTO vault.data_key (version, wrapped, wrapped_by, created_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        [version, wrapping.wrap(fresh_key(), version=version), wrapping.key_id, clock.now()],
    )


def count_sealed(cursor: Cursor, key: DataKey, records: int) -> None:
    """Say, before they are sealed, how many more records the key will have sealed."""
    cursor.execute("UPDATE vault.data_key SET sealed = sealed + %s WHERE version = %s", [records, key.version])


def floor(cursor: Cursor) -> int:
    """The version below which data keys are refused."""
    cursor.execute("SELECT version FROM vault.key_floor")
    ((version,),) = cursor.fetchall()
    return int(version)


@lru_cache(maxsize=64)
def _unwrapped(version: int, wrapped: bytes, wrapped_by: str) -> DataKey:
    return DataKey(key_encryption_of(version, wrapped_by).unwrap(wrapped, version=version), version=version)
