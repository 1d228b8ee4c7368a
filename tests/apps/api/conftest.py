"""A registered model that the calls are about."""

from __future__ import annotations

import pytest

from apps.registry.spec import ModelSpec
from tests.apps.inference.models import registered


@pytest.fixture
def spec(db: None) -> ModelSpec:
    return registered("hiring")
