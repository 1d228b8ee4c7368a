"""Events that somebody names: found in the log by the ids that their sender gave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db import connection

from apps.inference.checks import event_keys

_NAMED = """
SELECT known.event_key, known.occurred_at, event.decision
FROM inference_event_key AS known
JOIN inference_event AS event ON event.model_id = known.model_id AND event.occurred_at = known.occurred_at
    AND event.event_key = known.event_key
WHERE known.model_id = %s AND known.event_key = ANY (%s::uuid[])
"""

_SUBJECTS = """
SELECT named.place, event.subject
FROM unnest(%s::uuid[], %s::timestamptz[]) WITH ORDINALITY AS named (event_key, occurred_at, place)
JOIN inference_event AS event ON event.model_id = %s AND event.occurred_at = named.occurred_at
    AND event.event_key = named.event_key
ORDER BY named.place
"""


@dataclass(frozen=True, slots=True)
class NamedEvent:
    """An event of the log: the key that stands for its id, when it was, and what the model decided (0 or 1)."""

    key: UUID
    occurred_at: datetime
    decision: int


def events_named(model_id: int, event_ids: Sequence[str]) -> list[NamedEvent | None]:
    """The events with these ids, in their order; None where the model's log has none such. One query."""
    keys = [UUID(bytes=key.tobytes()) for key in event_keys(event_ids)] if event_ids else []
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, [model_id, keys])
        found = {row[0]: NamedEvent(*row) for row in cursor.fetchall()}
    return [found.get(key) for key in keys]


def subjects_of(model_id: int, events: Sequence[tuple[UUID, datetime]]) -> npt.NDArray[np.uint8]:
    """The pseudonyms of the subjects of these events (key and time), in their order, shape (n, 16).

    Raises LookupError if one of the events is not in the log any more.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SUBJECTS, [[key for key, _ in events], [at for _, at in events], model_id])
        found = [subject.bytes for _, subject in cursor.fetchall()]
    if len(found) != len(events):
        raise LookupError(f"{len(events) - len(found)} of {len(events)} events of model {model_id} are gone.")
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, 16)
