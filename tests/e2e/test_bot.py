"""The bot library against a real server: each message once, over lost connections, restarts and kills."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from securechat import model as m
from securechat.bot import (
    AsyncClient,
    Client,
    Deleted,
    Edited,
    Message,
    Reacted,
    Refused,
    Sent,
    StartupFailed,
    Stopped,
)
from tests.support.admin import row
from tests.support.client import ROOT
from tests.support.native import NativeClient
from tests.support.server import ServerProcess, wait_until

PASSWORD = "a password for bots"
Connect = Callable[..., NativeClient]


@pytest.fixture
def bot(server: ServerProcess, tmp_path: Path) -> dict[str, str]:
    """The environment of a bot with an account, which is in #ops."""
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text(PASSWORD)
    link = row(server, "invite", "--host", f"127.0.0.1:{server.port}")["link"]
    variables = {
        "SECURECHAT_NAME": "robi",
        "SECURECHAT_PASSWORD_FILE": str(password),
        "SECURECHAT_STATE": str(tmp_path / "state"),
    }
    with Client.from_environment({**variables, "SECURECHAT_LINK": link}) as chat:
        chat.join("ops")
    return {**variables, "SECURECHAT_SERVER": f"127.0.0.1:{server.port}", "SECURECHAT_CA": str(server.ca)}


def say_in_ops(client: NativeClient, *texts: str) -> None:
    for text in texts:
        client.say_acked(text, "ops")


def in_ops(connect: Connect, server: ServerProcess, name: str) -> NativeClient:
    client = connect(server, name)
    client.join("ops")
    return client


def test_a_bot_answers_and_is_answered(server: ServerProcess, bot: dict[str, str], connect: Connect) -> None:
    ana = in_ops(connect, server, "ana")
    with Client.from_environment(bot) as chat:
        assert chat.me.name == "robi"
        assert {person.name for person in chat.members("ops")} == {"ana", "robi"}
        say_in_ops(ana, "!ping")
        message = next(chat.messages())
        assert (message.text, message.room, message.sender.name, message.again) == ("!ping", "ops", "ana", False)
        seq = message.reply("pong")
        answer = ana.wait_for_text("pong")
        assert (answer.seq, answer.reply) == (seq, message.seq)
        assert chat.direct("ana", "psst") == ana.wait_for_text("psst").seq
        assert [each.text for each in chat.history("ops")] == ["!ping", "pong"]
        assert [each.text for each in chat.history("ops", 1, before=seq)] == ["!ping"]
        assert [each.text for each in chat.search("pong")] == ["pong"]
        own = chat.history("ops", 1)[0]
        assert own.own
        chat.edit(own, "pong!")
        chat.react(own, "👍")
        chat.delete(own)
        first = chat.send("ops", "build 42 failed", key="build-42")
        assert chat.send("ops", "build 42 failed", key="build-42") == first


def test_refusals_have_their_code(server: ServerProcess, bot: dict[str, str], connect: Connect) -> None:
    in_ops(connect, server, "ana")
    with Client.from_environment(bot) as chat:
        for do, code in (
            (lambda: chat.send("nowhere", "x"), "not_a_member"),
            (lambda: chat.send("ops", ""), "text_empty"),
            (lambda: chat.send("ops", "x" * 4001), "text_too_long"),
            (lambda: chat.join("no such room"), "room_invalid"),
            (lambda: chat.direct("carol", "x"), "no_such_person"),
            (lambda: chat.search("from:"), "query_invalid"),
            (lambda: chat.history("nowhere"), "not_a_member"),
            (lambda: chat.members("nowhere"), "not_a_member"),
            (lambda: chat.edit(Sent(10_000, "ops"), "x"), "not_found"),
            (lambda: chat.send("ops", "half a pair: \ud800"), "invalid"),
            (lambda: chat.send("ops", "x", key="a key with spaces"), "invalid"),
            (lambda: chat.history("ops", before=-1), "invalid"),
            (lambda: chat.react(Sent(1, "ops"), ""), "invalid"),
        ):
            with pytest.raises(Refused) as caught:
                do()
            assert caught.value.code == code, caught.value
    with pytest.raises(Stopped):
        chat.send("ops", "too late")


