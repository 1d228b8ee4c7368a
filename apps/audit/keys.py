"""The key that signs tree heads (compute side) and the one that checks them (web side)."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from biasgov.audit.heads import HeadFile, log_id
from biasgov.keyring import read_key


def signing_key() -> Ed25519PrivateKey:
    """Raises ConfigurationError on a side that does not hold it."""
    return Ed25519PrivateKey.from_private_bytes(settings.KEYRING.read("audit_signing"))


def public_key() -> Ed25519PublicKey:
    """Raises ConfigurationError on a side that does not hold it."""
    return Ed25519PublicKey.from_public_bytes(settings.KEYRING.read("audit_public"))


def known_keys() -> dict[bytes, Ed25519PublicKey]:
    """Every public key that heads may be signed by, by log id: the present one, and those kept beside it since.

    A key that was replaced stays as ``audit_public.until-2026-11-25.key`` in the folder of the present one.
    """
    present = settings.KEYRING.path("audit_public")
    kept = [read_key(path) for path in sorted(present.parent.glob("audit_public.*.key"))]
    keys = [public_key(), *map(Ed25519PublicKey.from_public_bytes, kept)]
    return {log_id(key): key for key in keys}


def head_file() -> HeadFile:
    """The file of signed heads, outside the database."""
    return HeadFile(settings.AUDIT_TREE_HEADS)
