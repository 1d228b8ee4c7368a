"""Second factors: who has which, and whether a code is right. They are kept by django-allauth."""

from __future__ import annotations

from collections.abc import Iterable

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.mfa.utils import decrypt
from django.conf import settings
from django.db import transaction
from django.utils.crypto import constant_time_compare

from apps.accounts.models import User
from apps.accounts.permissions import roles_of
from apps.accounts.roles import SIGNING
from apps.accounts.services import Actor, authorised, said
from apps.audit import services as audit
from apps.common import clock

APP = str(Authenticator.Type.TOTP)
PASSKEY = str(Authenticator.Type.WEBAUTHN)
CODES = str(Authenticator.Type.RECOVERY_CODES)
WORDS = {APP: "authenticator app", PASSKEY: "passkey", CODES: "recovery code"}
_PERIOD = 30
_STEPS = (-1, 0, 1)
"""Clocks may differ by one period of 30 seconds."""


def kinds_held(person: User) -> frozenset[str]:
    """Which kinds of second factor a person has set up: of `APP`, `PASSKEY` and `CODES`."""
    return frozenset(Authenticator.objects.filter(user_id=person.pk).values_list("type", flat=True))


def people_with_second_factor(person_ids: Iterable[int]) -> frozenset[int]:
    """Those of the people who have an authenticator app or a passkey. One query."""
    found = Authenticator.objects.filter(user_id__in=list(person_ids), type__in=(APP, PASSKEY))
    return frozenset(found.values_list("user_id", flat=True))


def has_second_factor(person: User) -> bool:
    """Whether a person has an authenticator app or a passkey."""
    return bool(kinds_held(person) & {APP, PASSKEY})


def lacks_second_factor(person: User) -> bool:
    """Whether a person must set up a second factor before they may sign (``SIGNERS_NEED_SECOND_FACTOR``)."""
    return bool(settings.SIGNERS_NEED_SECOND_FACTOR and roles_of(person) & SIGNING and not has_second_factor(person))


@transaction.atomic
def code_accept(*, person: User, code: str) -> Authenticator | None:
    """The second factor that `code` belongs to; None for a wrong code.

    Every code counts once, whichever process sees it: a recovery code is crossed out, and an app's code is refused
    from its moment backwards (RFC 6238, section 5.2).
    """
    given = "".join(code.split())
    held = Authenticator.objects.select_for_update().filter(user_id=person.pk, type__in=(APP, CODES))
    for factor in held.order_by("-type"):
        accepted = _app_code_accepted(factor, given) if factor.type == APP else factor.wrap().validate_code(given)
        if accepted:
            return factor
    return None


@transaction.atomic
def second_factors_remove(*, person: User, actor: Actor, reason: str = "") -> int:
    """Take all second factors from a person who has lost them; how many there were.

    Raises PermissionDenied for a person who may not manage people, Refused for oneself and without a reason.
    """
    by = authorised(actor, about=person, reason=reason)
    removed: int = Authenticator.objects.filter(user_id=person.pk).exclude(type=CODES).count()
    Authenticator.objects.filter(user_id=person.pk).delete()
    if removed:
        detail = {"removed": removed} | said(reason)
        audit.append(actor=by, action="second_factor.reset", subject=person.actor, detail=detail)
    return removed


def moment_of(secret: str, code: str) -> int | None:
    """The period, counted from 1970, at which an app with this secret shows `code`; None if not about now."""
    now = int(clock.now().timestamp()) // _PERIOD
    for moment in (now + step for step in _STEPS):
        if constant_time_compare(format_hotp_value(hotp_value(secret, moment)), code):
            return moment
    return None


def _app_code_accepted(factor: Authenticator, code: str) -> bool:
    moment = moment_of(decrypt(factor.data["secret"]), code)
    if moment is None or moment <= factor.data.get("last_moment", 0):
        return False
    factor.data["last_moment"] = moment
    factor.save(update_fields=["data"])
    return True
