"""Changes the vault's keys while it is in use."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from apps.common.errors import Refused
from apps.vault import rotation
from apps.vault.crypto import VaultError
from apps.vault.wrapping.interface import KeysUnavailable
from biasgov.environment import ConfigurationError


class Command(BaseCommand):
    help = (
        "Changes the vault's keys while hours are counted and uploads come in. Runs on the compute side. What was "
        "killed is taken up again by the same command. Without an option it says how the keys stand, no more."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--kek", action="store_true", help="wrap data keys with a new key-encryption key")
        parser.add_argument("--data", action="store_true", help="make a data key and seal everything again under it")
        parser.add_argument("--resume", action="store_true", help="seal what is left under the newest data key")
        parser.add_argument(
            "--floor",
            type=int,
            metavar="N",
            help="refuse and destroy data keys below version N, no longer in use",
        )

    def handle(self, *args: Any, kek: bool, data: bool, resume: bool, floor: int | None, **options: Any) -> None:
        try:
            if kek:
                self.stdout.write(f"Data keys are wrapped by {rotation.key_encryption_rotate()} now.")
            if data:
                self.stdout.write(f"Data key {rotation.data_key_make()} is made.")
            if data or resume:
                self._reseal()
            if floor is not None:
                destroyed = rotation.floor_raise(version=floor)
                self.stdout.write(f"Data keys below {floor} are refused; {destroyed} destroyed.")
        except Refused as refused:
            raise CommandError(f"{refused.field}: {refused.message}") from None
        except (VaultError, KeysUnavailable, ConfigurationError) as error:
            raise CommandError(str(error)) from None
        self._describe()

    def _reseal(self) -> None:
        with tqdm(total=rotation.vault_keys().left, unit=" people", desc="sealed again", mininterval=1) as progress:
            for done in rotation.resealing():
                progress.update(done)

    def _describe(self) -> None:
        rotation.keys_report()
        state = rotation.vault_keys()
        if not state.keys:
            self.stdout.write("There is no data key yet: the first upload makes it.")
        for key in state.keys:
            self.stdout.write(
                f"data key {key.version}: made {key.created_at:%Y-%m-%d}, {key.people:,} people, "
                f"{key.sealed:,} blocks sealed in all, wrapped by {key.wrapped_by}{', due' if key.due else ''}"
            )
        self.stdout.write(f"floor {state.floor}; {state.left:,} people are not under the newest key")
