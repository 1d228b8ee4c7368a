"""``python -m apps.demo``: the whole product with four models, until Ctrl-C or, with ``--check``, until computed."""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType

from apps.demo.errors import DemoError
from apps.demo.run import print_line, run
from biasgov.environment import ConfigurationError, whole
from biasgov.local import LocalServicesError


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; the exit code: 0 after Ctrl-C or a complete check, 1 on failure, 130 for an interrupted check."""
    parser = argparse.ArgumentParser(prog="python -m apps.demo", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="wait until the newest hour is computed, print one JSON line, stop"
    )
    check: bool = parser.parse_args(arguments).check
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        run(port=whole("PORT", 8000), check=check, say=print_line)
    except KeyboardInterrupt:
        print_line("Stopped.")
        return 130 if check else 0
    except (DemoError, ConfigurationError, LocalServicesError) as error:
        sys.stderr.write(f"demo: {error}\n")
        return 1
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End once: a second Ctrl-C must not interrupt the stopping."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())
