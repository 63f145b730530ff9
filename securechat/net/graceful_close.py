"""Closes a connection in steps so that the peer receives the last bytes, within bounds.

A plain close with unread input makes the kernel send RST, and the peer loses the last bytes (measured; nginx lingers
for the same reason). So the steps are: close_notify (RFC 8446, section 6.1), FIN, read and discard further input,
close.

A peer cannot delay this without bounds. It has limits.lingering_close_s after each sign that it reads, limits.drain_s
until everything is sent, and may send limits.lingering_close_bytes. One whose long request is refused before its end
sends the rest of it first, as a rule, and reads then: that may come too, within limits.upload_stall_s, while it comes.
The transport decides the order of the steps and what the selector watches meanwhile.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from securechat.net.outbox import TLS_RECORD_BYTES

if TYPE_CHECKING:
    from securechat.net.loop import Loop

_RECORDS_SHARE = 4
"""What is discarded is not decrypted: records of 100 bytes have a quarter around them."""


class GracefulClose:
    """One connection being closed; its deadline runs from here on.

    Args:
        loop: the loop.
        sock: owned by the transport, and never closed here.
        late: called at the deadline.
        peer_closed: whether the peer has ended its side already.
        unread_bytes: of a request that is refused before its end; discarded beyond limits.lingering_close_bytes.
    """

    __slots__ = ("_close_by", "_deadline", "_discard_left_bytes", "_linger_by", "_loop", "_peer_closed", "_sock")

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        late: Callable[[], None],
        *,
        peer_closed: bool = False,
        unread_bytes: int = 0,
    ) -> None:
        limits = loop.limits
        self._loop = loop
        self._sock = sock
        self._peer_closed = peer_closed
        self._close_by = loop.now + limits.drain_s
        self._deadline = loop.call_later(limits.lingering_close_s, late)
        self._discard_left_bytes = limits.lingering_close_bytes + unread_bytes + unread_bytes // _RECORDS_SHARE
        self._linger_by = loop.now + limits.upload_stall_s if unread_bytes else None

    def progressed(self) -> None:
        """Extend the deadline, up to limits.drain_s in all: the peer reads what is still queued."""
        self._deadline.postpone(min(self._loop.now + self._loop.limits.lingering_close_s, self._close_by))

    def close_notify(self) -> bool:
        """Send close_notify, where the connection has TLS; others go on with `fin`.

        Returns:
            False when the socket is full: call again when it is writable.
        """
        try:
            cast(ssl.SSLSocket, self._sock).unwrap()
        except ssl.SSLWantWriteError:
            return False
        except (OSError, ValueError):
            pass  # WantRead: ours is sent, theirs has not arrived. Others: the peer is gone.
        return True

    def fin(self) -> bool:
        """End this side; ``SSLSocket.shutdown`` makes the socket a plain one.

        Returns:
            Whether to linger: the peer may still send, and its input can still be read.
        """
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        self._deadline.postpone(self._loop.now + self._loop.limits.lingering_close_s)
        return not self._peer_closed and self._discard_left_bytes > 0

    def discard(self) -> bool:
        """Read input from the kernel, so that closing sends no RST, up to a bound. As much in one pass as of any peer.

        Returns:
            Whether to stop: the peer has ended its side, the socket broke, or the budget is spent.
        """
        if self._linger_by is not None:
            self._deadline.postpone(min(self._loop.now + self._loop.limits.lingering_close_s, self._linger_by))
        left_in_pass = self._discard_left_bytes - self._loop.limits.read_bytes_per_pass
        while self._discard_left_bytes > 0:
            if self._discard_left_bytes <= left_in_pass:
                return False
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
        """Cancel the deadline: the descriptor is about to be closed."""
        self._deadline.cancel()
