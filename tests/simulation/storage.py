"""What survives a server process: a store, what may happen to it, and what it was told."""

from __future__ import annotations

import os
import random
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from securechat.errors import LogError
from securechat.storage.search.index import SEARCH_INDEX
from securechat.storage.sqlite.store import DATABASE, SqliteStore
from securechat.storage.store import DiskFull, Store
from securechat.testing.disk import disk_full, input_output
from securechat.testing.memory_disk import MemoryDisk
from securechat.testing.memory_store import MemoryStore
from tests.simulation.checkers.stored import Stored, stored
from tests.simulation.checkers.transcript import Transcript
from tests.simulation.checkers.watched_store import WatchedStore
from tests.simulation.file_disk import FilesOfDisk

if TYPE_CHECKING:
    from securechat.limits import Limits, PageLimits
    from securechat.testing.clock import SimulatedClock

_SCRATCH = tempfile.TemporaryDirectory(prefix="simulation")
_number = count(1)


class Storage:
    """One data directory.

    Args:
        limits: the server's.
        pages: how long its answers may be.
        clock: its wall clock stamps messages.
        rng: draws where a disk is full, and what a power cut leaves.
        sqlite: whether SQLite keeps it on a disk in memory, or the memory store does.

    Attributes:
        full: whether nothing more can be written now.
        locked: whether another program holds the database now.
        was_full: whether that ever was so.
        may_fail: whether a write or sync ever was to fail: the only thing that may end the log.
        transcript: what was committed.
        files: the files of messages.
    """

    def __init__(
        self, limits: Limits, pages: PageLimits, clock: SimulatedClock, rng: random.Random, *, sqlite: bool
    ) -> None:
        self.full = self.was_full = self.locked = False
        self.transcript = Transcript()
        self.may_fail = False
        self._failing = ""  # "apply": the write fails; "applied": what was written is there, but nobody can be sure
        self._limits = limits
        self._pages = pages
        self._clock = clock
        self._rng = rng
        self.files = FilesOfDisk(random.Random(rng.getstate()[1][0]))  # dice of their own: other runs stay as they are
        self._local_store = MemoryStore(limits, wall_ms=clock.wall_ms, pages=pages)
        self._local_store.fault = self._fault
        self._current: MemoryStore | SqliteStore = self._local_store
        self.disk: MemoryDisk | None = None
        if sqlite:
            self.disk = MemoryDisk(f"simulation{os.getpid()}_{next(_number)}")  # forked workers share the directory
            self._directory = Path(_SCRATCH.name) / self.disk.name

    def store(self) -> Store:
        """Return the store for another process."""
        if self.disk is not None:
            self._current = SqliteStore(
                self._directory,
                self._limits,
                wall_ms=self._clock.wall_ms,
                vfs=self.disk.name,
                shared=False,
                pages=self._pages,
            )
        return cast("Store", WatchedStore(self._current, self.transcript, lambda: self.locked))

    def stored(self) -> Stored:
        """Return everything that an open store holds."""
        return stored(self._current)

    # --- files, read past the store's own reader

    def file_ids(self) -> set[str]:
        """Return the ids of the files of messages."""
        if isinstance(self._current, MemoryStore):
            return {info.id for message in self._current._talk.messages.values() for info in message.files}
        return {file_id for (file_id,) in self._current._db.execute("SELECT file_id FROM files")}

    def gone_files(self) -> set[str]:
        """Return the ids of the files that are to be unlinked."""
        if isinstance(self._current, MemoryStore):
            return set(self._current._talk.gone)
        return {file_id for (file_id,) in self._current._db.execute("SELECT file_id FROM gone_files")}

    def kept_bytes(self) -> dict[int, int]:
        """Return what each sender keeps, by sender_id; of files of messages alone."""
        kept: dict[int, int] = {}
        if isinstance(self._current, MemoryStore):
            talk = self._current._talk
            rows = [
                (each.sender_id, talk.stored_files[info.id].kept_bytes)
                for each in talk.messages.values()
                for info in each.files
            ]
        else:
            rows = list(self._current._db.execute("SELECT sender_id, kept_bytes FROM files"))
        for who, size_bytes in rows:
            kept[who] = kept.get(who, 0) + size_bytes
        return kept

    # --- faults

    def _fault(self, at: str) -> None:
        if self.full and at == "apply":
            raise DiskFull("simulated")
        if self._failing == at:
            self._failing = ""
            raise LogError("simulated")

    def free_bytes(self) -> int:
        """There is always space, until there is none."""
        return 1 << 62

    def fill(self, full: bool) -> None:
        """Let the disk be full, or have space again."""
        self.full = full
        self.was_full = self.was_full or full
        if self.disk is not None:
            self.disk.capacity_bytes = self.disk.used_bytes() + self._rng.choice((0, 5_000, 20_000)) if full else None

    def lock(self, locked: bool) -> None:
        """Let another program hold the database, or let it go."""
        self.locked = locked

    def fail_once(self) -> None:
        """Let the next write or sync of the log fail; not one of the index, which is nobody's failure."""
        self.may_fail = True
        if self.disk is None:
            self._failing = self._rng.choice(("apply", "applied"))
        else:
            kind = self._rng.choice(("write", "sync"))
            self.disk.fail(kind, f"{DATABASE}-wal", error=input_output())  # type: ignore[arg-type]

    def fail_index(self) -> None:
        """Something fails below the search index alone, once or for a while: nobody may lose anything by it."""
        if self.disk is not None:
            kind = self._rng.choice(("create", "write", "sync", "truncate", "delete"))
            error = self._rng.choice((input_output(), disk_full))
            times, skip = self._rng.choice((1, 1, 20)), self._rng.choice((0, 0, 3, 10))
            suffix = self._rng.choice((SEARCH_INDEX, f"{SEARCH_INDEX}-wal"))
            self.disk.fail(kind, suffix, skip=skip, times=times, error=error)  # type: ignore[arg-type]

    def forgive(self) -> None:
        """Take every fault back."""
        self.full, self.locked, self._failing = False, False, ""
        self.files.forgive()
        if self.disk is not None:
            self.disk.forgive()

    # --- the end of a process

    def kill(self, abandon: Any, *, power: bool) -> None:
        """End the process that has the store open: nothing it still does reaches the disk."""
        disk = self.disk
        if disk is not None:
            disk.off = True
        abandon()
        self.files.kill(power=power)
        if disk is not None:
            disk.off = False
            if power:
                disk.cut_power(self._rng if self._rng.random() < 0.7 else None)

    def close(self) -> None:
        """Give the disk back."""
        if self.disk is not None:
            self.disk.__exit__()
