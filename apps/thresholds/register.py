"""Reading the register: its table, its reviews, its assessments."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, LiteralString

from django.db import connection
from django.db.models import Case, Count, F, Min, OuterRef, Q, QuerySet, RowRange, Subquery, Value, When, Window
from django.db.models.functions import Coalesce
from psycopg import sql

from apps.common import clock
from apps.registry.selectors import models_visible_to
from apps.thresholds.assessments import Assessed
from apps.thresholds.models import Assessment, PolicyVersion, Review
from apps.thresholds.versions import PolicyInForce, read

PAGE = 50
MOST_EXPORTED = 10_000
EXPORTED_AT_ONCE = 500
_NO_DAY = datetime.max.replace(tzinfo=UTC)

IN_FORCE, PLANNED, SUPERSEDED, NEVER = "in force", "planned", "superseded", "never in force"
STATES = (IN_FORCE, PLANNED, SUPERSEDED, NEVER)


@dataclass(frozen=True, slots=True)
class Filters:
    """What of the register is asked for; "" asks for everything. way: a value of `PolicyVersion.Way`."""

    model: str = ""
    metric: str = ""
    industry: str = ""
    state: str = ""
    way: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """A version as the register shows it. bounds: {metric: {lower, upper}}."""

    id: int
    model_slug: str
    model_name: str
    industry: str
    version: int
    state: str
    way: str
    bounds: Mapping[str, Mapping[str, float | None]]
    effective_from: datetime
    assessment_reference: str
    legal_basis: tuple[str, ...]
    justification: str
    review_due: date
    published_by: str
    published_at: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class RegisterPage:
    """Rows of one page, newest first; `pages` is at least 1."""

    rows: tuple[RegisterRow, ...]
    total: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class DueReview:
    """A version in force whose calibration review is due, or will be. way: emergencies are due after a week."""

    version_id: int
    model_id: int
    version: int
    way: str
    due: date


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A signed review that kept a version."""

    approval_id: int
    next_due: date
    reviewed_at: datetime


@dataclass(frozen=True, slots=True)
class AssessmentRow:
    """An imported assessment; `digest` is its file's."""

    id: int
    model_id: int
    assessed: Assessed
    source: str
    digest: str
    imported_by: str
    imported_at: datetime


@dataclass(frozen=True, slots=True)
class VersionDetail:
    """A version with where it stands. former: the version before it. reviews: newest first."""

    policy: PolicyInForce
    state: str
    former: PolicyInForce | None
    reviews: tuple[ReviewRow, ...]
    review_due: date


