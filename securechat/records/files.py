"""Files in the log: what was sent, what each sender keeps, and what is gone and still on the disk.

A file belongs to one message and goes with it: by a deletion, by retention, with its room or its sender. Then its row
moves to the files that are gone, from which the server unlinks: a crash between the two loses nothing. Until it is
unlinked its bytes count.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from securechat.model import FileInfo, StoredFile

OWN_FILES_ROWS = 50
"""Rows of a page of a sender's files."""


class FileUsage(Struct, frozen=True, gc=False):
    """What one sender keeps.

    Attributes:
        sender_id: the sender.
        files: how many.
        kept_bytes: of them, with previews; those that are gone and not unlinked are among them.
    """

    sender_id: int
    files: int
    kept_bytes: int


class StoredFiles(Struct, frozen=True, gc=False):
    """What a log hands over of files when it opens.

    Attributes:
        usage: of each sender that keeps any.
    """

    usage: tuple[FileUsage, ...] = ()


class FileQuery(Struct, frozen=True, gc=False):
    """Ask for one file and where its message is, by its id; answered by a FileRow, or None where there is none."""

    file_id: str


class FileRow(Struct, frozen=True, gc=False):
    """A file and its message, which is committed, not deleted, and not damaged.

    Attributes:
        file: what it is.
        sha256: of its bytes.
        sender_id: who sent it.
        seq: its message.
        sent_at_ms: when that was stored, UTC.
        room: the present name of its room; or
        dialogue: both sides of its dialogue, the smaller sender_id first.
        to: of a dialogue: who got it.
    """

    file: FileInfo
    sha256: bytes
    sender_id: int
    seq: int
    sent_at_ms: int
    room: str | None = None
    dialogue: tuple[int, int] | None = None
    to: int | None = None


class OwnFilesQuery(Struct, frozen=True, gc=False):
    """A page of a sender's files, the largest first.

    Attributes:
        sender_id: who sent them.
        after: the id of the last one of the page before; None for the first page. After one that is unlinked already,
            the pages begin again.
        limit: rows; one more than a page has shows whether there are further ones.
    """

    sender_id: int
    after: str | None = None
    limit: int = OWN_FILES_ROWS


class GoneFile(Struct, frozen=True, gc=False):
    """A file of a message that is gone: to be unlinked, then to be dropped by `DropGoneFiles`."""

    file_id: str
    sender_id: int
    kept_bytes: int


class FilesOnDisk(Struct, frozen=True, gc=False):
    """The finished files in one folder of the disk that belong to no upload any more, by id, sorted.

    Attributes:
        whole: those that are there.
        remains: those of which only smaller copies are there.
        unsettled: those that are there and have a sidecar, also of a message, where the sidecar could not be removed.
    """

    whole: tuple[str, ...] = ()
    remains: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()


class DropGoneFiles(Struct, frozen=True, gc=False):
    """These files are unlinked: they count no more. Those that are not gone are left alone."""

    file_ids: tuple[str, ...]


class PurgeFiles(Struct, frozen=True, gc=False):
    """Delete files, not their messages, that were sent before ``before_ms`` by guests, the oldest first.

    A guest is a sender with a secret and without an account. Files of an account that is gone stay with its messages.
    About ``most`` files: all of a message or none. If `Committed.count` reaches ``most``, call again.
    """

    before_ms: int
    most: int = 500


FileChange: TypeAlias = DropGoneFiles | PurgeFiles


class UploadState(Struct, frozen=True):
    """An upload, as its sidecar has it.

    Attributes:
        file_id: of the upload, and later of the file.
        key: the secret part of its address; empty for one that comes in one request, and ends with that.
        sender_id: who sends it.
        name: as it will be shown.
        size_bytes: as declared.
        as_file: whether the bytes stay as they are.
        made_at_ms: when it began, UTC.
        until_ms: it is given up then.
        offset: bytes that are there; from the file itself, never from the sidecar.
        stored: what it has become; None before its end.
        unreadable: it is whole, and a picture that cannot be read.
        unjudged_from: where a part begins whose checksum is not judged yet: a start after a crash goes back to there.
            None where no part has one.
    """

    file_id: str
    key: str
    sender_id: int
    name: str
    size_bytes: int
    as_file: bool
    made_at_ms: int
    until_ms: int
    offset: int = 0
    stored: StoredFile | None = None
    unreadable: bool = False
    unjudged_from: int | None = None

    def __repr__(self) -> str:
        return f"UploadState({self.file_id})"
