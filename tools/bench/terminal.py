"""The terminal client on a pseudo-terminal: start, memory, rest, keys, pages, a flood, a resize.

    python -m tools.bench.terminal [--shell screen|lines] [--rounds 5] [--flood-s 30] [--against CHECKOUT]

A server and the client share one core; this program, which is the terminal and the others in the room, has the other.
The terminal is 120 by 40 and takes all output at once.

- **start**: from the spawn until the first row of the room's last message is written.
- **key**: one character at a time that nothing else on the screen has, from its write until it comes back. The figures
  are of `KEYS` of them, by themselves and in the flood.
- **idle**: 5 s in which nothing changes: CPU, and bytes written.
- **page**: PgUp, from its write to the first byte and to the last one before 50 ms of silence.
- **flood**: 1,000 messages a second in the room that is shown; keys every 50 ms.
- **resize**: to 100 by 30, from the signal to the first byte.
"""

from __future__ import annotations

import argparse
import fcntl
import itertools
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools.bench.certs import make_certificates
from tools.bench.phones import Phone
from tools.bench.process import GENERATOR_CORE, ROOT, SERVER_CORE, Server, pin, running

KEYS = 200
_IDLE_S = 5.0
_SILENCE_S = 0.05
_PATIENCE_S = 60.0
_READ_BYTES = 1 << 16
_KEPT = 1_000
"""Messages in the room before the client comes."""
_BATCH_S = 0.05
_FLOOD_PER_S = 1_000
_LETTERS = [chr(code) for code in range(0x0430, 0x0450)]
"""Cyrillic letters: one cell each, and in no other text of this measurement."""


@dataclass
class Figures:
    """What one run measured; seconds, bytes and MiB."""

    start_s: float = 0.0
    rss_mib: float = 0.0
    rss_scrolled_mib: float = 0.0
    idle_cpu: float = 0.0
    idle_bytes: int = 0
    keys_s: list[float] = field(default_factory=list)
    key_bytes: float = 0.0
    pages_s: list[float] = field(default_factory=list)
    page_bytes: float = 0.0
    resize_s: float = 0.0
    flood_keys_s: list[float] = field(default_factory=list)
    flood_bytes_s: float = 0.0
    flood_cpu: float = 0.0


