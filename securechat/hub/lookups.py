"""Questions that change nothing: who is where, who has a name, which rooms there are, what was said.

Each answer is one page. History is read by the log on its own thread, never beyond ``fed_seq``, one page at a time per
connection, and not for a connection that is behind with reading.
"""

from __future__ import annotations

from typing import assert_never

from securechat.errors import ErrorCode, Refusal
from securechat.hub.attendance import Attendance
from securechat.hub.entrance import Entrance
from securechat.hub.member import Member
from securechat.hub.paging import page_of
from securechat.hub.ports import HistoryQuery, HistoryRows, MessageLog, NotAppended, Peer
from securechat.hub.registry import Registry
from securechat.limits import PAGE_ROWS
from securechat.model import (
    Found,
    History,
    Person,
    Refused,
    RoomCount,
    Rooms,
    RoomsPage,
    Roster,
    Who,
    Whois,
)
from securechat.names import check_name, check_room, name_key


class Lookups:
    """Answers Who, Whois, Rooms and History.

    Args:
        log: where history is read.
        entrance: knows who has which name.
        attendance: knows the rooms.
        registry: knows the accounts of those who are absent.
    """

    def __init__(self, log: MessageLog, entrance: Entrance, attendance: Attendance, registry: Registry) -> None:
        self._registry = registry
        self._log = log
        self._entrance = entrance
        self._attendance = attendance
        self._reading: set[Peer] = set()

    def answer(self, peer: Peer, member: Member, question: Who | Whois | Rooms | History, fed_seq: int) -> None:
        """Answer one question, History later.

        Raises:
            Refusal: the question is about something the member may not see or that is not there.
        """
        match question:
            case Who():
                self._who(peer, member, question)
            case Whois():
                self._whois(peer, question)
            case Rooms():
                self._list_rooms(peer, question)
            case History():
                self._history(peer, member, question, fed_seq)
            case _:
                assert_never(question)

    def forget(self, peer: Peer) -> None:
        """The connection is over: an answer under way finds nobody."""
        self._reading.discard(peer)

    def _who(self, peer: Peer, member: Member, command: Who) -> None:
        name = check_room(command.room)
        if (room := member.rooms.get(name)) is None:
            raise Refusal(ErrorCode.NOT_A_MEMBER, f"you are not in #{name}; join it first")
        after = command.after if command.after is not None else -1
        ids = sorted(sender_id for sender_id in room.members if sender_id > after)
        people = [room.members[sender_id].person for sender_id in ids[:PAGE_ROWS]]
        peer.deliver(
            Roster(ref=command.ref, room=name, members=people, total=len(room.members), more=len(ids) > PAGE_ROWS)
        )

    def _whois(self, peer: Peer, command: Whois) -> None:
        name = check_name(command.name)
        member = self._entrance.find(name_key(name))
        if member is None and (account := self._registry.account_named(name)) is not None:
            peer.deliver(Found(ref=command.ref, person=Person(account.sender_id, account.name), absent=True))
            return
        if member is None:
            raise Refusal(ErrorCode.NO_SUCH_PERSON, "nobody here has this name; /who shows who is here")
        peer.deliver(Found(ref=command.ref, person=Person(member.sender_id, member.name)))

    def _list_rooms(self, peer: Peer, command: Rooms) -> None:
        after = check_room(command.after) if command.after else ""
        names = sorted(name for name in self._attendance.rooms if name > after)
        rooms = [RoomCount(name, len(self._attendance.rooms[name].members)) for name in names[:PAGE_ROWS]]
        peer.deliver(RoomsPage(ref=command.ref, rooms=rooms, more=len(names) > PAGE_ROWS))

    def _history(self, peer: Peer, member: Member, command: History, fed_seq: int) -> None:
        if peer in self._reading:
            raise Refusal(ErrorCode.BUSY, "a page of history is being read; wait for it")
        if peer.held_back:
            raise Refusal(ErrorCode.BUSY, "you are behind with reading; ask again when you have caught up", 1.0)
        query = self._query(member, command, fed_seq)

        def done(answer: HistoryRows | NotAppended) -> None:
            if peer not in self._reading:
                return
            self._reading.discard(peer)
            if isinstance(answer, NotAppended):
                peer.deliver(Refused(answer.code, answer.text, ref=command.ref))
            else:
                peer.deliver(page_of(command.ref, query, answer))

        self._reading.add(peer)
        self._log.history(query, done)

    def _query(self, member: Member, command: History, fed_seq: int) -> HistoryQuery:
        rooms: tuple[str, ...] = ()
        dialogue: tuple[int, int] | None = None
        dialogues_of: int | None = None
        if command.room is not None:
            name = check_room(command.room)
            if name not in member.rooms:
                raise Refusal(ErrorCode.NOT_A_MEMBER, f"you are not in #{name}; join it first")
            rooms = (name,)
        elif command.peer is not None:
            dialogue = (member.sender_id, command.peer)
        else:
            rooms = tuple(member.rooms)
            dialogues_of = member.sender_id
        return HistoryQuery(
            up_to=fed_seq,
            limit=command.limit,
            rooms=rooms,
            dialogue=dialogue,
            dialogues_of=dialogues_of,
            after=command.after,
            before=command.before,
        )
