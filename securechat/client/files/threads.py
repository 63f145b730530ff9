"""Runs transfers on threads of their own, one each, and tells about them on the thread of the one that asked.

A thread has one buffer and one connection, so each transfer takes a bounded amount of memory. Threads end with the
process: nothing waits for one that sits in a dead connection.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

from securechat.client import catalogue
from securechat.client.files import saving
from securechat.client.files.download import download, read_small
from securechat.client.files.https import Attempts, Cancelled, FileServer, RetryLater, TransferError
from securechat.client.files.saving import LocalTarget
from securechat.client.files.sources import LocalFile, opened
from securechat.client.files.upload import discard, upload
from securechat.text.sanitize import one_line
from securechat.translation import system_error

FINISH_S = 2.0
"""At the end of a program: two round trips of a slow network."""
PROGRESS_S = 0.2
"""Between two reports of a transfer."""
_Post: TypeAlias = Callable[[Callable[[], None]], None]
"""Runs a callable on the thread of the one that asked."""
_Moved: TypeAlias = Callable[[int], None]


class FileTransfer:
    """One transfer under way."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()

    def cancel(self) -> None:
        """End it; `Cancelled` is told. What has come stays on the server, what is here is removed."""
        self.cancelled.set()


class FileTransfers:
    """The transfers of one session.

    Args:
        server: the server.
        post: runs a callable where `moved` and `done` are to be called.
        patience_s: time without progress after which a transfer is given up; None for never.
    """

    def __init__(self, server: FileServer, post: _Post, patience_s: float | None = None) -> None:
        self._server = server
        self._post = post
        self._patience_s = patience_s
        self._discards: list[threading.Thread] = []

    def upload(
        self, file: LocalFile, path: str, moved: _Moved, done: Callable[[TransferError | None], None]
    ) -> FileTransfer:
        """Send a file to the path of an upload; ``done`` with None once the server has it whole."""

        def work(attempts: Attempts) -> None:
            with opened(file) as source:
                upload(self._server, path, source, file.size, attempts=attempts, moved=self._seldom(moved))

        return self._start("upload", work, done)[1]

    def save(
        self, path: str, size: int, place: LocalTarget, moved: _Moved, done: Callable[[Path | TransferError], None]
    ) -> FileTransfer:
        """Write a file of a message to a place; ``done`` with where it is now."""

        def work(attempts: Attempts) -> Path:
            with saving.unfinished(place) as (file, unfinished):
                try:
                    download(self._server, path, size, file, attempts=attempts, moved=self._seldom(moved))
                    return saving.finish(file, unfinished, place)
                except OSError as error:
                    why = system_error(error)
                    raise TransferError(catalogue.files.not_saved(one_line(str(place.folder)), why)) from None

        return self._start("download", work, done)[1]

    def read(self, path: str, size: int, done: Callable[[bytes | TransferError], None]) -> FileTransfer:
        """Read a file of a message into memory; the caller has judged its size."""

        def work(attempts: Attempts) -> bytes:
            held = io.BytesIO()
            download(self._server, path, size, held, attempts=attempts, moved=lambda _: None)
            return held.getvalue()

        return self._start("download", work, done)[1]

    def read_small(
        self, paths: Sequence[str], most_bytes: int, came: Callable[[int, bytes], None], done: Callable[[], None]
    ) -> None:
        """Read small files over one connection, one after the other; what cannot be read is left out.

        Args:
            paths: of the files.
            most_bytes: of each.
            came: told the place of a path and the bytes.
            done: called at the end.
        """

        def work(_: Attempts) -> None:
            with (
                contextlib.suppress(TransferError, OSError, http.client.HTTPException),
                self._server.connection() as connection,
            ):
                for index, path in enumerate(paths):
                    if (data := read_small(connection, path, most_bytes)) is not None:
                        self._post(partial(came, index, data))

        self._start("previews", work, lambda _: done())

    def discard(self, path: str) -> None:
        """Take an upload back, so that it counts no more; where that fails, the server gives it up later."""

        def work(_: Attempts) -> None:
            with contextlib.suppress(RetryLater, OSError, http.client.HTTPException):
                discard(self._server, path)

        thread, _ = self._start("discard", work, lambda _: None)
        self._discards = [*(each for each in self._discards if each.is_alive()), thread]

    def finish(self, timeout_s: float = FINISH_S) -> None:
        """Wait until uploads are taken back, so that they count no more at the next start."""
        until = time.monotonic() + timeout_s
        for thread in self._discards:
            thread.join(max(0.0, until - time.monotonic()))

    def _start(
        self, name: str, work: Callable[[Attempts], object], done: Callable[..., None]
    ) -> tuple[threading.Thread, FileTransfer]:
        transfer = FileTransfer()

        def run() -> None:
            result: object
            try:
                result = work(Attempts(transfer.cancelled, self._patience_s))
            except TransferError as error:
                result = error
            except Exception as error:  # noqa: BLE001 - a bug ends this transfer, and not the chat
                result = TransferError(catalogue.connection.mistake(one_line(repr(error))))
            self._post(lambda: done(Cancelled() if transfer.cancelled.is_set() else result))

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        return thread, transfer

    def _seldom(self, moved: _Moved) -> _Moved:
        last = 0.0

        def report(count: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= PROGRESS_S:
                last = now
                self._post(lambda: moved(count))

        return report
