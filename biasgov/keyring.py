"""Where each process finds its keys, and what it may hold.

The web side holds the pseudonym key, the vault's *public* key and that of the audit log. The compute side holds the
pseudonym key, the vault's *private* key, the key-encryption key and the key that signs the audit log's tree heads: the
side that faces the network can check a head and never make one. Nothing here reads a key that its side may not hold.

A key comes from ``BIASGOV_<NAME>_FILE`` (a path) or, with the embedded services, from ``<home>/keys``.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from biasgov.environment import ConfigurationError, secret

SHARED = ("pseudonym",)
WEB = ("vault_public", "audit_public", "django_secret", "status_signing")
COMPUTE = ("vault_private", "key_encryption", "audit_signing")
_TEST_SECRET = "only-for-tests-" + "x" * 40


@dataclass(frozen=True, slots=True)
class Keyring:
    """Paths of the keys that this side may open; `repr` shows paths, never contents."""

    side: str
    paths: dict[str, Path] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """The file of key `name`.

        Raises
        ------
        ConfigurationError
            This side holds no such key, or the file is missing.
        """
        if name not in self.paths:
            raise ConfigurationError(f"The {self.side} side holds no key called {name}.")
        path = self.paths[name]
        if not path.exists():
            raise ConfigurationError(
                f"Key file {path} is missing: run 'manage.py setup_keys', or set BIASGOV_{name.upper()}_FILE."
            )
        return path

    def read(self, name: str) -> bytes:
        """The key's 32 bytes. Raises ConfigurationError as `path` and `read_key` do."""
        return read_key(self.path(name))

    @property
    def django_secret(self) -> str:
        """Django's SECRET_KEY: from SECRET_KEY(_FILE), else the key file, else a throw-away one.

        The compute side serves no request and signs nothing, so it gets a fresh one on every start.
        """
        given = secret("SECRET_KEY")
        if given:
            return given
        if self.side == "test":
            return _TEST_SECRET
        path = self.paths.get("django_secret")
        return path.read_text().strip() if path and path.exists() else secrets.token_hex(32)


def read_key(path: Path) -> bytes:
    """The 32 bytes in a key file, stored as 64 hexadecimal characters.

    Raises
    ------
    ConfigurationError
        The file is readable by others, or does not hold a key.
    """
    try:
        key = bytes.fromhex(read_private(path))
    except ValueError:
        raise ConfigurationError(f"Key file {path} is not hexadecimal.") from None
    if len(key) != 32:
        raise ConfigurationError(f"Key file {path} holds {len(key)} bytes instead of 32.")
    return key


def read_private(path: Path) -> str:
    """The text of a file that holds a secret, without blanks around it.

    Raises ConfigurationError if others may read it, and FileNotFoundError if it is not there.
    """
    if stat.S_IMODE(path.stat().st_mode) & 0o027:
        raise ConfigurationError(f"The key file {path} is readable by others: run 'chmod 600 {path}'.")
    return path.read_text().strip()


def locate(home: Path, *, side: str) -> Keyring:
    """The keyring of `side` ("web", "compute", "owner" or "test"; tests hold both sides' keys)."""
    allowed = {
        "web": SHARED + WEB,
        "compute": SHARED + COMPUTE,
        "owner": (),
        "test": SHARED + WEB + COMPUTE,
    }.get(side, ())
    folders = dict.fromkeys(WEB, "web") | dict.fromkeys(COMPUTE, "compute") | dict.fromkeys(SHARED, "shared")
    return Keyring(
        side,
        {
            name: Path(os.environ.get(f"BIASGOV_{name.upper()}_FILE") or home / "keys" / folders[name] / f"{name}.key")
            for name in allowed
        },
    )


def generate(home: Path) -> list[Path]:
    """Make the keys that are not there yet, each in its side's folder, readable by their owner only.

    Returns
    -------
    list of Path
        The files written now; existing keys are never touched.
    """
    written: list[Path] = []

    def keep(folder: str, name: str, make: Callable[[], bytes]) -> bytes:
        path = home / "keys" / folder / f"{name}.key"
        if path.exists():
            return bytes.fromhex(path.read_text().strip())
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = make()
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key.hex() + "\n")
        written.append(path)
        return key

    def random() -> bytes:
        return secrets.token_bytes(32)

    keep("shared", "pseudonym", random)
    keep("web", "django_secret", random)
    keep("web", "status_signing", random)
    keep("compute", "key_encryption", random)
    private = keep("compute", "vault_private", lambda: X25519PrivateKey.generate().private_bytes_raw())
    keep("web", "vault_public", X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw)
    signing = keep("compute", "audit_signing", lambda: Ed25519PrivateKey.generate().private_bytes_raw())
    keep("web", "audit_public", Ed25519PrivateKey.from_private_bytes(signing).public_key().public_bytes_raw)
    return written
