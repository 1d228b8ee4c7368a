"""The vault under load: a million people in one upload, read in one process, and sealed again while hours are counted.

The real processes in a home of their own: gunicorn, a compute worker, beat, PostgreSQL and Valkey.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tests.benchmarks.people import LEVELS, REFERENCES
from tests.benchmarks.record import Line

PEOPLE = 1_000_000
HOURS, EVENTS = 48, 2_000
MEASURED = 15.0
PATIENCE = 600.0
ACTOR = "system:bench"


def lines() -> list[Line]:
    """Each with its goal as the peer: how many times better than it we are."""
    with tempfile.TemporaryDirectory(prefix="bg-", dir="/tmp") as home:
        # Whoever runs as root drops to a system user for PostgreSQL, who must be able to come here.
        os.chmod(home, 0o755)
        done = _run("services", home)
    taken, peak = done["stored"], done["web_mb"]
    failed = f"{done['failed']} failed reads, {done['rotations']} rotations of all blocks"
    return [
        _line("upload_million", f"{PEOPLE:,} people as CSV, first byte to stored ({done['sealed']:.0f} s to sealed)",
              taken, "s", 60, 60 / taken, peak),
        _line("upload_web_memory", "peak memory of the web process that receives them", peak, "MB", 300, 300 / peak),
        _line("enrichment", f"{PEOPLE:,} distinct subjects, decryption included, one process",
              done["enriched"], "subjects/s", 500_000, done["enriched"] / 500_000, done["compute_mb"]),
        _line("rotation_meanwhile", f"hours counted while keys rotate, share of undisturbed; {failed}",
              done["beside"] / done["alone"], "", 0.5, done["beside"] / done["alone"] / 0.5),
    ]  # fmt: skip


def _line(
    identity: str, what: str, ours: float, unit: str, goal: float, ratio: float, rss_mb: float | None = None
) -> Line:
    return Line(id=identity, what=what, ours=ours, unit=unit, peer="goal", peer_value=goal, ratio=ratio, rss_mb=rss_mb)


def _run(part: str, home: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """One of the parts below in a process of its own; what it printed last."""
    command = [sys.executable, "-m", "tests.benchmarks.vault", part]
    given = environment or os.environ | {"BIASGOV_HOME": home, "API_RATE_PER_MINUTE": "1000000"}
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def services() -> dict[str, Any]:
    """Start everything, and measure part by part; each side in processes that have its environment alone."""
    from apps.demo.commands import Programs
    from apps.demo.processes import Children, run_together
    from biasgov import keyring, local

    home = Path(os.environ["BIASGOV_HOME"])
    port = 8_900 + os.getpid() % 90
    with ExitStack() as started:
        started.callback(local.stop, home)
        found = local.start(home)
        keyring.generate(home)
        logs = home / "logs"
        logs.mkdir(mode=0o700)
        programs = Programs(found, port=port, logs=logs)
        run_together([programs.setup_database()])
        web, compute = ({**os.environ, **programs.environment(side)} for side in ("web", "compute"))
        token = _run("prepare", str(home), web)["token"]
        with ExitStack() as processes:
            children = Children()
            processes.callback(children.stop)
            for command in (programs.web(), programs.compute(), programs.beat()):
                children.start(command)
            uploaded = upload(port, token)
        enriched = _run("enrich", str(home), compute)
        _run("events", str(home), web)
        alone = _run("count", str(home), compute)
        rotating = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.vault", "rotate"], env=compute)
        try:
            beside = _run("count", str(home), compute)
        finally:
            rotating.terminate()
            rotating.wait(timeout=60)
        rotations = _run("rotations", str(home), web)
    return {
        **uploaded,
        **enriched,
        **rotations,
        "alone": alone["rate"],
        "beside": beside["rate"],
        "failed": alone["failed"] + beside["failed"],
    }


def upload(port: int, token: str) -> dict[str, float]:
    """A million rows by one PUT; seconds until it is sealed and until it is stored, and the web's peak memory."""
    rng = np.random.default_rng(5)
    columns = [rng.choice(levels, PEOPLE).tolist() for levels in LEVELS.values()]
    rows = "\n".join(f"person-{n},{','.join(row)}" for n, row in enumerate(zip(*columns, strict=True)))
    content = f"subject_id,{','.join(LEVELS)}\n{rows}\n".encode()
    path, headers = f"/api/v1/attribute-uploads/{uuid.uuid4()}", {"Authorization": f"Bearer {token}"}
    _until_it_answers(port)
    start = time.perf_counter()
    answer = _call(port, "PUT", path, {**headers, "Content-Type": "text/csv"}, content)
    sealed = time.perf_counter() - start
    while answer["state"] != "stored":
        if time.perf_counter() - start > PATIENCE or answer["state"] == "refused":
            raise RuntimeError(f"the upload is {answer}")
        time.sleep(0.5)
        answer = _call(port, "GET", path, headers)
    return {"sealed": sealed, "stored": time.perf_counter() - start, "web_mb": _peak_of("biasgov.wsgi:application")}


