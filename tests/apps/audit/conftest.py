from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apps.approvals.conftest import effects

__all__ = ["effects"]


@pytest.fixture(autouse=True)
def head_path(tmp_path: Path, settings: Any) -> Path:
    """Every test has a file of tree heads of its own."""
    path = tmp_path / "audit" / "tree-heads.jsonl"
    settings.AUDIT_TREE_HEADS = path
    return path
