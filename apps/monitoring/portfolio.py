"""What a table of models shows of each: its newest runs, the worst of them, and that one's line."""

from __future__ import annotations

from collections.abc import Sequence

from apps.monitoring.points import sparklines
from apps.monitoring.rows import PortfolioRow
from apps.monitoring.runs import latest_runs_of
from apps.monitoring.standing import worst_of


def portfolio_points(model_ids: Sequence[int], *, lines: bool = True) -> dict[int, PortfolioRow]:
    """For every model its worst key risk indicator (`worst_of`) and that one's line; four queries for many models.

    The line has the last value of each of 30 days; `lines` False leaves it out, and a query.
    """
    newest = latest_runs_of(model_ids)
    worst = worst_of(newest)
    drawn = sparklines(list(worst.values())) if lines else {}
    return {
        identity: PortfolioRow(
            model_id=identity,
            runs=newest.get(identity, {}),
            worst=worst.get(identity),
            sparkline=tuple(drawn.get(identity, ())),
        )
        for identity in model_ids
    }
