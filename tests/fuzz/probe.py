"""Honest members beside a fuzzed server, in a process of their own: how long they wait for pongs and acknowledgements.

Usage: probe.py PORT CA SERVER_PID FILE, until standard input ends; prints one JSON object. Five members, each in the
rates that a server has by default (four pings and four messages a second), talk in a room of their own, from addresses
of their own. Nothing is discarded. What the machine, and not the server, made them wait is told beside each sample: the
time that the server's loop or this process stood in the kernel's queue for a processor (``/proc/PID/schedstat``), what
a clock beside them overslept, and how slow the disk was for a small write of its own (``FILE``, beside the database).
"""

from __future__ import annotations

import json
import os
import select
import ssl
import sys
import threading
import time
from itertools import count
from pathlib import Path
from typing import NamedTuple

from tests.support.secure_socket import secure_socket

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from securechat.model import (
    Acked,
    Closing,
    Event,
    Hello,
    History,
    HistoryPage,
    Join,
    Joined,
    Ping,
    Pong,
    Refused,
    Say,
)
from securechat.tls.contexts import client_context
from securechat.wire.native import NativeClientCodec

MEMBERS = 5
ADDRESSES = (
    tuple(f"127.0.0.{2 + number}" for number in range(MEMBERS)) if sys.platform == "linux" else ("127.0.0.1",) * MEMBERS
)
"""Loopback addresses: what others send from theirs does not count against the rates of these."""
NAMES = tuple(f"honest {number + 1}" for number in range(MEMBERS))
ROOM = "honest-people"
_INTERVAL_S = 0.25
_TICK_S = 0.005
_SYNC_EVERY_S = 0.05
_SYNC_S = 0.005
"""What a small synced write may take; on an idle disk of this kind it is 0.2 to 0.4 ms."""
_PATIENCE_S = 30.0


class Sample(NamedTuple):
    """One round trip; times in seconds.

    Attributes:
        kind: ``pong`` or ``acked``.
        at_s: when it was sent, monotonic.
        took_s: until the answer was read.
        waited_s: how much of it the machine, not the server, took.
    """

    kind: str
    at_s: float
    took_s: float
    waited_s: float

    @property
    def own_s(self) -> float:
        """What the server took."""
        return max(0.0, self.took_s - self.waited_s)


class Control:
    """How long the machine, not the server, keeps a round trip waiting.

    Args:
        server: the process whose threads are looked at. A thread that is kept from running may hold what the loop waits
            for, so the loop's own time in the queue counts, and the longest of the others.
        disk: a file on the disk that the server writes to: what a small write takes there beyond _SYNC_S, the server's
            writes may take, too.
    """

    def __init__(self, server: int, disk: Path) -> None:
        threads = (f"/proc/{server}/task/{server}", "/proc/thread-self")
        others = [path for path in Path(f"/proc/{server}/task").glob("*") if path.name != str(server)]
        self._queues = [Path(thread) / "schedstat" for thread in (*threads, *others)]
        self._overslept_s = self._disk_s = 0.0
        self._syncing_since: float | None = None
        threading.Thread(target=self._sleep, daemon=True).start()
        threading.Thread(target=self._sync, args=(disk,), daemon=True).start()

    def look(self) -> list[float]:
        """Seconds lost so far, by cause; only what `waited_s` makes of them means something."""
        since = self._syncing_since
        syncing_s = max(0.0, time.monotonic() - since - _SYNC_S) if since is not None else 0.0
        queued = (_clock_s(path, 1) for path in self._queues)
        return [self._overslept_s, self._disk_s + syncing_s, _clock_s(self._queues[0], 0), *queued]

    def waited_s(self, kind: str, before: list[float], took_s: float) -> float:
        """Seconds lost of ``took_s`` since an earlier look; never what the server's loop was computing meanwhile."""
        since = (now - then for now, then in zip(self.look(), before, strict=True))
        overslept_s, disk_s, computed_s, loop_s, own_s, *others_s = since
        lost_s = max(overslept_s, loop_s + own_s + max(others_s, default=0.0))
        if kind == "acked":  # a pong waits for no disk
            lost_s += max(0.0, disk_s)
        return max(0.0, min(lost_s, took_s - computed_s))

    def _sync(self, path: Path) -> None:
        with path.open("wb", buffering=0) as file:
            while True:
                time.sleep(_SYNC_EVERY_S)
                self._syncing_since = began = time.monotonic()
                file.write(bytes(4096))
                os.fsync(file.fileno())
                self._disk_s += max(0.0, time.monotonic() - began - _SYNC_S)
                self._syncing_since = None

    def _sleep(self) -> None:
        while True:
            before = time.monotonic()
            time.sleep(_TICK_S)
            self._overslept_s += max(0.0, time.monotonic() - before - 2 * _TICK_S)


def _clock_s(schedstat: Path, which: int) -> float:
    """How long a thread ran (0), or stood in the queue for a processor (1); 0 where the kernel does not tell."""
    try:
        return int(schedstat.read_bytes().split()[which]) / 1e9
    except (OSError, IndexError):
        return 0.0


