"""What goes on over a good connection: lines, rooms, people and the questions about them.

`Conversing` keeps everything a screen shows, and turns the user's wishes and the server's answers about it into
commands and happenings. Whether there is a connection, and whether to make one, is the business of core.py, which
builds on it.
"""

from __future__ import annotations

import re

from securechat.client.core import actions, events
from securechat.client.core.events.connection import DeferredKind, RejectReason, UiEvent
from securechat.client.core.events.rooms import MessageChanged, MessageChangeRequest
from securechat.client.core.gap_fill import Backfill
from securechat.client.core.pending import (
    PendingAccountAction,
    PendingDirect,
    PendingIgnore,
    PendingJoin,
    PendingLeave,
    PendingModeration,
    PendingNameLookup,
    PendingRename,
    PendingRequests,
    PendingRoomList,
    PendingRoster,
)
from securechat.client.core.read_markers import ReadMarkers
from securechat.client.core.rooms import JoinedRooms
from securechat.client.core.send_queue import SendQueue, command_of
from securechat.client.core.state import (
    ConnectionPhase,
    ConversationId,
    KnownPeople,
    PersonKey,
    RoomKey,
    Visibility,
)
from securechat.client.core.timeline import Timeline
from securechat.client.core.timing import retry_at
from securechat.errors import ErrorCode, Refusal
from securechat.limits import MAX_TEXT_BYTES, MAX_TEXT_CHARS
from securechat.model import (
    Command,
    Found,
    Join,
    Joined,
    Leave,
    Left,
    Message,
    MessageChange,
    Nick,
    Person,
    ReadElsewhere,
    Refused,
    Rooms,
    RoomsPage,
    Roster,
    Who,
    Whois,
)
from securechat.text.names import LOBBY, check_room

_TYPED_HERE = 1_000
"""Acknowledged seqs remembered until their message comes: far more than can be in flight (drafts.WINDOW)."""


