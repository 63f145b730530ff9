"""A disk in memory that can lose power, for a real SQLite: an apsw VFS with no file below it.

It notes what `RecordingDisk` notes, fails on the same demands, and after a power cut holds what the same crash model
(`CrashStates`) leaves. A process that is killed loses nothing here: what it wrote is the system's. Shared memory is
not offered, so a store on this disk is opened with ``shared=False``.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import apsw

from securechat.testing.disk import CrashStates, DiskEvent, RecordingDisk, input_output


class MemoryDisk(RecordingDisk):
    """A VFS named ``name``, with its files; use as a context manager.

    Attributes:
        off: whether every call fails: its process has been killed, and what still runs of it must change nothing.
    """

    def __init__(self, name: str) -> None:
        self.off = False
        self._files: dict[str, bytearray] = {}
        super().__init__(name)
        self._vfs.unregister()
        self._vfs = _MemoryVfs(self)  # type: ignore[assignment]  # both are VFSs that note what they do

    def contents(self) -> dict[str, bytes]:
        """Return the contents of the files, as programs see them now."""
        return {name: bytes(content) for name, content in self._files.items()}

    def cut_power(self, rng: random.Random | None) -> None:
        """Lose what was not synced, or some of it; the connections to it must be given up."""
        states = CrashStates(self.events)
        states.advance(len(self.events))
        self.hold(states.contents(rng))

    def hold(self, files: Mapping[str, bytes | bytearray]) -> None:
        """Be a disk with these files, each of them synced; the connections to the old ones must be given up."""
        self._files = {name: bytearray(content) for name, content in files.items()}
        self.events.clear()
        self._sizes = {name: len(content) for name, content in self._files.items()}
        for name, content in self._files.items():
            self.events += [DiskEvent("create", name), DiskEvent("write", name, 0, bytes(content))]
            self.events.append(DiskEvent("sync", name))
        self.events.append(DiskEvent("sync_directory", ""))

    def forgive(self) -> None:
        """Take back every fault that was asked for."""
        self._faults.clear()
        self.capacity_bytes = None

    def _judge(self, kind: Any, name: str) -> None:
        if self.off:
            error = input_output()
            raise error()
        super()._judge(kind, name)


class _MemoryVfs(apsw.VFS):
    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk
        super().__init__(disk.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> Any:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        return _MemoryFile(self._disk, Path(path).name if path else "", flags)

    def xFullPathname(self, name: str) -> str:  # noqa: N802
        return name

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: ARG002, N802
        return Path(pathname).name in self._disk._files

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        name = Path(filename).name
        self._disk._judge("delete", name)
        if self._disk._files.pop(name, None) is not None:
            self._disk._note(DiskEvent("delete", name))
        if syncdir:
            self._disk._note(DiskEvent("sync_directory", ""))


class _MemoryFile:
    def __init__(self, disk: MemoryDisk, name: str, flags: list[int]) -> None:
        self._disk = disk
        self._name = name
        if name not in disk._files:
            disk._judge("create", name)
            disk._files[name] = bytearray()
            disk._note(DiskEvent("create", name))
        self._content = disk._files[name]
        self._syncs_directory = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))
        flags[1] = flags[0]

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        return bytes(self._content[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk._judge("write", self._name)
        end = offset + len(data)
        self._disk._check_space(self._name, end)
        if len(self._content) < offset:
            self._content.extend(bytes(offset - len(self._content)))
        self._content[offset:end] = data
        self._disk._note(DiskEvent("write", self._name, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk._judge("truncate", self._name)
        del self._content[newsize:]
        self._disk._note(DiskEvent("truncate", self._name, size=newsize))

    def xSync(self, flags: int) -> None:  # noqa: ARG002, N802
        self._disk._judge("sync", self._name)
        self._disk._note(DiskEvent("sync", self._name))
        if self._syncs_directory:
            self._syncs_directory = False
            self._disk._note(DiskEvent("sync_directory", ""))

    def xFileSize(self) -> int:  # noqa: N802
        return len(self._content)

    def xClose(self) -> None:  # noqa: N802
        pass

    def xLock(self, level: int) -> None:  # noqa: N802
        pass

    def xUnlock(self, level: int) -> None:  # noqa: N802
        pass

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xFileControl(self, op: int, ptr: int) -> bool:  # noqa: ARG002, N802
        return False

    def xSectorSize(self) -> int:  # noqa: N802
        return 4096

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        return 0
