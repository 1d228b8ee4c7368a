"""Attributes travel sealed, are stored as records, replaced as a whole, and erased."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.db import connection

from apps.common import clock
from apps.common.errors import Refused
from apps.vault import enrichment, keys, selectors, services
from apps.vault.crypto import VaultError
from apps.vault.models import VaultErasure, VaultUpload
from apps.vault.pseudonyms import Pseudonymiser
from apps.vault.purpose import entering
from biasgov.fairness.cube import Axis
from tests.apps.pipeline.world import ACTOR, NOW, company
from tests.sides import side

pytestmark = pytest.mark.django_db
AXES = (Axis("sex", ("female", "male")), Axis("region", ("north", "south", "west")))
ANA = ("ana", {"sex": "female", "region": "west"})
BEN = ("ben", {"sex": "male"})


@pytest.fixture(autouse=True)
def _declared(db: None) -> None:
    company()


def upload(*subjects: tuple[str, dict[str, str]]) -> str:
    return services.attributes_upload(actor=ACTOR, subjects=list(subjects)).upload_id


def open_all() -> list[services.OpenedUpload]:
    with side("compute"):
        return list(iter(services.upload_open_next, None))


def codes(*ids: str) -> list[list[int]]:
    subjects = np.frombuffer(b"".join(Pseudonymiser().many(ids)), np.uint8).reshape(-1, 16)
    with side("compute"):
        found = enrichment.attribute_codes(subjects=subjects, axes=AXES, model="hiring", hours=(NOW, NOW))
    return [axis.tolist() for axis in found]


def test_what_was_uploaded_is_read_as_codes_and_the_rest_is_unknown() -> None:
    upload(ANA, BEN)
    (opened,) = open_all()
    assert opened.state == "stored"
    assert sorted(opened.subjects) == sorted(Pseudonymiser().many(["ana", "ben"]))
    assert codes("ana", "nobody", "ben", "ana") == [[0, 2, 1, 0], [2, 3, 3, 2]]


def test_nobody_asked_for_gives_no_codes() -> None:
    assert codes() == [[], []]


def test_an_upload_is_unreadable_in_the_database_and_gone_once_opened() -> None:
    identity = upload(ANA)
    sealed = bytes(VaultUpload.objects.get(pk=identity).sealed or b"")
    assert b"female" not in sealed
    assert b"sex" not in sealed
    assert Pseudonymiser().one("ana") not in sealed
    open_all()
    row = VaultUpload.objects.get(pk=identity)
    assert (row.sealed, row.state, row.stored, row.subjects) == (None, "stored", 1, 1)


def test_a_later_upload_replaces_what_a_subject_had() -> None:
    upload(ANA)
    upload(("ana", {"sex": "male"}))
    open_all()
    assert codes("ana") == [[1], [3]]


def test_uploads_opened_in_the_wrong_order_leave_the_newest_attributes() -> None:
    with clock.frozen(NOW):
        upload(("ana", {"sex": "male"}))
    open_all()
    with clock.frozen(NOW - timedelta(hours=1)):
        upload(ANA)
    open_all()
    assert codes("ana")[0] == [1]


def test_a_damaged_upload_is_refused_without_its_content() -> None:
    identity = upload(ANA)
    with side("owner"):
        sealed = bytearray(VaultUpload.objects.get(pk=identity).sealed or b"")
        sealed[40] ^= 1
        VaultUpload.objects.filter(pk=identity).update(sealed=bytes(sealed))
    (opened,) = open_all()
    assert (opened.state, opened.subjects) == ("refused", ())
    row = selectors.upload(identity)
    assert row is not None
    assert (row.state, row.stored) == ("refused", 0)
    assert "does not open" in row.reason


def test_an_upload_sealed_to_another_key_waits_for_the_right_one() -> None:
    identity = upload(ANA)
    with side("owner"):
        VaultUpload.objects.filter(pk=identity).update(sealed_to="0" * 16)
    with side("compute"), pytest.raises(VaultError, match="matching key"):
        services.upload_open_next()
    assert VaultUpload.objects.get(pk=identity).state == "pending"


@pytest.mark.parametrize(
    ("subjects", "field", "code"),
    [
        ([], "subjects", "empty"),
        ([ANA, ANA], "subjects[1].subject_id", "duplicate"),
        ([("ana", {"star_sign": "libra"})], "subjects[0].attributes.star_sign", "unknown_attribute"),
        ([BEN, ("ana", {"sex": "Jedi"})], "subjects[1].attributes.sex", "unknown_level"),
    ],
)
def test_an_upload_that_nobody_could_use_is_refused_whole(subjects: list, field: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        services.attributes_upload(actor=ACTOR, subjects=subjects)
    assert (refused.value.field, refused.value.code) == (field, code)
    assert "Jedi" not in str(refused.value)
    assert not VaultUpload.objects.exists()


def test_an_erased_subject_is_unknown_also_from_what_was_still_sealed() -> None:
    upload(ANA, BEN)
    open_all()
    upload(ANA)
    services.erasure_request(actor=ACTOR, subject_id="ana")
    with side("compute"):
        assert services.erasures_execute() == 1
        assert services.erasures_execute() == 0
    open_all()
    assert codes("ana", "ben") == [[2, 1], [3, 3]]
    assert VaultErasure.objects.get().state == "done"


def test_what_arrives_after_the_erasure_counts_again() -> None:
    with clock.frozen(NOW):
        services.erasure_request(actor=ACTOR, subject_id="ana")
    with clock.frozen(NOW + timedelta(minutes=1)):
        upload(ANA)
    open_all()
    with side("compute"):
        services.erasures_execute()
    assert codes("ana") == [[0], [2]]


def test_the_queue_says_what_waits_and_since_when() -> None:
    with clock.frozen(NOW):
        upload(ANA, BEN)
    with clock.frozen(NOW + timedelta(minutes=1)):
        services.erasure_request(actor=ACTOR, subject_id="ana")
    assert selectors.queue() == selectors.VaultQueue(1, 2, 1, NOW)


def test_records_under_two_data_keys_are_read_together() -> None:
    upload(ANA)
    open_all()
    with side("compute"), entering("upload") as cursor:
        keys.make_data_key(cursor, 2)
    upload(BEN)
    open_all()
    assert codes("ana", "ben") == [[0, 1], [2, 3]]
    with side("compute"), entering("monitoring") as cursor:
        cursor.execute("SELECT key_version FROM vault.record ORDER BY 1")
        assert cursor.fetchall() == [(1,), (2,)]


def test_a_record_put_in_anothers_place_stops_the_read() -> None:
    upload(ANA, BEN)
    open_all()
    ana, ben = (each.hex() for each in Pseudonymiser().many(["ana", "ben"]))
    with side("compute"), entering("upload"), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE vault.record SET body = (SELECT body FROM vault.record WHERE subject = %s) WHERE subject = %s",
            [ana, ben],
        )
    with pytest.raises(VaultError):
        codes("ben")
