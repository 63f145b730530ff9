"""The client without a socket, clock, thread or randomness: events and intents in, commands and happenings out.

Every input takes ``now`` (monotonic seconds) and returns an `Output`: commands to send in order, happenings to show
in order, and whether to dial or to hang up. `ClientCore.deadline` says when `tick` is wanted at the latest. A line
client, a full screen and the simulation drive the same core.

It promises its part of promise 2: every message is shown once, in its conversation's order, and every line is kept
until acknowledged, whatever the connection does in between. It refuses to know bytes, TLS and sentences.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from securechat.client import happenings as told
from securechat.client import intents as want
from securechat.client.drafts import Outgoing
from securechat.client.feed import Feed
from securechat.client.happenings import Happening, Impossible, Loss, LossKind
from securechat.client.membership import Membership
from securechat.client.patience import ANSWER_S, STABLE_S, Backoff, Silence
from securechat.client.pull import Recall
from securechat.client.requests import (
    Entering,
    Ignoring,
    Leaving,
    Listing,
    Renaming,
    Requests,
    Rostering,
    Whispering,
)
from securechat.client.state import Key, People, PersonKey, Phase, RoomKey
from securechat.errors import ErrorCode, Refusal
from securechat.limits import MAX_TEXT_BYTES, MAX_TEXT_CHARS
from securechat.model import (
    PROTOCOL_VERSION,
    Acked,
    Closing,
    Command,
    Direct,
    Event,
    Found,
    Hello,
    HistoryPage,
    Join,
    Joined,
    Leave,
    Left,
    Message,
    Named,
    Nick,
    Person,
    Ping,
    Pong,
    Presence,
    Quit,
    Refused,
    Rooms,
    RoomsPage,
    Roster,
    Say,
    Throttled,
    Welcome,
    Who,
    Whois,
)
from securechat.names import LOBBY, check_name, check_room

_FOR_GOOD = frozenset(
    {
        ErrorCode.REPLACED,
        ErrorCode.UNSUPPORTED_VERSION,
        ErrorCode.BAD_FRAME,
        ErrorCode.FRAME_TOO_LARGE,
        ErrorCode.HELLO_EXPECTED,
        ErrorCode.BYE,
    }
)
"""Last words after which coming back would only repeat them."""
_LATER = frozenset({ErrorCode.OVERLOADED, ErrorCode.BUSY, ErrorCode.OUT_OF_ORDER})
"""Refusals of a line that are no judgement of it; DISK_FULL is one too when it names a time."""
_NAME_CODES = frozenset({ErrorCode.NAME_IN_USE, ErrorCode.NAME_INVALID, ErrorCode.NAME_RESERVED})
RETRY_S = 1.0
"""Before a refused request is repeated, where the server named no time."""
GOODBYE_S = 1.0
"""For the answer to our Quit: a healthy server answers within a pass of its loop."""


@dataclass(frozen=True, slots=True)
class Output:
    """What one input leads to. Commands go out before hanging up."""

    commands: tuple[Command, ...] = ()
    happenings: tuple[Happening, ...] = ()
    dial: bool = False
    hang_up: bool = False


class ClientCore:
    """One user's session, over as many connections as it takes.

    Args:
        secret: the resume secret, 32 lower-case hex digits, made for the CA in use.
        jitter: returns a number in [0, 1).
        name: the name to ask for; None asks the user once connected.
        rooms: rooms to enter besides the lobby, as typed.
        recall: how many earlier messages to show of the room looked at, when it is entered for the first time.
        client: program and version, for the server's log.

    Attributes:
        phase: where the connection stands.
        me: id and name; the id is 0 before the first welcome.
        membership: rooms and rosters.
        people: names seen.
        current: the conversation being looked at.
        ignored: sender_ids whose messages are hidden.
    """

    def __init__(
        self,
        *,
        secret: str,
        jitter: Callable[[], float],
        name: str | None = None,
        rooms: tuple[str, ...] = (),
        recall: int = 0,
        client: str = "",
    ) -> None:
        self.phase = Phase.OFFLINE
        self.me = Person(0, name or "")
        self.people = People()
        self.membership = Membership(self.people, tuple(check_room(room) for room in rooms))
        self.current: Key = RoomKey(check_room(rooms[-1]) if rooms else LOBBY)
        self.ignored: set[int] = set()
        self.feed = Feed(self)
        self._secret = secret
        self._client = client
        self._recall = recall
        self._named = name is not None
        self._outgoing = Outgoing()
        self._requests = Requests()
        self._whispers: list[Whispering] = []
        self._backoff = Backoff(jitter)
        self._silence: Silence | None = None
        self._awaiting: set[str] = set()
        self._dial_at: float | None = 0.0
        self._answer_by: float | None = None
        self._paused_until = 0.0
        self._welcomed_at: float | None = None
        self._lost_at: float | None = None
        self._last_words: Closing | None = None
        self._leave_by: float | None = None
        self._said_quit = False
        self._commands: list[Command] = []
        self._told: list[Happening] = []
        self._dial = self._hang_up = False

    # --- what a screen reads --------------------------------------------------------------------------------------

    @property
    def unsent(self) -> tuple[told.Line, ...]:
        """Lines not yet acknowledged, in the order typed."""
        lost = (told.Line(0, PersonKey(0), whisper.text) for whisper in (*self._whispers, *self._requests.whispers))
        return (*self._outgoing.lines, *lost)

    @property
    def full(self) -> bool:
        """Whether no further line can be taken now."""
        return self._outgoing.full

    @property
    def leaving(self) -> bool:
        """Whether the user wants to go."""
        return self._leave_by is not None

    @property
    def away(self) -> bool:
        """Whether there was a connection and is none."""
        return self._lost_at is not None

    def known_names(self) -> tuple[str, ...]:
        """Every name a command may mean."""
        return tuple(self.people.names())

    def deadline(self) -> float | None:
        """Return when `tick` is wanted at the latest."""
        due = [self._dial_at, self._answer_by, self._leave_by, self.feed.deadline]
        if self._silence is not None:
            due.append(self._silence.deadline)
        if self.phase is Phase.ONLINE and self._paused_until:
            due.append(self._paused_until)
        return min((when for when in due if when is not None), default=None) if self.phase is not Phase.ENDED else None

    # --- inputs ---------------------------------------------------------------------------------------------------

    def connected(self, now: float) -> Output:
        """A verified connection is there."""
        self._last_words = None
        if self._named:
            self._greet(now)
        else:
            self.phase = Phase.NAMING
            self._tell(told.NameNeeded())
        return self._result(now)

    def disconnected(self, loss: Loss, now: float) -> Output:
        """The connection ended, or could not be made."""
        if self.phase is not Phase.ENDED:
            self._lose(loss, now)
        return self._result(now)

    def received(self, event: Event, now: float) -> Output:
        """The server said something."""
        if self.phase not in {Phase.ENDED, Phase.OFFLINE, Phase.DIALLING}:
            if self._silence is not None:
                self._silence.heard(now)
            self._handle(event, now)
        return self._result(now)

    def intend(self, intent: want.Intent, now: float) -> Output:
        """The user wants something."""
        if self.phase is not Phase.ENDED:
            if self.leaving and not isinstance(intent, want.Finish):
                self._decline(Impossible.LEAVING)
            else:
                self._wish(intent, now)
        return self._result(now)

    def tick(self, now: float) -> Output:
        """Time has passed."""
        if self.phase is Phase.ENDED:
            return Output()
        if self._leave_by is not None and now >= self._leave_by:
            self._go(now)
        elif self._dial_at is not None and now >= self._dial_at:
            self._dial_at = None
            self.phase = Phase.DIALLING
            self._dial = True
        elif self._overdue(now):
            self._hang_up = True
            self._lose(Loss(LossKind.SILENT), now)
        elif self._silence is not None and (ping := self._silence.check(now)) is not None:
            self._commands.append(ping)
        return self._result(now)

    # --- the connection's life ------------------------------------------------------------------------------------

    def _greet(self, now: float) -> None:
        self.phase = Phase.GREETING
        self._answer_by = now + ANSWER_S
        self._silence = Silence(now)
        self._commands.append(Hello(PROTOCOL_VERSION, self.me.name, self._secret, self._client))

    def _welcomed(self, event: Welcome, now: float) -> None:
        first = self._welcomed_at is None
        if not first and (event.sender_id != self.me.id or event.live_from < self.feed.cursor):
            self._tell(told.HistoryReset())
            self.people.forget()
            self.feed.begin(event.live_from)
        elif first:
            self.feed.begin(event.live_from)
        else:
            self.feed.resume(event.live_from)
        self.me = Person(event.sender_id, event.name)
        self.feed.me = event.sender_id
        self.people.see(*_pair(self.me))
        self._outgoing.start_above(event.last_client_id)
        self._welcomed_at = now
        self.phase = Phase.REJOINING
        self._answer_by = now + ANSWER_S
        if first:
            self._tell(told.Greeted(event.server, self.me))
        else:
            self._tell(told.BackOnline(now - (self._lost_at if self._lost_at is not None else now)))
        self._lost_at = None
        self._awaiting = {LOBBY}
        for room in sorted(self.membership.left_while_away):
            self._commands.append(Leave(self._requests.ref(), room))
        self.membership.left_while_away.clear()
        self._rejoin()

    def _rejoin(self) -> None:
        rooms = list(self.membership.wanted)
        self._awaiting.update(rooms)
        for start in range(0, len(rooms), 100):  # Join takes at most 100 (model.py)
            some = rooms[start : start + 100]
            self._commands.append(Join(self._requests.ask(Entering(set(some), again=True)), some))

    def _entering_settled(self) -> None:
        """Once every room is entered or refused, what was missed can be pulled and lines can go out."""
        if self.phase is not Phase.REJOINING or self._awaiting:
            return
        self.phase = Phase.ONLINE
        self._answer_by = None
        self._paused_until = 0.0
        for client_id, line in self._outgoing.in_flight():
            self._commands.append(_command(client_id, line))
        whispers, self._whispers = self._whispers, []
        for whisper in whispers:
            self._commands.append(Whois(self._requests.ask(whisper), whisper.name))
        self.feed.start()

    def _lose(self, loss: Loss, now: float) -> None:
        was, words = self.phase, self._last_words
        self._silence = self._answer_by = self._last_words = None
        self._whispers.extend(self._requests.whispers)
        self._requests.clear()
        self.feed.lost()
        self.phase = Phase.OFFLINE
        code, text = (words.code, words.text) if words is not None else (None, "")
        if self._said_quit:
            self._end(told.Ended(told.EndCause.QUIT))
        elif code in _FOR_GOOD:
            self._end(told.Ended(told.EndCause.CLOSED, code=code, text=text))
        elif not self._named:
            self._dial_at = None  # dial again when there is a name: the server does not wait for one for ever
            if was is not Phase.NAMING:
                self._end(told.Ended(told.EndCause.UNREACHABLE, loss, code, text))
        elif self._welcomed_at is None:
            self._end(told.Ended(told.EndCause.UNREACHABLE, loss, code, text))
        else:
            self._retry_later(loss, words, now)

    def _retry_later(self, loss: Loss, words: Closing | None, now: float) -> None:
        if self._lost_at is None:
            self._lost_at = now
            self._tell(told.ConnectionLost(loss, *((words.code, words.text) if words is not None else (None, ""))))
            if self._welcomed_at is not None and now - self._welcomed_at >= STABLE_S:
                self._backoff.reset()
        delay_s = self._backoff.next_delay_s((words.retry_after_s or 0.0) if words is not None else 0.0)
        self._dial_at = now + delay_s
        self._tell(told.Reconnecting(delay_s, self._backoff.attempt, loss))

    def _overdue(self, now: float) -> bool:
        unanswered = self._answer_by is not None and now >= self._answer_by
        return unanswered or (self._silence is not None and self._silence.dead(now))

    def _end(self, ended: told.Ended) -> None:
        if self.unsent:
            self._tell(told.LinesLost(self.unsent))
        self.phase = Phase.ENDED
        self._hang_up = True
        self._tell(ended)

    # --- leaving --------------------------------------------------------------------------------------------------

    def _finish(self, patience_s: float, now: float) -> None:
        if self.leaving:
            self._go(now)
            return
        self._leave_by = now + patience_s
        self._leave_when_done(now)

    def _leave_when_done(self, now: float) -> None:
        if not self.leaving or self._said_quit or self.phase is Phase.ENDED:
            return
        if not self.unsent and not self.feed.catching_up:
            self._say_goodbye(now)

    def _say_goodbye(self, now: float) -> None:
        if self.phase in {Phase.OFFLINE, Phase.DIALLING, Phase.NAMING}:
            self._end(told.Ended(told.EndCause.QUIT))
            return
        self._said_quit = True
        self._commands.append(Quit())
        self._leave_by = now + GOODBYE_S

    def _go(self, now: float) -> None:  # noqa: ARG002 - symmetrical with the other endings
        if self.phase in {Phase.GREETING, Phase.REJOINING, Phase.ONLINE} and not self._said_quit:
            self._said_quit = True
            self._commands.append(Quit())
        self._end(told.Ended(told.EndCause.QUIT))

    # --- intents --------------------------------------------------------------------------------------------------

    def _wish(self, intent: want.Intent, now: float) -> None:
        match intent:
            case want.ChooseName(name):
                self._choose_name(name, now)
            case want.Speak(text, target):
                self._speak(target, text)
            case want.Whisper(name, text):
                self._whisper(name, text)
            case want.Enter(room):
                self._enter(room)
            case want.Depart(room):
                self._depart(room)
            case want.LookAt(target):
                self._look_at(target)
            case want.AskWho() | want.AskRooms() | want.AskHistory():
                self._ask(intent)
            case want.Ignore(name):
                self._ignore(name)
            case want.Finish(patience_s):
                self._finish(patience_s, now)
            case _:
                assert_never(intent)

    def _choose_name(self, name: str, now: float) -> None:
        try:
            name = check_name(name)
        except Refusal as refusal:
            self._decline(Impossible.NAME_INVALID, name, refusal.detail)
            return
        if self._named and self.phase is Phase.ONLINE:
            self._commands.append(Nick(self._requests.ask(Renaming(name)), name))
        elif self._named and self.phase is not Phase.OFFLINE:
            self._decline(Impossible.AWAY)
        else:
            self.me = Person(self.me.id, name)
            if self._named:
                return  # away: the next hello asks for it
            self._named = True
            if self.phase is Phase.NAMING:
                self._greet(now)
            else:
                self._dial_at = now

    def _speak(self, target: Key, text: str) -> None:
        if not self._sayable(text):
            return
        if isinstance(target, RoomKey) and target.room != LOBBY and target.room not in self.membership.wanted:
            self._decline(Impossible.NOT_IN_ROOM, target.room)
            return
        line = self._outgoing.add(target, text)
        if self.phase is not Phase.ONLINE:
            self._tell(told.LineWaiting(line))

    def _sayable(self, text: str) -> bool:
        if not text.strip():
            self._decline(Impossible.TEXT_EMPTY)
        elif len(text) > MAX_TEXT_CHARS or len(text.encode(errors="replace")) > MAX_TEXT_BYTES:
            self._decline(Impossible.TEXT_TOO_LONG, str(len(text)))
        elif self.full:
            self._decline(Impossible.QUEUE_FULL)
        else:
            return True
        return False

    def _whisper(self, name: str, text: str) -> None:
        if (person := self.membership.find(name)) is not None:
            self._speak(PersonKey(person.id), text)
        elif self._sayable(text):
            # A name that nobody here has: ask, because names change hands and messages belong to people.
            self._look_up(Whispering(name, text))

    def _ignore(self, name: str) -> None:
        person_id = self.people.find(name)
        if person_id is not None:
            self._toggle(Person(person_id, self.people.name(person_id) or name))
        elif self.phase is Phase.ONLINE:
            self._look_up(Ignoring(name))
        else:
            self._decline(Impossible.AWAY)

    def _look_up(self, request: Whispering | Ignoring) -> None:
        if self.phase is Phase.ONLINE:
            self._commands.append(Whois(self._requests.ask(request), request.name))
        elif isinstance(request, Whispering):
            self._whispers.append(request)
            self._tell(told.LineWaiting(told.Line(0, PersonKey(0), request.text)))

    def _toggle(self, person: Person) -> None:
        self.ignored ^= {person.id}
        self._tell(told.IgnoreChanged(person, person.id in self.ignored))

    def _enter(self, raw: str) -> None:
        if (room := self._room(raw)) is None:
            return
        if room in self.membership.rooms:
            self._look_at(RoomKey(room))
        elif self.phase is Phase.ONLINE:
            self._commands.append(Join(self._requests.ask(Entering({room})), [room]))
        else:
            self.membership.want(room)
            self._decline(Impossible.AWAY)

    def _depart(self, raw: str) -> None:
        if (room := self._room(raw)) is None:
            return
        if room == LOBBY:
            self._decline(Impossible.LOBBY_STAYS)
        elif room not in self.membership.rooms:
            self._decline(Impossible.NOT_IN_ROOM, room)
        elif self.phase is Phase.ONLINE:
            self._commands.append(Leave(self._requests.ask(Leaving(room)), room))
        else:
            self.membership.left_while_away.add(room)
            self._out_of(room)

    def _room(self, raw: str) -> str | None:
        try:
            return check_room(raw)
        except Refusal as refusal:
            self._decline(Impossible.ROOM_INVALID, raw, refusal.detail)
            return None

    def _look_at(self, target: Key) -> None:
        self.current = target
        if (conversation := self.feed.conversations.get(target)) is not None:
            conversation.unread = 0

    def _ask(self, intent: want.AskWho | want.AskRooms | want.AskHistory) -> None:
        if self.phase is not Phase.ONLINE:
            self._decline(Impossible.AWAY)
            return
        match intent:
            case want.AskWho(raw):
                if (room := self._room(raw)) is not None:
                    self._commands.append(Who(self._requests.ask(Rostering(room)), room))
            case want.AskRooms():
                self._commands.append(Rooms(self._requests.ask(Listing())))
            case want.AskHistory(target, count):
                self.feed.recall(target, count)

    # --- events ---------------------------------------------------------------------------------------------------

    def _handle(self, event: Event, now: float) -> None:  # noqa: C901, PLR0912 - one flat match
        match event:
            case Welcome():
                self._welcomed(event, now)
            case Joined():
                self._joined(event)
            case Left(room, ref):
                self._requests.close(ref)
                self._out_of(room)
            case Named(name, ref):
                self._requests.close(ref)
                self._renamed(name)
            case Message():
                self.people.see(event.sender_id, event.name)
                self.feed.live(event)
            case Acked(client_id, seq):
                if (line := self._outgoing.finish(client_id)) is not None:
                    self._tell(told.LineAcked(line, seq))
            case Refused():
                self._refused(event, now)
            case Throttled(retry_after_s):
                self._throttled(retry_after_s, now)
            case HistoryPage():
                self.feed.page(event)
            case Roster() | RoomsPage() | Found():
                self._answered(event)
            case Presence():
                self._told.extend(self.membership.presence(event, self.me.id))
            case Closing():
                self._last_words = event
            case Ping(n):
                self._commands.append(Pong(n))
            case Pong():
                pass
            case _:
                assert_never(event)

    def _joined(self, event: Joined) -> None:
        entered = self.membership.entered(event)
        request = self._requests.get(event.ref)
        asked = isinstance(request, Entering) and not request.again
        looked_at = asked or RoomKey(event.room) == self.current
        self.feed.entered(event.room, event.live_from, self._recall if looked_at else 0)
        self._tell(entered)
        if isinstance(request, Entering):
            if not request.again:
                self._look_at(RoomKey(event.room))
            self._entered_or_not(event.ref, request, event.room)
        self._awaiting.discard(event.room)
        self._entering_settled()

    def _entered_or_not(self, ref: int, request: Entering, room: str) -> None:
        request.rooms.discard(room)
        if not request.rooms:
            self._requests.close(ref)

    def _out_of(self, room: str) -> None:
        self.feed.left(room)
        if (left := self.membership.left(room)) is not None:
            self._tell(left)
        if self.current == RoomKey(room):
            self._look_at(RoomKey(LOBBY))

    def _renamed(self, name: str) -> None:
        old, self.me = self.me.name, Person(self.me.id, name)
        self.people.see(*_pair(self.me))
        self._tell(told.PersonRenamed(self.me.id, old, name, me=True))

    def _throttled(self, retry_after_s: float, now: float) -> None:
        self._paused_until = max(self._paused_until, now + retry_after_s)
        if self._answer_by is not None:
            self._answer_by = max(self._answer_by, now + retry_after_s + ANSWER_S)
        if self._silence is not None:
            self._silence.excuse(now, retry_after_s)
        if self._outgoing.slow_down():
            self._tell(told.SlowedDown(retry_after_s))

    def _answered(self, event: Roster | RoomsPage | Found) -> None:
        request = self._requests.get(event.ref)
        self._requests.close(event.ref)
        match event, request:
            case Roster(), Rostering():
                self._roster(event, request)
            case RoomsPage(), Listing():
                request.rooms.extend(event.rooms)
                if event.more and event.rooms:
                    self._commands.append(Rooms(self._requests.ask(request), event.rooms[-1].room))
                else:
                    self._tell(told.RoomsShown(tuple(request.rooms)))
            case Found(person=person), Whispering(_, text):
                self.people.see(*_pair(person))
                self._speak(PersonKey(person.id), text)
            case Found(person=person), Ignoring():
                self.people.see(*_pair(person))
                self._toggle(person)
            case _:
                pass  # the answer to a question of an earlier connection

    def _roster(self, event: Roster, request: Rostering) -> None:
        request.people.extend(event.members)
        self.membership.roster(event)
        if event.more and event.members:
            self._commands.append(Who(self._requests.ask(request), request.room, event.members[-1].id))
        else:
            self._tell(told.RosterShown(event.room, tuple(request.people), event.total))

    def _refused(self, event: Refused, now: float) -> None:
        if self.phase is Phase.GREETING:
            self._hello_refused(event)
        elif event.client_id is not None:
            self._line_refused(event.client_id, event, now)
        elif event.ref is not None and self.feed.refused(event.ref, _retry_at(event, now)):
            if _retry_at(event, now) is None:
                self._tell(told.RequestRefused(event.code, event.text, event.room))
        else:
            self._request_refused(event)

    def _hello_refused(self, event: Refused) -> None:
        if event.code in _NAME_CODES:
            self.phase = Phase.NAMING
            self._named = False
            self._answer_by = self._silence = None
            self._tell(told.NameRefused(self.me.name, event.code, event.text))
        else:
            version = event.code is ErrorCode.UNSUPPORTED_VERSION
            cause = told.EndCause.VERSION if version else told.EndCause.CLOSED
            self._end(told.Ended(cause, code=event.code, text=event.text))

    def _line_refused(self, client_id: int, event: Refused, now: float) -> None:
        if (retry_at := _retry_at(event, now)) is None:
            if (line := self._outgoing.finish(client_id)) is not None:
                self._tell(told.LineRefused(line, event.code, event.text))
        elif (line := self._outgoing.again(client_id)) is not None:
            if event.code is not ErrorCode.OUT_OF_ORDER:
                self._paused_until = max(self._paused_until, retry_at)
            self._tell(told.LineWaiting(line, event.code))

    def _request_refused(self, event: Refused) -> None:
        request = self._requests.get(event.ref)
        if isinstance(request, Entering) and event.ref is not None:
            rooms = {event.room} if event.room in request.rooms else set(request.rooms)
            for room in rooms:
                self._entered_or_not(event.ref, request, room or "")
                self._awaiting.discard(room or "")
                self._not_entered(room or "")
        elif event.ref is not None:
            self._requests.close(event.ref)
        self._tell(told.RequestRefused(event.code, event.text, event.room))
        self._entering_settled()

    def _not_entered(self, room: str) -> None:
        self.feed.left(room)
        if (left := self.membership.left(room)) is not None:
            self._tell(left)
        if self.current == RoomKey(room):
            self._look_at(RoomKey(LOBBY))

    # --- what the feed yields (feed.Reader) -----------------------------------------------------------------------

    def on_message(self, key: Key, message: Message, *, late: bool) -> None:
        """Show a message, once."""
        own = message.sender_id == self.me.id
        if message.sender_id in self.ignored:
            return
        if key != self.current and not own:
            self.feed.conversations[key].unread += 1
        self._tell(told.Shown(message, key, own, late, not own and _names(self.me.name, message.text)))

    def on_recalled(self, recall: Recall) -> None:
        """Show earlier messages."""
        kept = tuple(message for message in recall.messages if message.sender_id not in self.ignored)
        if kept or recall.asked:
            self._tell(told.Recalled(recall.key, kept, recall.asked))

    def on_caught_up(self, missed: int) -> None:
        """Everything missed has been shown."""
        self._tell(told.CaughtUp(missed))

    # --- the end of every input -----------------------------------------------------------------------------------

    def _result(self, now: float) -> Output:
        if self.phase is Phase.ONLINE:
            self._send_what_may_go(now)
        self._leave_when_done(now)
        output = Output(tuple(self._commands), tuple(self._told), self._dial, self._hang_up)
        self._commands, self._told = [], []
        self._dial = self._hang_up = False
        return output

    def _send_what_may_go(self, now: float) -> None:
        if now >= self._paused_until:
            self._paused_until = 0.0
            while (taken := self._outgoing.take()) is not None:
                self._commands.append(_command(*taken))
        if (history := self.feed.next_request(self._requests.ref(), now)) is not None:
            self._commands.append(history)

    def _tell(self, happening: Happening) -> None:
        self._told.append(happening)

    def _decline(self, reason: Impossible, subject: str = "", detail: str = "") -> None:
        self._tell(told.Declined(reason, subject, detail))


def _pair(person: Person) -> tuple[int, str]:
    return person.id, person.name


def _command(client_id: int, line: told.Line) -> Say | Direct:
    if isinstance(line.target, RoomKey):
        return Say(client_id, line.target.room, line.text)
    return Direct(client_id, line.target.person_id, line.text)


def _retry_at(event: Refused, now: float) -> float | None:
    if event.code in _LATER or event.retry_after_s is not None:
        return now + (event.retry_after_s if event.retry_after_s is not None else RETRY_S)
    return None


def _names(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None
