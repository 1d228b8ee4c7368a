"""What the pages of the audit log show: the filter as it was asked for, the log's state, an entry and its proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from apps.accounts.permissions import models_within
from apps.audit import exporting, selectors
from apps.audit.keys import head_file
from apps.audit.selectors import EntryView, LogFilter
from apps.audit.verification import VerificationView, verification_latest
from apps.common.errors import Refused
from apps.dashboards.approvals.reading import facts
from apps.dashboards.audit.sentences import FAMILIES, Names, Sentence, kind_name, sentence
from apps.dashboards.words import Badge
from apps.pipeline import selectors as pipeline
from apps.registry.selectors import slugs_of
from biasgov.audit.heads import HeadError, SignedHead
from biasgov.audit.merkle import InclusionProof, ProofError, leaf_hash, verify_inclusion

SHOWN_AT_ONCE = 50
SHORTEST_TEXT = 3
FIELDS = ("who", "kind", "model", "object", "since", "until", "text")
PAGES = {
    "model": "model",
    "approval": "approval",
    "incident": "incident",
    "complaint": "complaint",
    "retraining": "retraining-check",
    "case": "case",
    "run": "run",
}
"""The page of an object, by the kind in front of its number or name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The filter of a page: as it was typed, as the log is asked, and what of it could not be used."""

    typed: Mapping[str, str]
    wanted: LogFilter
    problems: tuple[str, ...]

    @property
    def query(self) -> str:
        return urlencode({name: text for name, text in self.typed.items() if text})

    @property
    def is_narrowed(self) -> bool:
        return any(self.typed.values())

    @property
    def words(self) -> str:
        """The filter in words, for the log's own entry about an export."""
        return ", ".join(f"{name} {text}" for name, text in self.typed.items() if text) or "everything"


@dataclass(frozen=True, slots=True)
class Line:
    """An entry in the list."""

    entry: EntryView
    sentence: Sentence
    kind: str


@dataclass(frozen=True, slots=True)
class LogState:
    """Whether the log can be relied on, and since when it is known."""

    status: Badge
    sentence: str
    doubts: tuple[str, ...]
    entries: int
    head: SignedHead | None
    checked: VerificationView | None
    running: VerificationView | None
    stamped_at: datetime | None
    stamps: bool

    @property
    def root(self) -> str:
        return self.head.head.root.hex() if self.head else ""


@dataclass(frozen=True, slots=True)
class Fact:
    """A part of what an entry says; url: the page of the run, incident ... that it names, "" where it names none."""

    label: str
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class EntryPage:
    """An entry with what it says, and whether it stands in the signed log. url: the page of what it is about."""

    line: Line
    facts: tuple[Fact, ...]
    url: str
    status: Badge
    says: str
    proof: Proof | None


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows that an entry stands in the log; hashes in hexadecimal. covered_by: the first head over it."""

    place: int
    data: str
    leaf_hash: str
    path: tuple[str, ...]
    head: SignedHead
    covered_by: SignedHead | None

    @property
    def root(self) -> str:
        return self.head.head.root.hex()


def scope_of(user: Any) -> frozenset[str] | None:
    """The slugs of the models whose entries this person may read; None for the whole log."""
    within = models_within(user, "audit.view")
    return None if within is None else slugs_of(within)


def asked(given: Mapping[str, str], scope: frozenset[str] | None) -> Asked:
    """The filter that the parameters of a request name. What cannot be used is left out and said."""
    typed = {name: given.get(name, "").strip()[:300] for name in FIELDS}
    problems: list[str] = []
    who = typed["who"] if ":" in typed["who"] or typed["who"] in ("", "anonymous") else f"user:{typed['who']}"
    since, until = (_day(typed[name], problems) for name in ("since", "until"))
    text = typed["text"]
    if 0 < len(text) < SHORTEST_TEXT:
        problems.append(f"Text is found from {SHORTEST_TEXT} letters on.")
        text = ""
    wanted = LogFilter(
        actor=who,
        action=typed["kind"],
        subject=typed["object"],
        model=typed["model"],
        text=text.replace("\0", ""),
        since=since,
        until=until + timedelta(days=1) if until else None,
        within=scope,
    )
    return Asked(typed, wanted, tuple(problems))


def kinds(chosen: str) -> list[tuple[str, str]]:
    """(value, words) of the kinds to choose from: the families, and the one that is chosen."""
    options = [(f"{family}.", title) for family, title in FAMILIES.items()]
    if chosen and chosen not in dict(options):
        options.append((chosen, kind_name(chosen)))
    return sorted(options, key=lambda option: option[1])


def lines(found: list[EntryView]) -> list[Line]:
    names = Names.of(found)
    return [Line(entry, sentence(entry, names), kind_name(entry.action)) for entry in found]


def state() -> LogState:
    """The log's state, from its file of heads, its last check and the open alarms."""
    doubts = [alarm.message for alarm in pipeline.alarms(()) if alarm.kind == "audit"]
    head = stamped = None
    try:
        head = head_file().last()
        stamped = _last_stamped(head) if settings.TIME_STAMP_URL else None
    except (HeadError, OSError) as error:
        doubts.append(f"The file of signed tree heads cannot be read: {error}.")
    newest = verification_latest()
    checked = newest if newest and not newest.is_running else verification_latest(finished=True)
    status, said = _judged(doubts, head, checked)
    return LogState(
        status=status,
        sentence=said,
        doubts=tuple(doubts),
        entries=selectors.tree_size(),
        head=head,
        checked=checked,
        running=newest if newest and newest.is_running else None,
        stamped_at=stamped,
        stamps=bool(settings.TIME_STAMP_URL),
    )


