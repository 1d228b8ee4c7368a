"""``python -m biasgov.local start|stop|status|env|remove``: the embedded services by hand."""

import argparse
import shlex
import sys

from biasgov.local import LocalServicesError, Services, home, remove, running, start, stop

NOT_RUNNING = 3


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code (3: not running, as with other services' status commands)."""
    parser = argparse.ArgumentParser(prog="python -m biasgov.local", description=__doc__)
    parser.add_argument("command", choices=["start", "stop", "status", "env", "remove"])
    parser.add_argument("--yes", action="store_true", help="with remove: really delete all data")
    parsed = parser.parse_args(arguments)
    if parsed.command == "remove" and not parsed.yes:
        parser.error(f"remove deletes all data of {home()}; say --yes if you mean it")
    try:
        return _run(parsed.command)
    except LocalServicesError as error:
        print(f"biasgov.local: {error}", file=sys.stderr)  # noqa: T201
        return 1


def _run(command: str) -> int:
    if command == "stop":
        stop()
        print(f"stopped: {home()}")  # noqa: T201
        return 0
    if command == "remove":
        remove()
        print(f"removed: {home()}")  # noqa: T201
        return 0
    services: Services | None = start() if command == "start" else running()
    if services is None:
        print(f"not running: {home()}", file=sys.stderr)  # noqa: T201
        return NOT_RUNNING
    if command == "env":
        for name, value in services.environment().items():
            print(f"export {name}={shlex.quote(value)}")  # noqa: T201
    else:
        print(f"running: {services.home}")  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
