"""What must be true of one connection, whoever looks at it: commands that went up, events that came down.

A `WireChecker` is told every record of one connection in the order of the wire, and raises `HistoryBroken` at the
first event that the protocol (docs/protocol.md, sections 4 to 8 and 13 to 15) does not allow. Everything it judges by
was on the wire, so it serves a simulation and real processes alike; with a `Transcript`, it holds every copy of a
message against what the log was told, too. `Realtime` is shared by all connections to one server: what anybody was
acknowledged binds what everybody is told later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from securechat.model import (
    Acked,
    Closing,
    Command,
    Delete,
    Deleted,
    Direct,
    Edit,
    Edited,
    Event,
    Hello,
    History,
    HistoryPage,
    Joined,
    Left,
    LogEntry,
    Message,
    MessageChange,
    React,
    Reacted,
    Read,
    ReadElsewhere,
    Refused,
    RoomRules,
    Say,
    Search,
    SearchPage,
    Welcome,
)
from securechat.testing.log_checks import HistoryBroken
from tests.simulation.checkers.answer_order import AnswerOrder

if TYPE_CHECKING:
    from tests.simulation.checkers.transcript import Transcript

WireConversation: TypeAlias = str | int
"""A room, or the other person of a dialogue."""
SentCommand: TypeAlias = Say | Direct | Edit | Delete | React


@dataclass(slots=True)
class Realtime:
    """The highest seq that anybody was acknowledged so far."""

    acked_seq: int = 0


@dataclass(slots=True)
class SentDraft:
    """A draft as its sender knows it.

    Attributes:
        command: what was sent first; in a retry only the name of the room may be another.
        floor_seq: the highest seq acknowledged to anybody when it was first sent.
        connections: on how many connections it was sent.
        seq: where it is, once acknowledged.
        refused: whether it was.
    """

    command: SentCommand
    floor_seq: int
    connections: int = 0
    seq: int | None = None
    refused: bool = False

    @property
    def says(self) -> tuple[object, ...]:
        """What must be the same each time it is sent."""
        return says(self.command)


def says(command: SentCommand) -> tuple[object, ...]:
    """Return everything of a draft but the name of the room, which may change on its way."""
    match command:
        case Say(text=text, reply=reply):
            return ("say", text, reply)
        case Direct(to=to, text=text, reply=reply):
            return ("direct", to, text, reply)
        case Edit(seq=seq, text=text, to=to):
            return ("edit", seq, text, to)
        case Delete(seq=seq, to=to):
            return ("delete", seq, to)
        case React(seq=seq, sign=sign, to=to, on=on):
            return ("react", seq, sign, to, on)


@dataclass(slots=True)
class Stream:
    """Everything ever sent with one resume secret.

    Attributes:
        sender_id: whose it is, once that was told.
        drafts: by client_id.
        earlier: what was sent with it as somebody whose account was deleted.
    """

    sender_id: int = 0
    drafts: dict[int, SentDraft] = field(default_factory=dict)
    earlier: list[Stream] = field(default_factory=list)

    def begin_anew(self) -> None:
        """Who this was is gone; the same secret is somebody new, who never sent anything."""
        acked = {number: draft for number, draft in self.drafts.items() if draft.seq is not None}
        self.earlier.append(Stream(self.sender_id, acked))
        self.drafts = {number: draft for number, draft in self.drafts.items() if draft.seq is None}

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
    command: History | Search
    rooms: frozenset[str]


class WireChecker:
    """One connection.

    Args:
        who: names the client in a complaint.
        realtime: shared by all connections.
        stream: what this client has ever sent; a hello with another secret brings another one.
        transcript: what the log was told, where that is known.
    """

    def __init__(self, who: str, realtime: Realtime, stream: Stream, transcript: Transcript | None = None) -> None:
        self._who = who
        self._realtime = realtime
        self._stream = stream
        self._transcript = transcript
        self._hello_floor = 0
        self._welcomed: Welcome | None = None
        self._closed = False
        self._here: dict[str, int] = {}  # rooms, with their live_from
        self._ever_here: set[str] = set()
        self._last_live = self._through = 0
        self._last_in: dict[WireConversation, int] = {}
        self._asked: dict[int, _Asked] = {}
        self._first_here: set[int] = set()
        self._order = AnswerOrder()

    # --- up

    def sent(self, command: Command) -> None:
        """A command went out."""
        self._order.sent(command)
        match command:
            case Hello():
                self._hello_floor = self._realtime.acked_seq
            case Say() | Direct() | Edit() | Delete() | React():
                self._sent_draft(command)
            case History() | Search():
                self._asked[command.ref] = _Asked(self._realtime.acked_seq, command, frozenset(self._here))
            case Read(seq):
                if seq > (known := max(self._last_live, self._through, *self._here.values())):
                    self._broken(f"tells that {seq} was read, and has heard of nothing above {known}")
            case _:
                pass

    def _sent_draft(self, command: SentCommand) -> None:
        draft = self._stream.drafts.get(command.client_id)
        is_another = draft is not None and draft.says != says(command)
        if draft is not None and is_another and draft.seq is None:
            draft = None  # a program that was started anew goes on above what the log holds
        if draft is None:
            draft = self._stream.drafts[command.client_id] = SentDraft(command, self._realtime.acked_seq)
            self._first_here.add(command.client_id)
        elif is_another:
            self._broken(f"draft {command.client_id} was sent as two different things")
        draft.connections += 1

    # --- down

    def received(self, event: Event) -> None:
        """An event came in.

        Raises:
            HistoryBroken: it may not have.
        """
        if self._closed:
            self._broken(f"{type(event).__name__} after the last words")
        if (overtaken := self._order.overtaken(event)) is not None:
            self._broken(f"{type(event).__name__} overtook the answer to request {overtaken}")
        match event:
            case Welcome():
                self._welcome(event)
            case Joined(room, live_from):
                self._joined(room, live_from)
            case Left(room):
                self._here.pop(room, None)
                self._last_in.pop(room, None)
            case RoomRules(room, was=str(was)):
                self._renamed(was, room)
            case Message():
                self._live(event)
            case Edited() | Deleted() | Reacted():
                self._live_change(event)
            case Acked(client_id, seq):
                self._acked(client_id, seq)
            case Refused(client_id=int(client_id)):
                if client_id in self._stream.drafts:
                    self._stream.drafts[client_id].refused = True
            case HistoryPage():
                self._page(event)
            case SearchPage():
                self._hits(event)
            case ReadElsewhere(room=str(room)):
                if room not in self._here:
                    self._broken(f"something was read in #{room}, where this connection is not")
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
            if self._transcript is None or self._stream.sender_id not in self._transcript.deleted:
                self._broken(f"one secret is senders {self._stream.sender_id} and {event.sender_id}")
            self._stream.begin_anew()
        stored = [number for number, draft in self._stream.drafts.items() if draft.seq is not None]
        if stored and event.last_client_id < max(stored):
            self._broken(f"the log holds draft {max(stored)}, and welcome says {event.last_client_id}")
        self._stream.sender_id = event.sender_id
        self._welcomed = event
        self._last_live = event.live_from

    # --- rooms

    def _joined(self, room: str, live_from: int) -> None:
        if live_from < self._last_live:
            self._broken(f"#{room} is live from {live_from}, although {self._last_live} has been shown")
        if room not in self._here:
            self._last_in.pop(room, None)
            self._here[room] = live_from
            self._ever_here.add(room)

    def _renamed(self, old: str, new: str) -> None:
        if new in self._here:
            self._broken(f"#{old} is called #{new} now, where this connection is in another room of that name")
        if old in self._here:
            self._here[new] = self._here.pop(old)
            self._ever_here.add(new)
        if old in self._last_in:
            self._last_in[new] = self._last_in.pop(old)

    # --- what comes live

    def _live(self, message: Message) -> None:
        place, live_from = self._in_order(message)
        last = self._last_in.get(place)
        if (last is None and message.prev > live_from) or (last is not None and message.prev != last):
            self._broken(
                f"message {message.seq} follows {message.prev} in {place!r}, and {last or live_from} was shown"
            )
        self._last_in[place] = message.seq
        if self._transcript is not None:
            self._transcript.check_copy(message)

    def _live_change(self, change: MessageChange) -> None:
        self._in_order(change)
        if change.target >= change.seq:
            self._broken(f"entry {change.seq} changes {change.target}, which comes after it")
        if self._transcript is not None:
            self._transcript.check_change(change)

    def _in_order(self, entry: LogEntry) -> tuple[WireConversation, int]:
        if entry.seq <= self._last_live:
            self._broken(f"entry {entry.seq} came live after {self._last_live}")
        if entry.seq <= self._through:
            self._broken(f"entry {entry.seq} came live after a page through {self._through}")
        place, live_from = self._place(entry)
        if entry.room is not None and entry.room not in self._here:
            self._broken(f"an entry of #{entry.room}, where this connection is not")
        self._last_live = entry.seq
        return place, live_from

    def _place(self, entry: LogEntry) -> tuple[WireConversation, int]:
        if self._welcomed is None:
            self._broken("an entry before the welcome")
        if entry.room is not None:
            return entry.room, self._here.get(entry.room, 0)
        me = self._welcomed.sender_id
        if me not in (entry.sender_id, entry.to):
            self._broken(f"entry {entry.seq} of a dialogue of others")
        other = entry.to if entry.sender_id == me else entry.sender_id
        return other or 0, self._welcomed.live_from

    def _acked(self, client_id: int, seq: int) -> None:
        draft = self._stream.drafts.get(client_id)
        if draft is None:
            self._broken(f"draft {client_id} was never sent and is acknowledged")
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

    # --- what was asked for

    def _answers(self, ref: int) -> _Asked:
        asked = self._asked.pop(ref, None)
        if asked is None:
            self._broken("an answer to a question nobody asked")
        return asked

    def _page(self, page: HistoryPage) -> None:
        asked = self._answers(page.ref)
        command = asked.command
        assert isinstance(command, History)
        self._check_copies(page.messages, asked)
        for message in page.messages:
            place, live_from = self._place(message)
            is_live = message.room is None or message.room in self._here
            if is_live and live_from < message.seq and message.seq > self._last_in.get(place, 0):
                self._broken(f"a page with message {message.seq}, which was not fanned out yet")
        self._check_changes(page, command)
        forward = command.after is not None and command.before is None
        if forward and not page.more and page.through < asked.floor_seq:
            self._broken(
                f"history through {page.through}, although {asked.floor_seq} was acknowledged before the question"
            )
        if forward and not page.more:
            self._through = max(self._through, page.through)

    def _check_copies(self, messages: list[Message], asked: _Asked) -> None:
        last = 0
        for message in messages:
            if message.seq <= last:
                self._broken(f"a page with {message.seq} after {last}")
            last = message.seq
            self._check_copy(message, asked)

    def _check_copy(self, message: Message, asked: _Asked) -> None:
        self._place(message)
        if message.room is not None and message.room not in self._ever_here | asked.rooms:
            self._broken(f"an answer with a message of #{message.room}, where this connection is not")
        if self._transcript is not None:
            self._transcript.check_copy(message, asked.floor_seq)

    def _check_changes(self, page: HistoryPage, command: History) -> None:
        """Changes are of the span that the page covers, in order."""
        last = command.after or 0
        for change in page.changes:
            if not last < change.seq <= page.through:
                self._broken(f"a page with change {change.seq} after {last}, through {page.through}")
            last = change.seq
            self._place(change)
            if change.room is not None and change.room not in self._ever_here:
                self._broken(f"a page with a change in #{change.room}, where this connection is not")
            if self._transcript is not None:
                self._transcript.check_change(change)

    def _hits(self, page: SearchPage) -> None:
        asked = self._answers(page.ref)
        assert isinstance(asked.command, Search)
        below = asked.command.before or 2**53
        for hit in page.hits:
            if hit.message.seq >= below:
                self._broken(f"a search found {hit.message.seq} after {below}")
            below = hit.message.seq
            self._check_copy(hit.message, asked)
            if hit.message.deleted is not None:
                self._broken(f"a search found {hit.message.seq}, which was deleted")

    def _broken(self, what: str) -> NoReturn:
        raise HistoryBroken(f"{self._who}: {what}")
