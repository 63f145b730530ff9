"""The full screen in tmux: what is marked by the mouse or by the terminal is whole, and so is what is copied."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import CLIENT, ROOT, at
from tests.support.screen import ON
from tests.support.server import ServerProcess, wait_until

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
    pytest.mark.not_pseudo("compares texts of a window"),
]
LINK = "https://example.org/a/rather/long/path/that/fills/more/than/a/row/of/the/pane?with=query&and=more"
WORDS = "and then these words follow it, in a line that does not fit either"


class TmuxScreen:
    """A window of tmux with a screen, 70 columns wide; it has a server of its own, which ends with the test.

    Args:
        socket: of tmux.
        server: to chat on.
    """

    def __init__(self, socket: Path, server: ServerProcess) -> None:
        self._socket = str(socket)
        config = socket.with_suffix(".conf")
        config.write_text("set -g set-clipboard on\nset -g mouse on\nset -g default-terminal tmux-256color\n")
        env = {**os.environ, "SECURECHAT_STATE": "", **ON, "LC_ALL": "C.UTF-8"}
        command = shlex.join([*CLIENT, *at(server, "--name", "ann")])
        size = ["-x", "70", "-y", "24", "-c", str(ROOT)]
        start = ["tmux", "-S", self._socket, "-f", str(config), "new-session", "-d", *size, command]
        subprocess.run(start, check=True, env={**env, "TERM": "xterm-256color"})

    def tell(self, *command: str) -> str:
        """Run a command of tmux; returns what it prints."""
        run = subprocess.run(["tmux", "-S", self._socket, *command], check=False, capture_output=True, text=True)
        return run.stdout

    @property
    def rows(self) -> list[str]:
        """What is on the screen."""
        return self.tell("capture-pane", "-p").split("\n")

    @property
    def text(self) -> str:
        """The same as one text."""
        return "\n".join(self.rows)

    @property
    def lines(self) -> list[str]:
        """What the terminal's own selection has: a row that it has wrapped goes on in the next."""
        return self.tell("capture-pane", "-p", "-J").split("\n")

    def type(self, text: str) -> None:
        """Press keys, or what a mouse reports."""
        self.tell("send-keys", "-l", text)

    def wait_for(self, text: str) -> None:
        """Wait until a text is on the screen."""
        wait_until(lambda: any(text in row for row in self.rows), text)

    def place(self, text: str) -> tuple[int, int]:
        """Return column and row of a text, from 1, as mice tell them."""
        row = next(index for index, row in enumerate(self.rows) if text in row)
        return self.rows[row].index(text) + 1, row + 1


@pytest.fixture
def tmux(server: ServerProcess) -> Iterator[TmuxScreen]:
    socket = server.data.parent / "tmux"
    window = TmuxScreen(socket, server)
    yield window
    window.tell("kill-server")


def say(tmux: TmuxScreen, *texts: str) -> None:
    tmux.wait_for("ann · connected")
    for text in texts:
        tmux.type(text)
        tmux.tell("send-keys", "Enter")
        wait_until(lambda end=text[-5:]: _is_stored(tmux.text, end), "stored")


def _is_stored(shown: str, end: str) -> bool:
    return end in shown and "Write a message" in shown and "sending" not in shown


def test_marked_text_is_copied_without_the_newlines_of_the_wrap(tmux: TmuxScreen) -> None:
    say(tmux, f"{LINK} {WORDS}")
    column, row = tmux.place("https://")
    assert not any(LINK in shown for shown in tmux.rows), "it takes several rows"
    to_row = tmux.place("either")[1]
    for report in (f"0;{column};{row}M", f"32;{column + 1};{row}M", f"32;70;{to_row}M", f"0;70;{to_row}m"):
        tmux.type(f"\x1b[<{report}")
    tmux.wait_for("Sent to the terminal")
    wait_until(lambda: tmux.tell("show-buffer") != "", "a copy")
    assert tmux.tell("show-buffer") == f"{LINK} {WORDS}"


def test_the_bare_view_has_each_message_and_link_as_one_line(tmux: TmuxScreen) -> None:
    say(tmux, f"see {LINK} {WORDS}", "short")
    tmux.type("\x1bl")
    wait_until(lambda: not any("│" in row for row in tmux.rows), "no panes")
    wait_until(lambda: LINK in tmux.lines, "the link")
    assert [line.partition(" ")[2] for line in tmux.lines if ": " in line] == [f"ann: see {LINK} {WORDS}", "ann: short"]
    tmux.type("\x1b")
    wait_until(lambda: any("│" in row for row in tmux.rows), "the panes again")
    assert any("connected" in row for row in tmux.rows)
