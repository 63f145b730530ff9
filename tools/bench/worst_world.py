"""A server without sockets or disk, full of people and rooms, whose loop can be timed: what `worst` measures in.

Hub, sessions, codec, fan-out and the operator's conversation are the real ones. The store is the one in memory, and
what it does is not counted, because a server does that on threads of its own; nor are TLS and the kernel.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, cast

from securechat.hub.accounts.directory import hash_of
from securechat.hub.context import HubContext
from securechat.hub.hub import Hub
from securechat.hub.interfaces import Access
from securechat.limits import MAX_REACTIONS, MAX_TEXT_CHARS, Limits
from securechat.model import FILES_FEATURE, Command, Draft, Hello, Revision, RevisionKind
from securechat.net.broadcast import write_all
from securechat.net.loop import EVENT_READ
from securechat.net.socket_options import CloseReason
from securechat.net.unix_socket import UnixLineConnection
from securechat.records.accounts import (
    Account,
    AuditEntry,
    Ban,
    BanKind,
    Change,
    Committed,
    Invite,
    Login,
    Put,
    Role,
    WriteAudit,
)
from securechat.records.rooms import Membership, PutMembership, PutRoom, RoomRecord, RoomRole
from securechat.server.admin_socket import AdminServer, ProcessInfo, _AdminSession
from securechat.server.broadcaster import Broadcaster
from securechat.server.session import Session
from securechat.storage.store import ApplyChanges, IdentifySender
from securechat.testing.keys import plain_keys
from securechat.testing.memory_files import MemoryFiles
from securechat.testing.memory_store import MemoryLog, MemoryStore
from securechat.text.confusables import preload
from securechat.text.names import check_room, name_key
from securechat.wire.native import NativeClientCodec
from tools.bench.worst_loop import Link, PassLoop, Stopwatch, Timer

DAY_MS = 86_400_000
_CJK = 0x20000
"""First of 42,720 letters of four bytes each, which no normalisation changes: the longest names in bytes."""
SPARE = 12
"""Accounts that are not here: 0 administrates and owns the crowded rooms, 1 belongs to them, 2 has the dialogues."""
LONGEST_ESCAPE = "\x01"
"""Six bytes of JSON for one of UTF-8: legal in texts."""


@dataclass(frozen=True)
class Size:
    """How much there is. The defaults are what the bar of 5 ms is about."""

    accounts: int = 10_000
    logins_each: int = 5
    rooms: int = 10_000
    invites: int = 10_000
    bans: int = 10_000
    audit: int = 10_000
    present: int = 10_000
    """Connections, all in the lobby."""
    crowd: int = 150
    """Members of each of the rooms that are joined by the hundred; below presence_names with all others."""
    dialogues: int = 1_000
    batch: int = 1_024
    """Messages of one commit."""
    joins: int = 100


SMALL = Size(60, 2, 110, 20, 20, 20, 60, 5, 10, 16, 20)
"""For a test that every case works."""


def long_name(number: int) -> str:
    """A person's name at its limits: 32 code points, 128 bytes."""
    return _letters(number, 32)


def long_room(number: int) -> str:
    """A room's name at its limits: 64 code points, 256 bytes."""
    return _letters(number, 64)


