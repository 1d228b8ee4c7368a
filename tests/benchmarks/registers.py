"""The pages of a large house: milliseconds of server time at 10,000 incidents, 5,000 versions, a million log entries.

A scratch house with embedded services in a folder of its own is filled past the services (`filled`), and its pages are
opened by Django's test client, so that server time is measured and no network. Each line is the slowest filter of one
page; `python -m tests.benchmarks.registers measure` prints every address.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks import filled
from tests.benchmarks.addresses import FILES, FIRST, addresses
from tests.benchmarks.record import Line, peak_rss_mb

GOAL = 150.0
REPEATS = 10
PEOPLE = {
    "olivia": "rai_officer",
    "colin": "compliance",
    "cora": "compliance",
    "bea": "board_member",
    "bert": "board_member",
    "mona": "model_owner",
    "stan": "data_steward",
    "aude": "auditor",
    "ada": "administrator",
}


def lines() -> list[Line]:
    """Each page's slowest filter, with the goal as its peer; then the files of the registers and a back-test."""
    with tempfile.TemporaryDirectory(prefix="bg-", dir="/tmp") as home:
        # Whoever runs as root drops to a system user for PostgreSQL, who must be able to come here.
        os.chmod(home, 0o755)
        found = _run("house", os.environ | {"BIASGOV_HOME": home})
    slowest = {page: max(rows, key=lambda row: row["ms"]) for page, rows in found["pages"].items()}
    return [
        *(
            Line(
                id=f"register_{page}",
                what=f"slowest of {len(found['pages'][page])}: {row['url']}, {row['cpu_ms']:.0f} ms of work; goal 150",
                ours=row["ms"],
                unit="ms",
                peer="goal",
                peer_value=GOAL,
                ratio=GOAL / row["ms"],
            )
            for page, row in slowest.items()
        ),
        *(
            Line(
                id="register_file",
                what=f"{row['url']}: {row['bytes'] / 1e6:.1f} MB, {row['grew_mb']:.0f} MB more memory than before",
                ours=row["s"],
                unit="s",
                rss_mb=row["rss_mb"],
            )
            for row in found["files"]
        ),
        Line(
            id="backtest_90_days",
            what=f"a proposal over 90 days of hourly runs ({found['backtest']['evaluations']:,} evaluations)",
            ours=found["backtest"]["s"],
            unit="s",
            rss_mb=found["backtest"]["rss_mb"],
        ),
    ]


def _run(part: str, environment: dict[str, str]) -> dict[str, Any]:
    """One of the parts below in a process of its own; what it printed last."""
    command = [sys.executable, "-m", "tests.benchmarks.registers", part]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the part {part} of the registers ended with {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def house() -> dict[str, Any]:
    """Start the services, make and fill a house, and measure it; each side in processes with its environment alone."""
    from apps.demo.commands import Programs
    from apps.demo.processes import run_together
    from biasgov import keyring, local

    home = Path(os.environ["BIASGOV_HOME"])
    with ExitStack() as started:
        started.callback(local.stop, home)
        services = local.start(home)
        keyring.generate(home)
        logs = home / "logs"
        logs.mkdir(mode=0o700)
        programs = Programs(services, port=8000, logs=logs)
        run_together([programs.setup_database()])
        _run("prepare", programs.environment("web"))
        _run("compute", programs.environment("compute"))
        _run("fill", programs.environment("owner"))
        return {
            **_run("measure", programs.environment("web")),
            "files": _run("files", programs.environment("web"))["files"],
            "backtest": _run("backtest", programs.environment("compute")),
        }


def prepare() -> dict[str, Any]:
    """Models with a policy each, the people, and a day of decisions of the first model; web side."""
    from apps.accounts.services import ownership_grant, person_create
    from apps.inference.services import events_ingest
    from apps.inference.shapes import Event
    from apps.registry.declarations import AttributeDeclaration
    from apps.registry.selectors import model_spec, monitored_model
    from apps.registry.services import model_register, version_register
    from apps.thresholds.services import policy_publish
    from apps.vault.services import attributes_upload
    from biasgov.fairness.policy import DEFAULT_POLICY
    from tests.benchmarks.people import LEVELS, REFERENCES, make

    for number in range(filled.MODELS):
        spec = model_register(
            actor=filled.ACTOR,
            slug=f"bench-{number}",
            name=f"Bench {number}",
            industry="banking",
            purpose="Measured.",
            risk_level="high",
            attributes=[AttributeDeclaration(name, levels, REFERENCES[name]) for name, levels in LEVELS.items()],
            favourable_decision=1,
            owner="Bench",
        )
        version_register(actor=filled.ACTOR, model_id=spec.id, version="1", environment={})
        policy_publish(model_id=spec.id, policy=DEFAULT_POLICY, assessment_reference="BENCH", actor=filled.ACTOR)
    for name, role in PEOPLE.items():
        who = person_create(
            username=name, name=name.title(), email=f"{name}@example.org", roles=[role], actor=filled.ACTOR
        )
        if role == "model_owner":
            ownership_grant(person=who, model=monitored_model(FIRST), actor=filled.ACTOR)
    rows = make(4_000)
    people = [
        (f"person-{n}", {name: levels[rows.codes[name][n]] for name, levels in LEVELS.items()}) for n in range(4_000)
    ]
    attributes_upload(actor=filled.ACTOR, subjects=people)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=20)
    events = [
        Event(
            event_id=f"event-{n}",
            subject_id=f"person-{n}",
            occurred_at=start + timedelta(seconds=15 * n),
            version="1",
            decision=int(rows.decision[n]),
            label=int(rows.outcome[n]),
            score=float(rows.score[n]),
        )
        for n in range(4_000)
    ]
    events_ingest(spec=model_spec(FIRST), events=events, actor=filled.ACTOR)
    return {}


