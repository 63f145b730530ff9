"""Rooms and senders, and the bookkeeping that tells when *everybody* has a message, without looking at it.

All members of a room get the same message frames in the same order, so a member's progress is one number: the bytes
of message frames it has received; over WebSocket, too, a message of this length has a header of four. One member, the
reference, decodes everything and notes where each message ends and whose it is. A message is delivered when the slowest
member's number has reached that end. So a receiver costs two dictionary steps per read, and still a lost, repeated or
altered-in-length message anywhere makes a number wrong.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from securechat.model import Say
from tools.bench.payload import make_text

if TYPE_CHECKING:
    from tools.bench.link import Link


class Sender:
    """A member that speaks.

    Args:
        index: its number in payloads.
        room: where it speaks.

    Attributes:
        sent: messages sent, over the whole life of the connection.
        done: messages that opened the window again: received by all, or acknowledged.
        acked: acknowledgements received.
        paced_by_acks: what ``done`` means.
        waits_ns: gets the time from each message to its acknowledgement, where there is such a list.
    """

    def __init__(self, index: int, room: Room) -> None:
        self.index = index
        self.room = room
        self.link: Link | None = None
        self.sent = self.done = self.acked = 0
        self.paced_by_acks = False
        self.waits_ns: list[int] | None = None
        self._stamps_ns: deque[int] = deque()  # of messages that are not acknowledged, for `waits_ns`

    def send(self, stamps_ns: list[int]) -> bool:
        """Send one message per stamp, each as a TLS record of its own, in one system call.

        Returns:
            Whether the kernel took all of it.
        """
        link, room, index, number = self.link, self.room.name, self.index, self.sent
        assert link is not None
        for stamp_ns in stamps_ns:
            link.say(Say(number + 1, room, make_text(index, number, stamp_ns)))
            number += 1
        self.sent = number
        if self.waits_ns is not None:
            self._stamps_ns.extend(stamps_ns)
        return link.flush()

    def acknowledged(self, count: int) -> None:
        """So many messages more are durable."""
        self.acked += count
        if self.waits_ns is not None:
            now_ns = time.monotonic_ns()
            self.waits_ns.extend(now_ns - self._stamps_ns.popleft() for _ in range(count))


class Room:
    """The members of a room as far as they have come.

    Args:
        name: on the wire.
        freed: gets every sender whose window opened.
    """

    def __init__(self, name: str, freed: deque[Sender]) -> None:
        self.name = name
        self.size = 0
        self.messages = 0
        self.total_bytes = 0
        self.slowest_bytes = 0
        self.delivered = 0
        self._freed = freed
        self._ends: deque[tuple[int, Sender]] = deque()
        self._at: dict[int, int] = {0: 0}

    def add(self) -> None:
        """One more member, which has nothing yet."""
        self.size += 1
        self._at[0] += 1

    def noted(self, frame_bytes: int, sender: Sender) -> None:
        """The reference received a message."""
        self.messages += 1
        self.total_bytes += frame_bytes
        self._ends.append((self.total_bytes, sender))

    def advanced(self, before: int, after: int) -> None:
        """A member that had ``before`` bytes has ``after`` now."""
        at = self._at
        at[after] = at.get(after, 0) + 1
        left = at[before] - 1
        if left:
            at[before] = left
            return
        del at[before]
        if before == self.slowest_bytes:
            self.slowest_bytes = min(at)
            self._deliver()

    def _deliver(self) -> None:
        ends, slowest = self._ends, self.slowest_bytes
        while ends and ends[0][0] <= slowest:
            sender = ends.popleft()[1]
            self.delivered += 1
            if not sender.paced_by_acks:
                sender.done += 1
                self._freed.append(sender)

    @property
    def uneven(self) -> int:
        """Members that do not have exactly what the reference has."""
        return self.size - self._at.get(self.total_bytes, 0)
