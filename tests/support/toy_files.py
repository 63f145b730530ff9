"""Paths of programs that keep no body whole and send no answer whole, and know no file: for tests of connections."""

from __future__ import annotations

from collections.abc import Callable

from securechat.server.web.programs import Exchange, FileAnswer, ProgramAnswer
from securechat.server.web.ranges import select
from securechat.server.web.site import Answering, sentence
from securechat.wire.http import HttpError, Request, response_head

MIB = 1024 * 1024
ETAG = '"a1"'


class ToyUpload:
    """A body that is counted; a test decides when it may come, how much is taken, and when it is answered.

    Attributes:
        calls: what was called, in order; the bytes that were taken stand in ``data``.
    """

    answer_s: float | None = None

    def __init__(self, request: Request) -> None:
        self.request = request
        self.calls: list[str] = []
        self.data = bytearray()
        self.takes = True  # what `take` returns
        self.room = True
        self.at_once = True  # ready, and answered at the end
        self.refuse_at: int | None = None  # bytes
        self.ready: Callable[[], None] = lambda: None
        self.done: Callable[[ProgramAnswer], None] = lambda _: None
        self.more: Callable[[], None] = lambda: None

    def prepare(self, ready: Callable[[], None], done: Callable[[ProgramAnswer], None]) -> None:
        self.calls.append("prepare")
        self.ready, self.done = ready, done
        if self.at_once:
            ready()

    def has_room(self, more: Callable[[], None]) -> bool:
        self.more = more
        return self.room

    def take(self, data: bytes, more: Callable[[], None]) -> bool:
        assert data
        self.calls.append("take")
        self.data += data
        self.more = more
        if self.refuse_at is not None and len(self.data) >= self.refuse_at:
            self.refuse_at = None
            self.refuse(409)
        return self.takes

    def end(self) -> None:
        self.calls.append("end")
        if self.at_once:
            self.answer()

    def abandon(self) -> None:
        self.calls.append("abandon")

    def answer(self) -> None:
        self.done(sentence(201, f"{len(self.data)} bytes"))

    def refuse(self, status: int) -> None:
        self.done(sentence(status, "problem: refused"))


class ToySource:
    """Bytes that are made when they are read, all of them different from their neighbours."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.at_once = True
        self.fails_at: int | None = None
        self.reads: list[tuple[int, int]] = []
        self.closed = 0
        self.waiting: list[Callable[[], None]] = []

    def read(self, offset: int, most_bytes: int, done: Callable[[bytes | None], None]) -> None:
        assert not self.closed
        assert not self.waiting, "a second part before the first one came"
        self.reads.append((offset, most_bytes))
        fails = self.fails_at is not None and offset + most_bytes > self.fails_at
        data = None if fails else toy_bytes(offset, min(most_bytes, self.size_bytes - offset))
        if self.at_once:
            done(data)
        else:
            self.waiting.append(lambda: done(data))

    def go_on(self) -> None:
        """Hand over the part that waits."""
        self.waiting.pop()()

    def close(self) -> None:
        self.closed += 1


_PATTERN = bytes(number * 7 % 251 for number in range(251)) * 132  # 33 KiB: longer than a part


def toy_bytes(offset: int, size_bytes: int) -> bytes:
    """Return a part of what every source has."""
    start = offset % 251
    found = _PATTERN[start : start + size_bytes]
    while len(found) < size_bytes:
        found += toy_bytes(offset + len(found), size_bytes - len(found))
    return found


class ToyFiles:
    """``PUT /files/NAME`` is counted, ``GET /files/SIZE`` answered with so many bytes; the rest is refused.

    Attributes:
        uploads: those that have begun.
        sources: those of the answers.
        make_upload, make_source: may be replaced by a test.
    """

    def __init__(self, most_bytes: int = 25 * MIB) -> None:
        self.most_bytes = most_bytes
        self.known = True
        self.uploads: list[ToyUpload] = []
        self.sources: list[ToySource] = []
        self.make_upload: Callable[[Request], ToyUpload] = ToyUpload
        self.make_source: Callable[[int], ToySource] = ToySource

    def prepare(self) -> None:
        pass

    def most_body(self, path: str, method: str) -> int:
        if not path.startswith("/files/"):
            return 0
        return self.most_bytes if method in ("PUT", "PATCH") else 100

    def expect_no_secret(self, request: Request) -> None:
        pass

    def is_known(self, request: Request) -> bool:
        return self.known

    def begin(self, request: Request, address: str) -> Exchange | ToyUpload:
        if request.path == "/files/bad":
            raise HttpError(404, "bad")
        if request.method in ("PUT", "PATCH"):
            self.uploads.append(self.make_upload(request))
            return self.uploads[-1]
        return _Reading(self, request)

    def error_answer(self, error: HttpError) -> Answering:
        return sentence(error.status, f"problem: {error.sentence}")

    @property
    def upload(self) -> ToyUpload:
        """The latest one."""
        return self.uploads[-1]

    @property
    def source(self) -> ToySource:
        """The latest one."""
        return self.sources[-1]


class _Reading:
    def __init__(self, files: ToyFiles, request: Request) -> None:
        self._files = files
        self._request = request

    def receive(self, body: bytes, done: Callable[[ProgramAnswer], None]) -> None:
        if self._request.method not in ("GET", "HEAD"):
            done(sentence(200, f"{self._request.method} {len(body)}"))
            return
        name = self._request.path.rpartition("/")[2]
        if not name.isdecimal() or len(name) > 8 or int(name) > self._files.most_bytes:
            done(sentence(404, "problem: no file"))
            return
        size_bytes = int(name)
        found = select(self._request, size_bytes, ETAG)
        if found.status in (304, 416):
            done(sentence(found.status, "problem: no part of it"))
            return
        source = self._files.make_source(size_bytes)
        self._files.sources.append(source)
        head = response_head(found.status, [("ETag", ETAG), *found.headers])
        done(FileAnswer(head, found.size_bytes, source, found.offset))

    def abandon(self) -> None:
        pass
