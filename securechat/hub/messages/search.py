"""Searches the messages that a member may read, never beyond the last seq fanned out."""

from __future__ import annotations

from collections.abc import Sequence

from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.messages.log_reads import LogReads
from securechat.hub.messages.paging import search_page
from securechat.hub.messages.visibility import MessageVisibility, ReadScope
from securechat.hub.programs.scopes import expect_covered
from securechat.model import Search, SearchPage
from securechat.records.queries import SearchQuery, SearchRows
from securechat.text.names import check_name, name_key
from securechat.text.search_query import ParsedSearch, parse, utc_days


class SearchQueries:
    """Answers Search.

    Args:
        context: the log, and the names that a query may ask for.
        reads: the reads under way.
        visibility: the part of the log that a member may read.
    """

    def __init__(self, context: HubContext, reads: LogReads, visibility: MessageVisibility) -> None:
        self._context = context
        self._directory = context.accounts
        self._reads = reads
        self._visibility = visibility

    def answer(self, peer: Peer, member: Member, command: Search) -> None:
        """Answer with the newest hits, when the log has found them.

        Raises:
            Refusal: QUERY_INVALID, NOT_A_MEMBER of a room in the query, or BUSY.
        """
        with self._reads.work_for(peer, command):
            self._ask(peer, member, command, self._context.fed_seq)

    def _ask(self, peer: Peer, member: Member, command: Search, fed_seq: int) -> None:
        self._reads.require_free(peer)
        asked = parse(command.query, utc_days(self._directory.wall_ms()))
        scope = self._scope(peer, member, asked.rooms)
        query = self._query(peer, scope, asked, command, fed_seq)

        def page(rows: SearchRows) -> SearchPage:
            return search_page(command.ref, query, rows, peer.page_limits)

        done = self._reads.begin(
            peer,
            member,
            command.ref,
            scope.rooms,
            page=page,
            again=lambda: self._ask(peer, member, command, fed_seq),
        )
        self._context.log.search(query, done)

    def _query(self, peer: Peer, scope: ReadScope, asked: ParsedSearch, command: Search, fed_seq: int) -> SearchQuery:
        senders = None
        if asked.senders:
            senders = tuple(sender for sender in map(self._sender_named, asked.senders) if sender is not None)
        return SearchQuery(
            up_to=fed_seq,
            limit=min(command.limit, peer.page_limits.page_rows),
            words=asked.words,
            rooms=scope.names,
            floors=scope.floors,
            dialogues_of=scope.dialogues_of,
            senders=senders,
            before=command.before,
            before_ms=asked.before_ms if command.until is None else command.until,
            after_ms=asked.after_ms if command.since is None else command.since,
            has_link=asked.has_link,
        )

    def _scope(self, peer: Peer, member: Member, raw_rooms: Sequence[str]) -> ReadScope:
        """Return what the member may read, or the part of it that the rooms of the query name."""
        token = member.tokens.get(peer)
        if not raw_rooms:
            return self._visibility.scope(member, None, None, token)
        if token is not None:
            expect_covered(member, token, *raw_rooms)
        rooms = dict.fromkeys(self._context.rooms.entered(member, raw) for raw in raw_rooms)
        return self._visibility.scope_of_rooms(member, tuple(rooms))

    def _sender_named(self, raw: str) -> int | None:
        name = check_name(raw)
        held = self._context.members_by_key.get(name_key(name)) or self._directory.account_named(name)
        return None if held is None else held.sender_id
