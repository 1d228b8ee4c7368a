"""The key that signs tree heads (compute side) and the one that checks them (web side)."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from biasgov.audit.heads import HeadFile


def signing_key() -> Ed25519PrivateKey:
    """Raises ConfigurationError on a side that does not hold it."""
    return Ed25519PrivateKey.from_private_bytes(settings.KEYRING.read("audit_signing"))


def public_key() -> Ed25519PublicKey:
    """Raises ConfigurationError on a side that does not hold it."""
    return Ed25519PublicKey.from_public_bytes(settings.KEYRING.read("audit_public"))


def head_file() -> HeadFile:
    """The file of signed heads, outside the database."""
    return HeadFile(settings.AUDIT_TREE_HEADS)
