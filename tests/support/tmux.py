"""A program in tmux: a terminal of another make than pyte, with detaching, sizes and modes that it tells.

Each has a server of its own, with no configuration of the user's. Waiting is for conditions, looked at again and again.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.screen import Screen
from tests.support.server import wait_until

MODES = (
    *("alternate_on", "cursor_flag", "insert_flag", "origin_flag", "wrap_flag", "keypad_cursor_flag", "keypad_flag"),
    *(
        "mouse_any_flag",
        "mouse_standard_flag",
        "mouse_button_flag",
        "mouse_all_flag",
        "mouse_sgr_flag",
        "mouse_utf8_flag",
    ),
    *("pane_tabs", "scroll_region_upper", "scroll_region_lower", "pane_title", "window_name"),
)
"""What tmux knows of a pane (FORMATS in tmux(1)) and a hostile text could change."""


_OTHERS = ("SECURECHAT_", "TMUX", "COLUMNS", "LINES")
"""Variables that are not passed on; pytest-xdist sets the size of a terminal."""


def needs_tmux() -> pytest.MarkDecorator:
    """Return the mark of a test that is skipped where there is no tmux."""
    return pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class TmuxPane:
    """A shell in a detached tmux. A context manager: all of it ends with it.

    Args:
        directory: for the socket, short enough for one.
        columns, rows: of the window.
        env: further variables.
    """

    def __init__(
        self, directory: Path, *, columns: int = 80, rows: int = 24, env: Mapping[str, str] | None = None
    ) -> None:
        self._socket = directory / "tmux"
        config = directory / "tmux.conf"
        config.write_text(
            "set -g status off\nset -g set-clipboard on\nset -g default-terminal tmux-256color\nset -sg escape-time 0\n"
        )
        whole = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)}
        self._env = {
            **whole,
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "SECURECHAT_STATE": "",
            "SECURECHAT_PLAIN": "1",
            "TERM": "xterm-256color",
            **(env or {}),
        }
        size = ["-x", str(columns), "-y", str(rows)]
        self._run("-f", str(config), "new-session", "-d", *size, "-s", "test", "sh")

    def __enter__(self) -> TmuxPane:
        return self

    def __exit__(self, *_: object) -> None:
        self._run("kill-server", check=False)

    def start(self, command: Sequence[str]) -> None:
        """Run a command in the shell, as a person does."""
        self.keys(shlex.join(command), literal=True)
        self.keys("Enter")

    def keys(self, *keys: str, literal: bool = False) -> None:
        """Press keys, named as tmux does, or ``literal`` text."""
        self._run("send-keys", "-t", "test", *(["-l"] if literal else []), "--", *keys)

    def line(self, text: str) -> None:
        """Type a text and press Enter."""
        self.keys(text, literal=True)
        self.keys("Enter")

    def rows(self, *, history: bool = False) -> list[str]:
        """Return what is seen."""
        return (
            self._run("capture-pane", "-p", "-t", "test", *(["-S", "-"] if history else []))
            .removesuffix("\n")
            .split("\n")
        )

    @property
    def text(self) -> str:
        return "\n".join(self.rows())

    def told(self, name: str) -> str:
        """Return a format of the pane."""
        return self._run("display-message", "-p", "-t", "test", f"#{{{name}}}").strip("\n")

    def modes(self) -> dict[str, str]:
        """Return everything of `MODES`."""
        told = self._run("display-message", "-p", "-t", "test", "\t".join(f"#{{{name}}}" for name in MODES))
        return dict(zip(MODES, told.strip("\n").split("\t"), strict=True))

    def cursor(self) -> tuple[str, str]:
        return self.told("cursor_x"), self.told("cursor_y")

    def buffers(self) -> str:
        """Return what was copied into tmux, which is where a clipboard sequence puts it."""
        return self._run("list-buffers")

    def attached(self, columns: int, rows: int) -> Screen:
        """Attach a terminal of another size; closing it detaches."""
        command = [*self._command(), "attach-session", "-t", "test"]
        return Screen(command, columns=columns, rows=rows, env={**self._env, "TMUX": ""})

    def wait_for(self, text: str, patience_s: float = 30) -> None:
        """Wait until a text is seen."""
        self.wait_until(lambda: text in self.text, repr(text), patience_s)

    def wait_until(self, condition: Callable[[], Any], what: str, patience_s: float = 30) -> None:
        """Wait until a condition holds."""
        try:
            wait_until(condition, what, patience_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; there is:\n{self.text}") from None

    def _command(self) -> list[str]:
        return ["tmux", "-S", str(self._socket)]

    def _run(self, *arguments: str, check: bool = True) -> str:
        return subprocess.run(
            [*self._command(), *arguments], env=self._env, check=check, capture_output=True, text=True
        ).stdout
