"""Programs that read event streams, as Server-Sent Events or JSON lines: each message once, whatever breaks.

They come by tokens that the operator makes for them and those that people make, for all rooms or for some, and keep the
id of the last event that they have handled. They leave in the middle, read slowly, lose what they have handled last,
and come with cursors of no use. Each stream begins where it was asked to, events are in order and as they were
committed, and nothing that is owed is left out (`stream_law.py`).
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

import msgspec

from securechat.errors import ErrorCode, Refusal
from securechat.model import Closing, Deleted, Edited, Left, Message, Purged, Reacted, TokenMade
from securechat.records.accounts import AccountKind, Scope
from securechat.testing.link import Death
from securechat.testing.log_checks import HistoryBroken
from securechat.text.names import LOBBY
from securechat.wire.event_stream import cursor_of
from tests.simulation import deeds
from tests.simulation.hush import Listener
from tests.simulation.stream_law import Subscription

if TYPE_CHECKING:
    import random

    from securechat.records.log import NotAppended
    from securechat.testing.link import Connection
    from tests.simulation.world import World

ALPN = "http/1.1"
GIVES_UP_S = 2.0
"""Beyond the time between two signs of life: a reader that hears nothing for so long connects again."""
_REFUSALS = frozenset({401, 403, 404, 409, 429, 500, 503, 507})
_LASTING = frozenset({401, 403, 404})
_RECORDS = {
    "message": Message,
    "edited": Edited,
    "deleted": Deleted,
    "reacted": Reacted,
    "purged": Purged,
    "left": Left,
    "closing": Closing,
}
_ENDS = frozenset(
    {
        ErrorCode.LOGGED_OUT,
        ErrorCode.TOKEN_INVALID,
        ErrorCode.BANNED,
        ErrorCode.KICKED,
        ErrorCode.NOT_A_MEMBER,
        ErrorCode.SHUTTING_DOWN,
        ErrorCode.LOG_FAILED,
        ErrorCode.SLOW_READER,
        ErrorCode.INTERNAL,
    }
)
"""Why a stream may end."""
_UNWELCOME = frozenset({ErrorCode.DISK_FULL, ErrorCode.BUSY, ErrorCode.OVERLOADED})
"""The same for one that has not begun: it logs in behind the head of its answer."""
_BAD_CURSORS = {"9000000@{}": "ahead", "9000000": "ahead", "1@0000000000000000000000000000": "other_log"}
"""Cursors that cannot be kept, and what they are told."""


class StreamLine:
    """One connection, with one stream.

    Args:
        owner: reads it.
        connection: open.
        request: to be written when the handshake is over.
        as_lines: whether it is JSON lines.
        me: the sender_id that the token speaks for.
    """

    def __init__(self, owner: Reader, connection: Connection, request: bytes, *, as_lines: bool, me: int) -> None:
        self.connection = connection
        self.heard_at = owner.world.clock.now
        self.is_streaming = False
        self.is_begun = False
        self.is_ended = False
        self._owner = owner
        self._request = request
        self._as_lines = as_lines
        self._me = me
        self._came = b""
        self._listener = Listener(owner.world.hush, owner.base)
        connection.client.start(self)

    def opened(self) -> None:
        """The handshake is over."""
        self.connection.client.write(self._request)

    def data_received(self, data: bytes) -> None:
        """A part of a stream."""
        if not self._owner.is_at(self):
            return
        self.heard_at = self._owner.world.clock.now
        self._listener.heard(data, {self._me})
        self._came += data
        if not self.is_streaming:
            self._read_head()
        end = b"\n" if self._as_lines else b"\n\n"
        while self.is_streaming and end in self._came and self._owner.is_at(self):
            event, _, self._came = self._came.partition(end)
            self._read(event)

    def _read_head(self) -> None:
        head, end, body = self._came.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.split(b"\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
        status = int(first.split()[1])
        if status == 200:
            self.is_streaming, self._came = True, body
        elif len(body) == int(headers[b"content-length"]):
            self._owner.refused(self, status, json.loads(body))

    def _read(self, event: bytes) -> None:
        if self._as_lines:
            told: dict[str, Any] = msgspec.json.decode(event)
            data = msgspec.json.encode(told.get("data"))
            self._owner.told(self, told["event"], told.get("id", ""), data)
            return
        fields = [line.partition(": ") for line in event.decode().split("\n")]
        if fields == [("", ": ", "alive")]:
            self._owner.told(self, "alive", "", b"null")
            return
        named = {name: value for name, _, value in fields}
        if len(named) != len(fields) or not named.keys() <= {"id", "event", "data"}:
            raise HistoryBroken(f"{self._owner.base} is told what is no event: {event!r}")
        self._owner.told(self, named["event"], named.get("id", ""), named["data"].encode())

    def closed(self, *, broken: bool) -> None:
        """The connection is over."""
        self._owner.lost(self, broken=broken)


class Reader:
    """A program that reads.

    Args:
        world: where.
        number: which one.

    Attributes:
        events: messages and changes that it was told.
        resumed: how often it went on behind a cursor.
        again: how often that was one before the last that it had.
        resets: how often a cursor could not be kept.
        ends: streams that ended with a word.
    """

    every_s = 0.05

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.base = f"reader{number}"
        self.events = self.resumed = self.again = self.resets = self.ends = 0
        self._address = f"10.81.0.{number + 1}"
        self._law = world.stream_law
        self._subscription: Subscription | None = None
        self._line: StreamLine | None = None
        self._expected = ""  # the reason of the reset that must come first
        self._asked_seq: int | None = None  # behind which the stream was asked to begin
        self._floor_seq = 0  # what was fanned out when it was asked for
        self._own: list[TokenMade] = []
        self._bots = 0
        self._is_made = False
        self._is_resting = self._is_deaf = False
        self._tries = 0

    @property
    def me(self) -> int:
        """The account that it reads with, by sender_id; 0 where it has none."""
        subscription = self._subscription
        return 0 if subscription is None else self.world.token_law.sender_of(subscription.token)

    # --- what it does -------------------------------------------------------------------------------------------------

    def act(self, dice: random.Random) -> None:
        """Connect, read slowly, leave, or have the operator do something about its bot."""
        if dice.random() < 0.06 or not self._is_made:
            self._administer(dice)
        line = self._line
        if line is None:
            self._connect(dice)
        elif self._is_silent(line) or dice.random() < 0.12:
            self.leave()
        elif dice.random() < 0.05:
            self._read_slowly(line, dice)
        elif dice.random() < 0.02:
            self._unsubscribe()

    def _is_silent(self, line: StreamLine) -> bool:
        return self.world.clock.now > line.heard_at + self.world.limits.api_alive_s + GIVES_UP_S

    def _read_slowly(self, line: StreamLine, dice: random.Random) -> None:
        client = line.connection.client
        client.pause()
        self.world.clock.call_later(dice.uniform(0.1, 1.5), client.resume)

    def _administer(self, dice: random.Random) -> None:
        """Have the operator make a bot that reads, give it another token, or remove it."""
        server = self.world.server
        if not server.alive or server.draining or server.log.failure is not None:
            return
        programs = server.admin_commands.programs
        name, what = f"{self.base}bot{self._bots}", dice.random()
        with suppress(Refusal):
            if not self._is_made:
                self._bots += 1
                self._is_made = True
                name = f"{self.base}bot{self._bots}"
                programs.add_bot(
                    "root", name, kind=AccountKind.BOT, rooms=(), scopes=(Scope.READ,), days=None, done=self._made
                )
            elif what < 0.5:
                programs.rotate_bot("root", name, self._made)
            elif what < 0.7 and self._own:
                self._is_made = False
                programs.remove_token("root", self._own[-1].info.token, lambda _: None)
            elif what < 0.85:
                self._is_made = False
                programs.remove_bot("root", name, lambda _: None)
        server.passes.wake()

    def _made(self, made: TokenMade | NotAppended) -> None:
        """The operator is told of a token; one that was not made is made later."""
        if isinstance(made, TokenMade):
            self._own.append(made)
        elif not self._own:
            self._is_made = False

    def _subscribe(self, dice: random.Random) -> Subscription | None:
        """Choose a token, and what to hear."""
        if self._own and dice.random() < 0.6:
            token, names = self._own[-1].token, ()
        else:
            secret = self.world.makers.some_secret(dice)
            if secret is None or ("read" not in secret.scopes and dice.random() < 0.9):
                return None
            token, names = secret.token, secret.rooms
        rooms: list[int] = []
        if dice.random() < 0.7:
            house, me = self.world.house, self.world.token_law.sender_of(token)
            others = [name for name in house.names() if house.may_see(name, me)]
            known = (*names, *deeds.rooms.ROOMS, *others) if dice.random() < 0.7 else (LOBBY, *others)
            some = dict.fromkeys(dice.choice(known) for _ in range(dice.choice((1, 2, 3))))
            rooms = [number for name in some if (number := self._number(name)) is not None]
        return Subscription(token, frozenset(rooms))

    def _number(self, room: str) -> int | None:
        if room == LOBBY:
            return 0
        record = self.world.house.place(room)
        return None if record is None else record.room_id

    def _connect(self, dice: random.Random) -> None:
        subscription = self._subscription or self._subscribe(dice)
        if subscription is None:
            return
        rooms = [self._name(number) for number in sorted(subscription.rooms)]
        if None in rooms or subscription.is_confused:
            self._unsubscribe()
            return
        if self._own and any(made.token == subscription.token for made in self._own[:-1]) and dice.random() < 0.5:
            newest = self._own[-1].token  # after a rotation
            if self.world.token_law.sender_of(newest) == self.world.token_law.sender_of(subscription.token):
                subscription.token = newest
        connection = self.world.dial(self._address, None, alpn=ALPN)
        if connection is None:
            return
        if dice.random() < 0.2:
            connection.conduct.window_bytes = dice.choice((300, 2_000))
        if self._subscription is None:
            self._subscription = subscription
            self._law.subscriptions.append(subscription)
        self._ask(subscription, connection, [name for name in rooms if name is not None], dice)

    def _ask(self, subscription: Subscription, connection: Connection, rooms: list[str], dice: random.Random) -> None:
        """Write a request for a stream, mostly with the id of the last event."""
        law = self.world.token_law
        cursor = self._cursor(subscription, dice)
        self._expected = _BAD_CURSORS.get(cursor, "")
        cursor = cursor.format(subscription.log_id)
        parsed = cursor_of(cursor)
        self._asked_seq = parsed.seq if parsed is not None and not self._expected else None
        self._law.resumes(subscription, self._asked_seq, connection.server.peer)
        self._floor_seq = self._law.fed_seq
        query, headers = [], [f"Authorization: Bearer {subscription.token}"]
        if rooms:
            query.append("rooms=" + quote(",".join(rooms), safe=""))
        as_lines = dice.random() < 0.4
        if as_lines:
            headers.append("Accept: application/x-ndjson")
        if cursor and dice.random() < 0.6:
            headers.append(f"Last-Event-ID: {cursor}")
            if dice.random() < 0.3:
                query.append("after=0")  # the header comes first
        elif cursor:
            query.append(f"after={quote(cursor, safe='')}")
        me = law.sender_of(subscription.token)
        for room in rooms:
            self.world.hush.guessed(room, {me})
        path = "/api/v1/events" + ("?" + "&".join(query) if query else "")
        self.world.clock.note(self.base, f"> {path} {cursor or 'now'} of {me}")
        request = f"GET {path} HTTP/1.1\r\nHost: a\r\n" + "".join(f"{line}\r\n" for line in headers) + "\r\n"
        self._line = StreamLine(self, connection, request.encode(), as_lines=as_lines, me=me)

    def _cursor(self, subscription: Subscription, dice: random.Random) -> str:
        """Return where a stream shall begin; empty for now."""
        ids, what = subscription.ids, dice.random()
        if self._is_resting:
            return ids[-1] if ids else "0"
        if what < 0.05:
            bad = dice.choice(sorted(_BAD_CURSORS))
            if subscription.log_id or "{}" not in bad:
                return bad
        if not ids:
            return "" if what < 0.5 else "0"
        self.resumed += 1
        if what < 0.2:  # it has handled less than it was told
            self.again += 1
            chosen = dice.choice(ids[-6:])
        else:
            chosen = ids[-1]
        return chosen if dice.random() < 0.8 else chosen.partition("@")[0]

    def _name(self, number: int) -> str | None:
        record = self.world.house.room_records.get(number)
        return LOBBY if number == 0 else None if record is None else record.name

    def _unsubscribe(self) -> None:
        self.leave()
        if self._subscription is not None:
            self._law.over(self._subscription)
            self._subscription = None

    # --- what it is told ----------------------------------------------------------------------------------------------

    def told(self, line: StreamLine, event: str, event_id: str, data: bytes) -> None:
        """An event has come whole.

        Raises:
            HistoryBroken: it may not be.
        """
        subscription = self._subscription
        assert subscription is not None
        self.world.clock.note(self.base, f"< {event} {event_id} {data.decode()}"[:160])
        if line.is_ended:
            self._broken(f"is told {event} behind the last event")
        if event == "alive":
            return
        if event not in _RECORDS:
            self._began(line, subscription, event, event_id, json.loads(data))
            return
        if not line.is_begun and event != "closing":
            self._broken(f"is told {event} before where its stream begins")
        record: Any = msgspec.json.decode(data, type=_RECORDS[event])
        if event_id:
            self._entry(subscription, event_id, record)
        elif isinstance(record, Purged):
            self._law.purged(subscription, record)
        elif isinstance(record, Closing):
            line.is_ended = True
            self._is_deaf = record.code is ErrorCode.NOT_A_MEMBER  # its token is for rooms that its account is not in
            if self._is_deaf and self._law.hears_the_lobby(subscription):
                self._broken(f"hears the lobby, and is sent away: {record}")
            self.ends += 1
            is_known = record.code in _ENDS or (not line.is_begun and record.code in _UNWELCOME)
            if not is_known or (record.code is ErrorCode.INTERNAL and "bug" not in self.world.flavour):
                self._broken(f"is sent away: {record}")
        elif not isinstance(record, Left):
            self._broken(f"is told {event} without an id")

    def _began(
        self, line: StreamLine, subscription: Subscription, event: str, event_id: str, data: dict[str, Any]
    ) -> None:
        """A stream begins, or goes on behind a gap."""
        cursor, after = cursor_of(event_id), int(data["after"])
        if cursor is None or cursor.seq != after or not cursor.log_id:
            self._broken(f"is told {event} with the id {event_id!r}, and {data}")
        if subscription.log_id not in ("", cursor.log_id):
            self._broken(f"is told of the log {cursor.log_id}, and of {subscription.log_id} before")
        subscription.log_id = cursor.log_id
        reason = data.get("reason", "")
        is_first, line.is_begun = not line.is_begun, True
        if event not in {"start", "reset"} or (event == "start") == bool(reason) or (event == "start" and not is_first):
            self._broken(f"is told {event} {data}")
        if reason != self._expected and reason != "retention":
            self._broken(f"asked for events behind {self._asked_seq}, and is told {event} {data}")
        self._expected = ""
        self.resets += bool(reason)
        if reason == "retention":
            self._law.reset_for_retention(subscription)
            if after != subscription.cursor:
                self._broken(f"had everything up to {subscription.cursor}, and a reset goes on behind {after}")
        elif self._asked_seq is None:  # it begins now
            if not self._floor_seq <= after <= self.world.storage.transcript.last_seq:
                self._broken(f"begins now, which was {self._floor_seq} when it asked, behind {after}")
            subscription.cursor = after
            subscription.owed = [seq for seq in subscription.owed if seq > after]
        elif after != self._asked_seq:
            self._broken(f"asked for events behind {self._asked_seq}, and gets those behind {after}")
        if subscription.ids[-1:] != [event_id]:
            subscription.ids.append(event_id)

    def _entry(self, subscription: Subscription, event_id: str, entry: Message | Edited | Deleted | Reacted) -> None:
        cursor, transcript = cursor_of(event_id), self.world.storage.transcript
        if cursor is None or (cursor.seq, cursor.log_id) != (entry.seq, subscription.log_id):
            self._broken(f"is told {entry} with the id {event_id!r}")
        if subscription.cursor is None or entry.seq <= subscription.cursor:
            self._broken(f"has handled {subscription.cursor}, and is told {entry}")
        self._law.passed(subscription, entry.seq)
        subscription.ids.append(event_id)
        self.events += 1
        if isinstance(entry, Message):
            transcript.check_copy(entry, self._floor_seq)
            self.world.token_law.check_mark(entry)
        else:
            transcript.check_change(entry)

    def refused(self, line: StreamLine, status: int, problem: dict[str, Any]) -> None:
        """A request was refused.

        Raises:
            HistoryBroken: that makes no sense.
        """
        self.world.clock.note(self.base, f"< {status} {problem}"[:160])
        if status not in _REFUSALS or (status == 500 and "bug" not in self.world.flavour):
            self._broken(f"is refused: {problem}")
        self.leave()
        if status in _LASTING:
            self._unsubscribe()

    def lost(self, line: StreamLine, *, broken: bool) -> None:
        """The connection is over."""
        if self._line is not line:
            return
        self._line = None
        if not broken and line.is_streaming and not line.is_ended:
            self._broken("has its stream ended without a last event")

    def is_at(self, line: StreamLine) -> bool:
        """Whether it still uses a connection."""
        return self._line is line

    # --- the end ------------------------------------------------------------------------------------------------------

    def begin_to_rest(self) -> None:
        """Nothing breaks any more: read on until everything is there."""
        self._is_resting = True
        self._rest()

    def _rest(self) -> None:
        if self.world.leaving:
            return
        dice = self.world.chance.dice(self.base, "rest", self._tries)
        self._tries += 1
        if self._line is not None and self._is_silent(self._line):
            self.leave()
        if self._line is None and self._subscription is not None:
            self._connect(dice)
        self.world.clock.call_later(0.5, self._rest)

    @property
    def is_quiet(self) -> bool:
        """Whether it has everything, or is not let in any more."""
        subscription, line = self._subscription, self._line
        if subscription is None or self._is_one_too_many(subscription):
            return True
        if self._is_deaf and not self._law.missing(subscription):
            return True
        return line is not None and line.is_begun and not self._law.missing(subscription)

    def _is_one_too_many(self, subscription: Subscription) -> bool:
        """Whether others have all the streams that its token may have."""
        others = [each for each in self.world.readers if each is not self and each.reads_by(subscription.token)]
        return self._line is None and len(others) >= self.world.limits.api_streams

    def reads_by(self, token: str) -> bool:
        """Whether it has a stream by this token."""
        subscription, line = self._subscription, self._line
        is_there = line is not None and line.is_streaming
        return is_there and subscription is not None and subscription.token == token

    def check(self) -> None:
        """It has everything, and was told of what is gone.

        Raises:
            HistoryBroken: it was not.
        """
        subscription = self._subscription
        if subscription is not None and subscription.gone:
            self._broken(f"was not told that {sorted(subscription.gone)} are gone")

    def leave(self) -> None:
        """Go without a word; the other end hears of it, at the latest when it writes."""
        line, self._line = self._line, None
        if line is not None:
            connection = line.connection
            connection.die(Death.RESET)
            self.world.clock.call_later(GIVES_UP_S, connection.find_out)

    def _broken(self, what: str) -> NoReturn:
        raise HistoryBroken(f"{self.base} {what}"[:400])
