"""How each person wants to be told by mail; the inbox tells everything in any case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from apps.accounts.models import User
from apps.audit import services as audit
from apps.common.errors import Refused
from apps.responses.ladder import rank
from apps.responses.models import MailPreference
from biasgov.fairness.response_plan import SEVERITIES

EACH, DAILY, NEVER = MailPreference.Mail.EACH, MailPreference.Mail.DAILY, MailPreference.Mail.NEVER


@dataclass(frozen=True, slots=True)
class Preference:
    """mail: ``each`` message at once, all in one ``daily`` digest, or ``never``. at_least: the mildest severity that
    is mailed at once."""

    mail: str = EACH
    at_least: str = SEVERITIES[0]


def preference_of(person: User) -> Preference:
    """What the person chose; without a choice, every message is mailed."""
    found = MailPreference.objects.filter(person=person).first()
    return Preference(found.mail, found.at_least) if found else Preference()


@transaction.atomic
def preference_set(*, person: User, mail: str, at_least: str) -> None:
    """Keep a person's own choice. Raises Refused for a value that there is not."""
    if mail not in MailPreference.Mail.values:
        raise Refused("mail", "Choose how you want to be mailed.", code="unknown_choice")
    if at_least not in SEVERITIES:
        raise Refused("at_least", "Choose a severity.", code="unknown_choice")
    MailPreference.objects.update_or_create(person=person, defaults={"mail": mail, "at_least": at_least})
    audit.append(
        actor=person.actor,
        action="preference.changed",
        subject=person.actor,
        detail={"mail": mail, "at_least": at_least},
    )


def mailed_at_once(people: Iterable[User], severity: str) -> list[int]:
    """The ids of those who want a message of this severity by mail at once; none without a mail server."""
    if not settings.EMAIL_CONFIGURED:
        return []
    reachable = [person.pk for person in people if person.email]
    chosen = MailPreference.objects.in_bulk(reachable, field_name="person_id")
    return [each for each in reachable if each not in chosen or _wants(chosen[each], severity)]


def _wants(chosen: MailPreference, severity: str) -> bool:
    return chosen.mail == EACH and rank(severity) >= rank(chosen.at_least)
