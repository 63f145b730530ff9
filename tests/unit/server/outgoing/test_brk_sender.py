"""Faults of the sender that are not mended yet; each test fails."""

from __future__ import annotations

import pytest

from securechat.server.outgoing.outcome import Delivered, ReplyProblem
from tests.support.receiver import Authority, answering, json_answer

from .conftest import Start
from .test_sender import request, sender, sent

CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"


def test_brk_a_negative_chunk_is_a_delivery_without_a_reply(authority: Authority, start: Start) -> None:
    receiver = start(answering(CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n"), None)
    outcome = sent(sender(authority), request(receiver.port, encrypted=False))
    assert isinstance(outcome, Delivered)
    assert outcome.problem in (ReplyProblem.CUT, ReplyProblem.INVALID)


@pytest.mark.parametrize("status", [102, 103])
def test_brk_an_interim_answer_is_not_the_last_one(authority: Authority, start: Start, status: int) -> None:
    interim = b"HTTP/1.1 %d Interim\r\n\r\n" % status
    receiver = start(answering(interim + json_answer(b'{"text": "done"}').bytes), None)
    assert sent(sender(authority), request(receiver.port, encrypted=False)) == Delivered("done")
