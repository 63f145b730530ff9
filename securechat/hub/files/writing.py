"""Writing the bytes of uploads: in order, by one writer at a time, and never more waiting for the disk than is allowed.

A writer is one request that brings bytes. A newer one takes the upload over, and the older one is cut: a phone that
comes back must not wait for a connection that hangs. What was handed to the disk before is written all the same, so the
newer writer begins when the disk has answered that.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from msgspec.structs import replace

from securechat.containment import Containment
from securechat.errors import Refusal
from securechat.hub.files.uploads import PendingUpload, UploadRegistry
from securechat.hub.interfaces import FileDisk
from securechat.limits import KIB, Limits
from securechat.model import StoredFile
from securechat.text.refusals import refusal_for

_WRITE_BYTES = 4 * KIB
"""A smaller write counts as so many bytes that wait: as a job of the disk's thread it costs no less."""
_MOST_ASKING = 8
"""Requests that wait for the end of one upload: a client that asks again has lost its connection before."""
_SOON_S = 1.0
"""Until an upload may be asked for again whose last part is still being judged."""
Finished = Callable[[StoredFile | Refusal], object]


class UploadWriter:
    """One request that brings bytes to an upload; made by `UploadWriting.open`.

    Attributes:
        upload: where the bytes go.
        failure: why no further byte is taken; None as long as all is well.
        is_cut: whether a newer writer has taken the upload over, or it is gone.
    """

    __slots__ = ("_on_cut", "_sent", "_writing", "failure", "is_cut", "upload")

    def __init__(self, writing: UploadWriting, upload: PendingUpload, on_cut: Callable[[], None]) -> None:
        self._writing = writing
        self.upload = upload
        self._on_cut = on_cut
        self._sent = 0
        self.failure: Refusal | None = None
        self.is_cut = False

    def ready(self) -> None:
        """The disk has answered what earlier writers gave it: this one begins at the offset of the upload."""
        self._sent = self.upload.state.offset

    def has_room(self, more: Callable[[], None]) -> bool:
        """Tell whether bytes may be read for the disk. If not, ``more`` is called when this may be asked again."""
        return self._writing.has_room(self, more)

    def write(self, data: bytes, more: Callable[[], None]) -> bool:
        """Hand bytes to the disk; tell whether further ones may come. If not, ``more`` is called when they may.

        Bytes behind a failure, or behind a cut, are dropped.
        """
        if self.is_cut or self.failure is not None or not data:
            return True
        if self._sent + len(data) > self.upload.state.size_bytes:
            self.failure = refusal_for("file_too_large", size=self._sent + len(data), most=self.upload.state.size_bytes)
            return True
        offset, self._sent = self._sent, self._sent + len(data)
        return self._writing.write(self, offset, data, more)

    def close(self) -> None:
        """No further byte comes from this writer."""
        self._writing.closed(self)

    def cut(self) -> None:
        """End the request of this writer: another one has come, or the upload is gone."""
        if not self.is_cut:
            self.is_cut = True
            self._on_cut()


