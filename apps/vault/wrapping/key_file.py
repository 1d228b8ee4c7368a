"""The key-encryption key in a file that only the compute side may read."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.vault.crypto import VaultError, derive, fresh_key
from apps.vault.wrapping.interface import WrappedKey
from biasgov.environment import ConfigurationError
from biasgov.keyring import read_key

SCHEME = "local"
ASSOCIATED = struct.Struct(">24sI")
INFO = b"biasgov vault data key\0\0"


class KeyFile:
    """AES-256-GCM under the key in a file; wrapped = nonce (12), ciphertext, tag (16).

    While the key changes, the one that takes its place lies beside it as ``<name>.next``, and either opens.
    """

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def upcoming(self) -> Path:
        """Where the key lies that is about to take the file's place."""
        return self._path.with_name(self._path.name + ".next")

    def key_id(self) -> str:
        return _id(read_key(self._path))

    def wrap(self, data_key: bytes, *, version: int) -> WrappedKey:
        key, nonce = read_key(self._path), os.urandom(12)
        return WrappedKey(nonce + AESGCM(key).encrypt(nonce, data_key, ASSOCIATED.pack(INFO, version)), _id(key))

    def unwrap(self, wrapped: WrappedKey, *, version: int) -> bytes:
        key, content = self._key(wrapped.wrapped_by, version), wrapped.content
        try:
            return AESGCM(key).decrypt(content[:12], content[12:], ASSOCIATED.pack(INFO, version))
        except (InvalidTag, ValueError):
            raise VaultError(
                f"Data key {version} does not open under key-encryption key {wrapped.wrapped_by}."
            ) from None

    @contextmanager
    def renewing(self, *, unfinished: bool) -> Iterator[Self]:
        if not self.upcoming.exists():
            if unfinished:
                yield self
                return
            _write(self.upcoming, fresh_key())
        renewed = type(self)(self.upcoming)
        identity = renewed.key_id()
        yield renewed
        try:
            os.replace(self.upcoming, self._path)
        except FileNotFoundError:
            if self.key_id() != identity:
                raise
        _sync(self._path.parent)

    def check(self) -> None:
        read_key(self._path)

    def _key(self, wrapped_by: str, version: int) -> bytes:
        # The present one is asked again at the end: the other may have taken its place meanwhile.
        for place in (self._path, self.upcoming, self._path):
            try:
                key = read_key(place)
            except FileNotFoundError:
                continue
            if _id(key) == wrapped_by:
                return key
        raise VaultError(f"Data key {version} is wrapped by {wrapped_by}; {self._path.name} is another key.")


def _id(key: bytes) -> str:
    return f"{SCHEME}:" + derive(key, b"biasgov vault key id")[:8].hex()


def _write(path: Path, key: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def key_file(path: Path | None) -> KeyFile:
    """The key file at `path`. Raises ConfigurationError if this process is given none."""
    if path is None:
        raise ConfigurationError("This side holds no key-encryption key: BIASGOV_SIDE must be compute.")
    return KeyFile(path)
