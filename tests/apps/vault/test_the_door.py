"""Who may enter the vault, and that nothing is decrypted that is not on record."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.utils import DatabaseError, ProgrammingError

from apps.audit.models import AuditEntry
from apps.pipeline import services as pipeline
from apps.vault import crypto, enrichment, services
from apps.vault.pseudonyms import Pseudonymiser
from apps.vault.purpose import entering
from biasgov import keyring
from biasgov.environment import ConfigurationError
from biasgov.fairness.cube import Axis
from tests.apps.pipeline.world import ACTOR, NOW, company
from tests.sides import side

pytestmark = pytest.mark.django_db
AXES = (Axis("sex", ("female", "male")),)

VERBS = {
    "SELECT": "SELECT * FROM {table}",
    "INSERT": "INSERT INTO {table} DEFAULT VALUES",
    "UPDATE": "UPDATE {table} SET {column} = {column}",
    "DELETE": "DELETE FROM {table}",
    "TRUNCATE": "TRUNCATE {table}",
}
COLUMNS = {
    "vault.block": "body",
    "vault.data_key": "wrapped",
    "vault.key_floor": "version",
    "cube.hour_cube": "body",
    "monitoring_run": "n",
    "vault_upload": "stored",
    "vault_upload_part": "sealed",
}
DENIED = {
    "web": {
        "vault.block": set(VERBS),
        "vault.data_key": set(VERBS),
        "vault.key_floor": set(VERBS),
        "cube.hour_cube": set(VERBS),
        "monitoring_run": {"INSERT", "UPDATE", "DELETE", "TRUNCATE"},
        "vault_upload": {"UPDATE", "DELETE", "TRUNCATE"},
        "vault_upload_part": {"SELECT", "UPDATE", "TRUNCATE"},
    },
    "compute": {
        "vault.block": {"TRUNCATE"},
        "vault.data_key": {"TRUNCATE"},
        "vault.key_floor": {"INSERT", "DELETE", "TRUNCATE"},
        "cube.hour_cube": {"UPDATE", "TRUNCATE"},
        "monitoring_run": {"UPDATE", "DELETE", "TRUNCATE"},
        "vault_upload": {"INSERT", "DELETE", "TRUNCATE"},
        "vault_upload_part": {"INSERT", "UPDATE", "TRUNCATE"},
    },
}


def attempt(verb: str, table: str) -> str:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(VERBS[verb].format(table=table, column=COLUMNS[table]))
    except ProgrammingError as error:
        return str(error)
    except DatabaseError:
        # Allowed, and then stopped by a constraint: the privilege is what is asked about here.
        return ""
    return ""


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("table", COLUMNS)
@pytest.mark.parametrize("role", DENIED)
def test_privileges(role: str, table: str, verb: str) -> None:
    with side(role):
        refusal = attempt(verb, table)
    if verb in DENIED[role][table]:
        assert "permission denied" in refusal
    elif "row-level security" not in refusal:
        assert refusal == ""


def test_the_compute_side_sees_nothing_without_a_purpose() -> None:
    company()
    services.attributes_upload(actor=ACTOR, subjects=[("ana", {"sex": "female"})])
    with side("compute"):
        pipeline.open_uploads()
        assert seen() == 0
        with entering("monitoring"):
            assert seen() == 1
        assert seen() == 0
    with side("owner"):
        assert seen() == 0, "the owner is subject to the policies too"


def test_a_purpose_allows_no_more_than_it_says() -> None:
    company()
    services.attributes_upload(actor=ACTOR, subjects=[("ana", {"sex": "female"})])
    with side("compute"):
        pipeline.open_uploads()
        with entering("monitoring") as cursor:
            assert cursor.execute("UPDATE vault.block SET people = 0").rowcount == 0
            assert cursor.execute("UPDATE vault.data_key SET sealed = 0").rowcount == 0
        with entering("keys") as cursor:
            assert cursor.execute("UPDATE vault.block SET people = 0").rowcount == 0
            assert cursor.execute("UPDATE vault.data_key SET sealed = 0").rowcount == 1
        with entering("upload") as cursor:
            assert cursor.execute("UPDATE vault.block SET people = 0").rowcount == 1
            assert cursor.execute("UPDATE vault.key_floor SET version = 2").rowcount == 0


def test_a_read_is_on_record_before_anything_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    on_record: list[int] = []
    opened = crypto.DataKey.open

    def watching(self: crypto.DataKey, *arguments: Any, **bound: Any) -> bytes:
        with side("web"):
            on_record.append(AuditEntry.objects.filter(action="vault.attributes_read").count())
        return opened(self, *arguments, **bound)

    store()
    monkeypatch.setattr(crypto.DataKey, "open", watching)
    read("ana", "ana", "ben")
    assert on_record == [1]
    entry = AuditEntry.objects.get(action="vault.attributes_read")
    assert (entry.actor, entry.subject) == ("system:compute", "model:hiring")
    assert entry.detail["subjects"] == 2
    assert entry.detail["purpose"] == "monitoring"
    assert "female" not in str(entry.detail)


def test_a_read_that_cannot_be_put_on_record_does_not_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    store()
    decryptions: list[int] = []
    monkeypatch.setattr(crypto.DataKey, "open", lambda self, sealed, **_: decryptions.append(len(sealed)))

    def broken(**_: Any) -> int:
        raise OSError("the audit log is out of reach")

    monkeypatch.setattr(enrichment.audit, "append", broken)
    with pytest.raises(OSError, match="out of reach"):
        read("ana")
    assert decryptions == []


@pytest.mark.django_db(transaction=True)
def test_a_read_inside_somebody_elses_transaction_is_refused() -> None:
    with side("compute"), transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        enrichment.attribute_codes(subjects=np.zeros((1, 16), np.uint8), axes=AXES, model="hiring", hours=(NOW, NOW))


def test_the_web_side_is_given_no_key_that_opens_anything() -> None:
    web = keyring.locate(settings.HOME, side="web")
    for name in ("vault_private", "key_encryption"):
        with pytest.raises(ConfigurationError, match="holds no key"):
            web.read(name)
    folders = {path.parent.name for path in web.paths.values()}
    assert folders == {"web", "shared"}


def store() -> None:
    company()
    services.attributes_upload(actor=ACTOR, subjects=[("ana", {"sex": "female"}), ("ben", {"sex": "male"})])
    with side("compute"):
        pipeline.open_uploads()


def read(*ids: str) -> None:
    with side("compute"):
        subjects = np.frombuffer(b"".join(Pseudonymiser().many(ids)), np.uint8).reshape(-1, 16)
        enrichment.attribute_codes(subjects=subjects, axes=AXES, model="hiring", hours=(NOW, NOW))


def seen() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM vault.block")
        return int(cursor.fetchone()[0])
