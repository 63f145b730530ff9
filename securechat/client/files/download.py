"""Reads the bytes of a file by GET, and goes on with a Range after every break (RFC 9110, sections 13.1.5 and 14)."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from typing import BinaryIO

from securechat.client import catalogue
from securechat.client.files.https import Attempts, FileServer, HttpsConnection, RetryLater, TransferError, problem_of
from securechat.limits import KIB

_READ_BYTES = 64 * KIB
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")


def download(
    server: FileServer,
    path: str,
    size: int,
    target: BinaryIO,
    *,
    attempts: Attempts,
    moved: Callable[[int], None],
) -> None:
    """Read a whole file.

    Args:
        server: the server.
        path: of the file, for this login; a secret.
        size: bytes, as the message tells it.
        target: empty, and not read elsewhere until this returns.
        attempts: decides on pauses and the end.
        moved: told how many bytes are here.

    Raises:
        TransferError: the server refuses it, or has another file there; `FileGone` where it has none.
        Cancelled: by ``attempts``.
        OSError: ``target`` cannot be written.
    """
    reading = _Download(path, size, target, attempts, moved)
    while True:
        try:
            with server.connection() as connection:
                reading.run(connection)
        except RetryLater as later:
            attempts.wait(later.error, later.delay_s)
        except (_Broken, http.client.HTTPException):
            pass
        except OSError:
            if reading.is_writing:
                raise
        if reading.offset == size:
            return
        attempts.wait(TransferError(catalogue.files.download_stalled()))


def read_small(connection: HttpsConnection, path: str, most_bytes: int) -> bytes | None:
    """Read a small file in one go; None where there is none, or a larger one.

    Args:
        connection: open, and good for another request afterwards.
        path: of the file, for this login; a secret.
        most_bytes: of it.

    Raises:
        TransferError: the server gave an address that is none.
        OSError, http.client.HTTPException: the connection is good for nothing further.
    """
    response = connection.ask("GET", path, {"Accept-Encoding": "identity"})
    data = response.read(most_bytes + 1)
    if response.read(1) or len(data) > most_bytes:
        raise http.client.HTTPException
    return data if response.status == 200 else None


class _Broken(Exception):
    """The answer ended too early."""


class _Download:
    def __init__(
        self, path: str, size: int, target: BinaryIO, attempts: Attempts, moved: Callable[[int], None]
    ) -> None:
        self.offset = 0
        self.is_writing = False
        """Whether an OSError is one of this machine's disk."""
        self._etag = ""
        self._path = path
        self._size = size
        self._target = target
        self._attempts = attempts
        self._moved = moved

    def run(self, connection: HttpsConnection) -> None:
        """Read what is missing."""
        headers = {"Accept-Encoding": "identity"}
        if self.offset and not self._etag:
            self._restart()  # without a validator the rest may be of another file
        if self.offset:
            headers["Range"] = f"bytes={self.offset}-"
            headers["If-Range"] = self._etag
        response = connection.ask("GET", self._path, headers)
        if response.status == 206:
            found = _RANGE.fullmatch(response.getheader("Content-Range", ""))
            if found is None or int(found[1]) != self.offset or int(found[2]) != self._size:
                raise TransferError(catalogue.files.NONSENSE())
        elif response.status == 200:
            self._begin_anew(response)
        elif response.status == 416:
            self._restart()
            raise _Broken
        else:
            raise problem_of(response)
        while self.offset < self._size:
            self._attempts.expect_wanted()
            data = response.read1(_READ_BYTES)
            if not data:
                raise _Broken
            if self.offset + len(data) > self._size:
                raise TransferError(catalogue.files.NONSENSE())
            self._write(data)

    def _begin_anew(self, response: http.client.HTTPResponse) -> None:
        if response.getheader("Content-Length") != str(self._size):
            raise TransferError(catalogue.files.NONSENSE())
        self._restart()
        etag = response.getheader("ETag", "")
        self._etag = etag if etag.startswith('"') else ""

    def _restart(self) -> None:
        self.offset = 0
        self.is_writing = True
        self._target.seek(0)
        self._target.truncate()
        self.is_writing = False

    def _write(self, data: bytes) -> None:
        self.is_writing = True
        self._target.write(data)
        self.is_writing = False
        self.offset += len(data)
        self._attempts.moved()
        self._moved(self.offset)
