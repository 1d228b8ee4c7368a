"""The one error of the embedded services."""

from pathlib import Path


class LocalServicesError(RuntimeError):
    """An embedded service could not do what was asked; the message says why and what to do."""


def last_lines(log: Path, *, since: int = 0, count: int = 12) -> str:
    """The last ``count`` lines ``log`` gained after byte ``since``, indented for an error message."""
    try:
        with log.open("rb") as stream:
            stream.seek(since)
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        lines = []
    return "".join(f"\n    {line}" for line in lines[-count:])
