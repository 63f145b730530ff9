"""Programs that start warm: one process imports everything and forks for each start, so that a start costs no imports.

Nine tenths of what most programs here do is to import the same modules, and there are six hundred starts. A warm one is
a process of its own all the same, from `main` on what the shell starts: its own streams, terminal, environment, working
directory, pid, signals and exit code, and an interpreter that is torn down at its end. It lacks the interpreter's own
beginning, and nothing else. Tests that are about that are marked `cold`, and ``pytest --cold`` starts everything so.

Linux only; elsewhere every start is cold.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.support import pseudo

ROOT = Path(__file__).parents[2]
POSSIBLE = sys.platform == "linux"
_TOGETHER = {
    "securechat.cli.serve": (),
    "securechat.cli.admin": (),
    "securechat.cli.chat": ("securechat.client.terminal.app", "securechat.client.screen.session"),
    "tests.support.screen_program": (),
}
"""What is imported for each program; the client's two shells are only wanted at a terminal, and then at every one."""
_READ_BY_PYTHON = re.compile(r"PYTHON|(?:LC_ALL|LC_CTYPE|LANG)$|OPENSSL_|SSL_")
"""The variables that the interpreter and its libraries read once: these a start cannot change any more."""

cold = False
"""Whether programs start from nothing now; the fixtures of the end-to-end tests see to it."""


class WarmProcess:
    """A program that was forked, with what tests use of `subprocess.Popen`.

    Args:
        command: ``[sys.executable, "-m", MODULE, ...]``.
        env: the environment.
        cwd: the working directory.
        terminal: a terminal for all three streams, to be its own; without it they are pipes.
        has_input: whether standard input is a pipe to write to; nothing can be read from it otherwise.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        terminal: int | None = None,
        has_input: bool = False,
    ) -> None:
        self.args = command
        self.returncode: int | None = None
        self.stdin: IO[str] | None = None
        self.stdout: IO[str] | None = None
        self.stderr: IO[str] | None = None
        self._encoding = pseudo.encoding(command, env) if terminal is None else None
        env = dict(pseudo.environment(command, env) or os.environ)
        start = {
            "arguments": command[3:],
            "env": env,
            "cwd": str(cwd or Path.cwd()),
            "terminal": terminal is not None,
        }
        self._told, telling = os.pipe()
        theirs = [terminal] * 3 if terminal is not None else self._make_pipes(has_input=has_input)
        try:
            _forker_for(command[2], env, is_terminal=terminal is not None).start(start, [*theirs, telling])
        finally:
            for descriptor in [telling, *(theirs if terminal is None else ())]:
                os.close(descriptor)
        self.pid = self._next_word()

    def _make_pipes(self, *, has_input: bool) -> list[int]:
        if has_input:
            first, ours = os.pipe()
            self.stdin = open(ours, "w", encoding=self._encoding)  # noqa: SIM115, PTH123 - as Popen's are
        else:
            first = os.open(os.devnull, os.O_RDONLY)
        out, second = os.pipe()
        error, third = os.pipe()
        self.stdout = open(out, encoding=self._encoding)  # noqa: SIM115, PTH123
        self.stderr = open(error, encoding=self._encoding)  # noqa: SIM115, PTH123
        return [first, second, third]

    def _next_word(self) -> int:
        word = os.read(self._told, 4)
        assert word, "the program was not started, or nobody is left who knows how it ended"
        return int(struct.unpack("i", word)[0])

    def poll(self) -> int | None:
        """Return the exit code; None as long as it runs."""
        return self._end_within(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        if (code := self._end_within(timeout)) is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.args, timeout)
        return code

    def _end_within(self, seconds: float | None) -> int | None:
        if self.returncode is None:
            ended = select.poll()  # and not `select`, which knows no descriptor from 1,024 on
            ended.register(self._told, select.POLLIN)
            if ended.poll(None if seconds is None else math.ceil(seconds * 1000)):
                self.returncode = os.waitstatus_to_exitcode(self._next_word())
                os.close(self._told)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal; to nobody if it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # ended a moment ago
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def is_warm(command: Sequence[str]) -> bool:
    """Whether this command starts warm now."""
    return POSSIBLE and not cold and list(command[:2]) == [sys.executable, "-m"] and command[2] in _TOGETHER


def run(
    command: Sequence[str], *, text: str, timeout: float, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with ``text`` for its input; as `subprocess.run` does.

    Raises:
        subprocess.TimeoutExpired: it was killed, because it had not ended by itself.
    """
    if not is_warm(command):
        return subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=timeout, cwd=cwd, env=env, check=False
        )
    process = WarmProcess(command, env=env, cwd=cwd, has_input=True)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    said: dict[str, str] = {}
    threads = [
        threading.Thread(target=_write, args=(process.stdin, text)),
        threading.Thread(target=_read, args=(process.stdout, said, "stdout")),
        threading.Thread(target=_read, args=(process.stderr, said, "stderr")),
    ]
    for thread in threads:
        thread.start()
    try:
        code = process.wait(timeout)
    finally:
        process.kill()
        process.wait()
        for thread in threads:
            thread.join()
    return subprocess.CompletedProcess(command, code, said["stdout"], said["stderr"])


def _write(stream: IO[str], text: str) -> None:
    try:
        with stream:
            stream.write(text)
    except BrokenPipeError:
        pass  # whoever does not listen misses it


def _read(stream: IO[str], into: dict[str, str], name: str) -> None:
    with stream:
        into[name] = stream.read()


class _Forker:
    """The process that forks, for one program under one set of what Python reads at its start."""

    def __init__(self, modules: Sequence[str], env: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.warm_program", str(theirs.fileno()), *modules],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=env,
                cwd=ROOT,
            )
        self._channel = ours
        self._one_at_a_time = threading.Lock()
        atexit.register(self._end)

    def start(self, what: Mapping[str, object], descriptors: Sequence[int]) -> None:
        with self._one_at_a_time:
            socket.send_fds(self._channel, [json.dumps(what).encode()], descriptors)

    def _end(self) -> None:
        self._channel.close()
        self._process.wait()


_forkers: dict[object, _Forker] = {}
_making = threading.Lock()


def _forker_for(program: str, env: Mapping[str, str], *, is_terminal: bool) -> _Forker:
    modules = (program, *(_TOGETHER[program] if is_terminal else ()))
    fixed = {name: value for name, value in env.items() if _READ_BY_PYTHON.match(name)}
    with _making:
        key = (modules, tuple(sorted(fixed.items())))
        if key not in _forkers:
            _forkers[key] = _Forker(modules, env)
        return _forkers[key]