def test_everything_that_happens_to_messages_is_an_event(
    server: ServerProcess, bot: dict[str, str], connect: Connect
) -> None:
    ana = in_ops(connect, server, "ana")
    with Client.from_environment(bot) as chat:
        events = chat.events()
        message = chat.send("ops", "original")
        heard = next(events)
        assert isinstance(heard, Message)
        assert (heard.seq, heard.own) == (message, True)
        chat.edit(heard, "mended")
        chat.react(heard, "👍")
        chat.react(heard, "👍", on=False)
        chat.delete(heard)
        changes = [next(events) for _ in range(4)]
        assert [type(change) for change in changes] == [Edited, Reacted, Reacted, Deleted]
        assert all(getattr(change, "message", 0) == message for change in changes)
    assert ana.closed is False


def test_a_bot_by_a_token_for_one_room_hears_what_was_said_while_it_was_away(
    server: ServerProcess, connect: Connect, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text(row(server, "bot", "add", "robi", "--room", "lobby")["secret"])
    variables = {
        "SECURECHAT_TOKEN_FILE": str(token),
        "SECURECHAT_STATE": str(tmp_path / "state"),
        "SECURECHAT_SERVER": f"127.0.0.1:{server.port}",
        "SECURECHAT_CA": str(server.ca),
    }
    ana = connect(server, "ana")
    with Client.from_environment(variables) as chat:
        ana.say_acked("one")
        message = next(chat.messages())
        assert message.text == "one"
    ana.say_acked("two")
    with Client.from_environment(variables) as chat:
        messages = chat.messages()
        assert next(messages).again, "it was not asked for the next one"
        assert next(messages).text == "two"
        server.kill()
        server.start()
        connect(server, "budi").say_acked("three")
        assert next(messages).text == "three"


def test_what_is_said_while_the_bot_is_away_comes_once(
    server: ServerProcess, bot: dict[str, str], connect: Connect
) -> None:
    ana = in_ops(connect, server, "ana")
    say_in_ops(ana, "before the first message was asked for")
    with Client.from_environment(bot) as chat:
        messages = chat.messages()
        assert next(messages).text == "before the first message was asked for"  # the fixture's run ended before it
        say_in_ops(ana, "one")
        assert next(messages).text == "one"
        say_in_ops(ana, "two")
        assert next(messages).text == "two"  # handled only when the next one is asked for
    say_in_ops(ana, "three", "four")
    server.kill()
    server.start()
    with Client.from_environment(bot) as chat:
        messages = chat.messages()
        found = [next(messages) for _ in range(3)]
        assert [(each.text, each.again) for each in found] == [("two", True), ("three", False), ("four", False)]
        back = in_ops(connect, server, "ana2")
        say_in_ops(back, "five")
        assert next(messages).text == "five"


def test_a_lost_connection_loses_and_doubles_nothing(
    server: ServerProcess, bot: dict[str, str], connect: Connect
) -> None:
    ana = in_ops(connect, server, "ana")
    with Client.from_environment(bot) as chat:
        messages = chat.messages()
        say_in_ops(ana, "one")
        assert next(messages).text == "one"
        server.kill()
        server.start()
        back = in_ops(connect, server, "ana2")
        say_in_ops(back, "two", "three")
        assert [next(messages).text for _ in range(2)] == ["two", "three"]
        assert chat.send("ops", "still here") == back.wait_for_text("still here").seq


SCRIPT = """
import os, sys
from securechat.bot import Client
with Client.from_environment() as chat:
    for message in chat.messages():
        if message.text == "!stop":
            break
        message.reply(f"answer to {message.text}")
        if message.text == "!die" and not message.again:
            os.kill(os.getpid(), 9)  # behind the answer, and before the next message is asked for
"""


def test_a_killed_bot_gives_no_answer_twice(
    server: ServerProcess, bot: dict[str, str], connect: Connect, tmp_path: Path
) -> None:
    ana = in_ops(connect, server, "ana")
    script = tmp_path / "bot.py"
    script.write_text(textwrap.dedent(SCRIPT))
    env = {**os.environ, **bot, "PYTHONPATH": str(ROOT)}
    say_in_ops(ana, "one", "!die", "two", "!stop")
    first = subprocess.run([sys.executable, str(script)], env=env, check=False, timeout=120, cwd=tmp_path)
    assert first.returncode == -9
    second = subprocess.run(
        [sys.executable, str(script)], env=env, check=False, timeout=120, cwd=tmp_path, capture_output=True, text=True
    )
    assert second.returncode == 0, second.stderr
    answers = [message.text for message in ana.history("ops") if message.text.startswith("answer")]
    assert answers == ["answer to one", "answer to !die", "answer to two"]


def test_a_guest_begins_anew(server: ServerProcess, connect: Connect, tmp_path: Path) -> None:
    ana = connect(server, "ana")
    variables = {
        "SECURECHAT_SERVER": f"127.0.0.1:{server.port}",
        "SECURECHAT_CA": str(server.ca),
        "SECURECHAT_NAME": "guest",
        "SECURECHAT_STATE": str(tmp_path / "state"),
    }
    for number in (1, 2):
        with Client.from_environment(variables) as chat:
            ana.say_acked(f"hello {number}")
            message = next(chat.messages())
            assert (message.text, message.again) == (f"hello {number}", False)
        ana.say_acked("nobody hears it")


def test_a_server_with_another_log_does_not_know_the_account(server: ServerProcess, bot: dict[str, str]) -> None:
    server.stop()
    for path in server.data.glob("*.db*"):
        path.unlink()
    server.start()
    with pytest.raises(StartupFailed, match="The login was refused"):
        Client.from_environment(bot).__enter__()


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"SECURECHAT_NAME": ""}, "set SECURECHAT_TOKEN_FILE, or SECURECHAT_NAME"),
        ({"SECURECHAT_CA": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
        ({"SECURECHAT_SERVER": "127.0.0.1:1"}, "127.0.0.1"),
        ({"SECURECHAT_LINK": "https://example.org/"}, "link"),
        ({"SECURECHAT_PASSWORD_FILE": "/nowhere/password"}, "/nowhere/password"),
    ],
)
def test_what_is_missing_is_told(
    server: ServerProcess, tmp_path: Path, variables: dict[str, str], sentence: str
) -> None:
    good = {
        "SECURECHAT_SERVER": f"127.0.0.1:{server.port}",
        "SECURECHAT_CA": str(server.ca),
        "SECURECHAT_NAME": "robi",
        "SECURECHAT_STATE": str(tmp_path / "state"),
    }
    with pytest.raises(StartupFailed, match=sentence), Client.from_environment({**good, **variables}):
        pass


