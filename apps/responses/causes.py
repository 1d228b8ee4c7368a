"""One incident for each cause: which findings belong together.

The rule, the same for machines and for people. A finding that opens joins an open cause of its model

1. if it shares a protected attribute with the cause and opened within 24 hours of the cause's latest finding; or
2. if both opened within 7 days of the release of the same version, and that version had a predecessor.

The newest cause that fits takes it; otherwise it is a cause of its own. Of findings that open at one moment, those
about most attributes come first, so that an intersection brings its parts together. Causes are never merged, and a
cause closes with its last finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.common import clock
from apps.registry import selectors as registry
from apps.responses.models import Cause, Finding

TOGETHER = timedelta(hours=24)
AFTER_RELEASE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Release:
    """A version that took another one's place, and when."""

    version: str
    at: datetime

    def explains(self, as_of: datetime) -> bool:
        """Whether something that opened at `as_of` may be a consequence."""
        return self.at <= as_of <= self.at + AFTER_RELEASE


def releases_of(model_id: int) -> tuple[Release, ...]:
    """A model's releases but for the first, newest first."""
    versions = registry.version_details(model_id)
    return tuple(Release(each["version"], each["released_at"]) for each in versions[:-1])


def attributes_of(attribute: str) -> frozenset[str]:
    """The protected attributes that a finding is about; none for what is measured over everybody."""
    return frozenset(attribute.split("*")) - {""}


def cause_join(*, model_id: int, attribute: str, as_of: datetime, releases: Sequence[Release]) -> tuple[Cause, str]:
    """The cause that a finding which opens now belongs to, and by what it belongs there."""
    about = attributes_of(attribute)
    release = next((each.version for each in releases if each.explains(as_of)), "")
    for cause in Cause.objects.filter(model_id=model_id, closed_at=None).order_by("-last_opened_as_of", "-id"):
        near = abs(as_of - cause.last_opened_as_of) <= TOGETHER
        shared = sorted(about & set(cause.attributes))
        if near and shared:
            return _joined(cause, about, as_of), f"the attribute {shared[0]}"
        if release and release == cause.release:
            return _joined(cause, about, as_of), f"the release of version {release}"
    cause = Cause.objects.create(
        model_id=model_id,
        attributes=sorted(about),
        release=release,
        opened_at=clock.now(),
        last_opened_as_of=as_of,
    )
    return cause, ""


def causes_close(model_id: int) -> None:
    """Close the causes that have no open finding left."""
    left = Finding.objects.filter(model_id=model_id, state=Finding.State.OPEN).values("cause_id")
    done = Cause.objects.filter(model_id=model_id, closed_at=None).exclude(pk__in=left.filter(cause__isnull=False))
    done.update(closed_at=clock.now())


def _joined(cause: Cause, about: frozenset[str], as_of: datetime) -> Cause:
    cause.attributes = sorted(about | set(cause.attributes))
    cause.last_opened_as_of = max(as_of, cause.last_opened_as_of)
    cause.save(update_fields=["attributes", "last_opened_as_of"])
    return cause
