"""Who did something, by the names that people know each other by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from apps.accounts.selectors import names_by_username

Names = Mapping[str, str]
NONE: Names = MappingProxyType({})
_SYSTEMS = {"system:board": "the ethics board"}


def names_among(actors: Iterable[str]) -> Names:
    """The names of the people among these actors, by user name. One query, none where nobody is among them."""
    usernames = {each.removeprefix("user:") for each in actors if each.startswith("user:")}
    return names_by_username(usernames) if usernames else NONE


def actor_name(actor: str, names: Names = NONE) -> str:
    """An actor of the audit log as a reader knows it: `user:ines` by the name that is known, a token a program."""
    kind, _, name = actor.partition(":")
    if kind == "user":
        return names.get(name, name)
    return _SYSTEMS.get(actor) or {"token": f"program {name}", "system": "the pipeline"}.get(kind, actor)