def test_the_same_with_asyncio(server: ServerProcess, bot: dict[str, str], connect: Connect) -> None:
    ana = in_ops(connect, server, "ana")

    async def run() -> list[str]:
        heard: list[str] = []
        async with AsyncClient.from_environment(bot) as chat:
            await asyncio.to_thread(say_in_ops, ana, "one", "two")
            async for message in chat.messages():
                heard.append(message.text)
                await message.reply(f"answer to {message.text}")
                if message.text == "two":
                    break
            assert [each.text for each in await chat.history("ops", 2)] == ["answer to one", "answer to two"]
            with pytest.raises(Refused):
                await chat.send("nowhere", "x")
        return heard

    assert asyncio.run(run()) == ["one", "two"]
    assert ana.wait_for_text("answer to two")


# --- who it is --------------------------------------------------------------------------------------------------------


def token_of(bot: dict[str, str], path: Path) -> Path:
    """A file with the login that the fixture's run has kept."""
    (kept,) = Path(bot["SECURECHAT_STATE"]).glob("v1/login-*.json")
    path.touch(0o600)
    path.write_text(json.loads(kept.read_text())["token"] + "\n")
    return path


def test_a_token_says_who_the_bot_is_and_its_cursor_is_the_accounts(
    server: ServerProcess, bot: dict[str, str], connect: Connect, tmp_path: Path
) -> None:
    with_token = {key: bot[key] for key in ("SECURECHAT_SERVER", "SECURECHAT_CA", "SECURECHAT_STATE")}
    with_token["SECURECHAT_TOKEN_FILE"] = str(token_of(bot, tmp_path / "token"))
    say_in_ops(in_ops(connect, server, "ana"), "said while it was away")
    with Client.from_environment(with_token) as chat:
        assert chat.me.name == "robi"
        assert next(chat.messages()).text == "said while it was away"
        server.kill()
        server.start()
        back = in_ops(connect, server, "ana2")
        assert chat.send("ops", "with the token again") == back.wait_for_text("with the token again").seq


