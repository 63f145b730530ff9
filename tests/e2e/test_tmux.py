"""The line mode in tmux, which wraps rows anew when its window becomes narrower."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.support.client import CLIENT, ROOT
from tests.support.server import ServerProcess

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
PATIENCE_S = 60.0
TYPED = "the quick brown fox jumps over the lazy dog and runs away into the dark"


class Tmux:
    """A window of tmux with a client, 80 columns wide; it has a server of its own, which ends with the test."""

    def __init__(self, socket: str, command: list[str]) -> None:
        self._socket = socket
        env = {
            **os.environ,
            "SECURECHAT_STATE": "",
            "SECURECHAT_PLAIN": "1",
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm-256color",
        }
        started = ["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "20", "-c", str(ROOT), shlex.join(command)]
        subprocess.run(["tmux", "-S", socket, *started], check=True, env=env)

    def tell(self, *command: str) -> str:
        return subprocess.run(["tmux", "-S", self._socket, *command], check=True, capture_output=True, text=True).stdout

    @property
    def text(self) -> str:
        return self.tell("capture-pane", "-p").rstrip()

    def type(self, text: str) -> None:
        self.tell("send-keys", "-l", text)

    def wait_for_end(self, end: str) -> None:
        """Wait until the window shows this last, a moment between two looks: tmux tells nothing by itself."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.text.endswith(end):
            assert time.monotonic() < deadline, f"not at the end of the window: {end!r}; there is:\n{self.text}"
            self.tell("run-shell", "-d", "0.05", "true")


@pytest.fixture
def tmux(server: ServerProcess) -> Iterator[Tmux]:
    where = ["--ca", str(server.ca), f"127.0.0.1:{server.port}"]
    socket = str(server.data.parent / "tmux")
    window = Tmux(socket, [*CLIENT, *where, "--name", "ann"])
    yield window
    subprocess.run(["tmux", "-S", socket, "kill-server"], check=False, capture_output=True)


@pytest.mark.not_pseudo("compares whole windows")
def test_a_narrower_window_has_no_remains_of_the_prompt_and_keeps_what_is_above(tmux: Tmux) -> None:
    tmux.wait_for_end("alone here\n>>")
    tmux.type("one message that stays")
    tmux.tell("send-keys", "Enter")
    tmux.wait_for_end("ann: one message that stays\n>>")
    tmux.type(TYPED)
    tmux.wait_for_end(f">> {TYPED}")
    for columns in (50, 30, 80, 20):
        tmux.tell("resize-window", "-x", str(columns), "-y", "20")
        line = f">> {TYPED}"
        rows = [line[at : at + columns].rstrip() for at in range(0, len(line), columns)]
        tmux.wait_for_end("\n".join(rows))
        assert tmux.text.count(">>") == 1
    tmux.tell("resize-window", "-x", "80", "-y", "20")
    tmux.wait_for_end(f"ann: one message that stays\n>> {TYPED}")
