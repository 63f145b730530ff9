"""Between the hub and everybody: what it takes, what it tells, and to whom, looked at in that very moment.

No delay lies between the hub's decision and this look, so what is said here is exact: an entry of a private room that
is handed to a connection whose owner does not belong to it is a leak, whatever crossed with what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from securechat.errors import LocalProtocolError
from securechat.limits import EXCERPT_CHARS
from securechat.model import (
    Acked,
    ConversationItem,
    ConversationList,
    Deleted,
    Draft,
    Edited,
    Event,
    HistoryPage,
    Invited,
    Joined,
    Left,
    LogEntry,
    Message,
    Presence,
    Reacted,
    Revision,
    RoleChanged,
    RoomRules,
    RoomsPage,
    Roster,
    SearchPage,
    TypingNow,
    UnreadList,
    Welcome,
)
from securechat.records.accounts import Change, Committed, with_sender
from securechat.records.log import AppendOutcome, Identity, LogState, NotAppended
from securechat.records.rooms import PurgeExpired
from securechat.server.broadcaster import Broadcaster
from securechat.server.session import Session
from securechat.testing.log_checks import HistoryBroken
from securechat.testing.slow_log import SlowLog

if TYPE_CHECKING:
    from securechat.hub.interfaces import Peer
    from securechat.net.loop import Loop
    from tests.simulation.house import House
    from tests.simulation.world import World

_Entries = Message | Edited | Deleted | Reacted


_LISTS: dict[type, str] = {
    HistoryPage: "messages",
    SearchPage: "hits",
    UnreadList: "items",
    ConversationList: "items",
    RoomsPage: "rooms",
    Roster: "members",
}
"""Events that are pages, and where their rows stand."""


class WatchedSession(Session):
    """A session that is looked at.

    Attributes:
        me: whose it is; 0 before the welcome.
        rooms: where it is, as it was told.
    """

    __slots__ = ("me", "rooms", "watch")

    def __init__(self, watch: Watch, *args: Any) -> None:
        self.watch = watch
        self.me = 0
        self.rooms: set[str] = set()
        super().__init__(*args)

    def deliver(self, event: Event) -> None:
        """Tell this peer alone."""
        self.watch.handed(self, event)
        super().deliver(event)

    def _instead_of(self, event: Event, error: LocalProtocolError) -> NoReturn:
        """Tell of what does not fit."""
        raise HistoryBroken(f"{type(event).__name__} does not fit into a frame: {error}")


class WatchedOutlet(Broadcaster):
    """The fan-out, looked at."""

    def __init__(self, watch: Watch, write_all: Callable[[list[Any], bytes], None]) -> None:
        super().__init__(write_all, self._too_long)
        self._watch = watch

    def _too_long(self, error: LocalProtocolError) -> NoReturn:
        raise HistoryBroken(f"many are told what does not fit into a frame: {error}")

    def broadcast(self, peers: Sequence[Peer], events: Sequence[Event]) -> None:
        """Tell many the same; a peer over HTTP is told nothing of it, but for event streams."""
        self._watch.stream_law.broadcast(peers, events)
        self._watch.broadcast([peer for peer in peers if isinstance(peer, WatchedSession)], events)
        super().broadcast(peers, events)


class WatchedLog(SlowLog):
    """The log, as the hub has it, looked at."""

    watch: Watch

    def start(
        self, on_commit: Callable[[Sequence[LogEntry]], None], on_failure: Callable[[Exception], None]
    ) -> LogState:
        """Begin."""

        def committed(batch: Sequence[LogEntry]) -> None:
            self.watch.stream_law.fed(batch)
            self.watch.file_law.fed(batch)
            on_commit(batch)

        state = super().start(committed, on_failure)
        self.watch.house.restore(state)
        self.watch.stream_law.restarted()
        self.watch.file_law.restarted()
        return state

    def record(self, changes: Sequence[Change], done: Callable[[Committed | NotAppended], None]) -> None:
        """Take changes."""
        for change in changes:
            if isinstance(change, PurgeExpired):
                self.watch.house.check_expiry(change.room, change.before_ms)

        def recorded(answer: Committed | NotAppended) -> None:
            if isinstance(answer, Committed):
                self.watch.house.apply(changes, answer.dropped)
            done(answer)

        super().record(changes, recorded)

    def identify(
        self,
        secret_hash: bytes,
        name: str,
        key: str,
        done: Callable[[Identity | NotAppended], None],
        account: int | None = None,
        changes: Sequence[Change] = (),
    ) -> None:
        """Find or make a sender."""

        def identified(answer: Identity | NotAppended) -> None:
            if isinstance(answer, Identity) and answer.stored:
                self.watch.token_law.apply(with_sender(changes, answer.sender_id))
            done(answer)

        super().identify(secret_hash, name, key, identified, account, changes)

    def append(self, draft: Draft, done: Callable[[AppendOutcome], None]) -> None:
        """Take a draft."""
        if not draft.known_only:
            self.watch.house.check_draft(draft, self.watch.loop.now)
            self.watch.token_law.check_draft(draft)
            if draft.files:
                self.watch.world.file_faults.given_to_the_log()
        super().append(draft, done)

    def revise(self, revision: Revision, done: Callable[[AppendOutcome], None]) -> None:
        """Take a revision."""
        self.watch.house.check_revision(revision)
        self.watch.token_law.check_draft(revision)
        super().revise(revision, done)


class Watch:
    """Judges what is told.

    Args:
        world: whose hub it is.

    Attributes:
        loop: of the hub's process.
    """

    loop: Loop

    def __init__(self, world: World) -> None:
        self.world = world
        self._transcript = world.storage.transcript
        self._law = world.law
        self.token_law = world.token_law
        self.stream_law = world.stream_law
        self.file_law = world.file_law
        self._hush = world.hush
        self._page_rows = world.pages.page_rows
        self.house: House = world.house

    def broadcast(self, peers: Sequence[Any], events: Sequence[Event]) -> None:
        """Many are told the same.

        Raises:
            HistoryBroken: one of them may not hear it.
        """
        for event in events:
            if isinstance(event, _Entries):
                self._entry_to_all(peers, event)
            else:
                for peer in peers:
                    self.handed(peer, event)

    def _entry_to_all(self, peers: Sequence[WatchedSession], entry: LogEntry) -> None:
        self._check_committed(entry)
        if self.token_law.in_by:
            for peer in peers:
                self.token_law.check_told(peer.label, peer.rooms, entry)
        if entry.room is None:
            for peer in peers:
                if peer.me not in (entry.sender_id, entry.to):
                    self._leak(peer, entry)
            return
        place = self.house.place(entry.room)
        if place is None or not (place.private or place.history_from_join):
            return
        for peer in peers:
            self._check_entry(peer, entry)

    def handed(self, peer: WatchedSession, event: Event) -> None:
        """One is told something. Raises as `broadcast`."""
        if self.token_law.in_by:
            self.token_law.check_told(peer.label, peer.rooms, event)
        if type(event) in _LISTS:
            self._check_length(event)
        match event:
            case Welcome(sender_id=sender_id, token=token):
                peer.me = sender_id
                self._check_password(peer, event)
                if login_id := peer._hub._connections[peer].login_id:
                    self._law.came_in(login_id, new=bool(token))
            case Acked(_, seq):
                if seq > self._transcript.last_seq:
                    raise HistoryBroken(f"{seq} is acknowledged, and was not committed")
            case HistoryPage():
                for entry in (*event.messages, *event.changes):
                    self._check_entry(peer, entry)
            case SearchPage():
                for hit in event.hits:
                    self._check_entry(peer, hit.message)
            case UnreadList():
                self._check_there(peer, [item.room for item in event.items if item.room is not None], event)
            case ConversationList():
                self._check_there(peer, [item.room for item in event.items if item.room is not None], event)
                for item in event.items:
                    self._check_last(peer, item)
            case RoomsPage():
                self._check_visible(peer, [each.room for each in event.rooms], event)
            case Invited(room):
                self._check_visible(peer, [room], event)
            case _:
                self._about_a_room(peer, event)

    def _check_password(self, peer: WatchedSession, event: Welcome) -> None:
        connection = peer._hub._connections[peer]
        is_free = connection.certificate is not None or connection.token is not None
        is_temporary = event.account and not is_free and self.house.has_temporary_password(event.sender_id)
        if event.must_change != is_temporary:
            word = "temporary" if is_temporary else "its own"
            raise HistoryBroken(f"{event.name} has a password that is {word}, and the welcome says otherwise")

    def _check_length(self, event: Event) -> None:
        """Whatever lists something is a page. Bytes are counted where frames are made."""
        rows = getattr(event, _LISTS[type(event)])
        if len(rows) > self._page_rows:
            raise HistoryBroken(f"{type(event).__name__} has {len(rows)} rows, and a page has {self._page_rows}")

    def _about_a_room(self, peer: WatchedSession, event: Event) -> None:
        match event:
            case Joined(room, live_from):
                self.token_law.check_people(event.members)
                if event.made and not event.room_id:
                    self._hush.opened(room)
                if self.house.is_kept_out(room, peer.me):
                    self._leak(peer, event)
                peer.rooms.add(room)
                self.house.entered(room, peer.me, live_from)
            case Left(room):
                peer.rooms.discard(room)
                self.house.left(room, peer.me)
            case RoomRules(room, ref, was=was):
                if was is not None and was in peer.rooms:
                    peer.rooms.discard(was)
                    peer.rooms.add(room)
                if ref:
                    self._check_visible(peer, [room], event)
                else:
                    self._check_there(peer, [room], event)
            case Roster(room=room) | Presence(room) | RoleChanged(room) | TypingNow(room=str(room)):
                self._check_there(peer, [room], event)
            case _:
                pass

    def _check_entry(self, peer: WatchedSession, entry: LogEntry) -> None:
        self._check_committed(entry)
        if entry.room is None:
            if peer.me not in (entry.sender_id, entry.to):
                self._leak(peer, entry)
            return
        is_there = entry.room in peer.rooms and self.house.may_hear(entry.room, peer.me)
        about = entry.seq if isinstance(entry, Message) else entry.target
        if not is_there or about <= self.house.hears_above(entry.room, peer.me)[0]:
            self._leak(peer, entry)

    def _check_last(self, peer: WatchedSession, item: ConversationItem) -> None:
        """The last message of a conversation is one that may be read there, in a state that it had."""
        if not item.last_seq:
            return
        said = self._transcript.said.get(item.last_seq)
        if said is None or item.text not in {message.text[:EXCERPT_CHARS] for _, message in said.states}:
            raise HistoryBroken(f"{item} is told, and was not committed")
        if item.peer is not None and {peer.me, item.peer.id} != {said.now.sender_id, said.now.to}:
            self._leak(peer, item)
        if item.room is not None and item.last_seq <= self.house.hears_above(item.room, peer.me)[0]:
            self._leak(peer, item)

    def _check_committed(self, entry: LogEntry) -> None:
        if isinstance(entry, Message):
            self.token_law.check_mark(entry)
        if entry.seq not in self._transcript.said and entry.seq not in self._transcript.changes:
            raise HistoryBroken(f"{entry} is told, and was not committed")

    def _check_there(self, peer: WatchedSession, rooms: Sequence[str], event: Event) -> None:
        for room in rooms:
            if room not in peer.rooms or not self.house.may_see(room, peer.me):
                self._leak(peer, event)

    def _check_visible(self, peer: WatchedSession, rooms: Sequence[str], event: Event) -> None:
        for room in rooms:
            if not self.house.may_see(room, peer.me):
                self._leak(peer, event)

    def _leak(self, peer: WatchedSession, what: object) -> NoReturn:
        raise HistoryBroken(f"{peer.label} ({peer.me}, in {sorted(peer.rooms)}) is told {what}"[:400])
