"""The one door through which attributes of individuals leave the vault; for `apps.monitoring` alone.

What comes out is integer codes in memory, never names or levels. A read is written to the audit log, and that entry
is committed, before anything is decrypted; where it cannot be written there is no read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
from django.db import transaction

from apps.audit import services as audit
from apps.vault import keys
from apps.vault.blocks import choices_in
from apps.vault.columns import Subjects, halves, how_many
from apps.vault.purpose import entering
from apps.vault.shelf import shelf, taken
from biasgov.fairness.cube import Axis

Codes = npt.NDArray[np.int16]


def attribute_codes(
    *,
    subjects: Subjects,
    axes: Sequence[Axis],
    model: str,
    hours: tuple[datetime, datetime],
    purpose: str = "monitoring",
) -> list[Codes]:
    """Codes of subjects on a model's attribute axes; who is not in the vault is unknown on every axis.

    Parameters
    ----------
    subjects
        Pseudonyms, shape (n, 16); the same one may come many times.
    axes
        The model's protected attributes.
    model, hours
        Whose events, and of which range of time, they are needed for; written to the audit log with `purpose`.

    Returns
    -------
    list of arrays
        For each axis the codes, shape (n,): 0 to len(levels) - 1, and len(levels) for unknown.

    Raises
    ------
    VaultError
        A block is damaged, is missing, is not in its own place, or its key is not here. No code is returned then.
    KeysUnavailable
        The key-encryption key is out of reach; the read may be tried again.
    RuntimeError
        The caller has a transaction open: the audit entry could still be undone.
    """
    high, low = halves(subjects)
    with transaction.atomic(durable=True):
        audit.append(
            actor="system:compute",
            action="vault.attributes_read",
            subject=f"model:{model}",
            detail={
                "purpose": purpose,
                "from": hours[0].isoformat(),
                "to": hours[1].isoformat(),
                "subjects": how_many(high),
            },
        )
    codes = np.empty((len(subjects), len(axes)), np.int16)
    codes[:] = [len(axis.levels) for axis in axes]
    decode = _Decoder(axes)
    with entering("monitoring") as cursor:
        known, ranges = keys.data_keys(cursor), shelf(cursor)
        if not (len(ranges) and len(subjects)):
            return list(codes.T)
        needed, rows = ranges.sorted_out(high)
        for block, here in zip(taken(cursor, ranges.first[needed], known), rows, strict=True):
            row, found = block.rows_of_halves(high[here], low[here])
            codes[here[found]] = decode(block.choices)[block.choice[row[found]]]
    return list(codes.T)


class _Decoder:
    """Turns a block's choices into codes, shape (choices, axes). Blocks share them, so each is parsed once."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        self._axes = axes
        self._codes: dict[bytes, Codes] = {}

    def __call__(self, choices: bytes) -> Codes:
        codes = self._codes.get(choices)
        if codes is None:
            read = [[axis.code(each.get(axis.name)) for axis in self._axes] for each in choices_in(choices)]
            codes = self._codes[choices] = np.array(read, np.int16).reshape(-1, len(self._axes))
        return codes
