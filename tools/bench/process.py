"""The servers under test: started on a core of their own, watched through /proc, always stopped.

CPU time comes from the process's CPU clock (``clock_gettime(2)``, all threads, ended ones too): nanoseconds, where
/proc/PID/stat counts in steps of 10 ms.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 15.0
QUIET_CORES = 0.2
_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
GENERATOR_CORE = _CORES[0]
SERVER_CORE = _CORES[-1]


def pin(core: int) -> None:
    """Keep this process, and children started from now on, on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


@dataclass
class Server:
    """A running server.

    Attributes:
        pid: whose CPU and memory count.
        port: on 127.0.0.1.
        listening_s: from the spawn to the line that says so.
        core_ms: how long the server's core took for a fixed piece of Python directly before.
        metrics_port: where it is scraped, on 127.0.0.1; 0: nowhere.
    """

    pid: int
    port: int
    listening_s: float = 0.0
    core_ms: float = 0.0
    metrics_port: int = 0

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def cpu_s(self) -> float:
        """CPU seconds of all threads so far."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def rss_kib(self) -> int:
        """Resident memory."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise RuntimeError("no VmRSS: the server is gone")


def command_of(kind: str, certs: Path, port: int, data: Path, checkout: Path) -> list[str]:
    """How a server of this kind is started; ``before`` is the one of another checkout, with its own environment."""
    cert = str(certs / "server.pem")
    if kind == "baseline":
        return [sys.executable, "-m", "tools.bench.baseline", "--cert", cert, "--port", str(port)]
    flags = ["--cert", cert, "--host", "127.0.0.1", "--port", str(port), "--data", str(data), "--rate-limit", "off"]
    python = str(checkout / ".venv" / "bin" / "python") if kind == "before" else sys.executable
    return [python, "-m", "securechat.cli.serve", *flags]


@contextlib.contextmanager
def running(
    kind: str, certs: Path, data: Path, checkout: Path = ROOT, *, metrics: bool = False, flags: Sequence[str] = ()
) -> Iterator[Server]:
    """A server of this kind (``securechat``, ``before`` or ``baseline``) on the server's core, while the block lasts.

    ``before`` is the server of ``checkout``; with ``metrics`` it can be scraped; ``flags`` are further ones. Its output
    goes to a file, because a pipe that is not read would stop it.

    Raises:
        RuntimeError: it did not begin to listen.
    """
    data.mkdir(parents=True, exist_ok=True)
    port, metrics_port = _free_port(), _free_port() if metrics else 0
    flags = [*flags, *(["--metrics", f"127.0.0.1:{metrics_port}"] if metrics else [])]
    output = data / "output.txt"
    pin(SERVER_CORE)
    core_ms = _core_speed_ms()
    try:
        began = time.monotonic()
        with output.open("wb") as sink:
            process = subprocess.Popen(
                [*command_of(kind, certs, port, data / "log", checkout), *flags],
                cwd=checkout if kind == "before" else ROOT,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
    finally:
        pin(GENERATOR_CORE)
    try:
        _await_listening(process, output, began + START_TIMEOUT_S, b"metrics " if metrics else b"listening")
        yield Server(process.pid, port, time.monotonic() - began, core_ms, metrics_port)
    finally:
        _stop(process)


def _await_listening(process: subprocess.Popen[bytes], output: Path, deadline: float, word: bytes) -> None:
    while word not in output.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server did not start: {output.read_text(errors='replace')[-2000:]}")
        time.sleep(0.001)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM twice (the second cuts the drain short), then SIGKILL."""
    for step in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(step)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S / 3)


def _core_speed_ms() -> float:
    """CPU milliseconds of a fixed loop: a virtual core's speed changes with what its neighbours do."""
    began = time.thread_time()
    total = 0
    for number in range(300_000):
        total += number & 3
    return (time.thread_time() - began) * 1e3


def await_quiet(patience_s: float) -> None:
    """Wait until others use less than QUIET_CORES, but not for ever."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        before = machine_busy_s()
        time.sleep(0.5)
        if (machine_busy_s() - before) / 0.5 < QUIET_CORES:
            return


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Meter:
    """What server, generator and the rest of the machine used since the meter was made."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._wall, self._server_s, self._own_s, self._busy_s = self._read()

    def _read(self) -> tuple[float, float, float, float]:
        own = time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)
        return time.monotonic(), self._server.cpu_s(), own, machine_busy_s()

    def read(self) -> dict[str, float]:
        """Wall seconds, CPU seconds of the server, and what share of a core each took."""
        wall, server, own, busy = (
            after - before
            for after, before in zip(self._read(), (self._wall, self._server_s, self._own_s, self._busy_s), strict=True)
        )
        return {
            "wall_s": wall,
            "server_cpu_s": server,
            "server_util": server / wall,
            "generator_util": own / wall,
            "other_util": max(0.0, busy - server - own) / wall,
        }


def machine_busy_s() -> float:
    """Seconds that all cores together were busy since boot (proc(5): not idle, not iowait, not guest)."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    return sum(int(field) for place, field in enumerate(fields) if place not in {3, 4}) / os.sysconf("SC_CLK_TCK")
