from pathlib import Path

import pytest

from tests.gate.world import Gate


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)
