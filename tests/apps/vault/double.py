"""A key-encryption key that protects nothing, for tests that count or break calls; no configuration can choose it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from apps.vault.crypto import VaultError
from apps.vault.wrapping.interface import WrappedKey

SAYS_SO = b"test double, not encrypted: "


class NotEncrypting:
    """Wraps by writing in front that it does not; `asked` counts how often something was unwrapped."""

    def __init__(self) -> None:
        self.asked = 0
        self.generation = 1

    def key_id(self) -> str:
        return f"test-double:not-encrypting@{self.generation}"

    def wrap(self, data_key: bytes, *, version: int) -> WrappedKey:
        return WrappedKey(SAYS_SO + version.to_bytes(4, "big") + data_key, self.key_id())

    def unwrap(self, wrapped: WrappedKey, *, version: int) -> bytes:
        self.asked += 1
        head = SAYS_SO + version.to_bytes(4, "big")
        if not wrapped.content.startswith(head):
            raise VaultError(f"Data key {version} was not wrapped by the test double.")
        return wrapped.content.removeprefix(head)

    @contextmanager
    def renewing(self, *, unfinished: bool) -> Iterator[Self]:
        self.generation += not unfinished
        yield self

    def check(self) -> None:
        return None
