"""A server that says what a test wants, over real TLS to a real client, without the rules of the real server.

So every field of every event can hold anything that the wire allows, at times that the test chooses.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from securechat import model as m
from securechat.errors import ErrorCode
from securechat.tls.contexts import server_context
from securechat.wire.frames import frame
from securechat.wire.native import NATIVE, NativeServerCodec
from tests.support.core_driver import ChangingServer

BOB, CARL = m.Person(2, "bob"), m.Person(3, "carl")
START_MS = 1_700_000_000_000
"""2023-11-14 22:13:20 UTC."""


@dataclass
class PlayedModel(ChangingServer):
    """The model server with people, times and answers of the test's choice.

    Attributes:
        people: who is present in every room besides the user.
        topics: by room.
        server_name: what the server calls itself.
        found: hits of every search.
        listed: what it tells of rooms.
        account: whether the user has an account.
    """

    page_rows: int = 200
    people: list[m.Person] = field(default_factory=lambda: [BOB, CARL])
    topics: dict[str, str] = field(default_factory=dict)
    server_name: str = "played"
    found: list[m.Hit] = field(default_factory=list)
    listed: list[m.RoomCount] = field(default_factory=list)
    conversations: list[m.ConversationItem] = field(default_factory=list)
    unread: list[m.UnreadItem] = field(default_factory=list)
    account: bool = False
    my_name: str = "ann"
    at_ms: int = START_MS
    features: tuple[str, ...] = m.FEATURES

    def members(self) -> list[m.Person]:
        return [m.Person(self.me, self.my_name), *self.people]

    def joined(self, room: str, ref: int = 0) -> m.Joined:
        members = self.members()
        return m.Joined(room, self.fed, len(members), members, ref, topic=self.topics.get(room, ""))

    def hello(self, secret: str, name: str) -> None:
        self.my_name = name
        self.me = self.identities.setdefault(secret, 1)
        last = max((cid for (who, cid) in self.stored if who == self.me), default=0)
        extra = sorted(self.rooms - {"lobby"})
        self.rooms.add("lobby")
        seen = {"seen_seq": self.fed} if self.account else {}
        self.out.append(
            m.Welcome(
                1,
                self.server_name,
                self.me,
                name,
                self.fed,
                last,
                account=self.account,
                rooms=1 + len(extra),
                features=self.features,
                **seen,
            )
        )
        self.out += [self.joined(room) for room in ("lobby", *extra)]

    def store(
        self,
        sender: int,
        text: str,
        *,
        room: str | None = None,
        to: int | None = None,
        files: tuple[m.FileInfo, ...] = (),
    ) -> m.Message:
        message = super().store(sender, text, room=room, to=to, files=files)
        names = {person.id: person.name for person in self.members()}
        named = replace(
            message,
            name=names.get(sender, "gone"),
            sent_at_ms=self.at_ms,
            to_name=None if to is None else names.get(to, "gone"),
        )
        self.log[-1] = self.entries[-1] = named
        self.at_ms += 1000
        return named

    def receive(self, command: m.Command) -> None:
        match command:
            case m.Join(ref, rooms):
                for room in rooms:
                    self.rooms.add(room)
                    self.out.append(self.joined(room, ref))
            case m.Say(reply=int(reply)):
                super().receive(command)
                self.log[-1] = self.entries[-1] = self.out[-1] = replace(self.log[-1], reply=reply)
            case m.Search(ref):
                self.out.append(m.SearchPage(ref, self.found))
            case m.Rooms(ref):
                self.out.append(m.RoomsPage(ref, self.listed))
            case m.Who(ref, room):
                self.out.append(m.Roster(ref, room, self.members(), len(self.members())))
            case m.AskConversations(ref):
                self.out.append(m.ConversationList(ref, self.conversations))
            case m.AskUnread(ref):
                self.out.append(m.UnreadList(ref, self.unread))
            case m.AskPeople(ref, ids):
                self.out.append(m.PeopleList(ref, [person for person in self.members() if person.id in ids]))
            case m.AskRoom(ref, room):
                self.out.append(m.RoomRules(room, ref, topic=self.topics.get(room, "")))
            case m.Whois(ref, name):
                known = next((person for person in self.members() if person.name == name), m.Person(99, name))
                self.out.append(m.Found(ref, known))
            case m.Read() | m.Typing() | m.Pong():
                pass
            case m.Logins(ref):
                self.out.append(m.LoginList(ref, []))
            case _:
                before = len(self.out)
                super().receive(command)
                ref = getattr(command, "ref", None)
                if len(self.out) == before and ref is not None:
                    self.out.append(m.Refused(ErrorCode.NOT_FOUND, "There is no such thing.", ref=ref))


class PlayedServer:
    """The server at a port of this machine; a context manager. One thread serves one connection after the other.

    Args:
        certs: a directory with server.pem and ca.pem.
        model: what it knows.
    """

    def __init__(self, certs: Path, model: PlayedModel | None = None) -> None:
        self.ca = certs / "ca.pem"
        self.host = "127.0.0.1"
        self.model = model or PlayedModel()
        self._context = server_context(certs / "server.pem")
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._lock = threading.Lock()
        self._outgoing = bytearray()
        self._over = self._hangs_up = False
        self.connected = threading.Event()
        """Set once a client is logged in."""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> PlayedServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._wake.send(b"x")
        self._thread.join()
        for each in (self._listener, self._wake, self._woken):
            each.close()

    def push(self, events: Iterable[m.Event]) -> None:
        """Say things to the client that is connected."""
        self._send(b"".join(NATIVE.encode(event) for event in events))

    def push_body(self, body: bytes) -> None:
        """Send a frame with this body, whatever it is."""
        self._send(frame(body))

    def hang_up(self, *events: m.Event) -> None:
        """Say last things, and close the connection."""
        self._hangs_up = True
        self.push(events)

    def say(self, text: str, *, by: int = 2, room: str = "lobby", **fields: object) -> m.Message:
        """Store a message and return it, so that it can be pushed."""
        with self._lock:
            message = self.model.store(by, text, room=room)
            message = replace(message, **fields)
            self.model.log[-1] = self.model.entries[-1] = message
        return message

    def edit(self, message: m.Message, text: str, by: m.Person = BOB) -> m.Edited:
        """Store another text of a message, and return the change."""
        with self._lock:
            change = m.Edited(
                self.model.fed + 1, message.seq, by.id, by.name, message.sent_at_ms, message.room, text=text
            )
            self._keep(change, text=text, edited=change.seq, edited_by=by if by.id != message.sender_id else None)
        return change

    def delete(self, message: m.Message, by: m.Person = BOB) -> m.Deleted:
        """Store that a message is deleted, and return the change."""
        with self._lock:
            change = m.Deleted(self.model.fed + 1, message.seq, by.id, by.name, message.sent_at_ms, message.room)
            self._keep(change, text="", deleted=change.seq, deleted_by=by if by.id != message.sender_id else None)
        return change

    def react(self, message: m.Message, sign: str, by: m.Person = BOB) -> m.Reacted:
        """Store a reaction, and return the change."""
        with self._lock:
            change = m.Reacted(
                self.model.fed + 1, message.seq, by.id, by.name, message.sent_at_ms, message.room, sign=sign
            )
            reactions = [*self._message(message.seq).reactions, m.Reaction(sign, [by.id])]
            self._keep(change, reactions=reactions)
        return change

    def _message(self, seq: int) -> m.Message:
        return next(each for each in reversed(self.model.log) if each.seq == seq)

    def _keep(self, change: m.MessageChange, **fields: object) -> None:
        at = next(index for index, each in enumerate(self.model.log) if each.seq == change.target)
        self.model.log[at] = replace(self.model.log[at], changed=change.seq, **fields)
        self.model.entries.append(change)

    def wait_until_connected(self) -> None:
        assert self.connected.wait(60), "no client has logged in"

    # --- the serving thread

    def _send(self, data: bytes) -> None:
        with self._lock:
            self._outgoing += data
        self._wake.send(b"x")

    def _serve(self) -> None:
        while not self._over:
            ready = select.select([self._listener, self._woken], [], [])[0]
            if self._woken in ready:
                self._woken.recv(4096)
            if self._listener in ready and not self._over:
                raw, _ = self._listener.accept()
                with raw, contextlib.suppress(OSError):
                    raw.settimeout(60)
                    with self._context.wrap_socket(raw, server_side=True) as connection:
                        self._converse(connection)
                self.connected.clear()

    def _converse(self, connection: ssl.SSLSocket) -> None:
        codec = NativeServerCodec()
        connection.setblocking(False)
        with self._lock:
            self.model.connect()
            self._outgoing.clear()
        while not self._over:
            wants: Sequence[object] = [connection] if self._outgoing else []
            select.select([connection, self._woken], wants, [])
            with contextlib.suppress(BlockingIOError):
                self._woken.setblocking(False)
                self._woken.recv(4096)
            try:
                while data := connection.recv(65536):
                    codec.receive_data(data)
            except ssl.SSLWantReadError:
                data = b"more"
            while (command := codec.next_command()) is not None:
                self._take(codec, command)
            with self._lock:
                while self._outgoing:
                    try:
                        sent = connection.send(memoryview(bytes(self._outgoing[:65536])))
                    except ssl.SSLWantWriteError:
                        break
                    del self._outgoing[:sent]
            if not data or (self._hangs_up and not self._outgoing):
                self._hangs_up = False
                return

    def _take(self, codec: NativeServerCodec, command: object) -> None:
        with self._lock:
            self.model.receive(command)  # type: ignore[arg-type]
            events, self.model.out = self.model.out, []
            self._outgoing += b"".join(NATIVE.encode(event) for event in events)
        if isinstance(command, m.Hello):
            codec.hello_accepted()
            self.connected.set()
