"""The running product, measured from outside: ingest, how soon an event is seen, and the pages."""

from __future__ import annotations

import http.client
import http.cookiejar
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import psutil

from tests.benchmarks.record import Line

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".local" / "bench"
BATCH, BATCHES = 1000, 60


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo: its address, its process, and the seconds until its page answered and all was computed."""

    url: str
    process: subprocess.Popen[bytes]
    answered: float
    computed: float

    def rss_mb(self) -> float:
        """The largest resident memory of any of its Python processes, in MB."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        python = [child for child in children if child.is_running() and "python" in child.name()]
        return max(child.memory_info().rss for child in python) / 2**20


def lines() -> list[Line]:
    """Start the demo in a home of its own, once fresh and once again, and measure it."""
    with running_demo() as first:
        first_seconds = first.computed
    with running_demo() as demo:
        return [
            Line(
                id="demo_first",
                what="first start, dependencies installed, until the whole history is computed",
                ours=first_seconds,
                unit="s",
            ),
            Line(id="demo_second", what="second start until the page answers; goal 20 s", ours=demo.answered, unit="s"),
            *pages(demo),
            *ingest(demo),
            visible(demo),
        ]


@contextmanager
def running_demo() -> Iterator[Demo]:
    """The demo on a free port, stopped at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"BIASGOV_HOME": str(HOME), "PORT": str(port), "API_RATE_PER_MINUTE": "1000000"}
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([sys.executable, "-m", "apps.demo"], cwd=ROOT, env=environment, stdout=said)
        try:
            url = f"http://127.0.0.1:{port}"
            answered = _seconds_until(lambda: _ready(url), process, start)
            computed = _seconds_until(lambda: b"biasgov is ready" in _written(said), process, start)
            yield Demo(url, process, answered, computed)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def _seconds_until(reached: Callable[[], bool], process: subprocess.Popen[bytes], start: float) -> float:
    while not reached():
        if process.poll() is not None:
            raise RuntimeError(f"the demo ended with {process.returncode}; run 'make demo' to see why")
        time.sleep(0.2)
    return time.perf_counter() - start


def _written(file: IO[bytes]) -> bytes:
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def manage(*arguments: str) -> str:
    """What a management command prints, run against the demo's home."""
    environment = os.environ | {"BIASGOV_HOME": str(HOME)}
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


class Client:
    """A keep-alive client of the HTTP API."""

    def __init__(self, demo: Demo) -> None:
        scopes = "admin,events:write,labels:write,attributes:write,read"
        self.token = manage("token_create", "--name", f"bench-{uuid.uuid4().hex[:8]}", "--scopes", scopes)
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(demo.url).netloc, timeout=60)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self.connection.request(method, f"/api/v1{path}", content, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text)


def _register(client: Client) -> str:
    slug = f"bench-{uuid.uuid4().hex[:8]}"
    attribute = {"name": "sex", "levels": ["Female", "Male"], "reference": "Male"}
    client.call(
        "POST",
        "/models",
        {
            "slug": slug,
            "name": "Benchmark",
            "industry": "banking",
            "purpose": "measuring",
            "risk_level": "minimal",
            "owner": "bench",
            "favourable_decision": 1,
            "protected_attributes": [attribute],
        },
    )
    client.call("POST", f"/models/{slug}/versions", {"version": "1", "environment": {"packages": {}, "python": "3.11"}})
    return slug


def _batch(at: datetime, count: int) -> dict[str, Any]:
    return {
        "events": [
            {
                "event_id": uuid.uuid4().hex,
                "subject_id": f"person-{index % 500}",
                "occurred_at": (at - timedelta(milliseconds=index)).isoformat(),
                "version": "1",
                "decision": index % 2,
                "score": (index % 100) / 100,
            }
            for index in range(count)
        ]
    }


def ingest(demo: Demo) -> list[Line]:
    """Batches of 1,000 events as JSON over one connection, so through one web process at a time."""
    client = Client(demo)
    slug = _register(client)
    at = datetime.now(UTC) - timedelta(minutes=5)
    bodies = [json.dumps(_batch(at, BATCH)).encode() for _ in range(BATCHES)]
    for body in bodies[:5]:
        client.call("POST", f"/models/{slug}/events", body)
    start = time.perf_counter()
    accepted = sum(client.call("POST", f"/models/{slug}/events", body)["accepted"] for body in bodies[5:])
    taken = time.perf_counter() - start
    if accepted != BATCH * (BATCHES - 5):
        raise RuntimeError(f"only {accepted} events were accepted")
    replayed = client.call("POST", f"/models/{slug}/events", bodies[0])
    if replayed["accepted"] or replayed["duplicates"] != BATCH:
        raise RuntimeError(f"a replay was not recognised: {replayed}")
    return [
        Line(
            id="ingest_http",
            what="events a second, batches of 1,000 as JSON, parsed, checked, pseudonymised and committed; goal 25,000",
            ours=accepted / taken,
            unit="events/s",
            peer="goal",
            peer_value=25_000,
            ratio=accepted / taken / 25_000,
            rss_mb=demo.rss_mb(),
        )
    ]


def visible(demo: Demo) -> Line:
    """Seconds from an accepted event to a run that counts it, at the default schedule (median of 3)."""
    client = Client(demo)
    slug = _register(client)
    client.call("PUT", "/attributes", {"subjects": [{"subject_id": "person-1", "attributes": {"sex": "Female"}}]})
    taken = []
    for round_ in range(1, 4):
        client.call("POST", f"/models/{slug}/events", _batch(datetime.now(UTC) - timedelta(seconds=1), 50))
        start = time.perf_counter()
        while _counted(client, slug) < 50 * round_:
            if time.perf_counter() - start > 300:
                raise RuntimeError("an accepted event was not visible within 300 s")
            time.sleep(0.25)
        taken.append(time.perf_counter() - start)
    median = statistics.median(taken)
    return Line(
        id="accepted_to_visible",
        what="from accepted event to the run that counts it, default schedule; goal 90 s",
        ours=median,
        unit="s",
        peer="goal",
        peer_value=90,
        ratio=90 / median,
    )


def _counted(client: Client, slug: str) -> int:
    runs = client.call("GET", f"/models/{slug}/metrics?window=24h&metric=selection_rate&attribute=sex")["runs"]
    return int(runs[0].get("n", 0)) if runs else 0


def pages(demo: Demo) -> list[Line]:
    """Milliseconds until a page has arrived whole, signed in, warm, median of 50."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    password = json.loads((HOME / "demo.json").read_text())["password"]
    with opener.open(f"{demo.url}/sign-in/") as answer:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', answer.read().decode())
    if token is None:
        raise RuntimeError("the sign-in page has no form")
    form = {"username": "ines", "password": password, "csrfmiddlewaretoken": token.group(1)}
    opener.open(f"{demo.url}/sign-in/", urllib.parse.urlencode(form).encode()).close()
    measured = []
    for name, path in (("page_inbox", "/"), ("page_model", "/models/security-triage/"), ("page_vault", "/vault/")):
        taken = []
        for _ in range(55):
            start = time.perf_counter()
            with opener.open(demo.url + path) as answer:
                answer.read()
            taken.append((time.perf_counter() - start) * 1e3)
        median = statistics.median(taken[5:])
        measured.append(
            Line(
                id=name,
                what=f"{path} with the demo's data, median of 50; goal 150 ms",
                ours=median,
                unit="ms",
                peer="goal",
                peer_value=150,
                ratio=150 / median,
            )
        )
    return measured
