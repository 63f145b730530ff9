"""Shows the user's conversations: messages and their changes, the current one, unread counts, ignored people.

The timeline decides which message comes next; `Conversations` receives each one, once, and tells the user interface.
A message counts as read where the user interface shows it, which `Visibility` says; with Visibility.REPORTED, where the
user interface says that it was seen.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

from securechat.client.core import actions, events
from securechat.client.core.context import CoreContext
from securechat.client.core.events.messages import MessageChanged
from securechat.client.core.gap_fill import Backfill
from securechat.client.core.pending import PendingIgnore
from securechat.client.core.read_markers import ReadMarkers
from securechat.client.core.state import Conversation, ConversationId, PersonKey, Visibility
from securechat.client.core.timeline import Timeline
from securechat.client.core.typing import TypingState
from securechat.model import Message, MessageChange, Person, Purged, ReadElsewhere, UnreadItem, Welcome, Whois
from securechat.text.names import LOBBY

_KEPT_ACKED = 1_000
"""Acknowledged seqs remembered until their message comes: far more than can be in flight (send_queue.WINDOW)."""


class Conversations:
    """The conversations of one user.

    Args:
        context: shared state.
        typing: told when a message ends the typing of its sender.
        visibility: the shown messages that count as read.
        known: up to which seq an earlier run of a program has seen everything, by the number of its account.

    Attributes:
        timeline: the messages of each conversation, and the cursor.
        read_markers: how far each conversation was read.
        visibility: as given.
        next_page: what the next /more asks for; None where nothing more is known.
        goes_on: whether the first welcome was of the log and the account of the earlier run.
    """

    def __init__(
        self,
        context: CoreContext,
        typing: TypingState,
        visibility: Visibility,
        known: Mapping[int, int] | None = None,
    ) -> None:
        self._known = known or {}
        self.goes_on = False
        self.in_another_log = False
        self.timeline = Timeline(self, context.rooms)
        self.read_markers = ReadMarkers()
        self.visibility = visibility
        self.next_page: actions.PageAction | None = None
        self._context = context
        self._typing = typing
        self._acked_here: dict[int, None] = {}

    def welcomed(self, event: Welcome, *, first: bool, another: bool) -> bool:
        """Begin anew with the log of this welcome, or go on; returns whether the known messages still hold.

        Args:
            event: the welcome.
            first: whether it is the first one of this client.
            another: whether the user is another sender from now on.
        """
        same_sender = not another and event.sender_id == self._context.me.id
        resumes = not first and same_sender and event.live_from >= self.timeline.cursor
        self.in_another_log = False
        if resumes:
            self.timeline.resume(event.live_from)
        else:
            known_to = self._known.get(event.sender_id) if first else None
            self.goes_on = known_to is not None and event.live_from >= known_to
            # Another user may be in the same log; a log that ends before what is known here is another one.
            self.in_another_log = (
                event.live_from < self.timeline.cursor
                if another
                else not self.goes_on and (not first or known_to is not None)
            )
            if self.in_another_log:
                self._context.show(events.HistoryReset())
                self._context.people.forget()
                if isinstance(self._context.current, PersonKey):  # in another log the number is of another person
                    self._context.current = self._context.rooms.named(LOBBY)
                    self._context.show(events.RoomSelected(LOBBY))
            self.read_markers.forget()
            seen = event.seen_seq if event.account else None
            self.timeline.begin(event.live_from, seen, known_to if self.goes_on else None)
        self.timeline.me = event.sender_id
        return resumes

    # --- the user's actions -------------------------------------------------------------------------------------------

    def select(self, target: ConversationId) -> None:
        """Make a conversation the current one: nothing in it is unread any more, unless that is reported."""
        self._context.current = target
        if self.visibility is Visibility.REPORTED:
            return
        if (conversation := self.timeline.conversations.get(target)) is not None:
            conversation.unread = conversation.mentions = 0
            if self.visibility is Visibility.CURRENT:
                self.read_markers.saw(target, conversation.last)

    def mark_seen(self, target: ConversationId, seq: int) -> None:
        """The user has seen everything up to ``seq``; it never becomes less by that."""
        self.read_markers.report(target, seq)
        conversation = self.timeline.conversations.get(target)
        if conversation is not None and seq > conversation.read:
            conversation.read = seq
            self._count_above(conversation, seq)

    def mark_unread(self, target: ConversationId, seq: int, known: int = 0) -> None:
        """Count the messages from ``seq`` on as unread again: those that are kept, and at least ``known`` ones."""
        self.read_markers.withdraw(target, seq - 1)
        if (conversation := self.timeline.conversations.get(target)) is not None:
            conversation.read = seq - 1
            unread, conversation.mentions = self._unread_above(conversation, seq - 1)
            conversation.unread = max(unread, known)

    def read_state_known(self, conversation: Conversation, item: UnreadItem) -> None:
        """Take what the server counts of a conversation; what was reported since is read nevertheless."""
        conversation.unread, conversation.mentions = item.unread, item.mentions
        reported = self.read_markers.reported(conversation.key)
        conversation.read = max(item.read_seq, reported)
        if reported > item.read_seq:
            self._count_above(conversation, reported)

    def _count_above(self, conversation: Conversation, seq: int) -> None:
        """Count no more as unread than is kept above ``seq``; where it is older than all that is kept, nothing changes.

        A message that is not kept cannot be counted: the number is too high until the user has come to the kept ones.
        """
        first_kept = conversation.messages[0].prev if conversation.messages else conversation.last
        if seq >= min(first_kept, conversation.last):
            unread, mentions = self._unread_above(conversation, seq)
            conversation.unread = min(conversation.unread, unread)
            conversation.mentions = min(conversation.mentions, mentions)

    def _unread_above(self, conversation: Conversation, seq: int) -> tuple[int, int]:
        """Count the kept messages of others above ``seq``, and those of them that mention the user."""
        never_unread = {self._context.me.id, *self._context.ignored}
        above = itertools.takewhile(lambda message: message.seq > seq, reversed(conversation.messages))
        unread = [message for message in above if message.sender_id not in never_unread]
        return len(unread), sum(self._mentions_me(message) for message in unread)

    def _mentions_me(self, message: Message) -> bool:
        me = self._context.me
        return message.sender_id != me.id and (me.id in message.mentions or _mentions(me.name, message.text))

    def ignore(self, name: str) -> None:
        """Hide the messages of a person, or show them again; a name never seen is looked up."""
        context = self._context
        person_id = context.people.find(name)
        if person_id is not None:
            known = context.people.name(person_id) or name
            self.toggle_ignored(Person(person_id, known, context.people.is_bot(person_id)))
        elif context.require_online():
            context.send(Whois(context.requests.ask(PendingIgnore(name)), name))

    def toggle_ignored(self, person: Person) -> None:
        """Hide the messages of a person, or show them again."""
        self._context.ignored ^= {person.id}
        self._context.show(events.IgnoreChanged(person, person.id in self._context.ignored))

    def is_seen(self, key: ConversationId) -> bool:
        """Tell whether the user sees what is shown in a conversation."""
        return self.visibility is Visibility.ALL or (
            self.visibility is Visibility.CURRENT and key == self._context.current
        )

    # --- what the server says -----------------------------------------------------------------------------------------

    def acked_here(self, seq: int) -> None:
        """Remember that this client, and no other device, sent the message of this seq."""
        self._acked_here[seq] = None
        if len(self._acked_here) > _KEPT_ACKED:
            del self._acked_here[next(iter(self._acked_here))]

    def read_elsewhere(self, event: ReadElsewhere) -> bool:
        """Take the read marker of another device; returns whether the server must be asked again what is unread."""
        key = self._context.rooms.conversation(event.room, event.peer)
        in_gap = self.read_markers.elsewhere(key, event.seq)
        if (conversation := self.timeline.conversations.get(key)) is not None:
            never_unread = {self._context.me.id, *self._context.ignored}
            later = (message for message in conversation.messages if message.seq > event.seq)
            unread = sum(message.sender_id not in never_unread for message in later)
            conversation.unread = min(conversation.unread, unread)
            conversation.read = max(conversation.read, event.seq)
        self._context.show(events.ReadOnOtherDevice(key, event.seq))
        return in_gap

    # --- what the timeline yields (timeline.TimelineListener) ---------------------------------------------------------

    def on_message(self, key: ConversationId, message: Message, *, late: bool) -> None:
        """Show a message, once."""
        context = self._context
        self._typing.stopped(key, message.sender_id)
        own = message.sender_id == context.me.id
        if message.sender_id in context.ignored:
            return
        mentions_me = self._mentions_me(message)
        if not own and (key != context.current or self.visibility is Visibility.REPORTED):
            conversation = self.timeline.conversations[key]
            conversation.unread += 1
            conversation.mentions += mentions_me
        if self.is_seen(key):
            self.read_markers.saw(key, message.seq)
        elsewhere = own and self._acked_here.pop(message.seq, 0) is not None
        context.show(events.MessageShown(message, key, own, late, mentions_me, elsewhere))

    def on_change(self, key: ConversationId, change: MessageChange, message: Message | None, *, late: bool) -> None:
        """Show a change of a message."""
        senders = {change.sender_id, message.sender_id} if message is not None else {change.sender_id}
        if not senders & self._context.ignored:
            self._context.show(MessageChanged(change, key, message, late))

    def on_purged(
        self, purged: Purged, key: ConversationId | None, removed: Sequence[Message], *, unseen: bool
    ) -> None:
        """Show no longer what is gone for good."""
        name = None if purged.sender_id is None else self._context.people.name(purged.sender_id)
        gone: dict[ConversationId, list[Message]] = {}
        for message in removed:
            gone.setdefault(self._context.rooms.conversation_of(message, self._context.me.id), []).append(message)
        for of, messages in gone.items():
            if (conversation := self.timeline.conversations.get(of)) is not None:
                self._count_without(conversation, messages)
        self._context.show(events.MessagesPurged(purged, key, len(removed), name or "", unseen))

    def _count_without(self, conversation: Conversation, gone: Sequence[Message]) -> None:
        """Take messages that are gone out of the unread count of a conversation: its last ones are unread."""
        if not conversation.unread:
            return
        never_unread = {self._context.me.id, *self._context.ignored}
        seqs = {each.seq for each in gone}
        others = [each for each in (*conversation.messages, *gone) if each.sender_id not in never_unread]
        last = sorted(others, key=lambda each: each.seq)[-conversation.unread :]
        conversation.unread -= sum(each.seq in seqs for each in last)
        conversation.mentions = min(conversation.mentions, conversation.unread)

    def on_backfilled(self, backfill: Backfill) -> None:
        """Show earlier messages."""
        is_read = not backfill.asked or (backfill.before is None and self.visibility is Visibility.ALL)
        if backfill.messages and is_read and self.is_seen(backfill.key):
            first, last = backfill.messages[0].seq, backfill.messages[-1].seq
            self.read_markers.saw_from(backfill.key, first, last, to_the_end=True)
        kept = tuple(message for message in backfill.messages if message.sender_id not in self._context.ignored)
        if kept or (backfill.asked and not backfill.abandoned):
            more = backfill.asked and backfill.next_page is not None
            told = events.HistoryLoaded(backfill.key, kept, backfill.asked, more, backfill.first, backfill.before)
            self._context.show(told)
        if backfill.asked:
            self.next_page = backfill.next_page

    def on_caught_up(self, missed: int) -> None:
        """Show that everything missed has been shown."""
        self._context.show(events.CaughtUp(missed))


def _mentions(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None
