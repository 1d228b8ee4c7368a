"""Assessments before release: what is read, and every hostile file that is not."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, transaction
from django.http import Http404

from apps.audit.selectors import entries
from apps.common.errors import Refused
from apps.thresholds.documents import LARGEST, read_document
from apps.thresholds.models import Assessment
from apps.thresholds.selectors import assessment, assessments_of, newest_version
from apps.thresholds.services import assessment_import
from biasgov.fairness.policy import Bound
from tests.apps.thresholds.world import published
from tests.cast import Cast, model
from tests.sides import side

GOOD = """\
# the pilot
format: biasgov-assessment/1
model: claims-triage
reference: RA-2026-031
title: Claims triage before release 2
assessed_on: 2026-02-20
assessor: Model risk
data: {description: the pilot, events: 48200, from: 2025-11-01, until: 2026-01-31}
baselines:
  equalized_odds_difference:
    - {attribute: sex, value: 0.021, interval: [0.004, 0.041], n: 48200}
  demographic_parity_ratio:
    - {attribute: sex, group: female, reference: male, value: 0.96, interval: [0.92, 1.0]}
    - attribute: region*sex
      group: APAC*female
      value: 1.02
bounds:
  equalized_odds_difference: {upper: 0.05}
notes: |
  No: of the forms of one hospital.
