"""The bot library against a real server: each message once, over lost connections, restarts and kills."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securechat.bot import (
    AsyncClient,
    Client,
    Deleted,
    Edited,
    Gap,
    Message,
    Reacted,
    Refused,
    Sent,
    StartupFailed,
    Stopped,
)
from tests.support.admin import row, told
from tests.support.client import ROOT
from tests.support.native import NativeClient
from tests.support.server import ServerProcess

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


def test_a_gap_that_an_administrator_made_is_told(server: ServerProcess, bot: dict[str, str], connect: Connect) -> None:
    in_ops(connect, server, "ana")
    with Client.from_environment(bot) as chat:
        events = chat.events()
        chat.send("ops", "one")
        assert isinstance(next(events), Message)
        told(server, "announce", "nothing to do with it")
        with pytest.raises(Refused):
            chat.send("ops", "")
    server.stop()
    for path in server.data.glob("*.db*"):
        path.unlink()  # another log
    server.start()
    with pytest.raises(StartupFailed):
        Client.from_environment(bot).__enter__()  # the account is not there any more


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"SECURECHAT_NAME": ""}, "name"),
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


@pytest.fixture(autouse=True)
def _no_gap_is_ignored() -> Iterator[None]:
    assert Gap(None, None) != Gap("ops", 1)
    yield
