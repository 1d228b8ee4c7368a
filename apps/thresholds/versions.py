"""Versions of a policy as values, and which of them judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

from apps.thresholds.limits import limits_of
from apps.thresholds.models import PolicyVersion
from biasgov.fairness.policy import Policy


class NoPolicy(LookupError):  # noqa: N818 - an answer, not a fault
    """The model has no policy at all."""


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """A published version: what judges a run, and where it comes from.

    limits: how far compliance alone may relax it. way: a value of `PolicyVersion.Way`. approval_id: of the request that
    bears its signatures, where there is one.
    """

    id: int
    model_id: int
    version: int
    digest: str
    policy: Policy
    effective_from: datetime
    assessment_reference: str
    legal_basis: tuple[str, ...]
    justification: str
    published_by: str
    published_at: datetime
    limits: Mapping[str, float]
    review_due: date
    way: str
    approval_id: int | None
    assessment_id: int | None


@dataclass(frozen=True, slots=True)
class PolicyStart:
    """A version by its number, its start and what it rests on."""

    version: int
    effective_from: datetime
    assessment_reference: str


KEPT_AT_MOST = 1_024
_kept: dict[tuple[int, int, str, datetime], PolicyInForce] = {}


def policy_in_force(model_id: int, at: datetime) -> PolicyInForce:
    """The policy that judges a window ending at `at`.

    Of the versions that have started by then, the one published last; before the first start, the one that starts
    first. Raises NoPolicy for a model without any.
    """
    found = policies_in_force([model_id], at).get(model_id)
    if found is None:
        raise NoPolicy(f"Model {model_id} has no threshold policy.")
    return found


def policies_in_force(model_ids: Sequence[int], at: datetime) -> dict[int, PolicyInForce]:
    """`policy_in_force` of many models; models without a policy are left out.

    One query, and a second one where this process has not read a version yet: no version ever changes.
    """
    with connection.cursor() as cursor:
        # One step down an index per model, however many versions it has had.
        cursor.execute(
            "SELECT v.id, v.model_id, v.digest, v.published_at FROM unnest(%s::bigint[]) AS m(id)"
            " LEFT JOIN LATERAL (SELECT id FROM thresholds_policyversion WHERE model_id = m.id"
            " AND effective_from <= %s ORDER BY version DESC LIMIT 1) started ON true"
            " LEFT JOIN LATERAL (SELECT id FROM thresholds_policyversion WHERE model_id = m.id"
            " AND started.id IS NULL ORDER BY effective_from, version DESC LIMIT 1) first ON true"
            " JOIN thresholds_policyversion v ON v.id = coalesce(started.id, first.id)",
            [list(model_ids), at],
        )
        found = cursor.fetchall()
    known = {key: _kept[key] for key in found if key in _kept}
    missing = [key[0] for key in found if key not in known]
    if missing:
        rows = {_key(row): read(row) for row in PolicyVersion.objects.filter(pk__in=missing)}
        if len(_kept) + len(rows) > KEPT_AT_MOST:
            _kept.clear()
        _kept.update(rows)
        known |= rows
    return {policy.model_id: policy for policy in known.values()}


def policy_starts(model_id: int, *, limit: int) -> tuple[PolicyStart, ...]:
    """When the newest versions of a model's policy started or start, newest first."""
    rows = PolicyVersion.objects.filter(model_id=model_id).order_by("-version")[:limit]
    return tuple(PolicyStart(*row) for row in rows.values_list("version", "effective_from", "assessment_reference"))


def _key(row: PolicyVersion) -> tuple[int, int, str, datetime]:
    return row.pk, row.model_id, row.digest, row.published_at


def newest_version(model_id: int) -> PolicyInForce:
    """The version published last, whether or not it has started. Raises NoPolicy for a model without any."""
    found = PolicyVersion.objects.filter(model_id=model_id).order_by("-version").first()
    if found is None:
        raise NoPolicy(f"Model {model_id} has no threshold policy.")
    return read(found)


def policy_versions(model_id: int) -> tuple[PolicyInForce, ...]:
    """Every version of a model's policy, newest first."""
    return tuple(read(row) for row in PolicyVersion.objects.filter(model_id=model_id).order_by("-version"))


def policy_version(version_id: int) -> PolicyInForce:
    """The version with that id (not its number); raises PolicyVersion.DoesNotExist."""
    return read(PolicyVersion.objects.get(pk=version_id))


def read(row: PolicyVersion) -> PolicyInForce:
    """A row of the register as a value."""
    return PolicyInForce(
        id=row.pk,
        model_id=row.model_id,
        version=row.version,
        digest=row.digest,
        policy=Policy.from_dict(row.body),
        effective_from=row.effective_from,
        assessment_reference=row.assessment_reference,
        legal_basis=tuple(row.legal_basis),
        justification=row.justification,
        published_by=row.published_by,
        published_at=row.published_at,
        limits=limits_of(row.limits),
        review_due=row.review_due,
        way=row.way,
        approval_id=row.approval_id,
        assessment_id=row.assessment_id,
    )
