"""The answer with a file: what a request gets of it, under headers that let nothing of it run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from securechat.pictures.records import preview_type
from securechat.server.web.file_headers import FILE_SECURITY_HEADERS, file_headers
from securechat.server.web.programs import FileAnswer
from securechat.server.web.ranges import select
from securechat.wire.http import HttpError, Request, response, response_head

if TYPE_CHECKING:
    from securechat.hub.files.access import ReadableFile
    from securechat.server.web.programs import ProgramAnswer


class PlainAnswer(Struct, frozen=True):
    """An answer without a file.

    Attributes:
        status: of the status line.
        head: status line and headers.
        body: one sentence.
    """

    status: int
    head: bytes
    body: bytes = b""

    def answer(self, request: Request, *, date: str, closes: bool) -> bytes:
        """Return the answer as bytes; see `securechat.wire.http.response`."""
        is_head, has_body = request.method == "HEAD", self.status not in (204, 304)
        return response(self.head, self.body, date=date, closes=closes, has_body=has_body, is_head=is_head)


def file_answer(request: Request, opened: ReadableFile, size: int | None) -> ProgramAnswer:
    """Return the answer to a GET or HEAD; it owns the file.

    Args:
        request: has the range.
        opened: the file, or its smaller copy.
        size: of that copy, pixels; None for the file itself.
    """
    info, digest = opened.row.file, opened.row.sha256.hex()
    if size is None:
        shown_as, etag = (info.type if info.is_picture else None), f'"{digest}"'
    else:
        shown_as, etag = preview_type(size), f'"{digest}-{size}"'
    selected = select(request, opened.file.size_bytes, etag)
    if selected.status == 416:
        opened.file.close()
        return PlainAnswer(416, response_head(416, (*selected.headers, *FILE_SECURITY_HEADERS)))
    head = response_head(selected.status, (*file_headers(info.name, shown_as, etag), *selected.headers))
    if selected.status == 304:
        opened.file.close()
        return PlainAnswer(304, head)
    return FileAnswer(head, selected.size_bytes, opened.file, selected.offset)


def error_answer(error: HttpError) -> PlainAnswer:
    """Return the answer to a request that was refused: a sentence, which tells nothing of any file."""
    told = (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"))
    head = response_head(error.status, (*told, *FILE_SECURITY_HEADERS, *error.headers))
    return PlainAnswer(error.status, head, f"{error.sentence}\n".encode())
