"""Second factors for tests: an authenticator app written from RFC 6238, and people who have one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import datetime
from typing import Any

from django.test import Client

from apps.accounts.models import User
from apps.common import clock
from tests.cast import PASSWORD, confirmed

SIGN_IN, SECOND = "/sign-in/", "/sign-in/second-factor/"
APP, CODES = "/account/app/", "/account/codes/"


def app_code(secret: str, at: datetime | None = None) -> str:
    """What an authenticator app shows (RFC 4226, section 5.3, with RFC 6238's counter)."""
    moment = int((at or clock.now()).timestamp()) // 30
    digest = hmac.new(base64.b32decode(secret), moment.to_bytes(8, "big"), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 10**6:06d}"


def set_up_app(client: Client) -> str:
    """Add an authenticator app for who is signed in, as the page asks for it; its secret."""
    page = confirmed(client).get(APP).content.decode()
    secret = re.search(r'id="secret">(\w+)<', page)
    assert secret
    answer = client.post(APP, {"code": app_code(secret[1])})
    assert answer.status_code == 302, answer.content
    return secret[1]


def recovery_codes(client: Client) -> list[str]:
    """The codes as the page shows them, this once."""
    return re.findall(r"<li>(\d{8})</li>", client.get(CODES).content.decode())


def sign_in(client: Client, who: User, password: str = PASSWORD, **more: str) -> Any:
    return client.post(SIGN_IN, {"username": who.username, "password": password, **more})


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200