@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        ("0" * 32, 0o600, "The login was refused"),
        ("scb_" + "A" * 49, 0o600, "refused|not valid|wrong or missing"),  # a server that knows no API tokens, too
        ("a password", 0o600, "its first line is no token"),
        ("", 0o600, "its first line is empty"),
        ("0" * 32, 0o644, "other users can read it"),
    ],
)
def test_a_token_that_is_none_stops_the_start_and_is_never_shown(
    bot: dict[str, str], tmp_path: Path, content: str, mode: int, sentence: str
) -> None:
    path = tmp_path / "token"
    path.touch()
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(StartupFailed, match=sentence) as failed:
        Client.from_environment({**bot, "SECURECHAT_TOKEN_FILE": str(path)}).__enter__()
    assert not content or content not in str(failed.value)


def test_the_link_of_the_first_start_may_stay_where_it_is(
    server: ServerProcess, connect: Connect, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text(PASSWORD)
    variables = {
        "SECURECHAT_LINK": row(server, "invite", "--host", f"127.0.0.1:{server.port}")["link"],
        "SECURECHAT_NAME": "robi",
        "SECURECHAT_PASSWORD_FILE": str(password),
        "SECURECHAT_STATE": str(tmp_path / "state"),
    }
    with Client.from_environment(variables) as chat:
        first = chat.me
    password.unlink()  # the login is kept
    del variables["SECURECHAT_PASSWORD_FILE"]
    connect(server, "ana").say_acked("said while it was away")
    with Client.from_environment(variables) as chat:
        assert chat.me == first
        assert next(chat.messages()).text == "said while it was away"


# --- slow handlers and kills ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_handler_that_computes_loses_no_connection(certs: Path, tmp_path: Path, connect: Connect) -> None:
    """For longer than the server waits for a pong; the real limits are 60 and 30 s."""
    flags = ("--limit", "idle_ping_s=0.1", "--limit", "ping_timeout_s=5")
    with ServerProcess(certs, tmp_path / "data", *flags) as server:
        ana = connect(server, "ana")
        variables = {
            "SECURECHAT_SERVER": f"127.0.0.1:{server.port}",
            "SECURECHAT_CA": str(server.ca),
            "SECURECHAT_NAME": "robi",
            "SECURECHAT_STATE": "",
        }
        with Client.from_environment(variables) as chat:
            ana.say_acked("compute")
            events = chat.events()
            heard = next(events)
            assert isinstance(heard, Message)
            until = time.monotonic() + 6.0
            while time.monotonic() < until:
                sum(range(10_000))
            chat.reply(heard, "computed")
            reply = next(events)
            assert isinstance(reply, Message), reply
            assert reply.text == "computed"


def test_rates_are_waited_for(certs: Path, tmp_path: Path, connect: Connect) -> None:
    with ServerProcess(certs, tmp_path / "data", "--limit", "message_burst=2", "--limit", "message_rate=10") as server:
        ana = connect(server, "ana")
        variables = {
            "SECURECHAT_SERVER": f"127.0.0.1:{server.port}",
            "SECURECHAT_CA": str(server.ca),
            "SECURECHAT_NAME": "robi",
            "SECURECHAT_STATE": "",
        }
        with Client.from_environment(variables) as chat:
            texts = [f"number {number}" for number in range(12)]
            seqs = [chat.send("lobby", text) for text in texts]
            assert seqs == sorted(set(seqs))
            assert [message.text for message in chat.history("lobby", 12)] == texts
            assert len(chat.members("lobby")) == 2
            for _ in range(15):  # questions have a rate of their own
                chat.search("number", 1)
        assert ana.wait_for_text(texts[-1]).seq == seqs[-1]


KILLED = """
import os
from securechat.bot import Client
journal = os.open("journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
with Client.from_environment() as chat:
    for message in chat.messages():
        os.write(journal, f"{message.seq} {int(message.again)}\\n".encode())
        for number in range(message.seq % 3):
            message.reply(f"answer {number} to {message.seq}")
        if message.text == "the last one":
            break
"""
KILLS = 8


@pytest.mark.slow
def test_killed_anywhere_a_bot_handles_each_message_and_gives_each_answer_once(
    server: ServerProcess, bot: dict[str, str], connect: Connect, tmp_path: Path
) -> None:
    script, journal = tmp_path / "bot.py", tmp_path / "journal"
    script.write_text(KILLED)
    journal.touch()
    env = {**os.environ, **bot, "PYTHONPATH": str(ROOT)}
    dice = random.Random(7)
    ana = in_ops(connect, server, "ana")

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, str(script)], env=env, cwd=tmp_path)

    said: list[int] = []
    for kill in range(KILLS):
        said += [ana.say_acked(f"message {kill}.{number}", "ops").seq for number in range(4)]
        lines = len(journal.read_text().splitlines())
        process = start()
        wanted = lines + dice.randint(1, 3)
        wait_until(lambda: len(journal.read_text().splitlines()) >= wanted, "the bot handles messages")  # noqa: B023
        until = time.monotonic() + dice.uniform(0.0, 0.01)  # an answer takes a few milliseconds
        while time.monotonic() < until:
            pass
        if kill == KILLS // 2:
            server.kill()
            server.start()
            ana = in_ops(connect, server, "ana2")
        process.kill()
        process.wait(60)
    said.append(ana.say_acked("the last one", "ops").seq)
    assert start().wait(120) == 0
    handled = [tuple(map(int, line.split())) for line in journal.read_text().splitlines()]
    firsts = [seq for at, (seq, _) in enumerate(handled) if seq not in {each for each, _ in handled[:at]}]
    assert firsts == said
    for before, (seq, again) in zip([(0, 0), *handled], handled, strict=False):
        assert again or seq > before[0], f"{seq} was handed out again without a word"
        assert seq >= before[0]
    answers = [message.text for message in ana.history("ops") if message.text.startswith("answer")]
    expected = [f"answer {number} to {seq}" for seq in said for number in range(seq % 3)]
    assert sorted(answers) == sorted(expected)


