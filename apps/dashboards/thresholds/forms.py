"""A proposal as a form: every term of a policy is a field of its own name, and so is every limit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from django.http import QueryDict

from apps.common.errors import Refused
from apps.dashboards.thresholds.words import VALUES, exact, term_name
from apps.dashboards.words import metric_name
from apps.thresholds.citations import CITATIONS
from apps.thresholds.selectors import Draft
from biasgov.fairness.policy import METRICS, Bound, Policy
from biasgov.fairness.policy_changes import BOUNDS, LOWER, RARER_WHEN_LARGER, UPPER, judging_terms, terms_of
from biasgov.fairness.response_changes import LADDER, LADDER_TERMS
from biasgov.fairness.response_plan import RESTRICTIONS, SEVERITIES, WINDOWS

LIMIT = "limit."
LONGEST_NUMBER = 40
_CHOICES: Mapping[str, Sequence[str]] = {
    f"{LADDER}.persist_window": ("", *WINDOWS),
    f"{LADDER}.sustain_window": ("", *WINDOWS),
    f"{LADDER}.sustain_severity": SEVERITIES,
    f"{LADDER}.escalate_severity": SEVERITIES,
    f"{LADDER}.restriction": RESTRICTIONS,
}
_TEXTS = (f"{LADDER}.calendar", f"{LADDER}.time_zone", f"{LADDER}.blocked_decision_types")
_LISTED = f"{LADDER}.blocked_decision_types"


@dataclass(frozen=True, slots=True)
class Field:
    """One term to fill in. choices: value and words, where there are few; limit: what compliance alone may sign."""

    name: str
    label: str
    value: str
    choices: tuple[tuple[str, str], ...] = ()
    is_text: bool = False
    limit: str = ""


@dataclass(frozen=True, slots=True)
class BoundRow:
    """Both ends of one metric's bound, and their limits. known: it is bounded now or was filled in."""

    metric: str
    label: str
    lower: Field
    upper: Field
    known: bool


@dataclass(frozen=True, slots=True)
class ProposalForm:
    """Everything that a proposal asks, as texts. error: what was refused, and of which field."""

    values: Mapping[str, str]
    legal_basis: frozenset[str]
    error: Refused | None = None

    @property
    def bounds(self) -> tuple[BoundRow, ...]:
        return tuple(
            BoundRow(metric, metric_name(metric), lower, upper, bool(lower.value or upper.value))
            for metric in METRICS
            for lower, upper in [[self._field(f"{BOUNDS}.{metric}.{end}") for end in (LOWER, UPPER)]]
        )

    @property
    def evidence(self) -> tuple[Field, ...]:
        return tuple(self._field(term) for term in RARER_WHEN_LARGER)

    @property
    def ladder(self) -> tuple[Field, ...]:
        return tuple(self._field(term) for term in LADDER_TERMS)

    @property
    def citations(self) -> list[tuple[str, str, str, bool]]:
        """Key, name, what it asks for, and whether it is chosen; chosen ones first."""
        listed = [(key, each.name, each.text, key in self.legal_basis) for key, each in CITATIONS.items()]
        return sorted(listed, key=lambda each: not each[3])

    def value(self, name: str) -> str:
        return self.values.get(name, "")

    def refused(self, error: Refused) -> ProposalForm:
        return replace(self, error=error)

    def _field(self, term: str) -> Field:
        words = VALUES.get(term, {})
        return Field(
            name=term,
            label=term_name(term),
            value=self.value(term),
            choices=tuple((each, words.get(each, each)) for each in _CHOICES.get(term, ())),
            is_text=term in _TEXTS,
            limit=self.value(LIMIT + term),
        )


def form_of(draft: Draft, *, reason: str = "", title: str = "") -> ProposalForm:
    """A form that is filled in with a draft."""
    values = {term: _shown(value) for term, value in terms_of(draft.policy).items()}
    values |= {LIMIT + term: exact(value).replace("−", "-") for term, value in draft.limits.items()}
    start = draft.effective_from
    values |= {
        "assessment_reference": draft.assessment_reference,
        "effective_from": "" if start is None else start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M"),
        "review_due": draft.review_due.isoformat(),
        "reason": reason,
        "title": title,
    }
    return ProposalForm(values, frozenset(draft.legal_basis))


def form_sent(sent: QueryDict) -> ProposalForm:
    """The form as a person has sent it."""
    return ProposalForm({name: sent.get(name, "") for name in sent}, frozenset(sent.getlist("legal_basis")))


def draft_of(form: ProposalForm) -> Draft:
    """What the form asks for. Raises Refused naming the field."""
    limits = {term: _number(form.value(LIMIT + term), f"limits.{term}") for term in judging_terms()}
    return Draft(
        policy=_policy(form),
        limits={term: value for term, value in limits.items() if value is not None},
        assessment_reference=form.value("assessment_reference"),
        legal_basis=tuple(key for key in CITATIONS if key in form.legal_basis),
        effective_from=_start(form.value("effective_from")),
        review_due=_date(form.value("review_due")),
    )


def _policy(form: ProposalForm) -> Policy:
    try:
        bounds = {metric: bound for metric, bound in _bounds(form) if not bound.is_open}
        content: dict[str, Any] = {"bounds": {metric: bound.to_dict() for metric, bound in bounds.items()}}
        for term in (*RARER_WHEN_LARGER, *LADDER_TERMS):
            _put(content, term.split("."), _setting(form, term))
        return Policy.from_dict(content)
    except ValueError as error:
        raise Refused("policy", f"{str(error)[:1].upper()}{str(error)[1:]}.") from None


def _bounds(form: ProposalForm) -> Iterator[tuple[str, Bound]]:
    for metric in METRICS:
        ends = [_number(form.value(f"{BOUNDS}.{metric}.{end}"), f"{BOUNDS}.{metric}.{end}") for end in (LOWER, UPPER)]
        try:
            yield metric, Bound(*ends)
        except ValueError as error:
            raise Refused(f"{BOUNDS}.{metric}", f"{metric_name(metric).capitalize()}: {error}.") from None


def _setting(form: ProposalForm, term: str) -> Any:
    text = form.value(term).strip()
    if term == _LISTED:
        return [each.strip() for each in text.split(",") if each.strip()]
    if term in _TEXTS or term in _CHOICES:
        return text
    number = _number(text, term)
    if number is None:
        raise Refused(term, f"{term_name(term).capitalize()}: it is missing.")
    return number


def _put(content: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        content = content.setdefault(name, {})
    content[path[-1]] = value


def _number(text: str, field: str) -> float | None:
    """An integer where it is written as one, as policies tell 30 from 30.0. Raises Refused for anything else."""
    text = text.strip().replace("−", "-")
    if not text:
        return None
    try:
        number: float = int(text) if text.lstrip("+-").isdecimal() and len(text) < 16 else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or len(text) > LONGEST_NUMBER:
        raise Refused(field, f"{term_name(field.removeprefix('limits.')).capitalize()}: {text[:40]!r} is no number.")
    return number


def _start(text: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Refused("effective_from", f"{text[:40]!r} is no moment; write it as 2026-12-01T00:00.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise Refused("review_due", f"{text[:40]!r} is no date; write it as 2027-05-20.") from None


def _shown(value: float | str | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else exact(value).replace("−", "-")
