"""A disk that remembers what was written and when it was synced, that fails on demand, and that can lose power.

`RecordingDisk` is an apsw VFS over the real one: SQLite runs as always, on real files, while every write, truncate,
sync and delete is noted. From those notes `CrashStates` rebuilds what a disk may hold after the power went at any
moment. The model is that of "All File Systems Are Not Created Equal" (OSDI 2014), at its most hostile:

- what was synced is there, whole;
- of what was written since the file's last sync, any subset may be there, in any order, torn at sector boundaries;
- a name is made or gone for certain only once the directory was synced: until then either may be found. SQLite's unix
  VFS syncs the directory with the first sync of every journal it opens (os_unix.c, UNIXFILE_DIRSYNC), and not with
  that of the database; this was seen with strace, and is noted here as an event of its own.

Faults come from `fail` (an errno on the nth call) and `capacity_bytes` (a disk that is full). The shared-memory file
is outside: SQLite rebuilds it after every crash.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import apsw
from msgspec import Struct

SECTORS_BYTES = (512, 4096)
"""Boundaries at which a write may tear: the atomic unit of old and of current disks."""

DiskEventKind = Literal["create", "write", "truncate", "sync", "delete", "sync_directory"]


class DiskEvent(Struct, frozen=True):
    """One thing that reached the disk: ``size`` is truncate's, ``data`` at ``offset`` write's."""

    kind: DiskEventKind
    name: str
    offset: int = 0
    data: bytes = b""
    size: int = 0


class Fault(Struct):
    """An error to raise on coming calls.

    Attributes:
        kind: which calls.
        suffix: of which files: "-wal", ".db".
        skip: how many of them succeed first.
        times: how many then fail.
        error: makes the error; see `disk_full` and `input_output`.
        hits: how many have failed.
    """

    kind: DiskEventKind
    suffix: str
    skip: int
    times: int
    error: Callable[[], apsw.Error]
    hits: int = 0


def disk_full() -> apsw.Error:
    """Return the error that SQLite's own VFS makes of ENOSPC on a write."""
    return apsw.FullError("injected: no space left on device")


def input_output(extended: int = apsw.SQLITE_IOERR_WRITE) -> Callable[[], apsw.Error]:
    """Return a factory of the error that SQLite's VFS makes of EIO, and of ENOSPC from a sync (SQLITE_IOERR_FSYNC)."""

    def make() -> apsw.Error:
        error = apsw.IOError("injected: input/output error")
        error.extendedresult = extended  # type: ignore[attr-defined]  # apsw reads it, its stubs do not know it
        return error

    return make


