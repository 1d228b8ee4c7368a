"""Finding incidents and complaints by what somebody types: words of their text, or their number."""

from __future__ import annotations

from django.contrib.postgres.search import SearchQuery
from django.db.models import Q

from apps.incidents.models.incidents import LANGUAGE


def found_by(text: str) -> Q:
    """Rows whose `search` column holds the words, or whose number it is (``#17`` as well); all rows for no text."""
    if not text.strip():
        return Q()
    words = Q(search=SearchQuery(text, config=LANGUAGE, search_type="websearch"))
    number = text.strip().lstrip("#")
    return words | Q(pk=int(number)) if number.isdecimal() and len(number) < 10 else words
