"""Files of messages: what a message tells of them, and the commands and events by which they are sent and read.

The bytes of a file never come in a frame. A client asks for an address by its connection, and transfers over HTTPS at
the same port: an upload by tus 1.0.0 at the path of `UploadAdded`, a download at the path of a `FileLink`. Both
addresses are secrets of the one that asked.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct, field

from securechat.limits import MAX_FILE_NAME_BYTES, MAX_MESSAGE_FILES
from securechat.model.base import Id, Record, Secretive

FileId: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{32}$", max_length=32)]
"""128 random bits as lower-case hex digits; of an upload, and later of the file that it becomes."""
FileIds: TypeAlias = Annotated[list[FileId], Meta(max_length=MAX_MESSAGE_FILES)]
FileSize: TypeAlias = Annotated[int, Meta(ge=0, lt=2**53)]


class FileInfo(Struct, frozen=True, gc=False, omit_defaults=True):
    """A file of a message, as its readers see it.

    Attributes:
        id: its number; random.
        name: as `securechat.text.file_names.clean_name` leaves it: no control or bidirectional character, no slash.
        size: bytes, as stored.
        type: a media type by the ending of the name, or that of the picture that the server wrote; a label for people,
            never a promise about the bytes.
        width: of a picture that the server wrote, pixels; 0 for every other file.
        height: likewise.
        previews: the longer sides of the smaller copies of a picture that there are, pixels, the smallest first.
    """

    id: FileId
    name: str
    size: FileSize
    type: str = "application/octet-stream"
    width: int = 0
    height: int = 0
    previews: list[int] = field(default_factory=list)

    @property
    def is_picture(self) -> bool:
        """Whether the server wrote it from pixels, so that clients show it."""
        return self.width > 0


class StoredFile(Struct, frozen=True, gc=False):
    """A file whose bytes are durable, as the hub gives it to the log with the draft of its message.

    Attributes:
        info: what the message tells of it.
        sha256: of its bytes.
        previews_bytes: of its smaller copies together; they count against the quota too.
    """

    info: FileInfo
    sha256: bytes
    previews_bytes: int = 0

    @property
    def kept_bytes(self) -> int:
        """All that it takes on the disk."""
        return self.info.size + self.previews_bytes


class AddUpload(Record, frozen=True, tag="upload"):
    """Begin to send a file; answered by UploadAdded or Refused. Its size counts against the quota from now on.

    Attributes:
        name: of the file, as the sender has it.
        size: bytes.
        as_file: keep the bytes as they are, also those of a picture, with place and time in it.
    """

    ref: Id
    name: Annotated[str, Meta(max_length=4 * MAX_FILE_NAME_BYTES)]
    size: FileSize
    as_file: bool = False


class UploadAdded(Secretive, frozen=True, tag="uploading"):
    """An upload has begun.

    Attributes:
        id: to be named in Say or Direct, when every byte is there.
        path: where the bytes go, by tus 1.0.0; a secret.
        name: of the file, as it will be shown.
        until_ms: it is given up then, UTC milliseconds.
    """

    ref: Id
    id: FileId
    path: str
    name: str
    until_ms: int


class AskLinks(Record, frozen=True, tag="links"):
    """Ask for the addresses of files; answered by FileLinks. Whether one may be read is judged when it is."""

    ref: Id
    ids: Annotated[list[FileId], Meta(min_length=1, max_length=100)]


class FileLink(Struct, frozen=True, gc=False):
    """The address of a file for one login; a secret, and the same as long as the login lasts.

    Attributes:
        id: the file.
        path: of a GET; behind it may stand ``/`` and the name under which a browser saves it, and, for a smaller copy
            of a picture, ``?size=`` and one of `FileInfo.previews`.
    """

    id: FileId
    path: str


class FileLinks(Secretive, frozen=True, tag="linked"):
    """The addresses that were asked for."""

    ref: Id
    links: list[FileLink]


class AskFiles(Record, frozen=True, tag="files"):
    """Ask for the member's own files, the largest first; answered by FileList, in pages.

    Attributes:
        after: the id of the last file of the page before.
        id: ask for this file or upload alone.
    """

    ref: Id
    after: FileId | None = None
    id: FileId | None = None


class RemoveUpload(Record, frozen=True, tag="uploadremove"):
    """Give up an upload that no message has; answered by Done or Refused."""

    ref: Id
    id: FileId


class OwnFile(Struct, frozen=True, gc=False, omit_defaults=True):
    """One of the member's own files.

    Attributes:
        file: the file.
        seq: its message.
        sent_at_ms: when that was stored, UTC milliseconds.
        room: of the message; or
        to: the other side of the dialogue.
    """

    file: FileInfo
    seq: Id
    sent_at_ms: int
    room: str | None = None
    to: Id | None = None


class OwnUpload(Struct, frozen=True, gc=False, omit_defaults=True):
    """One of the member's uploads that no message has; it counts against the quota.

    Attributes:
        id: of the upload.
        name: of the file, as it will be shown.
        size: bytes, as it counts.
        offset: of them, those that have come; as many as ``size`` when it is whole.
        until_ms: it is given up then, UTC milliseconds.
    """

    id: FileId
    name: str
    size: FileSize
    offset: FileSize
    until_ms: int


class FileList(Record, frozen=True, tag="filelist"):
    """A page of the member's files, and what its quota is.

    Attributes:
        files: the largest first.
        more: whether there are further ones.
        used: bytes of all of them, with what is being sent now and what is not unlinked yet.
        most: the quota, bytes.
        uploads: those that no message has, the oldest first; on the first page, as many as fit.
    """

    ref: Id
    files: list[OwnFile]
    more: bool
    used: FileSize
    most: FileSize
    uploads: list[OwnUpload] = field(default_factory=list)


FileCommand: TypeAlias = AddUpload | AskLinks | AskFiles | RemoveUpload
