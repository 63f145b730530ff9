"""A real server process for end-to-end tests: real TLS, real files, killed at the end whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.support import patience, warm
from tests.support.secrecy import expect_clean, expect_clean_command

PATIENCE_S = patience.PATIENCE_S


def wait_until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Poll a condition that lives in another process; returns its first true value."""
    deadline = time.monotonic() + patience_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience_s} s: {what}")
        threading.Event().wait(0.01)
    return value


class ServerProcess:
    """One run of ``securechat-server``; `restart` starts another on the same data, certificate and port.

    Args:
        certs: directory with server.pem and ca.pem.
        data: data directory.
        flags: further flags.
        host: where to listen.
        env: further environment variables.
        json_log: whether the console speaks JSON (what `events` needs).
        prefix: a command that runs the server, such as strace.
    """

    def __init__(
        self,
        certs: Path,
        data: Path,
        *flags: str,
        host: str = "127.0.0.1",
        port: int = 0,
        env: dict[str, str] | None = None,
        json_log: bool = True,
        prefix: Sequence[str] = (),
    ) -> None:
        self.prefix = tuple(prefix)
        self.certs, self.data, self.host, self.port = certs, data, host, port
        self.flags, self.env, self.json_log = flags, env or {}, json_log
        self.lines: list[str] = []
        self.stderr = ""
        self.process: subprocess.Popen[str] | warm.WarmProcess | None = None
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def ca(self) -> Path:
        return self.certs / "ca.pem"

    def start(self, *, wait: bool = True) -> ServerProcess:
        """Start and, with ``wait``, return when it listens."""
        command = [*self.prefix, sys.executable, "-m", "securechat.cli.serve", "--cert", str(self.certs / "server.pem")]
        command += ["--host", self.host, "--port", str(self.port), "--data", str(self.data), *self.flags]
        command += ["--log-format", "json"] if self.json_log else []
        self.lines = []
        expect_clean_command(command)
        env = {**os.environ, "PYTHONUNBUFFERED": "1", **self.env}
        if warm.is_warm(command):
            self.process = warm.WarmProcess(command, env=env)
        else:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=env,
            )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._threads = [
            threading.Thread(target=self._read_lines, args=(self.process.stdout,)),
            threading.Thread(target=self._read_errors, args=(self.process.stderr,)),
        ]
        for thread in self._threads:
            thread.start()
        if wait:
            line = self.wait_for_line("listening")
            where = json.loads(line)["address"] if self.json_log else line.split()[-1]
            self.port = int(where.rpartition(":")[2])
        return self

    def wait_for_line(self, text: str, patience_s: float = PATIENCE_S, *, after: int = 0) -> str:
        """Return the first console line (from index ``after`` on) that contains ``text``."""
        deadline = time.monotonic() + patience_s
        with self._changed:
            while True:
                for line in self.lines[after:]:
                    if text in line:
                        return line
                left_s = deadline - time.monotonic()
                if left_s <= 0 or (self.process is not None and self.process.poll() is not None):
                    shown = "\n".join(self.lines[-40:])
                    raise AssertionError(
                        f"no line with {text!r}; exit {self.process and self.process.poll()}\n{shown}\n{self.stderr}"
                    )
                self._changed.wait(min(left_s, 0.2))

    def wait_for_event(self, event: str, patience_s: float = PATIENCE_S, **fields: object) -> dict[str, Any]:
        """Return the first JSON event of that kind whose fields have these values."""

        def found() -> dict[str, Any] | None:
            for record in self.events():
                if record["event"] == event and all(record.get(key) == value for key, value in fields.items()):
                    return record
            return None

        try:
            result: dict[str, Any] = wait_until(found, f"event {event} {fields}", patience_s)
        except AssertionError as error:
            shown = "\n".join(self.lines[-40:])
            raise AssertionError(f"{error}\n{shown}\n{self.stderr}") from None
        return result

    def events(self) -> list[dict[str, Any]]:
        """All JSON events so far."""
        with self._changed:
            return [json.loads(line) for line in self.lines if line.startswith("{")]

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, patience_s: float = PATIENCE_S) -> int:
        """Wait for the process to end and return its exit code."""
        assert self.process is not None
        try:
            code = self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            shown = "\n".join(self.lines[-40:])
            raise AssertionError(f"the server did not end\n{shown}\n{self.stderr}") from None
        for thread in self._threads:
            thread.join()
        expect_clean("the server", [*self.lines, self.stderr])
        return code

    def kill(self) -> None:
        """kill -9, as a power cut would for the process."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def __enter__(self) -> ServerProcess:
        return self if self.process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _read_lines(self, stream: Any) -> None:
        with stream:
            for line in stream:
                with self._changed:
                    self.lines.append(line.rstrip("\n"))
                    self._changed.notify_all()

    def _read_errors(self, stream: Any) -> None:
        with stream:
            for line in stream:
                self.stderr += line
