"""A unix-domain socket on the loop: lines in, lines out, for the few who may open a file of ours.

It promises: the socket is 0600 from its first instant; a file left behind by a killed server is replaced, the socket
of a living one never; whoever sends rubbish, too much or nothing, or stops reading, is put out after a while and costs
nobody else anything. One line at a time: the next is read only when the handler asks for it, so input cannot pile up,
and long answers are pulled from an iterator as the peer takes them, so output cannot either.

It refuses to know what a line means. Windows has no such sockets in Python: there `UnixSocketUnavailable` says so.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from securechat.net.loop import EVENT_READ, EVENT_WRITE, Loop
from securechat.net.timers import Timer

LINE_BYTES = 65_536
"""The longest line, without its end: an announcement is at most limits.MAX_TEXT_BYTES."""
CONNECTIONS = 16
"""At once; every one may hold a line and OUTBOX_BYTES. A person and a few scripts need two or three."""
OUTBOX_BYTES = 65_536
"""An iterator is not asked for more while so much waits."""
LINES_PER_PASS = 100
"""Pulled from an iterator at once: what makes a line may take 10 us and more, and others wait meanwhile."""
IDLE_S = 60.0
"""Seconds for a whole line to come; whoever sends none holds a place that others may need."""
STALL_S = 30.0
"""Seconds in which a peer must take something of what it is sent."""

_READ_BYTES = 65_536
_ACCEPTS_PER_PASS = 4
_BACKLOG = 128
_PAUSE_S = 1.0
"""Rest when descriptors run out; the network listener keeps a spare one, we can wait."""
_PATH_BYTES = 107 if sys.platform == "linux" else 103
"""sun_path holds 108 bytes on Linux and 104 on the BSDs and macOS (unix(7), unix(4)), the last a zero."""


class UnixSocketUnavailable(Exception):
    """There can be no such socket here; the sentence says why and what to do."""


class UnixLineHandler(Protocol):
    """Whoever speaks over a connection. All calls come on the loop's thread."""

    def line_received(self, line: bytes) -> None:
        """One line without its end. The next comes only after `UnixLineConnection.next_line`."""

    def line_too_long(self) -> None:
        """A line went over LINE_BYTES: there is no way back to its end. Say so and close."""

    def failed(self) -> None:
        """Work for this connection raised; the error is reported already. Say so and close."""

    def connection_lost(self) -> None:
        """The connection is gone. Exactly once, the last call."""


