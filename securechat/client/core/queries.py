"""Reads the log where the user asks: search, unread messages, conversations, parts of the history.

The questions go through the timeline's queue, because the server reads for a connection one thing at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import assert_never

from msgspec.structs import replace

from securechat.client.core import actions, events
from securechat.client.core.context import CoreContext
from securechat.client.core.conversations import Conversations
from securechat.client.core.events.messages import HistoryRange
from securechat.client.core.events.requests import RejectReason
from securechat.client.core.gap_fill import TOLD_FAILURES, GapFill, ReadAnswer, ReadCommand, SingleQuery
from securechat.client.core.joined_rooms import JoinedRooms
from securechat.client.core.pending import PendingHistory
from securechat.client.core.state import ConversationId, PersonKey, RoomKey, Visibility
from securechat.client.core.timing import retry_at
from securechat.errors import ErrorCode
from securechat.model import (
    AskConversations,
    AskUnread,
    ConversationItem,
    ConversationList,
    History,
    HistoryPage,
    Hit,
    Person,
    Refused,
    Search,
    SearchPage,
    UnreadItem,
    UnreadList,
    Whois,
)

HITS = 20
"""Of a page of a search: most of a screen of 24 rows."""
MOST_PAGES = 100
"""Pages of conversations that are asked for: 20,000 conversations, some 4 MB."""
EXCERPT = 30
"""Messages of a page around a message, from a day on, or unread: more than a screen, less than a burst."""


class Queries:
    """The user's questions to the log.

    Args:
        context: shared state.
        membership: the members of the user's rooms, by name.
        conversations: their timeline asks the questions, and their read markers follow what is shown.
    """

    def __init__(self, context: CoreContext, membership: JoinedRooms, conversations: Conversations) -> None:
        self._context = context
        self._membership = membership
        self._conversations = conversations
        self._timeline = conversations.timeline
        self._read_markers = conversations.read_markers
        self._unread: dict[ConversationId, UnreadItem] = {}

    def request(self, action: actions.ReadAction | actions.AskHistory) -> None:  # noqa: PLR0912 - one flat match
        """Ask the server."""
        if self._select_offline(action) or not self._context.require_online():
            return
        match action:
            case actions.AskHistory(target, count, before):
                self._conversations.next_page = None
                self._timeline.backfill(target, count, before)
            case actions.FindMessages():
                self._search(action)
            case actions.ShowMore():
                page = self._conversations.next_page
                if page is None or isinstance(page, actions.ShowFiles):  # the second is asked for by `FileRequests`
                    self._context.reject(RejectReason.NOTHING_MORE)
                else:
                    self.request(page)
            case actions.ListUnread():
                self.ask_unread(asked=True)
            case actions.ListConversations():
                self._timeline.ask(SingleQuery(None, AskConversations, partial(self._page_of_conversations, [], 1)))
            case actions.ShowUnread(number):
                self._show_unread(number)
            case actions.ShowHistory(target):
                history_range = HistoryRange.SINCE if action.around is None else HistoryRange.AROUND
                self._show_history(target, history_range, action)
            case actions.ShowDirectHistory(name):
                if (person := self._membership.find(name)) is not None:
                    self._show_direct(action, person.id)
                else:
                    self._context.send(Whois(self._context.requests.ask(PendingHistory(action)), name))
            case _:
                assert_never(action)

    def _select_offline(self, action: actions.ReadAction | actions.AskHistory) -> bool:
        """Go into a dialogue without a connection: what is typed next must not go to the room.

        Returns:
            whether it is done: nothing is done while there is a connection, and for a name that is not known.
        """
        context = self._context
        if not isinstance(action, actions.ShowDirectHistory) or not action.select:
            return False
        person = self._membership.find(action.name)
        person_id = context.people.find(action.name) if person is None else person.id
        if context.online or person_id is None:
            return False
        self._select(action, person_id)
        return True

    def found(self, request: PendingHistory, person: Person) -> None:
        """Show the direct messages with the person whose name was looked up."""
        self._show_direct(request.action, person.id)

    def not_found(self, request: PendingHistory, event: Refused) -> None:
        """Show the direct messages with the person who had the name last, such as a guest who is gone."""
        name = request.action.name
        if event.code is ErrorCode.NO_SUCH_PERSON and (person_id := self._context.people.find(name)) is not None:
            self._show_direct(request.action, person_id)
        elif event.code is ErrorCode.NO_SUCH_PERSON and not request.action.surely:
            self._context.reject(RejectReason.NO_CONVERSATION, name)
        else:
            self._context.show(events.RequestRefused.of(event))

    def _show_direct(self, action: actions.ShowDirectHistory, person_id: int) -> None:
        target = PersonKey(person_id)
        if action.select and not self._select(action, person_id):
            return
        if action.at_ms is None:
            self.request(actions.AskHistory(target, action.count))
        else:
            self.request(actions.ShowHistory(target, at_ms=action.at_ms))

    def _select(self, action: actions.ShowDirectHistory, person_id: int) -> bool:
        """Go into a dialogue; tell whether it is one with another person."""
        people = self._context.people
        if person_id == self._context.me.id:
            self._context.reject(RejectReason.ONESELF)
            return False
        name = people.name(person_id) or action.name
        self._conversations.select(PersonKey(person_id))
        self._context.show(events.PersonSelected(Person(person_id, name, people.is_bot(person_id))))
        return True

    def ask_log(self, number: int, ask: Callable[[int], History | Search]) -> None:
        """Ask for a program."""

        def answered(answer: ReadAnswer) -> None:
            self._context.show(events.QuestionAnswered(number, answer))

        def refused(event: Refused) -> None:
            self._context.show(events.QuestionAnswered(number, event))

        self._timeline.ask(SingleQuery(None, ask, answered, refused))

    def refused(self, event: Refused) -> bool:
        """Take the refusal of a question in the timeline's queue; tell whether it was one."""
        context = self._context
        again_at = retry_at(event, context.now)
        failed_at = context.now if event.code is ErrorCode.INTERNAL else None
        job = None if event.ref is None else self._timeline.refused(event.ref, again_at, failed_at)
        is_told = not isinstance(job, GapFill) or job.failures in {0, TOLD_FAILURES}
        if job is not None and again_at is None and is_told:
            if isinstance(job, SingleQuery) and job.refused is not None:
                job.refused(event)
            else:
                context.show(events.RequestRefused.of(event))
        return job is not None

    def send_due(self) -> None:
        """Send the next question, if one is due."""
        if (question := self._timeline.next_request(self._context.requests.ref(), self._context.now)) is not None:
            self._context.send(question)

    # --- search -------------------------------------------------------------------------------------------------------

    def _search(self, action: actions.FindMessages) -> None:
        def ask(ref: int) -> ReadCommand:
            return Search(ref, action.query, action.before, HITS, action.since_ms, action.until_ms)

        def answered(answer: ReadAnswer) -> None:
            if isinstance(answer, SearchPage):
                self._conversations.next_page = None
                if answer.more and answer.hits:
                    self._conversations.next_page = replace(action, before=answer.hits[-1].message.seq)
                hits = tuple(hit for hit in answer.hits if self._is_shown(hit))
                self._context.show(events.SearchShown(action.query, hits, answer.more, answer.indexed is not None))

        self._timeline.ask(SingleQuery(None, ask, answered))

    def _is_shown(self, hit: Hit) -> bool:
        key = self._context.rooms.conversation_of(hit.message, self._context.me.id)
        return hit.message.sender_id not in self._context.ignored and not self._timeline.is_purged(key, hit.message)

    # --- unread messages ----------------------------------------------------------------------------------------------

    def ask_unread(self, *, asked: bool = False) -> None:
        """Ask what is unread; ``asked`` when the user did, and is also told when nothing is."""
        refused = None if asked else lambda _: self._read_markers.no_gaps_known()
        self._timeline.ask(SingleQuery(None, AskUnread, partial(self._unread_page, [], 1, asked), refused))

    def _unread_page(self, found: list[UnreadItem], number: int, asked: bool, answer: ReadAnswer) -> None:
        """Take a page of unread conversations; ask for the next one, where there is one."""
        assert isinstance(answer, UnreadList)
        found += answer.items
        if not answer.more or number >= MOST_PAGES:
            self._unread_known(found, asked)
            return

        def ask(ref: int) -> ReadCommand:
            return AskUnread(ref, answer.through, answer.through_room)

        def known(_: Refused) -> None:
            self._unread_known(found, asked)

        self._timeline.ask(SingleQuery(None, ask, partial(self._unread_page, found, number + 1, asked), known))

    def _unread_known(self, items: list[UnreadItem], asked: bool) -> None:
        unread = {self._key(item): item for item in items}
        self._read_markers.gaps_are({key: item.first_seq for key, item in unread.items()})
        for key, item in unread.items():
            if item.peer is not None:
                self._context.see(item.peer)
            conversation = self._timeline.conversations.get(key)
            if conversation is None:
                continue
            if self._conversations.visibility is Visibility.REPORTED:
                self._conversations.read_state_known(conversation, item)
            elif key != self._context.current:
                conversation.unread, conversation.mentions = item.unread, item.mentions
        is_unseen = self._read_markers.is_unseen
        self._unread = {key: item for key, item in unread.items() if is_unseen(key, item.first_seq)}
        if asked or self._unread:
            self._context.show(events.UnreadShown(tuple(self._unread.values()), asked))

    def _show_unread(self, number: int | None) -> None:
        if number is None:
            keys = [self._context.current]
        else:
            keys = list(self._unread)[number - 1 : number] if number > 0 else []
        items = [(key, self._unread[key]) for key in keys if key in self._unread]
        if not items:
            self._context.reject(RejectReason.NOTHING_UNREAD)
        for key, item in items:
            self._show_history(key, HistoryRange.UNREAD, actions.ShowHistory(key, after=item.read_seq))

    # --- all conversations --------------------------------------------------------------------------------------------

    def _page_of_conversations(self, found: list[ConversationItem], number: int, answer: ReadAnswer) -> None:
        """Take a page of conversations; ask for the next one, where there is one."""
        assert isinstance(answer, ConversationList)
        found += answer.items
        if not answer.more or number >= MOST_PAGES:
            self._show_conversations(found, complete=not answer.more)
            return

        def ask(ref: int) -> ReadCommand:
            return AskConversations(ref, answer.through, answer.through_room)

        def known(_: Refused) -> None:
            self._show_conversations(found, complete=False)

        self._timeline.ask(SingleQuery(None, ask, partial(self._page_of_conversations, found, number + 1), known))

    def _show_conversations(self, items: list[ConversationItem], *, complete: bool) -> None:
        for item in items:
            if item.peer is not None and item.peer.name:
                self._context.see(item.peer)
        ignored = self._context.ignored
        shown = [
            replace(item, text="", cut=False) if item.by is not None and item.by.id in ignored else item
            for item in items
        ]
        self._context.show(events.ConversationsShown(tuple(shown), complete))

    # --- parts of the history -----------------------------------------------------------------------------------------

    def _show_history(self, target: ConversationId, history_range: HistoryRange, action: actions.ShowHistory) -> None:
        def ask(ref: int) -> ReadCommand:
            room, peer = (target.room, None) if isinstance(target, RoomKey) else (None, target.person_id)
            return History(ref, room, peer, after=action.after, limit=EXCERPT, around=action.around, at=action.at_ms)

        def answered(answer: ReadAnswer) -> None:
            if isinstance(answer, HistoryPage):
                self._page_of_history(target, history_range, action, answer)

        self._timeline.ask(SingleQuery(target, ask, answered))

    def _page_of_history(
        self, target: ConversationId, history_range: HistoryRange, action: actions.ShowHistory, page: HistoryPage
    ) -> None:
        messages = [self._timeline.current(target, message) for message in page.messages]
        if action.around is not None and all(message.seq != action.around for message in messages):
            self._context.reject(RejectReason.NOT_THERE)
            return
        if action.at_ms is not None:  # a server that does not know ``at`` gives the newest
            messages = [message for message in messages if message.sent_at_ms >= action.at_ms]
        self._conversations.next_page = None
        if page.more and messages:
            self._conversations.next_page = actions.ShowHistory(target, after=messages[-1].seq)
        if messages and action.after is not None and self._conversations.is_seen(target):
            last = messages[-1].seq
            self._read_markers.saw_from(target, action.after + 1, last, to_the_end=not page.more)
            if (item := self._unread.get(target)) is not None:
                self._unread[target] = replace(item, read_seq=max(item.read_seq, last))
        first, through = (messages[0].seq, messages[-1].seq) if messages else (0, 0)
        if action.after is not None:
            first, through = action.after + 1, max(through, action.after, 0 if page.more else page.through)
        shown = tuple(
            message
            for message in messages
            if message.sender_id not in self._context.ignored and not self._timeline.is_purged(target, message)
        )
        more = self._conversations.next_page is not None
        self._context.show(events.HistoryShown(target, shown, history_range, more, action.at_ms, first, through))

    def _key(self, item: UnreadItem) -> ConversationId:
        return self._context.rooms.conversation(item.room, None if item.peer is None else item.peer.id)
