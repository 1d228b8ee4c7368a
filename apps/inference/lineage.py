"""What the event log knows of events that somebody wants to learn from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db import connection

from apps.common.errors import Refused
from apps.inference.checks import event_keys
from apps.inference.packing import Uuids, cursor
from apps.registry.spec import ModelSpec

_HASH = re.compile(r"[0-9a-fA-F]{64}")

_LINEAGE = """
SELECT count(*), count(*) FILTER (WHERE labelled), count(*) FILTER (WHERE decision = %(favourable)s)
FROM (
    SELECT event.decision, EXISTS (
        SELECT FROM inference_label AS label WHERE label.model_id = %(model)s AND label.event_key = known.event_key
    ) AS labelled
    FROM unnest(%(keys)s) AS named (event_key)
    JOIN inference_event_key AS known ON known.model_id = %(model)s AND known.event_key = named.event_key
    JOIN inference_event AS event ON event.model_id = %(model)s AND event.occurred_at = known.occurred_at
        AND event.event_key = known.event_key
) AS found
"""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Named events: how many there are, were seen here, have an observed outcome, were decided favourably."""

    named: int
    found: int
    labelled: int
    favourable: int


def lineage_of(model: ModelSpec, *, event_ids: Sequence[str] = (), event_hashes: Sequence[str] = ()) -> Lineage:
    """The lineage of a model's events, named by id or by SHA-256 of the id in hexadecimal.

    Raises Refused for what is no such hash and for an event that is named twice.
    """
    for place, given in enumerate(event_hashes):
        if not _HASH.fullmatch(given):
            raise Refused(f"event_hashes[{place}]", "This is no SHA-256 in hexadecimal (64 characters).")
    hashed = np.frombuffer(b"".join(bytes.fromhex(given)[:16] for given in event_hashes), "V16")
    keys = np.concatenate([event_keys(event_ids), hashed])
    if len(np.unique(keys.view("<u8").reshape(-1, 2), axis=0)) != len(keys):
        raise Refused("event_ids", "An event is named twice.", code="duplicate")
    if not len(keys):
        return Lineage(0, 0, 0, 0)
    with cursor(connection) as database:
        database.execute(_LINEAGE, {"model": model.id, "favourable": model.favourable_decision, "keys": Uuids.of(keys)})
        found, labelled, favourable = database.fetchone() or (0, 0, 0)
    return Lineage(len(keys), found, labelled, favourable)