# --- what the documents show ------------------------------------------------------------------------------------------

SHOWN = [
    (document, block)
    for document in ("README.md", "docs/bots.md")
    for block in re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)
    if "securechat.bot" in block
]


@pytest.mark.parametrize(("document", "block"), SHOWN, ids=[f"{document}-{n}" for n, (document, _) in enumerate(SHOWN)])
def test_each_bot_of_the_documents_works(
    server: ServerProcess, bot: dict[str, str], connect: Connect, tmp_path: Path, document: str, block: str
) -> None:
    script = tmp_path / "shown.py"
    script.write_text(block)
    ana = in_ops(connect, server, "ana")
    (tmp_path / "report.pdf").write_bytes(b"123")
    say_in_ops(ana, next(word for word in ("!uptime", "!report", "!ping") if word in block))
    env = {**os.environ, **bot, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, str(script)], env=env, cwd=tmp_path)
    try:
        answer = ana.wait_for(m.Message, lambda message: message.reply is not None)
        assert re.fullmatch(r"pong|up for \d+ s|the numbers of today\n\[file: report.pdf, 3 B\]", answer.text)
    finally:
        process.kill()
        process.wait(60)


def test_the_bot_of_the_readme_has_at_most_fifteen_lines() -> None:
    (block,) = [block for document, block in SHOWN if document == "README.md"]
    assert len(block.strip().splitlines()) <= 15
