"""The compute side's keys, ready for use."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import psycopg
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.conf import settings

from apps.common import clock
from apps.vault.crypto import DataKey, KeyEncryption, LocalKeyEncryption, VaultError, fresh_key

Cursor = psycopg.Cursor[tuple[Any, ...]]


def key_encryption() -> KeyEncryption:
    """What wraps data keys: the key file of the compute side."""
    return LocalKeyEncryption(settings.KEYRING.read("key_encryption"))


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
    """All data keys by version, unwrapped. Raises VaultError if one does not open."""
    cursor.execute("SELECT version, wrapped, wrapped_by FROM vault.data_key")
    return {version: _unwrapped(version, wrapped, by) for version, wrapped, by in cursor.fetchall()}


def current_data_key(cursor: Cursor) -> DataKey:
    """The newest data key, made now if there is none yet."""
    keys = data_keys(cursor)
    if not keys:
        wrapping = key_encryption()
        cursor.execute(
            "INSERT INTO vault.data_key (version, wrapped, wrapped_by, created_at) VALUES (1, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [wrapping.wrap(fresh_key(), version=1), wrapping.key_id, clock.now()],
        )
        keys = data_keys(cursor)
    return keys[max(keys)]


@lru_cache(maxsize=64)
def _unwrapped(version: int, wrapped: bytes, wrapped_by: str) -> DataKey:
    wrapping = key_encryption()
    if wrapped_by != wrapping.key_id:
        raise VaultError(f"Data key {version} is wrapped by {wrapped_by}; this process holds {wrapping.key_id}.")
    return DataKey(wrapping.unwrap(wrapped, version=version), version=version)
