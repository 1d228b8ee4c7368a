"""The gateways that serve the simulated models: they ask for the status, hold to it and acknowledge it, as any would.

Nothing is decided behind them, and what the models would have decided goes on being sent: that is what is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from biasgov.client import Failing, StatusClient

SERVED: Final[Mapping[str, Sequence[str]]] = {
    "security-triage": ("desk-americas", "desk-apac"),
    "claims-triage": ("claims-desk",),
}


class Gateways:
    """One client for each gateway, asking in the background until it is stopped."""

    def __init__(self, url: str, *, token: str, key: str, refresh: float = 5.0) -> None:
        self._clients = [
            StatusClient(
                url, model=model, token=token, keys=[key], gateway=name, failing=Failing.CLOSED, refresh=refresh
            )
            for model, names in SERVED.items()
            for name in names
        ]

    def start(self) -> None:
        """Ask once, so that each is known, and go on asking."""
        for client in self._clients:
            client.start()

    def stop(self) -> None:
        for client in self._clients:
            client.stop()
