"""The server's side of HTTP/1.1 (RFC 9112) on one connection: bytes in, requests and their bodies out.

The head of a request alone decides whether a body may come and how long it may be, before a byte of it is looked at:
under the paths that a `BodyRule` gives bytes to, and nowhere else. There only Content-Length tells the length, because
no program that this server is made for needs another way, and each further way is one more in which two programs read
one byte stream as different requests. Everywhere else a request is GET or HEAD and has no body.

`h11` reads what this module lets through. It forgives some of what makes two programs read one byte stream as different
requests (a bare LF, a folded line), so the head of a request is looked at before: it ends with the first CRLF CRLF, has
no other control character than the line ends and the tab, and h11 must find it to be exactly one request.

Knows no address, no file, no clock and no rule about hosts. An error never repeats what the client sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from securechat.limits import KIB

if TYPE_CHECKING:
    import h11

HTTP_ALPN = "http/1.1"
"""The name of this protocol in the TLS handshake (RFC 7301, section 6)."""
HEAD_BYTES = 8 * KIB
"""Of the request line and all headers (Apache and nginx: 8 KiB)."""
MOST_HEADERS = 50
"""Browsers send 15 to 20 (Apache: 100)."""
MOST_ELEMENTS = 100
"""Of a list header that are looked at; browsers send up to ten."""
METHODS = ("GET", "HEAD")
"""Of a path without a body."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""The answer to ``Expect: 100-continue`` (RFC 9110, section 10.1.1), once the head is judged."""

_END = b"\r\n\r\n"
_KEPT_HEAD_BYTES = 2 * KIB
"""The longest head that a connection keeps for the next request; those of programs have some 250 bytes."""
_CONTROLS = bytes(each for each in (*range(0x20), 0x7F) if each not in b"\t\r\n")
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n|\Z)|(?<!\r)\n")
"""Control characters, a CR or LF alone. The \\Z: of a CR at the end of what has come, the LF may follow."""
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])\Z")
_REQUEST_BEGUN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ (/[\x21-\x3e\x40-\x7e]*)")
"""A request line, or the beginning of one, as far as its path goes."""
_FOLDED = re.compile(rb"\r\n[ \t]")
_ONE_LENGTH = re.compile(rb"\r\ncontent-length: ([1-9][0-9]{0,14})\r\n", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\n(content-length|transfer-encoding)[ \t]*:[ \t]*([^\r]*)", re.IGNORECASE)
_HEADER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_KNOWN_METHODS = frozenset({b"CONNECT", b"DELETE", b"OPTIONS", b"PATCH", b"POST", b"PUT", b"TRACE"})
_CODING = re.compile(rb"\r\ncontent-encoding[ \t]*:([^\r]*)", re.IGNORECASE)
_WEIGHT = re.compile(r"(?:^|;)[ \t]*q=([01](?:\.[0-9]{0,3})?)[ \t]*(?:;|\Z)")
_DIGITS = re.compile(rb"[0-9]{1,15}")
_AUTHORITY = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::(?P<port>[0-9]{1,5}))?\Z")
_HTTPS_PORT = 443

Headers = Sequence[tuple[str, str] | tuple[bytes, bytes]]
BodyRule: TypeAlias = Callable[[str, str], int]
"""Returns how many bytes of body a request may have, by path and method; 0: none, and GET and HEAD alone."""


def no_body(_path: str, _method: str) -> int:
    """The rule of a server without programs: no path takes a body."""
    return 0


class HttpError(Exception):
    """A request that gets no answer but an error, behind which the connection ends.

    Args:
        status: of RFC 9110, section 15, or RFC 6585.
        sentence: what is wrong, for a person; repeats nothing of the request.
        headers: that this status needs, such as Allow.

    Attributes:
        path: of the request, once it is known; None before. For the one who forms the answer, and never a part of it.
        body_bytes: how much the client may be sending already, where a body is too long or in chunks; 0 otherwise.
    """

    def __init__(self, status: int, sentence: str, headers: Headers = ()) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = tuple(headers)
        self.path: str | None = None
        self.body_bytes = 0


