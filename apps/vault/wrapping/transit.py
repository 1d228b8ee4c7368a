"""The key-encryption key in the Transit engine of OpenBao or HashiCorp Vault, which never gives it away.

Our token needs, on the engine's mount: ``update`` on ``encrypt/NAME`` and ``decrypt/NAME``, ``read`` on ``keys/NAME``,
and for `manage.py rotate_keys --kek` also ``update`` on ``keys/NAME/rotate``. It lies in a file, which an agent may
renew: it is read again for every call.
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import hvac
import requests
from hvac import exceptions as refused

from apps.vault.crypto import VaultError, fresh_key
from apps.vault.wrapping.interface import BOUND_TO, KeysUnavailable, WrappedKey
from biasgov.environment import ConfigurationError
from biasgov.keyring import read_private

SCHEME = "transit"
SECONDS = 5
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_ASSOCIATED = struct.Struct(f">{len(BOUND_TO)}sI")


@dataclass(frozen=True, slots=True)
class TransitPlace:
    """Where the key is: the server's address, the engine's mount, the key's name, our token's file, a CA's file."""

    address: str
    mount: str
    name: str
    token: Path
    ca: str = ""


class TransitKey:
    """An ``aes256-gcm96`` key of a Transit engine; wrapped = the engine's own ``vault:v3:...``, as ASCII."""

    __slots__ = ("_client", "_place")

    def __init__(self, place: TransitPlace) -> None:
        parts = urlsplit(place.address)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ConfigurationError("BIASGOV_TRANSIT_URL must begin with https:// (http:// on loopback only).")
        self._place = place
        self._client = hvac.Client(url=place.address, token="", verify=place.ca or True, timeout=SECONDS)

    def key_id(self) -> str:
        return self._id(int(self._described()["latest_version"]))

    def wrap(self, data_key: bytes, *, version: int) -> WrappedKey:
        answer = self._ask(
            self._client.secrets.transit.encrypt_data,
            plaintext=b64encode(data_key).decode(),
            associated_data=_associated(version),
        )
        ciphertext = str(answer["ciphertext"])
        return WrappedKey(ciphertext.encode(), self._id(int(ciphertext.split(":")[1].removeprefix("v"))))

    def unwrap(self, wrapped: WrappedKey, *, version: int) -> bytes:
        try:
            answer = self._ask(
                self._client.secrets.transit.decrypt_data,
                ciphertext=wrapped.content.decode("ascii", "replace"),
                associated_data=_associated(version),
            )
        except refused.InvalidRequest:
            raise VaultError(f"Data key {version} does not open under {wrapped.wrapped_by}.") from None
        return b64decode(str(answer["plaintext"]))

    @contextmanager
    def renewing(self, *, unfinished: bool) -> Iterator[Self]:
        if not unfinished:
            self._ask(self._client.secrets.transit.rotate_key)
        yield self

    def check(self) -> None:
        described = self._described()
        wrong = {
            "is not of the type aes256-gcm96": described["type"] != "aes256-gcm96",
            "is derived": described["derived"],
            "can be exported": described["exportable"],
            "can be backed up in plain text": described["allow_plaintext_backup"],
        }
        for what in (what for what, holds in wrong.items() if holds):
            raise ConfigurationError(f"The Transit key {self._place.name} {what}; make one that is not.")
        probe = fresh_key()
        if self.unwrap(self.wrap(probe, version=1), version=1) != probe:
            raise ConfigurationError(f"The Transit key {self._place.name} does not give back what it wrapped.")

    def _described(self) -> Mapping[str, Any]:
        return self._ask(self._client.secrets.transit.read_key)

    def _ask(self, call: Callable[..., Any], **arguments: Any) -> Mapping[str, Any]:
        place = self._place
        try:
            self._client.token = read_private(place.token)
        except OSError as error:
            raise ConfigurationError(f"BIASGOV_TRANSIT_TOKEN_FILE={place.token}: {error.strerror}.") from None
        try:
            answer = call(name=place.name, mount_point=place.mount, **arguments)
        except refused.InvalidPath:
            raise ConfigurationError(f"{place.mount} at {place.address} has no key {place.name}.") from None
        except (refused.Forbidden, refused.Unauthorized):
            raise KeysUnavailable(f"{place.address} does not let our token use the key {place.name}.") from None
        except refused.InvalidRequest:
            raise
        except (refused.VaultError, requests.RequestException) as error:
            raise KeysUnavailable(f"{place.address} does not answer ({type(error).__name__}).") from None
        data: Mapping[str, Any] = answer["data"]
        return data

    def _id(self, version: int) -> str:
        return f"{SCHEME}:{self._place.mount}/{self._place.name}@{version}"


def _associated(version: int) -> str:
    return b64encode(_ASSOCIATED.pack(BOUND_TO.encode(), version)).decode()
