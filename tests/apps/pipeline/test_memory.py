"""What the compute side has in memory: never on disk, closed to its neighbours, gone after the hour."""

from __future__ import annotations

import gc
import os
import resource
import signal
import subprocess
import sys
import weakref
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from apps.common import clock
from apps.monitoring import counting
from apps.monitoring.models import MonitoringRun
from apps.monitoring.people import People
from apps.pipeline import hardening
from apps.vault import blocks, enrichment
from tests.apps.pipeline import world
from tests.apps.pipeline.world import NOW

START = "import os, sys, django; django.setup()\n"
WORKER = "from biasgov.celery import app; app.loader.import_default_modules()\n"
linux = pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")


def process(side: str, program: str) -> subprocess.CompletedProcess[str]:
    """A Python process of a side, which was allowed core files of any size."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    return subprocess.run(
        [sys.executable, "-c", START + program],
        env={**os.environ, "BIASGOV_SIDE": side, "DJANGO_SETTINGS_MODULE": "biasgov.settings"},
        cwd=settings.BASE_DIR,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@linux
@pytest.mark.parametrize(("side", "dumps"), [("compute", False), ("web", True)])
def test_a_dying_worker_of_the_compute_side_leaves_no_core_file_nor_do_its_children(side: str, dumps: bool) -> None:
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("nothing here may write a core file, so nothing is shown by writing none")
    asked = (
        "import resource, ctypes\n"
        "child = os.fork()\n"
        "if child: os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0] != 0, bool(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)))\n"
    )
    said = process(side, WORKER + asked)
    assert said.stdout.split() == [str(dumps), str(dumps)], said.stderr


@linux
def test_an_aborted_compute_process_dumps_nothing() -> None:
    died = process(
        "compute",
        "child = os.fork()\n"
        "if not child: os.abort()\n"
        "status = os.waitpid(child, 0)[1]\n"
        "print(os.WTERMSIG(status), os.WCOREDUMP(status))\n",
    )
    assert died.stdout.split() == [str(int(signal.SIGABRT)), "False"], died.stderr


def test_a_compute_process_that_could_dump_its_memory_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"now": (resource.RLIM_INFINITY, resource.RLIM_INFINITY)}
    dumpable = {3: 1}
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: limits.update(now=wanted))
    monkeypatch.setattr(hardening, "_prctl", lambda option, value: dumpable.setdefault(option, value))
    with override_settings(SIDE="web"):
        assert hardening.check_core_dumps() == []
    with override_settings(SIDE="compute"):
        assert [each.id for each in hardening.check_core_dumps()] == ["biasgov.E020"]
        limits["now"] = (0, 0)
        if sys.platform == "linux":
            assert [each.id for each in hardening.check_core_dumps()] == ["biasgov.E020"]
        dumpable[3] = 0
        assert hardening.check_core_dumps() == []


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[weakref.ref[Any]]:
    """Everything with codes of individuals in it that has left the vault or been cut from that."""
    seen: list[weakref.ref[Any]] = []
    read, count = enrichment.attribute_codes, People.count

    def reading(**arguments: Any) -> Any:
        codes = read(**arguments)
        seen.extend(weakref.ref(each if each.base is None else each.base) for each in codes)
        return codes

    def counting_people(schema: Any, codes: Any, subjects: Any) -> People:
        seen.extend(map(weakref.ref, codes))
        return count(schema, codes, subjects)

    monkeypatch.setattr(enrichment, "attribute_codes", reading)
    monkeypatch.setattr(People, "count", staticmethod(counting_people))
    return seen


def left(held: list[weakref.ref[Any]]) -> tuple[int, int]:
    """Arrays of codes, and opened blocks of the vault, that are still in memory."""
    gc.collect()
    codes = sum(each() is not None for each in held)
    return codes, sum(isinstance(each, blocks.Block) for each in gc.get_objects())


def send(rows: int = 150) -> int:
    spec, frame = world.company(), world.people(rows, hours=5)
    world.send_attributes(frame)
    world.send_events(spec, frame)
    return spec.id


@pytest.mark.django_db
def test_codes_and_opened_blocks_are_gone_from_memory_after_the_hour(held: list[weakref.ref[Any]]) -> None:
    with clock.frozen(NOW):
        model = send()
        world.compute()
    assert MonitoringRun.objects.filter(model_id=model).exists()
    assert len(held) > 4
    assert left(held) == (0, 0)


@pytest.mark.django_db
def test_an_hour_that_fails_keeps_nothing_either(held: list[weakref.ref[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise ValueError("no cube today")

    monkeypatch.setattr(counting.OutcomeCube, "count", fails)
    with clock.frozen(NOW):
        model = send()
        world.compute()
    assert not MonitoringRun.objects.filter(model_id=model, n__gt=0).exists()
    assert held
    assert left(held) == (0, 0)


@pytest.mark.django_db
def test_codes_that_somebody_keeps_are_found(held: list[weakref.ref[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    count = counting.OutcomeCube.count

    def keeps(schema: Any, codes: Any, *others: Any) -> Any:
        kept.extend(codes)
        return count(schema, codes, *others)

    monkeypatch.setattr(counting.OutcomeCube, "count", keeps)
    with clock.frozen(NOW):
        send()
        world.compute()
    assert left(held)[0] > 0
