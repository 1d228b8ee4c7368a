"""Keys of a test's own, so that the others keep theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from biasgov.keyring import Keyring


def own_key_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key-encryption key in a file of this test's own; answers its path."""
    path = folder / "key_encryption.key"
    path.write_text(bytes(range(32)).hex())
    path.chmod(0o600)
    ring: Keyring = settings.KEYRING
    monkeypatch.setattr(settings, "KEYRING", Keyring(ring.side, {**ring.paths, "key_encryption": path}))
    return path
