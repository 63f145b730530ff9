"""Runs programs in odd worlds: closed streams, a full disk behind them, no home, a deleted folder, few descriptors.

One process imports the programs and forks for each case, as `warm` does; here the streams and limits of each are its
own. A program begins at the module that the shell would start, and its interpreter is torn down at the end.

Usage: python -m tests.support.worlds; the cases stand on standard input as JSON, the results are written as JSON.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.support import patience

ROOT = Path(__file__).parents[2]
AT_ONCE = 4
PATIENCE_S = patience.PATIENCE_S
_PROGRAMS = ("securechat.cli.serve", "securechat.cli.admin", "securechat.cli.chat")
_IMPORTED = (
    *_PROGRAMS, "securechat.admin.file_commands", "securechat.admin.exporting", "securechat.toml_file",
    "securechat.client.terminal.app", "tools.gen_certs", "tools.dev", "uuid", "pkgutil", "encodings.idna",
    "getpass", "pwd",
)  # fmt: skip
"""Also what programs import late: a user without rights may not read where Python is installed."""


@dataclass(frozen=True)
class Case:
    """One start.

    Attributes:
        command: a module, or a file of tools/, and its arguments.
        folder: holds the working directory ``cwd``, the home ``home``, and what the program prints.
        env: variables; an empty one is set and empty, None takes it away.
        streams: by number, what stands behind a stream: ``closed``, ``full``, ``gone`` (a pipe without a reader).
        user: the number of the user to be; 0 for the present one.
        without_cwd: the working directory is deleted before the program begins.
        limits: of the process, by their name in `resource`.
        stop_at: a path; once it exists the program gets SIGTERM.
    """

    command: list[str]
    folder: str
    env: dict[str, str | None] = field(default_factory=dict)
    streams: dict[str, str] = field(default_factory=dict)
    user: int = 0
    without_cwd: bool = False
    limits: dict[str, int] = field(default_factory=dict)
    stop_at: str = ""


@dataclass(frozen=True)
class Result:
    """How a start ended; the code is that of the shell, ``late`` when it had to be killed."""

    code: int
    out: str
    err: str
    late: bool


def run_all(cases: list[Case], *, env: dict[str, str]) -> list[Result]:
    """Run all cases, some at once."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.worlds"],
        input=json.dumps([asdict(case) for case in cases]),
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=env,
        check=True,
    )
    return [Result(**result) for result in json.loads(done.stdout)]


def main() -> None:
    cases = [Case(**case) for case in json.load(sys.stdin)]
    for module in _IMPORTED:
        importlib.import_module(module)
    for module in _PROGRAMS:
        del sys.modules[module]  # each will be `__main__`
    gc.collect()
    gc.freeze()  # what is never looked at is never copied
    results: dict[int, dict[str, Any]] = {}
    running: dict[int, tuple[int, float]] = {}
    waiting = list(enumerate(cases))
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            number, case = waiting.pop(0)
            if (child := os.fork()) == 0:
                _become(case)
                return
            running[child] = (number, time.monotonic())
        _look_after(cases, running, results)
    print(json.dumps([results[number] for number in range(len(cases))]))


def _look_after(cases: list[Case], running: dict[int, tuple[int, float]], results: dict[int, dict[str, Any]]) -> None:
    child, status = os.waitpid(-1, os.WNOHANG)
    if child:
        number, _ = running.pop(child)
        code = os.waitstatus_to_exitcode(status)
        folder = Path(cases[number].folder)
        out, err = (_text(folder / name) for name in ("out", "err"))
        results[number] = {"code": code if code >= 0 else 128 - code, "out": out, "err": err, "late": code == -9}
        return
    for pid, (number, began) in running.items():
        if cases[number].stop_at and Path(cases[number].stop_at).exists():
            os.kill(pid, signal.SIGTERM)
            cases[number] = Case(**{**asdict(cases[number]), "stop_at": ""})
        elif time.monotonic() - began > PATIENCE_S:
            os.kill(pid, signal.SIGKILL)
    time.sleep(0.002)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace") if path.exists() else ""


def _become(case: Case) -> None:
    folder = Path(case.folder)
    for number in range(3):
        _set_stream(number, case.streams.get(str(number), ""), folder)
    os.chdir(folder / "cwd")
    os.environ["HOME"] = str(folder / "home")
    for name, value in case.env.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    time.tzset()
    if case.without_cwd:
        (folder / "cwd").rmdir()
    for limit, most in case.limits.items():
        resource.setrlimit(getattr(resource, limit), (most, most))
    if case.user:
        os.setgroups([])
        os.setgid(case.user)
        os.setuid(case.user)
    _make_streams()
    program, *arguments = case.command
    sys.argv = [program, *arguments]
    if program.endswith(".py"):
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)


def _set_stream(number: int, what: str, folder: Path) -> None:
    if what == "closed":
        os.close(number)
        return
    if what == "full":
        descriptor = os.open("/dev/full", os.O_RDWR)
    elif what == "gone":
        reader, descriptor = os.pipe()
        os.close(reader)
    elif number == 0:
        descriptor = os.open(os.devnull, os.O_RDONLY)
    else:
        descriptor = os.open(folder / ("out", "err")[number - 1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, number)
    os.close(descriptor)


def _make_streams() -> None:
    """Make the standard streams as Python does at its start: None for a closed one."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = None
        with contextlib.suppress(OSError):
            os.fstat(number)
            errors = "backslashreplace" if number == 2 else "surrogateescape"
            stream = open(number, "w" if number else "r", errors=errors, closefd=False, encoding="utf-8")  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


if __name__ == "__main__":
    main()
