"""The command `biasgov`: what works without a server."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

BAD_INPUT = 3


class _Parser(argparse.ArgumentParser):
    """A parser whose refusals are bad input; argparse's own exit code 2 would say "cannot judge"."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(BAD_INPUT, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _Parser(prog="biasgov", description="Fairness of models that decide about people.")
    commands = parser.add_subparsers(dest="command", required=True)
    gate = commands.add_parser(
        "gate",
        help="judge a file of decisions by a policy: exit code 0 pass, 1 breach, 2 cannot judge, 3 bad input",
        description="Judge a file of decisions by a policy. Exit code: 0 pass, 1 breach, 2 cannot judge, 3 bad input.",
    )
    gate.add_argument("data", type=Path, help="Parquet or CSV, one row a decision")
    gate.add_argument(
        "--policy", type=Path, required=True, help="YAML: columns, attributes, bounds, minimum, tolerance"
    )
    gate.add_argument("--baseline", type=Path, help="the model's outputs before a change; overrides the policy's")
    gate.add_argument("--json", type=Path, metavar="OUT", help="write the whole report as JSON")
    gate.add_argument("--junit", type=Path, metavar="OUT", help="write JUnit XML for a CI server")
    gate.add_argument("--html", type=Path, metavar="OUT", help="write one page for people")
    gate.set_defaults(run=_gate)
    _add_verify_audit(commands)
    given = parser.parse_args(arguments)
    code: int = given.run(given)
    return code


def _add_verify_audit(commands: argparse._SubParsersAction[_Parser]) -> None:
    audit = commands.add_parser(
        "verify-audit",
        help="check an exported audit log offline: exit code 0 it holds, 1 it does not, 3 bad input",
        description="Check an exported audit log, a part of it or a proof, without a server. "
        "Exit code: 0 what was checked holds, 1 it does not, 3 bad input.",
    )
    audit.add_argument("export", type=Path, help="the exported file, JSON Lines, also gzipped (.gz)")
    audit.add_argument(
        "--key",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="the log's public key (PEM or hexadecimal), got by another way than the export; once for each key",
    )
    audit.add_argument("--heads", type=Path, metavar="FILE", help="signed tree heads that were kept elsewhere")
    audit.add_argument("--roots", type=Path, metavar="FILE", help="PEM: root certificates of the time stamp authority")
    audit.set_defaults(run=_verify_audit)


def _verify_audit(given: argparse.Namespace) -> int:
    try:
        from biasgov.audit import command
    except ModuleNotFoundError as missing:
        print(f'biasgov verify-audit: {missing.name} is missing: pip install "biasgov[audit]"', file=sys.stderr)
        return BAD_INPUT
    return command.run(given.export, keys=given.key, heads=given.heads, roots=given.roots)


def _gate(given: argparse.Namespace) -> int:
    from biasgov.gate import GateInputError, read_frame, read_policy, run_gate
    from biasgov.gate.reports import junit, page, terminal

    try:
        policy = read_policy(given.policy)
        baseline = given.baseline or policy.baseline
        before = None if baseline is None else read_frame(baseline, policy)
        report = run_gate(read_frame(given.data, policy), policy, baseline=before)
        if given.json is not None:
            given.json.write_text(json.dumps(report.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        if given.junit is not None:
            given.junit.write_text(junit(report), encoding="utf-8")
        if given.html is not None:
            given.html.write_text(page(report), encoding="utf-8")
    except (GateInputError, OSError) as error:
        print(f"biasgov gate: {error}", file=sys.stderr)
        return BAD_INPUT
    except Exception:
        # Python's own exit code for a crash is 1, which would say that a bound is broken.
        traceback.print_exc()
        print("biasgov gate: this is a fault of the gate and says nothing about the data", file=sys.stderr)
        return BAD_INPUT
    _tell(terminal(report))
    return report.exit_code


def _tell(text: str) -> None:
    """Print what the terminal's encoding can show, to whoever still reads: neither may change the exit code."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        # What is left in the buffer would be tried again at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    raise SystemExit(main())
