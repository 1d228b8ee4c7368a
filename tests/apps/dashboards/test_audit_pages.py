"""The audit log's pages: who reads what, what they say, what a filter leaves, and files that are checked offline."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from apps.accounts.services import person_create
from apps.audit.models import AuditEntry
from apps.audit.selectors import log_entry
from apps.audit.services import append
from apps.audit.verification import verification_continue
from apps.common import clock
from apps.dashboards.audit.sentences import FAMILIES, Names, sentence
from apps.pipeline import watching
from biasgov.cli import main
from tests.apps.audit.log import rewritten, sealed, written
from tests.apps.audit.test_sealing import at, grown
from tests.cast import PASSWORD, Cast, model, signed_in

pytestmark = pytest.mark.django_db

GET = ("audit", "audit-key", "audit-tree-heads")


@pytest.fixture(autouse=True)
def head_path(tmp_path: Path, settings: Any) -> Path:
    path = tmp_path / "audit" / "tree-heads.jsonl"
    settings.AUDIT_TREE_HEADS = path
    return path


@pytest.fixture
def cast() -> Cast:
    return Cast.assemble()


@pytest.fixture
def auditor(cast: Cast) -> Client:
    return signed_in(cast.auditor)


@pytest.fixture
def scoped(cast: Cast) -> Client:
    """An auditor of `claims-triage` alone, beside whose entries there are those of another model."""
    other = model("hiring")
    append(actor="user:officer", action="silence.set", subject="silence:1", model=cast.owned.slug)
    append(actor="user:officer", action="silence.set", subject="silence:2", model=other.slug)
    append(actor="user:officer", action="person.signed_in", subject="user:officer", detail={"by": ["password"]})
    who = person_create(
        username="narrow", password=PASSWORD, actor="system:tests", roles=["auditor"], scope=[cast.owned]
    )
    return signed_in(who)


def text_of(answer: HttpResponse) -> str:
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split()).replace(" .", ".")


def entries_of(answer: HttpResponse) -> list[int]:
    """The numbers of the entries in a list."""
    assert answer.status_code == 200
    return [int(each) for each in re.findall(r'href="/audit/(\d+)/"', answer.content.decode())]


def test_who_may_not_read_the_log_gets_nowhere(cast: Cast) -> None:
    grown()
    number = AuditEntry.objects.latest("id").pk
    gets = [reverse(name) for name in GET] + [reverse("audit-entry", args=[number])]
    posts = [reverse("audit-export"), reverse("audit-check"), reverse("audit-entry-export", args=[number])]
    for who in (cast.outsider, cast.owner, cast.officer, cast.board, cast.steward, cast.administrator):
        client = signed_in(who)
        assert [client.get(address).status_code for address in gets] == [403] * 4, who
        assert [client.post(address).status_code for address in posts] == [403] * 3, who
    for address in gets:
        assert Client().get(address).url.startswith(reverse("login"))
    for address in posts:
        assert Client().post(address).url.startswith(reverse("login"))
    assert not AuditEntry.objects.filter(action__in=("audit.exported", "audit.verification_requested")).exists()


@pytest.mark.parametrize("reader", ["auditor", "compliance"])
def test_auditors_and_compliance_read_the_whole_log(cast: Cast, reader: str) -> None:
    written()
    client = signed_in(getattr(cast, reader))
    assert "user:ines" not in text_of(client.get(reverse("audit")))
    assert "ines acknowledged finding 7." in text_of(client.get(reverse("audit")))


def test_an_auditor_of_one_model_sees_what_concerns_it(scoped: Client, cast: Cast, tmp_path: Path) -> None:
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        sealed()
    seen = entries_of(scoped.get(reverse("audit")))
    mine = set(AuditEntry.objects.filter(detail__model="claims-triage").values_list("pk", flat=True))
    mine |= set(AuditEntry.objects.filter(subject="model:claims-triage").values_list("pk", flat=True))
    assert set(seen) == mine
    assert entries_of(scoped.get(reverse("audit") + "?model=hiring")) == []
    assert entries_of(scoped.get(reverse("audit") + "?object=silence:2")) == []
    others = AuditEntry.objects.exclude(pk__in=mine)
    for number in (others[0].pk, 10**9, 10**30):
        assert scoped.get(f"/audit/{number}/").status_code == 404
        assert scoped.post(f"/audit/{number}/proof/").status_code == 404
    assert scoped.get(f"/audit/{seen[0]}/").status_code == 200
    assert scoped.post(reverse("audit-export")).status_code == 403
    assert scoped.post(reverse("audit-check")).status_code == 403
    path = saved(scoped.post(reverse("audit-export"), {"what": "filtered", "model": "hiring"}), tmp_path)
    assert path.read_bytes().count(b'"leaf_index"') == 0
    path = saved(scoped.post(reverse("audit-export"), {"what": "filtered"}), tmp_path)
    assert path.read_bytes().count(b'"leaf_index"') == len(mine)
    assert b'"hiring"' not in path.read_bytes()


def saved(answer: Any, folder: Path) -> Path:
    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith('attachment; filename="audit-')
    path = folder / "export.jsonl"
    path.write_bytes(b"".join(answer))
    return path


def found(client: Client, **query: str) -> list[str]:
    """The actions of the entries that a filter leaves, the latest first."""
    numbers = entries_of(client.get(reverse("audit"), query))
    actions = dict(AuditEntry.objects.values_list("pk", "action"))
    return [actions[number] for number in numbers]


def test_the_log_is_narrowed_by_each_filter(auditor: Client) -> None:
    with clock.frozen(datetime(2026, 5, 4, 23, 59, tzinfo=UTC)):
        written(actor="user:ines", action="finding.closed", subject="finding:8", model="claims-triage")
    with clock.frozen(datetime(2026, 5, 5, tzinfo=UTC)):
        written(actor="user:omar", action="silence.set", subject="silence:1", detail={"reason": "A Known Outage"})
    assert found(auditor, who="ines") == found(auditor, who="user:ines") == ["finding.closed"]
    assert found(auditor, kind="silence.") == found(auditor, kind="silence.set") == ["silence.set"]
    assert found(auditor, kind="silence") == found(auditor, kind="finding.opened") == []
    assert found(auditor, object="finding:8") == ["finding.closed"]
    assert "finding.closed" in found(auditor, model="claims-triage")
    assert found(auditor, until="2026-05-04") == ["finding.closed"]
    assert found(auditor, since="2026-05-05", until="2026-05-05") == ["silence.set"]
    assert found(auditor, text="known outage") == found(auditor, text="OMAR") == ["silence.set"]
    assert found(auditor, text="outage", who="ines") == []


def test_what_cannot_be_used_of_a_filter_is_said(auditor: Client) -> None:
    written()
    said = text_of(auditor.get(reverse("audit"), {"since": "yesterday", "text": "xy"}))
    assert "is no date" in said
    assert "from 3 letters on" in said
    for query in ({"until": "9999-12-31"}, {"before": "9" * 40}, {"before": "x"}, {"text": "a\0b%_\\"}, {"kind": "."}):
        assert auditor.get(reverse("audit"), query).status_code == 200


def test_a_filter_that_leaves_nothing_says_what_to_do(auditor: Client) -> None:
    assert "No entry matches. Widen the filter" in text_of(auditor.get(reverse("audit"), {"who": "nobody"}))


def test_pages_follow_each_other_without_gap_or_repetition(auditor: Client) -> None:
    with clock.frozen(at(0)):
        written(70, subject="finding:1")
    with clock.frozen(at(-60)):
        written(50, subject="finding:1")
    seen: list[int] = []
    address: str | None = reverse("audit") + "?object=finding:1"
    while address:
        answer = auditor.get(address)
        seen += entries_of(answer)
        older = re.search(r'href="(\?[^"]*before=\d+)"', answer.content.decode())
        address = reverse("audit") + older[1].replace("&amp;", "&") if older else None
    numbers = AuditEntry.objects.filter(subject="finding:1").order_by("-at", "-id").values_list("pk", flat=True)
    assert seen == list(numbers)


def test_a_list_costs_the_same_however_many_people_and_models_it_names(
    auditor: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(50):
        written(actor=f"user:p{number}", subject=f"model:m{number}")
    with django_assert_max_num_queries(20):
        auditor.get(reverse("audit"))


def test_the_state_of_the_log_stands_on_top(auditor: Client) -> None:
    assert "The log has no signed head yet" in text_of(auditor.get(reverse("audit")))
    grown()
    assert "was not fully checked yet" in text_of(auditor.get(reverse("audit")))
    answer = auditor.post(reverse("audit-check"), follow=True)
    assert "The whole log is being checked." in text_of(answer)
    assert "A check runs: 0 of 0 entries" in text_of(answer)
    while verification_continue(seconds=60):
        pass
    said = text_of(auditor.get(reverse("audit")))
    assert "Nothing in the log was changed since it was signed." in said
    assert "no time stamp authority is set up" in said


def test_a_log_that_was_tampered_with_is_in_doubt_and_says_why(auditor: Client) -> None:
    grown()
    (number,) = AuditEntry.objects.order_by("-id").values_list("pk", flat=True)[:1]
    rewritten("UPDATE audit_entry SET actor = 'user:nobody' WHERE id = %s", number)
    auditor.post(reverse("audit-check"))
    while verification_continue(seconds=60):
        pass
    watching.watch_log()
    said = text_of(auditor.get(reverse("audit")))
    assert "The log cannot be relied on as it stands. in doubt" in said
    assert f"Entry {number:,} is not what leaf" in said
    assert "not what was signed" in text_of(auditor.get(reverse("audit-entry", args=[number])))


def test_an_entry_shows_its_proof_once_it_is_signed(auditor: Client) -> None:
    with clock.frozen(clock.now() - timedelta(hours=1)):
        grown()
        first = AuditEntry.objects.filter(actor="user:ines").earliest("id")
    said = text_of(auditor.get(reverse("audit-entry", args=[first.pk])))
    assert "ines acknowledged finding 7." in said
    assert "proved" in said
    assert bytes(first.leaf_hash).hex() in said
    (late,) = written()
    assert "waits for its place" in text_of(auditor.get(reverse("audit-entry", args=[late])))


Export = Callable[[Client], Any]
EXPORTS: dict[str, Export] = {
    "the whole log": lambda client: client.post(reverse("audit-export")),
    "what is filtered": lambda client: client.post(reverse("audit-export"), {"what": "filtered", "who": "ines"}),
    "one entry": lambda client: client.post(
        reverse("audit-entry-export", args=[AuditEntry.objects.filter(actor="user:ines").earliest("id").pk])
    ),
}


def test_what_an_entry_names_by_its_number_is_a_link_to_it(auditor: Client) -> None:
    written(
        action="run.stored",
        subject="model:claims-triage",
        detail={"runs": [{"run": 253, "window": "24h"}], "incident": "7", "people": 40, "run": "9" * 30},
    )
    page = auditor.get(reverse("audit-entry", args=[AuditEntry.objects.latest("id").pk])).content.decode()
    assert f'<a href="{reverse("run", args=[253])}">253</a>' in page
    assert f'<a href="{reverse("incident", args=[7])}">7</a>' in page
    assert "<td>40</td>" in page
    assert f"<td>{'9' * 30}</td>" in page


@pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS.keys())
def test_what_is_taken_away_is_checked_offline(auditor: Client, export: Export, tmp_path: Path) -> None:
    grown()
    answer = export(auditor)
    taken = AuditEntry.objects.latest("id")
    assert (taken.actor, taken.action) == ("user:auditor", "audit.exported")
    path, key, heads = saved(answer, tmp_path), tmp_path / "key.pem", tmp_path / "heads.jsonl"
    key.write_bytes(auditor.get(reverse("audit-key")).content)
    heads.write_bytes(b"".join(auditor.get(reverse("audit-tree-heads"))))
    assert main(["verify-audit", str(path), "--key", str(key), "--heads", str(heads)]) == 0


def test_an_export_before_the_first_head_is_refused_in_words(auditor: Client) -> None:
    written()
    for export in EXPORTS.values():
        assert "No signed head covers this yet" in text_of(auditor.get(export(auditor).url))
    assert auditor.get(reverse("audit-tree-heads")).status_code == 404


def actions_in_source() -> set[str]:
    """The families of all actions that the product's code writes."""
    families = set()
    for path in Path("apps").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "action":
                for part in ast.walk(node.value):
                    said = part.value if isinstance(part, ast.Constant) else None
                    if isinstance(said, str) and re.match(r"[a-z_]+\.", said):
                        families.add(said.partition(".")[0])
    return families


