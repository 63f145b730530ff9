"""Writes files of messages: never over another file, never outside of the chosen folder, not executable.

The name is a stranger's (promise 6): `save_name` leaves one that is no path, no device and not hidden on any system.
A file is written beside its place under another name, readable by its user alone, and moved there when it is whole.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import platformdirs
from msgspec import Struct

from securechat.client import catalogue
from securechat.client.files.https import TransferError
from securechat.text.file_names import numbered, save_name
from securechat.text.sanitize import one_line
from securechat.translation import system_error

_MOST_NUMBERED = 10_000
"""Names that are tried: ``name (1).ext`` and so on."""


class LocalTarget(Struct, frozen=True):
    """Where a file goes.

    Attributes:
        folder: exists.
        name: in it; another one where that is taken.
    """

    folder: Path
    name: str


def local_target(typed: str | os.PathLike[str] | None, name: str, *, alone: bool = True) -> LocalTarget:
    """Return where a file goes.

    Args:
        typed: a folder; or, for one file ``alone``, the name that it gets; None for the user's downloads folder.
        name: of the file, as the message tells it.
        alone: whether no other file goes there.

    Raises:
        TransferError: there is no such folder.
    """
    shown = one_line(os.fspath(typed)) if typed is not None else ""
    try:
        if typed is None:
            folder = platformdirs.user_downloads_path()
            shown = one_line(str(folder))
            folder.mkdir(parents=True, exist_ok=True)
            return LocalTarget(folder, save_name(name))
        path = Path(typed).expanduser()
        if path.is_dir():
            return LocalTarget(path, save_name(name))
        if alone and not os.fspath(typed).endswith(("/", os.sep)) and path.parent.is_dir():
            return LocalTarget(path.parent, path.name)
        if alone and not os.fspath(typed).endswith(("/", os.sep)):
            shown = one_line(str(path.parent))
    except OSError as error:
        raise TransferError(catalogue.files.not_saved(shown, system_error(error))) from None
    except (RuntimeError, ValueError):
        pass
    raise TransferError(catalogue.files.no_folder(shown))


@contextlib.contextmanager
def unfinished(place: LocalTarget) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a file beside its place, to be written and moved by `finish`; it is removed where it is not.

    Raises:
        TransferError: it cannot be made.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=".securechat-", suffix=".part", dir=place.folder)
    except OSError as error:
        raise TransferError(catalogue.files.not_saved(one_line(str(place.folder)), system_error(error))) from None
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file, path
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def finish(file: BinaryIO, path: Path, place: LocalTarget) -> Path:
    """Give a whole file its name; return its path.

    Raises:
        OSError: it cannot be written.
    """
    file.flush()
    os.fsync(file.fileno())
    file.close()  # Windows moves no open file
    for number in range(_MOST_NUMBERED):
        target = place.folder / (numbered(place.name, number) if number else place.name)
        if _moved(path, target):
            return target
    raise FileExistsError(place.name)


def _moved(path: Path, target: Path) -> bool:
    """Move a file to a name that is free; return whether it was."""
    try:
        os.link(path, target)  # fails where the name is taken, and knows no moment in between
    except FileExistsError:
        return False
    except OSError:  # a disk without links
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        path.replace(target)
    return True
