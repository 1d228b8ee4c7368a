"""The compute side's keys, ready for use."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import psycopg
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.conf import settings

from apps.common import clock
from apps.vault.crypto import DataKey, fresh_key
from apps.vault.wrapping.choice import key_encryption, unwrapped
from apps.vault.wrapping.interface import WrappedKey

KEPT = 900.0
"""Seconds for which an unwrapped data key may be used: a key that is taken away at its service ends reads by then."""

Cursor = psycopg.Cursor[tuple[Any, ...]]


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
    period = int(time.monotonic() // KEPT)
    return {
        version: _unwrapped(version, WrappedKey(bytes(content), by), period)
        for version, content, by in cursor.fetchall()
    }


def current_data_key(cursor: Cursor) -> DataKey:
    """The newest data key, made now if there is none yet."""
    keys = data_keys(cursor)
    if not keys:
        make_data_key(cursor, 1)
        keys = data_keys(cursor)
    return keys[max(keys)]


def make_data_key(cursor: Cursor, version: int) -> None:
    """Make the data key of that version, wrapped; nothing happens if it is there."""
    wrapped = key_encryption().wrap(fresh_key(), version=version)
    cursor.execute(
        "INSERT INTO vault.data_key (version, wrapped, wrapped_by, created_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        [version, wrapped.content, wrapped.wrapped_by, clock.now()],
    )


def count_sealed(cursor: Cursor, key: DataKey, blocks: int) -> None:
    """Say, before they are sealed, how many more blocks the key will have sealed."""
    cursor.execute("UPDATE vault.data_key SET sealed = sealed + %s WHERE version = %s", [blocks, key.version])


def floor(cursor: Cursor) -> int:
    """The version below which data keys are refused."""
    cursor.execute("SELECT version FROM vault.key_floor")
    ((version,),) = cursor.fetchall()
    return int(version)


@lru_cache(maxsize=64)
def _unwrapped(version: int, wrapped: WrappedKey, period: int) -> DataKey:
    return DataKey(unwrapped(wrapped, version=version), version=version)
