"""Behaviours 7 and 11: kill -9 in a loop under load; nothing acknowledged is lost, nothing is there twice.

Every client keeps what it was told, reconnects with its secret, sends again what was not acknowledged under the same
client_id, and goes on. The server is killed when some more acknowledgements are out than at the last kill, wherever
it then is. At the end the whole log is read back over the wire and held against every acknowledgement. What each
connection carries is judged by the checkers of the simulation.
"""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from securechat.model import Acked, Command, Message, Say
from securechat.testing.histories import check_streams
from securechat.testing.log_checks import Ack, check_history
from securechat.testing.wire_checks import Realtime, Stream, WireChecker
from tests.support.native import Gone, NativeClient
from tests.support.server import ServerProcess

LOOPS = 20
CLIENTS = 4
WINDOW = 8
ROOMS = ("lobby", "ops")


class CheckedClient(NativeClient):
    """A connection on which everything that goes up and comes down is judged."""

    def __init__(self, talker: Talker) -> None:
        self.checker = WireChecker(talker.name, talker.realtime, talker.stream)
        super().__init__(talker.server.port, talker.server.ca, secret=talker.secret)
        self._judged = 0

    def send(self, *commands: Command) -> None:
        for command in commands:
            self.checker.sent(command)
        super().send(*commands)

    def pump(self, timeout_s: float) -> bool:
        went_on = super().pump(timeout_s)
        for event in self.events[self._judged :]:
            self.checker.received(event)
        self._judged = len(self.events)
        return went_on


class Talker(threading.Thread):
    """One guest who never stops talking and never forgets what it was told.

    Attributes:
        acks: every acknowledgement, repeated ones too.
        live: every message shown to it live, once a connection.
        stream: what it sent, and what it was told about that.
        problem: what went wrong in the thread, if anything.
    """

    def __init__(self, server: ServerProcess, name: str, realtime: Realtime) -> None:
        super().__init__(name=name)
        self.server = server
        self.realtime = realtime
        self.stream = Stream()
        self.secret = f"{random.getrandbits(128):032x}"
        self.sender_ids: set[int] = set()
        self.acks: list[Ack] = []
        self.orders: list[list[int]] = []
        self.problem: BaseException | None = None
        self.enough = threading.Event()
        self._unacked: dict[int, Say] = {}
        self._next_id = 1

    def run(self) -> None:
        try:
            while not self.enough.is_set() or self._unacked:
                try:
                    self._one_connection()
                except (Gone, OSError):
                    self.enough.wait(0.005)  # refused while the server is down; the loop is the condition
        except BaseException as error:  # noqa: BLE001  (the test reports it)
            self.problem = error

    def _one_connection(self) -> None:
        with CheckedClient(self) as client:
            welcome = client.hello(self.name)
            self.sender_ids.add(welcome.sender_id)
            client.join("ops")
            client.send(*self._unacked.values())
            self.orders.append([])
            seen = 0
            while not self.enough.is_set() or self._unacked:
                while len(self._unacked) < WINDOW and not self.enough.is_set():
                    self._say(client)
                if not client.pump(20):
                    raise Gone("silence")
                for event in client.events[seen:]:
                    if isinstance(event, Acked):
                        self._acked(event, welcome.sender_id)
                    elif isinstance(event, Message):
                        self.orders[-1].append(event.seq)
                seen = len(client.events)

    def _say(self, client: NativeClient) -> None:
        draft = Say(self._next_id, ROOMS[self._next_id % 2], f"{self.name} says {self._next_id}")
        self._next_id += 1
        self._unacked[draft.client_id] = draft
        client.send(draft)

    def _acked(self, event: Acked, sender_id: int) -> None:
        self._unacked.pop(event.client_id, None)
        text = f"{self.name} says {event.client_id}"
        self.acks.append(Ack(sender_id=sender_id, client_id=event.client_id, seq=event.seq, text=text))


@pytest.mark.slow
def test_11_kill_9_in_a_loop_loses_nothing_acknowledged(certs: Path, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    server = ServerProcess(certs, tmp_path / "data", "--rate-limit", "off").start()
    realtime = Realtime()
    talkers = [Talker(server, f"guest {number}", realtime) for number in range(CLIENTS)]
    try:
        for talker in talkers:
            talker.start()
        for _ in range(LOOPS):
            target = sum(len(talker.acks) for talker in talkers) + rng.randrange(20, 300)
            _until(lambda goal=target: sum(len(t.acks) for t in talkers) >= goal, talkers)
            server.kill()
            server.start()
        for talker in talkers:
            talker.enough.set()
        for talker in talkers:
            talker.join(60)
            assert not talker.is_alive()
            assert talker.problem is None, talker.problem
        with NativeClient(server.port, server.ca, secret=talkers[0].secret) as reader:
            reader.hello(talkers[0].name)
            reader.join("ops")
            rows = reader.history()
    finally:
        server.kill()
        for talker in talkers:
            talker.enough.set()
    acks = [ack for talker in talkers for ack in talker.acks]
    assert len({ack.seq for ack in acks}) >= LOOPS * 20
    check_history(acks, rows)
    check_streams([talker.stream for talker in talkers], rows)
    assert all(len(talker.sender_ids) == 1 for talker in talkers)  # a guest who reconnects is the same person
    assert all(order == sorted(set(order)) for talker in talkers for order in talker.orders)
    place = {row.seq: index for index, row in enumerate(rows)}
    assert all(seq in place for talker in talkers for order in talker.orders for seq in order)  # shown means stored


def _until(condition: object, talkers: list[Talker]) -> None:
    for _ in range(6000):
        if condition():  # type: ignore[operator]
            return
        assert all(talker.problem is None for talker in talkers), [talker.problem for talker in talkers]
        threading.Event().wait(0.01)
    raise AssertionError("the load does not get on")
