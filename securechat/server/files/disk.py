"""`ThreadedFileDisk`: all disk work of files, on one thread of its own, so that the loop never waits for a disk.

One thread is one sync at a time, in steps of at most 4 MiB: a commit of the log waits for no more than that. Between
two steps of an upload whatever reads for downloads is done first, so that a sync holds a download up for one step.

Jobs cross to the thread through one queue, and answers come back by ``post``, in the order in which the jobs ended;
nothing else is shared. The queue is bounded: beyond ``most_waiting`` jobs writes are refused as busy. Callers bound
what they ask for themselves: an upload is not read on while ``upload_buffer_bytes`` of it wait, and a download has one
read under way.

A job that fails as no disk does (a bug) is refused and reported, and the thread goes on with the next.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple, Protocol, TypeVar

from msgspec import Struct

from securechat.errors import Refusal
from securechat.hub.interfaces import OpenFile
from securechat.model import StoredFile
from securechat.records.files import FilesOnDisk, UploadState
from securechat.storage.files.pictures import RewrittenPicture
from securechat.storage.files.steps import DiskSteps
from securechat.storage.files.store import FileStore
from securechat.text.refusals import refusal_for

_T = TypeVar("_T")

MOST_WAITING = 4096
"""Jobs: each upload of limits.uploads_total with its write, its end and its removal, and as many reads."""
MOST_DESCRIPTORS = 8
"""Of files that are read; beyond them the one that was read longest ago is closed, and opened again for its next read.

