"""Those who fuzz: connections with a part to play (stranger, guest, account, administrator).

A peer writes down what it sends before it sends it and judges what it is told (`tests.fuzz.expectation`); it keeps the
last frames both ways for the report. It is one of many in one thread: nothing here waits, but connecting.
"""

from __future__ import annotations

import random
import socket
import ssl
import struct
import time
from collections import Counter, deque
from contextlib import suppress
from enum import StrEnum
from itertools import count

import msgspec

from securechat.errors import ErrorCode
from securechat.model import (
    Acked,
    Command,
    Deleted,
    Direct,
    Edited,
    Event,
    Hello,
    Joined,
    Left,
    LoginList,
    Message,
    Named,
    Ping,
    Quit,
    Reacted,
    Refused,
    Register,
    Registered,
    RoomRules,
    Say,
    Welcome,
)
from securechat.wire.frames import frame
from securechat.wire.native import NativeClientCodec
from tests.fuzz.conversations import conversation
from tests.fuzz.expectation import Broken, Expectation, State
from tests.fuzz.grammar import MAX_ID, Grammar, Known, kinds_of
from tests.fuzz.ring import Ring
from tests.support.secrecy import OTHER_PASSWORD, PASSWORD, keep_secret
from tests.support.secure_socket import secure_socket

COMMANDS = kinds_of(Command)
_COSTLY = (Hello, Register, Quit)
"""Drawn a tenth as often as the others: two may take 30 ms of the thread that hashes passwords, the last is an end."""
_HEARD_LATE_BYTES = 32_768
"""Sent behind a frame that ends the connection: half of lingering_close_bytes, up to which the server reads on."""


class Part(StrEnum):
    """Who a peer is."""

    STRANGER = "stranger"
    GUEST = "guest"
    ACCOUNT = "account"
    ADMINISTRATOR = "administrator"


