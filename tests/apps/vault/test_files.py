"""Files of attributes: every form, cut anywhere, broken off, resumed, refused without a trace."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from django.db import connection

from apps.common import clock
from apps.common.errors import Refused
from apps.vault import receiving, selectors, services
from apps.vault.models import VaultUploadPart
from tests.apps.pipeline.world import ACTOR, NOW, company
from tests.apps.vault.test_uploads import codes, left, open_all
from tests.sides import side

pytestmark = pytest.mark.django_db

CROWD = {f"person {n}": {"sex": ("female", "male")[n % 2], **({"region": "west"} if n % 3 else {})} for n in range(25)}
ORDER = list(CROWD)


@pytest.fixture(autouse=True)
def _declared(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    company()
    monkeypatch.setattr(receiving, "PART", 10)


def csv_of(crowd: dict[str, dict[str, str]] = CROWD, *, ending: str = "\r\n", delimiter: str = ",") -> bytes:
    lines = [("region", "subject_id", "sex"), *((a.get("region", ""), f'"{s}"', a["sex"]) for s, a in crowd.items())]
    return "".join(delimiter.join(line) + ending for line in lines).encode()


def json_of(crowd: dict[str, dict[str, str]] = CROWD, *, indent: int | None = None) -> bytes:
    return json.dumps({"subjects": rows_of(crowd)}, indent=indent, ensure_ascii=False).encode()


def ndjson_of(crowd: dict[str, dict[str, str]] = CROWD) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows_of(crowd)).encode()


def rows_of(crowd: dict[str, dict[str, str]]) -> list[dict]:
    return [{"subject_id": subject, "attributes": attributes} for subject, attributes in crowd.items()]


def cut(content: bytes, size: int) -> Iterable[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


def send(content: bytes, form: str = "csv", *, size: int = 50, identity: UUID | None = None, start: int = 0) -> UUID:
    found = services.upload_begin(actor=ACTOR, form=form, upload_id=identity)
    receipt = services.Receiving(upload_id=found, actor=ACTOR, start=start)
    for chunk in cut(content[start:], size):
        receipt.feed(chunk)
    receipt.end()
    return found


def state_of(identity: UUID) -> selectors.UploadRow:
    row = selectors.upload(str(identity))
    assert row is not None
    return row


FILES = {
    "csv": ("csv", csv_of()),
    "csv, unix": ("csv", csv_of(ending="\n")),
    "csv, semicolons": ("csv", csv_of(delimiter=";")),
    "csv, marked": ("csv", b"\xef\xbb\xbf" + csv_of()),
    "csv, no end of line": ("csv", csv_of().rstrip()),
    "csv, empty lines behind": ("csv", csv_of() + b"\r\n\r\n"),
    "json": ("json", json_of()),
    "json, indented": ("json", json_of(indent=2)),
    "ndjson": ("ndjson", ndjson_of()),
    "ndjson, no end of line": ("ndjson", ndjson_of().rstrip()),
}
every_file = pytest.mark.parametrize(("form", "content"), FILES.values(), ids=FILES.keys())


@every_file
@pytest.mark.parametrize("size", [7, 10_000])
def test_every_form_is_stored_however_it_is_cut(form: str, content: bytes, size: int) -> None:
    identity = send(content, form, size=size)
    assert (state_of(identity).state, state_of(identity).subjects) == ("pending", 25)
    assert open_all() == 1
    assert (state_of(identity).state, state_of(identity).stored) == ("stored", 25)
    assert codes(*ORDER, "nobody") == [[n % 2 for n in range(25)] + [2], [2 if n % 3 else 3 for n in range(25)] + [3]]


@every_file
def test_who_was_cut_off_goes_on_or_sends_it_all_again(form: str, content: bytes) -> None:
    """Broken off at every tenth byte, then continued from where the receipt says, or from the beginning."""
    for place, broken_at in enumerate(range(0, len(content), max(len(content) // 12, 1))):
        identity = services.upload_begin(actor=ACTOR, form=form)
        receipt = services.Receiving(upload_id=identity, actor=ACTOR)
        for chunk in cut(content[:broken_at], 64):
            receipt.feed(chunk)
        taken = state_of(identity).taken
        assert taken <= broken_at
        assert state_of(identity).subjects % 10 == 0
        send(content, form, identity=identity, start=taken if place % 2 else 0)
        assert state_of(identity).subjects == 25
        assert open_all() == 1
        assert (state_of(identity).state, state_of(identity).stored) == ("stored", 25)
    assert codes(*ORDER)[0] == [n % 2 for n in range(25)]


def test_another_file_under_the_same_id_is_noticed_and_takes_nothing_away() -> None:
    content = csv_of()
    identity = services.upload_begin(actor=ACTOR, form="csv")
    services.Receiving(upload_id=identity, actor=ACTOR).feed(content[: len(content) - 30])
    assert state_of(identity).subjects == 20
    other = content.replace(b"female", b"male  ", 1)
    for wrong in (other, content[:100]):
        with pytest.raises(Refused) as refused:
            send(wrong, identity=identity)
        assert refused.value.code == "conflict"
    with pytest.raises(Refused, match=r"goes on at byte \d+"):
        send(content, identity=identity, start=17)
    assert (state_of(identity).state, state_of(identity).subjects) == ("receiving", 20)
    send(content, identity=identity)
    assert open_all() == 1


def test_two_who_send_at_once_cannot_both_add() -> None:
    content, identity = csv_of(), services.upload_begin(actor=ACTOR, form="csv")
    one, other = (services.Receiving(upload_id=identity, actor=ACTOR) for _ in range(2))
    one.feed(content[:400])
    with pytest.raises(Refused) as refused:
        other.feed(content)
    assert refused.value.code == "conflict"
    one.feed(content[400:])
    one.end()
    assert open_all() == 1
    assert state_of(identity).stored == 25


HEAD = b"subject_id,sex,region\n"
GOOD = b"".join(b"someone-%d,female,west\n" % n for n in range(20))
SECRET = "Xyzzy"
BAD = {
    "undeclared level": ("csv", HEAD + GOOD + b"ana,Xyzzy,west\n", "Row 22, column sex: has a level"),
    "too many cells": ("csv", HEAD + GOOD + b"ana,female,west,Xyzzy\n", "Row 22: has 4 cells; the heading has 3"),
    "too few cells": ("csv", HEAD + GOOD + b"Xyzzy\n", "Row 22: has 1 cells"),
    "nobody's id": ("csv", HEAD + GOOD + b",female,west\n", "Row 22, column subject_id: must be 1 to 200"),
    "control character": ("csv", HEAD + GOOD + b"Xyzzy\x07,female,\n", "Row 22, column subject_id: must be"),
    "long id": ("csv", HEAD + GOOD + b"Xyzzy" * 50 + b",female,\n", "Row 22, column subject_id: must be"),
    "not UTF-8": ("csv", HEAD + GOOD + b"Xyzzy\xff,female,\n", "Row 22: is not UTF-8"),
    "open quotation": ("csv", HEAD + GOOD + b'"Xyzzy,female,\n', "Row 22: is not CSV"),
    "endless quotation": ("csv", HEAD + GOOD + b'"' + b"Xyzzy\n" * 20_000, "Row 22: is"),
    "endless line": ("csv", HEAD + GOOD + b"Xyzzy" * 20_000, "Row 22"),
    "empty line": ("csv", HEAD + GOOD + b"\nXyzzy,female,\n", "Row 22: stands after an empty line"),
    "no heading": ("csv", b"Xyzzy,female,west\n" + GOOD, "Heading: names no column subject_id"),
    "undeclared column": ("csv", b"subject_id,sex,Xyzzy\n" + GOOD, "Heading: names in column 3 an attribute"),
    "column twice": ("csv", b"subject_id,sex,sex\n" + GOOD, "Heading: names column 3 twice"),
    "old line ends": ("csv", b"subject_id,sex,region\rXyzzy,female,west\r", "Heading: names no column"),
    "heading alone": ("csv", HEAD, "File: names nobody"),
    "nothing": ("csv", b"", "Heading: is missing"),
    "JSON level": ("json", json_of({"a": {}, "b": {"sex": SECRET}}), "Row 2, column sex: has a level"),
    "JSON subject": ("json", b'{"subjects": [{"subject_id": 7, "attributes": {}}]}', "Row 1, column subject_id: must"),
    "JSON attribute": (
        "json",
        b'{"subjects": [{"subject_id": "Xyzzy", "attributes": {"sex": 1}}]}',
        "Row 1, column attributes: must",
    ),
    "JSON member": ("json", b'{"subjects": [{"subject_id": "Xyzzy", "attrs": {}}]}', "Row 1: must have the members"),
    "JSON twice": ("ndjson", b'{"subject_id": "a", "subject_id": "Xyzzy"}', "Row 1: names a member twice"),
    "JSON of another kind": ("json", b'[{"subject_id": "Xyzzy"}]', 'File: is not {"subjects": [...]}'),
    "JSON cut off": ("json", json_of()[:-30], "Row 25: is not a JSON object"),
    "JSON without its end": ("json", json_of()[:-2], "File: ends early"),
    "JSON and more": ("json", json_of() + b"Xyzzy", "File: goes on after the end"),
    "JSON without a comma": ("json", json_of().replace(b"}}, {", b"}} {"), "Row 2: is not separated"),
    "JSON with a comma too many": ("json", json_of().replace(b"}}]", b"}},]"), "File: ends early"),
    "JSON NaN": ("ndjson", b'{"subject_id": "Xyzzy", "attributes": NaN}', "Row 1: holds a number"),
    "JSON half a character": (
        "ndjson",
        b'{"subject_id": "\\ud800Xyzzy", "attributes": {}}',
        "Row 1, column subject_id",
    ),
    "JSON too deep": ("ndjson", b'{"subject_id": ' + b"[" * 50_000, "Row 1: is not a JSON object"),
    "JSON without end": ("ndjson", b'{"subject_id": "' + b"Xyzzy" * 20_000, "Row 1: is not a JSON object"),
    "JSON values": ("ndjson", b'"Xyzzy"', "Row 1: is not a JSON object"),
    "nothing in JSON": ("json", b'{"subjects": []}', "File: names nobody"),
    "JSON not UTF-8": ("ndjson", b'{"subject_id": "Xyzzy\xff"', "Row 1: or one of those after it is not UTF-8"),
}


@pytest.mark.parametrize("size", [64, 100_000])
@pytest.mark.parametrize(("form", "content", "reason"), BAD.values(), ids=BAD.keys())
def test_a_refused_file_names_the_row_and_column_and_leaves_nothing(
    form: str, content: bytes, reason: str, size: int
) -> None:
    identity = services.upload_begin(actor=ACTOR, form=form)
    with pytest.raises(Refused) as refused:
        send(content, form, size=size, identity=identity)
    row = state_of(identity)
    assert (row.state, row.reason) == ("refused", str(refused.value))
    assert row.reason.startswith(reason)
    assert SECRET not in row.reason
    assert left() == 0
    assert open_all() == 0
    with pytest.raises(Refused, match="a new file needs a new upload"):
        send(csv_of(), form, identity=identity)


def test_a_person_who_comes_twice_is_named_by_row_once_the_compute_side_looks() -> None:
    twice = send(csv_of() + b'west,"person 3",female\r\n')
    assert open_all() == 0
    assert state_of(twice).state == "refused"
    assert state_of(twice).reason == "Row 27, column subject_id: names somebody whom row 5 names too."
    assert left() == 0
    assert codes("person 3") == [[2], [3]]


def test_parts_are_sealed_and_their_digests_keyed() -> None:
    send(csv_of())
    with side("compute"):
        parts = list(VaultUploadPart.objects.order_by("place").values_list("sealed", "digest", "ends_at"))
    assert len(parts) == 4
    assert all(len(bytes(digest)) == 32 for _, digest, _ in parts[:-1])
    assert all(before < after for before, after in pairwise(ends for *_, ends in parts[:-1]))
    for sealed, *_ in parts:
        assert not re.search(rb"person|female|west", bytes(sealed))


def test_an_undeclared_attribute_of_another_model_cannot_be_sent_by_who_may_not_change_it() -> None:
    identity = services.upload_begin(actor=ACTOR, form="csv", attributes=["sex"])
    receipt = services.Receiving(upload_id=identity, actor=ACTOR)
    with pytest.raises(Refused, match="yours are sex"):
        receipt.feed(csv_of())
    assert state_of(identity).state == "refused"


def test_nobody_else_goes_on_with_an_upload_or_takes_it_back() -> None:
    identity = services.upload_begin(actor=ACTOR, form="csv")
    for attempt in (
        lambda: services.upload_begin(actor="token:other", form="csv", upload_id=identity),
        lambda: services.Receiving(upload_id=identity, actor="token:other"),
        lambda: services.upload_withdraw(upload_id=identity, actor="token:other"),
        lambda: services.Receiving(upload_id=uuid4(), actor=ACTOR),
    ):
        with pytest.raises(Refused) as refused:
            attempt()
        assert refused.value.code == "not_found"
    assert state_of(identity).state == "receiving"


def test_what_is_taken_back_or_forgotten_leaves_no_part() -> None:
    with clock.frozen(NOW):
        taken_back, forgotten = (services.upload_begin(actor=ACTOR, form="csv") for _ in range(2))
        services.Receiving(upload_id=taken_back, actor=ACTOR).feed(csv_of())
        receipt = services.Receiving(upload_id=forgotten, actor=ACTOR)
        receipt.feed(csv_of()[:500])
        services.upload_withdraw(upload_id=taken_back, actor=ACTOR)
        assert services.uploads_forget() == 0
    with clock.frozen(NOW + timedelta(hours=25)):
        assert services.uploads_forget() == 1
        receipt.feed(csv_of()[500:])
        with pytest.raises(Refused) as refused:
            receipt.end()
    assert refused.value.code == "conflict"
    assert {state_of(each).state for each in (taken_back, forgotten)} == {"withdrawn"}
    assert left() == 0
    assert open_all() == 0


def test_a_file_that_is_too_large_or_names_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "MOST_PEOPLE", 15)
    with pytest.raises(Refused, match="more than 15 people"):
        send(csv_of())
    monkeypatch.setattr(receiving, "MOST_PEOPLE", 100)
    monkeypatch.setattr(receiving, "MOST_BYTES", 300)
    with pytest.raises(Refused) as refused:
        send(csv_of())
    assert refused.value.code == "too_many"
    assert left() == 0


def test_memory_holds_no_more_than_the_open_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long rows close a part by their bytes before there are as many people as a part may have."""
    monkeypatch.setattr(receiving, "PART", 10_000)
    monkeypatch.setattr(receiving, "PART_BYTES", 500)
    identity = services.upload_begin(actor=ACTOR, form="json")
    receipt = services.Receiving(upload_id=identity, actor=ACTOR)
    for chunk in cut(json_of(), 100):
        receipt.feed(chunk)
        assert len(receipt._since) < 700
    assert state_of(identity).subjects > 0


def test_the_web_side_reads_no_sealed_part_of_a_file() -> None:
    send(csv_of())
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_column_privilege('vault_upload_part', 'sealed', 'SELECT')")
        assert cursor.fetchone() == (False,)
