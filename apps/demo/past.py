"""The past of a model, which passes a second time: what was due happens at its time, and people act in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, TypeVar

from apps.board import services as board
from apps.common import clock
from apps.demo.errors import StuckError
from apps.pipeline import answering
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses

Found = TypeVar("Found")
ANSWERED_AFTER: Final = timedelta(minutes=10)
"""How long after the end of its windows an evaluation of the past is answered."""
ESCALATE: Final = "escalate"
"""The rung from which no deadline lifts a finding any further."""
DAY: Final = timedelta(days=1)
BEGINS: Final = 8
"""The hour at which people begin to work, in UTC."""
SATURDAY: Final = 5


class Past:
    """The time before `now`, which passes a second time, moment after moment."""

    def __init__(self, spec: ModelSpec, *, now: datetime) -> None:
        self.spec = spec
        self.now = now
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        self.lift = working_day(today - DAY, -1)
        """The last working day before yesterday, on which the restriction is lifted."""
        self.day = today
        """The day on which people act."""

    def until(self, look: Callable[[], Found | None], what: str) -> Found:
        """Let time pass until `look` finds something; people act on the working day on which they then begin to work.

        Raises StuckError where it has not happened by now.
        """
        while not (found := look()):
            due = min(self._due(), default=self.now)
            if due >= self.now:
                raise StuckError(f"The ladder of {self.spec.slug} has not {what}: there is nothing to tell.")
            self._happen(due)
            self.day = working_day(due - timedelta(hours=BEGINS), 1)
        return found

    @contextmanager
    def at(self, hour: int, minute: int) -> Iterator[None]:
        """Hold the clock at an hour of the day, later than the last; what was due before has happened."""
        moment = self.day + timedelta(hours=hour, minutes=minute)
        self.pass_until(moment)
        with clock.frozen(moment):
            yield

    def pass_until(self, moment: datetime) -> None:
        """Let everything happen that was due before."""
        while (due := min(self._due(), default=moment)) < moment:
            self._happen(due)

    def _happen(self, due: datetime) -> None:
        """An evaluation is answered, deadlines pass, the board is convened, all at the time at which it was due."""
        with clock.frozen(due):
            if due in self._answers():
                answering.answer_next(self.spec.id)
            answering.deadlines_enforce()
            board.cases_advance()

    def _due(self) -> list[datetime]:
        found = responses.open_findings([self.spec.id])
        deadlines = [each.deadline_at for each in found if each.deadline_at and each.tier != ESCALATE]
        return [*self._answers(), *deadlines]

    def _answers(self) -> list[datetime]:
        as_of = answering.oldest_waiting(self.spec.id)
        return [as_of + ANSWERED_AFTER] if as_of else []


def working_day(moment: datetime, step: int) -> datetime:
    """The first working day behind (step 1) or before (step -1) the day of a moment; its midnight in UTC."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0) + step * DAY
    while day.weekday() >= SATURDAY:
        day += step * DAY
    return day
