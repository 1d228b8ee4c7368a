"""Attributes travel sealed, are stored as records, replaced as a whole, and erased."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from apps.common import clock
from apps.common.errors import Refused
from apps.pipeline import services as pipeline
from apps.vault import blocks, enrichment, keys, mending, opening, selectors, services, uploads
from apps.vault.crypto import VaultError
from apps.vault.models import VaultErasure, VaultUpload, VaultUploadPart
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


def open_all() -> int:
    with side("compute"):
        return pipeline.open_uploads()


def tamper(identity: str, place: int, change: Callable[[bytearray], None]) -> None:
    """Change a sealed part as somebody could who owns the database."""
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("SELECT sealed FROM vault_upload_part WHERE upload_id = %s AND place = %s", [identity, place])
        sealed = bytearray(cursor.fetchone()[0])
        change(sealed)
        cursor.execute(
            "UPDATE vault_upload_part SET sealed = %s WHERE upload_id = %s AND place = %s",
            [bytes(sealed), identity, place],
        )


def left() -> int:
    """How many sealed parts are still there."""
    with side("compute"):
        return VaultUploadPart.objects.count()


def codes(*ids: str) -> list[list[int]]:
    subjects = np.frombuffer(b"".join(Pseudonymiser().many(ids)), np.uint8).reshape(-1, 16)
    with side("compute"):
        found = enrichment.attribute_codes(subjects=subjects, axes=AXES, model="hiring", hours=(NOW, NOW))
    return [axis.tolist() for axis in found]


def test_what_was_uploaded_is_read_as_codes_and_the_rest_is_unknown() -> None:
    upload(ANA, BEN)
    with side("compute"):
        opened = services.upload_open_next()
        assert opened is not None
        while opened.left:
            services.upload_store_some(opened)
        assert sorted(services.upload_finish(opened)) == sorted(Pseudonymiser().many(["ana", "ben"]))
    assert codes("ana", "nobody", "ben", "ana") == [[0, 2, 1, 0], [2, 3, 3, 2]]


def test_nobody_asked_for_gives_no_codes() -> None:
    assert codes() == [[], []]


def test_an_upload_is_unreadable_in_the_database_and_gone_once_opened() -> None:
    identity = upload(ANA)
    with side("compute"):
        sealed = b"".join(bytes(part.sealed) for part in VaultUploadPart.objects.all())
    assert b"female" not in sealed
    assert b"sex" not in sealed
    assert Pseudonymiser().one("ana") not in sealed
    open_all()
    row = VaultUpload.objects.get(pk=identity)
    assert (row.state, row.stored, row.replaced, row.subjects) == ("stored", 1, 0, 1)
    assert left() == 0


def test_the_web_side_cannot_even_fetch_what_it_sealed() -> None:
    upload(ANA)
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT sealed FROM vault_upload_part")


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


def flip(sealed: bytearray) -> None:
    sealed[40] ^= 1


def cut(sealed: bytearray) -> None:
    del sealed[-1:]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("change", [flip, cut])
def test_a_damaged_upload_is_refused_without_its_content(
    place: int, change: Callable[[bytearray], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PART", 1)
    identity = upload(ANA, BEN)
    tamper(identity, place, change)
    assert open_all() == 0
    row = selectors.upload(identity)
    assert row is not None
    assert (row.state, row.stored) == ("refused", 0)
    assert "does not open" in row.reason
    assert codes("ana", "ben") == [[2, 2], [3, 3]]
    assert left() == 0


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DELETE FROM vault_upload_part WHERE place = 1", "Part 2 of the upload is missing"),
        ("DELETE FROM vault_upload_part WHERE place = 2", "The upload is cut off"),
        (
            "UPDATE vault_upload_part SET place = 9 WHERE place = 0; UPDATE vault_upload_part SET place = 0 WHERE"
            " place = 1; UPDATE vault_upload_part SET place = 1 WHERE place = 9",
            "Part 1 of the upload does not open",
        ),
        ("UPDATE vault_upload SET subjects = 3", "holds 2 people instead of 3"),
        (
            "DELETE FROM vault_upload_part WHERE place = 2; UPDATE vault_upload SET parts = 2, subjects = 2",
            "Part 2 of the upload does not open",
        ),
    ],
)
def test_an_upload_that_is_not_whole_is_refused(statement: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PART", 1)
    identity = upload(ANA, BEN)
    with side("owner"), connection.cursor() as cursor:
        cursor.execute(statement)
    assert open_all() == 0
    row = selectors.upload(identity)
    assert row is not None
    assert (row.state, row.stored) == ("refused", 0)
    assert reason in row.reason


def test_what_a_web_side_gone_wrong_seals_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_check", lambda *_: None)
    twice = upload(BEN, ANA, BEN)
    unknown = upload(BEN, ("ana", {"sex": "Jedi"}))
    assert open_all() == 0
    for identity, reason in (
        (twice, "Row 3, column subject_id: names somebody whom row 1 names too."),
        (unknown, "Row 2, column sex: has a level that no model declares; declared are female, male."),
    ):
        row = selectors.upload(identity)
        assert row is not None
        assert (row.state, row.reason) == ("refused", reason)
    assert codes("ana", "ben") == [[2, 2], [3, 3]]


def test_a_large_upload_is_stored_slice_by_slice_and_goes_on_where_it_was_cut_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed after the third slice; another process begins with the fourth, and nobody is stored twice."""
    monkeypatch.setattr(opening, "SLICE", 10)
    crowd = [(f"person {n}", {"sex": ("female", "male")[n % 2]}) for n in range(55)]
    identity = upload(*crowd)
    with side("compute"):
        opened = services.upload_open_next()
        assert opened is not None
        assert [services.upload_store_some(opened) for _ in range(3)] == [10, 10, 10]
        again = services.upload_open_next()
        assert again is not None
        assert (again.upload_id, again.position, again.left) == (identity, 30, 25)
        assert services.upload_store_some(again) == 10
        with pytest.raises(VaultError, match="by somebody else"):
            services.upload_store_some(opened)
    assert open_all() == 1
    row = selectors.upload(identity)
    assert row is not None
    assert (row.state, row.stored, row.replaced) == ("stored", 55, 0)
    assert codes(*(name for name, _ in crowd))[0] == [n % 2 for n in range(55)]
    assert left() == 0


