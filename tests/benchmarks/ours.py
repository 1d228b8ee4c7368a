"""biasgov on the rows of a NumPy file, in a process of its own as each peer is; prints JSON."""

from __future__ import annotations

import json
import sys

import numpy as np

from biasgov.fairness.cube import CubeSchema, OutcomeCube
from biasgov.fairness.evaluation import Result, evaluate
from biasgov.fairness.policy import DEFAULT_POLICY, Plan
from tests.benchmarks import people
from tests.benchmarks.record import peak_rss_mb, seconds

SCHEMA = CubeSchema.of(people.LEVELS)
PLAN = Plan(people.REFERENCES, tuple(grouping for grouping in people.GROUPINGS if len(grouping) == 2))


def main(path: str) -> None:
    with np.load(path, allow_pickle=False) as stored:
        rows = people.Rows(
            {name: stored[name] for name in people.LEVELS}, stored["decision"], stored["outcome"], stored["score"]
        )

    def count() -> OutcomeCube:
        return OutcomeCube.count(SCHEMA, list(rows.codes.values()), rows.decision, rows.outcome, rows.score)

    def whole() -> tuple[Result, ...]:
        return evaluate(count(), PLAN, DEFAULT_POLICY, seed=1)

    taken, peak = seconds(whole, repeats=5), peak_rss_mb()
    rates = {result.group: result.value for result in whole() if (result.metric, result.attribute) == RATES}
    first, second = people.LEVELS["race"][:2]
    print(  # noqa: T201
        json.dumps(
            {
                "seconds": taken,
                "rss_mb": peak,
                "counting": seconds(count, repeats=5),
                "one_pass": seconds(lambda: people.one_pass(rows), repeats=5),
                "gap": rates[second] - rates[first],
            }
        )
    )


RATES = ("selection_rate", "race")

if __name__ == "__main__":
    main(sys.argv[1])
