"""A socket on its way under TLS."""

from __future__ import annotations

import os
import socket
import ssl
import struct

import pytest

from securechat.limits import Limits
from securechat.net.socket_options import begin_tls


class _ResetAfterTheLook(socket.socket):
    """Connected when it is asked, reset by its peer just after."""

    other: socket.socket

    def getpeername(self) -> object:
        name = super().getpeername()
        _reset(self.other)
        return name


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname(), 10)
        ours, _ = listening.accept()
    return ours, theirs


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01"])
@pytest.mark.parametrize("moment", ["before", "amid"])
def test_a_reset_socket_is_closed_though_the_error_is_kept(
    server_context: ssl.SSLContext, sent: bytes, moment: str
) -> None:
    accepted, theirs = _connected()
    number = accepted.fileno()
    ours = _ResetAfterTheLook(fileno=accepted.detach())
    ours.other = theirs
    theirs.sendall(sent)
    if moment == "before":
        _reset(theirs)
    try:
        sock = begin_tls(ours, server_context, None, Limits())
    except OSError as exc:
        error = exc  # the traceback lives on with it, as it does with whoever is told
    else:  # a Python that puts off the bad news until the handshake
        sock.close()
        return
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    assert error.__traceback__ is not None
    assert ours.fileno() == -1


@pytest.mark.parametrize("name", ["", ".example", "x" * 64])
def test_a_name_that_tls_refuses_costs_no_descriptor(client_context: ssl.SSLContext, name: str) -> None:
    ours, theirs = _connected()
    number = ours.fileno()
    with pytest.raises(ValueError) as refused:
        begin_tls(ours, client_context, name, Limits())
    assert refused.value.__traceback__ is not None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    theirs.close()
