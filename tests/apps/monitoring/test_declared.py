"""Runs against what was declared: training data, the people served, features, and a family of models."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy
from sklearn.neighbors import NearestNeighbors

from apps.common import clock
from apps.inference.selectors import features_sample
from apps.inference.services import events_ingest
from apps.inference.shapes import Event
from apps.monitoring import selectors
from apps.monitoring import services as monitoring
from apps.monitoring.baselines import Declared, baselines_of
from apps.monitoring.families import FAMILY_WINDOW
from apps.registry.services import version_register
from apps.registry.spec import ModelSpec
from biasgov.fairness.evaluation import Bound, Policy
from tests.apps.pipeline import world
from tests.apps.pipeline.world import ACTOR, LEVELS, NOW
from tests.sides import side

pytestmark = pytest.mark.django_db
FEATURES = ("income", "tenure")
DRIFT = {"representation_psi": Bound(None, 0.2), "score_psi": Bound(None, 0.2)}
SEXES = {"female": 0.1, "male": 0.9}
UNIFORM = [0.05] * 20


def document(spec: ModelSpec, window: str = "30d") -> dict[str, Any]:
    found = selectors.run_document(selectors.latest_runs(spec.id)[window].id)
    assert found is not None
    return found


def result(found: dict, metric: str, attribute: str, group: str | None = None) -> dict[str, Any]:
    (one,) = (
        each
        for each in found["results"]
        if (each["metric"], each["attribute"], each["group"]) == (metric, attribute, group)
    )
    return one


def recomputed(spec: ModelSpec) -> set[str]:
    with side("compute"):
        return {monitoring.run_recompute(run_id=row.id).outcome for row in selectors.latest_runs(spec.id).values()}


def count(spec: ModelSpec, frame: pd.DataFrame, **how: Any) -> None:
    world.send_events(spec, frame, **how)
    world.send_attributes(frame)
    world.compute()


def index(expected: np.ndarray, found: np.ndarray) -> float:
    return float(entropy(found, expected) + entropy(expected, found))


def test_a_run_compares_who_came_with_training_data_and_with_the_people_served() -> None:
    frame = world.people(600, hours=20, unknown=0.1)
    training = {"representation": {"sex": SEXES}, "score_bins": {"sex": {"female": UNIFORM}, "*": UNIFORM}, "rows": 9}
    with clock.frozen(NOW):
        spec = world.company(
            policy=Policy(bounds=DRIFT),
            training_data=training,
            population={"region": {"north": 0.4, "south": 0.3, "west": 0.3}},
        )
        count(spec, frame)
        found = document(spec)
        assert recomputed(spec) == {"same"}
    known = frame[frame["known"]]
    sex = result(found, "representation_psi", "sex")
    assert sex["value"] == pytest.approx(
        index(np.array([0.1, 0.9]), known["sex"].value_counts(normalize=True)[["female", "male"]].to_numpy())
    )
    assert (sex["verdict"], sex["judged"], sex["n"]) == ("breach", True, len(known))
    assert sex["details"]["baseline"] == "training_data"
    region = result(found, "representation_psi", "region")
    assert region["details"]["baseline"] == "population"
    assert region["value"] == pytest.approx(
        index(
            np.array([0.4, 0.3, 0.3]), known["region"].value_counts(normalize=True)[list(LEVELS["region"])].to_numpy()
        )
    )
    women = known[known["sex"] == "female"]
    bins = np.histogram(women["score"], bins=20, range=(0, 1))[0]
    assert result(found, "score_psi", "sex", "female")["value"] == pytest.approx(index(np.full(20, 0.05), bins))
    assert result(found, "score_psi", "")["n"] == len(frame)
    assert result(found, "score_psi", "sex", "male")["reason"] == "no_baseline"


def test_what_has_a_bound_and_no_baseline_is_not_estimable_and_says_why() -> None:
    with clock.frozen(NOW):
        spec = world.company(policy=Policy(bounds={**DRIFT, "individual_fairness_distance": Bound(None, 0.1)}))
        count(spec, world.people(60))
        other = world.company("lending", policy=Policy())
        count(other, world.people(60, seed=2))
        found = document(spec)
    for metric, attribute, why in (
        ("representation_psi", "sex", "no_baseline"),
        ("representation_psi", "region", "no_baseline"),
        ("score_psi", "", "no_baseline"),
        ("individual_fairness_distance", "", "no_features"),
    ):
        one = result(found, metric, attribute)
        assert (one["verdict"], one["reason"], one["judged"]) == ("not_estimable", why, True)
    said = {each["metric"] for each in document(other)["results"]}
    assert said.isdisjoint({"representation_psi", "score_psi", "individual_fairness_distance"})


def test_training_data_of_several_versions_are_mixed_as_their_events() -> None:
    declared = Declared(
        {
            "1": {"representation": {"sex": {"f": 0.2, "m": 0.8}}, "score_bins": {"*": {"*": [1.0] + [0.0] * 19}}},
            "2": {"representation": {"sex": {"f": 0.6, "m": 0.4}}},
            "3": {"representation": {"sex": {"f": 1.0, "m": 0.0}}},
        },
        {},
        (),
        "",
    )
    (training,) = baselines_of(declared, {"1": 300, "2": 100, "undeclared": 50})
    assert training.representation["sex"] == pytest.approx({"f": 0.3, "m": 0.7})
    assert training.score_bins == {"": {"": [1.0] + [0.0] * 19}}
    assert baselines_of(declared, {"undeclared": 50}) == ()


def test_a_version_registered_later_changes_no_run() -> None:
    with clock.frozen(NOW):
        spec = world.company(training_data={"representation": {"sex": SEXES}})
        count(spec, world.people(80))
        before = selectors.latest_runs(spec.id)
        version_register(
            actor=ACTOR,
            model_id=spec.id,
            version="9",
            environment={},
            training_data={"representation": {"sex": {"male": 1.0}}},
        )
        monitoring.evaluations_mark_due(model_id=spec.id, moments=[before["24h"].as_of], at_once=True)
        world.compute()
        assert selectors.latest_runs(spec.id) == before


def featured(n: int, **how: Any) -> pd.DataFrame:
    frame = world.people(n, **how)
    rng = np.random.default_rng(11)
    frame["income"], frame["tenure"] = rng.normal(40, 9, n).round(2), rng.integers(0, 20, n)
    return frame


def key(event: str) -> bytes:
    return sha256(event.encode()).digest()[:16]


def test_individual_fairness_is_measured_on_the_smallest_event_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.monitoring.samples.SIZE", 150)
    frame = featured(400, hours=20)
    with clock.frozen(NOW):
        spec = world.company(
            policy=Policy(bounds={"individual_fairness_distance": Bound(None, 0.1)}), features=list(FEATURES)
        )
        count(spec, frame, features=FEATURES)
        found = document(spec)
        assert recomputed(spec) == {"same"}
        newest = selectors.latest_runs(spec.id)["24h"].document_digest
        late = featured(40, hours=3, seed=5)
        world.send_events(spec, late, features=FEATURES)
        assert recomputed(spec) == {"inputs_changed"}
        world.compute()
        assert selectors.latest_runs(spec.id)["24h"].document_digest != newest
    chosen = frame.assign(key=frame["event"].map(key)).sort_values("key").head(150)
    values = chosen[list(FEATURES)].to_numpy(float)
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    nearest = NearestNeighbors(n_neighbors=5).fit(scaled).kneighbors(return_distance=False)
    decided = chosen["decision"].to_numpy(float)
    one = result(found, "individual_fairness_distance", "")
    assert one["value"] == pytest.approx(np.abs(decided - decided[nearest].mean(axis=1)).mean())
    assert (one["n"], one["verdict"]) == (150, "breach")
    content = b"".join(chosen["key"]) + chosen["decision"].to_numpy(np.uint8).tobytes() + values.astype("<f8").tobytes()
    assert one["details"]["digest"] == sha256(content).hexdigest()
    assert found["sample"] == {
        "features": list(FEATURES),
        "rule": "smallest_event_keys",
        "size": 150,
        "n": 150,
        "digest": one["details"]["digest"],
    }


def test_a_sample_holds_events_of_the_window_with_every_feature_as_a_number() -> None:
    good = [{"income": 1.5, "tenure": 3, "note": "x"}, {"income": -2, "tenure": True}]
    bad: list[dict[str, Any]] = [
        {"income": 1},
        {"income": 1, "tenure": "3"},
        {"income": None, "tenure": 3},
        {"income": [1], "tenure": 3},
        {"income": 1, "tenure": 1e200},
    ]
    hour = clock.hour_floor(NOW)
    with clock.frozen(NOW):
        spec = world.company(features=list(FEATURES))
        # Many that do not qualify, so that more than one page of keys is looked through.
        events = [(each, hour) for each in good + bad * 30] + [(good[0], hour - timedelta(hours=1))]
        events_ingest(
            spec=spec,
            events=[
                Event(event_id=f"e{n}", subject_id="s", occurred_at=at, version="1.0", decision=n % 2, features=given)
                for n, (given, at) in enumerate(events)
            ],
            actor=ACTOR,
        )
        with side("compute"):
            how: dict[str, Any] = {"model_id": spec.id, "start": hour, "end": NOW, "names": FEATURES}
            found = features_sample(**how, size=3)
            first = features_sample(**how, size=1)
            none = features_sample(**(how | {"start": NOW}), size=3)
    expected = sorted((key(f"e{n}"), n % 2, row) for n, row in enumerate([[1.5, 3.0], [-2.0, 1.0]]))
    assert [each.tobytes() for each in found.key] == [each for each, _, _ in expected]
    assert found.decision.tolist() == [decision for _, decision, _ in expected]
    assert found.features.tolist() == [row for _, _, row in expected]
    assert first.features.tolist() == [expected[0][2]]
    assert (len(none), none.features.shape) == (0, (0, 2))


PARITY = Policy(bounds={"demographic_parity_ratio": Bound(0.8, 1.25)}, minimum_group=160)


def test_the_family_decides_where_no_window_can() -> None:
    frames = {
        slug: world.people(240, seed=seed, hours=50) for seed, slug in enumerate(("hiring", "trainees", "other"), 3)
    }
    for frame in frames.values():
        frame.loc[(frame["sex"] == "female") & (np.arange(len(frame)) % 3 == 0), "decision"] = 0
    with clock.frozen(NOW):
        specs = {
            slug: world.company(slug, policy=PARITY, family="recruiting" if slug != "other" else "else")
            for slug in frames
        }
        for slug, frame in frames.items():
            world.send_events(specs[slug], frame)
            world.send_attributes(frame)
        world.compute()
        live = selectors.latest_runs(specs["hiring"].id)["24h"].as_of
        for spec in specs.values():
            monitoring.evaluations_mark_due(model_id=spec.id, moments=[live], at_once=True)
        world.compute()
        found, day = document(specs["hiring"]), document(specs["hiring"], "24h")
        alone = document(specs["other"])
        assert recomputed(specs["hiring"]) == {"same"}
        count(specs["trainees"], world.people(30, seed=9, hours=3))
        assert recomputed(specs["hiring"]) == {"inputs_changed"}
        assert recomputed(specs["other"]) == {"same"}

    one = result(found, "demographic_parity_ratio", "sex", "female")
    assert (one["verdict"], one["decided_by_window"], one["decided_verdict"]) == (
        "inconclusive",
        FAMILY_WINDOW,
        "breach",
    )
    assert result(day, "demographic_parity_ratio", "sex", "female")["decided_by_window"] == FAMILY_WINDOW
    assert result(alone, "demographic_parity_ratio", "sex", "female")["decided_by_window"] is None
    assert "family" not in alone
    family = found["family"]
    assert (family["name"], [member["model"] for member in family["members"]]) == ("recruiting", ["trainees"])
    theirs = selectors.latest_runs(specs["trainees"].id)["30d"]
    (told,) = (each for each in family["results"] if (each["attribute"], each["group"]) == ("sex", "female"))
    both = pd.concat([frames["hiring"], frames["trainees"]])
    rates = both.groupby("sex")["decision"].mean()
    assert told["value"] == pytest.approx(rates["female"] / rates["male"])
    assert "n" not in told
    assert theirs.n == 270


def test_nobody_on_the_web_side_loads_the_neighbours_library() -> None:
    code = (
        "import os, sys; os.environ.setdefault('BIASGOV_SIDE', 'test'); import django; django.setup();"
        "import biasgov.urls, apps.pipeline.tasks, apps.monitoring.services, apps.monitoring.selectors;"
        "sys.exit('sklearn' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "biasgov.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
