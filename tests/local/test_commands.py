"""The two command lines: the embedded services by hand, and the roles of an outside PostgreSQL."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import psycopg
import pytest

from biasgov import local, roles
from biasgov.environment import ConfigurationError
from biasgov.local.__main__ import NOT_RUNNING, main


def test_life_of_a_home(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("BIASGOV_HOME", str(home))
    assert main(["status"]) == NOT_RUNNING
    assert not home.exists(), "asking must not make a home"
    assert main(["start"]) == 0
    assert main(["status"]) == 0
    capsys.readouterr()
    assert main(["env"]) == 0
    words = shlex.split(capsys.readouterr().out)
    variables = dict(word.split("=", 1) for word in words if word != "export")
    running = local.running()
    assert running is not None
    assert variables == running.environment()
    assert set(variables) == {
        "BIASGOV_HOME",
        "DATABASE_URL",
        "COMPUTE_DATABASE_URL",
        "OWNER_DATABASE_URL",
        "REDIS_URL",
    }
    assert main(["stop"]) == 0
    assert main(["status"]) == NOT_RUNNING
    with pytest.raises(SystemExit):
        main(["remove"])
    (home / "keys").mkdir()
    assert main(["remove", "--yes"]) == 0
    assert sorted(path.name for path in home.iterdir()) == ["keys", "lock"]


def test_error_is_one_sentence_and_not_a_traceback(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BIASGOV_HOME", str(home))
    home.mkdir()
    (home / "state.json").write_text("{}")
    assert main(["start"]) == 1
    assert "is damaged" in capsys.readouterr().err
    (home / "state.json").unlink()


def test_roles_of_an_outside_postgres(
    services: local.Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        role: psycopg.conninfo.conninfo_to_dict(url)["password"]
        for role, url in (
            (roles.WEB, services.database_url),
            (roles.COMPUTE, services.compute_database_url),
            (roles.MIGRATOR, services.owner_database_url),
        )
    }
    (tmp_path / "passwords").write_text(json.dumps(given) + "\n")
    monkeypatch.setenv("DATABASE_NAME", "outside")
    monkeypatch.setenv("ADMIN_DATABASE_URL", services.admin_url)
    with pytest.raises(ConfigurationError, match="ROLE_PASSWORDS"):
        roles.main()
    monkeypatch.setenv("ROLE_PASSWORDS_FILE", str(tmp_path / "passwords"))
    roles.main()
    with psycopg.connect(services.owner_database_url, dbname="outside") as connection:
        connection.execute(f"SET ROLE {roles.OWNER}")
        connection.execute("CREATE TABLE made (id int)")