def page_of(entry: EntryView) -> EntryPage:
    """An entry as its page shows it; its proof is checked here, as anybody can check it."""
    (line,) = lines([entry])
    status, says, proof = _proved(selectors.place_of(entry.id))
    said = tuple(Fact(label, text, _named(label, text)) for label, text in facts(entry.detail))
    return EntryPage(line, said, _url_of(entry.subject), status, says, proof)


def _proved(place: int | None) -> tuple[Badge, str, Proof | None]:
    if place is None:
        said = "It was just written. It gets its place in the tree within a minute."
        return Badge("inconclusive", "waits for its place"), said, None
    try:
        line, head = exporting.entry_proof(place)
    except Refused:
        said = "It has its place in the tree. The next signed head, in some minutes, will vouch for it."
        return Badge("inconclusive", "not yet signed"), said, None
    path = line.path or ()
    proof = Proof(
        place=place,
        data=line.data.decode(),
        leaf_hash=line.leaf_hash.hex(),
        path=tuple(each.hex() for each in path),
        head=head,
        covered_by=head_file().covering(place + 1),
    )
    try:
        verify_inclusion(InclusionProof(place, head.size, path), leaf_hash(line.data), head.head)
    except ProofError:
        said = "What it says now is not what was signed: it was changed, moved or put in since."
        return Badge("breach", "not what was signed"), said, proof
    said = f"What it says is what stands at place {place:,} of the log that was signed."
    return Badge("within", "proved"), said, proof


def _judged(doubts: list[str], head: SignedHead | None, checked: VerificationView | None) -> tuple[Badge, str]:
    if doubts or (checked and not checked.is_intact):
        return Badge("breach", "in doubt"), "The log cannot be relied on as it stands."
    if head is None:
        return Badge("plain", "not yet signed"), "The log has no signed head yet; the first follows within minutes."
    if checked is None:
        return Badge("inconclusive", "not yet checked"), "The log is signed and was not fully checked yet."
    return Badge("within", "intact"), "Nothing in the log was changed since it was signed."


def _last_stamped(head: SignedHead | None) -> datetime | None:
    """When the newest head with a time stamp was signed, of the last two days."""
    if head is None:
        return None
    recent = head_file().since(head.timestamp - int(timedelta(days=2).total_seconds() * 1000))
    return max((each.signed_at for each in recent if each.time_stamp), default=None)


def _day(text: str, problems: list[str]) -> datetime | None:
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
        return datetime(max(found.year, 1970), found.month, found.day, tzinfo=UTC) if found.year < 9999 else None
    except ValueError:
        problems.append(f"{text!r:.40} is no date: write 2026-05-04.")
        return None


def _named(label: str, text: str) -> str:
    """The page of what a part of an entry names by its number: `runs, 1, run` and `253` lead to run 253."""
    kind = label.rpartition(", ")[2]
    return _url_of(f"{kind}:{text}") if text.isascii() and text.isdecimal() and len(text) < 19 else ""


def _url_of(subject: str) -> str:
    kind, _, name = subject.partition(":")
    try:
        return reverse(PAGES[kind], args=[name]) if kind in PAGES and name else ""
    except NoReverseMatch:
        return ""
