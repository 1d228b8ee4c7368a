"""The cast, whose owner's model has its first version."""

from __future__ import annotations

import pytest

from tests.apps.thresholds.world import registered
from tests.cast import Cast


@pytest.fixture
def cast(db: None) -> Cast:
    assembled = Cast.assemble()
    registered(assembled.owned)
    return assembled
