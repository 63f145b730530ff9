"""Scrapes the metrics of the server under test, between two polls of the generator."""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

_REQUEST = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n{}\r\n"
_TIMEOUT_S = 10.0


class Scraping:
    """One connection of a scraper, which asks at a fixed interval.

    Args:
        port: of the metrics, on 127.0.0.1; or of the server, for a scrape by a token.
        every_s: seconds from one scrape to the next.
        token: with the scope ``metrics``.
        context: verifies the server; for a scrape by a token.
    """

    def __init__(self, port: int, every_s: float, token: str = "", context: ssl.SSLContext | None = None) -> None:
        self.done = 0
        self.size_bytes = 0  # of the last text
        self.took_s: list[float] = []
        self._every_s = every_s
        self._sock = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
        if context is not None:
            self._sock = context.wrap_socket(self._sock, server_hostname="127.0.0.1")
        self._request = _REQUEST.format(f"Authorization: Bearer {token}\r\n" if token else "").encode()
        self._buffer = b""
        self._asked_at: float | None = None
        self._next_at = time.monotonic() + every_s / 2

    def tick(self) -> None:
        """Ask when it is time, and read what has come."""
        now = time.monotonic()
        if self._asked_at is None:
            if now >= self._next_at:
                self._sock.setblocking(False)
                self._sock.send(self._request)
                self._asked_at, self._next_at = now, now + self._every_s
            return
        try:
            self._buffer += self._sock.recv(1 << 16)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        if self._is_whole():
            self.took_s.append(now - self._asked_at)
            self._buffer, self._asked_at = b"", None
            self.done += 1

    def close(self) -> None:
        """Be gone."""
        self._sock.close()

    def _is_whole(self) -> bool:
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        length = re.search(rb"\r\nContent-Length: (\d+)", head)
        if not separator:
            return False
        if not head.startswith(b"HTTP/1.1 200 ") or length is None:
            raise ConnectionError(f"no metrics: {head[:60]!r}")
        self.size_bytes = int(length[1])
        return len(body) >= self.size_bytes


def metrics_token(data: Path) -> str:
    """Make a bot that may read the metrics of the server over this data directory, and return its token."""
    command = [sys.executable, "-m", "securechat.cli.admin", "--data", str(data), "bot", "add", "prometheus"]
    made = subprocess.run([*command, "--scope", "metrics", "--json"], capture_output=True, text=True, check=True)
    return str(json.loads(made.stdout)["secret"])
