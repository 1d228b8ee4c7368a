"""People who asked to be erased: their events stay as counts do, and belong to nobody any more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from django.db import connection, transaction

from apps.inference.packing import Uuids, cursor

_DETAILS = """
DELETE FROM inference_event_detail AS detail USING inference_event AS event
WHERE event.subject = ANY(%s) AND detail.model_id = event.model_id AND detail.event_key = event.event_key
"""
_SUBJECTS = "UPDATE inference_event SET subject = gen_random_uuid() WHERE subject = ANY(%s)"


def subjects_forget(*, subjects: Sequence[bytes]) -> int:
    """Give every event of the pseudonyms (16 bytes each) one of its own that means nobody; returns how many events.

    What came with the events, features and overrides, goes. The hours are not counted again: a count that is one less
    than it was told before would say what the person's attributes were. Whoever is counted again is unknown.
    """
    if not subjects:
        return 0
    packed = Uuids.of(np.frombuffer(b"".join(subjects), "V16"))
    with transaction.atomic(), cursor(connection) as database:
        database.execute(_DETAILS, [packed], prepare=False)
        database.execute(_SUBJECTS, [packed], prepare=False)
        return database.rowcount