class Conversing:
    """The chat as one user has it.

    Args:
        name: the name to ask for, or empty.
        rooms: rooms to enter besides the lobby, as typed.
        recall: how many earlier messages to show of the room looked at, when it is entered for the first time.
        attention: which messages somebody sees.

    Attributes:
        phase: where the connection stands.
        me: id and name; the id is 0 before the first welcome.
        membership: rooms and rosters.
        people: names seen.
        current: the conversation being looked at.
        ignored: sender_ids whose messages are hidden.
        timeline: the conversations with their messages, and the cursor.
    """

    def __init__(self, name: str, rooms: tuple[str, ...], recall: int, attention: Visibility) -> None:
        self.phase = ConnectionPhase.OFFLINE
        self.me = Person(0, name)
        self.people = KnownPeople()
        self.membership = JoinedRooms(self.people, tuple(check_room(room) for room in rooms))
        self.current: ConversationId = RoomKey(check_room(rooms[-1]) if rooms else LOBBY)
        self.ignored: set[int] = set()
        self.timeline = Timeline(self)
        self._recall = recall
        self._attention = attention
        self._read_markers = ReadMarkers()
        self._typed_here: dict[int, None] = {}
        self._kept_for: set[int] = set()
        self._send_queue = SendQueue()
        self._requests = PendingRequests()
        self._whispers: list[PendingDirect] = []
        self._rename_to: str | None = None
        self._look_at_once_in: str | None = None
        self._awaiting: set[str] = set()
        self._unconfirmed: set[str] = set()
        self._confirmed = True
        self._answer_by: float | None = None
        self._paused_until = 0.0
        self._commands: list[Command] = []
        self._told: list[UiEvent] = []

    # --- what a screen reads ------------------------------------------------------------------------------------------

    @property
    def unsent(self) -> tuple[events.PendingMessage, ...]:
        """Lines not yet acknowledged, in the order typed."""
        lost = (_line_of(whisper) for whisper in (*self._whispers, *self._requests.whispers))
        return (*self._send_queue.lines, *lost)

    @property
    def full(self) -> bool:
        """Whether no further line can be taken now."""
        return self._send_queue.full

    def known_names(self) -> tuple[str, ...]:
        """Every name a command may mean."""
        return tuple(self.people.names())

    # --- lines --------------------------------------------------------------------------------------------------------

    def _speak(self, target: ConversationId, text: str, to: str = "", reply: int | None = None) -> None:
        if self._sayable(text):
            self._take_line(target, text, to, reply)

    def _take_line(
        self,
        target: ConversationId,
        text: str,
        to: str = "",
        reply: int | None = None,
        revising: MessageChangeRequest | None = None,
    ) -> None:
        if isinstance(target, RoomKey) and target.room != LOBBY and target.room not in self.membership.wanted:
            self._decline(RejectReason.NOT_IN_ROOM, target.room)
            return
        line = self._send_queue.add(target, text, to, reply=reply, revising=revising)
        if self.phase is not ConnectionPhase.ONLINE:
            self._tell(events.ActionDeferred(DeferredKind.WHISPER, to, text) if to else events.MessageWaiting(line))
        elif self._send_queue.queues(line):
            self._tell(events.MessageWaiting(line, ErrorCode.SLOW_MODE))

    def _sayable(self, text: str) -> bool:
        if not text.strip():
            self._decline(RejectReason.TEXT_EMPTY)
        elif len(text) > MAX_TEXT_CHARS or len(text.encode(errors="replace")) > MAX_TEXT_BYTES:
            self._decline(RejectReason.TEXT_TOO_LONG, str(len(text)))
        elif self.full:
            self._decline(RejectReason.QUEUE_FULL)
        else:
            return True
        return False

    def _whisper(self, name: str, text: str) -> None:
        if (person := self.membership.find(name)) is not None:
            self._speak(PersonKey(person.id), text, name)
        elif self._sayable(text):
            # A name that nobody here has: ask, because names change hands and messages belong to people.
            self._look_up(PendingDirect(name, text))

    def _ignore(self, name: str) -> None:
        person_id = self.people.find(name)
        if person_id is not None:
            self._toggle(Person(person_id, self.people.name(person_id) or name))
        elif self.phase is ConnectionPhase.ONLINE:
            self._look_up(PendingIgnore(name))
        else:
            self._decline(RejectReason.AWAY)

    def _look_up(self, request: PendingDirect | PendingIgnore) -> None:
        if self.phase is ConnectionPhase.ONLINE:
            self._commands.append(Whois(self._requests.ask(request), request.name))
        elif isinstance(request, PendingDirect):
            self._whispers.append(request)
            self._tell(events.ActionDeferred(DeferredKind.WHISPER, request.name, request.text))

    def _toggle(self, person: Person) -> None:
        self.ignored ^= {person.id}
        self._tell(events.IgnoreChanged(person, person.id in self.ignored))

    def _line_refused(self, client_id: int, event: Refused, now: float) -> None:
        if (again_at := retry_at(event, now)) is None:
            if (line := self._send_queue.finish(client_id)) is not None:
                self._tell(events.MessageRefused(line, event.code, event.text))
        elif (line := self._send_queue.again(client_id)) is not None:
            if event.code is ErrorCode.SLOW_MODE:
                self._send_queue.slow_mode(line.target, again_at)
            elif event.code is not ErrorCode.OUT_OF_ORDER:
                self._paused_until = max(self._paused_until, again_at)
            self._tell(events.MessageWaiting(line, event.code))

    # --- rooms --------------------------------------------------------------------------------------------------------

    def _enter(self, raw: str) -> None:
        if (room := self._room(raw)) is None:
            return
        if room in self.membership.rooms:
            self._look_at(RoomKey(room))
            self._tell(events.RoomSelected(room))
        elif self.phase is ConnectionPhase.ONLINE:
            self._commands.append(Join(self._requests.ask(PendingJoin({room})), [room]))
        else:
            self._enter_later(room)
            self._tell(events.ActionDeferred(DeferredKind.ENTER, room))

    def _enter_later(self, room: str) -> None:
        self.membership.want(room)
        self._look_at_once_in = room

    def _depart(self, raw: str) -> None:
        if (room := self._room(raw)) is None:
            return
        if room == LOBBY:
            self._decline(RejectReason.LOBBY_STAYS)
        elif room not in self.membership.wanted:
            self._decline(RejectReason.NOT_IN_ROOM, room)
        elif self.phase is ConnectionPhase.ONLINE:
            self._commands.append(Leave(self._requests.ask(PendingLeave(room)), room))
        else:
            self._depart_later(room)

    def _depart_later(self, room: str) -> None:
        """Out of a room one is in, or only wanted to be in; a server that never had us in it will say so in vain."""
        self.membership.left_while_away.add(room)
        if room not in self.membership.rooms:
            self._tell(events.RoomLeft(room))
        self._out_of(room)

    def _room(self, raw: str) -> str | None:
        try:
            return check_room(raw)
        except Refusal as refusal:
            self._decline(RejectReason.ROOM_INVALID, raw, refusal.detail)
            return None

    def _look_at(self, target: ConversationId) -> None:
        self.current = target
        if (conversation := self.timeline.conversations.get(target)) is not None:
            conversation.unread = conversation.mentions = 0
            if self._attention is Visibility.CURRENT:
                self._read_markers.saw(target, conversation.last)

    def _joined(self, event: Joined) -> None:
        if event.ref == 0 and self._is_leaving(event.room):
            return  # the server tells what it knew before it heard of our leaving
        self._unconfirmed.discard(event.room)
        adopted = event.ref == 0 and self._confirmed and event.room not in {LOBBY, *self.membership.wanted}
        entered = self.membership.entered(event, elsewhere=adopted)
        request = self._requests.get(event.ref)
        asked = isinstance(request, PendingJoin) and (not request.again or event.room == self._look_at_once_in)
        looked_at = asked or RoomKey(event.room) == self.current
        self.timeline.entered(event.room, event.live_from, self._recall if looked_at else 0)
        self._tell(entered)
        if isinstance(request, PendingJoin):
            if asked:
                self._look_at(RoomKey(event.room))
            self._entered_or_not(event.ref, request, event.room)
        self._awaiting.discard(event.room)
        self._entering_settled()

    def _is_leaving(self, room: str) -> bool:
        return any(isinstance(request, PendingLeave) and request.room == room for request in self._requests.unanswered)

    def _left(self, event: Left) -> None:
        self._requests.close(event.ref)
        self._out_of(event.room, elsewhere=event.ref == 0 and event.code is None, text=event.text)

    def _confirm(self) -> None:
        """The server has said which rooms an account belongs to: out of the others, and not in again by ourselves."""
        missing, self._unconfirmed, self._confirmed = self._unconfirmed, set(), True
        for room in sorted(missing):
            self._out_of(room, missing=True)

    def _entered_or_not(self, ref: int, request: PendingJoin, room: str) -> None:
        request.rooms.discard(room)
        if not request.rooms:
            self._requests.close(ref)

    def _out_of(self, room: str, *, elsewhere: bool = False, text: str = "", missing: bool = False) -> None:
        self.timeline.left(room)
        if self.membership.left(room):
            self._tell(events.RoomLeft(room, elsewhere, text, missing))
        if self.current == RoomKey(room):
            self._look_at(RoomKey(LOBBY))

    def _entering_settled(self) -> None:
        """Once every room is entered or refused, what was missed can be pulled and lines can go out."""
        if self.phase is not ConnectionPhase.REJOINING or self._awaiting:
            return
        self.phase = ConnectionPhase.ONLINE
        self._answer_by = None
        self._paused_until = 0.0
        self._look_at_once_in = None
        if self._rename_to is not None:
            self._rename(self._rename_to)
        for client_id, line in self._send_queue.in_flight():
            self._commands.append(command_of(client_id, line))
        whispers, self._whispers = self._whispers, []
        for whisper in whispers:
            self._commands.append(Whois(self._requests.ask(whisper), whisper.name))
        self.timeline.start()

    # --- questions and answers ----------------------------------------------------------------------------------------

    def _ask(self, action: actions.AskWho | actions.AskRooms | actions.AskHistory) -> None:
        if self.phase is not ConnectionPhase.ONLINE:
            self._decline(RejectReason.AWAY)
            return
        match action:
            case actions.AskWho(raw):
                if (room := self._room(raw)) is not None:
                    self._commands.append(Who(self._requests.ask(PendingRoster(room)), room))
            case actions.AskRooms():
                self._commands.append(Rooms(self._requests.ask(PendingRoomList())))
            case actions.AskHistory(target, count):
                self.timeline.recall(target, count)

    def _answered(self, event: Roster | RoomsPage | Found) -> None:
        request = self._requests.get(event.ref)
        self._requests.close(event.ref)
        match event, request:
            case Roster(), PendingRoster():
                self._roster(event, request)
            case RoomsPage(), PendingRoomList():
                request.rooms.extend(event.rooms)
                if event.more and event.rooms:
                    self._commands.append(Rooms(self._requests.ask(request), event.rooms[-1].room))
                else:
                    self._tell(events.RoomsShown(tuple(request.rooms)))
            case Found(person=person, absent=absent), PendingDirect(_, text):
                self.people.see(*pair(person))
                self._speak(PersonKey(person.id), text, person.name)
                self._say_who_is_absent(person, absent=absent)
            case Found(person=person), PendingIgnore():
                self.people.see(*pair(person))
                self._toggle(person)
            case _:
                pass  # the answer to a question of an earlier connection

    def _say_who_is_absent(self, person: Person, *, absent: bool) -> None:
        """Once, until they were here again."""
        if not absent:
            self._kept_for.discard(person.id)
        elif person.id not in self._kept_for:
            self._kept_for.add(person.id)
            self._tell(events.WillBeDeliveredLater(person))

    def _roster(self, event: Roster, request: PendingRoster) -> None:
        request.people.extend(event.members)
        self.membership.roster(event)
        if event.more and event.members:
            self._commands.append(Who(self._requests.ask(request), request.room, event.members[-1].id))
        else:
            self._tell(events.RosterShown(event.room, tuple(request.people), event.total))

    def _request_refused(self, event: Refused) -> None:
        request = self._requests.get(event.ref)
        if isinstance(request, PendingJoin) and event.ref is not None:
            rooms = {event.room} if event.room in request.rooms else set(request.rooms)
            for room in rooms:
                self._entered_or_not(event.ref, request, room or "")
                self._awaiting.discard(room or "")
                self._out_of(room or "")
        elif event.ref is not None:
            self._requests.close(event.ref)
        match request:
            case PendingDirect():
                self._tell(events.MessageRefused(_line_of(request), event.code, event.text))
            case PendingRename(name):
                self._tell(events.RenameRefused(name, event.code, event.text))
            case PendingLeave(quiet=True):
                pass
            case None if event.ref is not None:
                pass  # a question of an earlier connection
            case _:
                self._tell(events.RequestRefused(event.code, event.text, event.room))
        self._entering_settled()

    def _rename(self, name: str) -> None:
        self._rename_to = None
        self._commands.append(Nick(self._requests.ask(PendingRename(name)), name))

    def _keep_wishes(self) -> None:
        """The connection is gone: what was asked on it and not answered is asked again on the next."""
        for request in self._requests.unanswered:
            match request:
                case PendingDirect():
                    self._whispers.append(request)
                case PendingRename(name):
                    self._rename_to = self._rename_to or name
                case PendingJoin(rooms, again=False):
                    for room in rooms:
                        self._enter_later(room)
                case PendingLeave(room, quiet) if quiet or room in self.membership.wanted:
                    self._depart_later(room)
                case PendingAccountAction() | PendingModeration() | PendingNameLookup():
                    self._unanswered(request)
        self._requests.clear()

    def _unanswered(self, request: PendingAccountAction | PendingModeration | PendingNameLookup) -> None:
        """Something was asked that may have been done, and no answer came."""

    def _renamed(self, name: str) -> None:
        old, self.me = self.me.name, Person(self.me.id, name)
        self.people.see(*pair(self.me))
        self._tell(events.MemberRenamed(self.me.id, old, name, me=True))

    # --- what the feed yields (feed.Reader) ---------------------------------------------------------------------------

    def on_message(self, key: ConversationId, message: Message, *, late: bool) -> None:
        """Show a message, once."""
        own = message.sender_id == self.me.id
        if message.sender_id in self.ignored:
            return
        names_me = not own and (self.me.id in message.mentions or _names(self.me.name, message.text))
        if key != self.current and not own:
            self.timeline.conversations[key].unread += 1
            self.timeline.conversations[key].mentions += names_me
        if self._is_seen(key):
            self._read_markers.saw(key, message.seq)
        elsewhere = own and self._typed_here.pop(message.seq, 0) is not None
        self._tell(events.MessageShown(message, key, own, late, names_me, elsewhere))

    def _is_seen(self, key: ConversationId) -> bool:
        return self._attention is Visibility.ALL or (self._attention is Visibility.CURRENT and key == self.current)

    def on_change(self, key: ConversationId, change: MessageChange, message: Message | None, *, late: bool) -> None:
        """Show what has become of a message."""
        hidden = {change.sender_id, message.sender_id} if message is not None else {change.sender_id}
        if not hidden & self.ignored:
            self._tell(MessageChanged(change, key, message, late))

    def _acked(self, client_id: int, seq: int) -> None:
        if (line := self._send_queue.finish(client_id)) is not None:
            self._typed_here[seq] = None
            if len(self._typed_here) > _TYPED_HERE:
                del self._typed_here[next(iter(self._typed_here))]
            self._tell(events.MessageAcked(line, seq))

    def _read_elsewhere(self, event: ReadElsewhere) -> None:
        key: ConversationId = RoomKey(event.room) if event.room is not None else PersonKey(event.peer or 0)
        if self._read_markers.elsewhere(key, event.seq):
            self._ask_unread()
        if (conversation := self.timeline.conversations.get(key)) is not None:
            later = (message for message in conversation.messages if message.seq > event.seq)
            conversation.unread = min(
                conversation.unread, sum(message.sender_id not in {self.me.id, *self.ignored} for message in later)
            )
        self._tell(events.ReadOnOtherDevice(key, event.seq))

    def _ask_unread(self) -> None:
        """Have the server say anew what was not read."""

    def on_recalled(self, recall: Backfill) -> None:
        """Show earlier messages."""
        if recall.messages and not recall.asked and self._is_seen(recall.key):
            self._read_markers.saw_from(recall.key, recall.messages[0].seq, recall.messages[-1].seq, to_the_end=True)
        kept = tuple(message for message in recall.messages if message.sender_id not in self.ignored)
        if kept or recall.asked:
            self._tell(events.HistoryLoaded(recall.key, kept, recall.asked))

    def on_caught_up(self, missed: int) -> None:
        """Everything missed has been shown."""
        self._tell(events.CaughtUp(missed))

    # --- the end of every input ---------------------------------------------------------------------------------------

    def _send_what_may_go(self, now: float) -> None:
        if now >= self._paused_until:
            self._paused_until = 0.0
            while (taken := self._send_queue.take(now)) is not None:
                self._commands.append(command_of(*taken))
        if (question := self.timeline.next_request(self._requests.ref(), now)) is not None:
            self._commands.append(question)

    def _send(self, command: Command) -> None:
        self._commands.append(command)

    def _tell(self, ui_event: UiEvent) -> None:
        self._told.append(ui_event)

    def _decline(self, reason: RejectReason, subject: str = "", detail: str = "") -> None:
        self._tell(events.ActionRejected(reason, subject, detail))


def pair(person: Person) -> tuple[int, str]:
    """Return what `KnownPeople.see` takes."""
    return person.id, person.name


def _line_of(whisper: PendingDirect) -> events.PendingMessage:
    """A line whose person is not known yet."""
    return events.PendingMessage(0, PersonKey(0), whisper.text, whisper.name)


def _names(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None
