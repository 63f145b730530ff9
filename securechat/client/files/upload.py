"""Sends the bytes of a file by tus 1.0.0 (https://tus.io/protocols/resumable-upload), its core protocol.

The address came over the chat's connection and is the permission. After every break the server is asked how much it
has (HEAD, Upload-Offset), and the rest is sent from there, in parts: over lost connections, restarts of the server and
sleep of this machine. An offset that goes back is followed, because the server promises only what it has synced.
"""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable
from typing import BinaryIO

from securechat.client import catalogue
from securechat.client.files.https import (
    Attempts,
    FileServer,
    HttpsConnection,
    RetryLater,
    TransferError,
    problem_of,
)
from securechat.limits import KIB, MIB
from securechat.translation import system_error

PART_BYTES = 4 * MIB
"""Of one PATCH: what the server syncs in one step."""
_READ_BYTES = 16 * KIB
"""Read and sent at once: what the server takes in one turn."""
_FINAL = frozenset({"picture_unreadable", "upload_used"})
_TOLD_BY_PART = frozenset({409, 422})
"""An answer to HEAD has no body. These are about the end of a whole upload: an empty part is told what is wrong."""
_TUS = {"Tus-Resumable": "1.0.0"}


def upload(
    server: FileServer,
    path: str,
    source: BinaryIO,
    size: int,
    *,
    attempts: Attempts,
    moved: Callable[[int], None],
) -> None:
    """Send a whole file; return when the server has it for good.

    Args:
        server: the server.
        path: of the upload; a secret.
        source: its bytes; positioned anew for each attempt.
        size: bytes, as declared.
        attempts: decides on pauses and the end.
        moved: told how many bytes are on their way or there.

    Raises:
        TransferError: the server refuses it, or this file has changed meanwhile.
        Cancelled: by ``attempts``.
    """
    sending = _Upload(path, source, size, attempts, moved)
    known = 0
    while True:
        try:
            with server.connection() as connection:
                sending.run(connection, known)
                return
        except RetryLater as later:
            attempts.wait(later.error, later.delay_s)
        except (OSError, http.client.HTTPException):
            attempts.wait(TransferError(catalogue.files.upload_stalled()))
        known = -1


def discard(server: FileServer, path: str) -> None:
    """Take an upload back, so that it counts no more; the server gives it up by itself otherwise.

    Raises:
        TransferError, RetryLater, OSError, http.client.HTTPException: it could not be told.
    """
    with server.connection() as connection:
        response = connection.ask("DELETE", path, {**_TUS, "Content-Length": "0"})
        if response.status >= 300:
            raise problem_of(response)


class _Upload:
    def __init__(
        self, path: str, source: BinaryIO, size: int, attempts: Attempts, moved: Callable[[int], None]
    ) -> None:
        self._path = path
        self._source = source
        self._size = size
        self._attempts = attempts
        self._moved = moved
        self._confirmed = 0

    def run(self, connection: HttpsConnection, known: int) -> None:
        """Send what is missing; ``known`` is the offset, or -1 where the server is asked for it."""
        offset = known if known >= 0 else self._ask_offset(connection)
        self._note(offset)
        while True:
            offset = self._send_part(connection, offset)
            self._note(offset)
            if offset == self._size:
                return

    def _note(self, offset: int) -> None:
        """Note how much the server has: a slow network moves a part in several attempts."""
        if offset > self._confirmed or offset == self._size:  # a server that has all may be at work on a picture
            self._confirmed = offset
            self._attempts.moved()

    def _ask_offset(self, connection: HttpsConnection) -> int:
        response = connection.ask("HEAD", self._path, _TUS)
        response.read()
        if response.status >= 300:
            problem = problem_of(response)
            if isinstance(problem, TransferError) and response.status in _TOLD_BY_PART:
                raise RetryLater(problem)
            raise problem
        return self._offset_of(response)

    def _send_part(self, connection: HttpsConnection, offset: int) -> int:
        """Send a part from an offset; return the next offset.

        At the end of the file the part is empty: the server then tells what became of it.
        """
        part = min(PART_BYTES, self._size - offset)
        headers = {
            **_TUS,
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(part),
        }
        connection.begin("PATCH", self._path, headers)
        sent = 0
        while sent < part:
            self._attempts.expect_wanted()
            data = self._read(offset + sent, min(_READ_BYTES, part - sent))
            try:
                connection.send(data)
            except OSError:
                self._expect_no_answer(connection)
                raise
            sent += len(data)
            self._moved(offset + sent)
        response = connection.getresponse()
        if response.status in {200, 204}:
            response.read()
            after = self._offset_of(response)
            if after < offset + part:
                raise RetryLater(TransferError(catalogue.files.upload_stalled()))  # the next one asks for the offset
            return after
        raise _problem_of_part(response)

    def _read(self, offset: int, most_bytes: int) -> bytes:
        try:
            self._source.seek(offset)
            data = self._source.read(most_bytes)
        except OSError as error:
            raise TransferError(catalogue.files.not_readable(system_error(error))) from None
        if not data:
            raise TransferError(catalogue.files.CHANGED())
        return data

    @staticmethod
    def _expect_no_answer(connection: HttpsConnection) -> None:
        """A server that refuses a part before it has it closes behind its answer, which says why."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            response = connection.getresponse()
            if response.status >= 300:
                raise _problem_of_part(response)

    def _offset_of(self, response: http.client.HTTPResponse) -> int:
        text = response.getheader("Upload-Offset", "")
        if not (text.isascii() and text.isdigit()) or int(text[:18]) > self._size:
            raise TransferError(catalogue.files.NONSENSE())
        return int(text[:18])


def _problem_of_part(response: http.client.HTTPResponse) -> TransferError | RetryLater:
    """Return what the answer to a part means: a conflict is one of offsets (tus 1.0.0), unless it has a reason."""
    problem = problem_of(response)
    if response.status == 409 and isinstance(problem, TransferError) and problem.reason not in _FINAL:
        return RetryLater(problem)
    return problem
