"""A unix-domain socket on the loop that exchanges lines, for the operator's tool.

The socket is 0600 from its first instant; a file left behind by a killed server is replaced, the socket of a live one
never. A peer that sends garbage, too much or nothing, or stops reading, is disconnected after a while and affects no
other. The next line is read only when the handler asks for it, so input cannot pile up, and long answers are pulled
from an iterator as the peer takes them, so output cannot either.

It does not know the meaning of a line. Windows has no such sockets in Python: `UnixSocketUnavailable` reports it.
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
from securechat.translation import Sentence, sentence_of, system_error

LINE_BYTES = 65_536
"""The longest line, without its end: an announcement is at most limits.MAX_TEXT_BYTES."""
CONNECTIONS = 16
"""Connections at once; each may hold a line and OUTBOX_BYTES. An operator and a few scripts need two or three."""
OUTBOX_BYTES = 65_536
"""Unsent bytes from which an iterator is not asked for more."""
LINES_PER_PASS = 100
"""Lines pulled from an iterator at once: making one may take 10 us and more, while other work waits."""
IDLE_S = 60.0
"""Seconds for a whole line to arrive; an idle connection occupies a slot that others may need."""
STALL_S = 30.0
"""Seconds within which a peer must take some of its output."""

_READ_BYTES = 65_536
_ACCEPTS_PER_PASS = 4
_BACKLOG = 128
_PAUSE_S = 1.0
"""Pause when descriptors run out; unlike the network listener, this one keeps no spare descriptor."""
_PATH_BYTES = 107 if sys.platform == "linux" else 103
"""sun_path holds 108 bytes on Linux and 104 on the BSDs and macOS (unix(7), unix(4)), the last a zero."""


class UnixSocketUnavailable(Exception):
    """Such a socket is impossible here; the message says why and what to do."""


class UnixLineHandler(Protocol):
    """The handler of a connection. All calls come on the loop's thread."""

    def line_received(self, line: bytes) -> None:
        """One line without its end. The next comes only after `UnixLineConnection.next_line`."""

    def line_too_long(self) -> None:
        """A line exceeds LINE_BYTES, and its end cannot be found. Report it and close."""

    def failed(self) -> None:
        """Work for this connection raised an exception, already reported. Tell the peer and close."""

    def connection_lost(self) -> None:
        """The connection is closed. Called exactly once, last."""


