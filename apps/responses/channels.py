"""Where messages go: the house's channels, by apprise or as signed webhooks, and each person's own mail."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException

from django.conf import settings
from django.core.mail import EmailMessage

from apps.accounts.selectors import mail_addresses
from apps.common import clock
from biasgov.client.webhooks import sign

SIGNED = "signed+"
"""Before ``https://`` in NOTIFICATION_URLS: a webhook that is signed with WEBHOOK_SECRET."""
PEOPLE = "person"
"""People's own mail, as one channel."""
PERSON = f"{PEOPLE}-"
_MAIL = "mail:"
_OWN_FIELDS = ("json", "jsons", "xml", "xmls", "form", "forms")
_PATIENCE = 10
"""Seconds that a receiver of a signed webhook may take."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What goes to one channel."""

    dedup_key: str
    title: str
    body: str
    severity: str
    detected_at: datetime


Sender = Callable[[str, Letter], str]
"""Sends a letter to an address and returns "" or what went wrong."""


def channel_of(url: str) -> str:
    """The name of a notification address in the tables: its kind and a fingerprint, since the address holds secrets."""
    return f"{url.partition(':')[0][:30]}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"


def channel_of_person(person_id: int) -> str:
    """The name in the tables of a person's own mail; the address is looked up when it is sent."""
    return f"{PERSON}{person_id}"


def addresses(channels: Collection[str]) -> dict[str, str]:
    """{channel: address} for those that can be reached now: configured, or of an active person with an address."""
    house = {channel_of(url): url for url in settings.NOTIFICATION_URLS}
    people = [int(each.removeprefix(PERSON)) for each in channels if each.startswith(PERSON)]
    mail = mail_addresses(people) if people and settings.EMAIL_CONFIGURED else {}
    own = {channel_of_person(person_id): f"{_MAIL}{address}" for person_id, address in mail.items()}
    return {channel: address for channel, address in (house | own).items() if channel in channels}


def send(address: str, letter: Letter) -> str:
    """Send to one address in the way it asks for."""
    if address.startswith(_MAIL):
        return _send_mail(address.removeprefix(_MAIL), letter)
    if address.lower().startswith(SIGNED):
        return _send_signed(address[len(SIGNED) :], letter)
    return _send_by_apprise(address, letter)


def _send_mail(address: str, letter: Letter) -> str:
    """The key makes the message's name, so that a mail program shows one message that was sent twice as one."""
    name = hashlib.sha256(f"{address} {letter.dedup_key}".encode()).hexdigest()[:32]
    sent = EmailMessage(
        subject=f"{settings.EMAIL_SUBJECT_PREFIX}{' '.join(letter.title.split())}",
        body=letter.body,
        to=[address],
        headers={"Message-ID": f"<{name}@biasgov>", "Auto-Submitted": "auto-generated"},
    ).send()
    return "" if sent else "The mail server did not take the message."


def _send_signed(url: str, letter: Letter) -> str:
    """One POST of JSON, signed as `biasgov.client.webhooks` checks it; only an answer 2xx counts as taken."""
    if not settings.WEBHOOK_SECRET:
        return "WEBHOOK_SECRET is not set, and an unsigned message is not sent."
    body = json.dumps(
        {
            "type": "biasgov.alert",
            "key": letter.dedup_key,
            "title": letter.title,
            "body": letter.body,
            "severity": letter.severity,
            "detected_at": letter.detected_at.isoformat(),
        },
        ensure_ascii=False,
    ).encode()
    signed = sign(secret=settings.WEBHOOK_SECRET, identifier=letter.dedup_key, body=body, at=clock.now())
    headers = {"Content-Type": "application/json", "User-Agent": "biasgov"} | signed
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - operator's address
    try:
        with DIRECT.open(request, timeout=_PATIENCE) as answer:
            return "" if 200 <= answer.status < 300 else f"The receiver answered {answer.status}."
    except urllib.error.HTTPError as error:
        with error:
            return f"The receiver answered {error.code}."
    except (OSError, HTTPException) as error:
        return f"The receiver was not reached: {type(error).__name__}."


def _send_by_apprise(url: str, letter: Letter) -> str:
    """The key is the last line of the text, and for the plain web hooks (json, xml, form) also a field `dedup_key`."""
    import apprise  # half a second to two: only a process that sends pays for it

    if url.partition(":")[0].lower() in _OWN_FIELDS:
        url += f"{'&' if '?' in url else '?'}:dedup_key={letter.dedup_key}"
    sender = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))
    if not sender.add(url):
        return "The address is none that apprise understands."
    kind = apprise.NotifyType.FAILURE if letter.severity in ("high", "critical") else apprise.NotifyType.WARNING
    sent = sender.notify(title=letter.title, body=f"{letter.body}\n\nKey: {letter.dedup_key}", notify_type=kind)
    return "" if sent else "The receiver did not take the message."


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is sent goes where the operator said, and not where its receiver would like it to go."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


DIRECT = urllib.request.build_opener(_NoRedirect)
