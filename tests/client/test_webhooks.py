"""Signed webhooks against the example that the standard publishes, and against whoever would forge one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from biasgov.client.webhooks import ID, SIGNATURE, TIMESTAMP, WebhookError, check, sign

# The example of the Standard Webhooks specification's reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
IDENTIFIER = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'
AT = datetime.fromtimestamp(1614265330, UTC)
PUBLISHED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_example_is_signed_as_published() -> None:
    headers = sign(secret=SECRET, identifier=IDENTIFIER, body=BODY, at=AT)
    assert headers == {ID: IDENTIFIER, TIMESTAMP: "1614265330", SIGNATURE: PUBLISHED}
    assert check(secret=SECRET, headers=headers, body=BODY, at=AT) == IDENTIFIER


def test_headers_count_in_any_case_and_one_right_signature_among_several_suffices() -> None:
    headers = {ID.title(): IDENTIFIER, TIMESTAMP.upper(): "1614265330", SIGNATURE: f"v1,AAAA v2,xyz {PUBLISHED}"}
    assert check(secret=SECRET, headers=headers, body=BODY, at=AT) == IDENTIFIER


@pytest.mark.parametrize(
    ("changed", "body"),
    [
        ({}, b'{"test": 2432232315}'),
        ({}, BODY + b" "),
        ({ID: "msg_other"}, BODY),
        ({TIMESTAMP: "1614265331"}, BODY),
        ({TIMESTAMP: "01614265330"}, BODY),
        ({SIGNATURE: ""}, BODY),
        ({SIGNATURE: PUBLISHED.replace("v1", "v2")}, BODY),
        ({SIGNATURE: PUBLISHED[:-2]}, BODY),
        ({SIGNATURE: "v1,\u00e9"}, BODY),
        ({ID: ""}, BODY),
    ],
)
def test_what_was_changed_is_not_believed(changed: dict[str, str], body: bytes) -> None:
    headers = sign(secret=SECRET, identifier=IDENTIFIER, body=BODY, at=AT) | changed
    with pytest.raises(WebhookError) as refused:
        check(secret=SECRET, headers=headers, body=body, at=AT)
    assert PUBLISHED not in str(refused.value)


@pytest.mark.parametrize("away", [timedelta(minutes=5, seconds=1), timedelta(minutes=-5, seconds=-1)])
def test_an_overheard_message_cannot_be_sent_again_later(away: timedelta) -> None:
    headers = sign(secret=SECRET, identifier=IDENTIFIER, body=BODY, at=AT)
    with pytest.raises(WebhookError, match="too old"):
        check(secret=SECRET, headers=headers, body=BODY, at=AT + away)


@pytest.mark.parametrize("timestamp", ["x", "-1614265330", "\u0661", "9" * 30, "16142653.3"])
def test_a_time_that_is_none_is_refused_even_when_signed(timestamp: str) -> None:
    from biasgov.client.webhooks import _signature

    headers = {ID: "a", TIMESTAMP: timestamp, SIGNATURE: _signature(SECRET, "a", timestamp, BODY)}
    with pytest.raises(WebhookError, match="no number of seconds"):
        check(secret=SECRET, headers=headers, body=BODY, at=AT)


@pytest.mark.parametrize("secret", ["", "whsec_", "not base64!", base64.b64encode(b"short").decode()])
def test_a_secret_that_protects_nothing_is_refused(secret: str) -> None:
    with pytest.raises(WebhookError, match="secret"):
        sign(secret=secret, identifier="a", body=b"", at=AT)
