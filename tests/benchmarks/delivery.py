"""From detection to delivered alert: fifty models breach at once, and the receiver refuses every second request.

The real processes at the real schedule: two compute workers, one governance worker, beat, PostgreSQL and Valkey, in a
home of their own. What is measured is the time from a run's computation to the receiver's 200.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.record import Line

MODELS, EVENTS, CHANNELS = 50, 400, 4
REFUSED = 0.5
GOAL = 60.0
PATIENCE = 600.0


def lines() -> list[Line]:
    """The 99th percentile over the alerts of fifty models, and the slowest."""
    with receiver() as hook, tempfile.TemporaryDirectory(prefix="bg-", dir="/tmp") as home:
        environment = os.environ | {
            "BIASGOV_HOME": home,
            "NOTIFICATION_URLS": ",".join(f"json://127.0.0.1:{hook.server_address[1]}/{n}" for n in range(CHANNELS)),
        }
        # Whoever runs as root drops to a system user for PostgreSQL, who must be able to come here.
        os.chmod(home, 0o755)
        command = [sys.executable, "-m", "tests.benchmarks.delivery"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        detected = json.loads(done.stdout.splitlines()[-1])
        taken = sorted(hook.taken[key] - at for key, at in detected.items())
    refused = hook.refused / (hook.refused + len(hook.taken))
    what = (
        f"detection to delivered alert, {MODELS} models at once by {CHANNELS} channels, {refused:.0%} of the requests "
        "refused; goal 60 s"
    )
    return [
        Line(
            id=f"alert_delivered_{name}",
            what=f"{title}: {what}",
            ours=value,
            unit="s",
            peer="goal",
            peer_value=GOAL,
            ratio=GOAL / value,
        )
        for name, title, value in (
            ("p99", "99th percentile", float(np.quantile(taken, 0.99, method="higher"))),
            ("median", "median", float(np.median(taken))),
        )
    ]


class Receiver(ThreadingHTTPServer):
    """Takes every second request, at random, and remembers when it took which key for the first time."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.random, self.lock = random.Random(7), threading.Lock()
        self.taken: dict[str, float] = {}
        self.refused = 0


class _Hook(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            refused = self.server.random.random() < REFUSED
            if refused:
                self.server.refused += 1
            else:
                self.server.taken.setdefault(f"{self.path} {body['dedup_key']}", time.time())
        self.send_response(503 if refused else 200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return None


@contextmanager
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def main() -> None:
    """In a process of its own: prints when each alert was detected, by channel and key, as seconds since 1970."""
    from apps.demo.commands import Programs
    from apps.demo.processes import Children, run_together
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
        os.environ.update(programs.environment("web"))
        os.environ["LOG_LEVEL"] = "WARNING"
        import django

        django.setup()
        _models()
        children = Children()
        started.callback(children.stop)
        for command in (programs.governance(), programs.compute(), programs.beat()):
            children.start(command)
        sys.stdout.write(json.dumps(_detected()) + "\n")


def _models() -> None:
    from apps.inference.services import events_ingest
    from apps.inference.shapes import Event
    from apps.registry.declarations import AttributeDeclaration
    from apps.registry.selectors import model_spec
    from apps.registry.services import model_register, version_register
    from apps.thresholds.services import preset_publish
    from apps.vault.services import attributes_upload

    actor, now = "system:bench", datetime.now(UTC)
    people = [(f"person-{n}", {"sex": "female" if n % 2 else "male"}) for n in range(EVENTS)]
    for number in range(MODELS):
        spec = model_register(
            actor=actor,
            slug=f"model-{number}",
            name=f"Model {number}",
            industry="banking",
            purpose="Measured.",
            risk_level="high",
            attributes=[AttributeDeclaration("sex", ("female", "male"), "male")],
            favourable_decision=1,
            owner="Bench",
        )
        version_register(actor=actor, model_id=spec.id, version="1", environment={})
        preset_publish(model_id=spec.id, assessment_reference="BENCH", actor=actor)
        if number == 0:
            attributes_upload(actor=actor, subjects=people)
        events = [
            Event(
                event_id=f"{number}-{n}",
                subject_id=person,
                occurred_at=now - timedelta(minutes=5, seconds=n % 60),
                version="1",
                decision=int(n % 10 < (2 if attributes["sex"] == "female" else 7)),
            )
            for n, (person, attributes) in enumerate(people)
        ]
        events_ingest(spec=model_spec(spec.slug), events=events, actor=actor)


def _detected() -> dict[str, float]:
    """Wait until every model's alert has left the outbox by every channel; when its breach was computed."""
    from django.conf import settings

    from apps.responses.channels import channel_of
    from apps.responses.models import OutboxMessage

    paths = {channel_of(url): f"/{url.rpartition('/')[2]}" for url in settings.NOTIFICATION_URLS}
    alerts = OutboxMessage.objects.filter(dedup_key__startswith="alert-")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        sent = alerts.filter(state=OutboxMessage.State.SENT).count()
        if sent >= MODELS * CHANNELS and sent == alerts.count():
            return {f"{paths[each.channel]} {each.dedup_key}": each.detected_at.timestamp() for each in alerts}
        time.sleep(0.5)
    raise SystemExit(f"{sent} of {MODELS * CHANNELS} alerts were delivered in {PATIENCE:.0f} s")


if __name__ == "__main__":
    main()
