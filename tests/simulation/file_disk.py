"""The disk of files in a simulated process: the real store and the real order of work, over a disk that loses power.

`ThreadedFileDisk` is the real one but for its thread: each step of its work is an event of the simulated clock, so the
server may be killed, and the power cut, between any two of them, and within one, before or after any call to the
system. What survives a process is a `LossyFileSystem`. Pictures are written anew by a made worker, without a process.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from securechat.errors import Refusal
from securechat.model import StoredFile
from securechat.pictures.kinds import HEAD_BYTES, kind_of
from securechat.records.files import UploadState
from securechat.server.files.disk import ThreadedFileDisk, _Job, _steps_of
from securechat.storage.files.layout import PREFIXES, FileLayout, id_of
from securechat.storage.files.pictures import RewrittenPicture
from securechat.storage.files.steps import DiskSteps
from securechat.storage.files.store import FileStore
from securechat.testing.lossy_files import LossyFileSystem, PowerCut
from securechat.text.refusals import refusal_for

if TYPE_CHECKING:
    import random

    from tests.simulation.server import SimulatedServer

ROOT = Path("/simulated/data")
"""Of the data directory; nothing is there on the real disk."""
SYNC_BYTES = 1024
"""So that an upload has several syncs."""
DISK_BYTES = 10_000_000
PICTURE = b"\xff\xd8\xff"
MOVING = b"GIF89a"
UNREADABLE = b"unreadable"
"""In a picture that the worker cannot read."""
_TYPES = {True: "image/jpeg", False: "image/gif"}
_STEP_S = (0.0001, 0.004)
_PICTURE_S = (0.005, 0.15)
_BUSY = 0.1
"""How often the worker has too many pictures before it."""
_RETRY_S = 0.3


class FilesOfDisk:
    """What survives a process of the files, and what may happen to them.

    Args:
        rng: draws what a power cut leaves, and where calls fail.

    Attributes:
        system: the file system of the present process.
        layout: where files are.
        was_broken: whether a call that writes ever failed, or there ever was no space.
        may_be_unread: whether a call that reads fails now.
        dies: how the process ends within a step; None where it does not.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.system = LossyFileSystem(ROOT.parent)
        self.system.make_directory(ROOT)
        self.system.sync_directory(ROOT.parent)
        self.layout = FileLayout(ROOT)
        self.was_broken = False
        self.may_be_unread = False
        self.dies: Callable[[], None] | None = None

    # --- faults

    def fill(self) -> None:
        """Let the disk be full, or nearly."""
        self.was_broken = True
        self.system.capacity_bytes = self.system.used_bytes() + self._rng.choice((0, 300, 3_000))

    def fail(self) -> None:
        """Let some calls fail, soon."""
        call, word = self._rng.choice(
            (
                ("write", ""), ("write", "json"), ("sync", ""), ("rename", ""), ("sync_directory", ""),
                ("truncate", ""), ("unlink", ""), ("unlink", ""), ("unlink", "json"), ("create", ""), ("open", ""),
                ("read", ""), ("names", ""),
            )
        )  # fmt: skip
        self.was_broken = True
        self.may_be_unread = self.may_be_unread or call in {"open", "read", "create"}
        code = self._rng.choice((errno.EIO, errno.EIO, errno.ENOSPC))
        self.system.fail(
            call, word, skip=self._rng.choice((0, 0, 1, 4)), times=self._rng.choice((1, 1, 3, 30)), code=code
        )

    def break_unlinking(self) -> None:
        """Let nothing be unlinked for a while."""
        self.was_broken = True
        self.system.fail("unlink", times=1_000)

    def forgive(self) -> None:
        """Take every fault back."""
        self.system.mend()
        self.system.capacity_bytes = None
        self.system.cut_at = None
        self.may_be_unread = False
        self.dies = None

    def die_within(self, kill: Callable[[], None]) -> None:
        """Let the process end at one of the next calls to the system, before or after it."""
        if self.dies is None:
            self.dies = kill
            self.system.cut_at = self.system.calls + self._rng.choice((0, 1, 2, 3, 5, 8))
            self.system.cut_is_late = self._rng.random() < 0.5

    def kill(self, *, power: bool) -> None:
        """The process is gone, or the power."""
        self.dies = None
        old = self.system
        self.system = old.cut(self._rng if self._rng.random() < 0.7 else None) if power else old.kill()
        self.system.capacity_bytes, self.system._faults = old.capacity_bytes, old._faults

    # --- what is there

    def final_names(self) -> dict[str, dict[int | None, bytes]]:
        """Return the finished files, by id: of each its copies by their size, None for the file itself."""
        found: dict[str, dict[int | None, bytes]] = {}
        for prefix in PREFIXES:
            folder = self.layout.directory / prefix
            for name in self._names(folder):
                file_id = id_of(name)
                assert file_id is not None, f"{name} is among the files"
                side = name.partition(".")[2]
                content = self.system.content(folder / name)
                assert content is not None
                found.setdefault(file_id, {})[int(side) if side else None] = content
        return found

    def incoming_names(self) -> list[str]:
        """Return the names in the folder of uploads."""
        return sorted(self._names(self.layout.incoming))

    def _names(self, folder: Path) -> list[str]:
        try:
            return list(self.system._folder(folder).current)  # not a call of the process, which may fail
        except FileNotFoundError:
            return []


