"""The reads of the log under way: history, search, unread counts and conversations wait here for their rows.

The log reads on its own threads. A connection has one read at a time, and none while it is behind with reading. An
answer about rooms that the member has left, that were renamed or that show another part of their history meanwhile is
thrown away, and the question is asked again.

The log knows rooms by name, and its readers see a new name as soon as it is durable, before the hub hears of it. So an
answer that comes while a room is being renamed waits until that is decided.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeAlias, TypeVar

from securechat.errors import Refusal
from securechat.hub.contained_question import ContainedQuestion
from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.rooms.room import HubRoom
from securechat.model import AskConversations, AskFiles, AskUnread, Event, History, Refused, Search
from securechat.records.files import FileRow
from securechat.records.log import NotAppended
from securechat.records.queries import ConversationRows, HistoryRows, SearchRows, UnreadRows
from securechat.text.refusals import refusal_for

_Rows = TypeVar("_Rows", HistoryRows, SearchRows, UnreadRows, ConversationRows, list[FileRow])
LogQuestion: TypeAlias = History | Search | AskUnread | AskConversations | AskFiles
_CATCH_UP_S = 1.0
"""Until a connection that is behind should ask again; long enough that its repeated questions cost little."""


class LogReads:
    """Keeps track of the connections that wait for rows.

    Args:
        context: its containment.
    """

    def __init__(self, context: HubContext) -> None:
        self._containment = context.containment
        self._reading: set[Peer] = set()

    def work_for(self, peer: Peer, question: LogQuestion) -> AbstractContextManager[None]:
        """Make the question the owner of the work in a ``with`` block: an exception refuses the question alone."""
        return self._containment.work_for(ContainedQuestion(peer, question, self.forget))

    def require_free(self, peer: Peer) -> None:
        """Require that a connection may read the log now.

        Raises:
            Refusal: BUSY; with retry_after_s where the connection is behind with reading.
        """
        if peer in self._reading:
            raise refusal_for("question_under_way")
        if peer.held_back:
            raise refusal_for("reading_behind", retry_after_s=_CATCH_UP_S)

    def begin(
        self,
        peer: Peer,
        member: Member,
        ref: int,
        rooms: tuple[HubRoom, ...],
        *,
        page: Callable[[_Rows], Event],
        again: Callable[[], None],
    ) -> Callable[[_Rows | NotAppended], None]:
        """Note that a connection waits for rows, and return the completion to give to the log.

        Args:
            peer: the connection.
            member: its member.
            ref: the request.
            rooms: the rooms that are read, under their present names.
            page: makes the answer from the rows.
            again: asks the same question anew, when the rooms have changed meanwhile.
        """
        asked = tuple(_read_as(room) for room in rooms)

        def done(answer: _Rows | NotAppended) -> None:
            renaming = next((room for room in rooms if room.is_renaming), None)
            if renaming is not None:
                renaming.when_named(self._containment.bind(partial(done, answer)))
            elif self._is_outdated(member, rooms, asked):
                self._again(peer, ref, again)
            elif self._is_answered(peer, ref, answer) and not isinstance(answer, NotAppended):
                peer.deliver(page(answer))

        self._reading.add(peer)
        return done

    def forget(self, peer: Peer) -> None:
        """End what is under way for a connection; its answer will be dropped."""
        self._reading.discard(peer)

    def _is_outdated(self, member: Member, rooms: tuple[HubRoom, ...], asked: tuple[tuple[int, bool], ...]) -> bool:
        """Tell whether the member has left a room that was read, or the room is read in another way now."""
        return not all(room in member.rooms and _read_as(room) == was for room, was in zip(rooms, asked, strict=True))

    def _again(self, peer: Peer, ref: int, ask: Callable[[], None]) -> None:
        """Ask a question anew, if the peer still waits."""
        if peer not in self._reading:
            return
        self._reading.discard(peer)
        try:
            ask()
        except Refusal as refusal:
            peer.deliver(Refused.of(refusal, ref=ref))

    def _is_answered(self, peer: Peer, ref: int, answer: object) -> bool:
        """Tell whether the peer still waits for the answer, and deliver a refusal of the log."""
        if peer not in self._reading:
            return False
        self._reading.discard(peer)
        if isinstance(answer, NotAppended):
            peer.deliver(Refused.of(answer.refusal(), ref=ref))
        return True


def _read_as(room: HubRoom) -> tuple[int, bool]:
    """Return what decides which messages of a room a question reads: its name, and whether older ones are hidden.

    The name as the number of its changes: it may have another one in between, and its own again.
    """
    return room.renames, room.record is not None and room.record.history_from_join
