"""The embedded services: PostgreSQL and Valkey from wheels, for the demo and the tests; no root, no Docker.

Of the wheels only the programs are used, never their Python. Everything of one installation lives in its home
(``BIASGOV_HOME``); two homes never meet.
"""

from biasgov.local.errors import LocalServicesError
from biasgov.local.services import (
    Services,
    create_database,
    drop_database,
    home,
    remove,
    running,
    start,
    stop,
)

__all__ = [
    "LocalServicesError",
    "Services",
    "create_database",
    "drop_database",
    "home",
    "remove",
    "running",
    "start",
    "stop",
]
