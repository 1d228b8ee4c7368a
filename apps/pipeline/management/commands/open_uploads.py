"""Opens sealed uploads now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.pipeline import services


class Command(BaseCommand):
    help = (
        "Opens the sealed attribute uploads that wait, marks the hours of their subjects for counting and carries out "
        "erasures, as the compute worker does every 20 seconds. Runs on the compute side."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{services.open_uploads()} uploads opened")
