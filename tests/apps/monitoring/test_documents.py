"""Reading the results of some metrics alone says what reading the whole document says of them."""

from __future__ import annotations

from typing import Any

import pytest

from apps.monitoring import documents

METRICS = ("selection_rate", "tpr", "fpr_gap", 'odd "name"', "tpr+")


def document(**changes: Any) -> documents.Document:
    results = [
        {"metric": metric, "group": group, "value": 0.5, "details": {"of": METRICS[place - 1]}}
        for place, metric in enumerate(METRICS)
        for group in ("female", "tpr", None)
    ]
    return documents.close({"window": "24h", "n": 7, "results": documents.columns(results), **changes})


@pytest.mark.parametrize("wanted", [(), ("tpr",), ("fpr_gap", 'odd "name"'), ("tpr+",), ("ppv",), METRICS])
def test_some_results_are_those_of_the_whole_document(wanted: tuple[str, ...]) -> None:
    stored = document().compressed
    whole = [each for each in documents.read(stored)["results"] if each["metric"] in wanted]
    window, fields, rows = documents.read_results(stored, wanted)
    assert window == "24h"
    assert [dict(zip(fields, row, strict=True)) for row in rows] == whole


def test_another_format_is_refused() -> None:
    stored = document(format=1).compressed
    for reading in (documents.read, lambda each: documents.read_results(each, METRICS)):
        with pytest.raises(ValueError, match="format 1"):
            reading(stored)
