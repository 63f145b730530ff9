"""The paths of files in the data directory, and what each name belongs to; see docs/design/0014-files.md.

    DATA/files/                     0700
      boot                          the boot in which the server wrote here last
      backup.lock                   held by a backup, so that no file is unlinked under it
      incoming/ID                   the bytes of an upload, growing
      incoming/ID.json              its sidecar; ID.json.new while it is replaced
      incoming/ID.picture           a picture written anew, and its smaller copies ID.picture.320 and ID.picture.1600,
                                    until they get their final names
      ab/ID ab/ID.320 ab/ID.1600    a finished file and its smaller copies, by the first two digits of its id

Names that fit none of these are left alone: they are not the server's.
"""

from __future__ import annotations

import re
from pathlib import Path

FILES = "files"
"""The folder in the data directory."""
INCOMING = "incoming"
BOOT = "boot"
BACKUP_LOCK = "backup.lock"
PREFIXES = tuple(f"{number:02x}" for number in range(256))
"""The names of the folders of finished files."""
_SIDECAR = ".json"
_NEW = ".new"
_PICTURE = ".picture"
_NAME = re.compile(r"([0-9a-f]{32})((?:\.[a-z0-9]{1,10}){0,2})", re.ASCII)


class FileLayout:
    """The paths of one data directory.

    Args:
        data: the data directory.

    Attributes:
        directory: of all files.
        incoming: of uploads.
        boot: the file that names the last boot.
        backup_lock: the lock of backups.
    """

    def __init__(self, data: Path) -> None:
        self.directory = data / FILES
        self.incoming = self.directory / INCOMING
        self.boot = self.directory / BOOT
        self.backup_lock = self.directory / BACKUP_LOCK

    def upload(self, file_id: str) -> Path:
        """Return where the bytes of an upload are."""
        return self.incoming / file_id

    def sidecar(self, file_id: str) -> Path:
        """Return where the sidecar of an upload is."""
        return self.incoming / f"{file_id}{_SIDECAR}"

    def picture(self, file_id: str, size: int | None) -> Path:
        """Return where a picture written anew, or its smaller copy, waits for its final name."""
        return self.incoming / (f"{file_id}{_PICTURE}" if size is None else f"{file_id}{_PICTURE}.{size}")

    def folder(self, file_id: str) -> Path:
        """Return the folder of a finished file."""
        return self.directory / file_id[:2]

    def file(self, file_id: str, size: int | None = None) -> Path:
        """Return where a finished file is, or its smaller copy."""
        return self.folder(file_id) / (file_id if size is None else f"{file_id}.{size}")


def new_name(path: Path) -> Path:
    """Return the name under which a file is written that replaces another as a whole."""
    return path.with_name(path.name + _NEW)


def id_of(name: str) -> str | None:
    """Return the id that a name in one of the folders belongs to; None for a name that is not the server's."""
    found = _NAME.fullmatch(name)
    return None if found is None else found[1]


def is_sidecar(name: str) -> bool:
    """Return whether a name in the folder of uploads is that of a sidecar."""
    found = _NAME.fullmatch(name)
    return found is not None and found[2] == _SIDECAR


def is_whole_file(name: str) -> bool:
    """Return whether a name is that of a file itself, and not of a smaller copy or a sidecar."""
    found = _NAME.fullmatch(name)
    return found is not None and not found[2]
