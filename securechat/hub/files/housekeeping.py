"""The end of files: unlinks those whose messages are gone, within a minute, and gives up what is over.

The log says which files are gone, also those that went by retention or with a room, an account or a guest. A file is
forgotten by the log after it is off the disk, so a crash between the two loses nothing. At the start and once a day the
disk and the log are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from securechat.errors import Refusal
from securechat.hub.context import HubContext
from securechat.hub.files.uploads import UploadRegistry
from securechat.hub.files.writing import UploadWriting
from securechat.hub.interfaces import FileDisk
from securechat.hub.workflow import Commit, Workflow
from securechat.records.accounts import Committed
from securechat.records.files import DropGoneFiles, FileQuery, FileRow, FilesOnDisk, GoneFile, PurgeFiles
from securechat.records.log import NotAppended

LOOK_S = 30.0
"""Seconds between two looks at what is gone."""
_GUESTS_S = 600.0
"""Seconds between two looks at the files of guests."""
_AT_ONCE = 200
"""Files that are unlinked at once."""
_COMPARED_AT_ONCE = 2_000
"""Ids that the log lists at once, of some thousands of each prefix at most."""
_HOUR_MS = 3_600_000
_NEVER = float("inf")
_PREFIXES = tuple(f"{number:02x}" for number in range(256))


class DiskComparison(NamedTuple):
    """What a comparison of the disk and the log has found.

    Attributes:
        swept: files without a record, which are unlinked now.
        missing: ids of files that were acknowledged and are not there.
    """

    swept: int
    missing: tuple[str, ...]


class FileHousekeeping:
    """Looks after the files of one server.

    Args:
        context: the log, the limits and the clocks.
        disk: has the bytes.
        uploads, writing: what is on its way.
    """

    def __init__(self, context: HubContext, disk: FileDisk, uploads: UploadRegistry, writing: UploadWriting) -> None:
        self._context = context
        self._disk = disk
        self._uploads = uploads
        self._writing = writing
        self._next_look = _NEVER
        self._next_guests = 0.0
        self._is_unlinking = False
        self._is_comparing = False

    def wake(self, delay_s: float = LOOK_S) -> None:
        """Have a look after this time at the latest; without anything to look at, none is needed."""
        self._next_look = min(self._next_look, self._context.now + delay_s)
        self._context.alarm(self._next_look)

    def tick(self) -> None:
        """Look, if it is time; to be called whenever the hub is ticked."""
        if self._uploads.is_empty:
            self._next_look = _NEVER
            return
        if self._context.now < self._next_look:
            self._context.alarm(self._next_look)
            return
        self._next_look = self._context.now + LOOK_S
        self._context.alarm(self._next_look)
        self._give_up()
        if self._context.now >= self._next_guests and self._context.clock.doubt() is None:
            self._next_guests = self._context.now + _GUESTS_S
            self._context.workflows.run(self._purge_guests())
        self.unlink_gone()

    def _give_up(self) -> None:
        """Give up the uploads that are over."""
        if self._context.clock.doubt() is None:
            for upload in self._uploads.over(self._context.accounts.wall_ms()):
                self._writing.discard(upload)

    def _purge_guests(self) -> Workflow[None]:
        """Delete what guests have sent too long ago."""
        before_ms = self._context.accounts.wall_ms() - int(self._context.limits.guest_file_hours * _HOUR_MS)
        purge = PurgeFiles(before_ms)
        more = True
        while more:
            try:
                committed: Committed = yield Commit((purge,))
            except Refusal:
                return  # the next look tries again
            more = committed.count >= purge.most
        self.unlink_gone()

    def unlink_gone(self) -> None:
        """Unlink the files whose messages are gone, some at a time, each once: none holds up those behind it."""
        if not self._is_unlinking:
            self._is_unlinking = True
            self._list_gone("")

    def _list_gone(self, after: str) -> None:
        self._context.log.gone_files(after, _AT_ONCE, self._unlink)

    def _unlink(self, files: list[GoneFile] | NotAppended) -> None:
        if isinstance(files, NotAppended) or not files:
            self._is_unlinking = False
            return
        for file in files:  # one that came back with a sidecar after a crash
            if (upload := self._uploads.get(file.file_id)) is not None:
                self._uploads.remove(upload)

        def unlinked(file_ids: tuple[str, ...]) -> None:
            dropped = set(file_ids)
            gone = [file for file in files if file.file_id in dropped]
            self._context.workflows.run(self._forget(gone, files[-1].file_id if len(files) == _AT_ONCE else None))

        self._disk.unlink([file.file_id for file in files], self._context.containment.bind(unlinked))

    def _forget(self, files: list[GoneFile], last: str | None) -> Workflow[None]:
        """Have the log forget files that are off the disk; what could not be unlinked is tried at the next look.

        Args:
            files: those that are off the disk.
            last: of those that were tried; None: no further ones are gone.
        """
        goes_on = False
        try:
            if files:
                yield Commit((DropGoneFiles(tuple(file.file_id for file in files)),))
                self._uploads.dropped(files)
            goes_on = last is not None
        except Refusal:
            pass  # the log is busy or closing
        finally:
            self._is_unlinking = goes_on
        if last is not None and goes_on:
            self._list_gone(last)

    # --- Disk and log ---------------------------------------------------------------------------------------------

    def compare(self, done: Callable[[DiskComparison], None]) -> None:
        """Compare disk and log: unlink what no message shows, and tell what is missing. Only one runs at a time."""
        if not self._is_comparing:
            self._is_comparing = True
            _ComparisonRun(self._context, self._disk, self._uploads, self._compared(done)).start()

    def _compared(self, done: Callable[[DiskComparison], None]) -> Callable[[DiskComparison], None]:
        def over(compared: DiskComparison) -> None:
            self._is_comparing = False
            done(compared)

        return over


class _ComparisonRun:
    """One comparison, the files of one folder after the other.

    The log is asked before the disk, so what it lists and the disk does not is missing, unless it went meanwhile; and
    what the disk lists and the log does not has no message, unless it came meanwhile. Both are asked for once more, one
    by one.
    """

    def __init__(
        self, context: HubContext, disk: FileDisk, uploads: UploadRegistry, done: Callable[[DiskComparison], None]
    ) -> None:
        self._context = context
        self._disk = disk
        self._uploads = uploads
        self._done = done
        self._prefixes = iter(_PREFIXES)
        self._prefix = ""
        self._stored: list[str] = []
        self._doubtful: list[str] = []
        self._whole: frozenset[str] = frozenset()
        self._on_disk: frozenset[str] = frozenset()  # with what is left of files whose own bytes are gone
        self._missing: list[str] = []
        self._swept = 0

    def start(self) -> None:
        """Begin."""
        self._next_folder()

    def _next_folder(self) -> None:
        prefix = next(self._prefixes, None)
        if prefix is None:
            self._done(DiskComparison(self._swept, tuple(self._missing)))
            return
        self._prefix, self._stored = prefix, []
        self._list(prefix)

    def _list(self, after: str) -> None:
        self._context.log.stored_file_ids(after, _COMPARED_AT_ONCE, self._listed)

    def _listed(self, ids: list[str] | NotAppended) -> None:
        if isinstance(ids, NotAppended):  # the log is busy or closing: tomorrow again
            self._done(DiskComparison(self._swept, tuple(self._missing)))
            return
        own = [file_id for file_id in ids if file_id.startswith(self._prefix)]
        self._stored += own
        if own and len(own) == len(ids) and len(ids) == _COMPARED_AT_ONCE:
            self._list(own[-1])
        else:
            self._disk.list_stored(self._prefix, self._context.containment.bind(self._found))

    def _found(self, on_disk: FilesOnDisk | None) -> None:
        if on_disk is None:  # the folder cannot be read: nothing is known of it
            self._next_folder()
            return
        whole, remains, stored = frozenset(on_disk.whole), frozenset(on_disk.remains), frozenset(self._stored)
        self._whole, self._on_disk = whole, whole | remains
        self._doubtful = sorted(self._without_uploads((stored ^ whole) | remains))
        self._next_doubt()

    def _without_uploads(self, ids: Iterable[str]) -> list[str]:
        return [file_id for file_id in ids if self._uploads.get(file_id) is None]

    def _next_doubt(self) -> None:
        if not self._doubtful:
            self._next_folder()
            return
        file_id = self._doubtful.pop()
        self._context.log.file(FileQuery(file_id), lambda row: self._judge(file_id, row))

    def _judge(self, file_id: str, row: FileRow | NotAppended | None) -> None:
        if isinstance(row, FileRow) and file_id not in self._whole:
            self._missing.append(file_id)
        if row is None and file_id in self._on_disk and self._uploads.get(file_id) is None:
            self._swept += 1
            self._disk.unlink([file_id], self._context.containment.bind(lambda _: self._next_doubt()))
        else:
            self._next_doubt()