def register_page(user: Any, filters: Filters, *, page: int = 1) -> RegisterPage:
    """A page of the versions that the person may see, the last where there are not so many; four queries at most."""
    found = _found(user, filters).annotate(total=Window(Count("*"))).values_list("pk", "total")
    page = max(page, 1)
    rows = list(found[(page - 1) * PAGE : page * PAGE])
    if rows or page == 1:
        total = rows[0][1] if rows else 0
    else:
        oldest = list(found.reverse()[:PAGE])
        total = oldest[0][1] if oldest else 0
        page = max(1, -(-total // PAGE))
        rows = oldest[total - (page - 1) * PAGE - 1 :: -1] if oldest else []
    return RegisterPage(_rows([pk for pk, _ in rows], filters.state), total, page, max(1, -(-total // PAGE)))


def register_export(user: Any, filters: Filters) -> Iterator[tuple[RegisterRow, ...]]:
    """Everything that the filters leave, newest first, some hundred rows at a time; at most ten thousand versions."""
    ids = list(_found(user, filters).values_list("pk", flat=True)[:MOST_EXPORTED])
    for first in range(0, max(len(ids), 1), EXPORTED_AT_ONCE):
        yield _rows(ids[first : first + EXPORTED_AT_ONCE], filters.state)


def version_detail(version_id: int) -> VersionDetail | None:
    """A version and what belongs to it, in four queries; None if there is none."""
    row = PolicyVersion.objects.filter(pk=version_id).first()
    if row is None:
        return None
    former = PolicyVersion.objects.filter(model_id=row.model_id, version=row.version - 1).first()
    reviews = tuple(
        ReviewRow(each.approval_id, each.next_due, each.reviewed_at)
        for each in Review.objects.filter(policy_version_id=row.pk).order_by("-id")
    )
    due = max((row.review_due, *(each.next_due for each in reviews)))
    return VersionDetail(read(row), _states([row])[row.pk], read(former) if former else None, reviews, due)


def reviews_due(visible: Collection[int] | None, *, before: date, limit: int | None = None) -> tuple[DueReview, ...]:
    """The versions in force whose next review falls due by `before`, the most urgent first; one query.

    visible: narrows to these models; None for all of them.
    """
    rows = _due(
        "SELECT id, model_id, version, way, due FROM due ORDER BY due, id LIMIT %(limit)s", visible, before, limit
    )
    return tuple(DueReview(*row) for row in rows)


def reviews_due_count(visible: Collection[int] | None, *, before: date, most: int | None = None) -> int:
    """How many `reviews_due` has, counted up to `most`."""
    ((number,),) = _due("SELECT count(*) FROM (SELECT FROM due LIMIT %(limit)s) counted", visible, before, most)
    return int(number)


def assessments_of(model_id: int) -> tuple[AssessmentRow, ...]:
    """The assessments imported for a model, newest first."""
    return tuple(assessment_row(row) for row in Assessment.objects.filter(model_id=model_id).order_by("-id"))


def assessment(assessment_id: int) -> AssessmentRow | None:
    """One imported assessment, or None."""
    row = Assessment.objects.filter(pk=assessment_id).first()
    return None if row is None else assessment_row(row)


def assessment_named(model_id: int, reference: str) -> AssessmentRow | None:
    """The assessment of that reference, if it was imported."""
    row = Assessment.objects.filter(model_id=model_id, reference=reference).first()
    return None if row is None else assessment_row(row)


def assessment_row(row: Assessment) -> AssessmentRow:
    """A row as a value."""
    return AssessmentRow(
        row.pk,
        row.model_id,
        Assessed.from_dict(row.content),
        row.source,
        row.digest,
        row.imported_by,
        row.imported_at,
    )


def _due(asked: LiteralString, visible: Collection[int] | None, before: date, limit: int | None = None) -> list[Any]:
    """What is asked of the reviews due; a model's version in force is one step in the index of its versions."""
    due = sql.SQL(
        "WITH due AS (SELECT f.*, d.due FROM registry_monitoredmodel m"
        " CROSS JOIN LATERAL (SELECT id, model_id, version, way, review_due FROM thresholds_policyversion"
        " WHERE model_id = m.id AND effective_from <= %(now)s ORDER BY version DESC LIMIT 1) f"
        " CROSS JOIN LATERAL (SELECT greatest(f.review_due, max(r.next_due)) AS due"
        " FROM thresholds_review r WHERE r.policy_version_id = f.id) d"
        " WHERE d.due <= %(before)s AND (%(visible)s::bigint[] IS NULL OR m.id = ANY(%(visible)s)))"
    )
    values = {
        "now": clock.now(),
        "before": before,
        "visible": None if visible is None else list(visible),
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(due + sql.SQL(" ") + sql.SQL(asked), values)
        return list(cursor.fetchall())


def _found(user: Any, filters: Filters) -> QuerySet[Any]:
    found: QuerySet[Any] = PolicyVersion.objects.filter(model__in=models_visible_to(user))
    if filters.model:
        found = found.filter(model__slug=filters.model)
    if filters.industry:
        found = found.filter(model__industry=filters.industry)
    if filters.metric:
        found = found.filter(body__bounds__has_key=filters.metric)
    if filters.way:
        found = found.filter(way=filters.way)
    for word in filters.text.split()[:8]:
        found = found.filter(
            Q(justification__icontains=word)
            | Q(assessment_reference__icontains=word)
            | Q(model__name__icontains=word)
            | Q(published_by__icontains=word)
        )
    if filters.state == IN_FORCE:
        found = found.filter(pk__in=_in_force(models_visible_to(user)))
    elif filters.state:
        found = found.filter(pk__in=_beside_later().filter(_standing(filters.state)).values("pk"))
    return found.order_by("-published_at", "-id")


def _in_force(models: QuerySet[Any]) -> QuerySet[Any]:
    """The ids of the versions in force of the models: of those that have started the one published last."""
    started = PolicyVersion.objects.filter(model=OuterRef("pk"), effective_from__lte=clock.now())
    latest: QuerySet[Any] = models.order_by().annotate(in_force=Subquery(started.order_by("-version").values("pk")[:1]))
    return latest.values("in_force")


def _beside_later() -> QuerySet[Any]:
    """Every version with its `start` and the earliest start of those after it, `later`, in one pass over an index.

    Asking each for a later one takes seconds at 5,000. Both are windows: conditions on them come after the pass.
    """

    def earliest(first: int | None, last: int) -> Window:
        frame = RowRange(start=first, end=last)
        return Window(Min("effective_from"), partition_by=F("model_id"), order_by=F("version").desc(), frame=frame)

    later = Coalesce(earliest(None, -1), Value(_NO_DAY))
    return PolicyVersion.objects.order_by().annotate(start=earliest(0, 0), later=later)


def _standing(state: str) -> Q:
    """Which of `_beside_later` stand there: a later version that starts earlier keeps a planned one out."""
    now = clock.now()
    return {
        NEVER: Q(later__lte=F("start")),
        PLANNED: Q(start__gt=now, later__gt=F("start")),
        SUPERSEDED: Q(start__lte=now, later__gt=F("start"), later__lte=now),
        IN_FORCE: Q(start__lte=now, later__gt=now),
    }[state]


def _states(rows: Sequence[Any]) -> dict[int, str]:
    """Where the versions of the rows stand, by id; one query."""
    stands = Case(*(When(_standing(state), then=Value(state)) for state in STATES))
    of_models = _beside_later().filter(model_id__in={row.model_id for row in rows}).annotate(stands=stands)
    # The other versions of the models have to be looked at too: a condition beside `stands` is put after the look.
    wanted = of_models.filter(Q(stands="") | Q(pk__in=[row.pk for row in rows]))
    return dict(wanted.values_list("pk", "stands"))


_SHOWN = (
    "model__slug", "model__name", "model__industry", "version", "way", "effective_from", "assessment_reference",
    "legal_basis", "justification", "review_due", "published_by", "published_at", "digest",
)  # fmt: skip


def _rows(ids: Sequence[int], state: str) -> tuple[RegisterRow, ...]:
    """These versions in this order. state: where all of them stand, "" where that is still to be found out."""
    found = PolicyVersion.objects.filter(pk__in=ids).select_related("model").annotate(bounds=F("body__bounds"))
    by_id = {row.pk: row for row in found.only(*_SHOWN)}
    rows = [by_id[pk] for pk in ids]
    states = dict.fromkeys(ids, state) if state else _states(rows)
    return tuple(
        RegisterRow(
            id=row.pk,
            model_slug=row.model.slug,
            model_name=row.model.name,
            industry=row.model.industry,
            version=row.version,
            state=states[row.pk],
            way=row.way,
            bounds=row.bounds or {},
            effective_from=row.effective_from,
            assessment_reference=row.assessment_reference,
            legal_basis=tuple(row.legal_basis),
            justification=row.justification,
            review_due=row.review_due,
            published_by=row.published_by,
            published_at=row.published_at,
            digest=row.digest,
        )
        for row in rows
    )
