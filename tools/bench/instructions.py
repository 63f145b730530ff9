"""Instructions that the server executes per message, login and request, and until it listens, counted by valgrind.

    python -m tools.bench.instructions [--against CHECKOUT]

Seconds vary by a factor of two on virtual cores, instructions by less than a hundredth: so two versions can be told
apart by a few per cent, also on a busy machine. What the kernel does is not counted. It needs Linux and valgrind, and
takes about two minutes for each version.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count as numbers_from
from pathlib import Path
from typing import Any

from tools.bench.certs import client_context, make_certificates
from tools.bench.process import ROOT, command_of

MEMBERS = 20
MESSAGES = 200
REQUESTS = 10
"""Of each member and kind, less than `limits.request_burst`: a request that waits costs more."""
START_TIMEOUT_S = 120.0
SETTLE_S = 4.0
"""Between two looks whether the server rests: a table is read beside the start, presence is gathered for a second."""
RESTING_S = 0.1
"""Less CPU time than this between two looks is rest."""
_TEXT = "hello there, this is a line of sixty-four characters of text...."


class Client:
    """One guest, one record after the other."""

    def __init__(self, port: int, context: ssl.SSLContext, number: int) -> None:
        plain = socket.create_connection(("127.0.0.1", port))
        self._sock = context.wrap_socket(plain, server_hostname="localhost")
        self._stream = self._sock.makefile("rb")
        self.send({"t": "hello", "version": 1, "name": f"user{number}", "secret": f"{number:032x}"})
        self.sender_id: int = self.wait_for("welcome")["sender_id"]

    def send(self, record: dict[str, Any]) -> None:
        """Send a record."""
        body = json.dumps(record).encode()
        self._sock.sendall(struct.pack(">I", len(body)) + body)

    def wait_for(self, kind: str) -> dict[str, Any]:
        """Read until a record of this type, and return it."""
        while True:
            (size,) = struct.unpack(">I", self._stream.read(4))
            record: dict[str, Any] = json.loads(self._stream.read(size))
            if record["t"] == kind:
                return record

    def show_alive(self) -> None:
        """Have the server's patience begin anew (`limits.idle_ping_s`)."""
        self.send({"t": "ping", "n": 0})
        self.wait_for("pong")

    def close(self) -> None:
        """End the connection."""
        self._stream.close()
        self._sock.close()


class CountedServer:
    """A server under callgrind.

    Args:
        kind: as for `command_of`.
        checkout: where it runs.
        place: an empty directory with certificates.
    """

    def __init__(self, kind: str, checkout: Path, place: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._output = place / "output.txt"
        self._counts = place / "counts"
        self._dumps = 0
        command = command_of(kind, place, self.port, place / "data", checkout)
        with self._output.open("wb") as sink:
            self._process = subprocess.Popen(
                ["valgrind", "--tool=callgrind", f"--callgrind-out-file={self._counts}", *command],
                cwd=checkout,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={"PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1", "HOME": str(place)},
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while b"listening" not in self._output.read_bytes():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the server did not start: {self._output.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def count(self) -> int:
        """Return the instructions since the last call, or since the process began, once it rests."""
        clock, used_s = (~self._process.pid << 3) | 2, -1.0
        while (now_s := time.clock_gettime(clock)) - used_s > RESTING_S:
            used_s = now_s
            time.sleep(SETTLE_S)
        self._dumps += 1
        subprocess.run(["callgrind_control", "--dump", str(self._process.pid)], check=True, capture_output=True)
        dump = self._counts.with_name(f"{self._counts.name}.{self._dumps}")
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (found := re.search(r"^totals: (\d+)", dump.read_text() if dump.exists() else "", re.MULTILINE)):
            if time.monotonic() > deadline:
                raise RuntimeError("callgrind wrote no counts")
            time.sleep(0.05)
        return int(found[1])

    def stop(self) -> None:
        """End it; nothing that follows is counted."""
        self._process.kill()
        self._process.wait()


def say(clients: list[Client], number: int) -> int:
    """Have the first client say something to all; returns its seq."""
    clients[0].send({"t": "say", "cid": number, "room": "lobby", "text": _TEXT})
    return max(client.wait_for("msg")["seq"] for client in clients)


def requests(clients: list[Client]) -> Iterator[tuple[str, int]]:
    """Do what members do beside talking, kind after kind; yields each kind when it is done, and how often it was."""
    first, rest, times = clients[0], clients[1:], len(clients) * REQUESTS
    cids = numbers_from(MESSAGES + 1)
    seq = say(clients, next(cids))
    first.send({"t": "join", "ref": 1, "rooms": ["side"]})
    first.wait_for("joined")
    yield "", 1
    for _ in range(MESSAGES):
        first.send({"t": "direct", "cid": next(cids), "to": rest[0].sender_id, "text": _TEXT})
        first.wait_for("acked")
        rest[0].wait_for("msg")
    yield "direct message", MESSAGES
    for client in clients:
        client.show_alive()
    for number in range(MESSAGES):
        first.send({"t": "amend", "cid": next(cids), "seq": seq, "room": "lobby", "text": f"{_TEXT} {number}"})
        for client in clients:
            client.wait_for("edited")
    yield f"edit for {len(clients)} members", MESSAGES
    for client in clients:
        client.show_alive()
    for name, record, answer in (
        ("refused message", {"t": "say", "cid": next(cids), "room": "elsewhere", "text": _TEXT}, "refused"),
        ("history page", {"t": "history", "ref": 2, "room": "lobby"}, "page"),
        ("search", {"t": "search", "ref": 3, "query": "sixty-four characters"}, "hits"),
        ("who", {"t": "who", "ref": 4, "room": "lobby"}, "roster"),
    ):
        for client in clients * REQUESTS:
            client.send(record)
            client.wait_for(answer)
        yield name, times
    for client in rest * (REQUESTS // 2):
        client.send({"t": "join", "ref": 5, "rooms": ["side"]})
        client.wait_for("joined")
        client.send({"t": "leave", "ref": 6, "room": "side"})
        client.wait_for("left")
    yield "join and leave", len(rest) * (REQUESTS // 2)


def figures(kind: str, checkout: Path) -> dict[str, int]:
    """Instructions until the first member is in, per further login, per message in flight alone, and per request."""
    with tempfile.TemporaryDirectory(prefix="securechat-bench-") as name:
        place = Path(name)
        make_certificates(place)
        context = client_context(place / "ca.pem")
        server = CountedServer(kind, checkout, place)
        try:
            clients = [Client(server.port, context, 0)]  # the first one pays for what is made when it is needed
            found = {"start": server.count()}
            clients += [Client(server.port, context, number) for number in range(1, MEMBERS + 1)]
            found["login"] = server.count() // MEMBERS
            for number in range(1, MESSAGES + 1):
                say(clients, number)
            found[f"message to {MEMBERS + 1} members"] = server.count() // MESSAGES
            for what, times in requests(clients):
                found[what] = server.count() // times
        finally:
            server.stop()
    for client in clients:
        client.close()
    return {what: number for what, number in found.items() if what}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another version, with its own .venv")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        parser.error("valgrind is not installed")
    ours = figures("securechat", ROOT)
    theirs = figures("before", options.against.resolve()) if options.against else {}
    for name, count in ours.items():
        ratio = f"{theirs[name]:>16,}{count / theirs[name]:>8.3f}" if theirs else ""
        print(f"{name:28}{count:>16,}{ratio}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
