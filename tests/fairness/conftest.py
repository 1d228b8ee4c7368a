"""Examples of property tests take as long as they take: time on a shared machine proves nothing."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
