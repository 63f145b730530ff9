"""Keeps what is written and not sent in a file of the user's own, so that a restart or a crash loses nothing of it.

Each account on each server has one, in the folder of `local_store.LocalStore`. It has mode 0600 where the platform has
modes, and is written whole or not at all; a damaged one is set aside. Of two clients of one account that run at once,
the texts of the one that wrote last are kept.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec.structs import replace

from securechat.client.ui.input.unsent_texts import UnsentRecord
from securechat.files import open_own_file
from securechat.text.names import name_key

_MOST_BYTES = 4 * 1024 * 1024
"""Of the file: eight times both halves of `unsent_texts.MOST_BYTES`, as JSON writes a control with six bytes."""


class UnsentStore:
    """The file of unsent texts.

    Args:
        folder: where it is (`LocalStore.folder`); made when the first text is written.
        authority: identity of the server's CA (`local_store.authority_of`): another server at the same address has
            other people under the same numbers.
        host: of the server.
        port: of the server.
        name: of the account, or of the guest.
    """

    def __init__(self, folder: Path, authority: str, host: str, port: int, name: str) -> None:
        self._folder = folder
        identity = msgspec.json.encode([authority, host.lower(), port, name_key(name)])
        self._path = folder / f"unsent-{sha256(identity).hexdigest()[:32]}.json"

    @property
    def path(self) -> Path:
        """The file, which need not exist."""
        return self._path

    def read(self) -> UnsentRecord:
        """Return the texts; none where there is no file, or a damaged one, which is set aside.

        Raises:
            OSError: it cannot be read, or not be set aside.
        """
        try:
            with os.fdopen(open_own_file(self._path, os.O_RDONLY), "rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            return UnsentRecord()
        try:
            if len(content) > _MOST_BYTES:
                raise ValueError
            return msgspec.json.decode(content, type=UnsentRecord)
        except (msgspec.DecodeError, ValueError):
            self._path.replace(self._path.with_suffix(".damaged"))
            return UnsentRecord()

    def write(self, record: UnsentRecord) -> None:
        """Write the texts; without any, the file is removed.

        Raises:
            OSError: it cannot be written; the file is as before.
        """
        if not record.texts:
            self._path.unlink(missing_ok=True)
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sys.platform != "win32" and self._folder.stat().st_mode & 0o077:
            self._folder.chmod(0o700)
        # LocalStore removes such files of clients that were killed while writing.
        temporary = self._folder / f".{secrets.token_hex(8)}.tmp"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(_writable(record)))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def _writable(record: UnsentRecord) -> UnsentRecord:
    """A half of a pair of code units, as a terminal or a paste may give, cannot be written as UTF-8."""
    texts = (
        replace(each, where=_whole(each.where), text=_whole(each.text), name=_whole(each.name), was=_whole(each.was))
        for each in record.texts
    )
    return replace(record, texts=tuple(texts))


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