"""


def import_(cast: Cast, body: str | bytes = GOOD, by: str = "owner") -> Any:
    sent = body.encode() if isinstance(body, str) else body
    return assessment_import(model_id=cast.owned.id, body=sent, person=getattr(cast, by))


def test_an_assessment_is_kept_as_it_came_and_as_it_was_understood(cast: Cast) -> None:
    row = import_(cast)
    found = assessment(row.id)
    assert found == row
    assert found.source == GOOD
    assert found.digest == hashlib.sha256(GOOD.encode()).hexdigest()
    assert [(each.metric, each.attribute, each.group, each.value, each.n) for each in found.assessed.baselines] == [
        ("equalized_odds_difference", "sex", None, 0.021, 48200),
        ("demographic_parity_ratio", "sex", "female", 0.96, None),
        ("demographic_parity_ratio", "region*sex", "APAC*female", 1.02, None),
    ]
    assert found.assessed.bounds == {"equalized_odds_difference": Bound(None, 0.05)}
    assert found.assessed.data["from"] == "2025-11-01"
    entry = entries(action="assessment.imported").get()
    assert (entry.actor, entry.detail["reference"]) == ("user:owner", "RA-2026-031")


def test_json_and_yaml_say_the_same(cast: Cast) -> None:
    as_json = json.dumps(read_document(GOOD.encode()) | {"reference": "RA-2026-032"})
    first, second = import_(cast), import_(cast, as_json)
    assert second.assessed.baselines == first.assessed.baselines
    assert [each.assessed.reference for each in assessments_of(cast.owned.id)] == ["RA-2026-032", "RA-2026-031"]


def test_a_version_names_the_assessment_that_was_imported(cast: Cast) -> None:
    row = import_(cast)
    published(cast.owned, cast.owner, [cast.compliance])
    assert newest_version(cast.owned.id).assessment_id == row.id


def test_a_reference_is_given_once(cast: Cast) -> None:
    import_(cast)
    with pytest.raises(Refused) as refused:
        import_(cast, GOOD.replace("0.021", "0.022"))
    assert refused.value.code == "exists"
    assert Assessment.objects.count() == 1


@pytest.mark.parametrize("part", ["compliance", "board", "auditor", "steward", "administrator", "outsider"])
def test_who_may_not_propose_imports_nothing(cast: Cast, part: str) -> None:
    with pytest.raises((PermissionDenied, Http404)):
        import_(cast, by=part)


def test_an_owner_imports_nothing_for_another_model(cast: Cast) -> None:
    other = model("other")
    with pytest.raises(Http404):
        assessment_import(model_id=other.id, body=GOOD.replace("claims-triage", "other").encode(), person=cast.owner)


@pytest.mark.parametrize("change", ["UPDATE {} SET title = 'x'", "DELETE FROM {}"])
def test_an_imported_assessment_is_not_changed(cast: Cast, change: str) -> None:
    import_(cast)
    for role in ("web", "owner"):
        with side(role), connection.cursor() as cursor, pytest.raises(DatabaseError), transaction.atomic():
            cursor.execute(change.format("thresholds_assessment"))


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("biasgov-assessment/1", "biasgov-assessment/2", "format"),
        ("model: claims-triage", "model: other", "model"),
        ("reference: RA-2026-031", "reference: ' '", "reference"),
        ("reference: RA-2026-031", "reference: 31", "reference"),
        ("reference: RA-2026-031\n", "", "reference"),
        ("assessed_on: 2026-02-20", "assessed_on: 20 February", "assessed_on"),
        ("assessed_on: 2026-02-20", "assessed_on: 2999-01-01", "assessed_on"),
        ("title: Claims triage before release 2", 'title: "\\0 x"', "title"),
        ("notes: |", "secrets: |", "file"),
        ("equalized_odds_difference:\n    -", "fairness:\n    -", "baselines"),
        ("{attribute: sex, value", "{attribute: age, value", "baselines.equalized_odds_difference[0].attribute"),
        ("group: female", "group: other", "baselines.demographic_parity_ratio[0].group"),
        ("group: APAC*female", "group: female*APAC", "baselines.demographic_parity_ratio[1].group"),
        ("value: 0.96", "value: .nan", "baselines.demographic_parity_ratio[0].value"),
        ("value: 0.96", "value: .inf", "baselines.demographic_parity_ratio[0].value"),
        ("value: 0.96", "value: true", "baselines.demographic_parity_ratio[0].value"),
        ("value: 0.96", "value: 1e12345", "baselines.demographic_parity_ratio[0].value"),
        ("value: 0.96", "value: 1e999", "file"),
        ("interval: [0.92, 1.0]", "interval: [0.97, 1.0]", "baselines.demographic_parity_ratio[0].interval"),
        ("interval: [0.92, 1.0]", "interval: [0.92]", "baselines.demographic_parity_ratio[0].interval"),
        ("n: 48200}", "n: -1}", "baselines.equalized_odds_difference[0].n"),
        ("n: 48200}", "n: 1.5}", "baselines.equalized_odds_difference[0].n"),
        ("{upper: 0.05}", "{upper: 0.05, lower: 0.06}", "bounds.equalized_odds_difference"),
        ("{upper: 0.05}", "{uper: 0.05}", "bounds.equalized_odds_difference"),
        ("value: 1.02", "value: 1.02\n    - {attribute: sex, group: female, value: 1}", "baselines"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(cast: Cast, old: str, new: str, field: str) -> None:
    assert old in GOOD
    with pytest.raises(Refused) as refused:
        import_(cast, GOOD.replace(old, new, 1))
    assert refused.value.field == field
    assert not Assessment.objects.exists()


BOMB = "a: &a [x, x, x]\n" + "\n".join(f"b{n}: &b{n} [*{'a' if not n else f'b{n - 1}'}, x]" for n in range(40))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "syntax"),
        (b"   \n", "syntax"),
        (b"[1, 2]", "not_an_object"),
        (b"- 1", "not_an_object"),
        (b"just text", "not_an_object"),
        (b"{", "syntax"),
        (b"a: b: c", "syntax"),
        (b"\xff\xfe", "encoding"),
        (b"a: \x00", "syntax"),
        (b'{"a": "\x00"}', "syntax"),
        (b"a: 1\n---\nb: 2", "syntax"),
        (BOMB.encode(), "alias"),
        (b"a: &x 1", "alias"),
        (b"a: *x", "alias"),
        (b"<<: {a: 1}\n? [1, 2]\n: x", "syntax"),
        (b"a: !!python/object/apply:os.system ['true']", "tag"),
        (b"a: !!str 1", "tag"),
        (b"a: !local 1", "tag"),
        (b"%YAML 1.1\n---\na: 1", "tag"),
        (b"%TAG ! tag:example.org,2000:\n---\na: 1", "tag"),
        (b"a: 1\na: 2", "duplicate_key"),
        (b"1: a\n'1': b", "duplicate_key"),
        (b'{"a": 1, "a": 2}', "duplicate_key"),
        (b'{"a": {"b": 1, "b": 1}}', "duplicate_key"),
        (b'{"a": NaN}', "not_finite"),
        (b'{"a": -Infinity}', "not_finite"),
        (b'{"a": 1e400}', "not_finite"),
        (b"a: 1e400", "not_finite"),
        (b'{"a": ' + b"9" * 5000 + b"}", "syntax"),
        (b"[" * 100_000, "too_deep"),
        (b"a: " + b"[" * 50 + b"]" * 50, "too_deep"),
        (b'{"a": ' + b"[" * 50 + b"]" * 50 + b"}", "too_deep"),
        (b"- a\n" * 30_000, "too_large"),
        (b'{"a": [' + b"1," * 30_000 + b"1]}", "too_large"),
        (b"a: " + b"x" * LARGEST, "too_large"),
    ],
)
def test_a_hostile_or_broken_file_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(Refused) as refused:
        read_document(body)
    assert (refused.value.field, refused.value.code) == ("file", code)


def test_words_are_words_and_not_what_old_yaml_made_of_them() -> None:
    said = read_document(
        b"a: no\nb: 2026-02-20\nc: 012\nd: 0x10\ne: 1_000\nf: 12:30\ng: ~\nh: TRUE\ni: '1'\nj: 1e3\nk: -.5"
    )
    assert said == {
        "a": "no", "b": "2026-02-20", "c": 12, "d": "0x10", "e": "1_000", "f": "12:30", "g": None, "h": True,
        "i": "1", "j": 1000.0, "k": -0.5,
    }  # fmt: skip
