"""Faults of outgoing webhooks that are not mended yet; each test fails."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from securechat.model import Hello, Welcome
from tests.e2e.test_outgoing import (
    ana,
    listed,
    make_hook,
    next_of,
    receiving,
    say,
    server,
    text_of,
    texts,
)
from tests.support.admin import admin, needs_socket, row
from tests.support.native import NativeClient
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


def account(server: ServerProcess, name: str) -> NativeClient:
    link = row(server, "invite", "--host", f"{server.host}:{server.port}")["link"]
    client = NativeClient(server.port, server.ca, host=server.host)
    invite = next(part for part in link.split("/") if len(part) == 32)
    client.send(Hello(1, name, client.secret, password=secrets.token_hex(8), invite=invite))
    client.wait_for(Welcome)
    return client


def test_brk_it_goes_on_when_the_ban_of_its_account_is_lifted(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    receiver = receiving()
    make_hook(server, receiver)
    assert admin(server.data, "ban", "webhook").returncode == 0
    say(server, ana, "while it is banned")
    assert listed(server)["behind"]
    assert admin(server.data, "unban", "webhook").returncode == 0
    assert text_of(receiver.received.get(timeout=10)) == "while it is banned"
