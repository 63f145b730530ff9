"""Questions that change nothing: who is where, who has a name, which rooms there are, what was said or not read.

Each answer is one page. History is read and searched by the log on its own threads, never beyond ``fed_seq``, one page
at a time per connection, and not for a connection that is behind with reading.

What somebody may read: the rooms they are in, in rooms with ``history_from_join`` from their joining on, and their own
dialogues. Everything below is asked through `ReadScope`, so that no question forgets it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias, assert_never

from securechat.errors import ErrorCode, Refusal
from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.messages.paging import history_page, rooms_page, roster_page, search_page, unread_page
from securechat.hub.rooms.active_room import ActiveRoom
from securechat.model import (
    AskUnread,
    Found,
    History,
    LogEntry,
    Message,
    Person,
    Refused,
    RoomCount,
    Rooms,
    Search,
    UnreadItem,
    Who,
    Whois,
)
from securechat.records.log import NotAppended
from securechat.records.queries import (
    HistoryQuery,
    HistoryRows,
    SearchQuery,
    SearchRows,
    Unread,
    UnreadQuery,
    UnreadRows,
)
from securechat.text.names import LOBBY, check_name, check_room, name_key
from securechat.text.search_query import parse

Query: TypeAlias = Who | Whois | Rooms | History | Search | AskUnread
_NO_ANSWER = "the server met an internal error and cannot answer this; everything else goes on"


class ReaderQueries:
    """Answers Who, Whois, Rooms and History.

    Args:
        context: who is here, in which rooms, and the log.
    """

    def __init__(self, context: HubContext) -> None:
        self._context = context
        self._containment = context.containment
        self._pages = context.pages
        self._listing = context.rooms.listing
        self._directory = context.accounts
        self._log = context.log
        self._members = context.members
        self._by_key = context.members_by_key
        self._presence = context.presence
        self._reading: set[Peer] = set()

    def answer(self, peer: Peer, member: Member, question: Query) -> None:
        """Answer one question, History later. What that raises refuses the question: nothing was changed by it.

        Raises:
            Refusal: the question is about something the member may not see or that is not there.
        """
        with self._containment.work_for(_Asked(self, peer, question)):
            self._answer(peer, member, question, self._context.fed_seq)

    def _answer(self, peer: Peer, member: Member, question: Query, fed_seq: int) -> None:
        match question:
            case Who():
                self._who(peer, member, question)
            case Whois():
                self._whois(peer, question)
            case Rooms():
                self._list_rooms(peer, member, question)
            case History():
                self._history(peer, member, question, fed_seq)
            case Search():
                self._search(peer, member, question, fed_seq)
            case AskUnread():
                self._unread(peer, member, question, fed_seq)
            case _:
                assert_never(question)

    def forget(self, peer: Peer) -> None:
        """The connection is over: an answer under way finds nobody."""
        self._reading.discard(peer)

    def _who(self, peer: Peer, member: Member, command: Who) -> None:
        name = member.room_meant(check_room(command.room))
        if (room := member.rooms.get(name)) is None:
            raise Refusal(ErrorCode.NOT_A_MEMBER, f"you are not in #{name}; join it first")
        after = command.after if command.after is not None else -1
        peer.deliver(roster_page(command.ref, room, after, peer.page_limits))

    def _whois(self, peer: Peer, command: Whois) -> None:
        name = check_name(command.name)
        member = self._by_key.get(name_key(name))
        if member is None and (account := self._directory.account_named(name)) is not None:
            peer.deliver(Found(ref=command.ref, person=Person(account.sender_id, account.name), absent=True))
            return
        if member is None:
            raise Refusal(ErrorCode.NO_SUCH_PERSON, "nobody here has this name; /who shows who is here")
        peer.deliver(Found(ref=command.ref, person=Person(member.sender_id, member.name)))

    def _list_rooms(self, peer: Peer, member: Member, command: Rooms) -> None:
        after = check_room(command.after) if command.after else ""
        room_directory, occupied = self._directory.room_directory, self._presence.rooms
        mine = {
            *member.rooms,
            *(room_record.name for room_record, _ in room_directory.memberships_of(member.sender_id)),
        }
        most = peer.page_limits.page_rows
        names = self._listing.page(after, mine, most + 1)
        rooms = [RoomCount(name, len(occupied[name].members) if name in occupied else 0) for name in names[:most]]
        peer.deliver(rooms_page(command.ref, rooms, peer.page_limits, more=len(names) > most))

    # --- What was said --------------------------------------------------------------------------------------------

    def _history(self, peer: Peer, member: Member, command: History, fed_seq: int) -> None:
        self._expect_free(peer)
        query = self._query(peer, member, command, fed_seq)

        def done(answer: HistoryRows | NotAppended) -> None:
            if self._is_outdated(member, query.rooms):
                self._again(peer, command.ref, lambda: self._history(peer, member, command, fed_seq))
            elif self._is_answered(peer, command.ref, answer) and isinstance(answer, HistoryRows):
                peer.deliver(history_page(command.ref, query, answer, peer.page_limits))

        self._reading.add(peer)
        self._log.history(query, done)

    def _query(self, peer: Peer, member: Member, command: History, fed_seq: int) -> HistoryQuery:
        jumps = command.around is not None or command.at is not None
        if jumps and command.room is None and command.peer is None:
            raise Refusal(ErrorCode.INVALID, "name the room or the person whose history to jump in")
        scope = self._scope(member, command.room, command.peer)
        return HistoryQuery(
            up_to=fed_seq,
            limit=min(command.limit, peer.page_limits.page_rows),
            rooms=scope.rooms,
            floors=scope.floors,
            dialogue=scope.dialogue,
            dialogues_of=scope.dialogues_of,
            after=command.after,
            before=command.before,
            around=command.around,
            since_ms=command.at,
        )

    def _search(self, peer: Peer, member: Member, command: Search, fed_seq: int) -> None:
        self._expect_free(peer)
        asked = parse(command.query, self._directory.wall_ms())
        scope = self._scope(member, None, None)
        if asked.rooms:
            names = tuple(member.room_meant(check_room(raw)) for raw in asked.rooms)
            for name in names:
                self._expect_in(member, name)
            scope = ReadScope(
                names,
                tuple(room_membership for room_membership in scope.floors if room_membership[0] in names),
                None,
                None,
            )
        senders = None
        if asked.senders:
            senders = tuple(who for who in map(self._sender_named, asked.senders) if who is not None)
        query = SearchQuery(
            up_to=fed_seq,
            limit=min(command.limit, peer.page_limits.page_rows),
            words=asked.words,
            rooms=scope.rooms,
            floors=scope.floors,
            dialogues_of=scope.dialogues_of,
            senders=senders,
            before=command.before,
            before_ms=asked.before_ms,
            after_ms=asked.after_ms,
            has_link=asked.has_link,
        )

        def done(answer: SearchRows | NotAppended) -> None:
            if self._is_outdated(member, query.rooms):
                self._again(peer, command.ref, lambda: self._search(peer, member, command, fed_seq))
            elif self._is_answered(peer, command.ref, answer) and isinstance(answer, SearchRows):
                peer.deliver(search_page(command.ref, query, answer, peer.page_limits))

        self._reading.add(peer)
        self._log.search(query, done)

    def _unread(self, peer: Peer, member: Member, command: AskUnread, fed_seq: int) -> None:
        if not member.account:
            raise Refusal(ErrorCode.ACCOUNT_NEEDED, "what has been read is kept for accounts; /register makes you one")
        self._expect_free(peer)
        names, through_room = self._unread_rooms(peer, member, command)
        floors = dict(self._floors(member, names))
        belongs = self._directory.room_directory.membership
        rooms = []
        for name in names:
            membership = belongs(name, member.sender_id)
            since = membership.joined_seq if membership is not None else member.entered_seq.get(name, 0)
            if (
                name == LOBBY
            ):  # nobody belongs to it and everybody is in it: read marks alone count (see `RoomMembership`)
                since = 0
            rooms.append((name, max(since, floors.get(name, 0))))
        after = (command.after or 0) if through_room is None else None
        query = UnreadQuery(member.sender_id, tuple(rooms), fed_seq, after, peer.page_limits.page_rows)

        def done(answer: UnreadRows | NotAppended) -> None:
            if self._is_outdated(member, names):
                self._again(peer, command.ref, lambda: self._unread(peer, member, command, fed_seq))
            elif self._is_answered(peer, command.ref, answer) and isinstance(answer, UnreadRows):
                items = [self._item(row) for row in answer.rows]
                peer.deliver(
                    unread_page(command.ref, items, peer.page_limits, through=answer.through, through_room=through_room)
                )

        def job() -> None:
            self._log.unread(query, done)

        self._reading.add(peer)
        self._directory.in_turn(("read", member.sender_id), job)  # behind what has just been said to be read

    def _unread_rooms(self, peer: Peer, member: Member, command: AskUnread) -> tuple[tuple[str, ...], str | None]:
        """The rooms of a page, by name; and the last of them, where there are more."""
        if command.after is not None:
            return (), None
        after = command.after_room or ""
        names = sorted(name for name in member.rooms if name > after)
        page = tuple(names[: peer.page_limits.page_rows])
        return page, page[-1] if len(names) > len(page) else None

    def _item(self, row: Unread) -> UnreadItem:
        person = None
        if row.peer is not None:
            held = self._directory.accounts.get(row.peer) or self._members.get(row.peer)
            person = Person(row.peer, held.name if held is not None else "")
        return UnreadItem(row.read_seq, row.unread, row.mentions, row.first_seq, row.room, person)

    # --- Parts ----------------------------------------------------------------------------------------------------

    def _scope(self, member: Member, raw_room: str | None, person: int | None) -> ReadScope:
        """What somebody may read, or the part of it they ask for.

        Raises:
            Refusal: NOT_A_MEMBER of that room.
        """
        if raw_room is not None:
            name = member.room_meant(check_room(raw_room))
            self._expect_in(member, name)
            return ReadScope((name,), self._floors(member, (name,)), None, None)
        if person is not None:
            return ReadScope((), (), (member.sender_id, person), None)
        rooms = tuple(member.rooms)
        return ReadScope(rooms, self._floors(member, rooms), None, member.sender_id)

    def _floors(self, member: Member, rooms: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
        room_directory = self._directory.room_directory
        floors = []
        for name in rooms:
            room_record = room_directory.room_records.get(name)
            if room_record is not None and room_record.history_from_join:
                membership = room_directory.membership(name, member.sender_id)
                entered_seq = member.entered_seq.get(name, 0)
                floors.append((name, entered_seq if membership is None else membership.joined_seq))
        return tuple(floors)

    def readers(self, room: ActiveRoom, entry: LogEntry) -> list[Peer]:
        """Whom an entry of a room with ``history_from_join`` may reach: who may read the message it changes."""
        if isinstance(entry, Message):
            return list(room.audience())
        readers = [
            member
            for member in room.members.values()
            if all(room_membership < entry.target for _, room_membership in self._floors(member, (room.name,)))
        ]
        return [peer for member in readers for peer in member.peers]

    def _expect_in(self, member: Member, name: str) -> None:
        if name not in member.rooms:
            raise Refusal(ErrorCode.NOT_A_MEMBER, f"you are not in #{name}; join it first")

    def _expect_free(self, peer: Peer) -> None:
        if peer in self._reading:
            raise Refusal(ErrorCode.BUSY, "a page of history is being read; wait for it")
        if peer.held_back:
            raise Refusal(ErrorCode.BUSY, "you are behind with reading; ask again when you have caught up", 1.0)

    def _is_outdated(self, member: Member, rooms: tuple[str, ...]) -> bool:
        """Whether a room that was read is none of the member's any more, or is called otherwise."""
        return not all(name in member.rooms for name in rooms)

    def _again(self, peer: Peer, ref: int, ask: Callable[[], None]) -> None:
        """Ask anew what was answered for rooms as they are no more, if the peer still waits."""
        if peer not in self._reading:
            return
        self._reading.discard(peer)
        try:
            ask()
        except Refusal as refusal:
            peer.deliver(Refused(refusal.code, refusal.detail, ref=ref, retry_after_s=refusal.retry_after_s))

    def _is_answered(self, peer: Peer, ref: int, answer: object) -> bool:
        """Tell whether the peer still waits for the answer, and tell it a refusal."""
        if peer not in self._reading:
            return False
        self._reading.discard(peer)
        if isinstance(answer, NotAppended):
            peer.deliver(Refused(answer.code, answer.text, ref=ref))
        return True

    def _sender_named(self, raw: str) -> int | None:
        name = check_name(raw)
        held = self._by_key.get(name_key(name)) or self._directory.account_named(name)
        return None if held is None else held.sender_id


class _Asked:
    """A question as the owner of work that may raise."""

    __slots__ = ("_peer", "_queries", "_question")

    def __init__(self, queries: ReaderQueries, peer: Peer, question: Query) -> None:
        self._queries = queries
        self._peer = peer
        self._question = question

    @property
    def label(self) -> str:
        """The connection and what it asked."""
        return f"{getattr(self._peer, 'label', '')} {type(self._question).__name__.lower()}".strip()

    def fail(self) -> None:
        """There is no answer; the connection goes on."""
        if isinstance(self._question, History | Search | AskUnread):  # others are never under way
            self._queries.forget(self._peer)
        self._peer.deliver(Refused(ErrorCode.INTERNAL, _NO_ANSWER, ref=self._question.ref))


class ReadScope(NamedTuple):
    """What a question may look at, in the terms of the log's queries."""

    rooms: tuple[str, ...]
    floors: tuple[tuple[str, int], ...]
    dialogue: tuple[int, int] | None
    dialogues_of: int | None
