"""`make check`'s last part: migrations complete, and Django's deployment check silent on a production configuration."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from biasgov import keyring

PRODUCTION = {
    "PUBLIC_URL": "https://fairness.example.org",
    "ALLOWED_HOSTS": "fairness.example.org",
    "DATABASE_URL": "postgresql://biasgov_web:x@127.0.0.1:1/biasgov",
    "COMPUTE_DATABASE_URL": "postgresql://biasgov_compute:x@127.0.0.1:1/biasgov",
    "OWNER_DATABASE_URL": "postgresql://biasgov_migrator:x@127.0.0.1:1/biasgov",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


def run(side: str, home: str, *command: str) -> int:
    environment = os.environ | PRODUCTION | {"BIASGOV_SIDE": side, "BIASGOV_HOME": home}
    print("manage.py", *command, f"({side} side)", flush=True)  # noqa: T201
    warnings = ["-W", "ignore:Got an error checking a consistent migration history:RuntimeWarning"]
    return subprocess.run([sys.executable, *warnings, "manage.py", *command], env=environment, check=False).returncode


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        keyring.generate(Path(home))
        failed = [
            run("owner", home, "makemigrations", "--check", "--dry-run"),
            run("web", home, "check", "--deploy", "--fail-level", "WARNING"),
            run("compute", home, "check", "--deploy", "--fail-level", "WARNING"),
        ]
    return max(failed)


if __name__ == "__main__":
    sys.exit(main())