def test_people_of_many_blocks_are_all_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "WANTED", 4)
    monkeypatch.setattr(blocks, "MOST", 6)
    monkeypatch.setattr(opening, "SLICE", 30)
    expected = {}
    for start in range(0, 200, 50):
        crowd = [(f"person {n}", {"sex": ("female", "male")[n % 2]}) for n in range(start, start + 70)]
        upload(*crowd)
        expected |= dict(crowd)
        open_all()
        assert codes(*expected, "nobody")[0] == [n % 2 for n in range(len(expected))] + [2]
    with side("compute"), entering("keys") as cursor:
        cursor.execute("SELECT count(*), sum(people) FROM vault.block")
        (many, everybody) = cursor.fetchall()[0]
    assert many > 30
    assert everybody == 220


def test_an_upload_sealed_to_another_key_waits_for_the_right_one() -> None:
    identity = upload(ANA)
    with side("owner"):
        VaultUpload.objects.filter(pk=identity).update(sealed_to="0" * 16)
    with pytest.raises(VaultError, match="matching key"):
        open_all()
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


@pytest.fixture
def one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block for each person."""
    monkeypatch.setattr(blocks, "WANTED", 1)
    monkeypatch.setattr(blocks, "MOST", 1)


def test_blocks_under_two_data_keys_are_read_together(one_each: None) -> None:
    upload(ANA, BEN)
    open_all()
    with side("compute"), entering("upload") as cursor:
        keys.make_data_key(cursor, 2)
    upload(BEN)
    open_all()
    assert codes("ana", "ben") == [[0, 1], [2, 3]]
    with side("compute"), entering("monitoring") as cursor:
        cursor.execute("SELECT key_version FROM vault.block ORDER BY 1")
        assert cursor.fetchall() == [(1,), (2,)]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE vault.block SET body = (SELECT body FROM vault.block ORDER BY first LIMIT 1)"
            " WHERE first = (SELECT max(first::text)::uuid FROM vault.block)",
            "not in its own place",
        ),
        ("UPDATE vault.block SET body = set_byte(body, 60, get_byte(body, 60) # 1)", "damaged"),
        ("UPDATE vault.block SET body = substr(body, 1, 1000)", "damaged"),
        ("UPDATE vault.block SET body = ''", "another layout"),
        ("UPDATE vault.block SET body = set_byte(body, 0, 2)", "another layout"),
        ("DELETE FROM vault.block WHERE first = (SELECT min(first::text)::uuid FROM vault.block)", "is missing"),
        ("DELETE FROM vault.block WHERE first = (SELECT max(first::text)::uuid FROM vault.block)", "is missing"),
        (
            "DELETE FROM vault.block WHERE first = (SELECT max(first::text)::uuid FROM vault.block);"
            "UPDATE vault.block SET last = 'ffffffff-ffff-ffff-ffff-ffffffffffff'",
            "not in its own place",
        ),
        ("UPDATE vault.block SET key_version = 2", "data key 2, which does not exist"),
    ],
)
def test_a_vault_that_somebody_changed_is_not_read(one_each: None, statement: str, said: str) -> None:
    upload(ANA, BEN)
    open_all()
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE vault.block NO FORCE ROW LEVEL SECURITY")
        cursor.execute("ALTER TABLE vault.block DROP CONSTRAINT block_key_version_fkey")
        cursor.execute(statement)
        cursor.execute("ALTER TABLE vault.block FORCE ROW LEVEL SECURITY")
    with pytest.raises(VaultError, match=said):
        codes("ana", "ben")
    refused = upload(ANA, BEN)
    assert open_all() == 0
    row = selectors.upload(refused)
    assert row is not None
    assert (row.state, row.stored) == ("refused", 0)
    assert left() == 0
    with side("compute"):
        assert mending.damaged_empty().gaps >= 1
        assert mending.vault_check().faults == ()
    upload(ANA, BEN)
    assert open_all() == 1
    assert codes("ana", "ben") == [[0, 1], [2, 3]]
