"""Names that are taken or kept for a while, with real clients: they wait for them, say so, and lose no line.

Looked through: every way a client is told that a name is not free (in use, kept after a lost connection), in every mode
(terminal, --send, a plain pipe), with the name given and with two that want it at the same time.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securechat.client.exit_codes import ClientExit
from tests.support.client import CLIENT, PATIENCE_S, ROOT, at, run_client
from tests.support.native import NativeClient
from tests.support.screen import Screen
from tests.support.server import ServerProcess

KEPT_S = 2


@pytest.fixture(scope="module")
def keeping(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that keeps names for a few seconds only."""
    flags = ("--limit", f"name_reservation_s={KEPT_S}")
    with ServerProcess(certs, tmp_path_factory.mktemp("keeping") / "data", *flags).start() as process:
        yield process


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


def test_two_that_want_a_kept_name_at_once_wait_for_it_and_lose_no_line(keeping: ServerProcess) -> None:
    lose(keeping, "ci")
    both = [sending(keeping, "ci", "first\n", "--send"), sending(keeping, "ci", "second\n")]
    told = []
    for process in both:
        assert process.stderr is not None
        told.append(process.stderr.read())
        assert process.wait(PATIENCE_S) == ClientExit.OK, told
        process.stderr.close()
    assert any("ci is kept for another" in each and "Trying again" in each for each in told), told
    with NativeClient(keeping.port, keeping.ca) as reader:
        reader.hello("reader")
        assert sorted(message.text for message in reader.history("lobby")) == ["first", "second"]


def test_a_script_that_does_not_want_to_wait_is_refused_at_once(keeping: ServerProcess) -> None:
    lose(keeping, "impatient")
    done = run_client(*at(keeping, "--name", "impatient", "--send", "--wait", "0"), stdin="x\n")
    assert done.returncode == ClientExit.NAME_TAKEN
    assert "kept" in done.stderr


def test_a_terminal_says_until_when_and_takes_another_name(
    keeping: ServerProcess, open_at: Callable[..., Screen]
) -> None:
    lose(keeping, "ana")
    ana = open_at("--name", "ana")
    ana.wait_for("ana is kept for another")
    ana.line("/nick other")
    ana.wait_for("as other")


@pytest.fixture
def open_at(keeping: ServerProcess) -> Iterator[Callable[..., Screen]]:
    """Opens real clients of that server on pseudo-terminals."""
    opened: list[Screen] = []

    def make(*flags: str) -> Screen:
        opened.append(Screen([*CLIENT, *at(keeping, *flags)], cwd=ROOT))
        return opened[-1]

    yield make
    for one in opened:
        one.__exit__()