class Peer:
    """One who fuzzes, over one connection after the other.

    Args:
        name: for the report, and what its choices are drawn from together with the seed.
        part: who it is.
        seed: of the run.
        known: shared by all peers.
        address: the loopback address to come from.
        most_owed: answers it waits for at most before it sends more.
        expanding: see `Grammar`.

    Attributes:
        figures: what it has done and what came of it.
        broken: what the server did wrong.
    """

    def __init__(
        self, name: str, part: Part, seed: int, known: Known, address: str, *, most_owed: int, expanding: bool = True
    ) -> None:
        self.who, self.part, self.known = name, part, known
        self.dice = random.Random(f"{seed}/{name}")
        self.grammar = Grammar(self.dice, known, expanding=expanding)
        self.figures: Counter[str] = Counter()
        self.broken: list[str] = []
        self.expectation = Expectation()
        self.past: list[Expectation] = []
        self.ring = Ring()
        self.sock: ssl.SSLSocket | None = None
        self.stalled_until = 0.0
        self.sender_id = MAX_ID
        self.rooms: set[str] = set()
        self.mine: deque[tuple[int, str | None, int | None]] = deque(maxlen=20)
        self._address, self._most_owed = address, most_owed
        self._secret = self.grammar.hex()
        self._nick = f"{name}"
        self._token = ""
        self._password: str | None = None
        self._has_account = False
        self._refs, self._client_id = count(1), 0
        self._drafts: dict[int, tuple[str | None, int | None]] = {}
        self._chunks: deque[bytes] = deque()
        self._has_stalled = self._half_closed = False
        self._doomed_bytes = 0
        self._busy_since = 0.0

    # --- for the grammar

    def next_ref(self) -> int:
        """A number that no other request of this connection has."""
        return next(self._refs)

    def next_client_id(self) -> int:
        """The number after that of the last draft."""
        self._client_id = min(self._client_id + 1, MAX_ID)
        return self._client_id

    # --- connecting

    def connect(self, port: int, context: ssl.SSLContext) -> None:
        """Come, and be a stranger."""
        sock = secure_socket(
            context, ("127.0.0.1", port), source_address=(self._address, 0), suppress_ragged_eofs=False
        )
        try:
            self.sock = self._opened(sock)
        except OSError:
            sock.close()
            raise
        self.sock.setblocking(False)
        self.expectation, self.ring = Expectation(), Ring()
        self.rooms, self._refs = set(), count(1)
        self._chunks.clear()
        self._has_stalled = self._half_closed = False
        self._doomed_bytes, self.stalled_until, self._busy_since = 0, 0.0, time.monotonic()
        self.figures["connections"] += 1

    def _opened(self, sock: ssl.SSLSocket) -> ssl.SSLSocket:
        """Go on behind the TLS handshake."""
        return sock

    def vanish(self) -> None:
        """Break the connection in one of the ways there are."""
        assert self.sock is not None
        self.figures["broken off"] += 1
        match self.dice.randrange(3):
            case 0:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case 1:
                with suppress(OSError):
                    self.sock.unwrap()
            case _:
                pass
        self.leave()

    def leave(self) -> None:
        """Close the connection, if there is one."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None
            self.past.append(self.expectation)

    # --- what it does

    @property
    def may_act(self) -> bool:
        """Whether it is its turn to send: what it has sent is on its way, and not too much is unanswered."""
        return (
            not self._chunks
            and self.expectation.owed < self._most_owed
            and self.expectation.state is not State.GREETING
        )

    def act(self, now: float) -> None:
        """Do one thing."""
        dice = self.dice
        if self._half_closed or self.expectation.state is State.DOOMED:
            return
        if self.expectation.state is State.STRANGER:
            frames = self._as_stranger()
        else:
            match dice.choices(
                ("talk", "record", "spoilt", "bytes", "stall", "vanish", "half"), (550, 300, 80, 12, 6, 4, 2)
            )[0]:
                case "stall":
                    self.stalled_until, self._has_stalled = now + dice.uniform(0.1, 1.5), True
                    self.figures["stalls"] += 1
                    return
                case "vanish":
                    self.vanish()
                    return
                case "half":
                    self._half_close()
                    return
                case what:
                    frames = self._frames(what)
        self._post(frames)

    def _as_stranger(self) -> list[bytes]:
        dice = self.dice
        if dice.random() < (0.1 if self.part is Part.STRANGER else 0.9):
            hello = NativeClientCodec.encode(self._hello())
            return [hello, *(self._frames("talk") if dice.random() < 0.3 else [])]
        kind = Hello if dice.random() < 0.6 else dice.choice(COMMANDS)
        pairs = self.grammar.record(kind, self)
        return [frame(self.grammar.body(pairs)[:65_536])] if dice.random() < 0.8 else self._frames("bytes")

    def _hello(self) -> Hello:
        if self._token:
            return Hello(1, self._nick, self._secret, "fuzz/1", token=self._token)
        return Hello(1, self._nick, self._secret, "fuzz/1", password=self._password)

    def _frames(self, what: str) -> list[bytes]:
        dice, grammar = self.dice, self.grammar
        match what:
            case "talk":
                commands = conversation(grammar, self)
                for command in commands:
                    if isinstance(command, Say | Direct):
                        self._drafts[command.client_id] = (getattr(command, "room", None), getattr(command, "to", None))
                return [NativeClientCodec.encode(command) for command in commands]
            case "record":
                return [self._record() for _ in range(dice.choice([1, 1, 2, 10]))]
            case "spoilt":
                pairs = grammar.record(dice.choice(COMMANDS), self)
                return [frame(grammar.body(grammar.spoilt(pairs))[:65_536])]
            case _:
                return [self._bytes()]

    def _record(self) -> bytes:
        kind = self._kind()
        return frame(self.grammar.body(self.grammar.record(kind, self))[:65_536])

    def _kind(self) -> type[msgspec.Struct]:
        if (unsent := self.known.unsent) and self.dice.random() < 0.5:
            return self.dice.choice([kind for kind in COMMANDS if kind.__name__ in unsent])
        kind = self.dice.choice(COMMANDS)
        return Ping if kind in _COSTLY and self.dice.random() < 0.9 else kind

    def _bytes(self) -> bytes:
        """What is no frame: a wrong length, garbage, half of one, two in one."""
        dice, good = self.dice, self._record()
        match dice.randrange(6):
            case 0:
                wrong = dice.choice(
                    [0, 1, 65_536, 65_537, 2**31, 2**32 - 1, max(0, len(good) - 4 + dice.choice([-1, 1]))]
                )
                return wrong.to_bytes(4, "big") + good[4:]
            case 1:
                return dice.randbytes(dice.choice([1, 5, 300]))
            case 2:
                return frame((good + good)[:65_536])
            case 3:
                body = bytearray(good)
                body[dice.randrange(4, len(body))] ^= 1 << dice.randrange(8)
                return bytes(body)
            case 4:
                return frame(b" " * dice.choice([1, 65_536]))
            case _:
                return frame(
                    dice.choice(
                        [b"[" * 60_000, b"\xff\xfe", b"\xef\xbb\xbf{}", b"\x00", b'{"t":"ping"}\x00', b"9" * 65_000]
                    )
                )

    def _half_close(self) -> None:
        """Say nothing more, and leave half a frame behind; the server ends it when it likes."""
        assert self.sock is not None
        with suppress(OSError):
            self.sock.send(self._record()[:-1])
            self._shut()
        self._half_closed = True

    def _shut(self) -> None:
        """Send nothing more, not even a close_notify."""
        assert self.sock is not None
        socket.socket.shutdown(self.sock, socket.SHUT_WR)  # the method of SSLSocket goes on without TLS

    def _post(self, frames: list[bytes]) -> None:
        """Put frames on their way: each for itself, several a write, or cut at any byte."""
        dice, data = self.dice, b"".join(frames)
        self.figures["frames"] += len(frames)
        match dice.randrange(4):
            case 0:
                self._chunks.extend(frames)
            case 1:
                cuts = sorted(dice.randrange(len(data) + 1) for _ in range(dice.randint(1, 6)))
                self._chunks.extend(
                    data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if start < end
                )
            case 2 if len(data) < 400:
                self._chunks.extend(data[at : at + 1] for at in range(len(data)))
            case _:
                self._chunks.append(data)

    # --- bytes

    def flush(self) -> None:
        """Send what waits, a write for each piece."""
        while self._chunks and self.sock is not None:
            chunk = self._chunks[0]
            try:
                sent = self.sock.send(chunk)
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            except OSError:
                self._chunks.clear()  # what the server had to say is still to be read
                return
            self.ring.add(">", chunk[:sent])
            if self.expectation.state is State.DOOMED:
                self._doomed_bytes += sent
            self.expectation.sent(chunk[:sent])
            if self.known.unsent:
                self.known.unsent.difference_update(self.expectation.commands)
            self._chunks[0] = chunk[sent:]
            if not self._chunks[0]:
                self._chunks.popleft()

    def read(self) -> None:
        """Take and judge what came."""
        for _ in range(8):
            if self.sock is None:
                return
            try:
                data = self.sock.recv(65_536)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                self._ended(f"{error}")
                return
            if not data:
                self._ended("")
                return
            self.ring.add("<", data)
            try:
                for event in self.expectation.received(data):
                    self._heard(event)
            except Broken as error:
                self._complain(str(error))
                self.leave()
                return
            self._busy_since = time.monotonic()  # patience is with a server that says nothing more

    def _ended(self, how: str) -> None:
        """The server has closed the connection."""
        expectation = self.expectation
        code = expectation.closing.code if expectation.closing is not None else None
        self.figures[f"closed: {code}"] += 1
        is_excused = self._has_stalled or self._half_closed or self._doomed_bytes > _HEARD_LATE_BYTES
        if code is None and not is_excused:
            self._complain(f"closed without last words ({how or 'close_notify'}), in state {expectation.state.name}")
        if code in {ErrorCode.LOGGED_OUT, ErrorCode.BANNED, ErrorCode.KICKED}:
            self._token = ""
        if code is ErrorCode.REPLACED or (self.dice.random() < 0.3 and not self._has_account):
            self._take_another_identity()
        self.leave()

    @property
    def is_owed(self) -> bool:
        """Whether the server has something to answer or to end here, and nothing of ours keeps it from that."""
        if self.sock is None or self._chunks or self._half_closed:
            return False
        return bool(self.expectation.owed) or self.expectation.state in {State.DOOMED, State.GREETING}

    def check_patience(self, now: float, patience_s: float) -> None:
        """Complain when the server owes an answer, or an end, for too long."""
        if not self.is_owed or self.stalled_until > now:
            self._busy_since = now
        elif now - self._busy_since > patience_s:
            owed = self.expectation.describe_owed()[:1500]
            self._complain(f"no answer in {now - self._busy_since:.0f} s, state {self.expectation.state.name}: {owed}")
            self.leave()

    def _complain(self, what: str) -> None:
        self.broken.append(f"{self.who} ({self.part}): {what}")

    # --- what it hears

    def _heard(self, event: Event) -> None:
        self.figures["events"] += 1
        match event:
            case Welcome():
                self._welcomed(event)
            case Refused(code=code):
                self.figures[f"refused: {code}"] += 1
                if self.expectation.state is State.STRANGER:
                    self._turned_away(event)
            case Joined(room=room):
                self.rooms.add(room)
            case Left(room=room):
                self.rooms.discard(room)
            case RoomRules(room=room, was=str(was)) if was in self.rooms:
                self.rooms.discard(was)
                self.rooms.add(room)
            case Named(name=name):
                self._nick = name
                self.known.names.append(name)
            case Registered():
                self._token = keep_secret(event.token)
                self._has_account = True
                self.known.tokens.append(event.token)
            case LoginList(logins=logins):
                self.known.logins.extend(each.login for each in logins[:2])
            case Acked(client_id, seq):
                self.figures["acked"] += 1
                keyed = any(getattr(draft, "key", None) for draft in self.expectation.said[client_id])
                if keyed and client_id in self._drafts and any(entry[0] == seq for entry in self.mine):
                    self.figures["known by key"] += 1
                if client_id in self._drafts:
                    self.mine.append((seq, *self._drafts.pop(client_id)))
            case Message(seq=seq, room=room):
                self.known.entries.append((seq, room, None if room is not None else event.sender_id))
                if len(event.text) > 3900 and self.known.entries[-1] not in self.known.longest:
                    self.known.longest.append(self.known.entries[-1])
            case Edited() | Deleted() | Reacted():
                self.figures["changes heard"] += 1
            case _:
                pass

    def _welcomed(self, event: Welcome) -> None:
        self.figures["welcomes"] += 1
        self.sender_id, self._client_id = event.sender_id, max(self._client_id, event.last_client_id)
        if event.last_client_id == MAX_ID:
            self._secret = self.grammar.hex()
        self._nick = event.name
        self.known.people.append(event.sender_id)
        self.known.names.append(event.name)
        self._has_account = event.account
        if event.token:
            self._token = keep_secret(event.token)
        if self.part in {Part.ACCOUNT, Part.ADMINISTRATOR} and not event.account:
            self._post([NativeClientCodec.encode(Register(self.next_ref(), PASSWORD))])

    def _turned_away(self, event: Refused) -> None:
        match event.code:
            case ErrorCode.LOGIN_EXPIRED:
                self._token, self._password = "", PASSWORD
            case ErrorCode.LOGIN_REQUIRED if self._password is None:
                self._password = PASSWORD
            case ErrorCode.LOGIN_FAILED if self._password == PASSWORD:
                self._password = OTHER_PASSWORD
            case ErrorCode.LOGIN_SLOWED | ErrorCode.BUSY if self.dice.random() < 0.5:
                pass
            case _:
                self._take_another_identity()

    def _take_another_identity(self) -> None:
        self._token, self._password, self._has_account = "", None, False
        self._secret, self._client_id = self.grammar.hex(), 0
        self._nick = (
            self.grammar.name()[:256] if self.dice.random() < 0.4 else f"{self.who} {self.dice.randrange(10_000)}"
        )