def prepare() -> dict[str, Any]:
    """A model and a token; web side."""
    from apps.api.services import token_issue
    from apps.registry.declarations import AttributeDeclaration
    from apps.registry.services import model_register, version_register
    from apps.thresholds.services import preset_publish

    spec = model_register(
        actor=ACTOR,
        slug="bench",
        name="Bench",
        industry="banking",
        purpose="Measured.",
        risk_level="high",
        attributes=[AttributeDeclaration(name, levels, REFERENCES[name]) for name, levels in LEVELS.items()],
        favourable_decision=1,
        owner="Bench",
    )
    version_register(actor=ACTOR, model_id=spec.id, version="1", environment={})
    preset_publish(model_id=spec.id, assessment_reference="BENCH", actor=ACTOR)
    return {"token": token_issue(actor=ACTOR, name="bench", scopes=["attributes:write"], model=None, days=1)}


def enrich() -> dict[str, float]:
    """Codes of everybody, asked for in one call; compute side. The third call counts."""
    from apps.vault.pseudonyms import Pseudonymiser
    from tests.benchmarks.record import peak_rss_mb, seconds

    names = [f"person-{n}" for n in range(PEOPLE)]
    subjects = np.frombuffer(b"".join(Pseudonymiser().many(names)), np.uint8).reshape(-1, 16)
    known = _codes(subjects)
    if any((codes == len(levels)).any() for codes, levels in zip(known, LEVELS.values(), strict=True)):
        raise RuntimeError("somebody is unknown")
    return {"enriched": PEOPLE / seconds(lambda: _codes(subjects), repeats=3, warm=False), "compute_mb": peak_rss_mb()}


def _codes(subjects: Any) -> Any:
    from apps.registry.selectors import model_spec
    from apps.vault.enrichment import attribute_codes
    from biasgov.fairness.cube import Axis

    axes = [Axis(each.name, each.levels) for each in model_spec("bench").attributes]
    now = datetime.now(UTC)
    return attribute_codes(subjects=subjects, axes=axes, model="bench", hours=(now, now))


def events() -> dict[str, Any]:
    """Two days of decisions; web side."""
    from apps.inference.services import events_ingest
    from apps.inference.shapes import Event
    from apps.registry.selectors import model_spec

    spec, rng = model_spec("bench"), np.random.default_rng(6)
    for hour in range(1, HOURS + 1):
        at = _this_hour() - timedelta(hours=hour) + timedelta(minutes=30)
        people = rng.choice(PEOPLE, EVENTS, replace=False).tolist()
        sent = [
            Event(event_id=f"{hour}-{n}", subject_id=f"person-{person}", occurred_at=at, version="1", decision=n % 2)
            for n, person in enumerate(people)
        ]
        events_ingest(spec=spec, events=sent, actor=ACTOR)
    return {}


def count() -> dict[str, float]:
    """Hours counted a second, for a while, and how many of them failed; compute side. The pipeline's own counting."""
    from apps.monitoring.services import hours_count
    from apps.registry.selectors import model_spec

    spec = model_spec("bench")
    hours = [_this_hour() - timedelta(hours=hour) for hour in range(1, HOURS + 1)]
    counted = failed = place = 0
    deadline = time.monotonic() + MEASURED
    while time.monotonic() < deadline:
        try:
            counted += len([each for part in hours_count(spec=spec, hours=[hours[place % HOURS]]) for each in part])
        except Exception:
            failed += 1
        place += 1
    return {"rate": counted / MEASURED, "failed": failed}


def rotate() -> dict[str, Any]:
    """Make a data key and seal all blocks again under it, over and over; compute side."""
    from apps.vault import rotation

    while True:
        rotation.data_key_make()
        for _ in rotation.resealing():
            pass


def rotations() -> dict[str, int]:
    """How many times everybody was sealed again, from the audit log."""
    from apps.audit.selectors import entries

    people = sum(entry.detail["people"] for entry in entries(action="vault.blocks_resealed"))
    return {"rotations": people // PEOPLE}


def _this_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def _until_it_answers(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            _call(port, "GET", "/readyz", {})
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _call(port: int, method: str, path: str, headers: dict[str, str], content: bytes | None = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text)
    finally:
        connection.close()


def _peak_of(program: str) -> float:
    """The most memory that a process of this program has held, in MB."""
    peaks = [0.0]
    for child in psutil.Process().children(recursive=True):
        if program in child.cmdline():
            status = Path(f"/proc/{child.pid}/status").read_text()
            peaks.append(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
    return max(peaks)


PARTS = {part.__name__: part for part in (services, prepare, enrich, events, count, rotate, rotations)}


def main() -> None:
    part = sys.argv[1]
    if part != "services":
        os.environ["LOG_LEVEL"] = "WARNING"
        import django

        django.setup()
    sys.stdout.write(json.dumps(PARTS[part]()) + "\n")


if __name__ == "__main__":
    main()
