"""A server that ends by ``kill -9`` at a named step of keeping files: right before the nth of its kind, or behind it.

It is installed in the server's process by `SITE`, a `sitecustomize`. A step is a call that changes the disk of files,
``rename incoming/ID``, or a commit of the log, ``commit Draft``. Each is written to the file ``KILL_LOG`` before and
after it happens; ``KILL_AT`` says where the process ends. The looks for what is to be unlinked or swept come soon.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

from securechat.hub.files import housekeeping
from securechat.server.files import service
from securechat.storage.files.file_system import LocalFileSystem
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.store import ApplyChanges

SITE = "import tests.support.kill_steps as steps\nsteps.install()\n"
"""Of a `sitecustomize.py` in a directory that ``PYTHONPATH`` names before the root of the repository."""
_SOON_S = 0.5
_ID = re.compile(r"[0-9a-f]{32}")


class KillPoint(NamedTuple):
    """Where a process ends."""

    step: str
    number: int
    when: str

    def environment(self) -> str:
        """As ``KILL_AT``."""
        return f"{self.step}|{self.number}|{self.when}"


def read_steps(log: Path) -> list[tuple[str, int, str]]:
    """What a process has noted: the step, its number, and ``before`` or ``after``."""
    if not log.exists():
        return []
    lines = [line.split("|") for line in log.read_text().splitlines()]
    return [(step, int(number), when) for step, number, when in lines]


def kill_points(log: Path) -> list[KillPoint]:
    """The first and the last of each step, before and after, in the order in which they come first."""
    last = {step: number for step, number, _ in read_steps(log)}
    numbers = {step: sorted({1, number}) for step, number in last.items()}
    return [
        KillPoint(step, number, when) for step in numbers for number in numbers[step] for when in ("before", "after")
    ]


def install() -> None:
    """Count the steps of this process."""
    counted = Counter[str]()
    lock = threading.Lock()
    names: dict[int, str] = {}  # of descriptors

    def note(step: str, number: int, when: str) -> None:
        if log := os.environ.get("KILL_LOG"):
            descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.write(descriptor, f"{step}|{number}|{when}\n".encode())
            os.close(descriptor)
        if os.environ.get("KILL_AT") == f"{step}|{number}|{when}":
            os.kill(os.getpid(), signal.SIGKILL)
            threading.Event().wait()

    def stepped(call: Callable[..., Any], named: Callable[..., str | None]) -> Callable[..., Any]:
        @wraps(call)
        def wrapper(self: Any, *args: Any, **options: Any) -> Any:
            step = named(*args, **options)
            if step is None:
                return call(self, *args, **options)
            with lock:
                counted[step] += 1
                number = counted[step]
            note(step, number, "before")
            result = call(self, *args, **options)
            note(step, number, "after")
            return result

        return wrapper

    def opened(call: Callable[..., int]) -> Callable[..., int]:
        @wraps(call)
        def wrapper(self: LocalFileSystem, path: Path, *, writing: bool) -> int:
            descriptor = call(self, path, writing=writing)
            names[descriptor] = short_name(path)
            return descriptor

        return wrapper

    def patch(name: str, named: Callable[..., str | None]) -> None:
        setattr(LocalFileSystem, name, stepped(getattr(LocalFileSystem, name), named))

    patch("make_directory", lambda path: None if path.is_dir() else f"mkdir {short_name(path)}")
    patch("open", lambda path, *, writing: f"create {short_name(path)}" if writing and not path.exists() else None)
    setattr(LocalFileSystem, "open", opened(LocalFileSystem.open))  # noqa: B010  (mypy forbids to assign to a method)
    for name in ("write", "truncate", "sync"):
        patch(name, lambda descriptor, *_, name=name: f"{name} {names.get(descriptor)}")
    patch("rename", lambda source, target: f"rename {short_name(source)} to {short_name(target)}")
    patch("unlink", lambda path: f"unlink {short_name(path)}")
    patch("sync_directory", lambda path: f"sync {short_name(path)}/")
    setattr(SqliteStore, "apply", stepped(SqliteStore.apply, _commit_name))  # noqa: B010
    setattr(housekeeping, "LOOK_S", _SOON_S)  # noqa: B010
    housekeeping.FileHousekeeping.wake.__defaults__ = (_SOON_S,)
    setattr(service, "_COMPARE_S", _SOON_S)  # noqa: B010


def short_name(path: Path) -> str:
    """``incoming/ID.json``, ``ab/ID.320``, ``ab``: the same for every file."""
    name, folder = _ID.sub("ID", path.name), path.parent.name
    if "ID" not in name:
        return "ab" if len(name) == 2 else name
    return f"{folder if folder == 'incoming' else 'ab'}/{name}"


def _commit_name(writes: Sequence[object], **_: object) -> str:
    return "commit " + "+".join(sorted({type(each).__name__ for write in writes for each in _parts(write)}))


def _parts(write: object) -> Sequence[object]:
    return write.changes if isinstance(write, ApplyChanges) else (write,)
