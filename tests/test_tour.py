"""The guided tour: each picture that a page shows is there, and the script makes it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.pictures.make import GATE, PICTURES

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = sorted((DOCS / "tour").glob("*.md"))
SHOWN = {page.stem: re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8")) for page in PAGES}


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != "README"], ids=lambda page: page.stem)
def test_a_day_has_two_to_four_pictures_that_the_script_makes(page: Path) -> None:
    shown = [(page.parent / each).resolve().relative_to(DOCS / "pictures") for each in SHOWN[page.stem]]
    assert 2 <= len(shown) <= 4
    assert all((DOCS / "pictures" / each).is_file() for each in shown)
    assert {str(each.with_suffix("")) for each in shown} <= {*PICTURES, GATE}


def test_every_picture_of_the_tour_is_shown_and_listed() -> None:
    made = {name for name in (*PICTURES, GATE) if name.startswith("tour/")}
    kept = {f"tour/{each.stem}" for each in (DOCS / "pictures" / "tour").glob("*.png")}
    shown = {f"tour/{Path(each).stem}" for found in SHOWN.values() for each in found}
    assert made == kept
    assert made <= shown


def test_every_day_is_in_the_index() -> None:
    index = (DOCS / "tour" / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if page.name != "README.md" and f"({page.name})" not in index] == []
