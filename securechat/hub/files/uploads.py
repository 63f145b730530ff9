"""Uploads: what each sender may send, counted from the beginning of an upload, and which message takes it.

The registry holds the numbers and knows no disk but its free space. An upload counts with its declared size until it is
finished, then with what was written, and from its message on as a file of the log, until that is unlinked. So no order
of parallel uploads passes a quota.

The life of an upload: begun, whole, finished (with a `StoredFile`), claimed by a draft, and then either settled, when
the draft is committed, or free again, when it was refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from securechat.hub.interfaces import FileDisk
from securechat.limits import Limits
from securechat.model import StoredFile
from securechat.records.files import FileUsage, GoneFile, UploadState
from securechat.text.file_names import clean_name
from securechat.text.refusals import refusal_for

_HOUR_MS = 3_600_000
_KEPT_IDS = 1_000
"""Uploads that are remembered as used, and as removed, for the words of a refusal."""
_SOON_S = 1.0
"""Until a request may succeed that came before the uploads of an earlier process are read, or during a finish."""
_LATER_S = 60.0


class PendingUpload:
    """One upload.

    Attributes:
        state: as its sidecar has it, with the offset of this moment.
        address: where it was begun, as `Peer.address`; None: on this machine, or by an earlier process.
        counted_bytes: what it counts with.
        has_begun: whether a byte of it has come.
        is_claimed: whether a draft that the log has not answered yet takes it.
        is_finishing: whether the disk is at work on its end.
        is_gone: whether it is in the registry no more.
    """

    __slots__ = (
        "_first_byte_ms", "address", "counted_bytes", "has_begun", "is_claimed", "is_finishing", "is_gone", "state",
    )  # fmt: skip

    def __init__(self, state: UploadState, first_byte_ms: int, address: str | None = None) -> None:
        self.state = state
        self._first_byte_ms = first_byte_ms
        self.address = address
        self.has_begun = state.offset > 0 or state.stored is not None
        self.counted_bytes = state.size_bytes if state.stored is None else state.stored.kept_bytes
        self.is_claimed = False
        self.is_finishing = False
        self.is_gone = False

    @property
    def file_id(self) -> str:
        """Its id."""
        return self.state.file_id

    @property
    def until_ms(self) -> int:
        """When it is given up, UTC milliseconds: sooner, where no byte has come and so none is lost."""
        until_ms = self.state.until_ms
        return until_ms if self.has_begun else min(until_ms, self.state.made_at_ms + self._first_byte_ms)

    @property
    def is_whole(self) -> bool:
        """Whether every byte is there."""
        return self.state.offset == self.state.size_bytes

    @property
    def missing_bytes(self) -> int:
        """What the disk has still to take."""
        return self.state.size_bytes - self.state.offset if self.state.stored is None else 0


class UploadRegistry:
    """The uploads of all senders, and what each keeps.

    Args:
        limits: of files and uploads.
        disk: its size and its free space.
        random_bytes: that many, unguessable.

    Attributes:
        is_loaded: whether the uploads of an earlier process are here; nothing begins before.
    """

    def __init__(self, limits: Limits, disk: FileDisk, random_bytes: Callable[[int], bytes]) -> None:
        self._limits = limits
        self._disk = disk
        self._random_bytes = random_bytes
        self._uploads: dict[str, PendingUpload] = {}
        self._of: dict[int, dict[str, PendingUpload]] = {}
        self._kept_of: dict[int, int] = {}
        self._kept_bytes = 0
        self._used: dict[str, None] = {}
        self._removed: dict[str, None] = {}
        self._begun_from: dict[str, int] = {}  # uploads, by address
        self._address_of: dict[int, str] = {}  # of guests that keep something
        self._guests_bytes: dict[str, int] = {}  # what these keep, by address
        self.is_loaded = False

    def __len__(self) -> int:
        return len(self._uploads)

    # --- Numbers --------------------------------------------------------------------------------------------------

    @property
    def kept_bytes(self) -> int:
        """Bytes of all files in the log, with those that are gone and not unlinked yet."""
        return self._kept_bytes

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a file nor an upload."""
        return not self._uploads and not self._kept_bytes

    def used(self, sender_id: int) -> int:
        """Return what counts against the quota of a sender, bytes."""
        pending = sum(upload.counted_bytes for upload in self._of.get(sender_id, {}).values())
        return self._kept_of.get(sender_id, 0) + pending

    def keep(self, usage: Iterable[FileUsage]) -> None:
        """Take over what the log says at its start."""
        for row in usage:
            self._keep(row.sender_id, row.kept_bytes)

    def dropped(self, files: Iterable[GoneFile]) -> None:
        """Files are unlinked and forgotten by the log: they count no more."""
        for file in files:
            self._keep(file.sender_id, -file.kept_bytes)

    def _keep(self, sender_id: int, kept_bytes: int) -> None:
        before = self._kept_of.get(sender_id, 0)
        kept = max(0, before + kept_bytes)
        self._kept_bytes = max(0, self._kept_bytes + kept_bytes)
        if kept:
            self._kept_of[sender_id] = kept
        else:
            self._kept_of.pop(sender_id, None)
        self._count_guest(sender_id, kept - before)

    def _count_guest(self, sender_id: int, more_bytes: int) -> None:
        """A sender keeps more or less: so does the address of a guest."""
        address = self._address_of.get(sender_id)
        if address is not None:
            self._guests_bytes[address] += more_bytes
            if not self.used(sender_id):
                self._forget_address(sender_id)

    def _forget_address(self, sender_id: int) -> None:
        """Count a sender for no address any more: it keeps nothing, or has an account."""
        address = self._address_of.pop(sender_id, None)
        if address is not None:
            self._guests_bytes[address] -= self.used(sender_id)
            if not self._guests_bytes[address]:
                del self._guests_bytes[address]

    def _require_share(self, sender_id: int, address: str | None, size_bytes: int, *, is_guest: bool) -> str | None:
        """Require that an address may begin one more upload; return the address that the sender counts for as a guest.

        A guest counts for the address of its first upload as long as it keeps anything.

        Raises:
            Refusal: QUOTA, TOO_MANY.
        """
        limits = self._limits
        if address is not None and (count := self._begun_from.get(address, 0)) >= limits.uploads_per_address:
            raise refusal_for("uploads_of_network_used_up", count=count)
        if not is_guest:
            return None
        counted = self._address_of.get(sender_id)
        address = counted or address
        if address is None:
            return None
        used = self._guests_bytes.get(address, 0) + (0 if counted else self.used(sender_id))
        most = limits.guest_files_per_address_bytes
        if used + size_bytes > most:
            raise refusal_for("guest_files_used_up", used=used, most=most, left=max(0, most - used))
        return address

    # --- From the beginning to the end of the bytes ---------------------------------------------------------------

    def begin(
        self,
        sender_id: int,
        quota_bytes: int,
        name: str,
        size_bytes: int,
        *,
        as_file: bool,
        now_ms: int,
        address: str | None = None,
        is_guest: bool = False,
    ) -> UploadState:
        """Begin an upload.

        Args:
            sender_id: who sends it.
            quota_bytes: what this sender may keep.
            name: as the sender has it.
            size_bytes: as declared.
            as_file: whether the bytes stay as they are.
            now_ms: UTC milliseconds.
            address: what its network address is counted under; None where there is no limit for it.
            is_guest: whether it has no account.

        Raises:
            Refusal: FILE_TOO_LARGE, QUOTA, DISK_FULL, TOO_MANY, BUSY; INVALID for an empty file.
        """
        limits = self._limits
        if not size_bytes:
            raise refusal_for("file_empty")
        if size_bytes > limits.file_bytes:
            raise refusal_for("file_too_large", size=size_bytes, most=limits.file_bytes)
        if not self.is_loaded:
            raise refusal_for("uploads_of_server_used_up", retry_after_s=_SOON_S)
        if (count := len(self._of.get(sender_id, ()))) >= limits.uploads_per_person:
            raise refusal_for("uploads_used_up", count=count)
        if len(self._uploads) >= limits.uploads_total:
            raise refusal_for("uploads_of_server_used_up", retry_after_s=_LATER_S)
        used = self.used(sender_id)
        if used + size_bytes > quota_bytes:
            raise refusal_for("files_quota_used_up", used=used, most=quota_bytes, left=max(0, quota_bytes - used))
        guest_address = self._require_share(sender_id, address, size_bytes, is_guest=is_guest)
        self._require_space(size_bytes)
        if guest_address is None:
            self._forget_address(sender_id)
        elif sender_id not in self._address_of:
            self._address_of[sender_id] = guest_address
            self._guests_bytes[guest_address] = self._guests_bytes.get(guest_address, 0) + used
        state = UploadState(
            self._random_bytes(16).hex(),
            self._random_bytes(16).hex(),
            sender_id,
            clean_name(name),
            size_bytes,
            as_file,
            now_ms,
            now_ms + int(limits.upload_hours * _HOUR_MS),
        )
        self._add(state, address)
        return state

    def _require_space(self, size_bytes: int) -> None:
        """Require that the disk has room for a file, beside all that is promised.

        Raises:
            Refusal: DISK_FULL.
        """
        pending = missing = 0
        for upload in self._uploads.values():
            pending += upload.counted_bytes
            missing += upload.missing_bytes
        share = self._limits.files_disk_share * self._disk.total_bytes
        is_over = self._kept_bytes + pending + size_bytes > share
        if is_over or self._disk.free_bytes - missing - size_bytes < self._limits.files_free_bytes:
            raise refusal_for("files_disk_full")

    def load(self, states: Iterable[UploadState]) -> None:
        """Take over the uploads of an earlier process; also those that are over, until they are looked at."""
        for state in states:
            self._add(state)
        self.is_loaded = True

    def _add(self, state: UploadState, address: str | None = None) -> None:
        upload = PendingUpload(state, int(self._limits.upload_first_byte_s * 1000), address)
        self._uploads[state.file_id] = upload
        self._of.setdefault(state.sender_id, {})[state.file_id] = upload
        self._count_guest(state.sender_id, upload.counted_bytes)
        if address is not None:
            self._begun_from[address] = self._begun_from.get(address, 0) + 1

    def get(self, file_id: str) -> PendingUpload | None:
        """Return an upload."""
        return self._uploads.get(file_id)

    def finished(self, upload: PendingUpload, stored: StoredFile, quota_bytes: int) -> None:
        """The disk has all of an upload, perhaps as another picture than was sent, which is what counts now.

        Raises:
            Refusal: a picture became larger, and too large: FILE_TOO_LARGE, for one file; QUOTA, for what its sender
                has left; DISK_FULL. The caller discards it.
        """
        upload.is_finishing = False
        sender_id = upload.state.sender_id
        more = stored.kept_bytes - upload.counted_bytes
        used, size_bytes = self.used(sender_id), stored.info.size
        if size_bytes > self._limits.file_bytes:
            raise refusal_for("file_too_large", size=size_bytes, most=self._limits.file_bytes)
        if more > 0 and used + more > quota_bytes:
            raise refusal_for("files_quota_used_up", used=used, most=quota_bytes, left=max(0, quota_bytes - used))
        if more > 0:
            self._require_space(more)
        upload.counted_bytes = stored.kept_bytes
        self._count_guest(sender_id, more)
        upload.state = replace(upload.state, stored=stored, unreadable=False)

    def remove(self, upload: PendingUpload) -> None:
        """Forget an upload; it counts no more."""
        upload.is_gone = True
        if self._uploads.pop(upload.file_id, None) is None:
            return
        of_sender = self._of.get(upload.state.sender_id, {})
        of_sender.pop(upload.file_id, None)
        if not of_sender:
            self._of.pop(upload.state.sender_id, None)
        self._count_guest(upload.state.sender_id, -upload.counted_bytes)
        if upload.address is not None:
            self._begun_from[upload.address] -= 1
            if not self._begun_from[upload.address]:
                del self._begun_from[upload.address]

    def note_removed(self, file_id: str) -> None:
        """Remember that its sender removed an upload: whatever still sends it is to end, and not to begin anew."""
        _remember(self._removed, file_id)

    def was_removed(self, file_id: str) -> bool:
        """Tell whether its sender removed an upload, since the start of the server and not long ago."""
        return file_id in self._removed

    def of(self, sender_id: int) -> list[PendingUpload]:
        """Return the uploads of a sender."""
        return list(self._of.get(sender_id, {}).values())

    def over(self, now_ms: int) -> list[PendingUpload]:
        """Return the uploads whose time is over, and which nothing is at work on."""
        return [
            upload
            for upload in self._uploads.values()
            if upload.until_ms <= now_ms and not upload.is_claimed and not upload.is_finishing
        ]

    # --- Messages -------------------------------------------------------------------------------------------------

    def claim(self, sender_id: int, file_ids: Sequence[str]) -> tuple[StoredFile, ...]:
        """Take uploads for a draft: all of them, or none.

        Raises:
            Refusal: NOT_FOUND, one is none of this sender's; INVALID, one is used already; FILE_NOT_READY;
                PICTURE_UNREADABLE.
        """
        taken = [self._claimable(sender_id, file_id) for file_id in file_ids]
        if len(set(file_ids)) != len(file_ids):
            raise refusal_for("upload_used")
        stored = []
        for upload in taken:
            assert upload.state.stored is not None
            upload.is_claimed = True
            stored.append(upload.state.stored)
        return tuple(stored)

    def _claimable(self, sender_id: int, file_id: str) -> PendingUpload:
        upload = self._uploads.get(file_id)
        if upload is None or upload.state.sender_id != sender_id:
            if not self.is_loaded:
                raise refusal_for("upload_not_ready", retry_after_s=_SOON_S)
            if file_id in self._used:
                raise refusal_for("upload_used")
            raise refusal_for("upload_removed" if file_id in self._removed else "upload_unknown")
        if upload.is_claimed:
            raise refusal_for("upload_used")
        if upload.state.stored is None:
            if upload.is_finishing or (upload.is_whole and not upload.state.unreadable):
                raise refusal_for("upload_not_ready", retry_after_s=_SOON_S)
            raise refusal_for("picture_unreadable" if upload.state.unreadable else "upload_not_whole")
        return upload

    def release(self, files: Iterable[StoredFile]) -> None:
        """The draft was not stored: its uploads are free again."""
        for file in files:
            if (upload := self._uploads.get(file.info.id)) is not None:
                upload.is_claimed = False

    def settle(self, sender_id: int, files: Iterable[StoredFile]) -> None:
        """The draft is committed: its uploads are files of the log now."""
        for file in files:
            self._keep(sender_id, file.kept_bytes)  # before the upload goes, so that a guest keeps something throughout
            if (upload := self._uploads.get(file.info.id)) is not None:
                self.remove(upload)
            _remember(self._used, file.info.id)


def _remember(ids: dict[str, None], file_id: str) -> None:
    """Add an id to the latest `_KEPT_IDS`."""
    ids[file_id] = None
    if len(ids) > _KEPT_IDS:
        del ids[next(iter(ids))]
