"""Faults of outgoing webhooks that are not mended yet; each test fails."""

from __future__ import annotations

from collections.abc import Callable

from tests.e2e.test_outgoing import (
    ana,
    listed,
    make_hook,
    next_of,
    receiving,
    say,
    server,
    texts,
)
from tests.support.admin import needs_socket
from tests.support.receiver import Receiver, answering, json_answer
from tests.support.server import ServerProcess, wait_until

pytestmark = needs_socket
__all__ = ["ana", "receiving", "server"]


def test_brk_early_hints_are_no_answer(server: ServerProcess, ana: str, receiving: Callable[..., Receiver]) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"
    receiver = receiving(answering(early + json_answer(b'{"text": "done"}').bytes))
    make_hook(server, receiver)
    say(server, ana, "hello")
    next_of(receiver)
    wait_until(lambda: texts(server, ana)[1:] or listed(server)["failures"], "an outcome")
    assert texts(server, ana) == ["hello", "done"]
