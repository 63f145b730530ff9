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
from securechat.text.file_names import clean_name
from securechat.text.sanitize import one_line
from securechat.translation import system_error


class LocalFile(Struct, frozen=True):
    """A file as it was when the user named it.

    Attributes:
        path: where it is.
        name: as others will see it.
        size: bytes.
    """

    path: Path
    name: str
    size: int


def local_files(typed: Sequence[str]) -> tuple[LocalFile, ...]:
    """Look at files that are to be sent in one message.

    Args:
        typed: their paths; a leading ``~`` is the user's home directory.

    Raises:
        TransferError: one cannot be sent, or they are too many.
    """
    if len(typed) > MAX_MESSAGE_FILES:
        raise TransferError(catalogue.files.too_many(MAX_MESSAGE_FILES))
    return tuple(_local_file(path) for path in typed)


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
    return LocalFile(path, clean_name(path.name), status.st_size)


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
