"""What can be put to the board, and what its decision brings about.

The app that owns a matter declares it once, in its ``AppConfig.ready``; the board knows an incident only as a matter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.accounts.models import User


@dataclass(frozen=True, slots=True)
class Subject:
    """What a case is about, as it stands now.

    key: see `Case.key`. open: the board may still decide on it. facts: label and text, as the members read them.
    parties: people who have a part in it, and so a conflict of interest, with the reason. until: when it ends by
    itself. path: its page.
    """

    id: int
    key: str
    open: bool
    title: str
    question: str
    model_id: int | None
    facts: tuple[tuple[str, str], ...]
    path: str
    requester: User | None = None
    parties: tuple[tuple[User, str], ...] = ()
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What the board has decided. sentence: in words; reasons: of the votes that counted, on the side that won."""

    case_id: int
    subject_id: int
    key: str
    model_id: int | None
    carried: bool
    sentence: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConditionOfCase:
    """A condition of a decision: what `owner` has to do until `due_at`."""

    case_id: int
    kind: str
    subject_id: int
    model_id: int | None
    title: str
    owner: User
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Matter:
    """A kind of subject.

    waiting: (id, key) of every subject that has to go to the board, whether it has a case or not. subject: how one
    stands now, None if there is none. decided: carries the decision out, in its transaction; answers whether the
    conditions become actions. by_hand: people may put it to the board too.
    """

    kind: str
    title: str
    waiting: Callable[[], Collection[tuple[int, str]]]
    subject: Callable[[int], Subject | None]
    decided: Callable[[Decision], bool]
    by_hand: bool = False


_MATTERS: dict[str, Matter] = {}
_TAKERS: list[Callable[[ConditionOfCase], None]] = []


def register(matter: Matter) -> None:
    """Declare a matter; the same kind again takes the place of the earlier declaration."""
    _MATTERS[matter.kind] = matter


def register_conditions(taker: Callable[[ConditionOfCase], None]) -> None:
    """Declare who makes actions of the conditions; the last one counts."""
    _TAKERS[:] = [taker]


def matter(kind: str) -> Matter:
    """The declared matter. Raises KeyError for one that no app has declared."""
    return _MATTERS[kind]


def matters() -> Sequence[Matter]:
    """Every declared matter, by kind."""
    return [_MATTERS[kind] for kind in sorted(_MATTERS)]


def condition_take(condition: ConditionOfCase) -> None:
    """Make an action of a condition. Raises RuntimeError where no app has declared how."""
    if not _TAKERS:
        raise RuntimeError("no app makes actions of the board's conditions")
    _TAKERS[0](condition)
