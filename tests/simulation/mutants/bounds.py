"""Bugs of bounds: answers that are no pages, work without an end, places that are kept, callbacks that raise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from securechat.hub.accounts.authentication import Authenticator
from securechat.hub.messages import conversations, history, posting, unread
from securechat.hub.messages.log_reads import LogReads
from securechat.hub.rooms.directory import RoomDirectory
from securechat.hub.rooms.presence import PresenceTracker
from securechat.hub.rooms.queries import RoomQueries
from securechat.model import ConversationList, RoomCount, RoomsPage, UnreadList
from tests.simulation.mutants.planting import MUTANTS, nothing, planted

_ALL = 10_000
_END_OF_WORD = " ,."


class Bug(Exception):  # so that what is found does not look like a mutant that does not run
    """What a planted bug raises."""


@contextmanager
def unread_places_without_a_page() -> Iterator[None]:
    """Two places count: what the log is asked for, and what the page holds."""

    def query_for_all(sender_id: int, rooms: Any, up_to: int, after: Any, limit: int) -> Any:
        return query(sender_id, rooms, up_to, after, _ALL)

    def whole(ref: int, items: Any, pages: Any, *, through: Any, through_room: Any) -> UnreadList:
        return UnreadList(ref, list(items))

    query, page = unread.UnreadQuery, unread.unread_page
    unread.UnreadQuery, unread.unread_page = query_for_all, whole  # type: ignore[misc,assignment]
    try:
        yield
    finally:
        unread.UnreadQuery, unread.unread_page = query, page  # type: ignore[misc]


MUTANTS["unread_places_without_a_page"] = unread_places_without_a_page


@contextmanager
def conversations_without_a_page() -> Iterator[None]:
    """As above, of the list of all conversations."""

    def query_for_all(*args: Any, **more: Any) -> Any:
        return query(*args, **more | {"limit": _ALL})

    def whole(ref: int, items: Any, pages: Any, *, through: Any, through_room: Any) -> ConversationList:
        return ConversationList(ref, list(items))

    query, page = conversations.ConversationQuery, conversations.conversations_page
    conversations.ConversationQuery, conversations.conversations_page = query_for_all, whole  # type: ignore[misc,assignment]
    try:
        yield
    finally:
        conversations.ConversationQuery, conversations.conversations_page = query, page  # type: ignore[misc]


MUTANTS["conversations_without_a_page"] = conversations_without_a_page


@planted(RoomQueries, "_list_rooms")
def rooms_without_a_page(original: Any) -> Any:
    """All rooms are listed at once."""

    def list_rooms(self: Any, peer: Any, member: Any, command: Any) -> None:
        names = self._listing.page("", {room.name for room in member.rooms}, _ALL)
        peer.deliver(RoomsPage(command.ref, [RoomCount(name, 1) for name in names]))

    return list_rooms


@planted(history, "history_page")
def page_that_counts_one_half(original: Any) -> Any:
    """Of a page around a message, only what follows is measured."""

    def history_page(ref: int, query: Any, rows: Any, pages: Any) -> Any:
        if query.around is None:
            return original(ref, query, rows, pages)
        earlier = [message for message in rows.messages if message.seq < query.around]
        onwards = [message for message in rows.messages if message.seq >= query.around]
        page = original(ref, query, replace(rows, messages=onwards), pages)
        return replace(page, messages=[*earlier, *page.messages])

    return history_page


@planted(LogReads, "_is_answered")
def answer_for_somebody_gone_raises(original: Any) -> Any:
    """A completion does not expect that the connection has ended meanwhile."""

    def is_answered(self: Any, peer: Any, ref: int, answer: object) -> bool:
        if peer not in self._reading:
            raise Bug("nobody waits for this answer")
        return bool(original(self, peer, ref, answer))

    return is_answered


@planted(posting, "mentioned")
def mentions_tried_without_a_bound(original: Any) -> Any:
    """Every word behind an ``@`` may be the last of a name, however many there are."""

    def mentioned(text: str, find: Callable[[str], int | None]) -> tuple[int, ...]:
        ends = [at for at, char in enumerate(text) if char in _END_OF_WORD]
        for start in [at for at, char in enumerate(text) if char == "@"]:
            for end in ends:
                if end > start:
                    find(text[start + 1 : end])
        return tuple(original(text, find))

    return mentioned


@planted(PresenceTracker, "leave")
def room_never_given_back(original: Any) -> Any:
    """A room that everybody has left is there for ever."""

    def leave(self: Any, member: Any, room: Any) -> None:
        original(self, member, room)
        self._rooms.occupied.add(room)

    return leave


@planted(LogReads, "_is_answered")
def place_of_a_reader_never_given_back(original: Any) -> Any:
    """Whoever has asked once is taken for somebody whose page is still being read."""

    def is_answered(self: Any, peer: Any, ref: int, answer: object) -> bool:
        is_there = bool(original(self, peer, ref, answer))
        if is_there:
            self._reading.add(peer)
        return is_there

    return is_answered


@planted(Authenticator, "release")
def use_of_an_invite_never_given_back(original: Any) -> Any:
    """A hello that came to nothing keeps the invite that it came with."""
    return nothing


@planted(RoomDirectory, "is_unused")
def record_of_a_room_never_given_back(original: Any) -> Any:
    """A room that has no member, rule or message any more keeps its record."""
    return lambda self, place, leaving=None: False
