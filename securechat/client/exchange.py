"""What a conversation is beyond lines: messages that are answered and mended, rules, search, what was not read, typing.

`Exchange` stands between `Talk`, which has the conversations, and greeting.py, which gets in. Whatever reads the log
asks through the feed's queue, because the server reads for a connection one thing at a time. A server that knows
nothing of all this refuses it; nothing else depends on it.
"""

from __future__ import annotations

from functools import partial
from typing import assert_never

from msgspec.structs import replace

from securechat.client import happenings as told
from securechat.client import intents as want
from securechat.client import tidings
from securechat.client.happenings import Impossible
from securechat.client.order import Orders
from securechat.client.pull import TOLD_FAILURES, Once, Pull, ReadingAnswer, ReadingCommand
from securechat.client.requests import Consulting, Doing, Ordering, Seeking
from securechat.client.state import Attention, Key, PersonKey, Phase, RoomKey
from securechat.client.talk import Talk, pair
from securechat.client.tidings import Place, Revising
from securechat.client.writing import Writing
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


class Exchange(Talk):
    """A `Talk` with rooms that have rules, and messages that change and are found.

    Args:
        name: as for `Talk`.
        rooms: as for `Talk`.
        recall: as for `Talk`.
        attention: as for `Talk`.
        typing: whether notices of writing are sent and shown.
    """

    def __init__(self, name: str, rooms: tuple[str, ...], recall: int, attention: Attention, *, typing: bool) -> None:
        super().__init__(name, rooms, recall, attention)
        self._orders = Orders(self._requests, self._send, self._tell, self.membership.find)
        self._writing = Writing(on=typing)
        self._standings: tuple[UnreadItem, ...] = ()
        self._next_page: want.Search | want.Jump | None = None

    # --- what a screen reads ------------------------------------------------------------------------------------------

    @property
    def writers(self) -> tuple[Person, ...]:
        """Who is writing in the conversation looked at."""
        return self._writing.writers(self.current)

    # --- intents ------------------------------------------------------------------------------------------------------

    def _converse(self, intent: want.ConversationIntent, now: float) -> None:
        match intent:
            case want.Revise():
                self._revise(intent)
            case want.Write(target):
                self._write(target, now)
            case want.SwitchTyping(on):
                self._switch_typing(on=on)
            case want.AskRules() | want.ChangeRules() | want.Order():
                self._about_room(intent)
            case _:
                self._read_on(intent)

    # --- messages -----------------------------------------------------------------------------------------------------

    def _revise(self, intent: want.Revise) -> None:
        if self.full:
            self._decline(Impossible.QUEUE_FULL)
        elif intent.kind is not RevisionKind.EDIT or self._sayable(intent.text):
            self._take_line(intent.target, intent.text, revising=Revising(intent.kind, intent.seq, intent.sign))

    def on_message(self, key: Key, message: Message, *, late: bool) -> None:
        """Show a message, once; whoever wrote it has stopped writing."""
        if self._writing.stopped(key, message.sender_id):
            self._tell(tidings.WritersChanged())
        super().on_message(key, message, late=late)

    # --- rooms --------------------------------------------------------------------------------------------------------

    def _about_room(self, intent: want.RoomIntent) -> None:
        if self.phase is Phase.ONLINE:
            self._orders.wish(intent)
        else:
            self._decline(Impossible.AWAY)

    def _answered(self, event: Roster | RoomsPage | Found) -> None:
        request = self._requests.get(event.ref)
        if isinstance(event, Found) and isinstance(request, Seeking):
            self._requests.close(event.ref)
            self.people.see(*pair(event.person))
            self._orders.found(request, event.person)
        else:
            super()._answered(event)

    def _done(self, event: Done) -> bool:
        """Take the answer to something about a room; tell whether it was one."""
        request = self._requests.get(event.ref)
        if not isinstance(request, Ordering):
            return False
        self._requests.close(event.ref)
        self._orders.done(request)
        return True

    def _rules(self, event: RoomRules) -> None:
        if event.ref:
            request = self._requests.get(event.ref)
            self._requests.close(event.ref)
            if isinstance(request, Consulting):
                self._orders.shown(request, event)
            return
        if event.was is not None:
            old, new = RoomKey(event.was), RoomKey(event.room)
            self.feed.renamed(event.was, event.room)
            self._reading.renamed(old, new)
            self._outgoing.renamed(old, new)
            if self.current == old:
                self.current = new
        if (changed := self.membership.rules(event)) is not None:
            self._tell(changed)

    def _role(self, event: RoleChanged) -> None:
        if (news := self.membership.role(event, self.me.id)) is not None:
            self._tell(news)

    def _invited(self, event: Invited) -> None:
        self._tell(tidings.InvitedTo(event.room, event.by))

    # --- writing ------------------------------------------------------------------------------------------------------

    def _write(self, target: Key, now: float) -> None:
        if self.phase is Phase.ONLINE and (notice := self._writing.began(target, now)) is not None:
            self._commands.append(notice)

    def _typing(self, event: TypingNow, now: float) -> None:
        key: Key = RoomKey(event.room) if event.room is not None else PersonKey(event.by.id)
        if event.by.id not in self.ignored and self._writing.heard(key, event.by, now) and key == self.current:
            self._tell(tidings.WritersChanged())

    def _switch_typing(self, *, on: bool | None) -> None:
        self._writing.switch(on=not self._writing.on if on is None else on)
        self._tell(tidings.TypingSwitched(self._writing.on))
        self._tell(tidings.WritersChanged())

    # --- reading the log ----------------------------------------------------------------------------------------------

    def _read_on(self, intent: want.ReadingIntent) -> None:
        if self.phase is not Phase.ONLINE:
            self._decline(Impossible.AWAY)
            return
        match intent:
            case want.Search():
                self._search(intent)
            case want.SearchOn():
                if self._next_page is None:
                    self._decline(Impossible.NOTHING_MORE)
                else:
                    self._read_on(self._next_page)
            case want.ListUnread():
                self._ask_unread(asked=True)
            case want.ShowUnread(number):
                self._show_unread(number)
            case want.Jump(target):
                self._excerpt(target, Place.SINCE if intent.around is None else Place.AROUND, intent)
            case _:
                assert_never(intent)

    def _search(self, intent: want.Search) -> None:
        def ask(ref: int) -> ReadingCommand:
            return Search(ref, intent.query, intent.before, HITS)

        def answered(answer: ReadingAnswer) -> None:
            if isinstance(answer, SearchPage):
                self._next_page = None
                if answer.more and answer.hits:
                    self._next_page = want.Search(intent.query, answer.hits[-1].message.seq)
                hits = tuple(hit for hit in answer.hits if hit.message.sender_id not in self.ignored)
                self._tell(tidings.SearchShown(intent.query, hits, answer.more, answer.indexed is not None))

        self.feed.ask(Once(None, ask, answered))

    def _ask_unread(self, *, asked: bool = False) -> None:
        refused = None if asked else self._reading.no_gaps_known
        self.feed.ask(Once(None, AskUnread, partial(self._unread_page, [], 1, asked), refused))

    def _unread_page(self, found: list[UnreadItem], number: int, asked: bool, answer: ReadingAnswer) -> None:
        """Take a page of what was not read, and ask for the next one, where there is one."""
        assert isinstance(answer, UnreadList)
        found += answer.items
        if not answer.more or number >= UNREAD_PAGES:
            self._unread_known(found, asked)
            return

        def ask(ref: int) -> ReadingCommand:
            return AskUnread(ref, answer.through, answer.through_room)

        known = partial(self._unread_known, found, asked)
        self.feed.ask(Once(None, ask, partial(self._unread_page, found, number + 1, asked), known))

    def _unread_known(self, items: list[UnreadItem], asked: bool) -> None:
        self._reading.gaps_are({_key(item): item.first_seq for item in items})
        for item in items:
            if item.peer is not None:
                self.people.see(*pair(item.peer))
            if (conversation := self.feed.conversations.get(_key(item))) is not None and _key(item) != self.current:
                conversation.unread, conversation.mentions = item.unread, item.mentions
        unseen = (item for item in items if self._reading.is_unseen(_key(item), item.first_seq))
        self._standings = tuple(unseen)
        if asked or self._standings:
            self._tell(tidings.UnreadShown(self._standings, asked))

    def _show_unread(self, number: int | None) -> None:
        found = [item for item in self._standings if number is None and _key(item) == self.current]
        if number is not None:
            found = list(self._standings[number - 1 : number]) if number > 0 else []
        if not found:
            self._decline(Impossible.NOTHING_UNREAD)
            return
        self._excerpt(_key(found[0]), Place.UNREAD, want.Jump(_key(found[0]), after=found[0].read_seq))

    def _excerpt(self, target: Key, place: Place, intent: want.Jump) -> None:
        room, peer = (target.room, None) if isinstance(target, RoomKey) else (None, target.person_id)

        def ask(ref: int) -> ReadingCommand:
            return History(ref, room, peer, after=intent.after, limit=EXCERPT, around=intent.around, at=intent.at_ms)

        def answered(answer: ReadingAnswer) -> None:
            if isinstance(answer, HistoryPage):
                self._excerpted(target, place, intent, answer)

        self.feed.ask(Once(target, ask, answered))

    def _excerpted(self, target: Key, place: Place, intent: want.Jump, page: HistoryPage) -> None:
        messages = [self.feed.current(target, message) for message in page.messages]
        if intent.around is not None and all(message.seq != intent.around for message in messages):
            self._decline(Impossible.NOT_THERE)
            return
        if intent.at_ms is not None:  # a server that does not know of jumps gives the newest
            messages = [message for message in messages if message.sent_at_ms >= intent.at_ms]
        self._next_page = None
        if page.more and messages and intent.around is None:
            self._next_page = want.Jump(target, after=messages[-1].seq)
        if messages and intent.after is not None and self._is_seen(target):
            last = messages[-1].seq
            self._reading.saw_from(target, intent.after + 1, last, to_the_end=not page.more)
            self._standings = tuple(
                item if _key(item) != target else replace(item, read_seq=max(item.read_seq, last))
                for item in self._standings
            )
        shown = tuple(message for message in messages if message.sender_id not in self.ignored)
        self._tell(tidings.Excerpted(target, shown, place, self._next_page is not None))

    # --- what was not done --------------------------------------------------------------------------------------------

    def _reading_refused(self, event: Refused, retry_at: float | None, now: float) -> bool:
        """Take the refusal of a question in the feed's queue; tell whether it was one."""
        failed_at = now if event.code is ErrorCode.INTERNAL else None
        job = None if event.ref is None else self.feed.refused(event.ref, retry_at, failed_at)
        is_told = not isinstance(job, Pull) or job.failures in {0, TOLD_FAILURES}
        if job is not None and retry_at is None and is_told:
            if isinstance(job, Once) and job.refused is not None:
                job.refused()
            else:
                self._tell(told.RequestRefused(event.code, event.text, event.room))
        return job is not None

    def _request_refused(self, event: Refused) -> None:
        if event.code is ErrorCode.UNKNOWN_TYPE and event.ref is None:
            self._writing.unknown_there()  # of all we say, only that has no number
        else:
            super()._request_refused(event)

    def _unanswered(self, request: Doing | Ordering | Seeking) -> None:  # noqa: ARG002 - whichever it was
        self._orders.unanswered()


def _key(item: UnreadItem) -> Key:
    return RoomKey(item.room) if item.room is not None else PersonKey(item.peer.id if item.peer is not None else 0)
