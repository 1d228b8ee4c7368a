"""Changing keys while the vault is in use: data keys by age and by count, the key-encryption key on command.

No step is ever one that a reader could fall into: whoever reads holds a shared lock for as long as it reads, and a
data key is made, or wrapped again, only when nobody does (`purpose`). Blocks are then sealed again batch by batch,
each batch a transaction of its own; a process that is killed leaves nothing half done, and the next one goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.vault import keys, shelf
from apps.vault.crypto import VaultError
from apps.vault.models import VaultKeyReport
from apps.vault.purpose import entering
from apps.vault.wrapping.choice import key_encryption, unwrapped
from apps.vault.wrapping.interface import KeyEncryption, WrappedKey, same_key

MOST_SEALED = 2**30
"""Blocks under one data key: random nonces of 96 bits allow 2**32 (NIST SP 800-38D, 8.3)."""
BATCH = 64
ACTOR = "system:compute"


@dataclass(frozen=True, slots=True)
class KeyState:
    """A data key as operators see it: how many blocks it has sealed, and how many people are in those it seals now."""

    version: int
    wrapped_by: str
    created_at: datetime
    sealed: int
    people: int
    used: bool
    due: bool


@dataclass(frozen=True, slots=True)
class VaultKeys:
    """The data keys, oldest first, the floor below which they are refused, and the newest version."""

    keys: tuple[KeyState, ...]
    floor: int

    @property
    def newest(self) -> int:
        return self.keys[-1].version if self.keys else 0

    @property
    def left(self) -> int:
        """People whose blocks are still to be sealed under the newest key."""
        return sum(key.people for key in self.keys if key.version != self.newest)


def vault_keys() -> VaultKeys:
    """The keys as they stand. Compute side."""
    with entering("keys") as cursor:
        cursor.execute(
            "SELECT k.version, k.wrapped_by, k.created_at, k.sealed,"
            " (SELECT coalesce(sum(b.people), 0)::bigint FROM vault.block b WHERE b.key_version = k.version),"
            " EXISTS (SELECT FROM vault.block b WHERE b.key_version = k.version)"
            " FROM vault.data_key k ORDER BY k.version"
        )
        found = [
            KeyState(version, wrapped_by, created_at, sealed, people, used, _due(created_at, sealed))
            for version, wrapped_by, created_at, sealed, people, used in cursor.fetchall()
        ]
        return VaultKeys(tuple(found), keys.floor(cursor))


def keys_report() -> None:
    """Write down for the web side, which may not ask, how the keys stand; no key is in it."""
    state = vault_keys()
    days = timedelta(days=settings.DATA_KEY_DAYS)
    VaultKeyReport.objects.update_or_create(
        pk=1,
        defaults={
            "keys": [
                {
                    "version": key.version,
                    "wrapped_by": key.wrapped_by,
                    "created_at": key.created_at.isoformat(),
                    "sealed": key.sealed,
                    "people": key.people,
                }
                for key in state.keys
            ],
            "floor": state.floor,
            "next_at": state.keys[-1].created_at + days if state.keys else None,
            "reported_at": clock.now(),
        },
    )


def data_key_make() -> int:
    """Make the next data key; what is sealed from now on is sealed under it. Answers its version."""
    with entering("keys") as cursor:
        version = max(keys.data_keys(cursor), default=0) + 1
        keys.make_data_key(cursor, version)
        audit.append(actor=ACTOR, action="vault.data_key_made", subject=f"vault-key:{version}")
    return version


def blocks_reseal(*, limit: int = BATCH) -> int:
    """Seal up to `limit` blocks again under the newest data key; answers how many people are in them.

    Never 0 unless no block is left.

    Raises VaultError if one of them is damaged: then none of the batch is changed.
    """
    with entering("rotation") as cursor:
        known = keys.data_keys(cursor)
        if not known:
            return 0
        newest = known[max(known)]
        cursor.execute(
            "SELECT first, last, key_version, body FROM vault.block WHERE key_version < %s"
            " ORDER BY key_version, first LIMIT %s FOR UPDATE SKIP LOCKED",
            [newest.version, limit],
            binary=True,
        )
        stored = cursor.fetchall()
        if not stored:
            return 0
        opened = [shelf.opened(known, *each) for each in stored]
        keys.count_sealed(cursor, newest, len(opened))
        shelf.put_back(cursor, opened, newest)
        people = sum(len(block) for block in opened)
        audit.append(
            actor=ACTOR,
            action="vault.blocks_resealed",
            subject=f"vault-key:{newest.version}",
            detail={"blocks": len(opened), "people": people, "from": sorted({version for _, _, version, _ in stored})},
        )
    return max(people, 1)


def floor_raise(*, version: int) -> int:
    """Refuse data keys below `version` from now on and destroy them; answers how many were destroyed.

    Raises Refused if the version does not exist, is below the floor, or blocks are still under an older one.
    """
    state = vault_keys()
    if not state.floor <= version <= state.newest:
        raise Refused("floor", f"must be a version from {state.floor} to {state.newest}.", code="out_of_range")
    older = [key for key in state.keys if key.version < version and key.used]
    if older:
        left = sum(key.people for key in older)
        raise Refused(
            "floor", f"{left:,} people's blocks are under older keys; seal them again first (--data).", code="in_use"
        )
    with entering("keys") as cursor:
        cursor.execute("UPDATE vault.key_floor SET version = %s, raised_at = %s", [version, clock.now()])
        cursor.execute("DELETE FROM vault.data_key WHERE version < %s", [version])
        destroyed = cursor.rowcount
        audit.append(
            actor=ACTOR,
            action="vault.key_floor_raised",
            subject=f"vault-key:{version}",
            detail={"destroyed": destroyed},
        )
    return destroyed


def key_encryption_rotate() -> str:
    """Wrap every data key with a new key-encryption key, or a new version of it; answers its id.

    A change that was killed goes on with the key that it had made. Where the environment names another key than the
    one that wrapped the data keys, that one takes over as it is. Raises VaultError if a data key does not come back.
    """
    wrapping = key_encryption()
    present = wrapping.key_id()
    unfinished = any(key.wrapped_by != present for key in vault_keys().keys)
    with wrapping.renewing(unfinished=unfinished) as renewed:
        _wrap_again(renewed)
        return renewed.key_id()


def _wrap_again(wrapping: KeyEncryption) -> None:
    with entering("keys") as cursor:
        cursor.execute("SELECT version, wrapped, wrapped_by FROM vault.data_key ORDER BY version")
        stored = [(version, WrappedKey(bytes(content), by)) for version, content, by in cursor.fetchall()]
        for version, wrapped in stored:
            data_key = unwrapped(wrapped, version=version)
            fresh = wrapping.wrap(data_key, version=version)
            if wrapping.unwrap(fresh, version=version) != data_key:
                raise VaultError(f"Data key {version} does not come back as it was; nothing was changed.")
            cursor.execute(
                "UPDATE vault.data_key SET wrapped = %s, wrapped_by = %s WHERE version = %s",
                [fresh.content, fresh.wrapped_by, version],
            )
        audit.append(
            actor=ACTOR,
            action="vault.key_encryption_rotated",
            subject=f"vault-key-encryption:{wrapping.key_id()}",
            detail={"data_keys": len(stored)},
        )


def rotate_when_due(*, seconds: float) -> bool:
    """Make a data key if the newest is due, and seal blocks again for about `seconds`; True if some are left.

    Data keys under an older version of the key-encryption key, which its service has rotated, are wrapped again.
    """
    deadline = time.monotonic() + seconds
    state = vault_keys()
    if state.keys and state.keys[-1].due:
        data_key_make()
    present = key_encryption().key_id() if state.keys else ""
    if any(key.wrapped_by != present and same_key(key.wrapped_by, present) for key in state.keys):
        key_encryption_rotate()
    left = any(time.monotonic() >= deadline for _ in resealing())
    keys_report()
    return left


def resealing() -> Iterator[int]:
    """Seal all blocks again under the newest data key, yielding every batch's people once it is committed."""
    while done := blocks_reseal():
        yield done


def _due(created_at: datetime, sealed: int) -> bool:
    return sealed >= MOST_SEALED or clock.now() - created_at >= timedelta(days=settings.DATA_KEY_DAYS)
