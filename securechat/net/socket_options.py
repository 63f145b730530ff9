"""Sets socket options, starts TLS on a socket, and classifies socket errors."""

from __future__ import annotations

import errno
import socket
import ssl
import traceback
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from securechat.limits import Limits


class CloseReason(StrEnum):
    """The reasons why a connection ended. Values are stable words for logs and metrics."""

    LOCAL = "local"  # closed by this side
    PEER_CLOSED = "peer_closed"  # a clean end: close_notify, or an end before the handshake was over
    TRUNCATED = "truncated"  # FIN without close_notify (RFC 8446, section 6.1): the last bytes may be missing
    RESET = "reset"
    TLS_ERROR = "tls_error"
    HANDSHAKE_TIMEOUT = "handshake_timeout"
    TIMED_OUT = "timed_out"  # the peer acknowledged nothing for tcp_user_timeout_s
    SLOW_READER = "slow_reader"  # over an outbox limit, and the handler did not close
    FAILED = "failed"  # any other error of the socket
    INTERNAL = "internal"  # a bug in work for the connection, and the handler did not close


class ConnectionState(Enum):
    """The stages of a connection."""

    NEW = "new"
    HANDSHAKING = "handshaking"
    OPEN = "open"
    CLOSING = "closing"  # last words are being sent; input is decrypted and dropped
    LINGERING = "lingering"  # FIN is sent; raw input is dropped
    CLOSED = "closed"


_RESET_ERRNOS = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ENOTCONN, errno.ESHUTDOWN})
_TIMEOUT_ERRNOS = frozenset({errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN})
_TLS_REASONS = (
    (ssl.SSLSyscallError, CloseReason.RESET),
    (ssl.SSLZeroReturnError, CloseReason.PEER_CLOSED),
    (ssl.SSLError, CloseReason.TLS_ERROR),  # last, because it is the base class of the others
)


def reason_of(exc: Exception, *, handshaking: bool) -> CloseReason:
    """The reason for an error that a TLS socket raised."""
    if isinstance(exc, ssl.SSLEOFError):
        # Before gh-115627 Python lost the errno of a reset and called it EOF too; with a FIN OpenSSL 3 gives a reason.
        if not exc.reason and ssl.OPENSSL_VERSION_INFO >= (3,):
            return CloseReason.RESET
        return CloseReason.PEER_CLOSED if handshaking else CloseReason.TRUNCATED
    for kind, reason in _TLS_REASONS:
        if isinstance(exc, kind):
            return reason
    number = exc.errno if isinstance(exc, OSError) else None
    if number in _RESET_ERRNOS:
        return CloseReason.RESET
    return CloseReason.TIMED_OUT if number in _TIMEOUT_ERRNOS else CloseReason.FAILED


def label_of_peer(peer: tuple[Any, ...]) -> str:
    """A peer's address and port, with brackets around an IPv6 address (RFC 3986, section 3.2.2)."""
    if len(peer) < 2:
        return "a peer without an address"
    host, port = peer[:2]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def set_options(sock: socket.socket, limits: Limits) -> None:
    """Set the options of every connection: non-blocking, no Nagle, a bounded kernel buffer, a timeout for dead peers.

    With Nagle's algorithm the 99th percentile is 24 to 46 ms; without SO_SNDBUF the kernel holds 4 MiB for a reader
    that stopped. Both were measured.
    """
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.send_buffer_bytes)
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    user_timeout = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux only
    if user_timeout is not None:
        sock.setsockopt(socket.IPPROTO_TCP, user_timeout, round(limits.tcp_user_timeout_s * 1000))


def begin_tls(
    sock: socket.socket, context: ssl.SSLContext, server_hostname: str | None, limits: Limits
) -> ssl.SSLSocket:
    """Set the options and put ``sock`` under TLS; the handshake is still to come.

    Args:
        sock: a connected TCP socket; taken over, also when this raises.
        context: the TLS settings.
        server_hostname: the name to verify; None on the server side.
        limits: the source of the options' values.

    Raises:
        OSError, ValueError: the socket is already dead, or TLS cannot be started with these arguments.
    """
    try:
        set_options(sock, limits)
        sock.getpeername()  # raises one and the same error for a socket that was reset meanwhile, on every Python
        return context.wrap_socket(
            sock,
            server_side=server_hostname is None,
            server_hostname=server_hostname,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
        )
    except (OSError, ValueError) as exc:
        sock.close()
        _close_half_made(exc)
        raise


def _close_half_made(exc: Exception) -> None:
    """Close the SSLSocket that ``wrap_socket`` made from the descriptor before it failed.

    Before gh-113280 (3.11.7 is one) a reset that comes just before or during ``wrap_socket`` leaves it open, referenced
    by the traceback alone: keeping the exception would keep the descriptor.
    """
    for frame, _ in traceback.walk_tb(exc.__traceback__):
        half_made = frame.f_locals.get("self")
        if isinstance(half_made, ssl.SSLSocket):
            half_made.close()
