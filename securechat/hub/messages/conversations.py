"""Lists a member's rooms and dialogues with all that a list beside a chat shows, never beyond the last seq fanned out.

The log tells last messages and counts, in one question for a page; what is about the room and the member there (slow
mode, a mute) comes from memory. A guest gets the same list without counts: nothing is kept of what a guest has read.
"""

from __future__ import annotations

from collections.abc import Callable

from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.messages.log_reads import LogReads
from securechat.hub.messages.paging import conversations_page
from securechat.hub.messages.unread import rooms_of_page, unread_floors
from securechat.hub.messages.visibility import MessageVisibility
from securechat.hub.mutes import muted_anywhere_s
from securechat.hub.rooms.room import HubRoom
from securechat.hub.workflow import Turn, Workflow
from securechat.limits import EXCERPT_CHARS
from securechat.model import AskConversations, ConversationItem, ConversationList, Message, Person
from securechat.model.rooms import NOT_MUTED
from securechat.records.log import NotAppended
from securechat.records.queries import ConversationQuery, ConversationRow, ConversationRows


class ConversationQueries:
    """Answers AskConversations.

    Args:
        context: the log, accounts, rooms and members.
        reads: the reads under way.
        visibility: the part of the log that a member may read.
    """

    def __init__(self, context: HubContext, reads: LogReads, visibility: MessageVisibility) -> None:
        self._context = context
        self._reads = reads
        self._visibility = visibility

    def answer(self, peer: Peer, member: Member, command: AskConversations) -> None:
        """Answer with a page of conversations, when the log has read them.

        Raises:
            Refusal: BUSY.
        """
        with self._reads.work_for(peer, command):
            self._ask(peer, member, command, self._context.fed_seq)

    def _ask(self, peer: Peer, member: Member, command: AskConversations, fed_seq: int) -> None:
        self._reads.require_free(peer)
        page_rows = peer.page_limits.page_rows
        rooms, through_room = rooms_of_page(member, command.after, command.after_room, page_rows)
        by_name = {room.name: room for room in rooms}
        query = ConversationQuery(
            member.sender_id,
            unread_floors(self._visibility, member, rooms),
            fed_seq,
            self._visibility.floors(member, rooms),
            after=(command.after or 0) if through_room is None else None,
            limit=max(1, page_rows - len(rooms)),
            is_counted=member.account,
        )

        def page(rows: ConversationRows) -> ConversationList:
            items = [self._item(member, row, by_name) for row in rows.rows]
            return conversations_page(
                command.ref, items, peer.page_limits, through=rows.through, through_room=through_room
            )

        done = self._reads.begin(
            peer,
            member,
            command.ref,
            rooms,
            page=page,
            again=lambda: self._ask(peer, member, command, fed_seq),
        )
        # in turn, so that it counts what the same connection has just marked as read
        self._context.workflows.run(self._read(query, done))

    def _read(self, query: ConversationQuery, done: Callable[[ConversationRows | NotAppended], None]) -> Workflow[None]:
        yield Turn(("read", query.sender_id))
        self._context.log.conversations(query, done)

    def _item(self, member: Member, row: ConversationRow, rooms: dict[str, HubRoom]) -> ConversationItem:
        counts, last = row.counts, row.last
        room = rooms[counts.room] if counts.room is not None else None
        record = room.record if room is not None else None
        is_deleted = last is not None and last.deleted is not None
        text = last.text if last is not None and not is_deleted else ""
        muted_s = muted_anywhere_s(self._context.accounts, room, member.sender_id)
        return ConversationItem(
            room=counts.room,
            peer=self._person(counts.peer, last) if counts.peer is not None else None,
            room_id=record.room_id if record is not None else 0,
            last_seq=last.seq if last is not None else 0,
            by=Person(last.sender_id, last.name, last.bot) if last is not None else None,
            sent_at_ms=last.sent_at_ms if last is not None else 0,
            text=text[:EXCERPT_CHARS],
            cut=len(text) > EXCERPT_CHARS,
            deleted=is_deleted,
            edited_by=last.edited_by if last is not None and not is_deleted else None,
            deleted_by=last.deleted_by if last is not None else None,
            read_seq=counts.read_seq if member.account else 0,
            unread=counts.unread,
            mentions=counts.mentions,
            first_seq=counts.first_seq,
            muted_s=muted_s if muted_s != 0 else NOT_MUTED,
            slow_s=record.slow_s if record is not None else 0,
        )

    def _person(self, sender_id: int, last: Message | None) -> Person:
        """The other side of a dialogue, with its present name, or else the one in the last message."""
        held = self._context.accounts.accounts.get(sender_id) or self._context.members.get(sender_id)
        if held is not None:
            return self._context.accounts.person(sender_id, held.name)
        if last is None:
            return Person(sender_id, "")
        if last.sender_id == sender_id:
            return Person(sender_id, last.name, last.bot)
        return Person(sender_id, last.to_name or "")
