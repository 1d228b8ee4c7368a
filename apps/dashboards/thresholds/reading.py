"""The register and one version of it, as their pages show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from apps.accounts.permissions import may
from apps.approvals import selectors as approvals
from apps.approvals import states
from apps.common import clock
from apps.dashboards.approvals.reading import ApprovalLine, line_of
from apps.dashboards.tables import Table, table
from apps.dashboards.thresholds.silent import SilentBounds, silent_bounds
from apps.dashboards.thresholds.words import ChangeLine, bound_words, change_lines
from apps.dashboards.words import METRICS, Badge, metric_name
from apps.registry import selectors as registry
from apps.registry.selectors import ModelName
from apps.registry.spec import ModelSpec
from apps.thresholds import selectors as thresholds
from apps.thresholds.citations import CITATIONS, Citation
from apps.thresholds.selectors import WAYS, Filters, PolicyInForce, RegisterPage, RegisterRow, VersionDetail
from biasgov.fairness.policy import Bound
from biasgov.fairness.policy_changes import compare

IN_FORCE = "in force"
ALL = "all"
STATE_BADGES: Mapping[str, Badge] = {
    IN_FORCE: Badge("within", "in force"),
    "planned": Badge("inconclusive", "planned"),
    "superseded": Badge("plain", "superseded"),
    "never in force": Badge("plain", "never in force"),
}
WAY_BADGES: Mapping[str, Badge] = {
    "registration": Badge("plain", "first version, not signed"),
    "signed": Badge("within", "signed"),
    "emergency": Badge("breach", "emergency, not signed"),
}
PROPOSALS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class RegisterLine:
    """A version in the register's table. bounds: metric and bound in words."""

    row: RegisterRow
    bounds: tuple[tuple[str, str], ...]
    state: Badge
    way: Badge
    basis: str
    overdue: bool


@dataclass(frozen=True, slots=True)
class Register:
    """The register under its filters. say: the sentence above it. older, newer: addresses of the next pages.

    silent: bounds that never alert while complaints come in; told on the first page, not amid a search.
    """

    say: str
    lines: tuple[RegisterLine, ...]
    found: RegisterPage
    filters: Filters
    newer: str
    older: str
    csv: str
    choices: Mapping[str, Sequence[tuple[str, str]]]
    proposals: tuple[ApprovalLine, ...]
    silent: tuple[SilentBounds, ...]
    proposable: tuple[ModelName, ...]

    @property
    def narrowed(self) -> bool:
        return self.filters != Filters(state=IN_FORCE)


@dataclass(frozen=True, slots=True)
class VersionPage:
    """One version: what it says, what it changed, where it comes from, and what was before and after it."""

    spec: ModelSpec
    detail: VersionDetail
    policy: PolicyInForce
    state: Badge
    way: Badge
    say: str
    lines: tuple[ChangeLine, ...]
    others: tuple[ChangeLine, ...]
    citations: tuple[Citation, ...]
    proposal: ApprovalLine | None
    history: tuple[RegisterLine, ...]
    history_total: int
    overdue: bool
    silent: tuple[SilentBounds, ...]
    may_propose: bool

    @property
    def before(self) -> str:
        return f"version {self.policy.version - 1}"


def filters_of(sent: Mapping[str, str]) -> Filters:
    """What the register is asked for: what is in force, unless another state, or all, is chosen."""
    known = {"metric": METRICS, "state": STATE_BADGES, "way": WAYS}
    names = ("model", "metric", "industry", "state", "way", "text")
    chosen = {name: sent.get(name, "").replace("\0", "") for name in names}
    chosen |= {name: "" for name, values in known.items() if chosen[name] not in values}
    if not chosen["state"] and sent.get("state", "") != ALL:
        chosen["state"] = IN_FORCE
    return Filters(**{name: value[:100] for name, value in chosen.items()})


def register_of(user: Any, filters: Filters, page: int) -> Register:
    """The register's page; a constant number of queries."""
    found = thresholds.register_page(user, filters, page=page)
    models = registry.names_visible_to(user)
    under_way = approvals.approvals_visible_to(
        user, among=[thresholds.CHANGE, thresholds.REVIEW], open_only=True, limit=PROPOSALS_SHOWN
    )
    asked = [view for view in under_way if view.state != states.DRAFT or view.requester_id == user.pk]
    today = clock.now().date()
    return Register(
        say=_say(found, filters, sum(row.review_due <= today for row in found.rows)),
        lines=tuple(_line(row, today) for row in found.rows),
        found=found,
        filters=filters,
        newer=_query(filters, found.page - 1) if found.page > 1 else "",
        older=_query(filters, found.page + 1) if found.page < found.pages else "",
        csv=f"{reverse('thresholds-csv')}{_query(filters, 1)}",
        choices={
            "model": [(each.slug, each.name) for each in models],
            "metric": [(metric, name) for metric, name in METRICS.items()],
            "industry": [(name, name) for name in sorted({each.industry for each in models})],
            "state": [(name, name) for name in STATE_BADGES],
            "way": [(way, badge.text) for way, badge in WAY_BADGES.items()],
        },
        proposals=tuple(line_of(view) for view in asked),
        silent=silent_bounds(models) if filters == Filters(state=IN_FORCE) and found.page == 1 else (),
        proposable=tuple(each for each in models if _may_propose(user, each)),
    )


