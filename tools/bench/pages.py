"""Times many page loads at once, and what a member feels of them.

    python -m tools.bench.pages [--count 100] [--rounds 3]

Each load is what a browser does: the page over one connection, then all files that it names, compressed, over six.
Meanwhile a probe in a process of its own pings the server without a pause, before and during (see `logins`).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import socket
import ssl
import statistics
import tempfile
import threading
import time
from pathlib import Path

from tools.bench.certs import client_context, make_certificates
from tools.bench.logins import percentile, probe
from tools.bench.process import GENERATOR_CORE, pin, running

CONNECTIONS = 6
"""That a browser opens to one host for HTTP/1.1."""
HEADERS = "".join(f"X-Of-A-Browser-{number}: some words of a usual length\r\n" for number in range(12))


class Page:
    """One load."""

    def __init__(self, context: ssl.SSLContext, address: tuple[str, int]) -> None:
        self._context, self._address = context, address
        self._host = f"{address[0]}:{address[1]}"
        self.files = self.size_bytes = 0

    def load(self) -> None:
        sockets = [self._connect()]
        page = self._get(sockets[0], "/", packed=False)
        paths = [path.decode() for path in dict.fromkeys(re.findall(rb'(?:href|src)="(/w/[^"]+)"', page))]
        sockets += [self._connect() for _ in range(CONNECTIONS - 1)]
        for begin in range(0, len(paths), CONNECTIONS):
            pairs = list(zip(sockets, paths[begin : begin + CONNECTIONS], strict=False))
            for sock, path in pairs:
                self._ask(sock, path)
            for sock, _path in pairs:
                self._read(sock)
        self.files = len(paths)
        for sock in sockets:
            sock.close()

    def _connect(self) -> ssl.SSLSocket:
        raw = socket.create_connection(self._address)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._context.wrap_socket(raw, server_hostname=self._address[0])

    def _ask(self, sock: ssl.SSLSocket, path: str, *, packed: bool = True) -> None:
        accepts = "Accept-Encoding: gzip\r\n" if packed else ""
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n{accepts}{HEADERS}\r\n".encode())

    def _read(self, sock: ssl.SSLSocket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += sock.recv(65_536)
        head, _, body = data.partition(b"\r\n\r\n")
        found = re.search(rb"\r\nContent-Length: (\d+)", head)
        assert head.startswith(b"HTTP/1.1 200 ") and found is not None, head
        while len(body) < int(found[1]):
            body += sock.recv(65_536)
        self.size_bytes += len(data)
        return body

    def _get(self, sock: ssl.SSLSocket, path: str, *, packed: bool = True) -> bytes:
        self._ask(sock, path, packed=packed)
        return self._read(sock)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=100, help="page loads at once (default 100)")
    parser.add_argument("--rounds", type=int, default=3, help="how often, one after the other (default 3)")
    options = parser.parse_args()
    pin(GENERATOR_CORE)
    os.environ |= {"SECURECHAT_LIMIT_REQUEST_RATE": "1000000", "SECURECHAT_LIMIT_REQUEST_BURST": "1000000"}
    with tempfile.TemporaryDirectory() as scratch:
        certs, data = Path(scratch) / "certs", Path(scratch) / "data"
        certs.mkdir()
        data.mkdir()
        make_certificates(certs)
        with running("securechat", certs, data) as server:
            context = client_context(certs / "ca.pem", "http/1.1")
            during, over = multiprocessing.Event(), multiprocessing.Event()
            answers: multiprocessing.SimpleQueue[list[float]] = multiprocessing.SimpleQueue()
            watcher = multiprocessing.Process(
                target=probe, args=(certs / "ca.pem", server.address, during, over, answers), daemon=True
            )
            watcher.start()
            time.sleep(2.0)
            cpu_s, begun = server.cpu_s(), time.monotonic()
            during.set()
            for _ in range(options.rounds):
                pages = [Page(context, server.address) for _ in range(options.count)]
                threads = [threading.Thread(target=page.load) for page in pages]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            took_s, cpu_s = time.monotonic() - begun, server.cpu_s() - cpu_s
            over.set()
            for what, times in (("before", answers.get()), ("during", answers.get())):
                p50, p99 = statistics.median(times), percentile(times, 0.99)
                print(
                    f"pings {what}: {len(times):6d}  p50 {p50:6.2f} ms  p99 {p99:6.2f} ms  worst {max(times):6.2f} ms"
                )
            loads = options.rounds * options.count
            print(
                f"{loads} loads of {pages[0].files} files, {pages[0].size_bytes / 1024:.0f} KiB, in {took_s:.2f} s; "
                f"server CPU {cpu_s / loads * 1000:.1f} ms a load"
            )


if __name__ == "__main__":
    main()
