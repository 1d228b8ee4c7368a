"""Typed readers for environment variables, and the files that hold secrets.

A secret ``NAME`` is looked up as ``NAME_FILE`` (a path) first and as ``NAME`` second, so that a container can
mount it and a process list never shows it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict


class ConfigurationError(Exception):
    """The environment cannot be used; the message says what to set."""


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default)


def flag(name: str, default: bool = False) -> bool:
    value = os.environ.get(name)
    return default if value is None else value.strip().lower() in {"1", "true", "yes", "on"}


def whole(name: str, default: int) -> int:
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        return int(value)
    except ValueError:
        raise ConfigurationError(f"{name}={value!r} is not a whole number.") from None


def words(name: str, default: str = "") -> list[str]:
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def secret(name: str) -> str | None:
    """The secret called `name`, from the file named by ``<name>_FILE`` or from the variable itself."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise ConfigurationError(f"{name}_FILE={path!r} cannot be read: {error.strerror}.") from error
    return os.environ.get(name)


def database(url: str, *, role: str = "", application: str = "biasgov") -> dict[str, Any]:
    """Django's description of the PostgreSQL database at a libpq URL; `role` is set on every connection."""
    parts = conninfo_to_dict(url)
    known = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    described: dict[str, Any] = {known[key]: str(value) for key, value in parts.items() if key in known}
    options: dict[str, Any] = {key: value for key, value in parts.items() if key not in known}
    options["application_name"] = application
    if role:
        options["options"] = f"-c role={role}"
    return {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
        **described,
    }
