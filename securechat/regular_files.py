"""Opening files whose names another person may have prepared: a regular file, or an error at once.

A symbolic link would make the program read or write a file elsewhere, and opening or reading a FIFO waits for its other
end, perhaps for ever. Both are refused for the last part of a path. A link among the directories before it is followed:
which directory to use is the operator's decision.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_NO_TRAPS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
"""Windows has none of them: there a link needs a privilege, and a FIFO has no name in a directory."""


class NotRegular(OSError):
    """Something else than a regular file has this name; ``strerror`` says what."""

    def __str__(self) -> str:
        return f"{self.filename} cannot be used: {self.strerror}"


def kind_of(mode: int) -> str | None:
    """Name what ``st_mode`` belongs to; None for a regular file."""
    if stat.S_ISREG(mode):
        return None
    return next((name for is_kind, name in _KINDS if is_kind(mode)), "something unknown")


def open_regular(path: Path, flags: int, mode: int = 0o600) -> int:
    """Open a regular file, as `os.open`.

    Args:
        path: the file.
        flags: for `os.open`; O_NOFOLLOW, O_NONBLOCK and O_CLOEXEC are added where the system has them.
        mode: of a file that is made.

    Raises:
        NotRegular: the name belongs to something else.
        OSError: as `os.open`.
    """
    try:
        descriptor = os.open(path, flags | _NO_TRAPS | getattr(os, "O_BINARY", 0), mode)
    except OSError as error:
        expect_regular(path)
        raise error from None
    kind = kind_of(os.fstat(descriptor).st_mode)
    if kind is not None:
        os.close(descriptor)
        raise _not_regular(path, kind)
    return descriptor


def expect_regular(path: Path) -> None:
    """Look at a name without opening it: it may be missing or a regular file.

    Raises:
        NotRegular: it is something else.
    """
    try:
        kind = kind_of(path.lstat().st_mode)
    except OSError:
        return  # missing, or not for this user: opening it will say so
    if kind is not None:
        raise _not_regular(path, kind)


def _not_regular(path: Path, kind: str) -> NotRegular:
    return NotRegular(errno.EINVAL, f"it is {kind}, not a regular file; move it away", str(path))
