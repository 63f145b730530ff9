"""Which terminals can show a screen: by terminfo, where it knows them."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from securechat.cli import terminal_choice
from securechat.cli.terminal_choice import why_no_screen


@pytest.mark.skipif(sys.platform == "win32", reason="terminfo is of Unix")
@pytest.mark.parametrize(
    ("term", "can"),
    [
        ("xterm-256color", True),
        ("screen", True),
        ("a-terminal-of-tomorrow", True),
        ("vt220", False),
        ("linux", False),
        ("dumb", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_a_screen_needs_cursor_positions_and_an_alternate_screen(term: str, can: bool) -> None:
    """In a process each: curses reads one entry only."""
    program = f"from securechat.cli.terminal_choice import has_sequences; print(has_sequences({term!r}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"{can}\n"


def test_where_there_is_no_driver_there_is_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_choice, "_HAS_DRIVER", False)
    assert why_no_screen({"TERM": "xterm"}) == "it does not run on Windows yet"


def test_a_closed_stream_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_choice, "_HAS_DRIVER", True)
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert why_no_screen({"TERM": "xterm"}) == "input, output and errors are not one terminal"
