"""A search for traces of a person over everything that is kept: opened, unpacked and as text where it is not text."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

import redis
from django.conf import settings
from django.db import connection

from apps.vault import crypto, keys, shelf
from apps.vault.models import VaultUpload, VaultUploadPart
from apps.vault.purpose import entering
from tests.sides import side

TABLES = """
SELECT format('%I.%I', n.nspname, c.relname), has_table_privilege('biasgov_compute', c.oid, 'SELECT')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_cat' AND n.nspname <> 'information_schema'
"""


def traces(value: bytes | UUID | str) -> set[bytes]:
    """How a value may be written: as it is, in hexadecimal, with hyphens."""
    if isinstance(value, str):
        return {value.encode(), value.encode().hex().encode()}
    known = value if isinstance(value, UUID) else UUID(bytes=value)
    return {known.bytes, known.hex.encode(), str(known).encode()}


def known_in(wanted: Iterable[bytes], *, beside: Iterable[Path] = ()) -> set[str]:
    """Where any of the traces is found; `beside`: further folders that are searched."""
    return {place for place, content in everything(beside) if any(trace in content for trace in wanted)}


def everything(beside: Iterable[Path] = ()) -> Iterator[tuple[str, bytes]]:
    """The content of every table of every schema, the vault opened, the broker, and every file but PostgreSQL's own."""
    yield from _tables()
    yield from _vault()
    broker = redis.Redis.from_url(settings.REDIS_URL)
    for key in broker.scan_iter():
        yield f"broker {key!r}", key + _held(broker, key)
    for folder in (Path(settings.HOME), *beside):
        for path in folder.rglob("*"):
            if path.is_file() and "postgres" not in path.as_posix():
                yield str(path), path.read_bytes()


def _tables() -> Iterator[tuple[str, bytes]]:
    with side("owner"), connection.cursor() as cursor:
        cursor.execute(TABLES)
        tables = cursor.fetchall()
    for name, opens in tables:
        vault = name.startswith("vault.") and opens
        with side("compute" if vault else "owner"), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('biasgov.purpose', %s, true)", ["keys" if vault else ""])
            cursor.execute(f"SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM {name} t")
            yield name, cursor.fetchone()[0].encode()
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("SELECT id, document FROM monitoring_run")
        for identity, document in cursor.fetchall():
            yield f"run {identity}, unpacked", zlib.decompress(bytes(document))


def _vault() -> Iterator[tuple[str, bytes]]:
    """What only the compute side's keys open: blocks, and uploads that wait."""
    with side("compute"):
        with entering("keys") as cursor:
            known = keys.data_keys(cursor)
            cursor.execute("SELECT first, last, key_version, body FROM vault.block", binary=True)
            for stored in cursor.fetchall():
                block = shelf.opened(known, *stored)
                yield "vault.block, opened", block.subjects.tobytes() + block.choices
        for part in VaultUploadPart.objects.order_by("upload_id", "place"):
            upload = VaultUpload.objects.get(pk=part.upload_id)
            last = upload.state != VaultUpload.State.RECEIVING and part.place == upload.parts - 1
            people = crypto.open_chunk(
                bytes(part.sealed), keys.private_key(), upload=upload.pk.bytes, index=part.place, last=last
            )
            yield "vault_upload_part, opened", people.subjects.tobytes() + str(people.choices).encode()


def _held(broker: redis.Redis, key: bytes) -> bytes:
    """A key's content as it is: what DUMP answers may be compressed."""
    match broker.type(key):
        case b"string":
            return bytes(broker.get(key) or b"")
        case b"list":
            return b"\n".join(broker.lrange(key, 0, -1))
        case b"set":
            return b"\n".join(broker.smembers(key))
        case b"hash":
            return b"\n".join(part for pair in broker.hgetall(key).items() for part in pair)
        case b"zset":
            return b"\n".join(broker.zrange(key, 0, -1))
        case other:
            raise AssertionError(f"{key!r} is a {other!r}, which nobody searches")