class Authority(Struct, frozen=True):
    """A host and its port, as Host and Origin name them, in one spelling.

    Attributes:
        host: in lower case, without brackets and trailing dot.
        port: that of https where none is given.
    """

    host: str
    port: int


class Request(Struct, frozen=True):
    """One request.

    Attributes:
        method: GET or HEAD; any token where a body may come, and then any may have one.
        target: in origin form (RFC 9112, section 3.2.1), as it came.
        host: of the Host header.
        origin: the Origin header; None where there is none.
        headers: all, names in lower case, as bytes.
        body_bytes: the length of the body that follows.
        expects_continue: whether the client waits for `CONTINUE` before it sends the body.
    """

    method: str
    target: str
    host: Authority
    origin: str | None
    headers: tuple[tuple[bytes, bytes], ...]
    body_bytes: int = 0
    expects_continue: bool = False

    @property
    def path(self) -> str:
        """The target without its query, nothing decoded."""
        return self.target.partition("?")[0]

    @property
    def wants_close(self) -> bool:
        """Whether the client asks for the end of the connection behind the answer."""
        return "close" in self.words(b"connection")

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a header, as they came; several lines of one name are several values."""
        return [value for each, value in self.headers if each == name]

    def words(self, name: bytes) -> list[str]:
        """Return the first MOST_ELEMENTS elements of a list header (RFC 9110, section 5.6.1), in lower case."""
        joined = b",".join(value for each, value in self.headers if each == name).lower()
        parts = joined.split(b",", MOST_ELEMENTS)[:MOST_ELEMENTS]
        return [part.strip().decode("iso-8859-1") for part in parts if part.strip()]

    def weighted(self, name: bytes) -> list[str]:
        """Return the elements of a list header with weights, the most wanted first (RFC 9110, section 12.4.2).

        Elements of one weight stay in their order. Those of weight 0 are not wanted, and left out with their weights;
        an element keeps nothing behind its first semicolon.
        """
        weights: list[tuple[float, str]] = []
        for word in self.words(name):
            element, _, parameters = word.partition(";")
            found = _WEIGHT.search(parameters)
            weight = 1.0 if found is None else float(found[1])
            if weight > 0:
                weights.append((-weight, element.strip()))
        return [element for _, element in sorted(weights, key=itemgetter(0))]


class _KeptHead(Struct, frozen=True):
    """A head with a body that was judged, and what it was found to be.

    Attributes:
        before: its bytes up to the digits of Content-Length.
        behind: those behind.
        request: as `next_request` returned it.
    """

    before: bytes
    behind: bytes
    request: Request


class HttpServerCodec:
    """The requests of one connection.

    Args:
        most_body: how long a body may be, by path and method.

    Attributes:
        unread_bytes: of the body of the last request, not taken yet. Nothing behind it is read as a request until then.
    """

    __slots__ = ("_buffer", "_error", "_head", "_kept", "_most_body", "_seen_bytes", "unread_bytes")

    def __init__(self, most_body: BodyRule = no_body) -> None:
        self._most_body = most_body
        self.unread_bytes = 0
        self._buffer = bytearray()
        self._seen_bytes = 0  # of the buffer: nothing forbidden is there, nor more than a part of the end of a head
        self._head: bytes | None = None  # complete, and not parsed yet
        self._error: HttpError | None = None
        self._kept: _KeptHead | None = None

    @property
    def began(self) -> bool:
        """Whether bytes have come that no request has used."""
        return bool(self._buffer)

    @property
    def ready(self) -> bool:
        """Whether `next_request` has something to return or to raise; cheap, for callers that put it off."""
        if self._head is None and self._error is None and not self.unread_bytes:
            try:
                self._head = self._next_head()
            except HttpError as error:
                self._give_up(error)
        return self._head is not None or self._error is not None

    @property
    def head_bytes(self) -> int:
        """The length of the request that `ready` has found; 0 for none."""
        return len(self._head) if self._head is not None else 0

    def receive_data(self, data: bytes) -> None:
        """Take decrypted bytes. The caller reads no more while it has requests left to answer."""
        if self._error is None:
            self._buffer += data

    def next_request(self) -> Request | None:
        """Return the next request, or None when more is needed.

        Raises:
            HttpError: the request cannot be answered; nothing behind it is read, and later calls raise the same.
        """
        if not self.ready:
            return None
        head, self._head = self._head, None
        if head is not None:
            try:
                request = self._request_of(head)
            except HttpError as error:
                self._give_up(error)
            else:
                self.unread_bytes = request.body_bytes
                return request
        assert self._error is not None
        raise self._error

    def next_body(self) -> bytes | None:
        """Return the body of the last request, once; None while a part of it is missing. Empty where it has none."""
        size_bytes = self.unread_bytes
        if len(self._buffer) < size_bytes:
            return None
        self.unread_bytes = 0
        body = bytes(self._buffer[:size_bytes])
        del self._buffer[:size_bytes]
        return body

    def take_body(self, data: bytes = b"") -> bytes:
        """Return what has come of the body of the last request, for a body that is not kept.

        Args:
            data: decrypted bytes that have come just now; what is behind the body stays for the next request.
        """
        if not self._buffer and len(data) <= self.unread_bytes:  # as nearly always: nothing is copied
            self.unread_bytes -= len(data)
            return data
        self._buffer += data
        part = bytes(self._buffer[: self.unread_bytes])
        del self._buffer[: len(part)]
        self.unread_bytes -= len(part)
        return part

    def switch(self) -> bytes:
        """Return what came behind the last request; this protocol is over."""
        left = bytes(self._buffer)
        self._buffer.clear()
        return left

    def _give_up(self, error: HttpError) -> None:
        self._error = error
        self._buffer.clear()

    def _request_of(self, head: bytes) -> Request:
        """Parse a head.

        A program sends the same one again and again, with another length: that alone is read anew, because h11 takes
        half of the time of a request (50 of 91 us). An equal head is judged as it was before.

        Raises:
            HttpError: it is no request that this server answers.
        """
        length = _ONE_LENGTH.search(head)
        if length is None:
            return _request(head, self._most_body)
        kept, before, behind = self._kept, head[: length.start(1)], head[length.end(1) :]
        if kept is not None and kept.before == before and kept.behind == behind:
            request = kept.request
            body_bytes = int(length[1])
            if body_bytes <= self._most_body(request.path, request.method):  # `_request` has the words for more
                return replace(request, headers=_with_length(request.headers, length[1]), body_bytes=body_bytes)
        request = _request(head, self._most_body)
        self._kept = _KeptHead(before, behind, request) if len(head) <= _KEPT_HEAD_BYTES else None
        return request

    def _next_head(self) -> bytes | None:
        buffer = self._buffer
        if not buffer:
            return None
        end = buffer.find(_END, max(0, self._seen_bytes - len(_END) + 1), HEAD_BYTES)
        size_bytes = end + len(_END) if end >= 0 else min(len(buffer), HEAD_BYTES)
        if not (end >= 0 and not self._seen_bytes and _is_clean(buffer[:size_bytes])) and _FORBIDDEN.search(
            buffer, max(0, self._seen_bytes - 1), size_bytes
        ):
            error = HttpError(400, "The request has a character that it may not have.")
            raise _with_path(error, bytes(buffer[:size_bytes]))
        if end < 0:
            if len(buffer) >= HEAD_BYTES:
                head = bytes(buffer[:HEAD_BYTES])
                raise _with_path(_too_long(head), head)
            self._seen_bytes = len(buffer)
            return None
        head = bytes(buffer[:size_bytes])
        del buffer[:size_bytes]
        self._seen_bytes = 0
        return head


def load_library() -> None:
    """Import h11, which takes 8 ms, and more on a busy machine: in a thread, behind the start, before it is needed."""
    import h11  # noqa: F401, PLC0415


def authority(text: str) -> Authority | None:
    """Parse a Host header, or an origin's part behind ``https://``; None for what is neither name nor address."""
    found = _AUTHORITY.match(text)
    if found is None:
        return None
    name = found["name"].strip("[]").lower().removesuffix(".")
    port = int(found["port"] or _HTTPS_PORT)
    return Authority(name, port) if name and 0 < port < 65_536 else None