Sockets are counted against RLIMIT_NOFILE, and a download that the client does not take would hold two."""
READS_AT_ONCE = 64
"""Then one step of what writes, so that many downloads from a slow disk do not end all uploads."""
SPACE_AGE_S = 1.0
"""Free space is asked for again after this; statvfs(2) reads counters in memory, in some microseconds."""
CLOSE_S = 10.0
"""A stop waits for the job under way so long. The longest one ends an upload: it reads 25 MiB and syncs a few times."""
_SILENT_S = 60.0
"""Between two reports of the same trouble."""
_MOST_REPORTED = 64
"""Different troubles that are remembered."""
_BUSY_RETRY_S = 1.0


class PictureRewriter(Protocol):
    """Writes pictures anew; `securechat.pictures` has the one that runs a process for each."""

    def rewrite(
        self, source: Path, into: Path, done: Callable[[RewrittenPicture | Refusal], None], *, owner: int
    ) -> None:
        """Write the picture ``source`` anew as ``into``, and its smaller copies beside it, as ``into.320``.

        Called on the loop's thread, and returns at once; ``done`` may be called on any. Refused with
        ``picture_unreadable``, ``pictures_busy`` or ``file_not_stored``: then nothing is written. Owners, which are
        senders, take turns.
        """


class _OpenCopy(NamedTuple):
    """A file that is read, or a smaller copy of it.

    Attributes:
        number: its own, of this process.
        file_id: which file.
        size: of the copy, pixels; None for the file itself.
        size_bytes: as it was opened.
    """

    number: int
    file_id: str
    size: int | None
    size_bytes: int


class _Job(Struct, eq=False):
    """Work for the thread.

    Attributes:
        begin: makes its steps.
        done: is given the result on the loop's thread; None where nothing is answered.
        failed: makes the result where it fails as no disk does.
        is_read: whether it goes before the others.
    """

    begin: Callable[[], DiskSteps[object]]
    done: Callable[[object], None] | None
    failed: Callable[[], object]
    is_read: bool


class ThreadedFileDisk:
    """A `securechat.hub.interfaces.FileDisk`.

    The thread begins with the first job, so a server without files has none.

    Args:
        data: the data directory.
        post: runs a callable on the loop's thread, in order; callable from any thread.
        on_trouble: told on the loop's thread, in a sentence, of what the operator has to know.
        pictures: writes pictures anew; None: every picture is a file.
        on_error: told on the loop's thread of a failure that is a bug.
        clock: monotonic seconds.
        most_waiting: jobs beyond which writes are refused.
        store: the files, instead of the directory's own (tests).
        close_s: how long `close` waits for the job under way.
    """

    def __init__(
        self,
        data: Path,
        post: Callable[[Callable[[], None]], None],
        on_trouble: Callable[[str], None] = lambda _: None,
        *,
        pictures: PictureRewriter | None = None,
        on_error: Callable[[Exception], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        most_waiting: int = MOST_WAITING,
        store: FileStore | None = None,
        close_s: float = CLOSE_S,
    ) -> None:
        self._data = data
        self._post = post
        self._pictures = pictures
        self._on_trouble = on_trouble
        self._on_error = on_error
        self._clock = clock
        self._most_waiting = most_waiting
        self._close_s = close_s
        self._store = store or FileStore(data, on_trouble=self._report)
        self._space = (0, 0)
        self._space_at: float | None = None
        self._waiting = 0  # asked and not answered; the loop's thread alone counts them
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()  # None: that was all
        self._thread: threading.Thread | None = None
        self._closing = threading.Lock()  # held while an answer is posted, so that none is after close()
        self._closed = False
        self._reads: deque[_Job] = deque()  # the thread's own, as what follows
        self._others: deque[_Job] = deque()
        self._descriptors: OrderedDict[int, int] = OrderedDict()  # by `_OpenCopy.number`; used last at the end
        self._opened = 0
        self._reported: dict[str, float] = {}

    # --- On the loop's thread -------------------------------------------------------------------------------------

    @property
    def free_bytes(self) -> int:
        """Free space; see `FileDisk.free_bytes`. Without end where it cannot be asked: writing then says why."""
        return self._disk_space()[0]

    @property
    def total_bytes(self) -> int:
        """The size of the disk; see `FileDisk.total_bytes`."""
        return self._disk_space()[1]

    @property
    def waiting(self) -> int:
        """Jobs taken and not yet answered."""
        return self._waiting

    @property
    def is_busy(self) -> bool:
        """Whether no upload should begin; see `FileDisk.is_busy`."""
        return self._waiting >= self._most_waiting // 4

    def create(self, upload: UploadState) -> None:
        """Begin an upload; see `FileDisk.create`."""
        self._ask(lambda: self._store.uploads.create(upload))

    def write(self, file_id: str, offset: int, data: bytes, done: Callable[[Refusal | None], None]) -> None:
        """Append to an upload; see `FileDisk.write`. Also refused as busy."""
        if self._waiting >= self._most_waiting:
            busy = refusal_for("uploads_of_server_used_up", retry_after_s=_BUSY_RETRY_S)
            self._post(partial(self._refuse, done, busy))
            return
        self._ask(lambda: self._store.uploads.write(file_id, offset, data), done, _failure)

    def cut(self, file_id: str, offset: int, done: Callable[[Refusal | None], None]) -> None:
        """Take bytes off the end of an upload; see `FileDisk.cut`."""
        self._ask(lambda: self._store.uploads.cut(file_id, offset), done, _failure)

    def note_unjudged(self, file_id: str, offset: int | None, done: Callable[[Refusal | None], None]) -> None:
        """Note which bytes are not judged yet; see `FileDisk.note_unjudged`."""
        self._ask(lambda: self._store.uploads.note_unjudged(file_id, offset), done, _failure)

    def finish(self, upload: UploadState, done: Callable[[StoredFile | Refusal], None]) -> None:
        """End an upload; see `FileDisk.finish`. The thread is free while a picture is written anew."""

        def finished(result: StoredFile | Refusal | None) -> None:
            if result is not None:
                done(result)
            elif self._pictures is not None:
                layout, file_id = self._store.layout, upload.file_id
                source, into = layout.upload(file_id), layout.picture(file_id, None)
                try:
                    self._pictures.rewrite(source, into, rewritten, owner=upload.sender_id)
                except Exception as error:  # noqa: BLE001  (no thread, say: else the upload would never end)
                    self._on_error(error)
                    done(_failure())

        def rewritten(outcome: RewrittenPicture | Refusal) -> None:
            with self._closing:
                if not self._closed:
                    self._post(partial(self._finish_picture, upload, outcome, done))

        self._ask(lambda: self._finish(upload), finished, _failure)

    def _finish_picture(
        self, upload: UploadState, outcome: RewrittenPicture | Refusal, done: Callable[[StoredFile | Refusal], None]
    ) -> None:
        if self._closed:
            return
        if not isinstance(outcome, Refusal):
            self._ask(lambda: self._store.uploads.finish(upload, outcome), done, _failure)
            return
        if outcome.reason == "picture_unreadable":
            self._ask(lambda: self._store.uploads.mark_unreadable(upload.file_id))
        done(outcome)

    def discard(self, file_id: str) -> None:
        """Give an upload up; see `FileDisk.discard`."""
        self._ask(lambda: self._store.uploads.discard(file_id))

    def settle(self, file_id: str) -> None:
        """Drop the sidecar; see `FileDisk.settle`."""
        self._ask(lambda: _at_once(partial(self._store.uploads.settle, file_id)))

    def unlink(self, file_ids: Sequence[str], done: Callable[[tuple[str, ...]], None]) -> None:
        """Unlink files; see `FileDisk.unlink`."""
        self._ask(lambda: self._store.unlink(file_ids), done, tuple)

    def open(self, file_id: str, size: int | None, done: Callable[[OpenFile | None], None]) -> None:
        """Open a file to read from; see `FileDisk.open`. Goes before what writes."""

        def opened(found: tuple[int, int] | None) -> None:
            done(None if found is None else _DiskFile(self, _OpenCopy(found[0], file_id, size, found[1])))

        self._ask(lambda: self._open(file_id, size), opened, is_read=True)

    def load(self, done: Callable[[list[UploadState]], None]) -> None:
        """Read the uploads that an earlier process left; see `FileDisk.load`. A server without files has none."""
        if not self._store.layout.incoming.exists():
            self._post(lambda: None if self._closed else done([]))
            return
        self._ask(self._store.load, done, list)

    def list_stored(self, prefix: str, done: Callable[[FilesOnDisk | None], None]) -> None:
        """List the finished files; see `FileDisk.list_stored`."""
        self._ask(lambda: _at_once(partial(self._store.finished.in_folder, prefix)), done)

    def close(self) -> None:
        """End the thread; from now on nothing is answered. Waits for the job under way, and drops those that wait.

        A disk that hangs is not waited for longer than `CLOSE_S`: the thread ends with the process.
        """
        with self._closing:
            self._closed = True
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join(self._close_s)
            if self._thread.is_alive():
                directory = self._store.layout.directory
                self._on_trouble(f"the disk has not answered for {self._close_s:g} s at the stop; look at {directory}")
            self._thread = None

    def read(self, copy: _OpenCopy, offset: int, most_bytes: int, done: Callable[[bytes | None], None]) -> None:
        """Read from an open file, before what writes; for `OpenFile` alone."""
        self._ask(lambda: _at_once(partial(self._read, copy, offset, most_bytes)), done, is_read=True)

    def close_file(self, copy: _OpenCopy) -> None:
        """Close an open file, behind its reads; for `OpenFile` alone."""
        self._ask(lambda: _at_once(partial(self._close_file, copy.number)), is_read=True)

    def _ask(
        self,
        begin: Callable[[], DiskSteps[object]],
        done: Callable[[_T], None] | None = None,
        failed: Callable[[], object] = lambda: None,
        *,
        is_read: bool = False,
    ) -> None:
        if self._closed:
            return
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="files", daemon=True)
            thread.start()
            self._thread = thread
        self._waiting += 1
        self._jobs.put(_Job(begin, done, failed, is_read))  # type: ignore[arg-type]  # each gets what its work returns

    def _refuse(self, done: Callable[[Refusal | None], None], refusal: Refusal) -> None:
        if not self._closed:
            done(refusal)

    def _deliver(self, done: Callable[[object], None] | None, result: object) -> None:
        self._waiting -= 1
        if done is not None and not self._closed:
            done(result)

    def _disk_space(self) -> tuple[int, int]:
        now = self._clock()
        if self._space_at is None or now - self._space_at > SPACE_AGE_S:
            self._space_at = now
            try:
                usage = shutil.disk_usage(self._data)
            except OSError:
                self._space = (1 << 62, 1 << 62)
            else:
                self._space = (usage.free, usage.total)
        return self._space

    # --- On the thread --------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            running: tuple[_Job, DiskSteps[object]] | None = None
            reads = 0
            while self._gather(wait=running is None):
                if self._reads and (reads < READS_AT_ONCE or not (running or self._others)):
                    reads += 1
                    self._run(self._reads.popleft())
                    continue
                reads = 0
                if running is not None:
                    running = self._go_on(*running)
                elif self._others:
                    job = self._others.popleft()
                    running = self._go_on(job, _steps_of(job))
            while running is not None:
                running = self._go_on(*running)
        finally:
            self._store.uploads.close()
            for number in list(self._descriptors):
                self._close_file(number)

    def _gather(self, *, wait: bool) -> bool:
        """Take all jobs that were asked for; false: that was all. With ``wait`` until there is one."""
        wait = wait and not self._reads and not self._others
        while wait or not self._jobs.empty():
            job = self._jobs.get()
            if job is None:
                return False
            (self._reads if job.is_read else self._others).append(job)
            wait = False
        return True

    def _run(self, job: _Job) -> None:
        running: tuple[_Job, DiskSteps[object]] | None = (job, _steps_of(job))
        while running is not None:
            running = self._go_on(*running)

    def _go_on(self, job: _Job, steps: DiskSteps[object]) -> tuple[_Job, DiskSteps[object]] | None:
        """Do one step; None: it was the last, and is answered."""
        try:
            next(steps)
        except StopIteration as stopped:
            result: object = stopped.value
        except Refusal as refusal:
            result = refusal
        except Exception as error:  # noqa: BLE001  # this job fails, the next may not
            failure = error
            self._hand_over(lambda: self._on_error(failure))
            result = job.failed()
        else:
            return job, steps
        self._hand_over(partial(self._deliver, job.done, result))
        return None

    def _hand_over(self, answer: Callable[[], None]) -> None:
        with self._closing:
            if not self._closed:
                self._post(answer)

    def _finish(self, upload: UploadState) -> DiskSteps[StoredFile | None]:
        """End an upload; None: it is a picture that must be written anew first."""
        is_rewritten = self._pictures is not None and not upload.as_file
        if is_rewritten and self._store.uploads.is_picture(upload.file_id):
            return None
        return (yield from self._store.uploads.finish(upload, None))

    def _open(self, file_id: str, size: int | None) -> DiskSteps[tuple[int, int] | None]:
        yield from ()  # a generator, as all work
        found = self._store.finished.open(file_id, size)
        if found is None:
            return None
        self._opened += 1
        self._keep_open(self._opened, found[0])
        return self._opened, found[1]

    def _read(self, copy: _OpenCopy, offset: int, most_bytes: int) -> bytes | None:
        descriptor = self._descriptors.get(copy.number)
        if descriptor is None:  # others were read meanwhile
            found = self._store.finished.open(copy.file_id, copy.size)
            if found is None:  # it was deleted
                return None
            descriptor = found[0]
            self._keep_open(copy.number, descriptor)
            if found[1] != copy.size_bytes:
                return None
        self._descriptors.move_to_end(copy.number)
        return self._store.read(descriptor, offset, most_bytes)

    def _keep_open(self, number: int, descriptor: int) -> None:
        if len(self._descriptors) >= MOST_DESCRIPTORS:
            self._close_file(next(iter(self._descriptors)))
        self._descriptors[number] = descriptor

    def _close_file(self, number: int) -> None:
        descriptor = self._descriptors.pop(number, None)
        if descriptor is not None:
            with suppress(OSError):
                self._store.close_file(descriptor)

    def _report(self, what: str, error: OSError) -> None:
        """Tell the operator of trouble; the same once a minute, so that a full disk is not filled by its reports."""
        now = self._clock()
        sentence = f"{what}: {error.strerror or error}; look at {self._store.layout.directory} and its disk"
        if now - self._reported.get(sentence, now - _SILENT_S) >= _SILENT_S:
            if len(self._reported) >= _MOST_REPORTED:
                self._reported.clear()
            self._reported[sentence] = now
            self._hand_over(partial(self._on_trouble, sentence))


class _DiskFile:
    """An `OpenFile`; its reads and its end are jobs of the thread."""

    __slots__ = ("_copy", "_disk", "_is_closed", "size_bytes")

    def __init__(self, disk: ThreadedFileDisk, copy: _OpenCopy) -> None:
        self.size_bytes = copy.size_bytes
        self._disk = disk
        self._copy = copy
        self._is_closed = False

    def read(self, offset: int, most_bytes: int, done: Callable[[bytes | None], None]) -> None:
        """Read from an offset; see `OpenFile.read`."""

        def answer(data: bytes | None) -> None:
            if not self._is_closed:
                done(data)

        if not self._is_closed:
            self._disk.read(self._copy, offset, most_bytes, answer)

    def close(self) -> None:
        """Close it; see `OpenFile.close`."""
        if not self._is_closed:
            self._is_closed = True
            self._disk.close_file(self._copy)


def _steps_of(job: _Job) -> DiskSteps[object]:
    """The steps of a job; what fails in making them is a failure of the first."""
    return (yield from job.begin())


def _at_once(work: Callable[[], _T]) -> DiskSteps[_T]:
    """Work of one step."""
    yield from ()  # a generator, as all work
    return work()


def _failure() -> Refusal:
    return refusal_for("file_not_stored")
