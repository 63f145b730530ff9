"""Names that are taken or kept for a while, with real clients: they wait for them, say so, and lose no line.

Looked through: every way a client is told that a name is not free (in use, kept after a lost connection), in every mode
(terminal, --send, a plain pipe), with the name given and with two that want it at the same time.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

from securechat.client.exit_codes import ClientExit
from securechat.errors import ErrorCode
from securechat.model import Quit
from tests.support.client import CLIENT, PATIENCE_S, ROOT, at, run_client
from tests.support.native import NativeClient
from tests.support.screen import Screen
from tests.support.server import ServerProcess


def lose(server: ServerProcess, name: str) -> None:
    """A guest's window closes: the connection ends without a goodbye."""
    with NativeClient(server.port, server.ca) as guest:
        guest.hello(name)


def sending(server: ServerProcess, name: str, line: str, *flags: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [*CLIENT, *at(server, "--name", name, *flags)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.close()
    return process


def test_two_that_want_a_taken_name_at_once_wait_for_it_and_lose_no_line(standing: ServerProcess) -> None:
    with NativeClient(standing.port, standing.ca) as owner:
        owner.hello("ci")
        both = [sending(standing, "ci", "first\n", "--send"), sending(standing, "ci", "second\n")]
        for process in both:
            assert process.stderr is not None
            assert "The name ci is taken. Waiting up to 1 minute for it" in process.stderr.readline()
        owner.send(Quit())
        assert owner.last_words().code is ErrorCode.BYE
    for process in both:
        assert process.stderr is not None
        assert process.wait(PATIENCE_S) == ClientExit.OK, process.stderr.read()
        process.stderr.close()
    with NativeClient(standing.port, standing.ca) as reader:
        reader.hello("reader")
        assert sorted(message.text for message in reader.history("lobby")) == ["first", "second"]


def test_a_script_that_does_not_want_to_wait_is_refused_at_once(standing: ServerProcess) -> None:
    lose(standing, "impatient")
    done = run_client(*at(standing, "--name", "impatient", "--send", "--wait", "0"), stdin="x\n")
    assert done.returncode == ClientExit.NAME_TAKEN
    assert "Ended, as --wait 0 waits for nothing" in done.stderr
    assert "Trying again" not in done.stderr


def test_a_terminal_says_until_when_and_takes_another_name(
    standing: ServerProcess, open_at: Callable[..., Screen]
) -> None:
    lose(standing, "ana")
    ana = open_at("--name", "ana")
    ana.wait_for("ana is kept for another")
    ana.line("/nick other")
    ana.wait_for("as other")


@pytest.fixture
def open_at(standing: ServerProcess) -> Iterator[Callable[..., Screen]]:
    """Opens real clients of that server on pseudo-terminals."""
    opened: list[Screen] = []

    def make(*flags: str) -> Screen:
        opened.append(Screen([*CLIENT, *at(standing, *flags)], cwd=ROOT))
        return opened[-1]

    yield make
    for one in opened:
        one.__exit__()
