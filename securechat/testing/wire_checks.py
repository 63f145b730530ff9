"""What must be true of one connection, whoever looks at it: commands that went up, events that came down.

A `WireChecker` is told every record of one connection in the order of the wire, and raises `HistoryBroken` at the
first event that the protocol (docs/protocol.md, sections 4 to 8) does not allow. Everything it judges by was on the
wire, so it serves a simulation and real processes alike. `Realtime` is shared by all connections to one server: what
anybody was acknowledged binds what everybody is told later.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from securechat.model import (
    Acked,
    Closing,
    Command,
    Direct,
    Event,
    Hello,
    History,
    HistoryPage,
    Joined,
    Left,
    Message,
    Refused,
    Say,
    Welcome,
)
from securechat.testing.log_checks import HistoryBroken

Place = str | int
"""A room, or the other person of a dialogue."""


@dataclass(slots=True)
class Realtime:
    """The highest seq that anybody was acknowledged so far."""

    acked_seq: int = 0


@dataclass(slots=True)
class SentDraft:
    """A draft as its sender knows it.

    Attributes:
        text: what it says.
        floor_seq: the highest seq acknowledged to anybody when it was first sent.
        connections: on how many connections it was sent.
        seq: where it is, once acknowledged.
        refused: whether it was.
    """

    text: str
    floor_seq: int
    connections: int = 0
    seq: int | None = None
    refused: bool = False


@dataclass(slots=True)
class Stream:
    """Everything ever sent with one resume secret."""

    sender_id: int = 0
    drafts: dict[int, SentDraft] = field(default_factory=dict)

    def check_order(self) -> None:
        """A stream's messages are in the order of its numbers.

        Raises:
            HistoryBroken: they are not.
        """
        last = 0
        for client_id, draft in sorted(self.drafts.items()):
            if draft.seq is not None:
                if draft.seq <= last:
                    raise HistoryBroken(f"draft {client_id} of sender {self.sender_id} overtook an earlier one")
                last = draft.seq


@dataclass(slots=True)
class _Asked:
    floor_seq: int
    command: History
    rooms: frozenset[str]


class WireChecker:
    """One connection.

    Args:
        who: names the client in a complaint.
        realtime: shared by all connections.
        stream: what this client has ever sent; a hello with another secret brings another one.
    """

    def __init__(self, who: str, realtime: Realtime, stream: Stream) -> None:
        self._who = who
        self._realtime = realtime
        self._stream = stream
        self._hello_floor = 0
        self._welcomed: Welcome | None = None
        self._closed = False
        self._here: dict[str, int] = {}  # rooms, with their live_from
        self._ever_here: set[str] = set()
        self._last_live = self._through = 0
        self._last_in: dict[Place, int] = {}
        self._asked: dict[int, _Asked] = {}
        self._first_here: set[int] = set()

    # --- up

    def sent(self, command: Command) -> None:
        """A command went out."""
        match command:
            case Hello():
                self._hello_floor = self._realtime.acked_seq
            case Say() | Direct():
                self._sent_draft(command)
            case History():
                self._asked[command.ref] = _Asked(self._realtime.acked_seq, command, frozenset(self._here))
            case _:
                pass

    def _sent_draft(self, command: Say | Direct) -> None:
        draft = self._stream.drafts.get(command.client_id)
        if draft is not None and draft.text != command.text and draft.seq is None:
            draft = None  # a program that was started anew goes on above what the log holds
        if draft is None:
            draft = self._stream.drafts[command.client_id] = SentDraft(command.text, self._realtime.acked_seq)
            self._first_here.add(command.client_id)
        elif draft.text != command.text:
            self._broken(f"draft {command.client_id} was sent with two texts")
        draft.connections += 1

    # --- down

    def received(self, event: Event) -> None:
        """An event came in.

        Raises:
            HistoryBroken: it may not have.
        """
        if self._closed:
            self._broken(f"{type(event).__name__} after the last words")
        match event:
            case Welcome():
                self._welcome(event)
            case Joined(room, live_from):
                self._joined(room, live_from)
            case Left(room):
                self._here.pop(room, None)
                self._last_in.pop(room, None)
            case Message():
                self._live(event)
            case Acked(client_id, seq):
                self._acked(client_id, seq)
            case Refused(client_id=int(client_id)):
                if client_id in self._stream.drafts:
                    self._stream.drafts[client_id].refused = True
            case HistoryPage():
                self._page(event)
            case Closing():
                self._closed = True
            case _:
                pass

    def _welcome(self, event: Welcome) -> None:
        if self._welcomed is not None:
            self._broken("two welcomes on one connection")
        if event.live_from < self._hello_floor:
            self._broken(f"live from {event.live_from}, although {self._hello_floor} was acknowledged before the hello")
        if self._stream.sender_id not in (0, event.sender_id):
            self._broken(f"one secret is senders {self._stream.sender_id} and {event.sender_id}")
        stored = [number for number, draft in self._stream.drafts.items() if draft.seq is not None]
        if stored and event.last_client_id < max(stored):
            self._broken(f"the log holds draft {max(stored)}, and welcome says {event.last_client_id}")
        self._stream.sender_id = event.sender_id
        self._welcomed = event
        self._last_live = event.live_from

    def _joined(self, room: str, live_from: int) -> None:
        if live_from < self._last_live:
            self._broken(f"#{room} is live from {live_from}, although {self._last_live} has been shown")
        if room not in self._here:
            self._last_in.pop(room, None)
            self._here[room] = live_from
            self._ever_here.add(room)

    def _live(self, message: Message) -> None:
        if message.seq <= self._last_live:
            self._broken(f"message {message.seq} came live after {self._last_live}")
        if message.seq <= self._through:
            self._broken(f"message {message.seq} came live after a page through {self._through}")
        place, live_from = self._place(message)
        if message.room is not None and message.room not in self._here:
            self._broken(f"a message of #{message.room}, where this connection is not")
        last = self._last_in.get(place)
        if (last is None and message.prev > live_from) or (last is not None and message.prev != last):
            self._broken(
                f"message {message.seq} follows {message.prev} in {place!r}, and {last or live_from} was shown"
            )
        self._last_live = self._last_in[place] = message.seq

    def _place(self, message: Message) -> tuple[Place, int]:
        if self._welcomed is None:
            self._broken("a message before the welcome")
        assert self._welcomed is not None
        if message.room is not None:
            return message.room, self._here.get(message.room, 0)
        me = self._welcomed.sender_id
        if me not in (message.sender_id, message.to):
            self._broken(f"message {message.seq} of a dialogue of others")
        other = message.to if message.sender_id == me else message.sender_id
        return other or 0, self._welcomed.live_from

    def _acked(self, client_id: int, seq: int) -> None:
        draft = self._stream.drafts.get(client_id)
        if draft is None:
            self._broken(f"draft {client_id} was never sent and is acknowledged")
            return
        if draft.seq is not None and draft.seq != seq:
            self._broken(f"draft {client_id} was acknowledged as {draft.seq} and as {seq}")
        if draft.seq is None and seq <= draft.floor_seq:
            self._broken(
                f"draft {client_id} is message {seq}, and {draft.floor_seq} was acknowledged before it was sent"
            )
        if client_id in self._first_here and seq <= self._last_live:
            self._broken(f"draft {client_id} was acknowledged as {seq} after {self._last_live} was shown")
        self._first_here.discard(client_id)
        draft.seq = seq
        self._realtime.acked_seq = max(self._realtime.acked_seq, seq)

    def _page(self, page: HistoryPage) -> None:
        asked = self._asked.pop(page.ref, None)
        if asked is None:
            self._broken("a page nobody asked for")
            return
        last = 0
        for message in page.messages:
            if message.seq <= last:
                self._broken(f"a page with {message.seq} after {last}")
            last = message.seq
            place, live_from = self._place(message)
            if message.room is not None and message.room not in self._ever_here | asked.rooms:
                self._broken(f"a page with a message of #{message.room}, where this connection is not")
            is_live = message.room is None or message.room in self._here
            if is_live and live_from < message.seq and message.seq > self._last_in.get(place, 0):
                self._broken(f"a page with message {message.seq}, which was not fanned out yet")
        forward = asked.command.after is not None and asked.command.before is None
        if forward and not page.more and page.through < asked.floor_seq:
            self._broken(
                f"history through {page.through}, although {asked.floor_seq} was acknowledged before the question"
            )
        if forward and not page.more:
            self._through = max(self._through, page.through)

    def _broken(self, what: str) -> None:
        raise HistoryBroken(f"{self._who}: {what}")
