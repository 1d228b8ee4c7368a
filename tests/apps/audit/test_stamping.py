"""Time stamps by a real authority, and every answer that must not be taken for one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.audit.checking import log_faults
from apps.audit.keys import head_file
from apps.audit.stamping import LARGEST_ANSWER, stamp
from apps.common import clock
from biasgov.audit.stamps import StampError, check_stamp, read_roots
from tests.apps.audit.log import sealed, written
from tests.apps.audit.tsa import Authority, served

MESSAGE = b"what a tree head said"
Answer = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority") / "ours")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority") / "stranger")


@pytest.fixture
def asked(settings: Any, authority: Authority) -> Callable[[Answer], bytes]:
    """Asks for a stamp over `MESSAGE` where the authority's place is taken by a function."""
    settings.TIME_STAMP_ROOTS = str(authority.roots)

    def ask(answer: Answer) -> bytes:
        with served(answer) as url:
            settings.TIME_STAMP_URL = url
            return stamp(MESSAGE)

    return ask


def test_an_authority_says_when_a_message_existed(asked: Callable[[Answer], bytes], authority: Authority) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    answer = asked(authority.answer)
    when = check_stamp(answer, MESSAGE, read_roots(authority.roots.read_bytes()))
    assert before <= when <= datetime.now(UTC)


def test_a_stamp_says_nothing_of_another_message(asked: Callable[[Answer], bytes], authority: Authority) -> None:
    answer = asked(authority.answer)
    with pytest.raises(StampError, match="Mismatch"):
        check_stamp(answer, MESSAGE + b"!", read_roots(authority.roots.read_bytes()))


def test_a_stamp_by_a_stranger_is_refused(
    asked: Callable[[Answer], bytes], authority: Authority, stranger: Authority
) -> None:
    with pytest.raises(StampError, match="certificate"):
        asked(stranger.answer)
    answer = asked(authority.answer)
    with pytest.raises(StampError):
        check_stamp(answer, MESSAGE, read_roots(stranger.roots.read_bytes()))
    with pytest.raises(StampError):
        check_stamp(answer, MESSAGE, [])


def test_an_answer_to_another_request_is_refused(asked: Callable[[Answer], bytes], authority: Authority) -> None:
    """The same message and a good signature, but an older nonce: a stamp that was kept for later."""
    with pytest.raises(StampError, match="Nonce"):
        asked(lambda query: authority.answer(authority.query(MESSAGE)))


def test_a_stamp_over_other_content_is_refused(asked: Callable[[Answer], bytes], authority: Authority) -> None:
    with pytest.raises(StampError):
        asked(lambda query: authority.answer(authority.query(b"something else")))


def test_a_refusal_is_no_stamp(asked: Callable[[Answer], bytes], authority: Authority) -> None:
    with pytest.raises(StampError, match="refused"):
        asked(lambda query: authority.answer(b"no request"))


def test_not_one_bit_of_a_stamp_may_differ(asked: Callable[[Answer], bytes], authority: Authority) -> None:
    answer = asked(authority.answer)
    roots = read_roots(authority.roots.read_bytes())
    believed = []
    for place in range(0, len(answer), 7):
        changed = answer[:place] + bytes([answer[place] ^ 0x10]) + answer[place + 1 :]
        try:
            when = check_stamp(changed, MESSAGE, roots)
        except StampError:
            continue
        believed.append((place, when))
    # What the signature does not cover may differ, what it says may not.
    true = check_stamp(answer, MESSAGE, roots)
    assert all(when == true for _, when in believed), believed


@pytest.mark.parametrize("answer", [b"", b"<html>", b"\x30\x03\x02\x01\x00", b"0" * (LARGEST_ANSWER + 1)])
def test_an_answer_that_is_no_stamp_is_refused(asked: Callable[[Answer], bytes], answer: bytes) -> None:
    with pytest.raises(StampError):
        asked(lambda query: answer)


def test_an_authority_that_is_out_of_reach_gives_no_stamp(settings: Any, authority: Authority) -> None:
    settings.TIME_STAMP_ROOTS = str(authority.roots)
    with served(authority.answer) as url:
        gone = url
    for url in (gone, "file:///etc/hostname", "ftp://127.0.0.1/"):
        settings.TIME_STAMP_URL = url
        with pytest.raises(StampError):
            stamp(MESSAGE)
    settings.TIME_STAMP_ROOTS = "/nowhere"
    with pytest.raises(StampError, match="TIME_STAMP_ROOTS"):
        stamp(MESSAGE)


@pytest.mark.django_db
def test_one_head_of_each_period_is_stamped(settings: Any, authority: Authority) -> None:
    settings.TIME_STAMP_ROOTS = str(authority.roots)
    roots = read_roots(authority.roots.read_bytes())
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    with served(authority.answer) as settings.TIME_STAMP_URL:
        for minutes in (0, 10, 20, 65, 70):
            with clock.frozen(noon + timedelta(minutes=minutes)):
                written()
                assert sealed()
    heads = list(head_file())
    assert [bool(head.time_stamp) for head in heads] == [True, False, False, True, False]
    for head in heads:
        if head.time_stamp:
            check_stamp(head.time_stamp, head.stamped_bytes, roots)


@pytest.mark.django_db
def test_without_its_authority_the_log_is_signed_all_the_same_and_an_alarm_is_raised(
    settings: Any, stranger: Authority, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TIME_STAMP_ROOTS = str(authority.roots)
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    with served(stranger.answer) as settings.TIME_STAMP_URL:
        for hours in range(5):
            with clock.frozen(noon + timedelta(hours=hours)):
                written()
                assert sealed()
                faults = log_faults()
    assert not any(head.time_stamp for head in head_file())
    assert "was not time-stamped" in caplog.text
    assert set(faults) == {"unstamped"}
