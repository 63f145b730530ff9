"""Faults of outgoing webhooks that are not mended yet; each test fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.test_outgoing import (
    FLAGS,
    ana,
    caught_up,
    listed,
    make_hook,
    messages,
    next_of,
    receiving,
    say,
    server,
    text_of,
    texts,
    url_of,
)
from tests.support.admin import admin, needs_socket, row
from tests.support.api import ApiClient, make_token
from tests.support.receiver import Answer, Receiver, answering, json_answer
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

pytestmark = needs_socket
__all__ = ["ana", "receiving", "server"]


def test_brk_an_old_message_edited_into_a_command_is_not_delivered_by_a_crash(
    certs: Path, tmp_path: Path, receiving: Callable[..., Receiver]
) -> None:
    receiver = receiving()
    with ServerProcess(certs, tmp_path / "data", *FLAGS).start() as process:
        ana = make_token(process, "ana")
        make_hook(process, receiver, "!deploy")
        (old,) = say(process, ana, "lunch?")
        wait_until(lambda: caught_up(process), "it to be looked at")
        with ApiClient(process, ana) as api:
            assert api.ask("PATCH", f"/rooms/lobby/messages/{old}", "!deploy prod").status == 200
        wait_until(lambda: caught_up(process), "it to be looked at")
        assert receiver.count == 0
        process.kill()
    with ServerProcess(certs, tmp_path / "data", *FLAGS).start() as process:
        say(process, ana, "!deploy web")
        assert text_of(next_of(receiver)) == "!deploy web"


def test_brk_early_hints_are_no_answer(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"
    receiver = receiving(answering(early + json_answer(b'{"text": "done"}').bytes))
    make_hook(server, receiver)
    say(server, ana, "hello")
    next_of(receiver)
    wait_until(lambda: texts(server, ana)[1:] or listed(server)["failures"], "an outcome")
    assert texts(server, ana) == ["hello", "done"]


def test_brk_the_room_is_told_each_time_that_it_is_switched_off(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    make_hook(server, receiving(answering(Answer(410))))
    say(server, ana, "hello")
    wait_until(lambda: listed(server)["off"] == "gone", "it to be off")
    assert sum("This webhook is off" in text for text in texts(server, ana)) == 1
    row(server, "hook", "on", "webhook")
    wait_until(lambda: listed(server)["off"] == "gone", "it to be off again")
    assert sum("This webhook is off" in text for text in texts(server, ana)) == 2
