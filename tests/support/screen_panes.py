"""People's full screens in tmux, and what of their talk is seen."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tests.support.client import CLIENT, ROOT, at
from tests.support.played_server import PlayedServer
from tests.support.screen import ON
from tests.support.server import ServerProcess
from tests.support.tmux import TmuxPane

ENV = {**ON, "PYTHONPATH": str(ROOT)}


class ScreenPanes:
    """Makes panes; a context manager, with which they end. Their sockets have short paths, as sockets must."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="tmux-")
        self._opened: list[TmuxPane] = []

    def __enter__(self) -> ScreenPanes:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._opened:
            each.__exit__()
        self._directory.cleanup()

    def __call__(self, *, env: dict[str, str] | None = None, **options: int) -> TmuxPane:
        """Return a pane with a shell."""
        own = Path(self._directory.name) / str(len(self._opened))
        own.mkdir()
        one = TmuxPane(own, env={**ENV, **(env or {})}, **options)
        self._opened.append(one)
        one.wait_until(lambda: one.text.strip() in {"$", "#"}, "the prompt of the shell")
        return one

    def opened(
        self,
        server: ServerProcess | PlayedServer,
        name: str,
        *,
        port: int | None = None,
        env: dict[str, str] | None = None,
        **options: int,
    ) -> TmuxPane:
        """Return a person's screen, connected; through another ``port`` where one is given."""
        one = self(env=env, **options)
        one.start(command(server, name, port))
        one.wait_for("Write a message")
        one.wait_for(f"{name} · connected")
        return one


def command(server: ServerProcess | PlayedServer, name: str, port: int | None = None) -> list[str]:
    """Return the command of a person's client."""
    if port is not None:
        return [*CLIENT, "--ca", str(server.ca), f"127.0.0.1:{port}", "--name", name]
    return [*CLIENT, *at(server, "--name", name)]  # type: ignore[arg-type]


def said(one: TmuxPane) -> list[str]:
    """Return the numbered messages that are seen, in order."""
    right = "\n".join(row.partition("│")[2] or row for row in one.rows())
    return re.findall(r"from \w+ \d+", right)


def process_of(one: TmuxPane) -> int:
    """Return the id of the client that runs in the pane's shell."""
    shell = one.told("pane_pid")
    found = Path(f"/proc/{shell}/task/{shell}/children").read_text(encoding="ascii").split()
    assert len(found) == 1, found
    return int(found[0])
