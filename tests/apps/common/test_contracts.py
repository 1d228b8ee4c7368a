"""The contracts on imports leave no app out: one that is added later must not go around the vault unseen."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
CONTRACTS = {
    each["name"]: each
    for each in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
}
ALLOWED = {
    "Only monitoring may read protected attributes": {"apps.vault", "apps.monitoring"},
    "What opens attributes is the vault's own": {"apps.vault"},
    "Counts leave monitoring only as runs, small groups hidden": {"apps.monitoring"},
}


def apps() -> set[str]:
    return {f"apps.{path.parent.name}" for path in ROOT.glob("apps/*/__init__.py")}


@pytest.mark.parametrize("name", ALLOWED)
def test_everybody_but_the_owner_is_bound(name: str) -> None:
    assert set(CONTRACTS[name]["source_modules"]) == apps() - ALLOWED[name] | {"biasgov"}


def test_every_app_has_its_layer() -> None:
    (layers,) = (each["layers"] for each in CONTRACTS.values() if each["type"] == "layers")
    assert {name for layer in layers for name in layer.split(" : ")} == apps()


def test_what_the_vault_lends_to_others_is_named() -> None:
    """A new module of the vault is its own until somebody says that it is not."""
    own = set(CONTRACTS["What opens attributes is the vault's own"]["forbidden_modules"])
    modules = {
        f"apps.vault.{path.stem}" for path in ROOT.glob("apps/vault/*.py") if path.stem not in ("__init__", "apps")
    }
    lent = {"columns", "enrichment", "pseudonyms", "rows", "schemas", "selectors", "services"}
    assert modules | {"apps.vault.wrapping"} == own | {f"apps.vault.{name}" for name in lent}
