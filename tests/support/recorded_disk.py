"""A real server whose disk is recorded, call by call, so that what a power cut leaves can be made at any moment.

`install` runs in the server's process, from a `sitecustomize`: the database is on a `RecordingDisk`, and every call of
`LocalFileSystem` that changes something is noted as well, all in one file in the order in which they happened. How long
that file is when a client is told something is a position in time. From the notes before a position, `Recording` makes
a data directory as a power cut there may leave it. What a picture worker writes is noted when it is opened to be
synced.
"""

from __future__ import annotations

import os
import pickle
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

from securechat.storage.files.file_system import LocalFileSystem
from securechat.storage.files.layout import BOOT, FILES
from securechat.storage.sqlite.store import SqliteStore
from securechat.testing.disk import CrashStates, DiskEvent, RecordingDisk
from securechat.testing.lossy_files import LossyFileSystem

SITE = "import tests.support.recorded_disk as recorded\nrecorded.install()\n"
"""Of a `sitecustomize.py` in a directory that ``PYTHONPATH`` names before the root of the repository."""


class _Notes:
    """Appends to the file ``DISK_LOG``, if there is one."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._descriptor = -1

    def add(self, note: tuple[Any, ...]) -> None:
        if log := os.environ.get("DISK_LOG"):
            if self._descriptor < 0:
                self._descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.write(self._descriptor, pickle.dumps(note))


class _NotedDisk(RecordingDisk):
    def __init__(self, notes: _Notes) -> None:
        super().__init__("recorded")
        self._notes = notes

    def _note(self, event: DiskEvent) -> None:
        self._notes.add(("database", event.kind, event.name, event.offset, event.data, event.size))


def install() -> None:
    """Note what this process does to its disk."""
    notes = _Notes()
    disk = _NotedDisk(notes)
    made = SqliteStore.__init__

    @wraps(made)
    def make(self: SqliteStore, *args: Any, **options: Any) -> None:
        made(self, *args, **{**options, "vfs": disk.name})

    setattr(SqliteStore, "__init__", make)  # noqa: B010  (mypy forbids to assign to a method)

    def noted(name: str) -> None:
        call = getattr(LocalFileSystem, name)

        @wraps(call)
        def wrapper(self: LocalFileSystem, *args: Any, **options: Any) -> Any:
            with notes.lock:  # the order of the notes is that of the calls
                result = call(self, *args, **options)
                kept = tuple(bytes(each) if isinstance(each, bytearray | memoryview) else each for each in args)
                notes.add(("files", name, kept, options, result))
                if name == "open" and options["writing"] and ".picture" in args[0].name:
                    notes.add(("files", "write", (result, 0, args[0].read_bytes()), {}, None))
            return result

        setattr(LocalFileSystem, name, wrapper)

    for name in ("make_directory", "open", "write", "truncate", "sync", "close", "rename", "unlink", "sync_directory"):
        noted(name)


class Recording:
    """What was noted; positions are asked for in their order.

    Args:
        log: the file of the notes.
        data: the data directory of the server that was recorded.
        without: calls of the files that the server is taken not to have made, such as ``sync``.
    """

    def __init__(self, log: Path, data: Path, without: Sequence[str] = ()) -> None:
        self._data = data
        self._without = without
        self.positions: list[int] = []
        self._notes: list[tuple[Any, ...]] = []
        with log.open("rb") as file:
            while file.peek(1):
                self._notes.append(pickle.load(file))
                self.positions.append(file.tell())
        self._done = 0
        self._events: list[DiskEvent] = []
        self._database = CrashStates(self._events)
        self._files = LossyFileSystem(data)
        self._descriptors: dict[int, int] = {}

    def cut(self, position: int, directory: Path, rng: random.Random | None) -> None:
        """Make a data directory as a power cut may leave it, when the notes were so long.

        Args:
            position: bytes; not before that of the last call.
            directory: is made.
            rng: draws what of the unsynced survives; None for nothing.
        """
        while self._done < len(self._notes) and self.positions[self._done] <= position:
            self._happen(self._notes[self._done])
            self._done += 1
        self._database.advance(len(self._events))
        directory.mkdir(mode=0o700)
        self._database.rebuild(directory, rng)
        for path in directory.iterdir():
            path.chmod(0o600)
        left = self._files.cut(rng)
        _write_out(left, self._data, directory)
        boot = directory / FILES / BOOT
        if boot.exists():
            boot.write_text("the boot before the power cut")

    def _happen(self, note: tuple[Any, ...]) -> None:
        if note[0] == "database":
            _, kind, name, offset, data, size = note
            self._events.append(DiskEvent(kind, name, offset, data, size))
            return
        _, name, args, options, result = note
        if name in self._without:
            return
        call: Callable[..., Any] = getattr(self._files, name)
        if name == "open":
            self._descriptors[result] = call(*args, **options)
        elif name in ("write", "truncate", "sync", "close"):
            descriptor = self._descriptors.pop(args[0]) if name == "close" else self._descriptors[args[0]]
            call(descriptor, *args[1:])
        else:
            with suppress(FileNotFoundError):  # what a picture worker wrote, and no upload kept
                call(*args, **options)


def _write_out(left: LossyFileSystem, source: Path, target: Path) -> None:
    for name in left.names(source):
        content = left.content(source / name)
        if content is None:
            (target / name).mkdir(mode=0o700)
            _write_out(left, source / name, target / name)
        else:
            (target / name).write_bytes(content)
            (target / name).chmod(0o600)
