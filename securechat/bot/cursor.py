"""The bot's place in the log, kept on disk: what it has handled, and what it was handling when it ended."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

import msgspec

from securechat.bot.records import StartupFailed
from securechat.files import open_own_file
from securechat.translation import system_error

_MOST_BYTES = 4096


class Place(msgspec.Struct, frozen=True):
    """A place in the log.

    Attributes:
        sender_id: the bot's number on that server; 0 before its first message.
        done: every entry up to this seq was handled.
        at: the seq of the message that was being handled; 0 for none.
    """

    sender_id: int = 0
    done: int = 0
    at: int = 0


class CursorFile:
    """A file that holds one place.

    Args:
        path: the file; its directory is made when it is first written.

    Attributes:
        place: as last read or written; None before the first.

    Raises:
        StartupFailed: the file cannot be read, or is none of these.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = self._read()

    def _read(self) -> Place | None:
        try:
            with os.fdopen(open_own_file(self._path, os.O_RDONLY), "rb") as file:
                return msgspec.json.decode(file.read(_MOST_BYTES), type=Place)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StartupFailed(f"The bot's place in {self._path} cannot be read: {system_error(error)}") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise StartupFailed(
                f"{self._path} is damaged. Delete it, and the bot begins with what is said from now on"
            ) from None

    def write(self, place: Place) -> None:
        """Write a place, whole or not at all, and wait until it is on disk.

        Raises:
            OSError: it cannot be written; the file is as it was.
        """
        if place == self.place:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{secrets.token_hex(8)}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(place))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        self.place = place
