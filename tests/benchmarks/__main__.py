"""`make bench`: the table on the terminal, and bench.json."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks import alerts, core, delivery, live, registers, vault
from tests.benchmarks.record import table

PARTS = {
    "core": core.lines,
    "live": live.lines,
    "alerts": alerts.lines,
    "delivery": delivery.lines,
    "vault": vault.lines,
    "registers": registers.lines,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"which parts to run: {', '.join(PARTS)} (all by default)")
    chosen = parser.parse_args().parts or list(PARTS)
    lines = []
    for part in chosen:
        if part not in PARTS:
            parser.error(f"there is no part {part!r}; there are {', '.join(PARTS)}")
        print(f"measuring {part} ...", flush=True)  # noqa: T201
        lines += PARTS[part]()
    Path("bench.json").write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")
    print(table(lines))  # noqa: T201


if __name__ == "__main__":
    main()
