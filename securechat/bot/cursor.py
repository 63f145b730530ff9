"""The bot's place in the log, kept on disk: what it has handled, and what it was handling when it ended.

`Progress` decides what the cursor is, `CursorFile` keeps it. Everything up to ``done`` was handled. While a gap in one
conversation is being filled, messages of other conversations are handled before older ones: ``above`` names them, so
that neither these nor those are lost or handled twice.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import msgspec

from securechat.bot.records import CursorNotKept, StartupFailed
from securechat.files import open_own_file
from securechat.translation import system_error

_MOST_BYTES = 1024 * 1024
"""A cursor has some 40 bytes, and up to 20 for each message that stands above a gap."""


class Cursor(msgspec.Struct, frozen=True):
    """A place in the log.

    Attributes:
        done: every entry up to this seq was handled.
        at: the seq of the message that was being handled; 0 for none.
        above: the seqs above ``done`` that were handled too, rising.
    """

    done: int
    at: int = 0
    above: tuple[int, ...] = ()


class Progress:
    """What a bot has handled.

    Args:
        cursor: where an earlier run ended, or where this one begins.
    """

    def __init__(self, cursor: Cursor) -> None:
        self._done = cursor.done
        self._again = self._at = cursor.at
        self._above = set(cursor.above)

    @property
    def cursor(self) -> Cursor:
        """What is to be kept."""
        return Cursor(self._done, self._at, tuple(sorted(self._above)))

    def restart(self, done: int) -> None:
        """Another log begins: its numbers mean other entries."""
        self._done, self._at, self._again = done, 0, 0
        self._above.clear()

    def is_done(self, seq: int) -> bool:
        """Whether an entry was handled by an earlier run."""
        return seq <= self._done or seq in self._above

    def is_again(self, seq: int) -> bool:
        """Whether an earlier run was handling this message when it ended."""
        return seq == self._again

    def begins(self, seq: int) -> None:
        """A message is going to be handled."""
        self._at = seq

    def ended(self, seq: int, through: int) -> None:
        """An entry was handled.

        Args:
            seq: its number.
            through: everything up to this seq came before it, or with it.
        """
        self._above.add(seq)
        self._done = max(self._done, through)
        self._above = {each for each in self._above if each > self._done}
        if self.is_done(self._at):
            self._at = 0


class CursorFile:
    """A file that holds the cursor of one account at one server.

    Args:
        path: the file; its directory is made when it is first written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: Cursor | None = None

    def write(self, cursor: Cursor) -> None:
        """Write a cursor, whole or not at all, and wait until it is on disk.

        Raises:
            CursorNotKept: it cannot be written; the file is as it was.
        """
        if cursor == self._kept:
            return
        try:
            self._write(msgspec.json.encode(cursor))
        except OSError as error:
            raise CursorNotKept(f"The bot's cursor in {self._path} cannot be kept: {system_error(error)}") from None
        self._kept = cursor

    def _write(self, content: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{secrets.token_hex(8)}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        if sys.platform != "win32":  # or a power cut may bring the old file back
            directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


class CursorFolder:
    """The cursors at one server, by the number of the account: names and tokens change, and the place stays.

    Args:
        folder: where they are kept; None to keep none.
        server: what tells this server from others.
    """

    def __init__(self, folder: Path | None, *server: object) -> None:
        self._folder = folder
        words = msgspec.json.encode([str(part).lower() for part in server])
        self._name = f"bot-{sha256(words).hexdigest()[:32]}"

    def file(self, sender_id: int) -> CursorFile | None:
        """Return the file of an account; None where none is kept."""
        return None if self._folder is None else CursorFile(self._folder / f"{self._name}-{sender_id}.json")

    def read(self) -> Mapping[int, Cursor]:
        """Return every cursor of this server.

        Raises:
            StartupFailed: one cannot be read, or is damaged: to begin anew without a word would lose messages.
        """
        if self._folder is None:
            return {}
        found = {}
        for path in sorted(self._folder.glob(f"{self._name}-*.json")):
            sender_id = path.stem.rpartition("-")[2]
            if sender_id.isascii() and sender_id.isdigit():
                found[int(sender_id)] = _read(path)
        return found


def _read(path: Path) -> Cursor:
    try:
        with os.fdopen(open_own_file(path, os.O_RDONLY), "rb") as file:
            return msgspec.json.decode(file.read(_MOST_BYTES), type=Cursor)
    except OSError as error:
        raise StartupFailed(f"The bot's cursor in {path} cannot be read: {system_error(error)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise StartupFailed(
            f"{path} is damaged. Delete it, and the bot begins with what is said from then on"
        ) from None
