"""Opens files without waiting on a FIFO, reading without end, or following planted links.

A path may lead to anything: a FIFO whose writer sends nothing, a device, a directory, a link to itself. `open` would
wait on the first without end, and the server would wait with it, because it reloads its certificate on the loop's
thread.

Files named by an operator or a user (`open_regular`, `read_regular`) may be links. Their type is checked before
opening, because opening a device can already have an effect, and again afterwards, because the file may have been
replaced in between. Files of the program's own directories (`open_own_file`) are never links: a link would make the
program write elsewhere. Links among the parent directories are followed: which directory to use is the operator's
decision.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from securechat.translation import Sentence

_SAFE_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
"""Windows has only O_BINARY: there a link needs a privilege, and a FIFO has no name in a directory."""
_KINDS = (
    (stat.S_ISLNK, Sentence("a symbolic link")),
    (stat.S_ISDIR, Sentence("a directory")),
    (stat.S_ISFIFO, Sentence("a pipe")),
    (stat.S_ISSOCK, Sentence("a socket")),
    (stat.S_ISCHR, Sentence("a device")),
    (stat.S_ISBLK, Sentence("a device")),
)


class NotRegular(OSError):
    """The name belongs to something other than a regular file; ``strerror`` says what."""

    @property
    def sentence(self) -> Sentence:
        """What is wrong with which file."""
        return Sentence("{file} cannot be used: {why}", file=self.filename, why=self.strerror)

    def __str__(self) -> str:
        return str(self.sentence)


def kind_of(mode: int) -> str | None:
    """Describe the file type in ``st_mode``; None for a regular file."""
    if stat.S_ISREG(mode):
        return None
    return next((name for is_kind, name in _KINDS if is_kind(mode)), Sentence("something unknown"))


# --- Named by an operator or a user -----------------------------------------------------------------------------------


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file to read from; links to one are followed.

    Raises:
        OSError: it is missing, not readable, or not a regular file; ``strerror`` is a readable reason.
    """
    _expect_file(path, path.stat())
    descriptor = os.open(path, os.O_RDONLY | _SAFE_FLAGS | _BINARY)
    try:
        _expect_file(path, os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, most_bytes: int) -> bytes:
    """Return the content of a regular file.

    Args:
        path: the file.
        most_bytes: its largest accepted size.

    Raises:
        OSError: as `open_regular`, or it is larger.
    """
    with open_regular(path) as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(errno.EFBIG, Sentence("it is larger than {most} KiB", most=most_bytes // 1024), str(path))
    return data


def _expect_file(path: Path, status: os.stat_result) -> None:
    kind = kind_of(status.st_mode)
    if kind is None:
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, Sentence("it is {kind} and not a file", kind=kind), str(path))


# --- The program's own ------------------------------------------------------------------------------------------------


def open_own_file(path: Path, flags: int, mode: int = 0o600) -> int:
    """Open a regular file of the program's own, as `os.open`.

    Args:
        path: the file.
        flags: for `os.open`; O_NOFOLLOW, O_NONBLOCK and O_CLOEXEC are added where the system has them.
        mode: permissions of a newly created file.

    Raises:
        NotRegular: the name is something else, a link included.
        OSError: as `os.open`.
    """
    try:
        descriptor = os.open(path, flags | _NO_LINK | _SAFE_FLAGS | _BINARY, mode)
    except OSError as error:
        expect_own_file(path)
        raise error from None
    kind = kind_of(os.fstat(descriptor).st_mode)
    if kind is not None:
        os.close(descriptor)
        raise _not_regular(path, kind)
    return descriptor


def expect_own_file(path: Path) -> None:
    """Check a name without opening it: it must be missing or a regular file.

    Raises:
        NotRegular: it is something else.
    """
    try:
        kind = kind_of(path.lstat().st_mode)
    except OSError:
        return  # missing or forbidden: opening it reports the reason
    if kind is not None:
        raise _not_regular(path, kind)


def _not_regular(path: Path, kind: str) -> NotRegular:
    why = Sentence("it is {kind}, not a regular file; move it away", kind=kind)
    return NotRegular(errno.EINVAL, why, str(path))
