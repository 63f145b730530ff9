"""A chat server as a model: the rules of the protocol in the fewest lines, for tests of clients. No bytes, no time.

One client under test; everybody else is a method call. Seqs have gaps on purpose; on one connection they only rise.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from securechat import model as m
from securechat.errors import ErrorCode


@dataclass
class ModelServer:
    log: list[m.Message] = field(default_factory=list)
    stored: dict[tuple[int, int], int] = field(default_factory=dict)
    identities: dict[str, int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    rooms: set[str] = field(default_factory=set)
    page_rows: int = 3
    out: list[m.Event] = field(default_factory=list)
    refuse_drafts: int = 0
    me: int = 0
    connected: bool = False

    @property
    def fed(self) -> int:
        return self.log[-1].seq if self.log else 0

    def connect(self) -> None:
        self.out.clear()
        self.connected = True
        self.me = 0

    def cut(self, *, restart: bool = False) -> None:
        self.connected = False
        if restart:
            self.rooms.clear()

    def store(self, sender: int, text: str, *, room: str | None = None, to: int | None = None) -> m.Message:
        def key(message: m.Message) -> object:
            return message.room or frozenset({message.sender_id, message.to})

        wanted = room or frozenset({sender, to})
        prev = next((old.seq for old in reversed(self.log) if key(old) == wanted), 0)
        seq = self.fed + 1 + len(self.log) % 3
        message = m.Message(seq, prev, sender, f"p{sender}", 0, text, room, to, f"p{to}" if to else None)
        self.log.append(message)
        return message

    def batch(self, said: list[tuple[str | None, str]], *, drop: bool = False) -> None:
        """Sender 99 says things; with ``drop`` nothing of it comes live."""
        messages = [self.store(99, text, room=room, to=None if room else self.my_id) for room, text in said]
        for message in messages:
            if not drop:
                self.push(message)

    @property
    def my_id(self) -> int:
        return next(iter(self.identities.values()), 1)

    def push(self, message: m.Message) -> None:
        if self.connected and self.me and self.belongs(message):
            self.out.append(message)

    def belongs(self, message: m.Message) -> bool:
        if message.room is None:
            return self.my_id in (message.sender_id, message.to)
        return message.room in self.rooms

    def receive(self, command: m.Command) -> None:
        match command:
            case m.Hello(secret=secret, name=name):
                self.hello(secret, name)
            case m.Join(ref, rooms):
                for room in rooms:
                    self.rooms.add(room)
                    self.out.append(m.Joined(room, self.fed, 1, [m.Person(self.me, "me")], ref))
            case m.Leave(ref, room):
                self.rooms.discard(room)
                self.out.append(m.Left(room, ref))
            case m.Say(client_id, room, text):
                self.draft(client_id, text, room, None)
            case m.Direct(client_id, to, text):
                self.draft(client_id, text, None, to)
            case m.History():
                self.history(command)
            case m.Ping(n):
                self.out.append(m.Pong(n))
            case m.Whois(ref, name):
                self.out.append(m.Found(ref, m.Person(99, name)))
            case m.Quit():
                self.out.append(m.Closing(ErrorCode.BYE, "bye"))
            case _:
                pass

    def hello(self, secret: str, name: str) -> None:
        self.me = self.identities.setdefault(secret, len(self.identities) + 1)
        last = max((cid for (who, cid) in self.stored if who == self.me), default=0)
        self.out.append(m.Welcome(1, "model", self.me, name, self.fed, last, bool(self.rooms)))
        self.rooms.add("lobby")
        self.out.append(m.Joined("lobby", self.fed, 1, [m.Person(self.me, name)]))

    def draft(self, client_id: int, text: str, room: str | None, to: int | None) -> None:
        key = (self.me, client_id)
        last = max((cid for (who, cid) in self.stored if who == self.me), default=0)
        if key in self.stored:
            self.out.append(m.Acked(client_id, self.stored[key]))
        elif client_id < last:
            self.out.append(m.Refused(ErrorCode.OUT_OF_ORDER, "too late", client_id=client_id))
        elif self.refuse_drafts:
            self.refuse_drafts -= 1
            self.out.append(m.Refused(ErrorCode.OVERLOADED, "later", client_id=client_id))
        else:
            message = self.store(self.me, text, room=room, to=to)
            self.stored[key] = message.seq
            self.out.append(m.Acked(client_id, message.seq))
            self.push(message)

    def history(self, ask: m.History) -> None:
        if ask.room is not None:
            rows = [x for x in self.log if x.room == ask.room]
        elif ask.peer is not None:
            rows = [x for x in self.log if x.room is None and ask.peer in (x.sender_id, x.to)]
        else:
            rows = [x for x in self.log if self.belongs(x)]
        before = ask.before if ask.before is not None else self.fed + 1
        rows = [x for x in rows if x.seq < before and x.seq > (ask.after or 0)]
        limit = min(ask.limit, self.page_rows)
        more = len(rows) > limit
        page = rows[:limit] if ask.after is not None else rows[len(rows) - limit :] if more else rows
        through = page[-1].seq if more and ask.after is not None else min(self.fed, before - 1)
        self.out.append(m.HistoryPage(ask.ref, page, through, more))
