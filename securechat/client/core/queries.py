"""What a conversation is beyond lines: messages that are answered and mended, rules, search, what was not read, typing.

`Exchange` stands between `Conversing`, which has the conversations, and greeting.py, which gets in. Whatever reads the
log asks through the feed's queue, because the server reads for a connection one thing at a time. A server that knows
nothing of all this refuses it; nothing else depends on it.
"""

from __future__ import annotations

from functools import partial
from typing import assert_never

from msgspec.structs import replace

from securechat.client.core import actions, events
from securechat.client.core.conversing import Conversing, pair
from securechat.client.core.events.connection import RejectReason
from securechat.client.core.events.rooms import HistoryRange, MessageChangeRequest
from securechat.client.core.gap_fill import TOLD_FAILURES, GapFill, ReadAnswer, ReadCommand, SingleQuery
from securechat.client.core.pending import (
    PendingAccountAction,
    PendingModeration,
    PendingNameLookup,
    PendingRoomInfo,
)
from securechat.client.core.room_admin import RoomAdmin
from securechat.client.core.state import ConnectionPhase, ConversationId, PersonKey, RoomKey, Visibility
from securechat.client.core.typing import TypingState
from securechat.errors import ErrorCode
from securechat.model import (
    AskUnread,
    Done,
    Found,
    History,
    HistoryPage,
    Invited,
    Message,
    Person,
    Refused,
    RevisionKind,
    RoleChanged,
    RoomRules,
    RoomsPage,
    Roster,
    Search,
    SearchPage,
    TypingNow,
    UnreadItem,
    UnreadList,
)

HITS = 20
"""Of a page of a search: most of a screen of 24 rows."""
UNREAD_PAGES = 100
"""Pages of what was not read that are asked for: 20,000 places, some 4 MB."""
EXCERPT = 30
"""Messages of a page around a message, from a day on, or not read: more than a screen, less than one scrolls by."""


