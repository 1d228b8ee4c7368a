"""A document on paper: headings, paragraphs, facts and tables as PDF, with the font embedded.

The font is a subset of DejaVu Sans for the Latin, Greek and Cyrillic scripts with their signs (`fonts/`); a character
of another script is shown as a replacement mark.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace, TTFFont

# It tells each table of a font that it cuts, on the level on which we tell what happens.
logging.getLogger("fontTools").setLevel(logging.WARNING)

_FONTS = Path(__file__).parent / "fonts"
_FAMILY = "DejaVu"
_INK, _MUTED, _RULE = (20, 32, 46), (90, 102, 115), (205, 212, 219)
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
_WHITE_SPACE = "\n\t"


class _Paper(FPDF):
    """A4 pages with their number and the document's name at the foot."""

    foot = ""

    def footer(self) -> None:
        self.set_y(-15)
        self.set_font(_FAMILY, size=8)
        self.set_text_color(*_MUTED)
        self.cell(0, 6, self.foot)
        self.set_x(self.l_margin)
        self.cell(0, 6, f"{self.page_no()} / {{nb}}", align="R")


class Document:
    """A document that is written from top to bottom; equal content and `at` give equal bytes.

    title: its name, also in the file's own data. foot: what stands at the foot of each page. at: when it was made.
    """

    def __init__(self, title: str, *, foot: str, at: datetime) -> None:
        paper = _Paper(format="A4")
        paper.set_margins(20, 18, 20)
        paper.set_auto_page_break(True, margin=22)
        paper.add_font(_FAMILY, "", _FONTS / "DejaVuSans.ttf")
        paper.add_font(_FAMILY, "B", _FONTS / "DejaVuSans-Bold.ttf")
        face = paper.fonts[_FAMILY.lower()]
        self._known = frozenset(face.cmap) if isinstance(face, TTFFont) else frozenset[int]()
        self._paper = paper
        paper.foot = self._shown(foot)
        paper.set_title(title)
        paper.set_lang("en-GB")
        paper.set_creation_date(at)
        paper.add_page()
        self._text(title, size=17, bold=True, after=3)

    def heading(self, text: str) -> None:
        """The heading of a section; it never stands alone at the end of a page."""
        if self._paper.will_page_break(28):
            self._paper.add_page()
        self._paper.ln(3)
        self._text(text, size=12.5, bold=True, after=1.5)

    def paragraph(self, text: str, *, bold: bool = False, muted: bool = False) -> None:
        """A paragraph; line ends are kept."""
        self._text(text, size=10, bold=bold, muted=muted, after=2)

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Labels and what they say, in two columns."""
        self.table((), rows, widths=(1, 3))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], *, widths: Sequence[int]) -> None:
        """A table; without `columns` it has no head. widths: proportions of the columns."""
        paper = self._paper
        paper.set_font(_FAMILY, size=9)
        paper.set_text_color(*_INK)
        paper.set_draw_color(*_RULE)
        with paper.table(
            col_widths=tuple(widths),
            first_row_as_headings=bool(columns),
            headings_style=FontFace(emphasis="BOLD", color=_MUTED),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            line_height=5,
            padding=1,
            text_align="LEFT",
        ) as table:
            if columns:
                table.row([self._shown(column) for column in columns])
            for row in rows:
                table.row([self._shown(cell) for cell in row])
        paper.ln(2)

    def content(self) -> bytes:
        """The file."""
        return bytes(self._paper.output())

    def _text(self, text: str, *, size: float, bold: bool = False, muted: bool = False, after: float) -> None:
        paper = self._paper
        paper.set_font(_FAMILY, "B" if bold else "", size)
        paper.set_text_color(*(_MUTED if muted else _INK))
        height = size * 0.52
        paper.multi_cell(0, height, self._shown(text), align="L", new_x="LMARGIN", new_y="NEXT")
        paper.ln(after)

    def _shown(self, text: str) -> str:
        kept = (each if ord(each) in self._known or each in _WHITE_SPACE else _UNKNOWN for each in text)
        return "".join(kept).replace("\t", "    ")
