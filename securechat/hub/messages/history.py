"""Reads history a page at a time, never beyond the last seq fanned out, so that no reader is ahead of its rooms."""

from __future__ import annotations

from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.messages.log_reads import LogReads
from securechat.hub.messages.paging import history_page
from securechat.hub.messages.purges import PurgeDelivery
from securechat.hub.messages.visibility import MessageVisibility, ReadScope
from securechat.model import History, HistoryPage
from securechat.records.queries import HistoryQuery, HistoryRows
from securechat.text.refusals import refusal_for


class HistoryQueries:
    """Answers History.

    Args:
        context: the log and the last seq fanned out.
        reads: the reads under way.
        visibility: the part of the log that a member may read.
    """

    def __init__(self, context: HubContext, reads: LogReads, visibility: MessageVisibility) -> None:
        self._context = context
        self._reads = reads
        self._visibility = visibility
        self._purges = PurgeDelivery(context)

    def answer(self, peer: Peer, member: Member, command: History) -> None:
        """Answer with a page, when the log has read it.

        Raises:
            Refusal: NOT_A_MEMBER of the room, BUSY, or INVALID for a jump into no conversation.
        """
        with self._reads.work_for(peer, command):
            self._ask(peer, member, command, self._context.fed_seq)

    def _ask(self, peer: Peer, member: Member, command: History, fed_seq: int) -> None:
        self._reads.require_free(peer)
        scope = self._visibility.scope(member, command.room, command.peer, member.tokens.get(peer))
        query = self._query(peer, scope, command, fed_seq)

        def page(rows: HistoryRows) -> HistoryPage:
            answer = history_page(command.ref, query, rows, peer.page_limits)
            for purged in self._purges.missed(command, answer.through):
                peer.deliver(purged)
            return answer

        done = self._reads.begin(
            peer,
            member,
            command.ref,
            scope.rooms,
            page=page,
            again=lambda: self._ask(peer, member, command, fed_seq),
        )
        self._context.log.history(query, done)

    def _query(self, peer: Peer, scope: ReadScope, command: History, fed_seq: int) -> HistoryQuery:
        jumps = command.around is not None or command.at is not None
        if jumps and command.room is None and command.peer is None:
            raise refusal_for("jump_without_conversation")
        return HistoryQuery(
            up_to=fed_seq,
            limit=min(command.limit, peer.page_limits.page_rows),
            rooms=scope.names,
            floors=scope.floors,
            dialogue=scope.dialogue,
            dialogues_of=scope.dialogues_of,
            after=command.after,
            before=command.before,
            around=command.around,
            since_ms=command.at,
        )