def test_every_family_of_acts_has_its_words() -> None:
    assert actions_in_source() - FAMILIES.keys() == set()


@pytest.mark.parametrize(
    ("action", "subject", "detail", "said"),
    [
        ("finding.acknowledged", "finding:12", {}, "Ines Ibarra acknowledged finding 12."),
        ("finding.closed", "finding:12", {}, "Finding 12: closed, by Ines Ibarra."),
        ("role.granted", "user:ines", {"role": "auditor"}, "Ines Ibarra gave Ines Ibarra the role Auditor."),
        ("ownership.granted", "model:hiring", {"to": "user:ines"}, "Ines Ibarra made Ines Ibarra an owner of Hiring."),
        ("person.signed_in", "user:ines", {"by": ["password", "code"]}, "Ines Ibarra signed in with password, code."),
        ("person.signed_in", "user:ines", {}, "Ines Ibarra signed in with –."),
        ("something.new_came", "thing:7", {}, "Thing 7: new came, by Ines Ibarra."),
        ("silence.set", "silence:1", {"until": "x", "reason": "{actor.__class__}"}, "{actor.__class__}."),
    ],
)
def test_an_entry_is_told_in_a_sentence(action: str, subject: str, detail: dict[str, Any], said: str) -> None:
    person_create(username="ines", name="Ines Ibarra", actor="system:tests")
    (number,) = written(actor="user:ines", action=action, subject=subject, detail=detail)
    entry = log_entry(number)
    assert entry is not None
    names = Names.of([entry])
    told = sentence(entry, Names(names.people, {"hiring": "Hiring"}))
    assert str(told).endswith(said)