class SimulatedFileDisk(ThreadedFileDisk):
    """The disk of one process.

    Args:
        server: the process.
    """

    def __init__(self, server: SimulatedServer) -> None:
        self._server = server
        self._files = files = server.storage.files
        self._law = server.world.file_law
        self._rng = server.world.chance.dice("disk of files", server.rng.random())
        store = FileStore(ROOT, files.system, self._troubled, SYNC_BYTES)
        pictures = SimulatedPictures(server, files.system, self._rng) if self._rng.random() < 0.8 else None
        super().__init__(ROOT, server._deliver, pictures=pictures, on_error=self._is_bug, store=store)
        self._running: tuple[_Job, DiskSteps[object]] | None = None
        self._is_armed = False
        self._law.has_pictures = pictures is not None

    def create(self, upload: UploadState) -> None:
        """Begin an upload."""
        self._law.created(upload)
        super().create(upload)

    def discard(self, file_id: str) -> None:
        """Give an upload up."""
        self._law.discarded(file_id)
        super().discard(file_id)

    def finish(self, upload: UploadState, done: Callable[[StoredFile | Refusal], None]) -> None:
        """End an upload."""

        def finished(outcome: StoredFile | Refusal) -> None:
            self._law.finished(upload, outcome)
            done(outcome)
            self._law.check_quota(upload.sender_id)

        super().finish(upload, finished)

    def load(self, done: Callable[[list[UploadState]], None]) -> None:
        """Read the uploads that an earlier process left."""

        def loaded(uploads: list[UploadState]) -> None:
            self._law.loaded(uploads)
            done(uploads)

        self._ask(self._store.load, loaded, [])

    def stop(self) -> None:
        """The process is gone."""
        self._closed = True

    def _troubled(self, what: str, error: OSError) -> None:
        self._server.clock.note("files", f"{what}: {error}")

    def _is_bug(self, error: Exception) -> None:
        self._server.world.unexpected = self._server.world.unexpected or error

    def _disk_space(self) -> tuple[int, int]:
        system = self._files.system
        size = DISK_BYTES if system.capacity_bytes is None else system.capacity_bytes
        return max(0, size - system.used_bytes()), DISK_BYTES

    # --- the thread

    def _ask(
        self,
        begin: Callable[[], DiskSteps[object]],
        done: Callable[..., None] | None = None,
        failed: object = None,
        *,
        is_read: bool = False,
    ) -> None:
        if not self._closed:
            self._waiting += 1
            (self._reads if is_read else self._others).append(_Job(begin, done, failed, is_read))
            self._arm()

    def _arm(self) -> None:
        if not self._is_armed:
            self._is_armed = True
            self._server._later(_STEP_S, self._step)

    def _step(self) -> None:
        self._is_armed = False
        if self._closed:
            return
        try:
            if self._reads:
                self._run(self._reads.popleft())
            elif self._running is not None:
                self._running = self._go_on(*self._running)
            elif self._others:
                job = self._others.popleft()
                self._running = self._go_on(job, _steps_of(job))
        except PowerCut:
            assert self._files.dies is not None
            self._files.dies()
            return
        if self._reads or self._running is not None or self._others:
            self._arm()


class SimulatedPictures:
    """Writes pictures anew, one after the other, and syncs nothing."""

    def __init__(self, server: SimulatedServer, system: LossyFileSystem, rng: random.Random) -> None:
        self._server = server
        self._system = system
        self._rng = rng

    def rewrite(
        self, source: Path, into: Path, done: Callable[[RewrittenPicture | Refusal], None], *, owner: int
    ) -> None:
        """See `PictureRewriter.rewrite`."""
        if not self._server.world.calm and self._rng.random() < _BUSY:
            self._server._later(_STEP_S, lambda: done(refusal_for("pictures_busy", retry_after_s=_RETRY_S)))
        else:
            self._server._later(_PICTURE_S, lambda: self._rewrite(source, into, done))

    def _rewrite(self, source: Path, into: Path, done: Callable[[RewrittenPicture | Refusal], None]) -> None:
        sent = self._system.content(source) or b""  # that of an upload which was given up is gone
        if UNREADABLE in sent:
            done(refusal_for("picture_unreadable"))
            return
        made = rewritten(sent)
        is_still = None in made
        try:
            for side, data in made.items():
                self._write(into if side is None else into.with_name(f"{into.name}.{side}"), data)
        except PowerCut:
            self._server.storage.files.dies()  # type: ignore[misc]
            return
        except OSError:
            done(refusal_for("file_not_stored"))
            return
        picture = made.get(None, b"")
        sides = tuple((side, len(data)) for side, data in made.items() if side is not None)
        digest = hashlib.sha256(picture).digest()
        done(RewrittenPicture(_TYPES[is_still], 40, 30, len(picture), digest, sides, is_still))

    def _write(self, path: Path, data: bytes) -> None:
        descriptor = self._system.open(path, writing=True)
        try:
            self._system.truncate(descriptor, 0)
            self._system.write(descriptor, 0, data)
        finally:
            self._system.close(descriptor)


def rewritten(sent: bytes) -> dict[int | None, bytes]:
    """Return what is made of a picture, by the size of the copy; nothing for None where what was sent stays."""
    seed = hashlib.sha256(sent).digest()
    made: dict[int | None, bytes] = {320: b"320" + seed * 3, 1600: b"1600" + seed * 9}
    if sent.startswith(PICTURE):
        longer = len(sent) * (4 + seed[0] % 3) // 5  # some become larger
        made = {None: PICTURE + (seed * (longer // 32 + 1))[:longer], **made}
    return made


def expected(sent: bytes, *, as_file: bool) -> dict[int | None, bytes]:
    """Return what is kept of what was sent, by the size of the copy."""
    if as_file or not kind_of(sent[:HEAD_BYTES]):
        return {None: sent}
    return {None: sent, **rewritten(sent)}
