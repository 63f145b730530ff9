"""Answers a client that speaks HTTP without TLS with one fixed text, and closes so that the client reads it.

A person who types ``HOST:PORT`` into a browser gets ``http://``. The text tells the way to ``https://``; it holds
nothing of the request, which is not read further than its first four bytes, and it is the only text that ever leaves
this program unencrypted.

Closing with unread input makes the kernel send RST, and the client loses the answer (measured; nginx lingers for the
same reason). So the steps are: send, FIN, read and discard, close; for limits.lingering_close_s and
limits.lingering_close_bytes at most, and for MOST_LINGERING connections at once. Over that the oldest one is closed: it
has had its answer for the longest time.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from securechat.net.loop import EVENT_READ, Loop
from securechat.net.socket_options import label_of_peer

if TYPE_CHECKING:
    from securechat.net.timers import Timer

HTTP_GET = b"GET "
"""How a request begins that is answered: a browser's navigation is no other (RFC 9110, section 9.3.1)."""
MOST_ANSWER_BYTES = 1_024
"""Of the text: a new socket takes it at once (the kernel's smallest send buffer is 4.5 KiB, socket(7))."""
MOST_LINGERING = 256
"""Connections being closed: of 4 KiB each, as much as one address with private numbers may open."""
_DISCARD_BYTES = 4_096


class _Answered:
    """One connection that has its answer, until the client has read it."""

    __slots__ = ("_answers", "deadline", "left_bytes", "peer", "sock")

    def __init__(self, answers: PlainAnswers, sock: socket.socket, peer: tuple[Any, ...], deadline: Timer) -> None:
        self._answers = answers
        self.sock = sock
        self.peer = peer
        self.deadline = deadline
        self.left_bytes = 0

    def ready(self, events: int) -> None:  # noqa: ARG002  (the Watcher's signature; it is only ever readable)
        """Discard what has come; the end of it is the end of the connection."""
        try:
            data = self.sock.recv(_DISCARD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.left_bytes -= len(data)
        if not data or self.left_bytes <= 0:
            self._answers.end(self)

    @property
    def label(self) -> str:
        """Address and port."""
        return label_of_peer(self.peer)

    def fail(self) -> None:
        """It cannot be served."""
        self._answers.end(self)


class PlainAnswers:
    """The connections of one server that were answered without TLS and are being closed.

    Args:
        loop: the loop.
        text: the answer, with everything that HTTP wants around it; at most MOST_ANSWER_BYTES. None: nothing is
            answered.
        on_closed: told the address of each, when its descriptor is free.

    Raises:
        ValueError: the text is too long.
    """

    def __init__(self, loop: Loop, text: bytes | None, on_closed: Callable[[str], None]) -> None:
        self._loop = loop
        self.text = text
        self._on_closed = on_closed
        self._lingering: dict[_Answered, None] = {}  # in the order of their coming

    @property
    def text(self) -> bytes | None:
        """The answer; may be replaced."""
        return self._text

    @text.setter
    def text(self, text: bytes | None) -> None:
        if text is not None and len(text) > MOST_ANSWER_BYTES:
            raise ValueError(f"an answer without TLS has at most {MOST_ANSWER_BYTES} bytes")
        self._text = text

    def __len__(self) -> int:
        """Connections being closed."""
        return len(self._lingering)

    def missing_bytes(self, data: bytes) -> int | None:
        """How many bytes are missing to the beginning of a request that is answered.

        Args:
            data: the first bytes of a connection, at least one.

        Returns:
            0: it is one. None: it is none, whatever follows.
        """
        if self._text is None or not (data.startswith(HTTP_GET) or HTTP_GET.startswith(data)):
            return None
        return max(0, len(HTTP_GET) - len(data))

    def answer(self, sock: socket.socket, peer: tuple[Any, ...]) -> None:
        """Answer and close a connection. It is taken over, and ``on_closed`` is told of it sooner or later.

        Args:
            sock: not blocking, registered with the loop for reading by someone else, who hands it over.
            peer: its address tuple.
        """
        limits = self._loop.limits
        answered = _Answered(
            self, sock, peer, self._loop.call_later(limits.lingering_close_s, lambda: self.end(answered))
        )
        answered.left_bytes = limits.lingering_close_bytes
        self._lingering[answered] = None
        self._loop.watch(sock, EVENT_READ, EVENT_READ, answered)
        try:
            sock.send(self._text or b"")
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.end(answered)
            return
        if len(self._lingering) > MOST_LINGERING:
            self.end_oldest()

    def end_oldest(self) -> bool:
        """Close the one that was answered first; returns whether there was one."""
        oldest = next(iter(self._lingering), None)
        if oldest is not None:
            self.end(oldest)
        return oldest is not None

    def end(self, answered: _Answered) -> None:
        """Close one. Harmless for one that is closed."""
        if answered not in self._lingering:
            return
        del self._lingering[answered]
        answered.deadline.cancel()
        self._loop.watch(answered.sock, EVENT_READ, 0, answered)
        answered.sock.close()
        self._on_closed(str(answered.peer[0]))

    def close(self) -> None:
        """Close all of them."""
        while self.end_oldest():
            pass
