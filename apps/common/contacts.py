"""Addresses and telephone numbers in a text that must not tell who somebody is. Names cannot be noticed."""

from __future__ import annotations

import re

_CONTACT = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+|(?<!\d)\+\d[\d ()/-]{7,}\d")

REFUSAL = "This holds an address or telephone number. Leave out whatever tells who somebody is."


def holds_contact(text: str) -> bool:
    """Whether the text holds a mail address or an international telephone number."""
    return _CONTACT.search(text) is not None
