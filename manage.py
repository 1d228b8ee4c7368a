#!/usr/bin/env python
"""Django's command line, on the side of the house that the command belongs to."""

import os
import sys

COMMAND_SIDES = {
    "migrate": "owner",
    "makemigrations": "owner",
    "setup_database": "owner",
    "backfill": "compute",
    "recompute": "compute",
    "open_uploads": "compute",
    "rotate_keys": "compute",
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "biasgov.settings")
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    os.environ.setdefault("BIASGOV_SIDE", COMMAND_SIDES.get(command, "web"))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
