"""The key-encryption key in AWS KMS, which never gives it away.

Credentials and region come as boto3 finds them (environment, profile, role of the machine). They need
``kms:Encrypt``, ``kms:Decrypt`` and ``kms:DescribeKey`` on the key, and for `manage.py rotate_keys --kek` also
``kms:RotateKeyOnDemand``. Where the key is given as an alias, the alias may be moved to another key instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from apps.vault.crypto import VaultError, fresh_key
from apps.vault.wrapping.interface import BOUND_TO, KeysUnavailable, WrappedKey
from biasgov.environment import ConfigurationError

SCHEME = "aws-kms"
SECONDS = 5
PATIENCE = 60.0
_NOT_ITS_OWN = {"InvalidCiphertextException", "IncorrectKeyException"}
_NOT_THERE = {"NotFoundException", "InvalidArnException", "ValidationException"}


class KmsKey:
    """A symmetric key of AWS KMS; wrapped = the service's ciphertext, bound to its encryption context."""

    __slots__ = ("_client", "_key")

    def __init__(self, key: str) -> None:
        self._key = key
        try:
            self._client = boto3.client(
                "kms",
                config=Config(
                    connect_timeout=SECONDS, read_timeout=SECONDS, retries={"mode": "standard", "max_attempts": 2}
                ),
            )
        except NoRegionError:
            raise ConfigurationError("AWS KMS needs a region: set AWS_DEFAULT_REGION.") from None

    def key_id(self) -> str:
        described = self._described()
        return _id(described["Arn"], described.get("CurrentKeyMaterialId"))

    def wrap(self, data_key: bytes, *, version: int) -> WrappedKey:
        sealed = self._ask(
            self._client.encrypt, KeyId=self._key, Plaintext=data_key, EncryptionContext=_context(version)
        )
        content = bytes(sealed["CiphertextBlob"])
        # Only decrypting tells which of the key's materials was used; it also shows that the key comes back.
        opened = self._open(WrappedKey(content, sealed["KeyId"]), version)
        if opened["Plaintext"] != data_key:
            raise VaultError(f"Data key {version} does not come back from AWS KMS as it was.")
        return WrappedKey(content, _id(opened["KeyId"], opened.get("KeyMaterialId")))

    def unwrap(self, wrapped: WrappedKey, *, version: int) -> bytes:
        return bytes(self._open(wrapped, version)["Plaintext"])

    @contextmanager
    def renewing(self, *, unfinished: bool) -> Iterator[Self]:
        if not unfinished:
            before = self.key_id()
            self._ask(self._client.rotate_key_on_demand, KeyId=self._described()["KeyId"])
            self._wait_for_another_than(before)
        yield self

    def check(self) -> None:
        described = self._described()
        if (described["KeySpec"], described["KeyUsage"]) != ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"):
            raise ConfigurationError(f"The AWS KMS key {self._key} is not a symmetric key for encryption.")
        if not described["Enabled"]:
            raise ConfigurationError(f"The AWS KMS key {self._key} is disabled.")
        self.wrap(fresh_key(), version=1)

    def _described(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self._ask(self._client.describe_key, KeyId=self._key)["KeyMetadata"]
        return metadata

    def _open(self, wrapped: WrappedKey, version: int) -> Mapping[str, Any]:
        key = wrapped.wrapped_by.removeprefix(f"{SCHEME}:").partition("@")[0]
        try:
            return self._ask(
                self._client.decrypt,
                KeyId=key,
                CiphertextBlob=wrapped.content,
                EncryptionContext=_context(version),
            )
        except _NotItsOwn:
            raise VaultError(f"Data key {version} does not open under {wrapped.wrapped_by}.") from None

    def _ask(self, call: Callable[..., Any], **arguments: Any) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = call(**arguments)
        except NoCredentialsError:
            raise ConfigurationError("AWS KMS needs credentials, as boto3 finds them; there are none.") from None
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _NOT_ITS_OWN:
                raise _NotItsOwn from None
            if code in _NOT_THERE:
                raise ConfigurationError(f"AWS KMS has no usable key {self._key} ({code}).") from None
            raise KeysUnavailable(f"AWS KMS does not let us use the key {self._key} ({code}).") from None
        except BotoCoreError as error:
            raise KeysUnavailable(f"AWS KMS does not answer ({type(error).__name__}).") from None
        return answer

    def _wait_for_another_than(self, before: str) -> None:
        """Until the new key material is in use; at once where the service does not name its materials."""
        deadline = time.monotonic() + PATIENCE
        while "@" in before and self.key_id() == before:
            if time.monotonic() >= deadline:
                raise KeysUnavailable(f"AWS KMS has not rotated {self._key} within {PATIENCE:.0f} s; run this again.")
            time.sleep(1)


class _NotItsOwn(Exception):  # noqa: N818
    pass


def _context(version: int) -> dict[str, str]:
    return {"purpose": BOUND_TO, "version": str(version)}


def _id(key: str, material: str | None) -> str:
    return f"{SCHEME}:{key}" + (f"@{material}" if material else "")
