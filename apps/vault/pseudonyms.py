"""The name under which a subject is known inside: a keyed hash that nobody without the key can make or undo."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes, hmac
from django.conf import settings


class Pseudonymiser:
    """HMAC-SHA256 under the pseudonym key, cut to 16 bytes; both sides hold the key, the database never does."""

    __slots__ = ("_ready",)

    def __init__(self, key: bytes | None = None) -> None:
        self._ready = hmac.HMAC(key or settings.KEYRING.read("pseudonym"), hashes.SHA256())

    def many(self, ids: Sequence[str]) -> list[bytes]:
        """The 16-byte pseudonyms of subject ids, in order."""
        copy = self._ready.copy
        found: list[bytes] = []
        for identity in ids:
            code = copy()
            code.update(identity.encode())
            found.append(code.finalize()[:16])
        return found

    def one(self, identity: str) -> bytes:
        """The 16-byte pseudonym of one subject id."""
        return self.many([identity])[0]
