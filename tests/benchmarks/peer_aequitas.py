"""Run by the peers' own Python: aequitas on the same rows, from a NumPy file; prints JSON (seconds, memory)."""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")


def main(path: str, groupings: list[list[str]]) -> None:
    from aequitas.group import Group

    with np.load(path, allow_pickle=False) as stored:
        frame = pd.DataFrame({name: stored[name] for name in stored.files})
    frame = frame.drop(columns="score").rename(columns={"decision": "score", "outcome": "label_value"})
    start = time.perf_counter()
    crosses = []
    for grouping in groupings:
        name = "*".join(grouping)
        if len(grouping) > 1:
            frame[name] = frame[grouping[0]].str.cat([frame[part] for part in grouping[1:]], sep="*")
        crosses.append(name)
    counted, _ = Group().get_crosstabs(frame, attr_cols=crosses)
    taken = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": taken, "rss_mb": peak, "groups": len(counted)}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
