"""A terminal that can do nothing but lines shows the same rows as one with a line editor."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securechat.client.exit_codes import ClientExit
from tests.support.client import CLIENT, ROOT
from tests.support.screen import CTRL_D, Screen
from tests.support.server import ServerProcess

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
Open = Callable[..., Screen]
DUMB = {"TERM": "dumb"}
TYPED = ("/reply 1 rather at ten", "/edit 2 at eleven", "/react 1 👍", "/delete 2", "/msg bob psst", "/dm bob", "/join")
LINK = "https://example.org/" + "path/" * 30 + "end"


def meeting(screen: Open, term: str) -> list[str]:
    """Ann and bob talk; returns what ann's terminal shows of it, without prompts, echo, times and numbers of ports."""
    ann = screen("--name", "ann", "--room", "ops", env={"TERM": term}, rows=80)
    ann.wait_for("Joined #ops")
    bob = screen("--name", "bob", "--room", "ops")
    ann.wait_for("bob joined")
    bob.line("shall we meet at nine?")
    ann.wait_for("[1] bob: shall we meet at nine?")
    ann.line(TYPED[0])
    ann.wait_for("[2] ann: rather at ten")
    ann.line(TYPED[1])
    ann.wait_for("-- ann edited their own [2]: at eleven")
    ann.line(TYPED[2])
    ann.wait_for("-- Reactions to [1] by bob: 👍: ann")
    ann.line(TYPED[3])
    ann.wait_for("-- ann deleted their own [2]")
    ann.line(TYPED[4])
    ann.wait_for("ann @bob: psst")
    bob.line(f"/msg ann see {LINK}")
    ann.wait_for("/end")
    ann.line(TYPED[5])
    ann.wait_until(lambda: ann.text.count("ann @bob: psst") == 2, "the last lines of the dialogue")
    ann.wait_until(lambda: ann.text.count("/end") == 2, "and its last one")
    ann.line(TYPED[6])
    ann.wait_for("Now talking in #ops")
    bob.line("/quit")
    ann.wait_for("bob left")
    rows = [row for row in ann.rows if row not in TYPED and not re.match(r"(?:[#@]\w+ )?>>", row)]
    assert ann.output.count(b"\a") == 1, "a direct message rings"
    return [re.sub(r"^\d\d:\d\d", "00:00", re.sub(r"port \d+", "port 0", row)) for row in rows]


@pytest.fixture
def servers(certs: Path, tmp_path: Path) -> Iterator[tuple[Open, Open]]:
    """Open clients on two servers, so that both have the same numbers."""
    opened: list[Screen] = []

    def opening(server: ServerProcess) -> Open:
        def make(*flags: str, **options: object) -> Screen:
            where = ["--ca", str(server.ca), f"127.0.0.1:{server.port}"]
            opened.append(Screen([*CLIENT, *where, *flags], cwd=ROOT, **options))  # type: ignore[arg-type]
            return opened[-1]

        return make

    with ServerProcess(certs, tmp_path / "one").start() as one, ServerProcess(certs, tmp_path / "two").start() as two:
        yield opening(one), opening(two)
        for each in opened:
            each.__exit__()


def test_it_shows_the_rows_of_a_terminal_with_a_line_editor(servers: tuple[Open, Open]) -> None:
    rows = meeting(servers[0], "dumb")
    assert rows[:3] == [
        "-- Connecting to 127.0.0.1 port 0",
        "-- Connected to 127.0.0.1 port 0 as ann, encrypted and verified",
        "-- You are a guest. /register reserves this name with a password",
    ]
    assert rows == meeting(servers[1], "xterm-256color")


def test_it_gets_no_escape_sequence_at_all(screen: Open) -> None:
    ann = screen("--name", "ann", env={**DUMB, "SECURECHAT_COLOR": "always"})
    ann.wait_for("Joined #lobby")
    ann.line(f"see {LINK}")
    ann.wait_for("[1] ann: see")
    ann.line("/copy 1")
    ann.wait_for("This terminal has no clipboard. /url shows a link")
    ann.line("/url 1")
    ann.wait_until(lambda: f"\n{LINK}\r\n".encode() in ann.output, "the link on a line of its own")
    ann.type(CTRL_D)
    assert ann.wait_for_exit() == ClientExit.OK
    assert b"\x1b" not in ann.output
