"""Connections that each send one recorded ClientHello and nothing after it; those that are closed are replaced.

Prints a line when all are connected and one part in SUSTAINED is replaced, so that the server has seen all of them, and
goes on until it is killed, at most LIFE_S.

Usage: hello_replay.py PORT SIZE [ALPN]
"""

from __future__ import annotations

import os
import selectors
import socket
import ssl
import sys
import time

LIFE_S = 600.0
SUSTAINED = 4
AT_ONCE = 64  # connects between two looks at the others


def recorded_hello(protocols: list[str]) -> bytes:
    """A ClientHello as Python's ssl sends it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if protocols:
        context.set_alpn_protocols(protocols)
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a server")


class Crowd:
    """All of them, in one selector.

    Args:
        port: of the server on 127.0.0.1.
        size: how many.
        protocols: what they offer.
    """

    def __init__(self, port: int, size: int, protocols: list[str]) -> None:
        self._port, self._size = port, size
        self._hello = recorded_hello(protocols)
        self._selector = selectors.DefaultSelector()
        self._live = self._made = self.replaced = 0

    def step(self) -> bool:
        """Connect those that are missing, let the others send or notice their end; whether all are there."""
        missing = self._size - self._live
        for _ in range(min(AT_ONCE, missing)):
            self._connect()
        for key, events in self._selector.select(0 if missing > AT_ONCE else 0.1):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            try:
                if events & selectors.EVENT_WRITE:
                    sock.send(self._hello)
                    self._selector.modify(sock, selectors.EVENT_READ)
                elif not sock.recv(65_536):
                    raise ConnectionResetError
            except BlockingIOError:
                continue
            except OSError:
                self._selector.unregister(sock)
                sock.close()
                self._live -= 1
                self.replaced += 1
        return missing <= 0

    def _connect(self) -> None:
        """From the next address: no two neighbours in time come from the same."""
        number, self._made = self._made, self._made + 1
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind((f"127.{1 + number // 65_025 % 250}.{number // 255 % 255}.{1 + number % 254}", 0))
        sock.connect_ex(("127.0.0.1", self._port))
        self._selector.register(sock, selectors.EVENT_WRITE)
        self._live += 1


def main() -> None:
    os.nice(19)  # it plays many machines, which do not take the server's processors from it
    port, size = map(int, sys.argv[1:3])
    crowd = Crowd(port, size, sys.argv[3:])
    end = time.monotonic() + LIFE_S
    told = False
    while time.monotonic() < end:
        if crowd.step() and not told and crowd.replaced >= size // SUSTAINED:
            print("sustained", flush=True)
            told = True


main()
