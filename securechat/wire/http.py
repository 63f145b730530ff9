"""The server's side of HTTP/1.1 (RFC 9112) on one connection: bytes in, requests out. GET and HEAD alone, no body.

`h11` reads what this module lets through. It forgives some of what makes two programs read one byte stream as different
requests (a bare LF, a folded line), so the head of a request is looked at before: it ends with the first CRLF CRLF, has
no other control character than the line ends and the tab, and h11 must find it to be exactly one request.

Knows no address, no file, no clock and no rule about hosts. An error never repeats what the client sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from msgspec import Struct

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

_END = b"\r\n\r\n"
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n|\Z)|(?<!\r)\n")
"""Control characters, a CR or LF alone. The \\Z: of a CR at the end of what has come, the LF may follow."""
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])\Z")
_FOLDED = re.compile(rb"\r\n[ \t]")
_LENGTH = re.compile(rb"\r\n(content-length|transfer-encoding)[ \t]*:[ \t]*([^\r]*)", re.IGNORECASE)
_HEADER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_KNOWN_METHODS = frozenset({b"CONNECT", b"DELETE", b"OPTIONS", b"PATCH", b"POST", b"PUT", b"TRACE"})
_AUTHORITY = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::(?P<port>[0-9]{1,5}))?\Z")
_HTTPS_PORT = 443

Headers = Sequence[tuple[str, str] | tuple[bytes, bytes]]


class HttpError(Exception):
    """A request that gets no answer but an error, behind which the connection ends.

    Args:
        status: of RFC 9110, section 15, or RFC 6585.
        sentence: what is wrong, for a person; repeats nothing of the request.
        headers: that this status needs, such as Allow.
    """

    def __init__(self, status: int, sentence: str, headers: Headers = ()) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = tuple(headers)


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
        method: GET or HEAD.
        target: in origin form (RFC 9112, section 3.2.1), as it came.
        host: of the Host header.
        origin: the Origin header; None where there is none.
        headers: all, names in lower case, as bytes.
    """

    method: str
    target: str
    host: Authority
    origin: str | None
    headers: tuple[tuple[bytes, bytes], ...]

    @property
    def path(self) -> str:
        """The target without its query, nothing decoded."""
        return self.target.partition("?")[0]

    @property
    def wants_close(self) -> bool:
        """Whether the client asks for the end of the connection behind the answer."""
        return "close" in self.words(b"connection")

    def words(self, name: bytes) -> list[str]:
        """Return the first MOST_ELEMENTS elements of a list header (RFC 9110, section 5.6.1), in lower case."""
        joined = b",".join(value for each, value in self.headers if each == name).lower()
        parts = joined.split(b",", MOST_ELEMENTS)[:MOST_ELEMENTS]
        return [part.strip().decode("iso-8859-1") for part in parts if part.strip()]


class HttpServerCodec:
    """The requests of one connection."""

    __slots__ = ("_buffer", "_error", "_head", "_seen_bytes")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._seen_bytes = 0  # of the buffer: nothing forbidden is there, nor more than a part of the end of a head
        self._head: bytes | None = None  # complete, and not parsed yet
        self._error: HttpError | None = None

    @property
    def began(self) -> bool:
        """Whether bytes have come that no request has used."""
        return bool(self._buffer)

    @property
    def ready(self) -> bool:
        """Whether `next_request` has something to return or to raise; cheap, for callers that put it off."""
        if self._head is None and self._error is None:
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
                return _request(head)
            except HttpError as error:
                self._give_up(error)
        assert self._error is not None
        raise self._error

    def switch(self) -> bytes:
        """Return what came behind the last request; this protocol is over."""
        left = bytes(self._buffer)
        self._buffer.clear()
        return left

    def _give_up(self, error: HttpError) -> None:
        self._error = error
        self._buffer.clear()

    def _next_head(self) -> bytes | None:
        buffer = self._buffer
        if not buffer:
            return None
        end = buffer.find(_END, max(0, self._seen_bytes - len(_END) + 1), HEAD_BYTES)
        size_bytes = end + len(_END) if end >= 0 else min(len(buffer), HEAD_BYTES)
        if _FORBIDDEN.search(buffer, max(0, self._seen_bytes - 1), size_bytes):
            raise HttpError(400, "The request has a character that it may not have.")
        if end < 0:
            if len(buffer) >= HEAD_BYTES:
                raise _too_long(bytes(buffer[:HEAD_BYTES]))
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
    head: bytes, body: bytes, *, date: str = "", closes: bool = False, has_body: bool = True, is_head: bool = False
) -> bytes:
    """Return an answer.

    Args:
        head: from `response_head`; says nothing of Content-Length, Date and Connection.
        body: of a GET.
        date: in the form of RFC 9110, section 5.6.7; empty for none.
        closes: whether the connection ends behind it.
        has_body: False for 1xx, 204 and 304.
        is_head: whether it answers a HEAD: all headers, and no body.
    """
    parts = [head]
    if date:
        parts.append(b"Date: %b\r\n" % date.encode())
    if has_body:
        parts.append(b"Content-Length: %d\r\n" % len(body))
    if closes:
        parts.append(b"Connection: close\r\n")
    parts.append(b"\r\n")
    if has_body and not is_head:
        parts.append(body)
    return b"".join(parts)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("ascii")


def _too_long(head: bytes) -> HttpError:
    if b"\r\n" not in head:
        return HttpError(414, "The address is too long.")
    return HttpError(431, "The headers are too long.")


def _request(head: bytes) -> Request:
    """Parse a complete head.

    Raises:
        HttpError: it is no request that this server answers.
    """
    line = _REQUEST_LINE.match(head[: head.index(b"\r\n")])
    if line is None:
        raise HttpError(400, "This is not an HTTP request.")
    if line[3] + line[4] != b"11":
        raise HttpError(505, "This server speaks HTTP/1.1.")
    if _FOLDED.search(head):
        raise HttpError(400, "A header continues on the next line.")
    if head.count(b"\r\n") - 2 > MOST_HEADERS:
        raise HttpError(431, "The request has too many headers.")
    read = _read_by_h11(head)
    headers = tuple(read.headers)
    _expect_no_body(head)
    if line[1] not in (b"GET", b"HEAD"):
        if line[1] in _KNOWN_METHODS:
            raise HttpError(405, "This server answers GET and HEAD.", [("Allow", ", ".join(METHODS))])
        raise HttpError(501, "This server answers GET and HEAD.")
    if not line[2].startswith(b"/"):
        raise HttpError(400, "The address of a request begins with a slash.")
    if any(name == b"expect" for name, _value in headers):
        raise HttpError(417, "This server expects nothing.")
    host = next(authority(value.decode("iso-8859-1")) for name, value in headers if name == b"host")
    if host is None:
        raise HttpError(400, "The Host header names no host.")
    origins = [value.decode("iso-8859-1") for name, value in headers if name == b"origin"]
    if len(origins) > 1:
        raise HttpError(400, "The request has two origins.")
    return Request(line[1].decode(), line[2].decode(), host, origins[0] if origins else None, headers)


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


def _expect_no_body(head: bytes) -> None:
    """Refuse a request with a body, and one that says in two ways how long it is (RFC 9112, section 6.3).

    Judged from the bytes, because h11 makes one of two equal lengths.
    """
    lengths = _LENGTH.findall(head)
    if len(lengths) > 1:
        raise HttpError(400, "The request says twice how long it is.")
    if lengths and (lengths[0][0].lower(), lengths[0][1].strip()) != (b"content-length", b"0"):
        raise HttpError(413, "A request to this server has no body.")
