"""Importing an assessment before release."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from apps.accounts.permissions import demand
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.selectors import model_spec_by_id
from apps.thresholds.assessments import read_assessment
from apps.thresholds.models import Assessment
from apps.thresholds.register import AssessmentRow, assessment_row

if TYPE_CHECKING:
    from apps.accounts.models import User


def assessment_import(*, model_id: int, body: bytes, person: User) -> AssessmentRow:
    """Import a JSON or YAML file (docs/thresholds.md) as a model's assessment. It is never changed afterwards.

    Raises
    ------
    Http404, PermissionDenied
        The person may not propose thresholds for this model.
    Refused
        Naming the field; ``exists`` if the model has an assessment of that reference: a corrected one is another one.
    """
    demand(person, "threshold.propose", model_id)
    spec = model_spec_by_id(model_id)
    assessed = read_assessment(body, spec)
    digest = hashlib.sha256(body).hexdigest()
    try:
        with transaction.atomic():
            row = Assessment.objects.create(
                model_id=model_id,
                reference=assessed.reference,
                title=assessed.title,
                assessor=assessed.assessor,
                assessed_on=assessed.assessed_on,
                content=assessed.to_dict(),
                source=body.decode("utf-8-sig"),
                digest=digest,
                imported_by=person.actor,
                imported_at=clock.now(),
            )
            audit.append(
                actor=person.actor,
                action="assessment.imported",
                subject=f"model:{spec.slug}",
                detail={"reference": assessed.reference, "digest": digest, "baselines": len(assessed.baselines)},
            )
    except IntegrityError:
        raise Refused(
            "reference",
            f"{spec.slug} has an assessment {assessed.reference}. Give the corrected one a reference of its own.",
            code="exists",
        ) from None
    return assessment_row(row)
