"""A crowd: rooms full of members, some of whom speak and some of whom are looked at closely."""

from __future__ import annotations

import ssl
from collections import Counter as Tally
from collections import deque
from dataclasses import dataclass

from tools.bench.ears import Counter, Decoder, Scanner
from tools.bench.engine import Engine, Member
from tools.bench.room import Room, Sender

LOGIN_TIMEOUT_S = 30.0
PARALLEL_LOGINS = 64
QUIET_S = 0.45
"""Twice the presence interval of 200 ms: after that only messages are told."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Who is where.

    Attributes:
        rooms: number of rooms.
        members: of each room, the senders included.
        senders: of each room.
        decoders: of each room, at least one; with senders only, some of them decode.
        web: of the members of each room, those who come by WebSocket, evenly among all.
    """

    rooms: int = 1
    members: int
    senders: int
    decoders: int = 1
    web: int = 0

    def is_web(self, place: int) -> bool:
        """Whether the member at this place of a room comes by WebSocket."""
        return (place + 1) * self.web // self.members > place * self.web // self.members


class Crowd:
    """The members of one run and what was found out about them.

    Args:
        context: verifies the server.
        address: the server's.
        shape: who is where.
        prefix: of the names of members and rooms.
        web_context: for members that come by WebSocket.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        address: tuple[str, int],
        shape: Shape,
        prefix: str = "u",
        web_context: ssl.SSLContext | None = None,
    ) -> None:
        self.engine = Engine(context, address, web_context)
        self.shape = shape
        self.freed: deque[Sender] = deque()
        self.faults: Tally[str] = Tally()
        self.latencies_ns: list[int] = []
        self.senders: list[Sender] = []
        self.rooms = [Room(f"{prefix}room{number}", self.freed) for number in range(shape.rooms)]
        self._connections = [
            (Member(f"{prefix}{number}m{place}", room.name, web=shape.is_web(place)), room, place)
            for number, room in enumerate(self.rooms)
            for place in range(shape.members)
        ]

    def enter(self) -> None:
        """Log all of them in, wait for silence, and begin to measure.

        Raises:
            RuntimeError: one of them could not get in.
        """
        self.log_in()
        self.sit_down()

    def log_in(self) -> None:
        """Log all of them in.

        Raises:
            RuntimeError: one of them could not get in.
        """
        self.engine.enter((member for member, _, _ in self._connections), PARALLEL_LOGINS, LOGIN_TIMEOUT_S)
        for member, _, _ in self._connections:
            refusal = member.doorway.refusal if member.doorway is not None else ""
            if member.lost or refusal:
                raise RuntimeError(f"{member.name} could not enter: {member.lost or refusal}")

    def sit_down(self) -> None:
        """Wait for silence and begin to measure: from here on only messages may come."""
        self.engine.settle(QUIET_S, 20.0)
        for member, room, place in self._connections:
            self._seat(member, room, place)

    def _seat(self, member: Member, room: Room, place: int) -> None:
        """Senders sit last, decoders evenly among all, so that early and late ones of a flush are seen."""
        shape, link = self.shape, member.link
        assert link is not None
        room.add()
        sender = None
        if place >= shape.members - shape.senders:
            sender = Sender(len(self.senders), room)
            sender.link = link
            self.senders.append(sender)
        step = max(1, shape.members // shape.decoders)
        if place % step == 0 and place // step < shape.decoders:
            member.ear = Decoder(
                link,
                room,
                sender,
                self.freed,
                self.faults,
                senders=self.senders,
                reference=place == 0,
                latencies_ns=self.latencies_ns,
            )
        elif sender is not None:
            member.ear = Scanner(link, room, sender, self.freed, self.faults)
        else:
            member.ear = Counter(room)

    def speak(self, sender: Sender, stamps_ns: list[int]) -> None:
        """Let a sender send one message per stamp."""
        if not sender.send(stamps_ns):
            assert sender.link is not None
            self.engine.await_room(sender.link)

    @property
    def sent(self) -> int:
        """Messages sent so far."""
        return sum(sender.sent for sender in self.senders)

    @property
    def deliveries(self) -> int:
        """Copies that arrived: messages that all members have, times members."""
        return sum(room.delivered * room.size for room in self.rooms)

    @property
    def message_bytes(self) -> int:
        """Bytes of all different messages, framing included, as one member sees them."""
        return sum(room.total_bytes for room in self.rooms)

    @property
    def drained(self) -> bool:
        """Whether all have what was sent, and every ack came."""
        return self.sent == sum(room.delivered for room in self.rooms) == sum(sender.acked for sender in self.senders)

    def complaints(self) -> list[str]:
        """Why this run is not correct; empty when it is."""
        found = [f"{count} x {fault}" for fault, count in self.faults.items()]
        found += [f"{member.name} lost: {member.lost}" for member in self.engine.members if member.lost][:3]
        for room in self.rooms:
            if room.uneven:
                found.append(f"{room.uneven} of {room.size} members of {room.name} do not have what the reference has")
        if not self.drained:
            acked = sum(sender.acked for sender in self.senders)
            found.append(f"{self.sent} sent, {sum(r.delivered for r in self.rooms)} delivered to all, {acked} acked")
        return found

    def close(self) -> None:
        """Hang up."""
        self.engine.close()