class UnixLineConnection:
    """One accepted connection; made by `UnixLineListener`.

    Attributes:
        uid: the user at the other end as the kernel vouches for it; None where the system does not tell.
    """

    def __init__(self, loop: Loop, sock: socket.socket, on_gone: Callable[[UnixLineConnection], None]) -> None:
        sock.setblocking(False)
        self.uid = peer_uid(sock)
        self._loop = loop
        self._sock = sock
        self._on_gone = on_gone
        self._handler: UnixLineHandler | None = None
        self._inbox = bytearray()
        self._outbox = bytearray()
        self._source: Iterator[bytes] | None = None
        self._busy = False  # a line is with the handler
        self._peer_ended = False
        self._closing = False
        self._closed = False
        self._failed = False
        self._interest = 0
        self._settling = False
        self._lines = self._sent_bytes = 0  # so far
        self._waits_for: tuple[str, int] | None = None
        self._timer: Timer | None = None

    def start(self, handler: UnixLineHandler) -> None:
        """Begin to read."""
        self._handler = handler
        self._settle()

    @property
    def backlog_bytes(self) -> int:
        """What the peer has not taken yet."""
        return len(self._outbox)

    def write(self, data: bytes) -> None:
        """Send, now or as the peer takes it. After the end it goes nowhere."""
        if not self._closed and not self._closing:
            self._outbox += data
            self._flush()

    def write_from(self, source: Iterator[bytes]) -> None:
        """Send all that ``source`` yields, pulling it as the peer takes it; only one at a time."""
        assert self._source is None, "the last answer is still under way"
        if not self._closed and not self._closing:
            self._source = source
            self._flush()

    def next_line(self) -> None:
        """The answer is complete, or under way: read on."""
        self._busy = False
        self._settle()

    def close(self) -> None:
        """Send what waits, then close; reading is over."""
        self._closing = True
        self._flush()

    def abort(self) -> None:
        """Close at once. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._watch(0)
        if self._timer is not None:
            self._timer.cancel()
        self._sock.close()
        self._source = None
        self._on_gone(self)
        if self._handler is not None:
            self._handler.connection_lost()

    # --- for the loop

    @property
    def label(self) -> str:
        """The user at the other end."""
        return "the operator's tool" if self.uid is None else f"the operator's tool of uid {self.uid}"

    def fail(self) -> None:
        """Work for this connection raised: the handler has last words, once."""
        handler, self._failed = None if self._failed else self._handler, True
        try:
            if handler is not None:
                self._busy = False
                self._source = None
                handler.failed()
        finally:
            if handler is None or not self._closing:
                self.abort()

    def ready(self, events: int) -> None:
        """The socket can be read or written."""
        if self._closed:  # earlier in this pass
            return
        if events & EVENT_WRITE:
            self._flush()
        if events & EVENT_READ and not self._closed:
            self._read()

    # --- reading

    def _read(self) -> None:
        try:
            data = self._sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.abort()
            return
        if data:
            self._inbox += data
        else:
            self._peer_ended = True
        self._settle()

    def _settle(self) -> None:
        """Hand out the lines that are wanted and there, then be interested in the right things."""
        if self._settling:  # a handler answered at once: the loop below goes on, so that many lines are no recursion
            return
        self._settling = True
        try:
            while not self._busy and not self._closing and not self._closed and self._source is None:
                if not self._hand_out():
                    break
        finally:
            self._settling = False
        if not self._closed:
            self._rest()

    def _hand_out(self) -> bool:
        """Give the handler a line; false when there is none."""
        assert self._handler is not None
        end = self._inbox.find(b"\n")
        if end < 0 and len(self._inbox) <= LINE_BYTES:
            return False
        self._busy = True
        if end < 0 or end > LINE_BYTES:
            self._handler.line_too_long()
            return True
        line = bytes(self._inbox[:end])
        del self._inbox[: end + 1]
        self._lines += 1
        self._handler.line_received(line)
        return True

    def _rest(self) -> None:
        """Wait for what comes next, and not for ever."""
        sending = bool(self._outbox) or self._source is not None
        if not sending and (self._closing or (self._peer_ended and not self._busy)):
            self.abort()
            return
        reading = not self._busy and not self._closing and not self._peer_ended and self._source is None
        self._watch((EVENT_READ if reading else 0) | (EVENT_WRITE if sending else 0))
        waits_for = ("room", self._sent_bytes) if sending else ("line", self._lines) if reading else None
        if waits_for == self._waits_for:  # no nearer: the deadline stands
            return
        self._waits_for = waits_for
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if waits_for is not None:
            self._timer = self._loop.call_later(STALL_S if sending else IDLE_S, self.abort)

    # --- writing

    def _flush(self) -> None:
        """Send what the peer takes, of at most LINES_PER_PASS further lines."""
        if self._closed:
            return
        self._fill()
        try:
            sent = self._sock.send(self._outbox) if self._outbox else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self.abort()
            return
        del self._outbox[:sent]
        self._sent_bytes += sent
        if self._busy:
            self._rest()
        else:
            self._settle()

    def _fill(self) -> None:
        """Pull a few lines; the writable socket asks for the next ones in the next pass."""
        for _ in range(LINES_PER_PASS):
            if self._source is None or len(self._outbox) >= OUTBOX_BYTES:
                break
            line = next(self._source, None)
            if line is None:
                self._source = None
            else:
                self._outbox += line

    def _watch(self, events: int) -> None:
        if events != self._interest:
            self._loop.watch(self._sock, self._interest, events, self)
            self._interest = events


class UnixLineListener:
    """Accepts on a socket file. The caller holds what makes it the only server here (the data directory's lock).

    Args:
        loop: the loop.
        path: the socket file; removed again by `close`.
        on_connection: told of each new connection; must call its ``start(handler)``.
        full: a line for those who come when CONNECTIONS are there.

    Raises:
        LocalUnavailable: see there.
    """

    def __init__(
        self, loop: Loop, path: Path, on_connection: Callable[[UnixLineConnection], None], full: bytes = b""
    ) -> None:
        self._loop = loop
        self._path = path
        self._on_connection = on_connection
        self._full = full
        self._connections: set[UnixLineConnection] = set()
        self._closed = False
        self._watched = False
        self._sock = _bind(path)
        self._identity = _identity(path)
        self._resume()

    def close(self) -> None:
        """Accept no more, end every connection, and remove the file. Needs no running loop; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._unwatch()
        self._sock.close()
        for connection in list(self._connections):
            connection.abort()
        if self._identity is not None and _identity(self._path) == self._identity:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def ready(self, events: int) -> None:  # noqa: ARG002  (the Watcher's signature; a listener is only ever readable)
        """Somebody waits."""
        for _ in range(_ACCEPTS_PER_PASS):
            try:
                sock, _ = self._sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                    self._unwatch()
                    self._loop.call_later(_PAUSE_S, self._resume)
                    return
                continue  # that one has gone again
            self._admit(sock)

    @property
    def label(self) -> str:
        """Where it listens."""
        return str(self._path)

    def fail(self) -> None:
        """``on_connection`` raised: that one is closed already."""

    def _admit(self, sock: socket.socket) -> None:
        if len(self._connections) >= CONNECTIONS:
            with contextlib.suppress(OSError):
                sock.setblocking(False)
                sock.send(self._full)
            sock.close()
            return
        connection = UnixLineConnection(self._loop, sock, self._connections.discard)
        self._connections.add(connection)
        try:
            self._on_connection(connection)
        except Exception:
            connection.abort()
            raise

    def _resume(self) -> None:
        if not self._closed and not self._watched:
            self._loop.watch(self._sock, 0, EVENT_READ, self)
            self._watched = True

    def _unwatch(self) -> None:
        if self._watched:
            self._loop.watch(self._sock, EVENT_READ, 0, self)
            self._watched = False


def connect_unix(path: Path, timeout_s: float) -> socket.socket:
    """Connect to a server's socket, blocking; the other end of `UnixLineListener`.

    Raises:
        LocalUnavailable: there can be no such socket here.
        OSError: nobody listens (ConnectionRefusedError, FileNotFoundError), or it may not be opened.
    """
    sock = _new_socket()
    try:
        # With O_NONBLOCK a full backlog is an error at once (unix(7)); this waits for a place, but not for ever.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", max(1, round(timeout_s)), 0))
        with _reachable(path) as name:
            sock.connect(name)
        sock.settimeout(timeout_s)
    except BaseException:
        sock.close()
        raise
    return sock


def peer_uid(sock: socket.socket) -> int | None:
    """The user id of the process that connected (SO_PEERCRED, unix(7)); None where the system does not tell."""
    uid = -1
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid if uid >= 0 else None


if sys.platform == "win32":

    def _new_socket() -> socket.socket:
        raise UnixSocketUnavailable("administration from the same machine is not available on Windows yet")

else:

    def _new_socket() -> socket.socket:
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def _bind(path: Path) -> socket.socket:
    """A listening socket, reachable by the owner alone from its first instant."""
    sock = _new_socket()
    try:
        _make_way(path)
        mask = os.umask(0o177)  # the file is made with 0777 less this (unix(7)); nobody else makes files meanwhile
        try:
            with _reachable(path) as name:
                sock.bind(name)
        finally:
            os.umask(mask)
        path.chmod(0o600)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise UnixSocketUnavailable(f"cannot listen on {path}: {error.strerror or error}") from error
    except BaseException:
        sock.close()
        raise
    return sock


def _make_way(path: Path) -> None:
    """Remove the socket of a server that is gone, and nothing else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise UnixSocketUnavailable(f"{path} is in the way and is no socket: move it elsewhere and start again")
    try:
        connect_unix(path, 1.0).close()
    except (ConnectionRefusedError, FileNotFoundError):
        path.unlink(missing_ok=True)
        return
    except OSError:
        pass  # somebody is there, if not very responsive
    raise UnixSocketUnavailable(f"another server listens on {path}: stop that one first")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """A name of ``path`` that is short enough for a socket: on Linux one through an open directory always is.

    Raises:
        LocalUnavailable: it is too long, and there is no such way.
    """
    if len(os.fsencode(path)) <= _PATH_BYTES:
        yield str(path)
    elif sys.platform == "linux":
        descriptor = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{descriptor}/{path.name}"
        finally:
            os.close(descriptor)
    else:
        raise UnixSocketUnavailable(
            f"the path {path} is too long for a socket (at most {_PATH_BYTES} bytes): "
            "use a data directory with a shorter path, or reach it through a symbolic link"
        )
