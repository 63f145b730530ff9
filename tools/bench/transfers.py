"""The CPU that uploads and downloads cost the loop, for each MiB: bodies are dropped, and files made in memory.

    python -m tools.bench.transfers [--mib 25] [--rounds 3] [--clients 1 8]

The server is `HttpConnection` over real TLS with paths that do nothing (`tests.support.toy_files`): neither disk nor
hub is in these figures, and all of the process's CPU is the loop's. The bars are 3 ms a MiB up and 1.5 down. Beside
them stands what OpenSSL and the kernel take alone: a process that sends or receives the same records on one blocking
socket. On a busy machine that rises as the others do, so look at the difference first.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from securechat.limits import Limits
from securechat.net.socket_options import set_options
from securechat.server.web.transfers import OUTBOX_BYTES
from tests.support.secure_socket import secure_socket
from tests.support.toy_files import ToySource, ToyUpload, toy_bytes
from tests.support.transfer_rig import TransferRig
from tools.bench.certs import client_context, make_certificates
from tools.bench.process import GENERATOR_CORE, ROOT, SERVER_CORE, Server, pin

_MIB = 1024 * 1024
_BARS_MS = {"up": 3.0, "down": 1.5}
_PART = toy_bytes(0, 16 * 1024)
_READ = _PART * (OUTBOX_BYTES // len(_PART))


class _Sink(ToyUpload):
    """Takes everything, and keeps none of it."""

    def __init__(self, request: Any) -> None:
        super().__init__(request)
        self._size_bytes = 0

    def take(self, data: bytes, more: Callable[[], None]) -> bool:  # noqa: ARG002  (there is always room)
        self._size_bytes += len(data)
        return True


class _Source(ToySource):
    """Has everything in memory, and gives as much as it is asked for, as the disk does."""

    def read(self, offset: int, most_bytes: int, done: Callable[[bytes | None], None]) -> None:  # noqa: ARG002
        done(_READ[:most_bytes])


def serve_bare(certs: Path) -> None:
    """Be a server that is one blocking socket, for one client after the other, until there is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs / "server.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(f"listening {listening.getsockname()[1]}", flush=True)
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
        while True:
            raw, _ = listening.accept()
            set_options(raw, Limits())
            raw.setblocking(True)
            with context.wrap_socket(raw, server_side=True) as sock:
                way, _, size = sock.recv(100).partition(b" ")
                left_bytes = int(size)
                while left_bytes > 0:
                    left_bytes -= sock.send(_PART) if way == b"down" else len(sock.recv(len(_PART)))
                sock.send(b"!")


def move_bare(context: ssl.SSLContext, server: Server, way: str, size_bytes: int) -> None:
    """Move as many bytes with `serve_bare`."""
    with secure_socket(context, server.address, server_hostname="localhost") as sock:
        sock.sendall(f"{way} {size_bytes}".encode())
        if way == "up":
            block = memoryview(_PART * 64)
            for start in range(0, size_bytes, len(block)):
                sock.sendall(block[: size_bytes - start])
            sock.recv(1)
        else:
            _read(sock, size_bytes + 1)


def _read(sock: ssl.SSLSocket, left_bytes: int) -> None:
    into = bytearray(_MIB)
    while left_bytes > 0:
        received = sock.recv_into(into)
        assert received, "the server has closed"
        left_bytes -= received


def serve(certs: Path) -> None:
    """Be the server until the input ends."""
    rig = TransferRig(certs)
    rig.files.make_upload, rig.files.make_source = _Sink, _Source
    print(f"listening {rig.port}", flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), rig.loop.stop()), daemon=True).start()
    rig.loop.run()
    rig.close()


@contextlib.contextmanager
def running(certs: Path, mode: str) -> Iterator[Server]:
    """A server on a core of its own; mode: ``--serve`` or ``--bare``."""
    pin(SERVER_CORE)
    command = [sys.executable, "-m", "tools.bench.transfers", mode, str(certs)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    pin(GENERATOR_CORE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Server(process.pid, int(process.stdout.readline().split()[1]))
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def upload(context: ssl.SSLContext, server: Server, size_bytes: int) -> None:
    """Send one file; returns when it is answered."""
    with secure_socket(context, server.address, server_hostname="localhost") as sock:
        sock.sendall(b"PUT /files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size_bytes)
        block = memoryview(_PART * 64)
        for start in range(0, size_bytes, len(block)):
            sock.sendall(block[: size_bytes - start])
        assert sock.recv(100).startswith(b"HTTP/1.1 201 ")


def download(context: ssl.SSLContext, server: Server, size_bytes: int) -> None:
    """Read one file, whole."""
    with secure_socket(context, server.address, server_hostname="localhost") as sock:
        sock.sendall(b"GET /files/%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % size_bytes)
        _read(sock, size_bytes)  # the head is among them


def cost_ms(server: Server, transfer: Callable[[], None], clients: int, mib: int) -> float:
    """Have so many clients move a file each at once; returns the server's CPU, milliseconds a MiB."""
    before_s = server.cpu_s()
    threads = [threading.Thread(target=transfer) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (server.cpu_s() - before_s) * 1000 / (clients * mib)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--mib", type=int, default=25, help="of each file (default 25, which is the limit)")
    parser.add_argument("--rounds", type=int, default=3, help="of each case (default 3)")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8], help="at once (default 1, and 8)")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    for mode, run in ((options.serve, serve), (options.bare, serve_bare)):
        if mode is not None:
            run(mode)
            return 0
    size_bytes = options.mib * _MIB
    missed = False
    with tempfile.TemporaryDirectory() as scratch:
        certs = Path(scratch)
        make_certificates(certs)
        context = client_context(certs / "ca.pem", "http/1.1")

        def report(what: str, server: Server, transfer: Callable[[], None], clients: int) -> float:
            costs = [cost_ms(server, transfer, clients, options.mib) for _ in range(options.rounds)]
            median = statistics.median(costs)
            print(f"{what}: {median:.2f} ms of CPU a MiB ({min(costs):.2f} to {max(costs):.2f})", flush=True)
            return median

        with running(certs, "--bare") as bare, running(certs, "--serve") as server:
            for way, transfer in (("up", upload), ("down", download)):
                report(f"{way}, TLS alone", bare, partial(move_bare, context, bare, way, size_bytes), 1)
                for clients in options.clients:
                    move = partial(transfer, context, server, size_bytes)
                    missed |= report(f"{way}, {clients} at once", server, move, clients) > _BARS_MS[way]
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
