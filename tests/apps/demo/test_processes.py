"""Children are kept alive, ended together, and never outlive the demo."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from apps.demo.errors import ChildError
from apps.demo.processes import CHECKOUT, Children, Command, run_together

FOREVER = "import time; time.sleep(300)"
WITH_A_GRANDCHILD = (
    "import subprocess, sys, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']);"
    "print(p.pid, flush=True); time.sleep(300)"
)


def command(tmp_path, program, name="child"):
    return Command(name, [sys.executable, "-c", program], dict(os.environ), tmp_path / f"{name}.log")


def eventually(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.02)
    return found


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def children():
    made = Children()
    yield made
    made.stop()


def pids():
    return {process.pid for process in psutil.Process().children()}


def test_a_child_that_dies_is_started_again(tmp_path, children):
    others = pids()
    children.start(command(tmp_path, FOREVER))
    (first,) = pids() - others
    assert children.revive() == []
    os.kill(first, signal.SIGKILL)
    assert eventually(children.revive) == ["child"]
    (second,) = pids() - others
    assert second != first


def test_a_child_that_keeps_dying_is_given_up_with_its_last_words(tmp_path, children):
    children.start(command(tmp_path, "raise SystemExit('no database')"))

    def revive_for_ever():
        while True:
            children.revive()
            time.sleep(0.01)

    with pytest.raises(ChildError, match=r"(?s)child process died 5 times in a minute.*no database"):
        revive_for_ever()


def test_stopping_ends_a_stubborn_child_and_its_own_children(tmp_path, monkeypatch, children):
    monkeypatch.setattr("apps.demo.processes.PATIENCE", 0.3)
    others = pids()
    made = command(tmp_path, WITH_A_GRANDCHILD)
    children.start(made)
    (child,) = pids() - others
    grandchild = int(eventually(lambda: made.log.exists() and made.log.read_text().strip()))
    children.stop()
    assert eventually(lambda: gone(child))
    assert eventually(lambda: gone(grandchild))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_children_end_when_the_demo_is_killed(tmp_path):
    program = (
        "import sys, os, time, pathlib; from apps.demo.processes import Children, Command;"
        f"c = Children(); c.start(Command('c', [sys.executable, '-c', {FOREVER!r}], dict(os.environ),"
        " pathlib.Path(sys.argv[1])));"
        "print(c._running['c'][1].pid, flush=True); time.sleep(300)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "c.log")], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    with parent:
        child = int(parent.stdout.readline())
        assert psutil.pid_exists(child)
        parent.kill()
    assert eventually(lambda: gone(child))


def test_commands_run_together_and_a_failure_tells_its_last_words(tmp_path):
    good = command(tmp_path, f"open({str(tmp_path / 'done')!r}, 'w')", name="good")
    run_together([good])
    assert (tmp_path / "done").exists()
    bad = command(tmp_path, "raise SystemExit('the reason')", name="bad")
    with pytest.raises(ChildError, match=r"(?s)'bad' failed with exit code 1.*the reason"):
        run_together([bad, command(tmp_path, FOREVER, name="slow")])
