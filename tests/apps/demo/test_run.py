"""The runner refuses what cannot work, and gives each process its own side's addresses only."""

from __future__ import annotations

import re
import socket
import subprocess
import sys

import pytest

from apps.demo.commands import Programs, side_environment
from apps.demo.errors import DemoError
from apps.demo.processes import CHECKOUT
from apps.demo.run import _only_demo_of, _refuse_taken
from biasgov.local import Services


@pytest.fixture
def services(tmp_path):
    return Services(
        home=tmp_path,
        admin_url="postgresql://admin-secret",
        database_url="postgresql://web-secret",
        compute_database_url="postgresql://compute-secret",
        owner_database_url="postgresql://owner-secret",
        redis_url="redis://queue-secret",
        test_database_url="postgresql://test-secret",
    )


@pytest.mark.parametrize(
    ("side", "known"),
    [
        ("web", {"web-secret", "queue-secret"}),
        ("compute", {"compute-secret", "queue-secret"}),
        ("owner", {"owner-secret"}),
    ],
)
def test_a_process_knows_the_addresses_of_its_side_only(services, side, known):
    caller = {**services.environment(), "PATH": "/bin", "OWNER_DATABASE_URL_FILE": "/owner-secret"}
    given = side_environment(side, services, port=8000, caller=caller)
    assert set(re.findall(r"[a-z]+-secret", " ".join(given.values()))) == known
    assert given["BIASGOV_SIDE"] == side
    assert given["PATH"] == "/bin"


def test_each_program_runs_on_its_side(services, tmp_path):
    programs = Programs(services, port=8001, logs=tmp_path)
    sides = {
        made.name: made.environment["BIASGOV_SIDE"]
        for made in (
            programs.setup_database(),
            programs.collect_static(),
            programs.web(),
            programs.compute(),
            programs.governance(),
            programs.beat(),
        )
    }
    assert sides == {
        "manage.py setup_database": "owner",
        "manage.py collectstatic": "web",
        "web server": "web",
        "compute worker": "compute",
        "governance worker": "web",
        "beat": "web",
    }
    assert "127.0.0.1:8001" in programs.web().arguments


def test_a_taken_port_is_refused_with_what_to_do():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(DemoError, match=f"Port {port} is taken by another program. Set PORT"):
            _refuse_taken(port)
    _refuse_taken(port)


def test_one_home_has_one_demo(tmp_path):
    with _only_demo_of(tmp_path), pytest.raises(DemoError, match="already running"), _only_demo_of(tmp_path):
        pass
    with _only_demo_of(tmp_path):
        assert (tmp_path / "demo.lock").exists()


def test_the_command_line_explains_itself_and_refuses_a_bad_port(tmp_path):
    told = subprocess.run(
        [sys.executable, "-m", "apps.demo", "--help"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert "--check" in told.stdout
    failed = subprocess.run(
        [sys.executable, "-m", "apps.demo"],
        cwd=CHECKOUT,
        env={"PORT": "eighty", "BIASGOV_HOME": str(tmp_path), "PATH": "/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert failed.returncode == 1
    assert failed.stderr == "demo: PORT='eighty' is not a whole number.\n"
