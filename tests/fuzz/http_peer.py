"""A browser gone wrong, on a running server: requests whole and spoilt, cut anywhere; each answer must be one of HTTP.

It begins with the requests of the corpus. What it sends as WebSocket frames is `tests.fuzz.web_peer`'s affair: here the
bytes behind an upgrade are whatever the spoilt request left there.
"""

from __future__ import annotations

import random
import re
import socket
import ssl
import time
from collections import Counter
from contextlib import suppress

from tests.fuzz.ring import Ring
from tests.fuzz.run import mutate, seeds
from tests.support.secure_socket import secure_socket
from tests.support.server import PATIENCE_S, ServerProcess

_STATUS = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) [A-Z][A-Za-z -]*\r\n")
_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)(?=\r\n)")
_MOST_REQUESTS = 20


class HttpPeer:
    """One peer.

    Args:
        who: its name in reports.
        seed: of the run.
        address: that it connects from.

    Attributes:
        kind: what its figures are called.
    """

    kind = "browsers"

    def __init__(self, who: str, seed: int, address: str) -> None:
        self.who = who
        self.dice = random.Random(f"{seed}/{who}")
        self.figures: Counter[str] = Counter()
        self.broken: list[str] = []
        self.ring = Ring()
        self.sock: socket.socket | None = None
        self.stalled_until = 0.0
        self._address = address
        self._corpus = [each[1:].replace(b"chat.example", b"localhost") for each in seeds("http_connection")]
        self._outbox = bytearray()
        self._inbox = bytearray()
        self._since = 0.0
        self._acts_left = 0
        self._upgraded = False

    def connect(self, port: int, context: ssl.SSLContext) -> None:
        """Come as a browser does."""
        self.sock = self._open(port, context)
        self.sock.setblocking(False)
        self.ring = Ring()
        self._outbox.clear()
        self._inbox.clear()
        self._since = time.monotonic()
        self._acts_left = self.dice.randint(1, _MOST_REQUESTS)
        self._upgraded = False
        self.figures[f"connections of {self.kind}"] += 1

    def _open(self, port: int, context: ssl.SSLContext) -> socket.socket:
        return secure_socket(
            context, ("127.0.0.1", port), source_address=(self._address, 0), suppress_ragged_eofs=False
        )

    def leave(self) -> None:
        """Close the connection, if there is one."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    @property
    def may_act(self) -> bool:
        """Whether everything is sent."""
        return not self._outbox

    def act(self, now: float) -> None:
        """Send a request, well or badly; or leave without a word."""
        if self._acts_left <= 0:
            self.leave()
            return
        self._acts_left -= 1
        request = self.dice.choice(self._corpus)
        if self.dice.random() < 0.8:
            request = mutate(request, self._corpus, self.dice)[:30_000]
        self._outbox += request
        self.ring.add(">", request)
        self.figures[f"requests of {self.kind}"] += 1
        self.stalled_until = now + self.dice.choice([0.0, 0.0, 0.02, 0.3])

    def flush(self) -> None:
        """Send a part of what waits."""
        if self.sock is None or not self._outbox:
            return
        with suppress(ssl.SSLWantWriteError, OSError):
            sent = self.sock.send(bytes(self._outbox[: self.dice.choice([1, 7, 500, 16_384])]))
            del self._outbox[:sent]

    def read(self) -> None:
        """Take and judge what came."""
        while self.sock is not None:
            try:
                data = self.sock.recv(65_536)
            except (ssl.SSLWantReadError, BlockingIOError):
                return
            except OSError:
                data = b""
            if not data:
                if self._inbox and not self._upgraded and not _STATUS.match(self._inbox):
                    self._complain(f"{bytes(self._inbox[:300])!r} before the end")
                self.leave()
                return
            self._since = time.monotonic()
            self.ring.add("<", data)
            self._inbox += data
            self._judge()

    def check_patience(self, now: float, patience_s: float) -> None:
        """Complain when the server neither answers nor ends a connection: its own deadlines are shorter than this."""
        if self.sock is None or self._upgraded:
            self._since = now
        elif now - self._since > patience_s + 15:
            self._complain(f"neither an answer nor an end in {patience_s + 15:.0f} s")
            self.leave()

    def _judge(self) -> None:
        """Take complete answers away."""
        while not self._upgraded and (end := self._inbox.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._inbox[: end + 2])
            status = _STATUS.match(head)
            length = _LENGTH.search(head)
            if status is None or (length is None) != (status[1] in (b"101", b"304")):
                self._complain(f"an answer that is none: {head[:300]!r}")
                self.leave()
                return
            self.figures[f"answers {status[1].decode()} to {self.kind}"] += 1
            if b"\r\nContent-Security-Policy: default-src 'none';" not in head:
                self._complain(f"an answer without its rules: {head[:300]!r}")
            body = end + 4
            if length is not None and not self._inbox.startswith(b"HTTP/1.1 ", body):  # it was no HEAD
                body += int(length[1])
                if len(self._inbox) < body and b"\r\nConnection: close" not in head:
                    return
            del self._inbox[:body]
            self._upgraded = status[1] == b"101"

    def _complain(self, what: str) -> None:
        self.broken.append(f"{self.who}: {what}")


class MetricsPeer(HttpPeer):
    """The same on the listener for metrics, without TLS.

    Args:
        who: its name in reports.
        seed: of the run.
        server: whose metrics are asked for.
    """

    kind = "scrapers"

    def __init__(self, who: str, seed: int, server: ServerProcess) -> None:
        super().__init__(who, seed, "127.0.0.1")
        self._server = server
        asked = [b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in (b"metrics", b"healthz", b"readyz")]
        self._corpus += asked * (1 + len(self._corpus) // len(asked))

    def _open(self, port: int, context: ssl.SSLContext) -> socket.socket:
        host, _, metrics_port = self._server.wait_for_event("metrics")["address"].rpartition(":")
        return socket.create_connection((host, int(metrics_port)), PATIENCE_S)
