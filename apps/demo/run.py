"""The story of ``make demo``: services, database, server, data through the API, workers, history; then it runs on."""

from __future__ import annotations

import errno
import fcntl
import http.client
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from apps.demo.client import ApiClient
from apps.demo.commands import SIDE_VARIABLES, Programs
from apps.demo.errors import DemoError
from apps.demo.feed import Feeder, present
from apps.demo.gateways import Gateways
from apps.demo.live import LiveFeed
from apps.demo.memory import DemoMemory, keep, recall
from apps.demo.preparation import digest_of_checkout, installation
from apps.demo.processes import CHECKOUT, Children, run_together
from biasgov import keyring, local
from biasgov.local import Services

READY_SECONDS: Final = 90.0
LOOK_EVERY: Final = 2.0
SCOPES: Final = ("admin", "events:write", "labels:write", "attributes:write", "read")
TOKEN_DAYS: Final = 365


@dataclass(frozen=True, slots=True)
class Result:
    """The last line of ``--check``."""

    url: str
    models: list[str]
    runs: int
    findings: int
    incidents: int
    seconds: float


def run(*, port: int, check: bool, say: Callable[[str], None]) -> None:
    """Run the demo of this home until interrupted; with `check`, until the newest hour is computed.

    Raises DemoError or LocalServicesError with a message for the person who typed the command. Whatever was started
    is stopped again in any case.
    """
    began = time.monotonic()
    url = f"http://localhost:{port}"
    home = local.home()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as started:
        started.enter_context(_only_demo_of(home))
        _refuse_taken(port)
        say(f"Starting PostgreSQL and Valkey in {home} ...")
        started.callback(local.stop, home)
        services = local.start(home)
        memory = recall(home, installation(services))
        keep(home, memory)
        programs = _prepare(services, memory, port=port)
        _become_web(programs)
        if not memory.token:
            _people(memory)
            memory.token = _token()
        keep(home, memory)

        children = Children()
        started.callback(children.stop)
        children.start(programs.web())
        _wait_for_server(port, children)
        say(f"The web server answers at {url} after {time.monotonic() - began:.0f} seconds.")

        client = started.enter_context(_client(url, memory, home))
        feeder = Feeder(client, memory, home)
        _feed(feeder, say=say)
        gateways = _gateways(url, memory)
        started.callback(gateways.stop)
        gateways.start()
        children.start(programs.compute())
        acting = not memory.story_told and _may_act(say)
        if acting:
            _past(home, children, say=say)
        for command in (programs.governance(), programs.beat()):
            children.start(command)
        _watch_history(home, children, say=say)
        if acting:
            _requests(home, children, say=say)
        memory.story_told = True
        keep(home, memory)
        if check:
            say(_result(url, seconds=time.monotonic() - began))
            return
        live = LiveFeed(feeder)
        started.callback(live.stop)
        live.start()
        _say_sign_ins(url, memory.password, say=say, seconds=time.monotonic() - began)
        while True:
            time.sleep(LOOK_EVERY)
            for name in _revive(home, children):
                say(f"The {name} died and was started again.")


def _prepare(services: Services, memory: DemoMemory, *, port: int) -> Programs:
    """Keys, tables, privileges and static files; the long part only if code or files have changed since."""
    keyring.generate(services.home)
    logs = services.home / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    programs = Programs(services, port=port, logs=logs)
    wanted = digest_of_checkout(CHECKOUT)
    if memory.prepared != wanted or not (services.home / "static").is_dir():
        run_together([programs.setup_database(), programs.collect_static()])
        memory.prepared = wanted
    return programs


def _become_web(programs: Programs) -> None:
    """Let this process be on the web side from here on: it knows nothing of the others, and Django is set up."""
    for names in SIDE_VARIABLES.values():
        for name in names:
            os.environ.pop(name, None)
    os.environ.update(programs.environment("web"))
    os.environ["LOG_LEVEL"] = "WARNING"
    import django

    django.setup()


def _people(memory: DemoMemory) -> None:
    """They were there before anything happened."""
    from apps.common import clock
    from apps.demo.people import people_create
    from apps.demo.simulated import HISTORY

    with clock.frozen(memory.anchor - HISTORY):
        people_create(memory.password)


def _token() -> str:
    from apps.api.services import token_issue

    return token_issue(actor="system:demo", name=f"demo {present():%Y-%m-%d %H:%M:%S}", scopes=SCOPES, days=TOKEN_DAYS)