class Member:
    """One honest member."""

    def __init__(self, number: int, port: int, context: ssl.SSLContext, control: Control) -> None:
        self.name = NAMES[number]
        self.samples: list[Sample] = []
        self.acked: list[tuple[int, str]] = []
        self.rows: list[tuple[int, str]] = []
        self.is_done = False
        self._control = control
        self._codec = NativeClientCodec()
        self._numbers = count(1)
        self._under_way: dict[tuple[str, int], tuple[float, list[float]]] = {}
        self._texts: dict[int, str] = {}
        self.sock = secure_socket(context, ("127.0.0.1", port), source_address=(ADDRESSES[number], 0))
        self._send(Hello(1, self.name, f"{number + 1:032x}"), Join(1, [ROOM]))
        while not any(isinstance(event, Joined) and event.ref == 1 for event in self._receive()):
            pass
        self.sock.setblocking(False)

    def beat(self) -> None:
        """Send a ping and a message."""
        number = next(self._numbers)
        self._texts[number] = f"{self.name} says {number}"
        began = (time.monotonic(), self._control.look())
        self._under_way["pong", number] = self._under_way["acked", number] = began
        self._send(Ping(number), Say(number, ROOM, self._texts[number]))

    def read(self) -> None:
        """Take what came."""
        events: list[Event] = []
        try:
            while True:
                events += self._receive()
        except ssl.SSLWantReadError:
            pass
        now = time.monotonic()
        for event in events:
            match event:
                case Pong(n):
                    self._came("pong", n, now)
                case Acked(client_id, seq):
                    self._came("acked", client_id, now)
                    self.acked.append((seq, self._texts[client_id]))
                case Refused() | Closing():
                    raise AssertionError(f"{self.name}: {event}")
                case HistoryPage():
                    self.rows += [(row.seq, row.text) for row in event.messages]
                    if event.more:
                        self.ask(event.through)
                    else:
                        self.is_done = True
                case _:
                    pass

    @property
    def oldest_s(self) -> float:
        """How long the oldest question waits."""
        return max((time.monotonic() - began for began, _ in self._under_way.values()), default=0.0)

    def ask(self, after: int = 0) -> None:
        """Ask for all that was said in the room."""
        self._send(History(next(self._numbers), ROOM, after=after))

    def _came(self, kind: str, number: int, now: float) -> None:
        began, look = self._under_way.pop((kind, number))
        self.samples.append(Sample(kind, began, now - began, self._control.waited_s(kind, look, now - began)))

    def _send(self, *commands: Hello | Join | Ping | Say | History) -> None:
        self.sock.sendall(b"".join(self._codec.encode(command) for command in commands))

    def _receive(self) -> list[Event]:
        data = self.sock.recv(65536)
        if not data:
            raise AssertionError(f"{self.name}: the server has closed the connection")
        self._codec.receive_data(data)
        events = []
        while (event := self._codec.next_event()) is not None:
            events.append(event)
        return events


def main() -> None:
    port, ca, server = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    control = Control(server, Path(sys.argv[4]))
    context = client_context(ca.read_text())
    members = [Member(number, port, context, control) for number in range(MEMBERS)]
    print("ready", flush=True)
    _talk(members)
    for member in members:
        member.ask()
    deadline = time.monotonic() + _PATIENCE_S
    while not all(member.is_done for member in members):
        if time.monotonic() > deadline:
            raise AssertionError("the history does not come")
        _read(members, 0.1)
    everything = sorted(acked for member in members for acked in member.acked)
    for member in members:
        if member.rows != everything:
            raise AssertionError(
                f"{member.name} reads {len(member.rows)} messages of {len(everything)} that were acknowledged"
            )
    print(
        json.dumps({"samples": [sample for member in members for sample in member.samples], "acked": len(everything)})
    )


def _talk(members: list[Member]) -> None:
    """One member every 50 ms, until standard input ends and every answer is there."""
    due, turn, is_over = time.monotonic(), 0, False
    while not is_over or any(member.oldest_s for member in members):
        is_over = is_over or bool(select.select([sys.stdin], [], [], 0)[0])
        if not is_over and time.monotonic() >= due:
            members[turn % MEMBERS].beat()
            turn, due = turn + 1, max(due + _INTERVAL_S / MEMBERS, time.monotonic())
        _read(members, max(0.0, min(due - time.monotonic(), 0.05)))
        slow = max(members, key=lambda member: member.oldest_s)
        if slow.oldest_s > _PATIENCE_S:
            raise AssertionError(f"{slow.name} waits for an answer for {slow.oldest_s:.1f} s")


def _read(members: list[Member], patience_s: float) -> None:
    ready, _, _ = select.select([member.sock for member in members], [], [], patience_s)
    for member in members:
        if member.sock in ready:
            member.read()


if __name__ == "__main__":
    main()
