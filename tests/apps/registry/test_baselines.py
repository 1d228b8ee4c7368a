"""What may be declared to compare with, and what is refused by its place."""

from __future__ import annotations

from typing import Any

import pytest

from apps.common.errors import Refused
from apps.registry.baselines import check_score_bins, check_shares
from apps.registry.declarations import AttributeDeclaration
from apps.registry.selectors import declared_training, family_of, model_spec
from apps.registry.services import model_register, version_register
from apps.registry.spec import AttributeSpec
from tests.apps.inference.models import ACTOR, registered

ATTRIBUTES = (AttributeSpec("sex", ("female", "male"), "male"), AttributeSpec("age", ("young", "old"), "old"))
UNIFORM = [0.05] * 20


def register(slug: str, **changes: Any):
    fields: dict[str, Any] = {
        "actor": ACTOR,
        "slug": slug,
        "name": slug,
        "industry": "employment",
        "purpose": "Chooses whom to invite.",
        "risk_level": "high",
        "attributes": [AttributeDeclaration("sex", ("female", "male"), "male")],
        "favourable_decision": 1,
        "owner": "Recruiting",
    }
    return model_register(**(fields | changes))


def test_shares_are_kept_and_a_level_left_out_is_nobody() -> None:
    assert check_shares({"sex": {"female": 0.4, "male": 0.6}}, ATTRIBUTES, field="f") == {
        "sex": {"female": 0.4, "male": 0.6}
    }
    assert check_shares({"age": {"old": 1}}, ATTRIBUTES, field="f") == {"age": {"young": 0.0, "old": 1.0}}
    crossed = check_shares({"sex*age": {"female*old": 0.5, "male*young": 0.5}}, ATTRIBUTES, field="f")
    assert crossed["sex*age"]["male*old"] == 0.0


@pytest.mark.parametrize(
    ("declared", "place"),
    [
        ([], "f"),
        ({"race": {"a": 1}}, "f.race"),
        ({"age*sex": {"old*female": 1}}, "f.age*sex"),
        ({"sex": [0.4, 0.6]}, "f.sex"),
        ({"sex": {"femal": 0.4, "male": 0.6}}, "f.sex"),
        ({"sex": {"female": 40, "male": 60}}, "f.sex"),
        ({"sex": {"female": -0.1, "male": 1}}, "f.sex"),
        ({"sex": {"female": float("nan"), "male": 1}}, "f.sex"),
        ({"sex": {"female": True, "male": 0}}, "f.sex"),
        ({"sex": {"female": 0.4, "male": 0.5}}, "f.sex"),
        ({"sex": {}}, "f.sex"),
    ],
)
def test_shares_that_are_none_are_refused_by_place(declared: Any, place: str) -> None:
    with pytest.raises(Refused) as refused:
        check_shares(declared, ATTRIBUTES, field="f")
    assert refused.value.field == place


def test_scores_are_declared_for_everybody_or_by_group() -> None:
    assert check_score_bins(UNIFORM, ATTRIBUTES, field="f") == {"*": {"*": UNIFORM}}
    declared = {"*": UNIFORM, "sex": {"female": UNIFORM}}
    assert check_score_bins(declared, ATTRIBUTES, field="f") == {"*": {"*": UNIFORM}, "sex": {"female": UNIFORM}}


@pytest.mark.parametrize(
    ("declared", "place"),
    [
        (UNIFORM[1:], "f.*"),
        ({"sex": UNIFORM}, "f.sex"),
        ({"sex": {"other": UNIFORM}}, "f.sex"),
        ({"sex": {"male": [1.0] * 20}}, "f.sex.male"),
        ({"sex*age": {"female*old": UNIFORM}}, "f.sex*age"),
    ],
)
def test_scores_that_are_none_are_refused_by_place(declared: Any, place: str) -> None:
    with pytest.raises(Refused) as refused:
        check_score_bins(declared, ATTRIBUTES, field="f")
    assert refused.value.field == place


def test_a_version_says_what_to_compare_with_and_keeps_the_rest(db: None) -> None:
    spec = registered("hiring")
    declared = {"representation": {"sex": {"female": 0.4, "male": 0.6}}, "rows": 7}
    version_register(actor=ACTOR, model_id=spec.id, version="2.0", environment={}, training_data=declared)
    assert declared_training(spec.id) == {"2.0": {"representation": declared["representation"]}}
    with pytest.raises(Refused) as refused:
        version_register(
            actor=ACTOR, model_id=spec.id, version="3", environment={}, training_data={"representation": {"x": {}}}
        )
    assert refused.value.field == "training_data.representation.x"


def test_a_model_declares_features_and_the_people_it_serves(db: None) -> None:
    register("hiring", features=["income", "tenure"], population={"sex": {"female": 0.5, "male": 0.5}})
    spec = model_spec("hiring")
    assert spec.features == ("income", "tenure")
    assert spec.population == {"sex": {"female": 0.5, "male": 0.5}}


@pytest.mark.parametrize("features", [["Sex"], ["a", "a"], [""], [f"f{n}" for n in range(65)]])
def test_features_that_are_none_are_refused(db: None, features: list[str]) -> None:
    with pytest.raises(Refused, match=r"feature|characters"):
        register("hiring", features=features)


def test_a_family_is_the_other_models_of_its_name(db: None) -> None:
    one, two, _ = (register(slug, family=name) for slug, name in (("a", "claims"), ("b", "claims"), ("c", "")))
    assert family_of(one) == (two,)
    assert family_of(model_spec("c")) == ()