class ClientTerminal:
    """The client on a pseudo-terminal of this program.

    Args:
        command: of the client.
        shell: ``screen`` or ``lines``.
        columns, rows: of the terminal.
    """

    def __init__(self, command: list[str], shell: str, columns: int = 120, rows: int = 40) -> None:
        self._fd, theirs = pty.openpty()
        self._sized(columns, rows)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SECURECHAT_")},
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            "SECURECHAT_STATE": "",
            "SECURECHAT_PLAIN": "" if shell == "screen" else "1",
        }
        pin(SERVER_CORE)
        try:
            self.process = subprocess.Popen(
                command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT, start_new_session=True
            )
        finally:
            pin(GENERATOR_CORE)
        os.close(theirs)
        self.written = 0
        self._tail = b""

    def close(self) -> None:
        """End the client."""
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
        os.write(self._fd, text.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self._sized(columns, rows)
        self.process.send_signal(signal.SIGWINCH)

    def wait_for(self, text: str) -> float:
        """Read until the client has written a text; returns when."""
        wanted, deadline = text.encode(), time.monotonic() + _PATIENCE_S
        while wanted not in self._tail:
            if not self._read(deadline - time.monotonic()):
                raise RuntimeError(f"the client did not write {text!r}, but: {self._tail[-3000:]!r}")
        now = time.monotonic()
        self._tail = self._tail[self._tail.index(wanted) + len(wanted) :]
        return now

    def wait_for_any(self) -> float:
        """Read until anything comes; returns when."""
        if not self._read(_PATIENCE_S):
            raise RuntimeError("the client wrote nothing")
        return time.monotonic()

    def settle(self, silence_s: float = _SILENCE_S) -> None:
        """Read until the client is silent."""
        while self._read(silence_s):
            pass

    def read_for(self, seconds: float) -> None:
        """Read for a time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._read(left)

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self._fd], [], [], max(0.0, timeout_s))[0]:
            return False
        try:
            data = os.read(self._fd, _READ_BYTES)
        except OSError:  # the client has ended
            raise RuntimeError(f"the client has ended: {self._tail[-3000:]!r}") from None
        self.written += len(data)
        self._tail = (self._tail + data)[-_READ_BYTES:]
        self._answer(data)
        return True

    def _answer(self, data: bytes) -> None:
        """Answer what a terminal answers: its attributes and the cursor's position."""
        if b"\x1b[c" in data or b"\x1b[0c" in data:
            os.write(self._fd, b"\x1b[?62;22c")
        if b"\x1b[6n" in data:
            os.write(self._fd, b"\x1b[1;1R")

    def _sized(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Flood:
    """Sends messages into the room, in a thread, until the block ends."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.sent = 0

    def __enter__(self) -> Flood:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _send(self) -> None:
        each, began = round(_FLOOD_PER_S * _BATCH_S), time.monotonic()
        for batch in itertools.count(1):
            self._phone.say_all([f"message {number} of batch {batch} in a flood" for number in range(each)])
            self.sent += each
            if self._over.wait(max(0.0, began + batch * _BATCH_S - time.monotonic())):
                return


def typed_keys(client: ClientTerminal, count: int, apart_s: float = 0.0) -> Iterator[float]:
    """Type letters, one behind the other; yield the seconds until each came back."""
    for number in range(count):
        letter = _LETTERS[number % len(_LETTERS)]
        if number and number % 24 == 0:
            client.type("\x15")  # Ctrl+U: an empty line again
            client.settle() if not apart_s else client.read_for(apart_s)
        began = time.monotonic()
        client.type(letter)
        yield client.wait_for(letter) - began
        if apart_s:
            client.read_for(max(0.0, began + apart_s - time.monotonic()))
        else:
            client.settle(0.02)


def measured(server: Server, ca: Path, phone: Phone, shell: str, checkout: Path, flood_s: float) -> Figures:
    """Run the client once."""
    python = sys.executable if checkout == ROOT else str(checkout / ".venv" / "bin" / "python")
    plan = ["127.0.0.1", "--port", str(server.port), "--ca", str(ca), "--name", "reader", "--room", phone.room]
    command = [python, "-m", "securechat.cli.chat", *plan]
    figures = Figures()
    last = f"the last of them {time.monotonic_ns()}"
    phone.say(last, [])
    began = time.monotonic()
    client = ClientTerminal(command, shell)
    try:
        figures.start_s = client.wait_for(last) - began
        client.settle(1.0)
        figures.rss_mib = client.rss_mib()
        cpu_s, written = client.cpu_s(), client.written
        client.read_for(_IDLE_S)
        figures.idle_cpu = (client.cpu_s() - cpu_s) / _IDLE_S
        figures.idle_bytes = client.written - written
        written = client.written
        figures.keys_s = list(typed_keys(client, KEYS))
        figures.key_bytes = (client.written - written) / KEYS
        client.type("\x15")
        client.settle()
        if shell == "screen":
            written = client.written
            for _ in range(20):
                began = time.monotonic()
                client.type("\x1b[5~")
                figures.pages_s.append(client.wait_for_any() - began)
                client.settle()
            figures.page_bytes = (client.written - written) / 20
            client.type("\x1b[1;5F")
            client.settle()
        figures.rss_scrolled_mib = client.rss_mib()
        if flood_s:
            with Flood(phone):
                client.read_for(1.0)
                cpu_s, written, began = client.cpu_s(), client.written, time.monotonic()
                figures.flood_keys_s = list(typed_keys(client, round(flood_s / 0.05), apart_s=0.05))
                took_s = time.monotonic() - began
                figures.flood_bytes_s = (client.written - written) / took_s
                figures.flood_cpu = (client.cpu_s() - cpu_s) / took_s
            client.settle(1.0)
        began = time.monotonic()
        client.resize(100, 30)
        figures.resize_s = client.wait_for_any() - began
    finally:
        client.close()
    return figures


def shown(name: str, rounds: list[Figures]) -> None:
    """Print the medians of some runs."""

    def median(values: list[float]) -> float:
        return statistics.median(values) if values else 0.0

    def percentile(values: list[list[float]], share: float) -> float:
        return median([sorted(each)[min(len(each) - 1, int(len(each) * share))] for each in values if each])

    keys, flood = [each.keys_s for each in rounds], [each.flood_keys_s for each in rounds]
    pages = [each.pages_s for each in rounds]

    def both(values: list[list[float]]) -> str:
        return f"{percentile(values, 0.5) * 1e3:8.1f}, {percentile(values, 0.99) * 1e3:.1f} ms"

    print(f"{name}: medians of {len(rounds)} runs")
    print(f"  start to the room's last message  {median([each.start_s for each in rounds]):8.2f} s")
    print(f"  RSS                               {median([each.rss_mib for each in rounds]):8.1f} MiB")
    print(f"  RSS after 20 pages                {median([each.rss_scrolled_mib for each in rounds]):8.1f} MiB")
    print(f"  idle: CPU                         {median([each.idle_cpu for each in rounds]) * 100:8.2f} %")
    print(f"  idle: written in {_IDLE_S:.0f} s              {median([each.idle_bytes for each in rounds]):8.0f} bytes")
    print(f"  key: p50, p99                     {both(keys)}")
    print(f"  key: written                      {median([each.key_bytes for each in rounds]):8.0f} bytes")
    if any(pages):
        print(f"  PgUp: p50, p99                    {both(pages)}")
        print(f"  PgUp: written                     {median([each.page_bytes for each in rounds]):8.0f} bytes")
    if any(flood):
        print(f"  flood, key: p50, p99              {both(flood)}")
        print(
            f"  flood: written                    {median([each.flood_bytes_s for each in rounds]) / 1024:8.1f} KiB/s"
        )
        print(f"  flood: CPU                        {median([each.flood_cpu for each in rounds]) * 100:8.1f} %")
    print(f"  resize to the first byte          {median([each.resize_s for each in rounds]) * 1e3:8.1f} ms", flush=True)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--shell", action="append", choices=["screen", "lines"], help="only this; repeatable")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each (default 5)")
    parser.add_argument("--flood-s", type=float, default=30.0, help="seconds of 1,000 messages each; 0: none")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another version's line mode too")
    options = parser.parse_args()
    pin(GENERATOR_CORE)
    kinds = [(shell, shell, ROOT) for shell in options.shell or ["screen", "lines"]]
    if options.against is not None:
        kinds.append(("lines before", "lines", options.against.resolve()))
    rounds: dict[str, list[Figures]] = {name: [] for name, _, _ in kinds}
    with tempfile.TemporaryDirectory() as scratch:
        certs = Path(scratch)
        make_certificates(certs)
        for _ in range(options.rounds):
            for name, shell, checkout in kinds:
                data = Path(tempfile.mkdtemp(dir=scratch))
                with running("securechat", certs, data) as server:
                    phone = Phone(certs / "ca.pem", server.port, "talker")
                    phone.say_all([f"message {number} of those that were said before" for number in range(_KEPT)])
                    rounds[name].append(measured(server, certs / "ca.pem", phone, shell, checkout, options.flood_s))
                    phone.close()
    for name, figures in rounds.items():
        shown(name, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
