"""A `FileSystem` in memory that fails on demand, and of which a power cut takes what was not synced.

The model is that of `securechat.testing.disk`, at its most hostile, with folders and renames:

- what was synced is there, whole;
- of what was written to a file since its last sync, any subset of sectors may be there, in any order, with zeros
  between them;
- a name is made, moved or gone for certain only once its folder was synced; of each folder the changes survive in
  order, up to a point of its own, so that a file that was moved between two may have both names, or none.

`kill` is gentler: the kernel keeps what a killed process has written.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

SECTOR_BYTES = 512


class PowerCut(BaseException):
    """The power is cut; no code of the product catches this."""


class FileFault(Struct):
    """An error to raise on coming calls.

    Attributes:
        call: which calls, by the name of the method.
        word: in the path's name; for calls on a descriptor in that of its file.
        skip: how many of them succeed first.
        times: how many then fail.
        code: errno.
        hits: how many have failed.
    """

    call: str
    word: str
    skip: int
    times: int
    code: int
    hits: int = 0


class _File:
    def __init__(self, content: bytes = b"") -> None:
        self.durable = bytearray(content)
        self.current = bytearray(content)
        self.waiting: list[tuple[int, bytes | None]] = []  # None: cut to this length

    def survivor(self, rng: random.Random | None) -> _File:
        content = bytearray(self.durable)
        if rng is not None:
            parts = [part for change in self.waiting for part in _torn(*change)]
            if rng.random() < 0.5:
                rng.shuffle(parts)
            share = rng.choice((0.1, 0.5, 0.9, 1.0))
            for offset, data in parts:
                if rng.random() < share:
                    _change(content, offset, data)
        return _File(bytes(content))


class _Folder:
    def __init__(self) -> None:
        self.durable: dict[str, _Node] = {}
        self.current: dict[str, _Node] = {}
        self.waiting: list[tuple[str, _Node | None]] = []

    def set(self, name: str, node: _Node | None) -> None:
        self.waiting.append((name, node))
        _set(self.current, name, node)

    def sync(self) -> None:
        self.durable = dict(self.current)
        self.waiting.clear()

    def survivor(self, rng: random.Random | None, known: dict[int, _Node]) -> _Folder:
        names = dict(self.durable)
        if rng is not None:
            for name, node in self.waiting[: rng.randint(0, len(self.waiting))]:
                _set(names, name, node)
        left = _Folder()
        for name, node in names.items():
            if id(node) not in known:
                known[id(node)] = node.survivor(rng, known) if isinstance(node, _Folder) else node.survivor(rng)
            left.current[name] = known[id(node)]
        left.durable = dict(left.current)
        return left


_Node: TypeAlias = "_File | _Folder"


class LossyFileSystem:
    """A `securechat.storage.files.file_system.FileSystem` below one root.

    Attributes:
        calls: the calls that changed something, so far: a position in time.
        cut_at: at this call the power is cut; None: never.
        cut_is_late: whether that call still reaches the disk's memory.
        capacity_bytes: of all files together; None for no limit.
        on_step: called before and after every call that changes something, to look at what a cut would leave.
        log: the name of every call that changed something, with that of the file.
    """

    def __init__(self, root: Path, *, boot: int = 1) -> None:
        self.calls = 0
        self.cut_at: int | None = None
        self.cut_is_late = False
        self.capacity_bytes: int | None = None
        self.on_step: Callable[[], None] = lambda: None
        self.log: list[str] = []
        self._root = root
        self._boot = boot
        self._is_off = False
        self._top = _Folder()
        self._open: dict[int, tuple[_File, str]] = {}
        self._next = 3
        self._faults: list[FileFault] = []

    def fail(self, call: str, word: str = "", *, skip: int = 0, times: int = 1, code: int = errno.EIO) -> FileFault:
        """Let coming calls fail; the returned fault counts how many did."""
        fault = FileFault(call, word, skip, times, code)
        self._faults.append(fault)
        return fault

    def mend(self) -> None:
        """Let no call fail any more."""
        self._faults.clear()

    def cut(self, rng: random.Random | None) -> LossyFileSystem:
        """Return what is left after a power cut; ``rng`` draws what of the unsynced survives, None: nothing."""
        left = LossyFileSystem(self._root, boot=self._boot + 1)
        left._top = self._top.survivor(rng, {})
        return left

    def kill(self) -> LossyFileSystem:
        """Return what is left after ``kill -9``: everything, but what was not synced may still be lost later."""
        left = LossyFileSystem(self._root, boot=self._boot)
        left._top = deepcopy(self._top)
        return left

    def content(self, path: Path) -> bytes | None:
        """Return the bytes of a file; None when it is missing."""
        try:
            folder, name = self._parent(path)
        except FileNotFoundError:
            return None
        node = folder.current.get(name)
        return bytes(node.current) if isinstance(node, _File) else None

    def durable(self, path: Path) -> bytes | None:
        """Return the bytes that a file has after any power cut; None when it may be missing, or be another one."""
        node: _Node | None = self._top
        for part in path.relative_to(self._root).parts:
            if not isinstance(node, _Folder) or any(name == part for name, _ in node.waiting):
                return None
            node = node.durable.get(part)
        return bytes(node.durable) if isinstance(node, _File) and not node.waiting else None

    def used_bytes(self) -> int:
        """Return the bytes of all files."""
        return self._used_bytes(self._top)

    def put(self, path: Path, content: bytes) -> None:
        """Write a file as another program would, durably."""
        folder, name = self._parent(path)
        folder.set(name, _File(content))
        folder.sync()

    def descriptors(self) -> int:
        """Return how many descriptors are open."""
        return len(self._open)

    # --- FileSystem -----------------------------------------------------------------------------------------------

    def boot_id(self) -> str:
        """Return the boot; see `FileSystem.boot_id`."""
        return f"boot-{self._boot}"

    def make_directory(self, path: Path) -> bool:
        """Make a directory; see `FileSystem.make_directory`."""
        folder, name = self._parent(path)
        if name in folder.current:
            return False
        self._call("make_directory", path.name, lambda: folder.set(name, _Folder()))
        return True

    def open(self, path: Path, *, writing: bool) -> int:
        """Open a file; see `FileSystem.open`."""
        folder, name = self._parent(path)
        self._judge("open", name)
        node = folder.current.get(name)
        if isinstance(node, _Folder):
            raise IsADirectoryError(errno.EISDIR, "is a directory", str(path))
        if node is None:
            if not writing:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
            node = _File()
            made = node
            self._call("create", name, lambda: folder.set(name, made))
        self._next += 1
        self._open[self._next] = (node, name)
        return self._next

    def size(self, descriptor: int) -> int:
        """Return the length; see `FileSystem.size`."""
        return len(self._open[descriptor][0].current)

    def write(self, descriptor: int, offset: int, data: bytes) -> None:
        """Write; see `FileSystem.write`. Where the space ends, half of what is left is written."""
        file, name = self._open[descriptor]
        grows = max(0, offset + len(data) - len(file.current))
        if self.capacity_bytes is not None and self._used_bytes(self._top) + grows > self.capacity_bytes:
            part = data[: max(0, self.capacity_bytes - self._used_bytes(self._top)) // 2]
            self._call("write", name, lambda: _write(file, offset, part))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._call("write", name, lambda: _write(file, offset, data))

    def read(self, descriptor: int, offset: int, most_bytes: int) -> bytes:
        """Read; see `FileSystem.read`."""
        file, name = self._open[descriptor]
        self._judge("read", name)
        return bytes(file.current[offset : offset + most_bytes])

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        """Cut; see `FileSystem.truncate`."""
        file, name = self._open[descriptor]

        def truncate() -> None:
            file.waiting.append((size_bytes, None))
            _change(file.current, size_bytes, None)

        self._call("truncate", name, truncate)

    def sync(self, descriptor: int) -> None:
        """Sync; see `FileSystem.sync`."""
        file, name = self._open[descriptor]

        def sync() -> None:
            file.durable = bytearray(file.current)
            file.waiting.clear()

        self._call("sync", name, sync)

    def close(self, descriptor: int) -> None:
        """Close; see `FileSystem.close`."""
        del self._open[descriptor]

    def rename(self, source: Path, target: Path) -> None:
        """Rename; see `FileSystem.rename`."""
        folder, name = self._parent(source)
        other, new = self._parent(target)
        node = self._expect(folder, name, source)

        def rename() -> None:
            other.set(new, node)
            folder.set(name, None)

        self._call("rename", name, rename)

    def unlink(self, path: Path) -> None:
        """Unlink; see `FileSystem.unlink`."""
        folder, name = self._parent(path)
        self._expect(folder, name, path)
        self._call("unlink", name, lambda: folder.set(name, None))

    def sync_directory(self, path: Path) -> None:
        """Sync the names; see `FileSystem.sync_directory`."""
        self._call("sync_directory", path.name, self._folder(path).sync)

    def names(self, path: Path) -> list[str]:
        """List; see `FileSystem.names`."""
        self._judge("names", path.name)
        return list(self._folder(path).current)

    # --- Private --------------------------------------------------------------------------------------------------

    def _call(self, call: str, name: str, act: Callable[[], None]) -> None:
        if self._is_off:
            raise PowerCut(f"{call} {name}")
        self._judge(call, name)
        self.on_step()
        self._is_off = self.calls == self.cut_at
        if not self._is_off or self.cut_is_late:
            act()
        if self._is_off:
            raise PowerCut(f"{call} {name}")
        self.calls += 1
        self.log.append(f"{call} {name}")
        self.on_step()

    def _judge(self, call: str, name: str) -> None:
        for fault in self._faults:
            if fault.call != call or fault.word not in name or fault.times == fault.hits:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.hits += 1
            raise OSError(fault.code, os.strerror(fault.code), name)

    def _folder(self, path: Path) -> _Folder:
        folder = self._top
        for part in path.relative_to(self._root).parts:
            node = folder.current.get(part)
            if not isinstance(node, _Folder):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
            folder = node
        return folder

    def _parent(self, path: Path) -> tuple[_Folder, str]:
        return self._folder(path.parent), path.name

    def _expect(self, folder: _Folder, name: str, path: Path) -> _Node:
        if name not in folder.current:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return folder.current[name]

    def _used_bytes(self, folder: _Folder) -> int:
        nodes = folder.current.values()
        return sum(self._used_bytes(each) if isinstance(each, _Folder) else len(each.current) for each in nodes)


def _write(file: _File, offset: int, data: bytes) -> None:
    file.waiting.append((offset, data))
    _change(file.current, offset, data)


def _change(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


def _torn(offset: int, data: bytes | None) -> list[tuple[int, bytes | None]]:
    """A write as the sectors it touches; a truncation is whole."""
    if data is None:
        return [(offset, None)]
    parts: list[tuple[int, bytes | None]] = []
    at, end = offset, offset + len(data)
    while at < end:
        until = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
        parts.append((at, data[at - offset : until - offset]))
        at = until
    return parts


def _set(names: dict[str, _Node], name: str, node: _Node | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node
