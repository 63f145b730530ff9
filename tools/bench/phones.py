"""Phones that send and fetch files beside a load: guests of their own room, in a process of their own.

``python -m tools.bench.phones`` runs them for `Phones`, a thread for each, with less priority than the generator whose
core they share: so what they do with TLS adds little to what it measures. A phone sends or reads 16 KiB at a time at a
fixed pace, however fast the server is; with a pace of 0 as fast as it goes. What it receives waits in a kernel buffer
of some 100 KiB, as on a mobile network, and not in one that takes the whole file.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import re
import secrets
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from securechat.limits import KIB, MIB
from securechat.model import Acked, AskLinks, Event, FileLinks, Hello, Join, Joined, Ping, Pong, Say, Welcome
from securechat.model.files import AddUpload, UploadAdded
from securechat.wire.http import HTTP_ALPN
from securechat.wire.native import NativeClientCodec
from tools.bench.certs import SERVER_NAME, client_context
from tools.bench.figures import quantile
from tools.bench.process import ROOT, Server

ROOM = "phones"
STEP_BYTES = 16 * KIB
_RECEIVE_BUFFER = 64 * KIB  # the kernel doubles it
_KEPT_S = 2.0
_NICE = 10
_TIMEOUT_S = 120.0
_E = TypeVar("_E")


class Phone:
    """One guest with a connection of its own, and one for files.

    Args:
        ca: verifies the server.
        port: of the server, on 127.0.0.1.
        name: of the guest.
        room: where it talks; it is made if there is none.

    Attributes:
        room: as given.
        heard_bytes: of all frames so far.
    """

    def __init__(self, ca: Path, port: int, name: str, room: str = ROOM) -> None:
        self._address = ("127.0.0.1", port)
        self._web_context = client_context(ca, HTTP_ALPN)
        self._refs = itertools.count(1)
        self._codec = NativeClientCodec()
        self.room = room
        self.heard_bytes = 0
        self._sock = self._connect(client_context(ca))
        self._http: ssl.SSLSocket | None = None
        self._http_used_at = 0.0
        self.send(Hello(1, name, secrets.token_hex(16), "bench"))
        self.wait_for(Welcome)
        self.send(Join(next(self._refs), [room]))
        while self.wait_for(Joined).room != room:
            pass

    def upload(self, body: bytes, mbit_s: float = 0.0, name: str = "a.bin") -> tuple[str, float, float]:
        """Send a file.

        Returns:
            Its id, when its last byte was sent, and when the server had it, both by the monotonic clock.

        Raises:
            ConnectionError: it was refused.
        """
        self.send(AddUpload(next(self._refs), name, len(body)))
        added = self.wait_for(UploadAdded)
        sock = self._open_http()
        sock.sendall(
            f"PATCH {added.path} HTTP/1.1\r\nHost: {SERVER_NAME}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
            f"Content-Type: application/offset+octet-stream\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        began, view, step_bytes = time.monotonic(), memoryview(body), STEP_BYTES if mbit_s else MIB
        for start in range(0, len(body), step_bytes):
            _await_pace(began, start, mbit_s)
            sock.sendall(view[start : start + step_bytes])
        sent_at = time.monotonic()
        self._read_answer(sock, b"204")
        return added.id, sent_at, time.monotonic()

    def say(self, text: str, files: list[str]) -> float:
        """Say something; returns when it was acknowledged."""
        self.send(Say(next(self._refs), self.room, text, files=files))
        self.wait_for(Acked)
        return time.monotonic()

    def say_all(self, texts: list[str]) -> None:
        """Say many things at once, and wait until all are acknowledged."""
        for text in texts:
            self.send(Say(next(self._refs), self.room, text))
        for _ in texts:
            self.wait_for(Acked)

    def links(self, ids: list[str]) -> list[str]:
        """Ask for the paths of files."""
        self.send(AskLinks(next(self._refs), ids))
        return [link.path for link in self.wait_for(FileLinks).links]

    def download(self, path: str, mbit_s: float = 0.0) -> int:
        """Fetch a file; returns the bytes of its answer, with the head."""
        sock = self._open_http()
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {SERVER_NAME}\r\n\r\n".encode())
        return self._read_answer(sock, b"200", mbit_s)

    def wait_for(self, kind: type[_E]) -> _E:
        """Read until an event of this kind, and return it.

        Raises:
            ConnectionError: the server has closed, or refused something.
        """
        while True:
            while (event := self._next_event()) is not None:
                if isinstance(event, kind):
                    return event
                if type(event).__name__ in {"Refused", "Closing"}:
                    raise ConnectionError(str(event))
                if isinstance(event, Ping):
                    self.send(Pong(event.n))
            data = self._sock.recv(1 << 16)
            if not data:
                raise ConnectionError("the server has closed")
            self.heard_bytes += len(data)
            self._codec.receive_data(data)

    def close(self) -> None:
        """Hang up."""
        self._sock.close()
        if self._http is not None:
            self._http.close()

    def _next_event(self) -> Event | None:
        return self._codec.next_event()

    def send(self, command: object) -> None:
        """Send a command."""
        self._sock.sendall(self._codec.encode(command))  # type: ignore[arg-type]  # commands alone are sent here

    def _connect(self, context: ssl.SSLContext, receive_buffer: int = 0) -> ssl.SSLSocket:
        raw = socket.socket()
        raw.settimeout(_TIMEOUT_S)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.connect(self._address)
        return context.wrap_socket(raw, server_hostname=SERVER_NAME)

    def _open_http(self) -> ssl.SSLSocket:
        """The connection for files; a fresh one where the last may have been closed as idle."""
        if self._http is not None and time.monotonic() - self._http_used_at > _KEPT_S:
            self._http.close()
            self._http = None
        if self._http is None:
            self._http = self._connect(self._web_context, _RECEIVE_BUFFER)
        self._http_used_at = time.monotonic()
        return self._http

    def _read_answer(self, sock: ssl.SSLSocket, status: bytes, mbit_s: float = 0.0) -> int:
        data = b""
        while b"\r\n\r\n" not in data:
            data += _received(sock)
        began = time.monotonic()
        head, _, rest = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 " + status):
            raise ConnectionError(f"not {status.decode()}: {data[:300]!r}")
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        size_bytes = int(length[1]) if length else 0
        got_bytes = len(rest)
        while got_bytes < size_bytes:
            _await_pace(began, got_bytes, mbit_s)
            got_bytes += len(_received(sock))
        self._http_used_at = time.monotonic()
        return len(head) + 4 + size_bytes


def _received(sock: ssl.SSLSocket) -> bytes:
    data = sock.recv(STEP_BYTES)
    if not data:
        raise ConnectionError("the server has closed")
    return data


def _await_pace(began: float, done_bytes: int, mbit_s: float) -> None:
    """Wait until so many bytes are due."""
    if mbit_s:
        due_in_s = began + done_bytes * 8 / (mbit_s * 1e6) - time.monotonic()
        if due_in_s > 0:
            time.sleep(due_in_s)


@dataclass(frozen=True)
class Moved:
    """What the phones did in one turn.

    Attributes:
        files: whole ones.
        mib: of all of them.
        slowest_s: from the first byte to the answer, of the slowest file.
        median_s: of the one in the middle.
    """

    files: int
    mib: float
    slowest_s: float
    median_s: float


class Phones:
    """So many phones in a process of their own; they do nothing until they are told.

    Args:
        server: where they go.
        ca: verifies it.
        count: of phones.
        mib: of each file.
        mbit_s: of each phone; 0: without a bound.
        way: ``up``: they send files, each in a message; ``down``: each fetches the one it has sent before.
    """

    def __init__(self, server: Server, ca: Path, count: int, mib: int, mbit_s: float, way: str) -> None:
        flags = {"port": server.port, "ca": ca, "count": count, "mib": mib, "mbit": mbit_s, "way": way}
        command = [sys.executable, "-m", "tools.bench.phones"]
        for name, value in flags.items():
            command += [f"--{name}", str(value)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True)
        self._mib = mib
        self._told({"ready"})

    def begin(self) -> None:
        """Have all of them move files, one behind the other."""
        self._tell("go")

    def end(self) -> Moved:
        """Have them finish what they are at; returns what they moved since `begin`."""
        self._tell("end")
        took_s: list[float] = json.loads(self._told(set()))
        return Moved(len(took_s), len(took_s) * self._mib, max(took_s), quantile(took_s, 0.5))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(_TIMEOUT_S)
        self._process.stdout.close()

    def _tell(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def _told(self, expected: set[str]) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line or (expected and line not in expected):
            raise RuntimeError("the phones have failed")
        return line


class _Crowd:
    """The phones of this process, a thread for each."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._body = os.urandom(options.mib * MIB)
        self._going = threading.Event()
        self._took_s: list[float] = []
        self._moving = threading.Semaphore(0)  # released by each phone that has ended
        self._phones = [Phone(options.ca, options.port, f"phone{number}") for number in range(options.count)]
        self._paths: dict[Phone, str] = {}
        if options.way == "down":
            for phone in self._phones:
                file_id, _, _ = phone.upload(self._body)
                phone.say("", [file_id])
                (self._paths[phone],) = phone.links([file_id])

    def go(self) -> None:
        self._took_s.clear()
        self._going.set()
        for phone in self._phones:
            threading.Thread(target=self._move, args=(phone,), daemon=True).start()

    def end(self) -> list[float]:
        self._going.clear()
        for _ in self._phones:
            self._moving.acquire()
        return self._took_s

    def _move(self, phone: Phone) -> None:
        try:
            while True:
                began = time.monotonic()
                if path := self._paths.get(phone):
                    phone.download(path, self._options.mbit)
                else:
                    file_id, _, _ = phone.upload(self._body, self._options.mbit)
                    phone.say("", [file_id])
                self._took_s.append(time.monotonic() - began)
                if not self._going.is_set():
                    break
        except (OSError, AssertionError) as error:
            print(f"a phone has failed: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        self._moving.release()


def _words() -> Iterator[str]:
    for line in sys.stdin:
        yield line.strip()


def main() -> int:
    """Be the phones until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--mib", type=int, required=True)
    parser.add_argument("--mbit", type=float, required=True)
    parser.add_argument("--way", choices=("up", "down"), required=True)
    options = parser.parse_args()
    os.nice(_NICE)
    crowd = _Crowd(options)
    print("ready", flush=True)
    for word in _words():
        if word == "go":
            crowd.go()
        else:
            print(json.dumps(crowd.end()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