class UploadWriting:
    """Writes and finishes the uploads of one server.

    Args:
        uploads: the uploads.
        disk: takes the bytes.
        limits: of what waits for the disk.
        quota_of: returns what a sender may keep, bytes.
        containment: the completions of the disk belong to the work that asked for them.
    """

    def __init__(
        self,
        uploads: UploadRegistry,
        disk: FileDisk,
        limits: Limits,
        quota_of: Callable[[int], int],
        containment: Containment,
    ) -> None:
        self._uploads = uploads
        self._disk = disk
        self._limits = limits
        self._quota_of = quota_of
        self._containment = containment
        self._writers: dict[str, UploadWriter] = {}
        self._waiting_bytes: dict[str, int] = {}  # of uploads: handed to the disk, not answered
        self._all_waiting_bytes = 0
        self._waiting_writes: dict[str, int] = {}  # likewise
        self._all_waiting_writes = 0
        self._when_quiet: dict[str, deque[tuple[UploadWriter | None, Callable[[], None]]]] = {}
        self._held: dict[UploadWriter, Callable[[], None]] = {}  # by what waits of their own uploads
        self._paused: OrderedDict[UploadWriter, Callable[[], None]] = OrderedDict()  # by what waits of all
        self._woken: UploadWriter | None = None  # the next of these, until it asks
        self._finishing: dict[str, list[Finished]] = {}
        self._changing: set[str] = set()  # uploads that the disk cuts back, or makes a note of

    @property
    def waiting_bytes(self) -> int:
        """Bytes of all uploads that wait for the disk."""
        return self._all_waiting_bytes

    def open(self, upload: PendingUpload, cut: Callable[[], None]) -> UploadWriter:
        """Take an upload over for a new writer; `when_quiet` tells when it may begin.

        Args:
            upload: which.
            cut: called once if an even newer writer comes, or the upload goes.
        """
        writer = UploadWriter(self, upload, self._containment.bind(cut))
        older = self._writers.get(upload.file_id)
        self._writers[upload.file_id] = writer
        if older is not None:
            older.cut()
        return writer

    def closed(self, writer: UploadWriter) -> None:
        """See `UploadWriter.close`."""
        if self._writers.get(writer.upload.file_id) is writer:
            del self._writers[writer.upload.file_id]
        if (waiting := self._when_quiet.get(writer.upload.file_id)) is not None:
            still = [each for each in waiting if each[0] is not writer]
            waiting.clear()
            waiting.extend(still)
        self._held.pop(writer, None)
        self._paused.pop(writer, None)
        if self._woken is writer:
            self._woken = None
        self._wake()

    def when_quiet(self, upload: PendingUpload, done: Callable[[], None], writer: UploadWriter | None = None) -> None:
        """Call back when the disk has answered all that was handed to it for an upload: now, or later.

        With a writer only until that is closed: requests that take each other over leave nothing behind.
        """
        file_id = upload.file_id
        if self._is_quiet(file_id):
            done()
        else:
            self._when_quiet.setdefault(file_id, deque()).append((writer, self._containment.bind(done)))

    def _is_quiet(self, file_id: str) -> bool:
        waits = self._waiting_bytes.get(file_id) or file_id in self._finishing or file_id in self._changing
        return not waits

    def has_room(self, writer: UploadWriter, more: Callable[[], None]) -> bool:
        """See `UploadWriter.has_room`.

        Writers that wait are woken one behind the other: each reads its turn before the next one asks, so that what
        waits of all uploads passes its limit by one turn at most, however many are held.
        """
        was_woken = writer is self._woken
        if was_woken:
            self._woken = None
        if writer.is_cut or writer.failure is not None:  # nothing waits: what comes is dropped
            has_room = True
        elif self._is_full(writer.upload.file_id):
            self._held[writer] = self._containment.bind(more)
            has_room = False
        else:
            has_room = not self._is_all_full() and (was_woken or not (self._paused or self._woken))
            if not has_room:
                self._paused[writer] = self._containment.bind(more)
                self._paused.move_to_end(writer, last=not was_woken)
        self._wake()
        return has_room

    def _wake(self) -> None:
        """Have the writer ask that waits longest, if there is room."""
        if self._woken is None and self._paused and not self._is_all_full():
            self._woken, more = self._paused.popitem(last=False)
            more()

    def write(self, writer: UploadWriter, offset: int, data: bytes, more: Callable[[], None]) -> bool:
        """See `UploadWriter.write`."""
        upload, size_bytes = writer.upload, len(data)
        file_id = upload.file_id
        upload.has_begun = True
        self._waiting_bytes[file_id] = self._waiting_bytes.get(file_id, 0) + size_bytes
        self._all_waiting_bytes += size_bytes
        self._waiting_writes[file_id] = self._waiting_writes.get(file_id, 0) + 1
        self._all_waiting_writes += 1

        def done(refusal: Refusal | None) -> None:
            if refusal is None:
                upload.state = replace(upload.state, offset=offset + size_bytes)
            elif writer.failure is None:
                writer.failure = refusal
            if refusal is not None and refusal.reason == "upload_unknown" and not upload.is_gone:
                self.discard(upload)  # a failed sync took it: its sender begins anew
            self._written(writer, size_bytes)

        self._disk.write(file_id, offset, data, self._containment.bind(done))
        if self._is_full(file_id):
            self._held[writer] = self._containment.bind(more)
            return False
        return True

    def _is_full(self, file_id: str) -> bool:
        waiting_bytes = max(self._waiting_bytes.get(file_id, 0), self._waiting_writes.get(file_id, 0) * _WRITE_BYTES)
        return waiting_bytes >= self._limits.upload_buffer_bytes

    def _is_all_full(self) -> bool:
        waiting_bytes = max(self._all_waiting_bytes, self._all_waiting_writes * _WRITE_BYTES)
        return waiting_bytes >= self._limits.upload_buffers_bytes

    def _written(self, writer: UploadWriter, size_bytes: int) -> None:
        upload = writer.upload
        file_id = upload.file_id
        self._all_waiting_bytes -= size_bytes
        self._all_waiting_writes -= 1
        left = self._waiting_bytes.get(file_id, 0) - size_bytes
        if left > 0:
            self._waiting_bytes[file_id] = left
            self._waiting_writes[file_id] -= 1
        else:
            self._waiting_bytes.pop(file_id, None)
            self._waiting_writes.pop(file_id, None)
            self._quiet(upload)
        current = self._writers.get(file_id)  # perhaps a newer one
        if current is not None and (current.failure is not None or not self._is_full(file_id)):
            more = self._held.pop(current, None)
            if current.failure is not None:
                more = more or self._paused.pop(current, None)
            if more is not None:
                more()
        self._wake()

    def _quiet(self, upload: PendingUpload) -> None:
        """Call those back that wait for an upload, as long as none of them keeps the disk at work again."""
        file_id = upload.file_id
        waiting = self._when_quiet.get(file_id)
        while waiting and self._is_quiet(file_id):
            waiting.popleft()[1]()
        if not waiting and self._when_quiet.get(file_id) is waiting:
            self._when_quiet.pop(file_id, None)

    def roll_back(self, upload: PendingUpload, offset: int, done: Callable[[Refusal | None], None]) -> None:
        """Cut what a part has brought off again; to be called when the upload is quiet."""

        def cut(refusal: Refusal | None) -> None:
            self._changing.discard(upload.file_id)
            if refusal is None:
                upload.state = replace(upload.state, offset=offset)
            done(refusal)
            self._quiet(upload)

        self._changing.add(upload.file_id)
        self._disk.cut(upload.file_id, offset, self._containment.bind(cut))

    def note_unjudged(
        self, upload: PendingUpload, offset: int | None, done: Callable[[Refusal | None], None] = lambda _: None
    ) -> None:
        """Note that what comes behind an offset is not judged yet (None: all is), and call back when that is durable.

        To be called when the upload is quiet; at once where it is noted so already.
        """
        if upload.state.unjudged_from == offset or upload.state.stored is not None:
            done(None)
            return

        def noted(refusal: Refusal | None) -> None:
            self._changing.discard(upload.file_id)
            if refusal is None:
                upload.state = replace(upload.state, unjudged_from=offset)
            elif refusal.reason == "upload_unknown" and not upload.is_gone:
                self.discard(upload)
            done(refusal)
            self._quiet(upload)

        self._changing.add(upload.file_id)
        self._disk.note_unjudged(upload.file_id, offset, self._containment.bind(noted))

    def when_whole(self, upload: PendingUpload, done: Finished) -> None:
        """End an upload that is whole, or tell how a part that is under way has ended it.

        A part under way may have a checksum that is still to be judged, and be cut off again.
        """

        def quiet() -> None:
            if upload.is_gone:
                done(refusal_for("upload_unknown"))
            elif not upload.is_whole:
                done(refusal_for("upload_not_whole"))
            else:
                self.finish(upload, done)

        if upload.file_id in self._writers and upload.file_id not in self._finishing:
            done(refusal_for("upload_not_ready", retry_after_s=_SOON_S))
        elif (asked := self._finishing.get(upload.file_id)) is None:
            self.when_quiet(upload, quiet)
        elif len(asked) < _MOST_ASKING:
            asked.append(self._containment.bind(done))
        else:
            done(refusal_for("upload_not_ready", retry_after_s=_SOON_S))

    def finish(self, upload: PendingUpload, done: Finished, *, as_file: bool = False) -> None:
        """End an upload that is whole and quiet; several that ask are all answered.

        Args:
            upload: which.
            done: gets the file, or why it is none yet.
            as_file: keep the bytes of a picture as they are, although the upload began otherwise.
        """
        if upload.state.stored is not None:
            done(upload.state.stored)
            return
        asked = self._finishing.get(upload.file_id)
        if asked is not None:
            asked.append(self._containment.bind(done))
            return
        if upload.state.unreadable and not (as_file or upload.state.as_file):
            done(refusal_for("picture_unreadable"))  # its bytes are those that were tried
            return
        if as_file and not upload.state.as_file:
            upload.state = replace(upload.state, as_file=True)
        self._finishing[upload.file_id] = [self._containment.bind(done)]
        upload.is_finishing = True
        self._disk.finish(upload.state, self._containment.bind(lambda outcome: self._finished(upload, outcome)))

    def _finished(self, upload: PendingUpload, outcome: StoredFile | Refusal) -> None:
        upload.is_finishing = False
        if upload.is_gone:  # its sender was removed meanwhile
            self._disk.discard(upload.file_id)
            outcome = refusal_for("upload_unknown")
        elif isinstance(outcome, StoredFile):
            try:
                self._uploads.finished(upload, outcome, self._quota_of(upload.state.sender_id))
            except Refusal as refusal:
                self.discard(upload)
                outcome = refusal
        elif outcome.reason == "picture_unreadable":
            upload.state = replace(upload.state, unreadable=True)
        elif outcome.reason == "upload_unknown":
            self.discard(upload)
        for done in self._finishing.pop(upload.file_id, ()):
            done(outcome)
        self._quiet(upload)

    @staticmethod
    def expect_removable(upload: PendingUpload) -> None:
        """Require that nothing but its sender has an interest in an upload.

        Raises:
            Refusal: BUSY, a draft takes it, or the disk is at work on its end.
        """
        if upload.is_claimed or upload.is_finishing:
            raise refusal_for("upload_in_use")

    def discard(self, upload: PendingUpload) -> None:
        """Give an upload up: its bytes go, and who brings them is cut."""
        self._uploads.remove(upload)
        self._disk.discard(upload.file_id)
        writer = self._writers.pop(upload.file_id, None)
        if writer is not None:
            writer.cut()
