"""What can be asked for, whose signatures it needs, and what the last of them brings about.

The app that owns a matter declares it once, in its ``AppConfig.ready``; this app knows no matter by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from apps.accounts.roles import COLLECTIVE

if TYPE_CHECKING:
    from apps.approvals.selectors import ApprovalView

Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Need:
    """A signature that is needed: of somebody who may do `verb` (see `accounts.roles`), and why.

    The needs of one request have different verbs, and no two of them are met by one person. A verb of
    `roles.COLLECTIVE` is met by a decision of the ethics board and by nobody's signature.
    """

    verb: str
    why: str

    @property
    def collective(self) -> bool:
        """Whether the board has to decide, instead of one person to sign."""
        return self.verb in COLLECTIVE


@dataclass(frozen=True, slots=True)
class Kind:
    """A matter that needs signatures.

    request: the verb of those who may ask. view: the verb of those who may read requests, beside the requester and
    those who are asked to sign. signers: every verb that a need of this kind may have. needs: from a content to the
    signatures it needs, at least one. check: raises Refused for a content that cannot be asked for. ready: raises
    Refused for one that may be written down, but of which nobody may yet ask for signatures. effect: brings it about,
    in the transaction of the last signature and in the name of ``actor``; answers the moment from which it holds, None
    for at once, and raises Refused if it no longer can be done. ended: is told, in the same transaction, that a request
    has come to nothing (rejected, withdrawn, expired or voided). hold: holds the row that a request is about, given its
    subject, until the transaction ends; every verb does so before it holds the request, so that the matter's own verbs
    can void a request while they hold the row. valid_for: how long it may wait for signatures
    once it is submitted.
    """

    name: str
    title: str
    request: str
    view: str
    signers: tuple[str, ...]
    needs: Callable[[Content], Sequence[Need]]
    effect: Callable[[ApprovalView, str], datetime | None]
    check: Callable[[int | None, Content], None] = lambda model_id, content: None
    ready: Callable[[Content], None] = lambda content: None
    ended: Callable[[ApprovalView, str], None] = lambda approval, actor: None
    hold: Callable[[str], None] = lambda subject: None
    valid_for: timedelta = timedelta(days=14)


_KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Declare a kind; the same name again takes the place of the earlier declaration."""
    _KINDS[kind.name] = kind


def kind(name: str) -> Kind:
    """The declared kind. Raises KeyError for one that no app has declared."""
    return _KINDS[name]


def kinds() -> tuple[Kind, ...]:
    """Every declared kind, by name."""
    return tuple(_KINDS[name] for name in sorted(_KINDS))
