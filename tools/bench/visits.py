"""Browsers that load the page: six connections each, as browsers open them, every file once."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tools.bench.certs import SERVER_NAME
from tools.bench.ears import Doorway
from tools.bench.engine import Member
from tools.bench.link import plain

if TYPE_CHECKING:
    from tools.bench.link import Link

CONNECTIONS = 6
"""Of one browser to one host, over HTTP/1.1 (Chromium, Firefox, Safari)."""
_PATH = re.compile(rb'(?:src|href)="(/[^"#]+)"')
_TIMEOUT_S = 10.0


def request(path: str) -> bytes:
    """A request as a browser writes it, without what says who it is."""
    return f"GET {path} HTTP/1.1\r\nHost: {SERVER_NAME}\r\nAccept-Encoding: gzip\r\n\r\n".encode()


def paths_of_page(context: ssl.SSLContext, address: tuple[str, int]) -> list[str]:
    """Return what a browser loads before the first message: the page and all that it names.

    Raises:
        OSError: there is no page.
    """
    with (
        socket.create_connection(address, _TIMEOUT_S) as plain_socket,
        context.wrap_socket(plain_socket, server_hostname=SERVER_NAME) as tls,
    ):
        tls.sendall(request("/").replace(b"Accept-Encoding: gzip\r\n", b"Connection: close\r\n"))
        page = b""
        while data := tls.recv(1 << 16):
            page += data
    if not page.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError("the server has no page")
    return ["/", *dict.fromkeys(path.decode() for path in _PATH.findall(page))]


class Loader(Doorway):
    """One connection of a browser: a file after the other.

    Args:
        link: the connection.
        paths: of the files, at least one.
    """

    def __init__(self, link: Link, paths: Sequence[str]) -> None:
        super().__init__(link, "", "")
        self._paths = list(reversed(paths))
        self._left = -1  # bytes of the answer that are still to come; below 0 its head is

    def knock(self, secret: str) -> None:  # noqa: ARG002  (it needs none)
        self._link.queue(request(self._paths.pop()))
        self._link.flush()

    def hear(self, size: int) -> None:
        self.heard_bytes += size
        data = self._rest + plain[:size]
        if self._left < 0:
            head, separator, data = data.partition(b"\r\n\r\n")
            if not separator:
                self._rest = bytes(head)
                return
            self._rest = b""
            length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            if not head.startswith(b"HTTP/1.1 200 ") or length is None:
                raise ConnectionError(f"no file: {bytes(head[:40])!r}")
            self._left = int(length[1])
        self._left -= len(data)
        if self._left > 0:
            return
        self._left = -1
        if self._paths:
            self.knock("")
        else:
            self.inside = True


class Visitor(Member):
    """One connection of a browser.

    Args:
        name: for complaints.
        paths: what it loads.
    """

    __slots__ = ("_paths",)

    def __init__(self, name: str, paths: Sequence[str]) -> None:
        super().__init__(name, "", web=True)
        self._paths = paths

    def doorway_of(self, link: Link) -> Doorway:
        return Loader(link, self._paths)


def visitors(count: int, paths: Sequence[str]) -> list[Visitor]:
    """The connections of so many browsers; each has its files spread over them."""
    shares = [paths[number::CONNECTIONS] for number in range(min(CONNECTIONS, len(paths)))]
    return [Visitor(f"page{page}.{number}", share) for page in range(count) for number, share in enumerate(shares)]
