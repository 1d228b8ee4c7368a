"""Run by the peers' own Python, without biasgov: one library on the rows of a NumPy file; prints JSON.

Printed are the seconds of the library's own work, the process's peak memory, what was computed, and one figure that
all libraries must agree on: the difference of the selection rates of the first two levels of ``race``.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

Levels = dict[str, list[str]]
Groupings = list[list[str]]
# seconds of work, what was computed, and the figure to agree on
Outcome = tuple[float, str, float]


def fairlearn(rows: dict[str, Any], levels: Levels, groupings: Groupings) -> Outcome:
    frame, start = _named(rows, levels), time.perf_counter()
    for grouping in groupings:
        found = _metric_frame(frame, grouping)
        if grouping == ["race"]:
            rates = found.by_group["selection_rate"]
    taken = time.perf_counter() - start
    return taken, "MetricFrame: 6 rates of every group, no intervals", _gap(rates, levels)


def fairlearn_bootstrap(rows: dict[str, Any], levels: Levels, groupings: Groupings) -> Outcome:
    frame, start = _named(rows, levels), time.perf_counter()
    found = _metric_frame(frame, ["race"], n_boot=100, ci_quantiles=[0.025, 0.5, 0.975], random_state=1)
    assert len(found.by_group_ci) == 3
    return (
        time.perf_counter() - start,
        "MetricFrame: 6 rates of one grouping, 100 bootstraps",
        _gap(found.by_group["selection_rate"], levels),
    )


def aequitas(rows: dict[str, Any], levels: Levels, groupings: Groupings) -> Outcome:
    from aequitas.group import Group

    frame = _named(rows, levels).rename(columns={"decision": "score", "outcome": "label_value"})
    start = time.perf_counter()
    crosses = []
    for grouping in groupings:
        name = "*".join(grouping)
        if len(grouping) > 1:
            frame[name] = frame[grouping[0]].str.cat([frame[part] for part in grouping[1:]], sep="*")
        crosses.append(name)
    counted, _ = Group().get_crosstabs(frame, attr_cols=crosses)
    taken = time.perf_counter() - start
    rates = counted[counted["attribute_name"] == "race"].set_index("attribute_value")["pprev"]
    return taken, "Group().get_crosstabs: counts and rates of every group, no intervals", _gap(rates, levels)


def aif360(rows: dict[str, Any], levels: Levels, groupings: Groupings) -> Outcome:
    from aif360.datasets import BinaryLabelDataset
    from aif360.metrics import ClassificationMetric

    frame = pd.DataFrame({name: rows[name] for name in (*levels, "outcome")})
    start = time.perf_counter()
    truth = BinaryLabelDataset(df=frame, label_names=["outcome"], protected_attribute_names=list(levels))
    predicted = truth.copy()
    predicted.labels = rows["decision"].reshape(-1, 1).astype(float)
    gap, compared = 0.0, 0
    for grouping, group, reference in _comparisons(levels, groupings):
        metric = ClassificationMetric(
            truth,
            predicted,
            unprivileged_groups=[dict(zip(grouping, group, strict=True))],
            privileged_groups=[dict(zip(grouping, reference, strict=True))],
        )
        difference = metric.statistical_parity_difference()
        metric.disparate_impact(), metric.equal_opportunity_difference(), metric.false_positive_rate_difference()
        gap, compared = (difference if (grouping, group) == (["race"], (1,)) else gap), compared + 1
    return time.perf_counter() - start, f"ClassificationMetric: 4 gaps of {compared} pairs of groups, no intervals", gap


def holisticai(rows: dict[str, Any], levels: Levels, groupings: Groupings) -> Outcome:
    import holisticai.bias.metrics as bias

    decision, outcome = rows["decision"].astype(int), rows["outcome"].astype(int)
    start = time.perf_counter()
    gap, compared = 0.0, 0
    for grouping, group, reference in _comparisons(levels, groupings):
        here, there = _members(rows, grouping, group), _members(rows, grouping, reference)
        difference = bias.statistical_parity(here, there, decision)
        bias.disparate_impact(here, there, decision)
        bias.equal_opportunity_diff(here, there, decision, outcome)
        bias.false_positive_rate_diff(here, there, decision, outcome)
        gap, compared = (difference if (grouping, group) == (["race"], (1,)) else gap), compared + 1
    return time.perf_counter() - start, f"bias.metrics: 4 gaps of {compared} pairs of groups, no intervals", gap


def trustyai(rows: dict[str, Any], levels: Levels, groupings: Groupings) -> Outcome:
    from trustyai.metrics.fairness.group import disparate_impact_ratio, statistical_parity_difference
    from trustyai.model import output

    frame = pd.DataFrame({name: rows[name].astype(int) for name in (*levels, "decision")})
    favourable, outputs = [output("decision", dtype="number", value=1)], [len(levels)]
    start = time.perf_counter()
    gap, compared = 0.0, 0
    for grouping, group, reference in _comparisons(levels, [[name] for name in levels]):
        here, there = frame[_members(rows, grouping, group)], frame[_members(rows, grouping, reference)]
        asked = {"privileged": there, "unprivileged": here, "favorable": favourable, "outputs": outputs}
        difference = statistical_parity_difference(**asked)
        disparate_impact_ratio(**asked)
        gap, compared = (difference if (grouping, group) == (["race"], (1,)) else gap), compared + 1
    return time.perf_counter() - start, f"2 gaps of {compared} pairs of single attributes, no intervals", float(gap)


PEERS: dict[str, Callable[[dict[str, Any], Levels, Groupings], Outcome]] = {
    each.__name__: each for each in (fairlearn, fairlearn_bootstrap, aequitas, aif360, holisticai, trustyai)
}


def _metric_frame(frame: pd.DataFrame, grouping: list[str], **options: Any) -> Any:
    from fairlearn.metrics import (
        MetricFrame,
        false_negative_rate,
        false_positive_rate,
        selection_rate,
        true_positive_rate,
    )
    from sklearn.metrics import accuracy_score, precision_score

    return MetricFrame(
        metrics={
            "selection_rate": selection_rate,
            "tpr": true_positive_rate,
            "fpr": false_positive_rate,
            "fnr": false_negative_rate,
            "accuracy": accuracy_score,
            "ppv": precision_score,
        },
        y_true=frame["outcome"],
        y_pred=frame["decision"],
        sensitive_features=frame[grouping],
        **options,
    )


def _named(rows: dict[str, Any], levels: Levels) -> pd.DataFrame:
    """The rows with level names instead of codes, as these libraries want them."""
    columns = {name: np.asarray(named, dtype=object)[rows[name]] for name, named in levels.items()}
    return pd.DataFrame(columns | {"decision": rows["decision"], "outcome": rows["outcome"]})


def _comparisons(levels: Levels, groupings: Groupings) -> Iterator[tuple[list[str], tuple[int, ...], tuple[int, ...]]]:
    """Every group of every grouping beside the grouping's first group, as codes."""
    for grouping in groupings:
        reference, *others = np.ndindex(*(len(levels[name]) for name in grouping))
        for group in others:
            yield grouping, group, reference


def _members(rows: dict[str, Any], grouping: list[str], group: tuple[int, ...]) -> Any:
    return np.logical_and.reduce([rows[name] == code for name, code in zip(grouping, group, strict=True)])


def _gap(rates: Any, levels: Levels) -> float:
    first, second = levels["race"][:2]
    return float(rates[second] - rates[first])


def main(peer: str, path: str, levels: Levels, groupings: Groupings) -> None:
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    with np.load(path, allow_pickle=False) as stored:
        rows = {name: stored[name] for name in stored.files}
    taken, what, gap = PEERS[peer](rows, levels, groupings)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": taken, "rss_mb": peak, "what": what, "gap": gap}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4]))
