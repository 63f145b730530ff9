"""The terminal client on a pseudo-terminal of this program, which is the terminal, and the link to it.

The terminal answers what terminals answer: its attributes, its state, the cursor's position and its background. A
`Link` in between passes a number of bytes a second on, from the client's side of the pseudo-terminal as well, whose
buffer is the kernel's, and delays both directions. All is done in the calls that wait; there is no thread.
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
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from tools.bench.process import GENERATOR_CORE, ROOT, SERVER_CORE, pin

SILENCE_S = 0.05
_PATIENCE_S = 20.0
_LEAVE_S = 3.0
_READ_BYTES = 1 << 16
_STEP_S = 0.002
"""For so long a slow link gathers what it may pass on."""
_ANSWERS = {
    b"\x1b[c": b"\x1b[?62;22c",
    b"\x1b[0c": b"\x1b[?62;22c",
    b"\x1b[5n": b"\x1b[0n",
    b"\x1b[6n": b"\x1b[1;1R",
    b"\x1b]11;?\x1b\\": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
}
_QUESTION = re.compile(b"|".join(map(re.escape, _ANSWERS)))
_LONGEST_QUESTION = max(map(len, _ANSWERS))


class Link(Struct):
    """What is between client and terminal.

    Attributes:
        bytes_s: read from the client in a second; None: all at once.
        delay_s: of each direction.
    """

    bytes_s: float | None = None
    delay_s: float = 0.0


class ClientTerminal:
    """The client on a pseudo-terminal.

    Args:
        command: of the client.
        columns, rows: of the terminal.
        link: to it; may be replaced at any time.
        env: more of the environment.
        checkout: the version of the client.

    Attributes:
        written: bytes that have arrived at the terminal.
        recorded: of them those since it was last emptied; None records nothing.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 40,
        link: Link | None = None,
        env: Mapping[str, str] | None = None,
        checkout: Path = ROOT,
    ) -> None:
        self._fd, theirs = pty.openpty()
        self._sized(columns, rows)
        ours = ("SECURECHAT_", "NO_COLOR", "TMUX", "TERM_PROGRAM", "PYTHONPATH")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            "SECURECHAT_STATE": "",
            "SECURECHAT_CLIENT_CONFIG": "",
            **(env or {}),
        }
        pin(SERVER_CORE)
        try:
            self.process = subprocess.Popen(
                command,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=environment,
                cwd=checkout,
                start_new_session=True,
            )
        finally:
            pin(GENERATOR_CORE)
        os.close(theirs)
        self.link = link or Link()
        self.written = 0
        self.recorded: bytearray | None = None
        self._passed_at = time.monotonic()
        self._may_pass = 0.0
        self._coming: deque[tuple[float, bytes]] = deque()
        self._going: deque[tuple[float, bytes]] = deque()
        self._tail = b""
        self._asked = b""

    def close(self) -> None:
        """Leave, so that its name is free; kill it if it stays."""
        self.link = Link()
        with contextlib.suppress(RuntimeError, OSError):
            deadline = time.monotonic() + _LEAVE_S
            self.type("\x15\x04")
            while self.process.poll() is None and self._read(deadline - time.monotonic()):
                pass
        self.process.kill()
        self.process.wait()
        os.close(self._fd)

    def cpu_s(self) -> float:
        """CPU seconds of all its threads so far."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def rss_mib(self) -> float:
        """Resident memory."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the client is gone")

    def type(self, text: str) -> None:
        """Type keys."""
        self._send(text.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self._sized(columns, rows)
        self.process.send_signal(signal.SIGWINCH)

    def wait_for(self, text: str | bytes) -> float:
        """Read until the client has written a text; returns when."""
        wanted = text.encode() if isinstance(text, str) else text

        def cut() -> bool:
            at = self._tail.find(wanted)
            self._tail = self._tail[at + len(wanted) :] if at >= 0 else self._tail
            return at >= 0

        return self.wait_until(cut, repr(wanted))

    def wait_for_number(self, wanted: re.Pattern[bytes], accepts: Callable[[int], bool]) -> tuple[float, int]:
        """Read until the client has written a number that is accepted; returns when, and the least one."""
        found: list[int] = []

        def matches() -> bool:
            found[:] = [number for each in wanted.findall(self._tail) if accepts(number := int(each))]
            return bool(found)

        return self.wait_until(matches, wanted.pattern.decode()), min(found)

    def wait_until(self, holds: Callable[[], bool], what: str) -> float:
        """Read until a condition on what was written holds; returns when."""
        deadline = time.monotonic() + _PATIENCE_S
        while not holds():
            if not self._read(deadline - time.monotonic()):
                raise RuntimeError(f"the client did not write {what}, but: {self._tail[-3000:]!r}")
        return time.monotonic()

    def wait_for_any(self) -> float:
        """Read until anything comes; returns when."""
        if not self._read(_PATIENCE_S):
            raise RuntimeError("the client wrote nothing")
        return time.monotonic()

    def forget(self) -> None:
        """Wait for nothing that has come before."""
        self._tail = b""

    def settle(self, silence_s: float = SILENCE_S) -> None:
        """Read until the client is silent."""
        while self._read(silence_s):
            pass

    def read_for(self, seconds: float) -> None:
        """Read for a time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._read(left)

    def _send(self, data: bytes) -> None:
        self._going.append((time.monotonic() + self.link.delay_s, data))
        self._deliver()

    def _deliver(self) -> None:
        while self._going and self._going[0][0] <= time.monotonic():
            os.write(self._fd, self._going.popleft()[1])

    def _read(self, timeout_s: float) -> bool:
        """Pass on until something arrives at the terminal; False where nothing does in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._deliver()
            now = time.monotonic()
            if self._coming and self._coming[0][0] <= now:
                self._arrived(self._coming.popleft()[1])
                return True
            if now >= deadline:
                return False
            until = min([deadline, *(queue[0][0] for queue in (self._coming, self._going) if queue)])
            self._pass_on(until)

    def _pass_on(self, until: float) -> None:
        """Take from the client what the link may pass on, or wait."""
        size = _READ_BYTES
        now = time.monotonic()
        if self.link.bytes_s is not None:
            most = max(1.0, self.link.bytes_s * _STEP_S)
            self._may_pass = min(most, self._may_pass + (now - self._passed_at) * self.link.bytes_s)
            self._passed_at, size = now, int(self._may_pass)
            if size < most // 2 or not size:
                wait_s = (most - self._may_pass) / self.link.bytes_s if self.link.bytes_s else until - now
                time.sleep(max(0.0, min(wait_s, until - now)))
                return
        if not select.select([self._fd], [], [], max(0.0, until - now))[0]:
            return
        try:
            data = os.read(self._fd, size)
        except OSError:  # the client has ended
            raise RuntimeError(f"the client has ended: {self._tail[-3000:]!r}") from None
        self._may_pass -= len(data)
        self._coming.append((time.monotonic() + self.link.delay_s, data))

    def _arrived(self, data: bytes) -> None:
        self.written += len(data)
        if self.recorded is not None:
            self.recorded += data
        self._tail = (self._tail + data)[-_READ_BYTES:]
        asked, end = self._asked + data, 0
        for found in _QUESTION.finditer(asked):
            self._send(_ANSWERS[found[0]])
            end = found.end()
        self._asked = asked[end:][-_LONGEST_QUESTION + 1 :]

    def _sized(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
