"""Counts an account's unread messages by conversation, never beyond the last seq fanned out."""

from __future__ import annotations

from collections.abc import Callable

from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.messages.log_reads import LogReads
from securechat.hub.messages.paging import unread_page
from securechat.hub.messages.visibility import MessageVisibility
from securechat.hub.rooms.room import HubRoom
from securechat.hub.workflow import Turn, Workflow
from securechat.model import AskUnread, UnreadItem, UnreadList
from securechat.records.log import NotAppended
from securechat.records.queries import Unread, UnreadQuery, UnreadRows
from securechat.text.refusals import refusal_for


class UnreadQueries:
    """Answers AskUnread.

    Args:
        context: the log, accounts and members.
        reads: the reads under way.
        visibility: the part of the log that a member may read.
    """

    def __init__(self, context: HubContext, reads: LogReads, visibility: MessageVisibility) -> None:
        self._context = context
        self._directory = context.accounts
        self._reads = reads
        self._visibility = visibility

    def answer(self, peer: Peer, member: Member, command: AskUnread) -> None:
        """Answer with a page of conversations, when the log has counted.

        Raises:
            Refusal: ACCOUNT_NEEDED by a guest, or BUSY.
        """
        with self._reads.work_for(peer, command):
            self._ask(peer, member, command, self._context.fed_seq)

    def _ask(self, peer: Peer, member: Member, command: AskUnread, fed_seq: int) -> None:
        if not member.account:
            raise refusal_for("unread_needs_account")
        self._reads.require_free(peer)
        rooms, through_room = rooms_of_page(member, command.after, command.after_room, peer.page_limits.page_rows)
        after = (command.after or 0) if through_room is None else None
        named = unread_floors(self._visibility, member, rooms)
        query = UnreadQuery(member.sender_id, named, fed_seq, after, peer.page_limits.page_rows)

        def page(rows: UnreadRows) -> UnreadList:
            items = [self._item(row) for row in rows.rows]
            return unread_page(command.ref, items, peer.page_limits, through=rows.through, through_room=through_room)

        done = self._reads.begin(
            peer,
            member,
            command.ref,
            rooms,
            page=page,
            again=lambda: self._ask(peer, member, command, fed_seq),
        )
        # in turn, so that it counts what the same connection has just marked as read
        self._context.workflows.run(self._count(query, done))

    def _count(self, query: UnreadQuery, done: Callable[[UnreadRows | NotAppended], None]) -> Workflow[None]:
        yield Turn(("read", query.sender_id))
        self._context.log.unread(query, done)

    def _item(self, row: Unread) -> UnreadItem:
        person = None
        if row.peer is not None:
            held = self._directory.accounts.get(row.peer) or self._context.members.get(row.peer)
            person = self._directory.person(row.peer, held.name if held is not None else "")
        return UnreadItem(row.read_seq, row.unread, row.mentions, row.first_seq, row.room, person)


def rooms_of_page(
    member: Member, after: int | None, after_room: str | None, page_rows: int
) -> tuple[tuple[HubRoom, ...], str | None]:
    """Return the rooms of a page of conversations, by name; and the name of the last of them, where there are more.

    Args:
        member: whose rooms.
        after: where the page begins among the dialogues, behind all rooms; None for a page that begins with rooms.
        after_room: only rooms with names above this.
        page_rows: rooms at most.
    """
    if after is not None:
        return (), None
    rooms = sorted((room for room in member.rooms if room.name > (after_room or "")), key=lambda room: room.name)
    page = tuple(rooms[:page_rows])
    return page, page[-1].name if len(rooms) > len(page) else None


def unread_floors(
    visibility: MessageVisibility, member: Member, rooms: tuple[HubRoom, ...]
) -> tuple[tuple[str, int], ...]:
    """Return the name of each room with the seq above which a message may count as unread."""
    floors = dict(visibility.floors(member, rooms))
    named = []
    for room in rooms:
        membership = room.memberships.get(member.sender_id)
        since = membership.joined_seq if membership is not None else member.rooms[room]
        if room.is_lobby:  # every member is in it and none has a membership: read markers alone count
            since = 0
        named.append((room.name, max(since, floors.get(room.name, 0))))
    return tuple(named)
