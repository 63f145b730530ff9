"""UI events about files: where one goes and where it is read, and what the user has sent."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from securechat.errors import ErrorCode
from securechat.model import FileId, FileLink, OwnFile, OwnUpload, Secretive


class UploadAnswered(Secretive, frozen=True):
    """The server takes a file.

    Attributes:
        number: of the `actions.AskUpload`.
        id: of the upload; later of the file.
        path: where its bytes go, by tus 1.0.0; a secret.
        name: as it will be shown.
        until_ms: it is given up then, UTC milliseconds.
    """

    number: int
    id: FileId
    path: str
    name: str
    until_ms: int


class FileLinksAnswered(Secretive, frozen=True):
    """The addresses of files, for this login alone; ``number`` of the `actions.AskFileLinks`."""

    number: int
    links: tuple[FileLink, ...]


class FileRequestRefused(Struct, frozen=True):
    """The server refuses a `actions.AskUpload` or `actions.AskFileLinks`."""

    number: int
    code: ErrorCode
    text: str
    reason: str = ""
    arguments: Mapping[str, str | int] = {}


class FilesShown(Struct, frozen=True):
    """A page of the user's own files, the largest first.

    Attributes:
        files: of the page.
        more: whether there are further ones.
        used: bytes of all of them, with what is being sent.
        most: the quota, bytes.
        uploads: those that no message has; on the first page.
    """

    files: tuple[OwnFile, ...]
    more: bool
    used: int
    most: int
    uploads: tuple[OwnUpload, ...] = ()


class UploadGone(Struct, frozen=True):
    """An upload is given up, as the user wanted; ``name`` of its file."""

    name: str