def _client(url: str, memory: DemoMemory, home: Path) -> ApiClient:
    """A client whose token the server knows; an expired or revoked token is replaced."""
    client = ApiClient(url, memory.token)
    if client.is_welcome():
        return client
    client.close()
    memory.token = _token()
    keep(home, memory)
    return ApiClient(url, memory.token)


def _gateways(url: str, memory: DemoMemory) -> Gateways:
    from apps.responses.selectors import status_public_key

    return Gateways(url, token=memory.token, key=status_public_key())


def _feed(feeder: Feeder, *, say: Callable[[str], None]) -> None:
    from apps.demo.people import OWNER

    began = time.monotonic()
    feeder.register(owner=OWNER.username)
    feeder.attributes()
    sent = feeder.history(present())
    say(
        f"Sent {sent.accepted:,} events and labels through the API ({sent.duplicates:,} were known) "
        f"in {time.monotonic() - began:.0f} seconds."
    )


def _revive(home: Path, children: Children) -> list[str]:
    """Start again what has died, the services first; their names. The ports and passwords stay the same."""
    revived = []
    if local.running(home) is None:
        local.start(home)
        revived.append("database or the broker")
    return revived + children.revive()


def _watch_history(home: Path, children: Children, *, say: Callable[[str], None]) -> None:
    from apps.demo.progress import wait_until_done

    began = time.monotonic()
    wait_until_done(lambda: _revive(home, children))
    say(f"Everything is counted, evaluated and answered after {time.monotonic() - began:.0f} seconds.")


def _may_act(say: Callable[[str], None]) -> bool:
    from django.conf import settings

    if settings.SIGNERS_NEED_SECOND_FACTOR:
        say("The people of the demo have no second factor yet: nobody has signed or voted.")
    return not settings.SIGNERS_NEED_SECOND_FACTOR


def _past(home: Path, children: Children, *, say: Callable[[str], None]) -> None:
    """Have the past computed, and told before the governance side runs, which would answer all of it today.

    The schedule waits as well: it has the audit log's head signed, and what is told carries earlier times than that.
    """
    from apps.demo.progress import Backlog, wait_until_done
    from apps.demo.story import tell

    wait_until_done(lambda: _revive(home, children), done=Backlog.is_computed)
    began = time.monotonic()
    tell()
    say(f"The last weeks of security triage are told after {time.monotonic() - began:.0f} seconds.")


def _requests(home: Path, children: Children, *, say: Callable[[str], None]) -> None:
    from apps.demo.requests import ask

    began = time.monotonic()
    ask(lambda: _revive(home, children))
    say(f"The people of the demo have asked for what they want after {time.monotonic() - began:.0f} seconds.")


def _result(url: str, *, seconds: float) -> str:
    from apps.demo.progress import totals

    found = totals()
    result = Result(url, found.models, found.runs, found.findings, found.incidents, round(seconds, 1))
    return msgspec.json.encode(result).decode()


def _say_sign_ins(url: str, password: str, *, say: Callable[[str], None], seconds: float) -> None:
    from apps.demo.people import PEOPLE

    lines = [f"    {person.username:8} {person.title}" for person in PEOPLE]
    say(
        "\n".join(
            [
                "",
                f"biasgov is ready after {seconds:.0f} seconds:  {url}",
                "",
                "Sign in as one of",
                *lines,
                f"with the password   {password}",
                "",
                "Ctrl-C stops everything. The data stay; the next start takes seconds.",
            ]
        )
    )


@contextmanager
def _only_demo_of(home: Path) -> Iterator[None]:
    """Hold the home's demo lock, which the kernel frees when we die. Raises DemoError if a demo runs there."""
    with (home / "demo.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(
                f"A demo is already running in {home}. Stop it, or set BIASGOV_HOME and PORT for a second one."
            ) from None
        yield


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise DemoError(f"Port {port} is taken by another program. Set PORT to a free one.") from None
            raise DemoError(f"Port {port} cannot be used: {error.strerror}. Set PORT to another one.") from None


def _wait_for_server(port: int, children: Children) -> None:
    """Wait until ``/readyz`` answers 200. Raises ChildError or DemoError."""
    deadline = time.monotonic() + READY_SECONDS
    said = "nothing"
    while time.monotonic() < deadline:
        children.revive()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            if answer.status == 200:
                return
            said = f"{answer.status} {answer.read(300).decode(errors='replace')}"
        except (OSError, http.client.HTTPException) as error:
            said = str(error)
        finally:
            connection.close()
        time.sleep(0.1)
    raise DemoError(f"The web server was not ready within {READY_SECONDS:.0f} seconds; it said: {said}")


def print_line(text: str) -> None:
    """To standard output, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