def is_same_origin(request: Request) -> bool:
    """Whether the page that made the request is one of this host, as far as the client says (RFC 6454)."""
    if request.origin is None:
        return True
    scheme, separator, host = request.origin.partition("://")
    return bool(separator) and scheme.lower() == "https" and authority(host) == request.host


def response_head(status: int, headers: Iterable[tuple[str, str] | tuple[bytes, bytes]]) -> bytes:
    """Return the status line and the headers, to which `response` adds what differs from answer to answer.

    Raises:
        ValueError: a header that would not be one; they are this program's own.
    """
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    lines += [b"%b: %b" % (_bytes(name), _bytes(value)) for name, value in headers]
    if not all(map(_HEADER.fullmatch, lines[1:])):
        raise ValueError("a header has a character that it may not have")
    return b"\r\n".join(lines) + b"\r\n"


def response(
    head: bytes,
    body: bytes,
    *,
    date: str = "",
    closes: bool = False,
    has_body: bool = True,
    is_head: bool = False,
    size_bytes: int | None = None,
) -> bytes:
    """Return an answer.

    Args:
        head: from `response_head`; says nothing of Content-Length, Date and Connection.
        body: of a GET.
        date: in the form of RFC 9110, section 5.6.7; empty for none.
        closes: whether the connection ends behind it.
        has_body: False for 1xx, 204 and 304.
        is_head: whether it answers a HEAD: all headers, and no body.
        size_bytes: of a body that is sent behind this; None: ``body`` is all of it.
    """
    parts = [head]
    if date:
        parts.append(b"Date: %b\r\n" % date.encode())
    if has_body:
        parts.append(b"Content-Length: %d\r\n" % (len(body) if size_bytes is None else size_bytes))
    if closes:
        parts.append(b"Connection: close\r\n")
    parts.append(b"\r\n")
    if has_body and not is_head:
        parts.append(body)
    return b"".join(parts)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("ascii")


