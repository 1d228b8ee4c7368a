"""What wraps data keys: a key file here, or a key management service that never gives its key away.

An implementation has four verbs and an id. The id names the key and, behind an ``@``, its version where the service
has versions; it is stored beside what was wrapped, so that years later the right key is asked.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, Self

BOUND_TO = "biasgov vault data key"
"""What a wrapped key says it is, beside its version: it opens as nothing else."""


class KeysUnavailable(Exception):  # noqa: N818 - nothing is wrong with the vault: what needs the key waits
    """The key-encryption key is out of reach for now; the message names the service and no secret."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A wrapped data key, and the id of the key that wrapped it."""

    content: bytes
    wrapped_by: str


class KeyEncryption(Protocol):
    """Wraps data keys of 32 bytes, each bound to its version.

    All raise KeysUnavailable where a service does not answer, or does not let us.
    """

    def key_id(self) -> str:
        """The key, and its version, that `wrap` uses now."""

    def wrap(self, data_key: bytes, *, version: int) -> WrappedKey:
        """The data key wrapped."""

    def unwrap(self, wrapped: WrappedKey, *, version: int) -> bytes:
        """Inverse of `wrap`, also for older versions of the key. Raises VaultError if key, version or bytes differ."""

    def renewing(self, *, unfinished: bool) -> AbstractContextManager[Self]:
        """Make a new key, or version, that wraps inside the block and, if the block succeeds, from then on.

        `unfinished`: there are data keys under another key than the present one, so an earlier change goes on and no
        further key is made.
        """

    def check(self) -> None:
        """Raises ConfigurationError if the key is not there, not ours to use, or not one that stays where it is."""


def same_key(one: str, other: str) -> bool:
    """Whether two ids name the same key, in whatever version."""
    return one.partition("@")[0] == other.partition("@")[0]