class UnixLineConnection:
    """One accepted connection; made by `UnixLineListener`.

    Attributes:
        uid: the user id of the peer, from the kernel; None where the system does not tell.
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
        self._busy = False  # the handler is processing a line
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
        """Start reading."""
        self._handler = handler
        self._settle()

    @property
    def backlog_bytes(self) -> int:
        """Bytes that the peer has not taken yet."""
        return len(self._outbox)

    def write(self, data: bytes) -> None:
        """Send, now or as the peer takes it. Ignored after the end."""
        if not self._closed and not self._closing:
            self._outbox += data
            self._flush()

    def write_from(self, source: Iterator[bytes]) -> None:
        """Send everything that ``source`` yields, pulling it as the peer takes it; only one at a time."""
        assert self._source is None, "the last answer is still under way"
        if not self._closed and not self._closing:
            self._source = source
            self._flush()

    def next_line(self) -> None:
        """Read the next line: the answer is complete, or queued."""
        self._busy = False
        self._settle()

    def close(self) -> None:
        """Send queued bytes, then close; no further line is read."""
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
        """Let the handler report the failure, once: work for this connection raised an exception."""
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
        """Read from or write to the socket."""
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
        """Deliver the lines that are requested and complete, then update the selector's interest."""
        if self._settling:  # a handler answered at once: the loop below continues instead of recursing
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
        """Deliver a line to the handler; false when there is none."""
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
        """Set the deadline for the next input or output."""
        sending = bool(self._outbox) or self._source is not None
        if not sending and (self._closing or (self._peer_ended and not self._busy)):
            self.abort()
            return
        reading = not self._busy and not self._closing and not self._peer_ended and self._source is None
        self._watch((EVENT_READ if reading else 0) | (EVENT_WRITE if sending else 0))
        waits_for = ("room", self._sent_bytes) if sending else ("line", self._lines) if reading else None
        if waits_for == self._waits_for:  # no progress: the deadline stays
            return
        self._waits_for = waits_for
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if waits_for is not None:
            self._timer = self._loop.call_later(STALL_S if sending else IDLE_S, self.abort)

    # --- writing

    def _flush(self) -> None:
        """Send what the peer takes, pulling at most LINES_PER_PASS further lines."""
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
        """Pull a few lines; when the socket is writable the next pass pulls more."""
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
    """Accepts on a socket file. The caller's lock of the data directory makes it the only server here.

    Args:
        loop: the loop.
        path: the socket file; removed again by `close`.
        on_connection: receives each new connection; must call its ``start(handler)``.
        full: a line for clients beyond CONNECTIONS.

    Raises:
        UnixSocketUnavailable: such a socket is impossible here.
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
        """Stop accepting, end every connection, and remove the file. Needs no running loop; idempotent."""
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
        """A client waits: accept it."""
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
                continue  # the client has closed again
            self._admit(sock)

    @property
    def label(self) -> str:
        """The path it listens on."""
        return str(self._path)

    def fail(self) -> None:
        """Nothing to end: ``on_connection`` raised, and its connection is closed already."""

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
        UnixSocketUnavailable: such a socket is impossible here.
        OSError: no server listens (ConnectionRefusedError, FileNotFoundError), or access is denied.
    """
    sock = _new_socket()
    try:
        # With O_NONBLOCK a full backlog is an error at once (unix(7)); this waits for a slot, up to the timeout.
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
        raise UnixSocketUnavailable(Sentence("administration from the same machine is not available on Windows yet"))

else:

    def _new_socket() -> socket.socket:
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def _bind(path: Path) -> socket.socket:
    """Make a listening socket, accessible to the owner alone from its first instant."""
    sock = _new_socket()
    try:
        _make_way(path)
        mask = os.umask(0o177)  # the file is made with 0777 less this (unix(7)); no other code makes files meanwhile
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
        raise UnixSocketUnavailable(
            Sentence("cannot listen on {where}: {why}", where=path, why=system_error(error))
        ) from error
    except BaseException:
        sock.close()
        raise
    return sock


def why_unusable(path: Path) -> str | None:
    """Return why no `UnixLineListener` can listen on a path, in a sentence; None when one can. Changes nothing."""
    try:
        if sys.platform != "linux":
            with _reachable(path):
                pass
        _is_left_behind(path)
    except UnixSocketUnavailable as reason:
        return sentence_of(reason)
    except OSError:
        pass  # a directory that this user may not look into
    return None


def _make_way(path: Path) -> None:
    """Remove the socket file of a server that has ended, and nothing else."""
    if _is_left_behind(path):
        path.unlink(missing_ok=True)


def _is_left_behind(path: Path) -> bool:
    """Whether the socket file of a server that has ended is there.

    Raises:
        UnixSocketUnavailable: something else is.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(mode):
        raise UnixSocketUnavailable(
            Sentence("{path} is in the way and is no socket: move it elsewhere and start again", path=path)
        )
    try:
        connect_unix(path, 1.0).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except OSError:
        pass  # a live server that is slow to accept
    raise UnixSocketUnavailable(Sentence("another server listens on {path}: stop that one first", path=path))


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
        UnixSocketUnavailable: it is too long, and the system offers no shorter name.
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
            Sentence(
                "the path {path} is too long for a socket (at most {most} bytes): use a data directory with a shorter "
                "path, or reach it through a symbolic link",
                path=path,
                most=_PATH_BYTES,
            )
        )
