"""Faults of outgoing webhooks that are not mended yet; each test fails."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from securechat.model import AskBots, BotList, Done, Hello, Leave, Left, Moderate, Welcome
from tests.e2e.test_outgoing import (
    FLAGS,
    ana,
    caught_up,
    listed,
    make_hook,
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
from tests.support.native import NativeClient
from tests.support.receiver import Answer, Receiver, answering, json_answer
from tests.support.server import ServerProcess, wait_until

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


def test_brk_early_hints_are_no_answer(server: ServerProcess, ana: str, receiving: Callable[..., Receiver]) -> None:
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


def test_brk_with_the_deletion_of_its_room_it_is_off(
    certs: Path, tmp_path: Path, receiving: Callable[..., Receiver]
) -> None:
    with ServerProcess(certs, tmp_path / "data", *FLAGS).start() as process, account(process, "ann") as ann:
        ann.join("ops")
        row(process, "hook", "out", "ops", url_of(receiving()), "--on", "all")
        ann.send(AskBots(2, "ops"))
        (bot,) = ann.wait_for(BotList).bots
        ann.send(Moderate(3, "ops", bot.id, "kick"))
        ann.wait_for(Done, lambda done: done.ref == 3)
        ann.send(Leave(4, "ops"))
        ann.wait_for(Left, lambda left: left.room == "ops")
        admin(process.data, "rooms", "prune", "--yes")
        assert "ops" not in admin(process.data, "rooms").stdout
        wait_until(lambda: listed(process)["off"] == "room_gone", "it to be off", patience_s=10)


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


def test_brk_receivers_that_take_their_time_do_not_make_others_wait(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    """They answer 200 after 3 s, so no pause of a schedule keeps them away from the four threads."""

    def slow(handler: Any) -> None:
        threading.Event().wait(3)
        handler.wfile.write(Answer().bytes)

    for number in range(12):
        make_hook(server, receiving(slow), "all", "--name", f"slow{number}")
    honest = receiving()
    make_hook(server, honest, "!ping", "--name", "honest")
    say(server, ana, *map(str, range(10)))
    for _ in range(2):
        say(server, ana, "!ping")
        assert text_of(honest.received.get(timeout=5)) == "!ping"


def test_brk_a_message_that_is_deleted_while_its_delivery_waits_for_a_thread_is_left_out(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    hanging = receiving(lambda _handler: hanging.hang())
    for number in range(4):
        make_hook(server, hanging, "!x", "--name", f"hanging{number}")
    honest = receiving()
    make_hook(server, honest, "all", "--name", "honest")
    (said,) = say(server, ana, "!x and a password")
    wait_until(lambda: hanging.count == 4, "all threads to hang")
    assert honest.count == 0
    with ApiClient(server, ana) as api:
        assert api.ask("DELETE", f"/rooms/lobby/messages/{said}").status == 200
    say(server, ana, "the next")
    assert text_of(next_of(honest)) == "the next"


def test_brk_after_a_restore_another_message_has_another_id(
    certs: Path, tmp_path: Path, receiving: Callable[..., Receiver]
) -> None:
    """A receiver that remembers ids, as docs/bots.md asks, would leave the new message out."""
    receiver, archive, restored = receiving(), tmp_path / "backup.tar", tmp_path / "restored"
    with ServerProcess(certs, tmp_path / "data", *FLAGS).start() as process:
        ana = make_token(process, "ana")
        make_hook(process, receiver)
        saved = admin(process.data, "backup", str(archive), "--cert", str(certs / "server.pem"))
        assert saved.returncode == 0, saved.stderr
        say(process, ana, "before the loss")
        before = next_of(receiver)
    done = admin(restored, "restore", str(archive), "--certs", str(tmp_path / "certs"))
    assert done.returncode == 0, done.stderr
    with ServerProcess(certs, restored, *FLAGS).start() as process:
        say(process, ana, "after the restore")
        after = next_of(receiver)
    assert text_of(after) == "after the restore"
    assert before.headers["webhook-id"] != after.headers["webhook-id"]


def test_brk_many_reactions_in_its_room_do_not_end_its_deliveries(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    receiver = receiving()
    make_hook(server, receiver, "!deploy")
    (old,) = say(server, ana, "lunch?")
    with ApiClient(server, ana) as api:
        for number in range(250):
            answer = api.ask("DELETE" if number % 2 else "PUT", f"/rooms/lobby/messages/{old}/reactions/%F0%9F%91%8D")
            assert answer.status == 200, answer
    say(server, ana, "!deploy web")
    assert text_of(receiver.received.get(timeout=15)) == "!deploy web"


def test_brk_many_reactions_in_one_room_do_not_end_the_deliveries_of_all_others(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    receiver = receiving()
    with account(server, "ann") as ann:
        ann.join("ops")
        first = receiving()
        make_hook(server, first, "!deploy")
        row(server, "hook", "out", "ops", url_of(receiver), "--on", "all", "--name", "other")
        (old,) = say(server, ana, "lunch?")
        with ApiClient(server, ana) as api:
            for number in range(250):
                api.ask("DELETE" if number % 2 else "PUT", f"/rooms/lobby/messages/{old}/reactions/%F0%9F%91%8D")
        say(server, ana, "!deploy web")
        wait_until(lambda: first.count or any(each["event"] == "error" for each in server.events()), "an outcome")
        ann.say("in another room", "ops")
        assert text_of(receiver.received.get(timeout=15)) == "in another room"
