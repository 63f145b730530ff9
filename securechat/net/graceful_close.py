"""The end of one connection: the steps that make our last words heard, and what they may cost.

A plain close with unread input makes the kernel send RST, and the peer loses what we said last (measured; nginx lingers
for the same reason). So: close_notify (RFC 8446, section 6.1), FIN, read and throw away what still comes, close.

A peer may not keep us with that. It has limits.lingering_close_s after each sign that it reads, limits.drain_s until
all is sent, and limits.lingering_close_bytes of its own to send. What order the steps come in and what the selector
watches meanwhile is the transport's.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from securechat.net.outbox import TLS_RECORD_BYTES

if TYPE_CHECKING:
    from securechat.net.loop import Loop


class GracefulClose:
    """One connection on its way out; the deadline runs from here on.

    Args:
        loop: the loop.
        sock: still the transport's, and never closed here.
        late: called when the deadline has come.
        peer_closed: whether the peer has ended its side already.
    """

    __slots__ = ("_close_by", "_deadline", "_discard_left_bytes", "_loop", "_peer_closed", "_sock")

    def __init__(self, loop: Loop, sock: ssl.SSLSocket, late: Callable[[], None], *, peer_closed: bool = False) -> None:
        limits = loop.limits
        self._loop = loop
        self._sock = sock
        self._peer_closed = peer_closed
        self._close_by = loop.now + limits.drain_s
        self._deadline = loop.call_later(limits.lingering_close_s, late)
        self._discard_left_bytes = limits.lingering_close_bytes

    def progressed(self) -> None:
        """The peer reads what is still queued: it may have more time, up to limits.drain_s in all."""
        self._deadline.postpone(min(self._loop.now + self._loop.limits.lingering_close_s, self._close_by))

    def close_notify(self) -> bool:
        """Say that nothing more comes.

        Returns:
            False when the socket is full: again when it is writable.
        """
        try:
            self._sock.unwrap()
        except ssl.SSLWantWriteError:
            return False
        except (OSError, ValueError):
            pass  # WantRead: ours is sent, theirs is not here yet. Others: nobody is left to hear it.
        return True

    def fin(self) -> bool:
        """End our side; ``SSLSocket.shutdown`` makes the socket a plain one.

        Returns:
            Whether to linger: the peer may still send, and we may still read.
        """
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        self._deadline.postpone(self._loop.now + self._loop.limits.lingering_close_s)
        return not self._peer_closed and self._discard_left_bytes > 0

    def discard(self) -> bool:
        """Take input out of the kernel, so that closing sends no RST, but only so much.

        Returns:
            Whether that is all: the peer has ended its side, the socket broke, or the budget is spent.
        """
        while self._discard_left_bytes > 0:
            try:
                data = self._sock.recv(TLS_RECORD_BYTES)
            except (ssl.SSLWantReadError, BlockingIOError):
                return False
            except (OSError, ValueError):
                return True
            if not data:
                self._peer_closed = True
                return True
            self._discard_left_bytes -= len(data)
        return True

    def over(self) -> None:
        """The descriptor is about to be closed: no deadline any more."""
        self._deadline.cancel()
