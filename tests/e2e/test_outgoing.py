"""Outgoing webhooks on a real server: made by the operator, delivered to real receivers, over stops and kills."""

from __future__ import annotations

import gzip
import json
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from securechat.model import AskBots, BotList, Done, Hello, Leave, Left, Moderate, Welcome
from securechat.server.outgoing.worker import MOST_THREADS
from tests.support.admin import admin, needs_socket, row
from tests.support.api import ApiClient, make_token
from tests.support.client import ROOT
from tests.support.native import NativeClient
from tests.support.receiver import Answer, Authority, Received, Receiver, answering, closed_port, json_answer
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

pytestmark = needs_socket

TAKING = answering(Answer())
LIMITLESS = ("--rate-limit", "off")
FLAGS = (*LIMITLESS, "--webhook-network", "127.0.0.1")


@pytest.fixture
def server(certs: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(certs, tmp_path / "data", *FLAGS).start() as process:
        yield process


@pytest.fixture
def ana(server: ServerProcess) -> str:
    """The token of a person. What is posted with it is a person's message."""
    return make_token(server, "ana")


@pytest.fixture
def receiving() -> Iterator[Callable[..., Receiver]]:
    made: list[Receiver] = []

    def make(behave: Callable[[Any], None] = TAKING, **options: Any) -> Receiver:
        made.append(Receiver(behave, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def url_of(receiver: Receiver | int) -> str:
    return f"http://127.0.0.1:{receiver if isinstance(receiver, int) else receiver.port}/secret-path"


def make_hook(server: ServerProcess, receiver: Receiver | int, on: str = "all", *more: str) -> dict[str, Any]:
    return row(server, "hook", "out", "lobby", url_of(receiver), "--on", on, *more)


def listed(server: ServerProcess) -> dict[str, Any]:
    found: dict[str, Any] = row(server, "hook", "list")["outgoing"]
    return found


def say(server: ServerProcess, token: str, *texts: str) -> list[int]:
    with ApiClient(server, token) as api:
        return [api.say(text) for text in texts]


def messages(server: ServerProcess, token: str) -> list[dict[str, Any]]:
    with ApiClient(server, token) as api:
        found: list[dict[str, Any]] = api.get("/rooms/lobby/messages?after=0&limit=200").json["messages"]
    return found


def texts(server: ServerProcess, token: str) -> list[str]:
    return [message["text"] for message in messages(server, token)]


def next_of(receiver: Receiver) -> Received:
    return receiver.received.get(timeout=PATIENCE_S)


def text_of(received: Received) -> str:
    text: str = json.loads(received.body)["data"]["text"]
    return text


def try_now(server: ServerProcess) -> None:
    """End a pause after failures, as an operator does who has mended the receiver.

    By itself the server tries again after 5 s, and where the machine was too slow to have the receiver there by then,
    after five minutes.
    """
    row(server, "hook", "on", "webhook")


def caught_up(server: ServerProcess) -> bool:
    return not listed(server)["behind"]


def account(server: ServerProcess, name: str) -> NativeClient:
    link = row(server, "invite", "--host", f"{server.host}:{server.port}")["link"]
    client = NativeClient(server.port, server.ca, host=server.host)
    invite = next(part for part in link.split("/") if len(part) == 32)
    client.send(Hello(1, name, client.secret, password=secrets.token_hex(8), invite=invite))
    client.wait_for(Welcome)
    return client


# --- Delivery -------------------------------------------------------------------------------------------------------


def test_a_command_is_delivered_signed_and_its_answer_is_a_reply(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    receiver = receiving(answering(json_answer(b'{"text": "deploying web"}')))
    made = make_hook(server, receiver, "!deploy")
    assert made["doubt"] is None
    assert made["name"] == "deploy"
    asked, _ = say(server, ana, "!deploy web", "!deployed is another word")
    received = next_of(receiver)
    event = Webhook(made["secret"]).verify(received.body, received.headers)
    assert event["type"] == "message.posted"
    assert (event["data"]["text"], event["data"]["seq"]) == ("!deploy web", asked)
    assert event["data"]["sender"]["name"] == "ana"
    assert event["data"]["sender"]["bot"] is False
    reply = wait_until(lambda: messages(server, ana)[2:], "the reply")[0]
    assert (reply["text"], reply["reply"], reply["name"], reply["bot"]) == ("deploying web", asked, "deploy", True)
    wait_until(lambda: caught_up(server), "the other message to be looked at")
    assert receiver.count == 1


def test_messages_come_in_order_and_those_of_bots_trigger_none(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    receiver = receiving()
    with_bots = receiving()
    make_hook(server, receiver)
    make_hook(server, with_bots, "all", "--name", "with-bots", "--bots")
    bot = row(server, "bot", "add", "robot", "--room", "lobby", "--scope", "post")["secret"]
    said = [f"line {n}" for n in range(20)]
    say(server, ana, *said[:10])
    say(server, bot, "from a bot")
    say(server, ana, *said[10:])
    assert [text_of(next_of(receiver)) for _ in said] == said
    assert [text_of(next_of(with_bots)) for _ in range(21)] == [*said[:10], "from a bot", *said[10:]]


def test_a_mention_of_its_name_triggers(server: ServerProcess, ana: str, receiving: Callable[..., Receiver]) -> None:
    receiver = receiving()
    make_hook(server, receiver, "mention", "--name", "helper")
    say(server, ana, "helper without a sign", "hello @helper")
    assert text_of(next_of(receiver)) == "hello @helper"


def test_two_webhooks_do_not_answer_each_other(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    one, two = (receiving(answering(json_answer(b'{"text": "pong"}'))) for _ in range(2))
    make_hook(server, one, "all", "--name", "one", "--bots")
    make_hook(server, two, "all", "--name", "two", "--bots")
    say(server, ana, "ping")
    wait_until(lambda: texts(server, ana) == ["ping", "pong", "pong"], "both replies")
    say(server, ana, "again")
    wait_until(lambda: len(texts(server, ana)) == 6, "both replies")
    assert (one.count, two.count) == (2, 2)


def test_a_rotated_secret_and_the_old_one_both_sign(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    receiver = receiving()
    old = make_hook(server, receiver)["secret"]
    new = row(server, "hook", "rotate", "webhook")["secret"]
    assert new != old
    say(server, ana, "hello")
    received = next_of(receiver)
    for secret in (old, new):
        Webhook(secret).verify(received.body, received.headers)


def test_a_receiver_is_verified_by_the_ca_of_the_setting(
    certs: Path, tmp_path: Path, receiving: Callable[..., Receiver]
) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "ca.pem").write_text(authority.pem)
    receiver = receiving(context=authority.context("localhost"))
    with ServerProcess(certs, tmp_path / "data", *FLAGS, "--webhook-ca", str(tmp_path / "ca.pem")).start() as server:
        ana = make_token(server, "ana")
        row(server, "hook", "out", "lobby", f"https://localhost:{receiver.port}/", "--on", "all")
        say(server, ana, "hello")
        assert text_of(next_of(receiver)) == "hello"
        assert receiver.server_name == "localhost"


# --- Failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [Answer(503), Answer(302, headers={"location": "http://127.0.0.1:1/"})])
def test_after_a_failure_the_same_delivery_comes_again(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver], answer: Answer
) -> None:
    answers = [answer, Answer()]
    receiver = receiving(lambda handler: handler.wfile.write(answers.pop(0).bytes))
    make_hook(server, receiver)
    say(server, ana, "hello")
    first = next_of(receiver)
    wait_until(lambda: listed(server)["failures"], "the failure to be noted")
    again = next_of(receiver)
    assert (first.body, first.headers["webhook-id"]) == (again.body, again.headers["webhook-id"])
    wait_until(lambda: not listed(server)["failures"], "the success to be noted")


def test_a_huge_answer_and_a_compressed_one_are_deliveries_without_a_reply(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    answers = [
        json_answer(b'{"text": "' + b"x" * 100_000 + b'"}'),
        json_answer(b"\x1f\x8b", **{"content-encoding": "gzip"}),
        json_answer(b'{"text": "\\ud800"}'),
        json_answer(b'{"text": "' + b"x" * 5_000 + b'"}'),
        json_answer(b'{"text": "the last"}'),
    ]
    receiver = receiving(lambda handler: handler.wfile.write(answers.pop(0).bytes))
    make_hook(server, receiver)
    say(server, ana, "1", "2", "3", "4", "5")
    wait_until(lambda: texts(server, ana)[6:], "the replies")
    cut, last = [text for text in texts(server, ana) if text not in set("12345")]  # some come before all is said
    assert cut.endswith(" more characters)")
    assert last == "the last"


def test_early_hints_are_no_answer(server: ServerProcess, ana: str, receiving: Callable[..., Receiver]) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"
    receiver = receiving(answering(early + json_answer(b'{"text": "done"}').bytes))
    make_hook(server, receiver)
    say(server, ana, "hello")
    next_of(receiver)
    wait_until(lambda: texts(server, ana)[1:] or listed(server)["failures"], "an outcome")
    assert texts(server, ana) == ["hello", "done"]


def test_410_switches_it_off_the_room_and_the_operator_are_told_and_it_goes_on(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    answers = [Answer(410), Answer(), Answer()]
    receiver = receiving(lambda handler: handler.wfile.write(answers.pop(0).bytes))
    make_hook(server, receiver)
    say(server, ana, "first")
    wait_until(lambda: listed(server)["off"] == "gone", "it to be off")
    (told,) = texts(server, ana)[1:]
    assert told.startswith("This webhook is off: the receiver answered 410")
    assert "secret-path" not in server.wait_for_line("hook_off")
    found = admin(server.data, "check")
    assert "The outgoing webhook webhook is off: its receiver answered 410" in found.stdout
    say(server, ana, "second")
    assert listed(server)["behind"]
    row(server, "hook", "on", "webhook")
    assert [text_of(next_of(receiver)) for _ in range(3)] == ["first", "first", "second"]


def test_a_url_that_no_delivery_could_go_to_is_refused_at_once(server: ServerProcess) -> None:
    for url, said in {
        "ftp://ci.example.org/": "begins with https://",
        "https://192.168.7.7/": "webhook_networks",
        "http://ci.example.org@x/": "user name",
    }.items():
        done = admin(server.data, "hook", "out", "lobby", url, "--on", "all")
        assert (done.returncode, said in done.stderr) == (1, True), done
    done = admin(server.data, "hook", "out", "lobby", "https://ci.example.org/", "--on", "deploy")
    assert "such as !deploy" in done.stderr or ": !deploy" in done.stderr
    done = admin(server.data, "hook", "out", "nowhere", "https://ci.example.org/", "--on", "all")
    assert done.returncode == 1
    assert admin(server.data, "hook", "list").stdout == "There are no webhooks\n"


def test_removing_it_in_the_middle_of_a_delivery_ends_it(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    receiver = receiving()

    def behave(handler: Any) -> None:
        receiver.hang()
        handler.wfile.write(json_answer(b'{"text": "too late"}').bytes)

    slow = receiving(behave)
    make_hook(server, slow)
    say(server, ana, "hello")
    assert receiver.hung.wait(PATIENCE_S)
    row(server, "hook", "remove", "webhook", "--yes")
    receiver.over.set()
    make_hook(server, receiving(answering(json_answer(b'{"text": "next"}'))), "all", "--name", "next")
    say(server, ana, "another")
    wait_until(lambda: len(texts(server, ana)) == 3, "the reply of the other webhook")
    assert texts(server, ana) == ["hello", "another", "next"]


def test_webhooks_off_delivers_and_makes_none(certs: Path, tmp_path: Path, receiving: Callable[..., Receiver]) -> None:
    receiver = receiving()
    with ServerProcess(certs, tmp_path / "data", *FLAGS).start() as server:
        make_hook(server, receiver)
    with ServerProcess(certs, tmp_path / "data", *FLAGS, "--webhooks", "off").start() as server:
        ana = make_token(server, "ana")
        say(server, ana, "hello")
        assert "turned off" in admin(server.data, "hook", "out", "lobby", url_of(receiver), "--on", "all").stderr
        assert listed(server)["behind"] == 1
    assert receiver.count == 0
    with ServerProcess(certs, tmp_path / "data", *FLAGS).start():
        assert text_of(next_of(receiver)) == "hello"


def test_many_reactions_in_one_room_do_not_end_the_deliveries_of_all_others(
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
        assert text_of(receiver.received.get(timeout=PATIENCE_S)) == "in another room"


def test_the_room_is_told_each_time_that_it_is_switched_off(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    make_hook(server, receiving(answering(Answer(410))))
    say(server, ana, "hello")
    wait_until(lambda: listed(server)["off"] == "gone", "it to be off")
    assert sum("This webhook is off" in text for text in texts(server, ana)) == 1
    row(server, "hook", "on", "webhook")
    wait_until(lambda: listed(server)["off"] == "gone", "it to be off again")
    assert sum("This webhook is off" in text for text in texts(server, ana)) == 2


def test_with_the_deletion_of_its_room_it_is_off(
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
        wait_until(lambda: listed(process)["off"] == "room_gone", "it to be off")


def test_after_a_restore_another_message_has_another_id(
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


def test_receivers_that_take_their_time_do_not_make_others_wait(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    """They answer 200 after 3 s, so no pause of a schedule keeps them away from the threads."""

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
        assert text_of(honest.received.get(timeout=30)) == "!ping"


def test_a_message_that_is_deleted_while_its_delivery_waits_for_a_thread_is_left_out(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    hanging = receiving(lambda _handler: hanging.hang())
    for number in range(MOST_THREADS):
        make_hook(server, hanging, "!x", "--name", f"hanging{number}")
    honest = receiving()
    make_hook(server, honest, "all", "--name", "honest")
    (said,) = say(server, ana, "!x and a password")
    wait_until(lambda: hanging.count == MOST_THREADS, "all threads to hang")
    assert honest.count == 0
    with ApiClient(server, ana) as api:
        assert api.ask("DELETE", f"/rooms/lobby/messages/{said}").status == 200
    say(server, ana, "the next")
    hanging.over.set()
    assert text_of(next_of(honest)) == "the next"


def test_it_goes_on_when_the_ban_of_its_account_is_lifted(
    server: ServerProcess, ana: str, receiving: Callable[..., Receiver]
) -> None:
    receiver = receiving()
    make_hook(server, receiver)
    assert admin(server.data, "ban", "webhook").returncode == 0
    say(server, ana, "while it is banned")
    assert listed(server)["behind"]
    assert listed(server)["held"] == "banned"
    assert "banned" in admin(server.data, "hook", "list").stdout
    assert admin(server.data, "unban", "webhook").returncode == 0
    assert text_of(receiver.received.get(timeout=PATIENCE_S)) == "while it is banned"


# --- Stops and kills ------------------------------------------------------------------------------------------------


def test_nothing_is_lost_while_the_receiver_is_down_and_the_server_is_restarted(
    certs: Path, tmp_path: Path, receiving: Callable[..., Receiver]
) -> None:
    port = closed_port()
    with ServerProcess(certs, tmp_path / "data", *FLAGS).start() as server:
        ana = make_token(server, "ana")
        make_hook(server, port)
        say(server, ana, "one", "two")
        wait_until(lambda: listed(server)["failures"], "a failure")
        server.kill()
    with ServerProcess(certs, tmp_path / "data", *FLAGS).start() as server:
        say(server, ana, "three")
        receiver = receiving(port=port)
        try_now(server)
        assert [text_of(next_of(receiver)) for _ in range(3)] == ["one", "two", "three"]
        wait_until(lambda: caught_up(server), "all to be noted")
    with ServerProcess(certs, tmp_path / "data", *FLAGS).start() as server:
        say(server, ana, "four")
        assert text_of(next_of(receiver)) == "four"
    assert receiver.count == 4


@pytest.mark.parametrize("answer", [b"", json_answer(b'{"text": "done"}').bytes], ids=["before", "after"])
def test_a_kill_around_the_answer_makes_the_delivery_again_and_its_reply_stands_once(
    certs: Path, tmp_path: Path, receiving: Callable[..., Receiver], answer: bytes
) -> None:
    """The server is halted before the answer is written, so that it dies without having seen it."""
    running: list[ServerProcess] = []
    answered = threading.Event()

    def behave(handler: Any) -> None:
        if answered.is_set():
            handler.wfile.write(json_answer(b'{"text": "done"}').bytes)
            return
        running[0].signal(signal.SIGSTOP)
        handler.wfile.write(answer)
        handler.wfile.flush()
        answered.set()

    receiver = receiving(behave)
    with ServerProcess(certs, tmp_path / "data", *FLAGS).start() as server:
        running.append(server)
        ana = make_token(server, "ana")
        make_hook(server, receiver)
        (hello,) = say(server, ana, "hello")
        first = next_of(receiver)
        assert answered.wait(PATIENCE_S)
        server.kill()
    with ServerProcess(certs, tmp_path / "data", *FLAGS).start() as server:
        again = next_of(receiver)
        assert (again.headers["webhook-id"], again.body) == (first.headers["webhook-id"], first.body)
        (following,) = say(server, ana, "the next")
        assert text_of(next_of(receiver)) == "the next"
        wait_until(lambda: caught_up(server), "all to be noted")
        found = [(message["text"], message["reply"]) for message in messages(server, ana) if message.get("reply")]
        assert found == [("done", hello), ("done", following)]
    assert receiver.count == 3


def test_an_old_message_edited_into_a_command_is_not_delivered_by_a_crash(
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


_RECEIVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        print(self.headers["webhook-id"], flush=True)
        if sys.argv[2] == "hang":
            sys.stdin.read()
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print("listening", flush=True)
server.serve_forever()
"""


def test_a_receiver_that_is_killed_and_comes_back_gets_the_same_delivery_and_then_the_rest(
    server: ServerProcess, ana: str
) -> None:
    port = closed_port()

    def receive(how: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", _RECEIVER, str(port), how],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip

    def line_of(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    with receive("hang") as killed:
        assert line_of(killed) == "listening"
        make_hook(server, port)
        say(server, ana, "one", "two")
        first = line_of(killed)
        assert first.startswith("msg_")
        killed.kill()
    server.wait_for_event("hook_failed", name="webhook")
    with receive("answer") as back:
        assert line_of(back) == "listening"
        try_now(server)
        assert line_of(back) == first
        assert line_of(back) not in {"", first}
        wait_until(lambda: caught_up(server), "all to be noted")
        back.kill()
    assert not listed(server)["failures"]


def test_a_stop_does_not_wait_for_a_receiver_that_hangs(
    certs: Path, tmp_path: Path, receiving: Callable[..., Receiver]
) -> None:
    go_on = threading.Event()
    hung = threading.Event()

    def behave(_handler: Any) -> None:
        hung.set()
        go_on.wait(PATIENCE_S)

    receiver = receiving(behave)
    with ServerProcess(certs, tmp_path / "data", *FLAGS).start() as server:
        make_hook(server, receiver)
        say(server, make_token(server, "ana"), "hello")
        assert hung.wait(PATIENCE_S)
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 3
    go_on.set()


# --- Where to, and what comes back ----------------------------------------------------------------------------------


def test_a_name_that_leads_into_a_network_that_is_not_named_gets_nothing(
    certs: Path, tmp_path: Path, receiving: Callable[..., Receiver]
) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "ca.pem").write_text(authority.pem)
    receiver = receiving(context=authority.context("localhost"))
    flags = (*LIMITLESS, "--webhook-ca", str(tmp_path / "ca.pem"))
    with ServerProcess(certs, tmp_path / "data", *flags).start() as server:
        made = admin(server.data, "hook", "out", "lobby", f"https://localhost:{receiver.port}/secret", "--on", "all")
        assert made.returncode == 0
        assert made.stdout.startswith("whsec_"), "it is made all the same"
        assert f"Nothing can be delivered to https://localhost:{receiver.port} for now: its address " in made.stderr
        assert "webhook_networks names no network that has it" in made.stderr
        say(server, make_token(server, "ana"), "hello")
        failed = server.wait_for_event("hook_failed", name="webhook")
        assert failed["reason"] == "forbidden"
        assert "webhook_networks" in failed["detail"]
        wait_until(lambda: listed(server)["failures"], "the failure")
        assert listed(server)["problem"] == failed["detail"]
    with ServerProcess(
        certs, tmp_path / "data", *flags, "--webhook-network", "127.0.0.0/8", "--webhook-network", "::1"
    ) as server:
        try_now(server)
        assert text_of(next_of(receiver)) == "hello"
    assert receiver.count == 1, "none before"


def test_a_redirect_is_not_followed(server: ServerProcess, ana: str, receiving: Callable[..., Receiver]) -> None:
    elsewhere = receiving()
    answers = [Answer(status, headers={"location": url_of(elsewhere)}) for status in (307, 308)]
    receiver = receiving(lambda handler: handler.wfile.write((answers.pop(0) if answers else Answer()).bytes))
    make_hook(server, receiver)
    say(server, ana, "hello")
    assert server.wait_for_event("hook_failed", name="webhook")["reason"] == "redirect"
    row(server, "hook", "on", "webhook")
    row(server, "hook", "on", "webhook")
    wait_until(lambda: caught_up(server), "the delivery")
    assert (receiver.count, elsewhere.count) == (3, 0)


@pytest.mark.parametrize(
    ("answer", "reply", "lost"),
    [
        (json_answer(gzip.compress(b'{"text": "packed"}'), **{"content-encoding": "gzip"}), None, "encoded"),
        (json_answer(gzip.compress(b" " * 50_000_000 + b"{}"), **{"content-encoding": "gzip"}), None, "encoded"),
        (json_answer(b'{"text": "fits"}'.ljust(64 * 1024)), "fits", None),
        (json_answer(b'{"text": "too long"}'.ljust(64 * 1024 + 1)), None, "too_long"),
        (json_answer(b'{"text": "' + b"x" * 4_001 + b'"}'), f"{'x' * 3_962}\n(39 more characters)", None),
    ],
    ids=["gzip", "gzip bomb", "64 KiB", "64 KiB and a byte", "long text"],
)  # fmt: skip
def test_what_of_an_answer_becomes_a_reply(
    server: ServerProcess,
    ana: str,
    receiving: Callable[..., Receiver],
    answer: Answer,
    reply: str | None,
    lost: str | None,
) -> None:
    make_hook(server, receiving(answering(answer)))
    say(server, ana, "hello")
    if lost is not None:
        assert server.wait_for_event("hook_reply", name="webhook")["reason"] == lost
    wait_until(lambda: caught_up(server), "the delivery")
    assert texts(server, ana) == (["hello"] if reply is None else ["hello", reply])


def test_no_proxy_of_the_environment_is_used(certs: Path, tmp_path: Path, receiving: Callable[..., Receiver]) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "ca.pem").write_text(authority.pem)
    proxy, plain = receiving(), receiving()
    secure = receiving(context=authority.context("localhost"))
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    env = {each: f"http://127.0.0.1:{proxy.port}" for name in names for each in (name, name.lower())}
    flags = (*FLAGS, "--webhook-network", "::1", "--webhook-ca", str(tmp_path / "ca.pem"))
    with ServerProcess(certs, tmp_path / "data", *flags, env={**env, "NO_PROXY": "", "no_proxy": ""}).start() as server:
        make_hook(server, plain)
        row(server, "hook", "out", "lobby", f"https://localhost:{secure.port}/", "--on", "all", "--name", "secure")
        say(server, make_token(server, "ana"), "hello")
        assert text_of(next_of(plain)) == text_of(next_of(secure)) == "hello"
    assert proxy.count == 0


# --- Secrets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("json_log", [True, False])
def test_no_secret_and_no_url_of_a_webhook_is_in_any_output(
    certs: Path, tmp_path: Path, receiving: Callable[..., Receiver], json_log: bool
) -> None:
    """Each kind of failure, with a secret in the path and in the query."""
    path, query = "hush-in-the-path", "hush-in-the-query"
    receivers = {
        "status": receiving(answering(Answer(500))),
        "redirect": receiving(answering(Answer(302, headers={"location": f"http://127.0.0.1/{path}?{query}"}))),
        "malformed": receiving(answering(b"what\r\n\r\n")),
        "cut": receiving(lambda _handler: None),
        "unreachable": closed_port(),
        "gone": receiving(answering(Answer(410))),
        "reply": receiving(answering(json_answer(b'{"text": 7}'))),
    }
    process = ServerProcess(certs, tmp_path / "data", *FLAGS, "--show-messages", json_log=json_log)
    secrets, shown = [], []
    with process.start() as server:
        ana = make_token(server, "ana")
        for name, receiver in receivers.items():
            port = receiver if isinstance(receiver, int) else receiver.port
            url = f"http://127.0.0.1:{port}/{path}?key={query}"
            made = row(server, "hook", "out", "lobby", url, "--on", "all", "--name", name)
            secrets.append(made["secret"].removeprefix("whsec_"))
        say(server, ana, "hello")
        for name in ("status", "redirect", "malformed", "cut", "unreachable"):
            server.wait_for_line(f'"{name}" could not' if not json_log else f'"hook_failed","name":"{name}"')
        server.wait_for_line("hook_off")
        server.wait_for_line("hook_reply")
        for words in (("hook", "list"), ("hook", "list", "--json"), ("bot",), ("audit",), ("status",), ("check",)):
            done = admin(server.data, *words)
            shown += [done.stdout, done.stderr]
        shown += texts(server, ana)
        server.stop()
    everything = "\n".join([*shown, *process.lines, process.stderr])
    assert "127.0.0.1" in everything
    assert not [each for each in (path, query, *secrets) if each in everything]
