"""What is wrong with the log right now, seen from the web side, which cannot sign: each minute, and cheap."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from apps.audit.guards import guard_faults
from apps.audit.keys import head_file, known_keys
from apps.audit.models import AuditLeaf, AuditPending
from apps.audit.sealing import SIGN_OF_LIFE
from apps.audit.selectors import continues
from apps.audit.verification import verification_latest
from apps.common import clock
from biasgov.audit.heads import HeadError, HeadFile, SignedHead, check_by_one_of

LATE = timedelta(minutes=15)
"""How much longer than promised a tree head may take before that is an alarm."""


def log_faults() -> dict[str, str]:
    """The kinds of fault that hold now, each with a sentence; empty for a log in order.

    ``forked``: the tree does not continue the last signed head. ``heads``: the heads cannot be read, or are not signed
    by our key. ``late``: nothing was signed for too long. ``unstamped``: no time stamp for too long. ``guards``: what
    refuses changes in the database was taken away. ``broken``: the last full check found faults.
    """
    heads = head_file()
    return {**_head_faults(heads), **_guard_faults(), **_check_faults()}


def _head_faults(heads: HeadFile) -> dict[str, str]:
    try:
        last = heads.last()
        if last is not None:
            check_by_one_of(last, known_keys())
    except (HeadError, OSError) as error:
        return {"heads": f"The file of signed tree heads cannot be relied on: {error}."}
    if last is None:
        return _nothing_signed()
    if not continues(last):
        return {
            "forked": f"The log in the database does not continue what was signed at {_moment(last)}: the last head "
            f"covers {last.size:,} entries. It was rolled back, cut short or rewritten; nothing is signed until "
            "this is looked into."
        }
    return {**_late(last), **_unstamped(heads, last)}


def _nothing_signed() -> dict[str, str]:
    waiting = AuditPending.objects.order_by("entry_id").values_list("entry__at", flat=True).first()
    leaf = AuditLeaf.objects.order_by("leaf_index").values_list("entry__at", flat=True).first()
    oldest = min((at for at in (waiting, leaf) if at), default=None)
    if oldest is None or clock.now() - oldest < SIGN_OF_LIFE:
        return {}
    return {"late": "No tree head has ever been signed, or the file of tree heads is gone."}


def _late(last: SignedHead) -> dict[str, str]:
    if clock.now() - last.signed_at <= SIGN_OF_LIFE + LATE:
        return {}
    return {"late": f"The last tree head was signed at {_moment(last)}: what was written since is not vouched for."}


def _unstamped(heads: HeadFile, last: SignedHead) -> dict[str, str]:
    if not settings.TIME_STAMP_URL:
        return {}
    period = max(timedelta(seconds=settings.TIME_STAMP_SECONDS), SIGN_OF_LIFE)
    since = last.signed_at - 2 * period - LATE
    recent = list(heads.since(int(since.timestamp() * 1000)))
    if any(each.time_stamp for each in recent) or recent[0].signed_at > since + period + LATE:
        return {}
    return {"unstamped": f"No tree head was time-stamped in the last {_words(2 * period)}: see the compute side's log."}


def _guard_faults() -> dict[str, str]:
    found = guard_faults()
    if not found:
        return {}
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return {"guards": f"What keeps the log from being changed was tampered with: {found[0]}{more}."}


def _check_faults() -> dict[str, str]:
    check = verification_latest(finished=True)
    if check is None or check.is_intact:
        return {}
    more = f" (and {len(check.faults) - 1} more)" if len(check.faults) > 1 else ""
    return {"broken": f"The last check of the whole log found: {check.faults[0]}{more}."}


def _moment(signed: SignedHead) -> str:
    return f"{signed.signed_at:%Y-%m-%d %H:%M} UTC"


def _words(period: timedelta) -> str:
    hours = period.total_seconds() / 3600
    return f"{hours:g} hours"