def compute() -> dict[str, Any]:
    """Count and evaluate what came in; compute side."""
    from apps.pipeline import services as pipeline

    pipeline.open_uploads()
    while pipeline.sweep():
        pass
    return {}


def fill() -> dict[str, Any]:
    """The registers at their sizes; as the owner of the tables."""
    from django.db import connection, transaction

    from apps.accounts.models import User
    from apps.registry.selectors import all_specs

    people = dict(User.objects.filter(username__in=PEOPLE).values_list("username", "pk"))
    with transaction.atomic():
        filled.fill(people, [(spec.id, spec.slug) for spec in sorted(all_specs(), key=lambda spec: spec.id)])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return {}


def measure() -> dict[str, Any]:
    """Every address, warm: the median of ten, the least work of them, and how many queries it asks; web side."""
    from django.db import connection

    import biasgov.wsgi  # noqa: F401 - sets the process up as the server is

    found: dict[str, list[dict[str, Any]]] = {}
    clients, only = _clients(), os.environ.get("ONLY", "").split()
    for page, who, url in addresses():
        if only and page not in only:
            continue
        client = clients[who]
        asked: list[Any] = []
        with connection.execute_wrapper(partial(_noted, asked)):
            answer = client.get(url)
        if answer.status_code != 200:
            raise RuntimeError(f"{url}: {answer.status_code}")
        taken, worked = [], []
        for _ in range(REPEATS):
            start, before = time.perf_counter(), _processor_seconds()
            client.get(url)
            taken.append(time.perf_counter() - start)
            worked.append(_processor_seconds() - before)
        row = {"url": url, "ms": median(taken) * 1e3, "cpu_ms": min(worked) * 1e3, "queries": len(asked)}
        said = f"{page:11} {row['ms']:8.1f} ms {row['cpu_ms']:8.1f} ms of work {row['queries']:4} queries  {who} {url}"
        print(said, file=sys.stderr, flush=True)  # noqa: T201
        found.setdefault(page, []).append(row)
    return {"pages": found}


def _noted(asked: list[Any], execute: Any, statement: Any, values: Any, many: bool, context: Any) -> Any:
    asked.append(statement)
    return execute(statement, values, many, context)


def _processor_seconds() -> float:
    """What this process and its backend in the database have worked; a busy machine adds less to it than to time."""
    from django.db import connection

    backend = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat").read_text().split()[0]
    return time.process_time() + int(backend) / 1e9


def files() -> dict[str, Any]:
    """The registers as files, read as they come: bytes, seconds, and how much memory that took; web side."""
    found = []
    client = _clients()["olivia"]
    client.get("/")
    for url in FILES:
        before, start = peak_rss_mb(), time.perf_counter()
        answer = client.get(url)
        size = sum(map(len, answer)) if answer.streaming else len(answer.content)
        taken = time.perf_counter() - start
        rss = peak_rss_mb()
        found.append({"url": url, "bytes": size, "s": taken, "rss_mb": rss, "grew_mb": rss - before})
    return {"files": found}


def backtest() -> dict[str, Any]:
    """A relaxed bound over the first model's 90 days, computed as the pipeline does; compute side."""
    from dataclasses import replace

    from apps.pipeline.backtest import compute as computed
    from apps.registry.selectors import model_spec
    from apps.thresholds.services import AskedBacktest
    from biasgov.fairness.policy import DEFAULT_POLICY, Bound

    bounds = {**DEFAULT_POLICY.bounds, "equalized_odds_difference": Bound(None, 0.07)}
    asked = AskedBacktest(0, model_spec(FIRST).id, DEFAULT_POLICY, replace(DEFAULT_POLICY, bounds=bounds))
    start = time.perf_counter()
    result = computed(asked)
    return {"s": time.perf_counter() - start, "evaluations": result["evaluations"], "rss_mb": peak_rss_mb()}


def _clients() -> dict[str, Any]:
    from django.test import Client

    from apps.accounts.models import User

    found = {}
    for person in User.objects.filter(username__in=PEOPLE):
        # Without the test environment: copying the context of every template is no server time.
        client = Client(SERVER_NAME="localhost")
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        found[person.username] = client
    return found


PARTS = {part.__name__: part for part in (house, prepare, compute, fill, measure, files, backtest)}


def main() -> None:
    part = sys.argv[1]
    if part != "house":
        os.environ["LOG_LEVEL"] = "WARNING"
        import django

        django.setup()
    sys.stdout.write(json.dumps(PARTS[part]()) + "\n")


if __name__ == "__main__":
    main()
