"""What an event stream owes its reader, kept from the committed records: every entry that its token may read, once.

A reader has a cursor: the id of the last event that it has handled. What is owed to it is every entry above the cursor
that its account could read when it was fanned out, and could read without a break since then. What it could read for a
part of that time only, it may get or not. An event that goes past an entry that is owed is a hole.

What the hub hands to a stream is judged in that moment, as `Watch` does for sessions: the token, its rooms, and the
account's membership there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from securechat.model import Deleted, Edited, Event, HistoryPage, LogEntry, Message, Purged, Reacted
from securechat.records.accounts import Change, Scope
from securechat.records.rooms import PutReadMarker
from securechat.server.api.streams import EventStreams, StreamPeer, StreamRequest
from securechat.testing.log_checks import HistoryBroken
from securechat.text.names import LOBBY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securechat.limits import PageLimits
    from securechat.server.session import Link
    from tests.simulation.checkers.transcript import ModelMessage
    from tests.simulation.server import SimulatedServer
    from tests.simulation.world import World

_ENTRIES = Message | Edited | Deleted | Reacted
_LATE_MS = 1_000
"""After the end of a token, until its streams must be over."""
_LATE_S = 1.0
"""The same, after the sign of life that finds that a stream hears no room any more."""


class StreamWatch:
    """A stream of one process, as it was asked for.

    Attributes:
        peer: the stream.
        token: the secret.
        rooms: by number; empty for all.
        deaf_since: when it was in none of its rooms first, monotonic seconds; None while it is in one.
    """

    __slots__ = ("deaf_since", "peer", "rooms", "token")

    def __init__(self, peer: StreamPeer, token: str, rooms: frozenset[int]) -> None:
        self.peer = peer
        self.token = token
        self.rooms = rooms
        self.deaf_since: float | None = None


@dataclass(slots=True)
class Subscription:
    """What a reader keeps of its streams: they all have one account, and the same rooms.

    Attributes:
        token: the secret by which it comes now.
        rooms: by number; empty for all that the token hears.
        cursor: the seq of the last event that it has handled; None before the first.
        log_id: of the log that its ids are of.
        owed: seqs of entries that it must get, in order.
        ids: of the events that it has handled, in order.
        gone: entries that it should have got, and are gone: it must be told of that.
        purges: what it was told of.
        is_confused: whether a name has meant another room when the server heard of it.
    """

    token: str
    rooms: frozenset[int]
    cursor: int | None = None
    log_id: str = ""
    owed: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    purges: list[Purged] = field(default_factory=list)
    is_confused: bool = False


class WatchedStreams(EventStreams):
    """The event streams of a process, looked at.

    Args:
        law: judges them.
        streams: those that the peers of tokens have made, and not used yet.
        pages: how long a page is.
        held: entries that a stream holds back at most; a page takes some milliseconds, in which hardly one comes.
    """

    def __init__(self, law: StreamLaw, streams: EventStreams, pages: PageLimits, held: int) -> None:
        super().__init__(streams.hub, streams.scheduler, streams.limits, streams.observer)
        self._law = law

        class SmallStream(WatchedStream):
            page_limits = pages  # type: ignore[assignment]
            most_held = held

        self.peer_type = SmallStream

    def _opened(self, request: StreamRequest, rooms: Mapping[int, str], link: Link) -> StreamPeer:
        stream = super()._opened(request, rooms, link)
        assert isinstance(stream, WatchedStream)
        stream.law = self._law
        self._law.opened(stream, request.token, frozenset(rooms))
        return stream


class WatchedStream(StreamPeer):
    """A stream that is looked at."""

    law: StreamLaw

    def deliver(self, event: Event) -> None:
        """Tell this stream alone."""
        if isinstance(event, HistoryPage):
            for entry in (*event.messages, *event.changes):
                self.law.check_heard(self, entry)
        super().deliver(event)


class StreamLaw:
    """The streams of a world.

    Args:
        world: whose.

    Attributes:
        subscriptions: those that are in use.
        fed_seq: what was fanned out, or will be by the next process.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.fed_seq = 0
        self._asked: dict[str, Subscription] = {}  # by the label of the connection
        self._streams: dict[StreamPeer, StreamWatch] = {}
        self.subscriptions: list[Subscription] = []

    # --- what is owed -------------------------------------------------------------------------------------------------

    def restarted(self) -> None:
        """Another process begins: what was committed by the last one and not told is told by this one."""
        self._streams.clear()
        self.rights_changed()
        transcript = self._world.storage.transcript
        self._owe(sorted(seq for seq in (*transcript.said, *transcript.changes) if seq > self.fed_seq))
        self.fed_seq = transcript.last_seq

    def fed(self, batch: Sequence[LogEntry]) -> None:
        """The hub is about to fan out a batch."""
        if batch:
            self.fed_seq = batch[-1].seq
            self._owe([entry.seq for entry in batch])

    def _owe(self, seqs: Iterable[int]) -> None:
        if not self.subscriptions:
            return
        rooms = self._rooms_by_conversation()
        for seq in seqs:
            for each in self.subscriptions:
                if self._may_surely_read(each, seq, rooms):
                    each.owed.append(seq)

    def changed(self, changes: Sequence[Change]) -> None:
        """These changes are durable, and the hub hears of it now."""
        if self.subscriptions and not all(isinstance(change, PutReadMarker) for change in changes):
            self.rights_changed()

    def rights_changed(self) -> None:
        """What may not be read any more is owed to no one."""
        rooms = self._rooms_by_conversation()
        for each in self.subscriptions:
            each.owed = [seq for seq in each.owed if self._may_surely_read(each, seq, rooms)]

    def resumes(self, subscription: Subscription, cursor: int | None, address: tuple[str, int]) -> None:
        """A reader asks for a stream, with this cursor: all above it that it may read now is owed to it.

        Args:
            subscription: what it has so far.
            cursor: behind which it asks to begin; None for now.
            address: of its end of the connection.
        """
        self._asked["{}:{}".format(*address)] = subscription
        transcript, rooms = self._world.storage.transcript, self._rooms_by_conversation()
        subscription.cursor = cursor
        above = self.fed_seq if cursor is None else cursor
        seqs = sorted(seq for seq in (*transcript.said, *transcript.changes) if above < seq <= self.fed_seq)
        subscription.owed = [seq for seq in seqs if self._may_surely_read(subscription, seq, rooms)]

    def passed(self, subscription: Subscription, seq: int) -> None:
        """A reader was told the event of this seq: it has everything below that was owed to it.

        Raises:
            HistoryBroken: it has not.
        """
        assert subscription.cursor is not None
        left = [each for each in subscription.owed if subscription.cursor < each < seq]
        for each in left:
            if not self._world.storage.transcript.is_gone(each):
                self._broken(f"{self._named(each)} was left out between {subscription.cursor} and {seq}")
            if not any(self._covers(purged, each) for purged in subscription.purges):
                subscription.gone.add(each)
        subscription.owed = [each for each in subscription.owed if each > seq]
        subscription.cursor = seq

    def purged(self, subscription: Subscription, purged: Purged) -> None:
        """A reader was told that messages are gone."""
        subscription.purges.append(purged)
        subscription.gone = {seq for seq in subscription.gone if not self._covers(purged, seq)}

    def reset_for_retention(self, subscription: Subscription) -> None:
        """A reader was told that messages it has not read are gone: as much as is gone by now.

        Raises:
            HistoryBroken: none is.
        """
        said, cursor = self._world.storage.transcript.said, subscription.cursor or 0
        if not any(seq > cursor and each.may_be_gone for seq, each in said.items()):
            self._broken(f"a stream is told that messages above {cursor} are gone, and all are there")
        subscription.gone.clear()
        for seq in [seq for seq in subscription.owed if self._world.storage.transcript.is_gone(seq)]:
            subscription.owed.remove(seq)

    def missing(self, subscription: Subscription) -> list[int]:
        """Return what a reader must still get."""
        transcript, cursor = self._world.storage.transcript, subscription.cursor or 0
        return [seq for seq in subscription.owed if seq > cursor and not transcript.is_gone(seq)]

    def hears_the_lobby(self, subscription: Subscription) -> bool:
        """Tell whether a reader has asked for the lobby, where every account is, and its token is good for it."""
        row = self._world.token_law.row_of(subscription.token)
        rooms = [each for each in (subscription.rooms, () if row is None else row.rooms) if each]
        return row is not None and all(0 in each for each in rooms)

    def _covers(self, purged: Purged, seq: int) -> bool:
        transcript = self._world.storage.transcript
        change = transcript.changes.get(seq)
        message = self._message(seq).now
        if purged.room is not None:
            is_there = self._message(seq).place == transcript.conversation_in(purged.room)
            return is_there and message.seq <= purged.through
        senders = {message.sender_id} if change is None else {message.sender_id, change.sender_id}
        return purged.sender_id in senders and message.seq <= purged.through

    def _named(self, seq: int) -> str:
        transcript = self._world.storage.transcript
        change = transcript.changes.get(seq)
        if change is not None:
            return f"{type(change).__name__.lower()} {seq} of message {change.target}"
        return f"message {seq}"

    def _message(self, seq: int) -> ModelMessage:
        transcript = self._world.storage.transcript
        change = transcript.changes.get(seq)
        return transcript.said[seq if change is None else change.target]

    # --- who may read what --------------------------------------------------------------------------------------------

    def _rooms_by_conversation(self) -> dict[int | None, int]:
        house, transcript = self._world.house, self._world.storage.transcript
        rooms = {transcript.conversation_in(row.name): number for number, row in house.room_records.items()}
        rooms[transcript.conversation_in(LOBBY)] = 0
        return rooms

    def _may_surely_read(self, subscription: Subscription, seq: int, rooms: Mapping[int | None, int]) -> bool:
        """Whether an entry is in what a reader may read now, also by the strictest rule."""
        row = self._world.token_law.row_of(subscription.token)
        if row is None or Scope.READ not in row.scopes:
            return False
        said, who = self._message(seq), row.sender_id
        message = said.now
        if message.room is None:
            return not row.rooms and not subscription.rooms and who in (message.sender_id, message.to)
        number = rooms.get(said.place)
        if number is None or (row.rooms and number not in row.rooms):
            return False
        if subscription.rooms and number not in subscription.rooms:
            return False
        return self.is_surely_in(number, who, message.seq)

    def is_surely_in(self, number: int, who: int, seq: int | None = None) -> bool:
        """Whether an account is in a room, and may read this message there."""
        house, maker = self._world.house, self._world.token_law.maker_of(who)
        record = house.place(LOBBY) if number == 0 else house.room_records.get(number)
        if number == 0:
            return record is None or not record.history_from_join
        if record is None:
            return False
        row = house.membership(record, who)
        if row is None or house.is_kept_out(record.name, who) or (maker and house.is_kept_out(record.name, maker)):
            return False
        return seq is None or not record.history_from_join or seq > row.joined_seq

    # --- what the hub does --------------------------------------------------------------------------------------------

    def opened(self, stream: StreamPeer, token: str, rooms: frozenset[int]) -> None:
        """A stream begins."""
        self._streams[stream] = StreamWatch(stream, token, rooms)
        link: Any = stream.link
        subscription = self._asked[link.label]
        subscription.is_confused = subscription.rooms != rooms
        if subscription.is_confused and subscription in self.subscriptions:
            self.over(subscription)

    def over(self, subscription: Subscription) -> None:
        """A reader does not go on with it: nothing is owed any more."""
        subscription.owed.clear()
        if subscription in self.subscriptions:
            self.subscriptions.remove(subscription)

    def broadcast(self, peers: Sequence[Any], events: Sequence[Event]) -> None:
        """Many are told the same, streams among them.

        Raises:
            HistoryBroken: one of them may not hear it.
        """
        for peer in peers if self._streams else ():
            if isinstance(peer, StreamPeer):
                for event in events:
                    if isinstance(event, _ENTRIES):
                        self.check_heard(peer, event)

    def check_heard(self, stream: StreamPeer, entry: LogEntry) -> None:
        """The hub hands an entry to a stream. Raises as `broadcast`."""
        watch = self._streams[stream]
        law, house = self._world.token_law, self._world.house
        row = law.row_of(watch.token)
        transcript = self._world.storage.transcript
        if entry.seq not in transcript.said and entry.seq not in transcript.changes:
            self._broken(f"{entry} is told to a stream, and was not committed")
        if row is None:
            self._leak(watch, entry, "its token is gone")
        if Scope.READ not in row.scopes:
            self._leak(watch, entry, "its token reads nothing")
        who, about = row.sender_id, entry.seq if isinstance(entry, Message) else entry.target
        if entry.room is None:
            if row.rooms or watch.rooms:
                self._leak(watch, entry, "it is for rooms")
            if who not in (entry.sender_id, entry.to):
                self._leak(watch, entry, "it is a dialogue of others")
            return
        record = house.place(entry.room)
        number = 0 if entry.room == LOBBY else None if record is None else record.room_id
        if (row.rooms and number not in row.rooms) or (watch.rooms and number not in watch.rooms):
            self._leak(watch, entry, "it is for other rooms")
        if number and record is not None and house.membership(record, who) is None:
            self._leak(watch, entry, "its account is not in the room")
        if not house.may_hear(entry.room, who) or about <= house.hears_above(entry.room, who)[0]:
            self._leak(watch, entry, "its account may not read that there")

    def check_connections(self) -> None:
        """A pass is over: which streams go on whose token is good for nothing, or that hear no room?

        Raises:
            HistoryBroken: there is one.
        """
        hub, limits, now = self._world.server.hub, self._world.limits, self._world.clock.now
        for stream, watch in list(self._streams.items()):
            if stream._is_over:
                del self._streams[stream]
                continue
            if not stream._is_welcome:
                continue
            if stream not in hub._connections:
                self._broken(f"{stream.label} goes on, and the hub has let go of it")
            self._world.token_law.check_good(stream.label, watch.token, late_ms=_LATE_MS)
            if stream.link.queued_bytes > limits.outbox_hard_bytes:
                self._broken(f"{stream.label}: {stream.link.queued_bytes} bytes wait for one reader")
            row = self._world.token_law.row_of(watch.token)
            if not watch.rooms or row is None or any(self.is_surely_in(room, row.sender_id) for room in watch.rooms):
                watch.deaf_since = None
            elif watch.deaf_since is None:
                watch.deaf_since = now
            elif now > watch.deaf_since + limits.api_alive_s + _LATE_S and 0 not in watch.rooms:
                self._broken(f"{stream.label} goes on, and is in none of its rooms since {watch.deaf_since:.2f}")

    def check_over(self, server: SimulatedServer) -> None:
        """Everybody has left. Raises HistoryBroken: the server still has streams."""
        if server.http is not None and len(server.http.peers.streams):
            self._broken(f"{len(server.http.peers.streams)} streams are left")

    def _leak(self, watch: StreamWatch, entry: LogEntry, why: str) -> NoReturn:
        self._broken(f"{watch.peer.label}, a stream for {sorted(watch.rooms) or 'all'}, is told {entry}: {why}"[:400])

    def _broken(self, what: str) -> NoReturn:
        raise HistoryBroken(what)
