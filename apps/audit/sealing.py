"""Signing tree heads: the compute side vouches, outside the database, for what the log said at a moment.

Compute signs because it faces no network. It signs a head only if the tree continues the last head that it signed.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction

from apps.audit import selectors
from apps.audit.keys import head_file, signing_key
from apps.audit.services import append, integrate
from apps.audit.stamping import stamp
from apps.common import clock
from apps.common.errors import Refused
from biasgov.audit.heads import HeadError, HeadFile, SignedHead, log_id, sign
from biasgov.audit.merkle import TreeHead
from biasgov.audit.stamps import StampError

logger = logging.getLogger(__name__)

ACTOR = "system:audit"
SUBJECT = "audit:tree-heads"
SIGN_OF_LIFE = timedelta(hours=1)
"""A head is signed this often even if the log has not grown."""


class LogForked(Exception):  # noqa: N818 - what happened, not what failed
    """The tree in the database does not continue the last signed head."""


def log_seal() -> SignedHead | None:
    """Give waiting entries their places, and sign the tree's head if that is due; answers the new head.

    Raises
    ------
    LogForked
        The log was rolled back, cut short or rewritten. Nothing is signed until people have seen to it.
    HeadError
        The end of the file of heads cannot be read.
    """
    heads = head_file()
    with heads.locked() as ours:
        return _seal(heads, clock.now()) if ours else None


def heads_begin_anew(*, actor: str, reason: str) -> tuple[SignedHead, Path]:
    """Set the file of heads aside and begin another, after a fork that people have looked into.

    The old file is kept beside the new one, under the time in its name; that and the reason are in the log. Answers the
    new head, and where the old file is.

    Raises
    ------
    Refused
        There is no file of heads; no reason is given; the log continues the last head, so that nothing forked; or a
        head is just being signed.
    """
    if not reason.strip():
        raise Refused("reason", "Say why: what was restored, from when, and who looked into it.")
    heads, now = head_file(), clock.now()
    with heads.locked() as ours:
        if not ours:
            raise Refused("heads", "A tree head is just being signed: try again.", code="busy")
        aside = heads.path.with_name(f"{heads.path.stem}-until-{now:%Y%m%dT%H%M%S.%fZ}.jsonl")
        _demand_fork(heads)
        _set_aside(heads.path, aside, actor, reason.strip())
        integrate()
        return _sign(heads, None, now), aside


def _demand_fork(heads: HeadFile) -> None:
    try:
        last = heads.last()
    except HeadError:
        return
    if last is None:
        raise Refused("heads", f"There is no signed head in {heads.path}.", code="missing")
    if selectors.continues(last):
        raise Refused("heads", "The log continues its last signed head: there is nothing to begin anew.", code="whole")


def _set_aside(path: Path, aside: Path, actor: str, reason: str) -> None:
    try:
        with transaction.atomic():
            append(
                actor=actor,
                action="audit.heads_begun_anew",
                subject=SUBJECT,
                detail={"reason": reason, "kept": aside.name},
            )
            path.rename(aside)
    except BaseException:
        # Without its entry the old file stays in its place.
        if aside.exists() and not path.exists():
            aside.rename(path)
        raise


def _seal(heads: HeadFile, now: datetime) -> SignedHead | None:
    last = heads.last()
    if last is not None and not selectors.continues(last):
        raise LogForked(f"the tree does not continue the head of size {last.size:,} signed at {last.signed_at:%F %T}")
    integrate()
    return _sign(heads, last, now) if _due(last, selectors.tree_size(), now) else None


def _due(last: SignedHead | None, size: int, now: datetime) -> bool:
    if last is None:
        return size > 0
    age = now - last.signed_at
    return age >= SIGN_OF_LIFE or (size > last.size and age >= timedelta(seconds=settings.AUDIT_TREE_HEAD_SECONDS))


def _sign(heads: HeadFile, last: SignedHead | None, now: datetime) -> SignedHead:
    key = signing_key()
    if last is None or last.log_id != log_id(key.public_key()):
        with transaction.atomic():
            append(actor=ACTOR, action="audit.heads_begun" if last is None else "audit.key_changed", subject=SUBJECT)
        integrate()
    head: TreeHead = selectors.tree_head()
    signed = sign(key, head, max(now, last.signed_at) if last else now)
    signed = _stamped(heads, signed)
    heads.append(signed)
    return signed


def _stamped(heads: HeadFile, signed: SignedHead) -> SignedHead:
    """With a time stamp, if an authority is configured and none of this period's heads has one."""
    if not settings.TIME_STAMP_URL:
        return signed
    period = settings.TIME_STAMP_SECONDS * 1000
    if any(each.time_stamp for each in heads.since(signed.timestamp // period * period)):
        return signed
    try:
        return replace(signed, time_stamp=stamp(signed.stamped_bytes))
    except StampError as problem:
        logger.error("the tree head of size %d was not time-stamped: %s", signed.size, problem)
        return signed
