"""The permission matrix as people read it: in the documentation and as a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from apps.accounts.roles import APART, MATRIX, PERMISSIONS, ROLES
from tests.cast import PEOPLE, person, signed_in

DOCUMENT = Path(settings.BASE_DIR) / "docs" / "permissions.md"


class Cells(HTMLParser):
    """The rows of the page's tables, as lists of texts."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        self._open = tag in ("td", "th") or (self._open and tag == "span")
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag == "span"

    def handle_data(self, data: str) -> None:
        if self._open:
            self.rows[-1][-1] += data.strip()


def test_the_documentation_shows_the_matrix_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("permission_table")
    assert capsys.readouterr().out == DOCUMENT.read_text(encoding="utf-8"), (
        "Run manage.py permission_table > docs/permissions.md"
    )


def test_the_documentation_agrees_with_the_matrix_cell_by_cell() -> None:
    said = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if named := re.match(r"\|.*\| `([\w.]+)` \|$", line):
            said[named[1]] = [cell.strip() for cell in line.strip("|").split("|")][1:-1]
    words = {"everywhere": "yes", "own": "own models"}
    assert said == {verb: [words.get(cells.get(role, ""), "–") for role in ROLES] for verb, cells in MATRIX.items()}


def test_every_permission_is_explained_once() -> None:
    explained = [each.words for each in PERMISSIONS]
    assert all(explained)
    assert len(set(explained)) == len(explained)
    assert all(each.heading for each in PERMISSIONS)


@pytest.mark.django_db
@pytest.mark.parametrize("part", PEOPLE)
def test_everybody_who_is_signed_in_reads_it(part: str) -> None:
    answer = signed_in(person(part)).get("/permissions/")
    assert answer.status_code == 200
    page = Cells()
    page.feed(answer.content.decode())
    rows = {row[0]: row[1:] for row in page.rows}
    for each in PERMISSIONS:
        assert [cell != "–" for cell in rows[each.words]] == [role in each.cells for role in ROLES]
    role = PEOPLE[part][1]
    assert [title.endswith("you") for title in rows[""]] == [held == role for held in ROLES]
    for _, _, why in APART:
        assert why in answer.content.decode().replace("&#x27;", "'")


@pytest.mark.django_db
def test_who_is_not_signed_in_does_not(client: object) -> None:
    assert client.get("/permissions/")["Location"] == "/sign-in/?next=/permissions/"  # type: ignore[attr-defined]
