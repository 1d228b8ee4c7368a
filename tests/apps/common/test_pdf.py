"""Documents on paper: what is written can be read back, whatever its script, and equal content gives equal bytes."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from apps.common.pdf import Document

AT = datetime(2026, 11, 2, 12, tzinfo=UTC)


def made(*paragraphs: str) -> bytes:
    paper = Document("Minutes of case 3", foot="Ethics board, case 3", at=AT)
    for text in paragraphs:
        paper.heading("Section")
        paper.paragraph(text)
    paper.table(("member", "vote"), [("Zoë Şahin", "for"), ("Łukasz Ωmega", "against")], widths=(1, 2))
    paper.facts([("digest", "0" * 64)])
    return paper.content()


def test_it_is_a_pdf_with_its_font_its_language_and_its_title() -> None:
    content = made("A paragraph.")
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert b"DejaVuSans" in content
    assert b"en-GB" in content
    assert b"(D:20261102120000Z)" in content


def test_a_character_is_embedded_with_its_code_for_copying_and_reading_aloud() -> None:
    mapped = made("Größe, Żółć, Δ ≥ 0, Дом")
    for character in "ößŻłΔ≥Д":
        assert f"> <{ord(character):04X}>".encode() in mapped, character


def test_other_scripts_are_marked_and_do_not_break_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        content = made("東京 and 🙂")
    assert caplog.records == []
    assert f"> <{0xFFFD:04X}>".encode() in content


def test_equal_content_gives_equal_bytes() -> None:
    assert made("One.", "Two.") == made("One.", "Two.")
    assert made("One.") != made("Two.")


def test_a_long_text_goes_over_many_pages() -> None:
    content = made(*("A long reason. " * 200 for _ in range(12)), "word" * 2000)
    assert content.count(b"/Type /Page\n") > 5
