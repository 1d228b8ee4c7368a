"""Which key wraps data keys: as the environment says, and for what was wrapped before, as its id says."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from apps.vault.crypto import VaultError
from apps.vault.wrapping.interface import KeyEncryption, KeysUnavailable, WrappedKey
from apps.vault.wrapping.key_file import key_file
from biasgov.environment import ConfigurationError

CHOICES = {"file": "local", "transit": "transit", "aws-kms": "aws-kms"}
"""What BIASGOV_KEY_ENCRYPTION may say, and how the ids of such keys begin."""


def key_encryption() -> KeyEncryption:
    """What wraps data keys. Raises ConfigurationError where the environment does not say enough."""
    chosen = settings.KEY_ENCRYPTION
    if chosen not in CHOICES:
        raise ConfigurationError(f"BIASGOV_KEY_ENCRYPTION={chosen!r} is none of {', '.join(CHOICES)}.")
    return _implementation(CHOICES[chosen])


def unwrapped(wrapped: WrappedKey, *, version: int) -> bytes:
    """A data key, unwrapped by the key that wrapped it, be it the present one or not.

    Raises VaultError if that key is not the one it was, or none that this process is given.
    """
    scheme = wrapped.wrapped_by.partition(":")[0]
    if scheme not in CHOICES.values():
        raise VaultError(f"Data key {version} is wrapped by {wrapped.wrapped_by}, which nothing here can ask.")
    try:
        return _implementation(scheme).unwrap(wrapped, version=version)
    except ConfigurationError as error:
        raise VaultError(f"Data key {version} is wrapped by {wrapped.wrapped_by}. {error}") from None


def check_key_encryption(**_: object) -> list[CheckMessage]:
    """The compute side starts only with a key-encryption key that is there and may be used."""
    if settings.SIDE != "compute":
        return []
    try:
        key_encryption().check()
    except (ConfigurationError, VaultError) as error:
        return [Error(str(error), hint="docs/keys.md says what to set.", id="biasgov.E010")]
    except KeysUnavailable as error:
        return [Warning(str(error), hint="Hours and uploads wait until it does.", id="biasgov.W010")]
    return []


def _implementation(scheme: str) -> KeyEncryption:
    if scheme == "local":
        return key_file(settings.KEYRING.paths.get("key_encryption"))
    if scheme == "transit":
        return _transit(os.getpid(), *_given("TRANSIT_URL", "TRANSIT_MOUNT", "TRANSIT_KEY", "TRANSIT_TOKEN_FILE"))
    return _aws_kms(os.getpid(), *_given("KMS_KEY"))


def _given(*names: str) -> list[str]:
    for name in names:
        if not getattr(settings, name):
            raise ConfigurationError(f"BIASGOV_{name} is not set.")
    return [getattr(settings, name) for name in names]


# The services' clients keep connections, which a forked process must not share; and they load libraries that most
# installations never need.


@lru_cache(maxsize=1)
def _transit(process: int, address: str, mount: str, name: str, token: str) -> KeyEncryption:
    from apps.vault.wrapping.transit import TransitKey, TransitPlace

    return TransitKey(TransitPlace(address, mount, name, Path(token), settings.TRANSIT_CA_FILE))


@lru_cache(maxsize=1)
def _aws_kms(process: int, key: str) -> KeyEncryption:
    from apps.vault.wrapping.aws_kms import KmsKey

    return KmsKey(key)
