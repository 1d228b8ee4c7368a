"""The door where a person's id becomes a pseudonym; behind it the id is not known any more."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from apps.vault.pseudonyms import Pseudonymiser


def pseudonyms_of(subject_ids: Sequence[str]) -> npt.NDArray[np.void]:
    """The pseudonyms of `subject_ids` as void values of 16 bytes."""
    return np.frombuffer(b"".join(_pseudonymiser().many(subject_ids)), "V16")


@cache
def _pseudonymiser() -> Pseudonymiser:
    return Pseudonymiser()
