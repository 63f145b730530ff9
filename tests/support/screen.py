"""A terminal as a user sees it: a program on a pseudo-terminal, its output through a terminal emulator (pyte).

Waiting is always for a condition on the screen, woken by the program's own output; nothing here sleeps.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyte
from pyte.screens import Char

from tests.support import patience, pseudo, warm
from tests.support.secrecy import expect_clean_command

PATIENCE_S = patience.PATIENCE_S
ON = {"SECURECHAT_PLAIN": ""}
"""Opens the full screen: an empty variable counts as unset."""
_STRING = re.compile(rb"\x1b[_P][^\x1b]*\x1b\\")
_BEGINS = re.compile(rb"\x1b(?:[_P][^\x1b]*\x1b?)?\Z")
CTRL_C, CTRL_D, ENTER = "\x03", "\x04", "\r"


class Screen:
    """Runs a command on a pseudo-terminal of ``columns`` by ``rows``. A context manager: the program dies with it.

    The client shows lines, as most tests are about what is said; with `ON` in ``env`` it does what it does by default.
    Attributes:
        answers: what the terminal says to a question, by the question.
        reads: what else gets the program's output.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        answers: Mapping[bytes, bytes] | None = None,
        reads: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        self._emulator = pyte.HistoryScreen(columns, rows, history=2000, ratio=0.5)
        self._stream = pyte.ByteStream(self._emulator)
        self._rows: list[str] | None = None  # of what was shown last; pyte's own display takes 20 ms each time
        self.output = b""
        self.answers, self.reads = dict(answers or {}), reads
        self._left = b""
        self._fd, theirs = pty.openpty()
        self._resize(columns, rows)
        whole = {
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "SECURECHAT_STATE": "",
            "SECURECHAT_CLIENT_CONFIG": "",
            "SECURECHAT_PLAIN": "1",
            **_without_ours(),
            **(env or {}),
        }
        expect_clean_command(command)
        self._pseudo = pseudo.output(command, whole)
        self.process = _start(command, whole, cwd, theirs)
        os.close(theirs)
        os.set_blocking(self._fd, False)

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.close_window()

    def close_window(self) -> None:
        """End the terminal, as closing its window does: the program gets SIGHUP and has no terminal any more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def rows(self) -> list[str]:
        """Every row, scrolled away ones first, without trailing spaces and empty rows."""
        if self._rows is None:
            here = (self._emulator.buffer[y] for y in range(self._emulator.lines))
            every = [_text_of(row) for row in (*self._emulator.history.top, *here)]
            self._rows = [row for row in every if row]
        return self._rows

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._fd, text.encode())

    def has_echo(self) -> bool:
        """Whether the terminal shows what is typed by itself."""
        return bool(termios.tcgetattr(self._fd)[3] & termios.ECHO)

    def line(self, text: str) -> None:
        """Type a line and press Enter."""
        self.type(text + ENTER)

    def paste(self, text: str) -> None:
        """Paste, as a terminal with bracketed paste does."""
        self.type(f"\x1b[200~{text}\x1b[201~")

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the window, as a user does."""
        self._emulator.resize(rows, columns)
        self._rows = None
        self._resize(columns, rows)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGWINCH)

    def wait_for(self, text: str, timeout: float = PATIENCE_S) -> None:
        """Wait until ``text`` is somewhere on the screen."""
        self.wait_until(lambda: text in self.text, repr(text), timeout)

    def wait_until(self, condition: Callable[[], bool], what: str, timeout: float = PATIENCE_S) -> None:
        """Wait until a condition on the screen holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            left_s = deadline - time.monotonic()
            if not self._pump(left_s) and not condition():
                raise AssertionError(f"not on the screen: {what}; there is:\n{self.text}")

    def wait_for_exit(self, timeout: float = PATIENCE_S) -> int:
        """Wait until the program ends; returns its exit code."""
        deadline = time.monotonic() + timeout
        while self._pump(deadline - time.monotonic()):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def _pump(self, timeout: float) -> bool:
        """Show what the program writes next; False at its end or when time is up."""
        if timeout <= 0 or not select.select([self._fd], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # Linux: EIO when the other side is closed
            return False
        is_more = bool(data)
        if self._pseudo is not None:
            data = self._pseudo.unmarked(data)
        self._answer(data)
        self.output += data
        self.reads(data)
        text, self._left = _without_strings(self._left + data)
        self._stream.feed(text)
        self._rows = None
        return is_more

    def _answer(self, data: bytes) -> None:
        """Answer the questions in what has come."""
        found = []
        for question, answer in self.answers.items():
            known = self.output[-len(question) + 1 :]
            found += [(at.start(), answer) for at in re.finditer(re.escape(question), known + data)]
        for _, answer in sorted(found):
            os.write(self._fd, answer)

    def _resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _without_strings(data: bytes) -> tuple[bytes, bytes]:
    """Return output without what pyte would show as text, strings of APC and DCS, and the begin of one without end."""
    data = _STRING.sub(b"", data)
    begins = _BEGINS.search(data)
    return (data, b"") if begins is None else (data[: begins.start()], data[begins.start() :])


def _text_of(row: Mapping[int, Char]) -> str:
    """A row up to its last cell that was written; the second half of a wide sign is a cell with nothing in it."""
    return "".join(row[x].data for x in range(max(row, default=-1) + 1)).rstrip()


def _start(
    command: Sequence[str], env: dict[str, str], cwd: Path | None, terminal: int
) -> subprocess.Popen[bytes] | warm.WarmProcess:
    if warm.is_warm(command):
        return warm.WarmProcess(command, env=env, cwd=cwd, terminal=terminal)
    return subprocess.Popen(
        command,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=env,
        cwd=cwd,
        start_new_session=True,
        preexec_fn=_as_a_login_shell_would,  # noqa: PLW1509 - two system calls, between fork and exec
    )


def _as_a_login_shell_would() -> None:
    """Take the terminal, and let it end us: under ``nohup`` the tests' own SIGHUP is ignored, and that is inherited."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _without_ours() -> dict[str, str]:
    """The environment without what would change the client under test; pytest-xdist sets the size of a terminal."""
    others = ("TERM", "COLUMNS", "LINES")
    return {
        name: value for name, value in os.environ.items() if not name.startswith("SECURECHAT_") and name not in others
    }
