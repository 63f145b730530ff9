"""Another program holds the database: messages wait, the log says so once, and all goes on when it lets go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from securechat.model import Acked, Closing, Hello, Welcome
from tests.support.client import CLIENT, PATIENCE_S, ROOT, at
from tests.support.native import NativeClient
from tests.support.server import ServerProcess, wait_until

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=30)
for statement in sys.argv[2:]:
    connection.execute(statement).fetchall()
print("held", flush=True)
sys.stdin.read()
"""


class OtherProgram:
    """A process that holds the database as a database browser does, until it is told to let go."""

    def __init__(self, database: Path, *statements: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(database), *statements],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "held\n"

    def let_go(self) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


def test_messages_wait_while_another_program_holds_the_database(certs: Path, tmp_path: Path) -> None:
    """Looked through: every call of SQLite in securechat/storage, by its result code (test_failures.py)."""
    data = tmp_path / "data"
    with ServerProcess(certs, data, "--rate-limit", "off").start() as server:
        with NativeClient(server.port, server.ca) as ann, NativeClient(server.port, server.ca) as bob:
            ann.hello("ann")
            bob.hello("bob")
            stored = ann.say_acked("before")
            other = OtherProgram(data / "securechat.db", "BEGIN EXCLUSIVE")
            client_id = ann.say("while it is held")
            line = server.wait_for_line("locked by another program")
            assert "securechat.db" in line
            assert "close it" in line
            assert len(bob.history("lobby")) == 1, "readers read on"
            other.let_go()
            acked = ann.wait_for(Acked, lambda event: event.client_id == client_id)
            assert acked.seq > stored.seq
            assert bob.wait_for_text("while it is held").seq == acked.seq
            server.wait_for_line("the database is free again")
        # A stop in the middle of it is a stop in order; the message without an answer is the client's to send again.
        with NativeClient(server.port, server.ca) as eve:
            eve.hello("eve")
            other = OtherProgram(data / "securechat.db", "BEGIN EXCLUSIVE")
            eve.say("never answered")
            server.wait_for_line("locked by another program")
            assert server.stop() == 0
            other.let_go()


@pytest.mark.slow
def test_a_start_names_the_program_that_holds_the_database_and_works_afterwards(certs: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with ServerProcess(certs, data).start() as server:
        assert server.stop() == 0
    other = OtherProgram(data / "securechat.db", "PRAGMA locking_mode=EXCLUSIVE", "BEGIN EXCLUSIVE", "COMMIT")
    failed = ServerProcess(certs, data).start(wait=False)
    assert failed.wait() == 4
    assert "locked by another program" in failed.stderr
    assert "close it there" in failed.stderr
    other.let_go()
    with ServerProcess(certs, data).start() as server:
        assert server.stop() == 0


HELD_S = 20.0
"""A sixth of two minutes: eighty attempts to write, more than the hello and handshake timeouts, and a third of the time
after which the same condition would be said again."""
WAITING = 200


@pytest.mark.slow
def test_nothing_is_lost_while_another_program_holds_the_database_for_long(certs: Path, tmp_path: Path) -> None:
    """Waiting: messages of one who is connected, a hello, and a client with a pipe; all are carried out, in order."""
    data = tmp_path / "data"
    flags = ["--rate-limit", "off", "--limit", f"append_queue={2 * WAITING}"]
    with (
        ServerProcess(certs, data, *flags).start() as server,
        NativeClient(server.port, server.ca) as ann,
        NativeClient(server.port, server.ca) as bob,
        NativeClient(server.port, server.ca) as late,
    ):
        ann.hello("ann")
        bob.hello("bob")
        other = OtherProgram(data / "securechat.db", "BEGIN EXCLUSIVE")
        held_at = os.times().elapsed
        texts = [f"held {number}" for number in range(WAITING)]
        numbers = [ann.say(text) for text in texts]
        server.wait_for_line("locked by another program")
        late.send(Hello(version=1, name="late", secret=late.secret, client="test/1"))
        command = [*CLIENT, *at(server, "--name", "pipe", "--send")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as pipe:
            assert pipe.stdin is not None
            pipe.stdin.write("from a pipe\n")
            pipe.stdin.close()
            wait_until(lambda: os.times().elapsed - held_at > HELD_S, "the time that it is held", HELD_S + PATIENCE_S)
            assert pipe.poll() is None, "it waits"
            ann.pump(0)
            late.pump(0)
            told = [event for event in (*ann.events, *late.events) if isinstance(event, Acked | Closing | Welcome)]
            assert len(told) == 1, "the welcome of the one who came before"
            assert len(bob.history("lobby")) == 0, "readers read on, and see what is stored only"
            other.let_go()
            assert pipe.wait(PATIENCE_S) == 0
        for number in numbers:
            ann.wait_for(Acked, lambda acked, n=number: acked.client_id == n)  # type: ignore[misc]
        late.wait_for(Welcome)
        stored = [message.text for message in ann.history("lobby")]
        assert stored.count("from a pipe") == 1
        assert [text for text in stored if text != "from a pipe"] == texts
        server.wait_for_line("the database is free again")
        said = [line for line in server.lines if "locked by another program" in line]
        assert len(said) == 1, "said once"
        assert server.stop() == 0