def register_tables(user: Any, filters: Filters) -> Iterator[Table]:
    """What the filters leave, one bound a row, for the CSV file; some hundred versions at a time."""
    columns = (
        "model", "industry", "version", "state", "metric", "lower", "upper", "effective from", "way", "assessment",
        "legal basis", "justification", "review due", "published by", "published at", "digest",
    )  # fmt: skip
    for part in thresholds.register_export(user, filters):
        rows = [
            (
                row.model_slug, row.industry, row.version, row.state, metric, bound.get("lower"), bound.get("upper"),
                row.effective_from, row.way, row.assessment_reference, "; ".join(_names(row.legal_basis)),
                row.justification, row.review_due.isoformat(), row.published_by, row.published_at, row.digest,
            )
            for row in part
            for metric, bound in (row.bounds or {"": {}}).items()
        ]  # fmt: skip
        yield table("thresholds", "Threshold register", columns, rows)


def version_page(user: Any, spec: ModelSpec, detail: VersionDetail) -> VersionPage:
    """What a version's page shows; a constant number of queries."""
    policy, former = detail.policy, detail.former
    before = former.policy if former else policy.policy
    lines = change_lines(before, policy.policy, compare([before], policy.policy))
    mine = thresholds.register_page(user, Filters(model=spec.slug))
    view = approvals.approval(policy.approval_id) if policy.approval_id else None
    bounds = [line for line in lines if line.label in map(metric_name, policy.policy.bounds)]
    today = clock.now().date()
    return VersionPage(
        spec=spec,
        detail=detail,
        policy=policy,
        state=STATE_BADGES[detail.state],
        way=WAY_BADGES[policy.way],
        say=_version_says(detail, [line for line in lines if line.effect]),
        lines=tuple([line for line in lines if line.effect or line in bounds]),
        others=tuple([line for line in lines if not line.effect and line not in bounds]),
        citations=tuple(CITATIONS[key] for key in policy.legal_basis if key in CITATIONS),
        proposal=line_of(view) if view else None,
        history=tuple(_line(row, today) for row in mine.rows),
        history_total=mine.total,
        overdue=detail.state == IN_FORCE and detail.review_due <= today,
        silent=silent_bounds([spec]) if detail.state == IN_FORCE else (),
        may_propose=_may_propose(user, spec),
    )


def _line(row: RegisterRow, today: date) -> RegisterLine:
    return RegisterLine(
        row=row,
        bounds=tuple(
            (metric_name(metric), bound_words(Bound.from_dict(row.bounds[metric])))
            for metric in METRICS
            if metric in row.bounds
        ),
        state=STATE_BADGES[row.state],
        way=WAY_BADGES[row.way],
        basis=_first(_names(row.legal_basis)),
        overdue=row.state == IN_FORCE and row.review_due <= today,
    )


def _names(keys: Sequence[str]) -> list[str]:
    return [CITATIONS[key].name if key in CITATIONS else key for key in keys]


def _first(names: Sequence[str]) -> str:
    """`EU AI Act, Art. 9(8) and 5 more`."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}" if names else "no provision named"


def _say(found: RegisterPage, filters: Filters, overdue: int) -> str:
    if not found.total:
        return "No version fits these filters." if filters != Filters(state=IN_FORCE) else "No thresholds are in force."
    if filters != Filters(state=IN_FORCE):
        return f"{found.total:,} version{' fits' if found.total == 1 else 's fit'} these filters."
    models = "1 model has thresholds" if found.total == 1 else f"{found.total:,} models have thresholds"
    review = " Every review is still to come."
    if overdue:
        review = f" {overdue} calibration review{' is' if overdue == 1 else 's are'} due."
    return f"{models} in force.{review if found.pages == 1 or overdue else ''}"


def _version_says(detail: VersionDetail, changed: Sequence[ChangeLine]) -> str:
    number = detail.policy.version
    if detail.former is None:
        return f"Version {number} came with the model's registration."
    if not changed:
        return f"Version {number} kept the bounds of version {number - 1} and renewed what they rest on."
    first = changed[0]
    more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
    return f"Version {number} changed {first.label} from {first.before} to {first.after}{more}."


def _query(filters: Filters, page: int) -> str:
    given = {name: getattr(filters, name) for name in ("model", "metric", "industry", "state", "way", "text")}
    kept = {name: value for name, value in given.items() if value} | ({} if filters.state else {"state": ALL})
    return f"?{urlencode(kept | ({'page': page} if page > 1 else {}))}"


def _may_propose(user: Any, model: ModelName | ModelSpec) -> bool:
    return may(user, "threshold.propose", model)
