"""What a page says where the last hours of the day are in breach by themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from apps.dashboards.words import EARLY_PERIODS, bound_text
from apps.registry.sentences import headline
from apps.registry.spec import Words


def early_sentences(
    document: Mapping[str, Any], words: Words, *, metrics: Collection[str] | None = None, attribute: str | None = None
) -> tuple[str, ...]:
    """One sentence for each early breach that the day's run tells, the widest of its hours first.

    A group that several windows show is told once. metrics, attribute: only breaches of these; None for all.
    """
    told: dict[tuple[str, str, str | None], str] = {}
    for part in reversed(document.get("early", ())):
        for result in part["results"]:
            if (metrics is None or result["metric"] in metrics) and attribute in (None, result["attribute"]):
                key = result["metric"], result["attribute"], result["group"]
                told.setdefault(
                    key,
                    f"In the {EARLY_PERIODS[part['window']]} alone, beyond the bound of "
                    f"{bound_text(result['metric'], result['bound'])}: {headline(result, words)}",
                )
    return tuple(told.values())
