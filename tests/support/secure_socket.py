"""A TLS connection of a test that leaves no open socket behind when it fails."""

from __future__ import annotations

import socket
import ssl

from tests.support import patience

PATIENCE_S = patience.PATIENCE_S


def secure_socket(
    context: ssl.SSLContext,
    address: tuple[str, int],
    *,
    server_hostname: str | None = None,
    source_address: tuple[str, int] | None = None,
    receive_buffer: int | None = None,
    suppress_ragged_eofs: bool = True,
) -> ssl.SSLSocket:
    """Connect, and shake hands.

    Args:
        context: with what is trusted and offered.
        address: host and port.
        server_hostname: what the certificate must be for, if not the host.
        source_address: from where.
        receive_buffer: ``SO_RCVBUF``, in bytes.
        suppress_ragged_eofs: an end without close_notify is an end like another.

    Raises:
        OSError: there is no connection, or no handshake; the socket is closed.
    """
    raw = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    raw.settimeout(PATIENCE_S)
    if receive_buffer is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Wrapped first: a connection that is reset before it is wrapped leaves a socket that nothing can close.
    made = context.wrap_socket(
        raw, server_hostname=server_hostname or address[0], suppress_ragged_eofs=suppress_ragged_eofs
    )
    try:
        if source_address is not None:
            made.bind(source_address)
        made.connect(address)
    except BaseException:
        made.close()
        raise
    return made
