"""A chat server as a model: the rules of the protocol in the fewest lines, for tests of clients. No bytes, no time.

One client under test; everybody else is a method call. Seqs have gaps on purpose; on one connection they only rise.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from securechat import model as m
from securechat.errors import ErrorCode
from securechat.text.file_lines import with_file_lines
from securechat.text.refusals import refusal_for


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
    features: tuple[str, ...] = ()
    limits: dict[str, float] = field(default_factory=dict)
    uploads: dict[str, m.FileInfo] = field(default_factory=dict)
    """Those that are not used yet: as if every byte of them were there."""
    refuse_uploads: int = 0

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

    def store(
        self,
        sender: int,
        text: str,
        *,
        room: str | None = None,
        to: int | None = None,
        files: tuple[m.FileInfo, ...] = (),
    ) -> m.Message:
        def key(message: m.Message) -> object:
            return message.room or frozenset({message.sender_id, message.to})

        wanted = room or frozenset({sender, to})
        prev = next((old.seq for old in reversed(self.log) if key(old) == wanted), 0)
        seq = self.fed + 1 + len(self.log) % 3
        said = with_file_lines(text, [(file.name, file.size) for file in files])
        to_name = f"p{to}" if to else None
        message = m.Message(seq, prev, sender, f"p{sender}", 0, said, room, to, to_name, files=list(files))
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
            case m.Say(client_id, room, text, files=files):
                self.draft(client_id, text, room, None, files)
            case m.Direct(client_id, to, text, files=files):
                self.draft(client_id, text, None, to, files)
            case m.AddUpload(ref, name, size) if self.refuse_uploads:
                self.refuse_uploads -= 1
                self.out.append(m.Refused(ErrorCode.BUSY, "later", ref=ref, retry_after_s=1.0))
            case m.AddUpload(ref, name, size):
                number = f"{len(self.stored) * 1000 + len(self.uploads) + 1:032x}"
                while number in self.uploads:
                    number = f"{int(number, 16) + 1:032x}"
                self.uploads[number] = m.FileInfo(number, name, size)
                self.out.append(m.UploadAdded(ref, number, f"/api/v1/uploads/{number}/key", name, 1))
            case m.AskLinks(ref, ids):
                self.out.append(m.FileLinks(ref, [m.FileLink(each, f"/files/{each}/key") for each in ids]))
            case m.AskFiles(ref, after):
                self.own_files(ref, after)
            case m.RemoveUpload(ref, number):
                there = self.uploads.pop(number, None)
                refused = m.Refused.of(refusal_for("upload_unknown"), ref=ref)
                self.out.append(m.Done(ref) if there else refused)
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
        self.out.append(
            m.Welcome(
                1, "model", self.me, name, self.fed, last, bool(self.rooms), features=self.features, limits=self.limits
            )
        )
        self.rooms.add("lobby")
        self.out.append(m.Joined("lobby", self.fed, 1, [m.Person(self.me, name)]))

    def own_files(self, ref: int, after: str | None) -> None:
        own = [m.OwnFile(file, x.seq, 0, x.room, x.to) for x in self.log if x.sender_id == self.me for file in x.files]
        own.sort(key=lambda each: (-each.file.size, each.file.id))
        begin = next((index + 1 for index, each in enumerate(own) if each.file.id == after), 0)
        page = own[begin : begin + self.page_rows]
        used = sum(each.file.size for each in own)
        uploads = [
            m.OwnUpload(each.id, each.name, each.size, each.size, 1) for each in self.uploads.values() if not after
        ]
        self.out.append(m.FileList(ref, page, begin + len(page) < len(own), used, 1_000, uploads))

    def draft(self, client_id: int, text: str, room: str | None, to: int | None, files: list[str]) -> None:
        key = (self.me, client_id)
        last = max((cid for (who, cid) in self.stored if who == self.me), default=0)
        if key in self.stored:
            self.out.append(m.Acked(client_id, self.stored[key]))
        elif client_id < last:
            self.out.append(m.Refused(ErrorCode.OUT_OF_ORDER, "too late", client_id=client_id))
        elif self.refuse_drafts:
            self.refuse_drafts -= 1
            self.out.append(m.Refused(ErrorCode.OVERLOADED, "later", client_id=client_id))
        elif any(file not in self.uploads for file in files):
            self.out.append(m.Refused(ErrorCode.NOT_FOUND, "used or never there", client_id=client_id))
        else:
            used = tuple(self.uploads.pop(file) for file in files)
            message = self.store(self.me, text, room=room, to=to, files=used)
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
