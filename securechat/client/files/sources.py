"""Files of this machine that are to be sent: found, looked at once, and opened when their turn comes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from securechat.client import catalogue
from securechat.client.files.https import TransferError
from securechat.files import open_regular
from securechat.limits import MAX_MESSAGE_FILES
from securechat.pictures.kinds import kind_of
from securechat.text.file_names import clean_name
from securechat.text.refusals import refusal_for
from securechat.text.sanitize import one_line
from securechat.translation import system_error, translated

_LOOKED_AT_BYTES = 4096
_TELLING = frozenset(
    (
        "3gp", "avi", "avif", "cr2", "cr3", "dng", "doc", "docx", "heic", "heif", "m4a", "m4v", "mkv", "mov", "mp3",
        "mp4", "mpg", "nef", "odp", "ods", "odt", "ogg", "pdf", "ppt", "pptx", "tif", "tiff", "webm", "wmv", "xls",
        "xlsx",
    )
)  # fmt: skip


class LocalFile(Struct, frozen=True):
    """A file as it was when the user named it.

    Attributes:
        path: where it is.
        name: as others will see it.
        size: bytes.
        picture: whether it begins as a still picture that a server writes anew, so that place and time go.
        telling: whether it is of a kind that has place, time or author in it, such as a video or a PDF.
    """

    path: Path
    name: str
    size: int
    picture: bool = False
    telling: bool = False


def local_files(typed: Sequence[str]) -> tuple[LocalFile, ...]:
    """Look at files that are to be sent in one message.

    Args:
        typed: their paths; a leading ``~`` is the user's home directory.

    Raises:
        TransferError: one cannot be sent, or they are too many.
    """
    if len(typed) > MAX_MESSAGE_FILES:
        refusal = refusal_for("too_many_files", most=MAX_MESSAGE_FILES)
        raise TransferError(translated(refusal.sentence), refusal.code.value, refusal.reason, refusal.arguments)
    return tuple(_local_file(path) for path in typed)


def is_file(typed: str) -> bool:
    """Tell whether a path, as typed, leads to a file."""
    try:
        return Path(typed).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):  # not to be looked at; no such user's home; a NUL in the name
        return False


def _local_file(typed: str) -> LocalFile:
    try:
        path = Path(typed).expanduser()
        with open_regular(path) as file:
            return _looked_at(path, file, typed)
    except FileNotFoundError:
        raise TransferError(catalogue.files.no_such_file(one_line(typed))) from None
    except OSError as error:
        raise TransferError(catalogue.files.not_sendable(one_line(typed), system_error(error))) from None
    except (RuntimeError, ValueError):  # no such user's home; a NUL in the name
        raise TransferError(catalogue.files.no_such_file(one_line(typed))) from None


def _looked_at(path: Path, file: BinaryIO, typed: str) -> LocalFile:
    status = os.fstat(file.fileno())
    if not status.st_size:
        raise TransferError(catalogue.files.empty(one_line(typed)))
    begin = file.read(_LOOKED_AT_BYTES)
    name = clean_name(path.name)
    picture = kind_of(begin) is not None
    is_still = picture and not _is_animated(begin, file)
    telling = (picture and not is_still) or name.rpartition(".")[2].lower() in _TELLING
    return LocalFile(path, name, status.st_size, is_still, telling)


def _is_animated(begin: bytes, file: BinaryIO) -> bool:
    """Tell whether a picture moves: such a file stays as it is."""
    if begin.startswith(b"GIF"):
        file.seek(0)
        return _has_frames(file)
    webp = begin[12:16] == b"VP8X" and bool(begin[20:21]) and bool(begin[20] & 2)
    return webp or (begin.startswith(b"\x89PNG") and b"acTL" in begin)


def _has_frames(file: BinaryIO) -> bool:
    """Tell whether a GIF has a second image (GIF89a, section 20); one that breaks off has none."""
    screen, images = file.read(13), 0
    _skip_colours(file, screen[10:11])
    while (block := file.read(1)) in {b"!", b","}:
        if block == b",":
            images += 1
            if images == 2:
                return True
            _skip_colours(file, file.read(9)[8:9])
        file.seek(1, os.SEEK_CUR)  # the label of an extension, or the code size of an image
        while (size := file.read(1)) not in {b"", b"\0"}:
            file.seek(size[0], os.SEEK_CUR)
    return False


def _skip_colours(file: BinaryIO, flags: bytes) -> None:
    if flags and flags[0] & 0x80:
        file.seek(3 << (flags[0] & 7) + 1, os.SEEK_CUR)


def opened(file: LocalFile) -> BinaryIO:
    """Open a file that was looked at.

    Raises:
        TransferError: it cannot be read any more, or is shorter than it was. One that has grown, such as a log, is sent
            as long as it was.
    """
    try:
        source = open_regular(file.path)
    except OSError as error:
        raise TransferError(catalogue.files.not_readable(system_error(error))) from None
    if os.fstat(source.fileno()).st_size < file.size:
        source.close()
        raise TransferError(catalogue.files.CHANGED())
    return source