class Exchange(Conversing):
    """A `Conversing` with rooms that have rules, and messages that change and are found.

    Args:
        name: as for `Conversing`.
        rooms: as for `Conversing`.
        recall: as for `Conversing`.
        attention: as for `Conversing`.
        typing: whether notices of writing are sent and shown.
    """

    def __init__(self, name: str, rooms: tuple[str, ...], recall: int, attention: Visibility, *, typing: bool) -> None:
        super().__init__(name, rooms, recall, attention)
        self._room_admin = RoomAdmin(self._requests, self._send, self._tell, self.membership.find)
        self._typing_state = TypingState(on=typing)
        self._standings: tuple[UnreadItem, ...] = ()
        self._next_page: actions.FindMessages | actions.ShowHistory | None = None

    # --- what a screen reads ------------------------------------------------------------------------------------------

    @property
    def writers(self) -> tuple[Person, ...]:
        """Who is writing in the conversation looked at."""
        return self._typing_state.writers(self.current)

    # --- intents ------------------------------------------------------------------------------------------------------

    def _converse(self, action: actions.ConversationAction, now: float) -> None:
        match action:
            case actions.ChangeMessage():
                self._revise(action)
            case actions.NotifyTyping(target):
                self._write(target, now)
            case actions.SetTypingNotices(on):
                self._switch_typing(on=on)
            case actions.AskRoomSettings() | actions.ChangeRoomSettings() | actions.ModerateMember():
                self._about_room(action)
            case _:
                self._read_on(action)

    # --- messages -----------------------------------------------------------------------------------------------------

    def _revise(self, action: actions.ChangeMessage) -> None:
        if self.full:
            self._decline(RejectReason.QUEUE_FULL)
        elif action.kind is not RevisionKind.EDIT or self._sayable(action.text):
            self._take_line(
                action.target, action.text, revising=MessageChangeRequest(action.kind, action.seq, action.sign)
            )

    def on_message(self, key: ConversationId, message: Message, *, late: bool) -> None:
        """Show a message, once; whoever wrote it has stopped writing."""
        if self._typing_state.stopped(key, message.sender_id):
            self._tell(events.TypingChanged())
        super().on_message(key, message, late=late)

    # --- rooms --------------------------------------------------------------------------------------------------------

    def _about_room(self, action: actions.RoomAction) -> None:
        if self.phase is ConnectionPhase.ONLINE:
            self._room_admin.wish(action)
        else:
            self._decline(RejectReason.AWAY)

    def _answered(self, event: Roster | RoomsPage | Found) -> None:
        request = self._requests.get(event.ref)
        if isinstance(event, Found) and isinstance(request, PendingNameLookup):
            self._requests.close(event.ref)
            self.people.see(*pair(event.person))
            self._room_admin.found(request, event.person)
        else:
            super()._answered(event)

    def _done(self, event: Done) -> bool:
        """Take the answer to something about a room; tell whether it was one."""
        request = self._requests.get(event.ref)
        if not isinstance(request, PendingModeration):
            return False
        self._requests.close(event.ref)
        self._room_admin.done(request)
        return True

    def _rules(self, event: RoomRules) -> None:
        if event.ref:
            request = self._requests.get(event.ref)
            self._requests.close(event.ref)
            if isinstance(request, PendingRoomInfo):
                self._room_admin.shown(request, event)
            return
        if event.was is not None:
            old, new = RoomKey(event.was), RoomKey(event.room)
            self.timeline.renamed(event.was, event.room)
            self._read_markers.renamed(old, new)
            self._send_queue.renamed(old, new)
            if self.current == old:
                self.current = new
        if (changed := self.membership.rules(event)) is not None:
            self._tell(changed)

    def _role(self, event: RoleChanged) -> None:
        if (news := self.membership.role(event, self.me.id)) is not None:
            self._tell(news)

    def _invited(self, event: Invited) -> None:
        self._tell(events.InvitedToRoom(event.room, event.by))

    # --- writing ------------------------------------------------------------------------------------------------------

    def _write(self, target: ConversationId, now: float) -> None:
        if self.phase is ConnectionPhase.ONLINE and (notice := self._typing_state.began(target, now)) is not None:
            self._commands.append(notice)

    def _typing(self, event: TypingNow, now: float) -> None:
        key: ConversationId = RoomKey(event.room) if event.room is not None else PersonKey(event.by.id)
        if event.by.id not in self.ignored and self._typing_state.heard(key, event.by, now) and key == self.current:
            self._tell(events.TypingChanged())

    def _switch_typing(self, *, on: bool | None) -> None:
        self._typing_state.switch(on=not self._typing_state.on if on is None else on)
        self._tell(events.TypingNoticesSet(self._typing_state.on))
        self._tell(events.TypingChanged())

    # --- reading the log ----------------------------------------------------------------------------------------------

    def _read_on(self, action: actions.ReadAction) -> None:
        if self.phase is not ConnectionPhase.ONLINE:
            self._decline(RejectReason.AWAY)
            return
        match action:
            case actions.FindMessages():
                self._search(action)
            case actions.ShowMore():
                if self._next_page is None:
                    self._decline(RejectReason.NOTHING_MORE)
                else:
                    self._read_on(self._next_page)
            case actions.ListUnread():
                self._ask_unread(asked=True)
            case actions.ShowUnread(number):
                self._show_unread(number)
            case actions.ShowHistory(target):
                self._excerpt(target, HistoryRange.SINCE if action.around is None else HistoryRange.AROUND, action)
            case _:
                assert_never(action)

    def _search(self, action: actions.FindMessages) -> None:
        def ask(ref: int) -> ReadCommand:
            return Search(ref, action.query, action.before, HITS)

        def answered(answer: ReadAnswer) -> None:
            if isinstance(answer, SearchPage):
                self._next_page = None
                if answer.more and answer.hits:
                    self._next_page = actions.FindMessages(action.query, answer.hits[-1].message.seq)
                hits = tuple(hit for hit in answer.hits if hit.message.sender_id not in self.ignored)
                self._tell(events.SearchShown(action.query, hits, answer.more, answer.indexed is not None))

        self.timeline.ask(SingleQuery(None, ask, answered))

    def _ask_unread(self, *, asked: bool = False) -> None:
        refused = None if asked else self._read_markers.no_gaps_known
        self.timeline.ask(SingleQuery(None, AskUnread, partial(self._unread_page, [], 1, asked), refused))

    def _unread_page(self, found: list[UnreadItem], number: int, asked: bool, answer: ReadAnswer) -> None:
        """Take a page of what was not read, and ask for the next one, where there is one."""
        assert isinstance(answer, UnreadList)
        found += answer.items
        if not answer.more or number >= UNREAD_PAGES:
            self._unread_known(found, asked)
            return

        def ask(ref: int) -> ReadCommand:
            return AskUnread(ref, answer.through, answer.through_room)

        known = partial(self._unread_known, found, asked)
        self.timeline.ask(SingleQuery(None, ask, partial(self._unread_page, found, number + 1, asked), known))

    def _unread_known(self, items: list[UnreadItem], asked: bool) -> None:
        self._read_markers.gaps_are({_key(item): item.first_seq for item in items})
        for item in items:
            if item.peer is not None:
                self.people.see(*pair(item.peer))
            if (conversation := self.timeline.conversations.get(_key(item))) is not None and _key(item) != self.current:
                conversation.unread, conversation.mentions = item.unread, item.mentions
        unseen = (item for item in items if self._read_markers.is_unseen(_key(item), item.first_seq))
        self._standings = tuple(unseen)
        if asked or self._standings:
            self._tell(events.UnreadShown(self._standings, asked))

    def _show_unread(self, number: int | None) -> None:
        found = [item for item in self._standings if number is None and _key(item) == self.current]
        if number is not None:
            found = list(self._standings[number - 1 : number]) if number > 0 else []
        if not found:
            self._decline(RejectReason.NOTHING_UNREAD)
            return
        self._excerpt(_key(found[0]), HistoryRange.UNREAD, actions.ShowHistory(_key(found[0]), after=found[0].read_seq))

    def _excerpt(self, target: ConversationId, place: HistoryRange, action: actions.ShowHistory) -> None:
        room, peer = (target.room, None) if isinstance(target, RoomKey) else (None, target.person_id)

        def ask(ref: int) -> ReadCommand:
            return History(ref, room, peer, after=action.after, limit=EXCERPT, around=action.around, at=action.at_ms)

        def answered(answer: ReadAnswer) -> None:
            if isinstance(answer, HistoryPage):
                self._excerpted(target, place, action, answer)

        self.timeline.ask(SingleQuery(target, ask, answered))

    def _excerpted(
        self, target: ConversationId, place: HistoryRange, action: actions.ShowHistory, page: HistoryPage
    ) -> None:
        messages = [self.timeline.current(target, message) for message in page.messages]
        if action.around is not None and all(message.seq != action.around for message in messages):
            self._decline(RejectReason.NOT_THERE)
            return
        if action.at_ms is not None:  # a server that does not know of jumps gives the newest
            messages = [message for message in messages if message.sent_at_ms >= action.at_ms]
        self._next_page = None
        if page.more and messages and action.around is None:
            self._next_page = actions.ShowHistory(target, after=messages[-1].seq)
        if messages and action.after is not None and self._is_seen(target):
            last = messages[-1].seq
            self._read_markers.saw_from(target, action.after + 1, last, to_the_end=not page.more)
            self._standings = tuple(
                item if _key(item) != target else replace(item, read_seq=max(item.read_seq, last))
                for item in self._standings
            )
        shown = tuple(message for message in messages if message.sender_id not in self.ignored)
        self._tell(events.HistoryShown(target, shown, place, self._next_page is not None))

    # --- what was not done --------------------------------------------------------------------------------------------

    def _reading_refused(self, event: Refused, retry_at: float | None, now: float) -> bool:
        """Take the refusal of a question in the feed's queue; tell whether it was one."""
        failed_at = now if event.code is ErrorCode.INTERNAL else None
        job = None if event.ref is None else self.timeline.refused(event.ref, retry_at, failed_at)
        is_told = not isinstance(job, GapFill) or job.failures in {0, TOLD_FAILURES}
        if job is not None and retry_at is None and is_told:
            if isinstance(job, SingleQuery) and job.refused is not None:
                job.refused()
            else:
                self._tell(events.RequestRefused(event.code, event.text, event.room))
        return job is not None

    def _request_refused(self, event: Refused) -> None:
        if event.code is ErrorCode.UNKNOWN_TYPE and event.ref is None:
            self._typing_state.unknown_there()  # of all we say, only that has no number
        else:
            super()._request_refused(event)

    def _unanswered(self, request: PendingAccountAction | PendingModeration | PendingNameLookup) -> None:  # noqa: ARG002 - whichever it was
        self._room_admin.unanswered()


def _key(item: UnreadItem) -> ConversationId:
    return RoomKey(item.room) if item.room is not None else PersonKey(item.peer.id if item.peer is not None else 0)
