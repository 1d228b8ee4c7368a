"""How a sentence names a group of people: `African-American women aged 25-45`."""

from __future__ import annotations

import re

_NOUNS = {
    "female": "women",
    "f": "women",
    "woman": "women",
    "women": "women",
    "male": "men",
    "m": "men",
    "man": "men",
    "men": "men",
    "nonbinary": "non-binary people",
    "non-binary": "non-binary people",
    "non_binary": "non-binary people",
}
_GENDER = {"sex", "gender"}
_ORIGIN = {"race", "ethnicity", "ethnic"}
_PLACE = {"region", "country", "location", "continent", "state", "territory", "site"}
_COMPARISON = re.compile(r"^(Less|Greater|Under|Over|Below|Above|More|Older|Younger)\b")


def group_phrase(attribute: str, group: str) -> str:
    """A plural noun phrase for a level, or for levels joined by `*` (of attributes joined by `*`)."""
    noun = "people"
    before: list[str] = []
    after: list[str] = []
    for name, level in zip(attribute.split("*"), group.split("*"), strict=True):
        words = name.lower().split("_")
        if level == "unknown":
            after.append(f"of unknown {name.replace('_', ' ')}")
        elif words[-1] in _GENDER and level.lower() in _NOUNS:
            noun = _NOUNS[level.lower()]
        elif _ORIGIN & set(words):
            before.append(level if level.lower() != "other" else "other")
            after += [f"(by {name.replace('_', ' ')})"] if level.lower() == "other" else []
        elif "age" in words:
            after.append(f"aged {_COMPARISON.sub(lambda found: found.group().lower(), level)}")
        elif words[-1] in _PLACE:
            after.append(f"from {level}")
        else:
            after.append(f"with {name.replace('_', ' ')} {level}")
    return " ".join([*before, noun, *after])


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