def _letters(number: int, length: int) -> str:
    digits = [chr(_CJK + number // 200**at % 200) for at in range(3)]
    return "".join(digits) + chr(_CJK + 300) * (length - len(digits))


class _UncountedStore(MemoryStore):
    """A store whose work is another thread's."""

    watch: Stopwatch

    def apply(self, *args: Any, **options: Any) -> Any:
        with self.watch.paused():
            return super().apply(*args, **options)

    def _forget(self, asked: Any) -> Committed:  # noqa: ARG002  (obvious and slow: it looks at every message for each)
        return Committed()

    def read(self, query: Any) -> Any:
        with self.watch.paused():
            return super().read(query)

    def unread(self, query: Any) -> Any:
        with self.watch.paused():
            return super().unread(query)

    def conversations(self, query: Any) -> Any:
        with self.watch.paused():
            return super().conversations(query)

    def room_figures(self, query: Any) -> Any:
        with self.watch.paused():
            return super().room_figures(query)

    def file(self, query: Any) -> Any:
        with self.watch.paused():
            return super().file(query)

    def own_files(self, query: Any) -> Any:
        with self.watch.paused():
            return super().own_files(query)

    def gone_files(self, after: str, most: int) -> Any:
        with self.watch.paused():
            return super().gone_files(after, most)

    def stored_file_ids(self, after: str, most: int) -> Any:
        with self.watch.paused():
            return super().stored_file_ids(after, most)

    def search(self, query: Any) -> Any:
        with self.watch.paused():
            return super().search(query)


class _Silent:
    """Hears nothing."""

    hears_messages = False

    def happened(self, *_: Any) -> None:
        pass

    def connected(self, _: Session) -> None:
        pass

    def disconnected(self, *_: Any) -> None:
        pass

    def logged_in(self, *_: Any) -> None:
        pass

    def refused(self, *_: Any) -> None:
        pass


class _NoListener:
    def close(self) -> None:
        pass


class World:
    """The server and all its members.

    Args:
        size: how much there is.
    """

    def __init__(self, size: Size) -> None:
        preload()
        self.size = size
        self.watch = Stopwatch()
        self.loop = PassLoop(self.watch)
        self.limits = Limits(rooms_total=2 * size.rooms + 1_000, hash_queue=100_000, idle_ping_s=1e9)
        self._wall_ms = 1_750_000_000_000
        self.store = _UncountedStore(self.limits, wall_ms=self.wall_ms)
        self.store.watch = self.watch
        self.codec = NativeClientCodec()
        self._serial = 0
        self._secrets = count(1 << 64)
        self._alarm_timer: Timer | None = None
        self._alarm_at = 0.0
        self._furnish()
        self._open()
        self._populate()
        gc.collect()
        gc.freeze()

    def wall_ms(self) -> int:
        return self._wall_ms + int(self.loop.now * 1000)

    # --- What is durable

    def _furnish(self) -> None:
        size, now_ms = self.size, self.wall_ms()
        self.names = [long_name(number) for number in range(size.accounts)]
        self.store.open()
        self.store.apply(
            [IdentifySender(_secret_hash(f"{n:032x}"), name, name_key(name)) for n, name in enumerate(self.names)]
        )
        changes: list[Change] = []
        for number, name in enumerate(self.names):
            role = Role.ADMIN if number == 0 else Role.MEMBER
            changes.append(Put(Account(number + 1, name, name_key(name), role, made_at_ms=now_ms, seen_at_ms=now_ms)))
        self.tokens = [f"{number:032x}" for number in range(size.accounts * size.logins_each)]
        for number, token in enumerate(self.tokens):
            sender_id = number // size.logins_each + 1
            end_ms = now_ms + 30 * DAY_MS
            changes.append(
                Put(Login(self._number(), sender_id, hash_of(token), "c" * 64, "2001:db8::1", now_ms, number, end_ms))
            )
        for number in range(size.invites):
            token_hash = hash_of(f"{number:032x}")
            changes.append(
                Put(
                    Invite(
                        self._number(), token_hash, 1, "shell:root", now_ms, now_ms + DAY_MS, used_by=(long_name(0),)
                    )
                )
            )
        for number in range(size.bans):
            target = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}/32"
            changes.append(Put(Ban(self._number(), BanKind.NETWORK, target, target, "r" * 300, "shell:root", now_ms)))
        changes += [
            WriteAudit(AuditEntry(now_ms, "shell:root", "note", long_name(0), "d" * 300)) for _ in range(size.audit)
        ]
        changes += self._rooms()
        self.store.apply([ApplyChanges(tuple(changes))])
        self._converse()
        self.store.close()

    def _rooms(self) -> Iterator[Change]:
        """Every room has a record; in the first ``joins`` is a crowd, in each of the others one member."""
        size = self.size
        self.rooms = [check_room(long_room(number)) for number in range(size.rooms)]
        self.crowded = self.rooms[: size.joins - 1]
        self.placed: list[int] = []
        for name in self.rooms:
            room_id = self._number()
            yield PutRoom(RoomRecord(room_id, name, "t" * 300))
            if name in self.crowded:
                for sender_id in (2, *range(size.accounts - size.crowd + 1, size.accounts + 1)):
                    yield PutMembership(Membership(room_id, sender_id, RoomRole.MEMBER))
                yield PutMembership(Membership(room_id, 1, RoomRole.OWNER))
            else:
                holder = SPARE + (len(self.placed) % max(1, size.rooms // 90)) + 1
                yield PutMembership(Membership(room_id, holder, RoomRole.OWNER))
            self.placed.append(room_id)

    def _converse(self) -> None:
        """Account 2 has been written to by many; in the first room long messages carry many reactions."""
        size, room = self.size, self.crowded[0]
        drafts = [
            Draft(number + 1, self.names[number], 1, "hello", to=3, to_name=self.names[2])
            for number in range(3, min(size.accounts, 3 + size.dialogues))
        ]
        text = LONGEST_ESCAPE * MAX_TEXT_CHARS
        drafts += [Draft(1, self.names[0], n + 1, "word " * 800, room=room) for n in range(200)]
        drafts += [Draft(1, self.names[0], n + 201, text, room=room) for n in range(2)]
        appended = self.store.apply(drafts).outcomes
        self.long_seq = appended[-1].seq
        signs = ["".join(chr(0x1F600 + (n + at) % 60) for at in range(16)) for n in range(MAX_REACTIONS)]
        self.store.apply(
            [
                Revision(RevisionKind.REACT, 1, self.names[0], 300 + n, self.long_seq, room=room, sign=sign)
                for n, sign in enumerate(signs)
            ]
        )

    def _number(self) -> int:
        self._serial += 1
        return self._serial

    def _open(self) -> None:
        self.log = MemoryLog(self.loop.post, limits=self.limits, wall_ms=self.wall_ms, store=self.store)
        keys = plain_keys(self.loop.post, self.wall_ms, access=Access.OPEN)
        self.observer = _Silent()
        context = HubContext(
            self.log,
            Broadcaster(write_all),
            self.observer,
            self.limits,
            authentication=keys,
            alarm=self._alarm,
            rates=False,
            file_disk=MemoryFiles(self.loop.post),
            link_secret=lambda: bytes(32),
            file_features=(FILES_FEATURE,),
        )
        self.hub = Hub(context)
        self.loop.on_pass = self.hub.begin_pass
        state = self.log.start(self.hub.on_commit, self._failed)
        self.hub.restore(state, self.loop.now, self.wall_ms())
        self.administration = AdminServer.__new__(AdminServer)
        self.administration.admin_commands = self.hub.admin_commands
        self.administration.facts = lambda: ProcessInfo(
            1, 1, (), "", "", None, (), 1.0, None, 1, 1, 1, None, None, None
        )
        self.administration._own = (-1, "")
        self.administration._stop = lambda: None
        self.administration._stopping = False

    def _failed(self, error: Exception) -> None:
        raise error

    def _alarm(self, when: float) -> None:
        """As the server's: one timer, for the earliest."""
        if self._alarm_timer is None or when < self._alarm_at:
            if self._alarm_timer is not None:
                self._alarm_timer.cancel()
            self._alarm_at = when
            self._alarm_timer = self.loop.call_at(when, self._tick)

    def _tick(self) -> None:
        self._alarm_timer = None
        self.hub.tick()

    # --- Who is here

    def _populate(self) -> None:
        """All but the first SPARE are in the lobby, and where they belong."""
        size = self.size
        self.present: list[Session] = []
        for number in range(SPARE, min(size.accounts, SPARE + size.present)):
            self.present.append(self.enter(number, settle=False))
            if len(self.present) % 500 == 0:
                self.loop.run()
        self.loop.run(for_s=1.0)

    def session(self, address: str = "127.0.0.1") -> Session:
        """A connection whose handshake is done."""
        link = Link(self.loop, address)
        session = Session(self.hub, link, self.loop, self.limits, self.observer, "x")
        link.session = session
        session.handshake_done()
        return session

    def enter(self, number: int, *, settle: bool = True) -> Session:
        """A connection of an account."""
        session = self.session()
        token = self.tokens[number * self.size.logins_each]
        self.send(session, Hello(version=1, name=self.names[number], secret=self.secret(), token=token), settle=settle)
        return session

    def guest(self, name: str | None = None) -> Session:
        session = self.session()
        number = next(self._secrets)
        self.send(session, Hello(version=1, name=name or f"guest{number % 10**9}", secret=f"{number:032x}"))
        assert self.hub.is_member(session)
        return session

    def secret(self) -> str:
        return f"{next(self._secrets):032x}"

    def send(self, session: Session, *commands: Command, settle: bool = True) -> None:
        """Uncounted preparation."""
        data = b"".join(self.codec.encode(command) for command in commands)
        self.feed(session, data)
        if settle:
            self.loop.run()

    def feed(self, session: Session, data: bytes) -> None:
        session.data_received(data)

    def drop(self, session: Session) -> None:
        """The connection is lost, and its member is gone at once."""
        self.hub._disconnection.lost(session, quit_=True)
        session.connection_lost(CloseReason.PEER_CLOSED, "")

    # --- The operator

    def operator(self) -> tuple[UnixLineConnection, socket.socket]:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        connection = UnixLineConnection(cast("Any", self.loop), ours, lambda _: None)
        connection.start(_AdminSession(self.administration, connection))
        return connection, theirs

    def ask(self, line: bytes) -> tuple[Callable[[], None], Callable[[], bytes]]:
        """What a line of the operator does, and how to take its answer."""
        connection, theirs = self.operator()
        theirs.send(line + b"\n")
        answer = bytearray()

        def drain() -> bytes:
            with contextlib.suppress(BlockingIOError):
                while data := theirs.recv(1 << 20):
                    answer.extend(data)
            return bytes(answer)

        def end() -> bytes:
            drain()
            connection.abort()
            theirs.close()
            return bytes(answer)

        flush = connection._flush

        def flush_and_drain() -> None:
            flush()
            with self.watch.paused():
                drain()

        connection._flush = flush_and_drain  # type: ignore[method-assign]
        return (lambda: connection.ready(EVENT_READ)), end


def _secret_hash(secret: str) -> bytes:
    return hashlib.sha256(bytes.fromhex(secret)).digest()