def _of_body(error: HttpError, body_bytes: int) -> HttpError:
    """Return an error with the length of the body that comes behind it, as far as that is known."""
    error.body_bytes = body_bytes
    return error


def _too_long(head: bytes) -> HttpError:
    if b"\r\n" not in head:
        return HttpError(414, "The address is too long.")
    return HttpError(431, "The headers are too long.")


def _with_path(error: HttpError, head: bytes) -> HttpError:
    """Give an error the path of a head that is no whole one: the beginning tells who answers."""
    if (line := _REQUEST_BEGUN.match(head)) is not None:
        error.path = line[1].decode()
    return error


def _is_clean(head: bytearray) -> bool:
    """Whether a whole head has nothing `_FORBIDDEN`: as the pattern tells, which takes ten times as long."""
    ends = head.count(b"\r\n")
    return ends == head.count(b"\r") == head.count(b"\n") and len(head.translate(None, _CONTROLS)) == len(head)


def _with_length(headers: tuple[tuple[bytes, bytes], ...], length: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers with another value of their one Content-Length."""
    return tuple([(name, length) if name == b"content-length" else (name, value) for name, value in headers])


def _request(head: bytes, most_body: BodyRule) -> Request:
    """Parse a complete head.

    Raises:
        HttpError: it is no request that this server answers.
    """
    line = _REQUEST_LINE.match(head[: head.index(b"\r\n")])
    if line is None:
        raise HttpError(400, "This is not an HTTP request.")
    path = line[2].partition(b"?")[0].decode()
    try:
        if line[3] + line[4] != b"11":
            raise HttpError(505, "This server speaks HTTP/1.1.")
        return _judged(head, line[1], line[2], most_body(path, line[1].decode()))
    except HttpError as error:
        error.path = path
        raise


def _judged(head: bytes, method: bytes, target: bytes, most_bytes: int) -> Request:
    """Judge a head whose first line is one of HTTP/1.1: its headers, method, body and host.

    Raises:
        HttpError: it is no request that this server answers.
    """
    if _FOLDED.search(head):
        raise HttpError(400, "A header continues on the next line.")
    if head.count(b"\r\n") - 2 > MOST_HEADERS:
        raise HttpError(431, "The request has too many headers.")
    headers = tuple(_read_by_h11(head).headers)
    body_bytes = _body_bytes(head, most_bytes)
    if not most_bytes and method not in (b"GET", b"HEAD"):
        if method in _KNOWN_METHODS:
            raise HttpError(405, "This server answers GET and HEAD.", [("Allow", ", ".join(METHODS))])
        raise HttpError(501, "This server answers GET and HEAD.")
    if not target.startswith(b"/"):
        raise HttpError(400, "The address of a request begins with a slash.")
    expected = [value.lower() for name, value in headers if name == b"expect"]
    if expected and (not most_bytes or expected != [b"100-continue"]):
        raise HttpError(417, "This server expects nothing.")
    host = next(authority(value.decode("iso-8859-1")) for name, value in headers if name == b"host")
    if host is None:
        raise HttpError(400, "The Host header names no host.")
    origins = [value.decode("iso-8859-1") for name, value in headers if name == b"origin"]
    if len(origins) > 1:
        raise HttpError(400, "The request has two origins.")
    origin = origins[0] if origins else None
    return Request(method.decode(), target.decode(), host, origin, headers, body_bytes, bool(expected and body_bytes))


def _read_by_h11(head: bytes) -> h11.Request:
    """Have h11 read a head, which must be one request and no more.

    A start does not wait for the library: see `load_library`.
    """
    import h11  # noqa: PLC0415

    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES + 1)
    connection.receive_data(head)
    try:
        request = connection.next_event()
    except h11.RemoteProtocolError as error:
        raise HttpError(error.error_status_hint, "The headers of the request are not valid.") from None
    if not isinstance(request, h11.Request) or connection.trailing_data[0]:
        raise HttpError(400, "This is not an HTTP request.")
    return request


def _body_bytes(head: bytes, most_bytes: int) -> int:
    """Return the length of the body that a request says it has.

    Judged from the bytes, because h11 makes one of two equal lengths.

    Args:
        head: of the request.
        most_bytes: that its path lets come.

    Raises:
        HttpError: it says in two ways how long it is (RFC 9112, section 6.3), or in another way than Content-Length; it
            is too long, or coded.
    """
    lengths = _LENGTH.findall(head)
    if len(lengths) > 1:
        raise HttpError(400, "The request says twice how long it is.")
    if not lengths:
        return 0
    name, length = lengths[0][0].lower(), lengths[0][1].strip()
    if not most_bytes and (name, length) != (b"content-length", b"0"):
        raise HttpError(413, "A request to this server has no body.")
    if name != b"content-length":
        chunks = HttpError(411, "The length of a body stands in Content-Length; this server takes no chunks.")
        raise _of_body(chunks, most_bytes)
    if not _DIGITS.fullmatch(length):
        raise HttpError(413 if length.isdigit() else 400, "The length of the body is not one that this server takes.")
    size_bytes = int(length)
    if size_bytes > most_bytes:
        raise _of_body(HttpError(413, f"The body is too long: at most {most_bytes} bytes are taken here."), size_bytes)
    if size_bytes and any(coding.strip().lower() not in (b"", b"identity") for coding in _CODING.findall(head)):
        raise HttpError(415, "The body is coded; this server takes it as it is.", [("Accept-Encoding", "identity")])
    return size_bytes
