#!/usr/bin/env python3
"""Makes docker/secrets once: passwords, database addresses and key files, for compose.yaml. Keeps what exists."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from biasgov import keyring
from biasgov.roles import COMPUTE, MIGRATOR, WEB

FOLDER = Path(__file__).resolve().parent / "secrets"


def keep(name: str, value: str) -> str:
    path = FOLDER / name
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(value)
    return path.read_text()


def main() -> None:
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    keyring.generate(FOLDER)
    admin = keep("postgres_password", secrets.token_hex(24))
    passwords = json.loads(
        keep("role_passwords", json.dumps({r: secrets.token_hex(24) for r in (WEB, COMPUTE, MIGRATOR)}))
    )
    keep("admin_database_url", f"postgresql://postgres:{admin}@postgres/postgres")
    for name, role in (("database_url", WEB), ("compute_database_url", COMPUTE), ("owner_database_url", MIGRATOR)):
        keep(name, f"postgresql://{role}:{passwords[role]}@postgres/biasgov")
    keep("redis_url", f"redis://:{keep('valkey_password', secrets.token_hex(24))}@valkey:6379/0")
    print(f"Secrets are in {FOLDER}; give the container's user (10001) read access to them.")  # noqa: T201


if __name__ == "__main__":
    main()
