"""What tells whether a home has to be prepared again: which database it is, and which code and files it was for."""

from __future__ import annotations

import hashlib
import os
from importlib import metadata
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from biasgov.local import Services

WATCHED = ("apps", "biasgov", "static")


def installation(services: Services) -> str:
    """A name for the database behind `services`: another one once its data were removed and made anew.

    The sign-in password is random and made together with the data, so its digest is such a name.
    """
    password = conninfo_to_dict(services.database_url).get("password") or ""
    return hashlib.sha256(f"demo:{password}".encode()).hexdigest()[:16]


def digest_of_checkout(checkout: Path) -> str:
    """A digest of the code, migrations and static files by name, size and time, and of the static files' wheels."""
    digest = hashlib.sha256(metadata.version("plotly").encode() + metadata.version("django-htmx").encode())
    for top in WATCHED:
        for folder, folders, files in os.walk(checkout / top):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(files):
                path = Path(folder, name)
                state = path.stat()
                digest.update(f"{path}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()
