"""Where scripts and style sheets come from: Plotly out of the installed package, hashed names in production."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage

PLOTLY = "vendor/plotly/plotly.min.js"
_STYLE_ID = re.compile(r'document\.getElementById\("([0-9a-f]{40,})"\)')


def plotly_folder() -> Path:
    """The folder of the installed plotly package that holds plotly.min.js."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise RuntimeError("The package plotly is not installed: run `make .venv`.")
    return Path(spec.origin).parent / "package_data"


class PlotlyFinder(BaseFinder):
    """Finds `vendor/plotly/plotly.min.js` in the installed plotly package and nothing else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.storage = FileSystemStorage(location=str(plotly_folder()))
        self.storage.prefix = str(Path(PLOTLY).parent)  # type: ignore[attr-defined]  # collectstatic reads it

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        found = str(Path(self.storage.location) / Path(PLOTLY).name) if path == PLOTLY else None
        if find_all:
            return [found] if found else []
        return found

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        yield Path(PLOTLY).name, self.storage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Content-hashed, compressed static files.

    Source maps are not looked for, and a vendored style sheet may name a file that is not shipped: the
    reference stays as it was written instead of ending collectstatic.
    """

    manifest_strict = False
    patterns = (
        (
            "*.css",
            (
                r"""(?P<matched>url\(['"]{0,1}\s*(?P<url>.*?)["']{0,1}\))""",
                (
                    r"""(?P<matched>@import\s*["']\s*(?P<url>.*?)["'])""",
                    """@import url("%(url)s")""",
                ),
            ),
        ),
    )

    def hashed_name(self, name: str, content: Any = None, filename: str | None = None) -> str:
        try:
            return str(super().hashed_name(name, content, filename))
        except ValueError:
            return name


@lru_cache(maxsize=1)
def plotly_style_ids() -> tuple[str, ...]:
    """Ids of the style elements that the bundle would insert itself.

    An element of that id in the page keeps the bundle from inserting it, which the content security policy
    would refuse and report. Read from the bundle, so that another plotly version needs no change here.
    """
    script = (plotly_folder() / Path(PLOTLY).name).read_text(encoding="utf-8")
    return tuple(dict.fromkeys(_STYLE_ID.findall(script)))