class RecordingDisk:
    """A VFS named ``name`` for one directory's files; use as a context manager.

    Attributes:
        events: all that reached the disk, in order; ``len(events)`` is a position in time.
        capacity_bytes: the most that all files together may hold; None for no limit.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.events: list[DiskEvent] = []
        self.capacity_bytes: int | None = None
        self._sizes: dict[str, int] = {}
        self._faults: list[Fault] = []
        self._vfs = _Vfs(self)

    def __enter__(self) -> RecordingDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self._vfs.unregister()

    def fail(
        self,
        kind: DiskEventKind,
        suffix: str,
        *,
        skip: int = 0,
        times: int = 1,
        error: Callable[[], apsw.Error] = disk_full,
    ) -> Fault:
        """Let coming calls fail; the returned fault counts how many did."""
        fault = Fault(kind, suffix, skip, times, error)
        self._faults.append(fault)
        return fault

    def used_bytes(self) -> int:
        """Return the size of all files together."""
        return sum(self._sizes.values())

    def _judge(self, kind: DiskEventKind, name: str) -> None:
        for fault in self._faults:
            if fault.kind != kind or not name.endswith(fault.suffix) or fault.times == fault.hits:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.hits += 1
            raise fault.error()

    def _note(self, event: DiskEvent) -> None:
        self.events.append(event)
        match event.kind:
            case "write":
                end = event.offset + len(event.data)
                self._sizes[event.name] = max(end, self._sizes.get(event.name, 0))
            case "truncate":
                self._sizes[event.name] = event.size
            case "delete":
                self._sizes.pop(event.name, None)
            case _:
                pass

    def _check_space(self, name: str, end: int) -> None:
        grows = end - self._sizes.get(name, 0)
        if self.capacity_bytes is not None and grows > 0 and self.used_bytes() + grows > self.capacity_bytes:
            raise disk_full()


class _Vfs(apsw.VFS):
    def __init__(self, disk: RecordingDisk) -> None:
        self._disk = disk
        super().__init__(disk.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        self._disk._note(DiskEvent("delete", Path(filename).name))  # one thing in three classes
        if syncdir:
            self._disk._note(DiskEvent("sync_directory", ""))


class _File(apsw.VFSFile):
    def __init__(self, disk: RecordingDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name = Path(path).name if path else ""
        if not path or not Path(path).exists():
            disk._note(DiskEvent("create", self._name))
        self._syncs_directory = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))
        super().__init__("", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        self._disk._judge("write", self._name)
        self._disk._check_space(self._name, offset + len(data))
        super().xWrite(data, offset)
        self._disk._note(DiskEvent("write", self._name, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk._judge("truncate", self._name)
        super().xTruncate(newsize)
        self._disk._note(DiskEvent("truncate", self._name, size=newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk._judge("sync", self._name)
        super().xSync(flags)
        self._disk._note(DiskEvent("sync", self._name))
        if self._syncs_directory:
            self._syncs_directory = False
            self._disk._note(DiskEvent("sync_directory", ""))


class CrashStates:
    """The possible contents of the disk after a power cut, position by position; positions must not go back.

    Args:
        events: a recording.
    """

    def __init__(self, events: list[DiskEvent]) -> None:
        self._events = events
        self._position = 0
        self._files = 0
        self._names: dict[str, int] = {}  # as programs see them: the number of the file behind each name
        self._durable_names: dict[str, int] = {}
        self._waiting_names: list[tuple[str, int | None]] = []  # made or (None) deleted since the directory's sync
        self._contents: dict[int, bytearray] = {}  # what was synced
        self._unsynced: dict[int, list[DiskEvent]] = {}

    def advance(self, position: int) -> None:
        """Let everything before ``position`` happen."""
        assert position >= self._position, "time does not go back"
        for event in self._events[self._position : position]:
            self._happen(event)
        self._position = position

    def _happen(self, event: DiskEvent) -> None:
        match event.kind:
            case "create":
                self._files += 1
                self._names[event.name] = self._files
                self._contents[self._files] = bytearray()
                self._waiting_names.append((event.name, self._files))
            case "delete":
                del self._names[event.name]
                self._waiting_names.append((event.name, None))
            case "sync_directory":
                for name, file in self._waiting_names:
                    _rename(self._durable_names, name, file)
                self._waiting_names.clear()
            case "sync":
                file = self._names[event.name]
                for waiting in self._unsynced.pop(file, ()):
                    _change(self._contents[file], waiting)
            case "write" | "truncate":
                self._unsynced.setdefault(self._names[event.name], []).append(event)

    def rebuild(self, directory: Path, rng: random.Random | None = None) -> None:
        """Write the files as a power cut at this position may leave them.

        Args:
            directory: an empty one.
            rng: draws what of the unsynced survives; None for nothing.
        """
        for name, content in self.contents(rng).items():
            (directory / name).write_bytes(content)

    def contents(self, rng: random.Random | None = None) -> dict[str, bytearray]:
        """Return what `rebuild` would write, by name."""
        names = dict(self._durable_names)
        if rng is not None:
            # A directory is a journal of names in every file system at hand: they survive in order, up to a point.
            for name, file in self._waiting_names[: rng.randint(0, len(self._waiting_names))]:
                _rename(names, name, file)
        found: dict[str, bytearray] = {}
        for name, file in names.items():
            content = found[name] = bytearray(self._contents[file])
            if rng is not None:
                for part in _survivors(self._unsynced.get(file, []), rng):
                    _change(content, part)
        return found


def _survivors(unsynced: list[DiskEvent], rng: random.Random) -> list[DiskEvent]:
    """Any subset of the sectors written since the file's last sync, half of the time in any order."""
    sector_bytes = rng.choice(SECTORS_BYTES)
    share = rng.choice((0.1, 0.5, 0.9, 1.0))
    parts = [part for event in unsynced for part in _torn(event, sector_bytes)]
    if rng.random() < 0.5:
        rng.shuffle(parts)
    return [part for part in parts if rng.random() < share]


def _torn(event: DiskEvent, sector_bytes: int) -> Iterator[DiskEvent]:
    """A write as the sectors it touches; anything else is whole."""
    if event.kind != "write":
        yield event
        return
    at, end = event.offset, event.offset + len(event.data)
    while at < end:
        until = min(end, (at // sector_bytes + 1) * sector_bytes)
        yield DiskEvent("write", event.name, at, event.data[at - event.offset : until - event.offset])
        at = until


def _rename(names: dict[str, int], name: str, file: int | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def _change(content: bytearray, event: DiskEvent) -> None:
    """Apply a write or truncate; holes read as zeros."""
    if event.kind == "truncate":
        del content[event.size :]
        content.extend(bytes(event.size - len(content)))
    else:
        content.extend(bytes(max(0, event.offset - len(content))))
        content[event.offset : event.offset + len(event.data)] = event.data
