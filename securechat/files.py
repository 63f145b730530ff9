"""Files that an operator or a user names, opened so that the program never waits for one and never reads without end.

A path may lead to anything: a pipe whose other end writes nothing, a device, a directory, a link to itself. `open`
waits in the first for good, and a server that reads its certificate anew waits in its loop. So what a path leads to is
looked at before it is opened, because opening a device can already do something, and again afterwards, because it may
have been replaced in between.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_KINDS = (
    (stat.S_ISFIFO, "it is a pipe and not a file"),
    (stat.S_ISCHR, "it is a device and not a file"),
    (stat.S_ISBLK, "it is a device and not a file"),
    (stat.S_ISSOCK, "it is a socket and not a file"),
)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read from; links to one are followed.

    Raises:
        OSError: it is missing, may not be read, or is no regular file; ``strerror`` says which, for a person.
    """
    _expect_regular(path, path.stat())
    descriptor = os.open(path, _FLAGS | _BINARY)
    try:
        _expect_regular(path, os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, most_bytes: int) -> bytes:
    """Return the content of a regular file.

    Args:
        path: the file.
        most_bytes: what it may have.

    Raises:
        OSError: as `open_regular`, or it is larger.
    """
    with open_regular(path) as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {most_bytes // 1024} KiB", str(path))
    return data


def _expect_regular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    what = next((sentence for is_it, sentence in _KINDS if is_it(status.st_mode)), "it is not a file")
    raise OSError(errno.EINVAL, what, str(path))
