"""A socket pair that ends a ``select`` from another thread or from a signal handler.

The precedent is trio's ``_wakeup_socketpair``: one byte is written only if none is unread, so a burst of posts costs
one system call. A full pipe works as well as a byte in it, and a closed one belongs to a loop that has ended.
"""

from __future__ import annotations

import contextlib
import select
import socket

_SELECT_DESCRIPTORS = 1024  # select(2) knows no higher ones (FD_SETSIZE)
_DRAIN_BYTES = 4096  # signal.set_wakeup_fd adds one byte a signal; one read takes far more than can accumulate


class Wakeup:
    """The two ends: threads write to one, the selector watches the other."""

    __slots__ = ("_reader", "_signalled", "_writer")

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._signalled = False

    @property
    def reader(self) -> socket.socket:
        """The end for the selector."""
        return self._reader

    def writer_fileno(self) -> int:
        """The descriptor for ``signal.set_wakeup_fd``."""
        return self._writer.fileno()

    def signal(self) -> None:
        """End the current or the next ``select``. Callable from any thread and from signal handlers."""
        if not self._signalled:
            self._signalled = True
            # Blocking: enough bytes are unread. Other errors: the loop is closed.
            with contextlib.suppress(OSError):
                self._writer.send(b"\0")

    def wait(self, timeout_s: float) -> bool:
        """Wait for a signal alone, whatever other sockets are ready, and drain it.

        ``select`` counts microseconds, where epoll rounds up to milliseconds.

        Returns:
            Whether one came; False at once where ``select`` cannot take the descriptor.
        """
        if self._reader.fileno() >= _SELECT_DESCRIPTORS or not select.select([self._reader], [], [], timeout_s)[0]:
            return False
        self.drain()
        return True

    def drain(self) -> None:
        """Read the bytes and allow the next one.

        The flag is cleared before the caller reads its queue, so a post after that writes a byte.
        """
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(_DRAIN_BYTES)
        self._signalled = False

    def close(self) -> None:
        """Close both ends; a later :meth:`signal` is ignored."""
        self._reader.close()
        self._writer.close()
