"""The addresses of files, ``/files/ID/KEY`` and ``/files/ID/KEY/NAME``, with ``?size=`` for a smaller copy.

The key is the permission: browsers send no header for a picture, and this server has no cookies. Whatever is wrong with
a request, the answer is the same 404. The name is what a browser saves the file under, and is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from securechat.errors import Refusal
from securechat.hub.files.access import ReadableFile
from securechat.hub.files.links import FILES_ROOT
from securechat.server.files.answers import error_answer, file_answer
from securechat.wire.http import HttpError, Request

if TYPE_CHECKING:
    from securechat.hub.files.service import FileService
    from securechat.server.files.answers import PlainAnswer
    from securechat.server.web.programs import Exchange, ProgramAnswer

PREFIX = f"{FILES_ROOT}/"
_PATH = re.compile(rf"{PREFIX}([0-9a-f]{{32}})/([0-9a-z-]{{1,80}})(?:/[^/]*)?\Z")
_SIZE = re.compile(r"size=([1-9][0-9]{0,4})\Z")


class FileLinkPaths:
    """Downloads by link; implements `securechat.server.web.programs.ProgramPaths`.

    Args:
        files: judges and opens.
        note_no_link: counts an address that has asked with a key that is none.

    Raises (of ``note_no_link``):
        HttpError: 429, too many from this address were none.
    """

    def __init__(self, files: FileService, note_no_link: Callable[[str], None]) -> None:
        self._files = files
        self._note_no_link = note_no_link

    def prepare(self) -> None:
        """See `ProgramPaths.prepare`."""

    def most_body(self, path: str, method: str) -> int:  # noqa: ARG002  (a body is refused by `begin`)
        """See `ProgramPaths.most_body`."""
        return 1

    def expect_no_secret(self, request: Request) -> None:
        """See `ProgramPaths.expect_no_secret`: `begin` takes no query but the size."""

    def is_known(self, request: Request) -> bool:
        """See `ProgramPaths.is_known`."""
        found = _PATH.match(request.path)
        return found is not None and self._files.is_link(found[1], found[2])

    def begin(self, request: Request, address: str) -> Exchange:
        """Judge a request by its head.

        Raises:
            HttpError: it is refused.
        """
        if request.method not in ("GET", "HEAD"):
            raise HttpError(405, "Files are read here, and nothing else.", [("Allow", "GET, HEAD")])
        if request.body_bytes:
            raise HttpError(413, "This request has no body.")
        found, query = _PATH.match(request.path), request.target.partition("?")[2]
        sized = _SIZE.match(query) if query else None
        if found is None or (query and sized is None) or not self._files.is_link(found[1], found[2]):
            self._note_no_link(address)
            raise no_file()
        size = None if sized is None else int(sized[1])
        return _LinkExchange(self._files, request, found[1], found[2], size)

    def error_answer(self, error: HttpError) -> PlainAnswer:
        """See `ProgramPaths.error_answer`."""
        return error_answer(error)


class _LinkExchange:
    """One download."""

    def __init__(self, files: FileService, request: Request, file_id: str, key: str, size: int | None) -> None:
        self._files = files
        self._request = request
        self._file_id = file_id
        self._key = key
        self._size = size
        self._is_over = False

    def receive(self, body: bytes, done: Callable[[ProgramAnswer], None]) -> None:  # noqa: ARG002  (there is none)
        """See `Exchange.receive`."""

        def opened(file: ReadableFile | Refusal | None) -> None:
            if self._is_over:
                if isinstance(file, ReadableFile):
                    file.file.close()
            elif file is None:
                done(error_answer(no_file()))
            elif isinstance(file, Refusal):
                done(error_answer(HttpError(503, "The server is busy. Ask again.", [("Retry-After", "1")])))
            else:
                done(file_answer(self._request, file, self._size))

        self._files.access.open(self._file_id, self._key, self._size, opened)

    def abandon(self) -> None:
        """See `Exchange.abandon`."""
        self._is_over = True


def no_file() -> HttpError:
    """The one answer to everything that is wrong."""
    return HttpError(404, "There is no such file, or it is not for you.")
