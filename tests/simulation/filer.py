"""Those who send and read files: guests by their own secret, accounts and bots by tokens.

They begin uploads on their connection and by tus, send the bytes in parts that are cut at any byte, hang, and are taken
over; ask for the offset and go on; send a file in one request; say what they have, and say it again when they had no
answer; edit and delete; ask for links, and follow new ones and old ones. What they are told is held against `FileLaw`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from securechat.errors import ErrorCode, Refusal
from securechat.model import (
    Acked,
    AddUpload,
    AskFiles,
    AskLinks,
    Command,
    Delete,
    Direct,
    Edit,
    Event,
    FileLinks,
    FileList,
    Hello,
    Join,
    Joined,
    Left,
    Refused,
    Say,
    TokenMade,
    UploadAdded,
    Welcome,
)
from securechat.records.accounts import AccountKind, Scope
from securechat.testing.link import Connection, Death
from securechat.testing.log_checks import HistoryBroken
from securechat.text.file_lines import with_file_lines
from securechat.text.names import LOBBY
from tests.simulation import deeds
from tests.simulation.crowd import Guest, Line
from tests.simulation.file_disk import MOVING, PICTURE, UNREADABLE
from tests.simulation.file_law import Reading, Sent
from tests.simulation.hush import Listener

if TYPE_CHECKING:
    import random

    from securechat.records.log import NotAppended
    from tests.simulation.checkers.transcript import ModelMessage
    from tests.simulation.world import World

ALPN = "http/1.1"
_GIVES_UP_S = 1.0
_LINES = 3
_SIZES = (1, 40, 700, 1_024, 1_500, 2_048, 2_049, 4_000, 6_000, 9_000)
"""Bytes; the last one is more than one file may have."""
_SCOPES = ("post", "read", "files")
_MOST_UNSENT = 4
RESTS = 24
"""How often each of them goes on with what was begun, when nothing breaks any more."""
_SOON = frozenset(
    {ErrorCode.BUSY, ErrorCode.OVERLOADED, ErrorCode.DISK_FULL, ErrorCode.FILE_NOT_READY, ErrorCode.SLOW_MODE}
)
"""Why a message is refused that may be taken a little later."""

Answered = Callable[[int, dict[str, str], bytes], None]


@dataclass(slots=True, eq=False)
class Given:
    """A message with files that was asked for.

    Attributes:
        number: its client_id, or which it is among those that are put over HTTP.
        key: it was said with; empty where it was not.
        secret: by which login.
        room, to: where.
        text: without the lines of the files.
        uploads: its files.
        seq: the message that it has become; 0 for none yet.
        is_refused: whether it was refused for good.
        is_put: whether it is sent in one request with its only file.
    """

    number: int
    key: str
    secret: str
    me: int
    room: str
    to: int
    text: str
    uploads: list[Sent]
    seq: int = 0
    is_refused: bool = False
    is_put: bool = False
    times: int = 0


class FileLine:
    """One connection over HTTP; one request at a time, whose body may never come whole."""

    def __init__(self, owner: Filer, connection: Connection) -> None:
        self.connection = connection
        self.is_open = False
        self.is_busy = False
        self.is_head = False
        self.upload: Sent | None = None
        self.began = owner.world.clock.now
        self.me = 0
        self._owner = owner
        self._done: Answered | None = None
        self._lost: Callable[[], None] = lambda: None
        self._body = b""
        self._came = b""
        self._listener = Listener(owner.world.hush, owner.base)
        connection.client.start(self)

    def opened(self) -> None:
        """The handshake is over."""
        self.is_open = True

    def ask(
        self,
        line: str,
        headers: list[str],
        done: Answered,
        *,
        body: bytes = b"",
        me: int = 0,
        lost: Callable[[], None] = lambda: None,
        pieces: tuple[int, ...] = (),
        ends_after: int | None = None,
        death: Death | None = None,
        expects: bool = False,
    ) -> None:
        """Write a request.

        Args:
            line: method and target.
            headers: besides the length of the body.
            done: gets the answer.
            body: all of it.
            me: the sender_id that it speaks for.
            lost: called instead of ``done``, if the connection ends before.
            pieces: sizes of the parts in which the body is written, again and again; at once where there are none.
            ends_after: bytes of the body, after which nothing more is written.
            death: how the connection ends then; None: it stands still.
            expects: whether the body waits for 100 Continue.
        """
        owner = self._owner
        self.is_busy, self.began, self._came, self.me = True, owner.world.clock.now, b"", me
        self._done, self._lost, self.is_head = done, lost, line.startswith("HEAD")
        owner.world.clock.note(owner.base, f"> {line} {len(body)} bytes, {ends_after} of them {death}"[:160])
        lines = [f"{line} HTTP/1.1", "Host: a", *headers, *(["Expect: 100-continue"] if expects else [])]
        if body or line.startswith(("PUT", "PATCH", "POST")):
            lines.append(f"Content-Length: {len(body)}")
        self.connection.client.write("".join(f"{each}\r\n" for each in lines).encode() + b"\r\n")
        self._pieces, self._piece = pieces or (len(body),), 0
        self._ends_after, self._death = ends_after, death
        self._body = body if ends_after is None else body[:ends_after]
        self._waits = expects
        if not expects:
            self._write()

    def _write(self) -> None:
        if self.connection.dead or not self.is_busy:
            return
        size = max(1, self._pieces[self._piece % len(self._pieces)])
        self._piece += 1
        some, self._body = self._body[:size], self._body[size:]
        if some:
            self.connection.client.write(some)
        if self._body:
            self._owner.world.clock.call_later(0.003, self._write)
        elif self._ends_after is not None and self._death is not None:
            self._owner.world.clock.call_later(0.002, self._die)

    def _die(self) -> None:
        if not self.connection.dead:
            self.connection.die(self._death)
            self._owner.world.clock.call_later(_GIVES_UP_S, self.connection.find_out)

    def data_received(self, data: bytes) -> None:
        """A part of an answer."""
        if self not in self._owner.lines:
            return
        self._came += data
        self._listener.heard(data, {self.me})
        while self.is_busy:
            head, end, body = self._came.partition(b"\r\n\r\n")
            if not end:
                return
            first, *lines = head.decode().split("\r\n")
            status = int(first.split()[1])
            if status == 100:
                self._came = body
                if self._waits:
                    self._waits = False
                    self._write()
                continue
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            length = 0 if self.is_head or status in (204, 304) else int(headers.get("content-length", "0"))
            if len(body) < length:
                return
            self._came = body[length:]
            self.is_busy, done, self._done = False, self._done, None
            unwritten, self._body = self._body, b""
            self._owner.world.clock.note(self._owner.base, f"< {first} {body[:length][:90]!r}")
            assert done is not None
            self.upload = None
            done(status, headers, body[:length])
            if headers.get("connection") == "close" or unwritten or self._waits or self._ends_after is not None:
                self.leave()
        if self._came and not self.is_busy and self in self._owner.lines:
            raise HistoryBroken(f"{self._owner.base} is told what it has not asked for: {self._came[:200]!r}")

    def leave(self) -> None:
        """Enough."""
        self.connection.die()
        self._owner.world.clock.call_later(_GIVES_UP_S, self.connection.find_out)
        self.over()

    def over(self) -> None:
        """Nothing more comes."""
        if self in self._owner.lines:
            self._owner.lines.remove(self)
        self.upload = None
        if self.is_busy:
            self.is_busy = False
            self._lost()

    def closed(self, *, broken: bool) -> None:
        """The connection is over."""
        self.over()


@dataclass(slots=True)
class Link:
    """The address of a file, as a login was told it."""

    path: str
    file_id: str
    secret: str
    resume: str
    me: int
    known_to: set[str] = field(default_factory=set)


class Filer(Guest):
    """One of them.

    Args:
        world: where.
        number: which one; the first is a guest.

    Attributes:
        me: the sender_id by which it is in, or was last.
        lines: over HTTP.
        given: messages with files.
        resumed: parts that went on behind the beginning.
        taken_over: uploads that were taken over from a connection that hangs.
        again: messages that were sent once more for want of an answer.
    """

    every_s = 0.03

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, f"filer{number}", f"10.82.0.{number + 1}")
        self.me = 0
        self.lines: list[FileLine] = []
        self.given: list[Given] = []
        self.resumed = self.taken_over = self.again = self.acknowledged = 0
        self._is_guest = number == 0
        self._secrets: list[tuple[str, str]] = []  # of own tokens: the secret, and the bot
        self._own: list[TokenMade] = []
        self._bots = 0
        self._is_made = self._is_guest
        self._resume = f"{self.rng.getrandbits(128):032x}"
        self._token = ""
        self._resumes: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._asked: dict[int, Sent] = {}
        self._links: list[Link] = []
        self._refs = self._files = 0
        self._is_resting = False
        self._read_at_rest: set[str] = set()
        self._rests = 0

    # --- what it does -------------------------------------------------------------------------------------------------

    def act(self, dice: random.Random) -> None:
        """Do one thing."""
        now = self.world.clock.now
        for line in list(self.lines):
            if line.connection.dead and not line.is_busy:
                line.over()
            elif (line.is_busy or not line.is_open) and now > line.began + _GIVES_UP_S:
                line.leave()
        if not self._is_guest and (not self._is_made or dice.random() < 0.04):
            self._administer(dice)
        if self.line is None or self.line.connection.dead:
            if dice.random() < 0.5:
                self._come(dice)
        elif dice.random() < 0.03:
            self.leave()
        what = dice.random()
        if what < 0.2:
            self._begin_upload(dice)
        elif what < 0.46:
            self._go_on(dice)
        elif what < 0.58:
            self._say(dice)
        elif what < 0.66:
            self._say_again(dice)
        elif what < 0.71:
            self._revise(dice)
        elif what < 0.76:
            self._put(dice)
        elif what < 0.82:
            self._ask_links(dice)
        elif what < 0.84:
            self._enter(dice)
        elif what < 0.85:
            self._send_native(AskFiles(self._ref()))
        else:
            self._read(dice)

    def _administer(self, dice: random.Random) -> None:
        """Have the operator make a bot, give it another token, or remove it."""
        server = self.world.server
        if not server.alive or server.draining or server.log.failure is not None:
            return
        programs = server.admin_commands.programs
        what = dice.random()
        with suppress(Refusal):
            if not self._is_made:
                self._bots += 1
                self._is_made = True
                name = f"{self.base}bot{self._bots}"
                scopes = (Scope.POST, Scope.READ, Scope.FILES)
                programs.add_bot(
                    "root", name, kind=AccountKind.BOT, rooms=(), scopes=scopes, days=None, done=self._told
                )
            elif what < 0.55:
                programs.rotate_bot("root", f"{self.base}bot{self._bots}", self._told)
            elif what < 0.8 and len(self._own) > 1:
                programs.remove_token("root", self._own[dice.randrange(len(self._own))].info.token, lambda _: None)
            else:
                self._is_made = False
                programs.remove_bot("root", f"{self.base}bot{self._bots}", lambda _: None)
        server.passes.wake()

    def _told(self, made: TokenMade | NotAppended) -> None:
        if isinstance(made, TokenMade):
            self._own.append(made)
        elif not self._own:
            self._is_made = False

    def _some_token(self, dice: random.Random) -> str:
        """A token: mostly its own, at times one that people made, at times an old one; empty for none."""
        if self._own and dice.random() < 0.7:
            return (self._own[-1] if dice.random() < 0.8 else dice.choice(self._own)).token
        secret = self.world.makers.some_secret(dice)
        return "" if secret is None else secret.token

    # --- its connection -----------------------------------------------------------------------------------------------

    def _come(self, dice: random.Random) -> None:
        token = "" if self._is_guest else self._some_token(dice)
        if not token and not self._is_guest:
            return
        before = self._came
        self.come(good=False)
        if self._came > before:  # else the connection before may still bring what its own login was told
            self._token = token

    def begin(self) -> None:
        """A connection is there."""
        if self.line is None:
            return
        if self._is_guest:
            self.line.send(Hello(1, self.base, self._resume))
            return
        resume = self._resumes.setdefault(self._token, f"{self.rng.getrandbits(128):032x}")
        self._resume = resume
        host, port = self.line.connection.server.peer[:2]
        self.world.token_law.says_hello(f"{host}:{port}", self._token)
        self.line.send(Hello(1, self.base, resume, token=self._token))

    @property
    def _label(self) -> str:
        if self.line is None:
            return ""
        host, port = self.line.connection.server.peer[:2]
        return f"{host}:{port}"

    def hear_on(self, line: Line, event: Event) -> None:
        """Take what the server says on the present connection; one before it is closed, and read no more."""
        if line is self.line:
            self.hear(event)

    def hear(self, event: Event) -> None:
        """Take what the server says. Raises HistoryBroken: it is not true."""
        if self.world.clock.tracing and not isinstance(event, Joined):
            self.world.clock.note(self.base, f"< {event!r}"[:200])
        match event:
            case Welcome():
                self.me = event.sender_id
                self._asked.clear()
                self._counts[self._resume] = max(event.last_client_id, self._counts.get(self._resume, 0))
                for given in self._unanswered():
                    if not given.is_put and given.secret == self._resume:
                        self._send_given(given)
            case UploadAdded() if event.ref in self._asked:
                self._added(self._asked.pop(event.ref), event.id, event.path, event.until_ms)
            case Acked(client_id, seq):
                for given in self.given:
                    if not given.is_put and (given.number, given.secret) == (client_id, self._resume):
                        self._acked(given, seq)
            case Refused(client_id=int(client_id)):
                for given in self.given:
                    if not given.is_put and (given.number, given.secret) == (client_id, self._resume) and not given.seq:
                        self._given_refused(given, event.code, event.reason)
                if event.code is ErrorCode.TOKEN_INVALID:
                    self.leave()
            case Refused(code=ErrorCode.TOKEN_INVALID):
                self.leave()
            case FileLinks():
                login: object = self._token or self._resume
                for link in event.links:
                    self.world.file_law.linked(login, link.id, link.path)
                    self._links.append(Link(link.path, link.id, self._token, self._resume, self.me))
            case FileList():
                if event.used > event.most and self.world.token_law.kind_of(self.me) is not None:
                    raise HistoryBroken(f"{self.me} has {event.used} bytes of files of {event.most}")
            case Left() | Joined() | _:
                pass

    def _ref(self) -> int:
        self._refs += 1
        return self._refs

    def _send_native(self, *commands: Command) -> None:
        if self.is_inside and self.line is not None:
            for command in commands:
                self.world.clock.note(self.base, f"> {command!r}"[:160])
            self.line.send(*commands)

    def _enter(self, dice: random.Random) -> None:
        room = self._some_room(dice)
        self.world.hush.guessed(room, {self.me})
        self._send_native(Join(self._ref(), [room]))

    def _some_room(self, dice: random.Random) -> str:
        others = [name for name in self.world.house.names() if self.me and self.world.house.may_see(name, self.me)]
        return dice.choice((LOBBY, LOBBY, LOBBY, *deeds.rooms.ROOMS, *others))

    # --- uploads ------------------------------------------------------------------------------------------------------

    def _some_file(self, dice: random.Random) -> Sent:
        self._files += 1
        size = dice.choice(_SIZES)
        size += dice.choice((0, 0, -1, 1)) if size > 1 else 0
        data = dice.randbytes(size)
        kind, as_file = dice.random(), dice.random() < 0.15
        name = f"{self.base}-{self._files}.bin"
        if kind < 0.35:
            data, name = PICTURE + data, f"{self.base}-{self._files}.jpg"
            if dice.random() < 0.15:
                data += UNREADABLE
        elif kind < 0.45:
            data, name = MOVING + data, f"{self.base}-{self._files}.gif"
        sent = Sent(data, name, self.me, "", as_file)
        self.world.file_law.contents[name] = (data, as_file)
        return sent

    def _begin_upload(self, dice: random.Random) -> None:
        mine = [each for each in self._uploads() if not each.is_over and each.me == self.me]
        if len(mine) >= _MOST_UNSENT and dice.random() < 0.8:
            return
        sent = self._some_file(dice)
        if self.is_inside and dice.random() < 0.6:
            ref = self._ref()
            self._asked[ref] = sent
            self._send_native(AddUpload(ref, sent.name, len(sent.data), sent.as_file))
            return
        token = self._some_token(dice) if not self._is_guest else ""
        line = self._free_line()
        if not token or line is None:
            return
        sent.token, sent.me = token, self.world.token_law.sender_of(token)
        metadata = f"filename {base64.b64encode(sent.name.encode()).decode()}"
        if sent.as_file:
            metadata += f",as {base64.b64encode(b'file').decode()}"

        def done(status: int, headers: dict[str, str], body: bytes) -> None:
            if status == 201:
                told = json.loads(body)
                self._added(sent, told["id"], headers["location"], told["until_ms"])
            else:
                self._expect_refusal(status, body, token)

        line.ask(
            "POST /api/v1/uploads",
            [f"Authorization: Bearer {token}", "Tus-Resumable: 1.0.0", f"Upload-Length: {len(sent.data)}",
             f"Upload-Metadata: {metadata}"],
            done, me=sent.me,
        )  # fmt: skip

    def _added(self, sent: Sent, file_id: str, path: str, until_ms: int) -> None:
        sent.file_id, sent.path, sent.until_ms = file_id, path, until_ms
        known = self.world.file_law.known[file_id]
        sent.me = known.state.sender_id
        self.world.file_law.sent.append(sent)

    def _uploads(self) -> list[Sent]:
        return [each for each in self.world.file_law.sent if each.name.startswith(f"{self.base}-")]

    def _unfinished(self) -> list[Sent]:
        return [each for each in self._uploads() if not each.is_over and not each.is_whole]

    def _go_on(self, dice: random.Random) -> None:
        """Send a part of an upload, ask for its offset, or remove it."""
        unfinished, what = self._unfinished(), dice.random()
        if what < 0.05:
            some = [each for each in self._uploads() if not each.is_over]
            if some and not self._is_resting:
                self._remove(dice.choice(some))
            return
        line = self._free_line()
        whole = [each for each in self._uploads() if each.is_whole and not each.is_over]
        if line is not None and whole and (what < 0.25 or not unfinished):
            self._ask_offset(line, dice.choice(whole), dice)
            return
        if line is None or not unfinished:
            return
        upload = unfinished[-1] if dice.random() < 0.6 else dice.choice(unfinished)
        hanging = [each for each in self.lines if each.upload is upload and each.is_busy]
        if hanging and dice.random() < 0.4 and not self._is_resting:
            return
        self._ask_offset(line, upload, dice)

    def _ask_offset(self, line: FileLine, upload: Sent, dice: random.Random) -> None:
        sure_bytes = len(upload.data) if upload.is_whole else upload.sure_bytes

        def done(status: int, headers: dict[str, str], body: bytes) -> None:
            if status == 404:
                self.world.file_law.check_there(upload, "is not there when it is asked for")
            elif status == 200:
                sure = sure_bytes if upload.is_whole else min(sure_bytes, upload.sure_bytes)  # the power may be cut
                self._has_offset(upload, int(headers["upload-offset"]), sure, dice)
            else:
                self._expect_refusal(status, body, "")

        line.ask(f"HEAD {upload.path}", ["Tus-Resumable: 1.0.0"], done, me=upload.me)

    def _has_offset(self, upload: Sent, offset: int, sure: int, dice: random.Random) -> None:
        law = self.world.file_law
        if law.is_spoiled(upload):
            upload.is_over = True
            return
        if offset < sure and not self.world.storage.files.was_broken and not upload.is_unreadable:
            raise HistoryBroken(f"upload {upload.file_id} had {sure} bytes for certain, and has {offset}")
        if offset > len(upload.data):
            raise HistoryBroken(f"upload {upload.file_id} of {len(upload.data)} bytes has {offset}")
        line = self._free_line()
        if line is None or upload.is_whole or law.known[upload.file_id].seq:
            return
        self.resumed += offset > 0
        self.taken_over += any(each.upload is upload and each.is_busy for each in self.lines)
        self._send_part(line, upload, offset, dice)

    def _send_part(self, line: FileLine, upload: Sent, offset: int, dice: random.Random) -> None:
        rest, is_calm = upload.data[offset:], self._is_resting
        part = rest if is_calm or dice.random() < 0.5 else rest[: dice.randint(0, len(rest))]
        headers = ["Tus-Resumable: 1.0.0", "Content-Type: application/offset+octet-stream", f"Upload-Offset: {offset}"]
        is_checked = not is_calm and dice.random() < 0.3
        is_changed = False
        if is_checked:
            digest = base64.b64encode(hashlib.sha256(part).digest()).decode()
            headers.append(f"Upload-Checksum: sha256 {digest}")
            is_changed = bool(part) and dice.random() < 0.4
        sent_part = dice.randbytes(len(part)) if is_changed else part
        if upload.is_unreadable:
            headers.append("Upload-As: file")
            self.world.file_law.contents[upload.name] = (upload.data, True)
            upload.as_file = True
        ends_after, death = None, None
        if not is_calm and part and dice.random() < 0.35:
            ends_after = dice.randrange(len(part))
            death = dice.choice((None, Death.RESET, Death.TRUNCATED, Death.SILENT))

        def done(status: int, answer: dict[str, str], body: bytes) -> None:
            self._part_answered(upload, status, answer, body, offset + len(part), is_changed=is_changed)

        server = self.world.server

        def lost() -> None:
            if is_changed:
                upload.changed_in = server

        line.upload = upload
        line.ask(
            f"PATCH {upload.path}", headers, done, body=sent_part, me=upload.me,
            pieces=(dice.choice((1, 90, 700, 5_000)), dice.choice((300, 5_000))) if len(part) > 1 else (),
            ends_after=ends_after, death=death, expects=dice.random() < 0.2, lost=lost,
        )  # fmt: skip

    def _part_answered(
        self, upload: Sent, status: int, headers: dict[str, str], body: bytes, end: int, *, is_changed: bool
    ) -> None:
        law = self.world.file_law
        if upload.changed_in is self.world.server:
            upload.changed_in = None  # it has cut off what it could not judge, before it has begun with this one
        if status == 204:
            offset = int(headers["upload-offset"])
            if is_changed:
                raise HistoryBroken(f"a part of upload {upload.file_id} that has changed on its way is taken")
            if offset < end:
                raise HistoryBroken(f"upload {upload.file_id} had a part up to {end}, and has {offset}")
            upload.sure_bytes = max(upload.sure_bytes, offset)
            upload.is_whole = offset == len(upload.data)
        elif status == 404:
            law.check_there(upload, "is not there when a part comes")
        elif status == 460:
            if not is_changed:
                raise HistoryBroken(f"a part of upload {upload.file_id} has not changed, and is said to have")
        else:
            code = json.loads(body).get("code", "")
            if code == "picture_unreadable":
                if UNREADABLE not in upload.data:
                    raise HistoryBroken(f"upload {upload.file_id} can be read, and is said not to be")
                upload.is_unreadable = True
            elif code == "quota":
                upload.is_over = upload.is_removed = True
            self._expect_refusal(status, body, "")

    def _expect_refusal(self, status: int, body: bytes, token: str) -> None:
        allowed = {400, 401, 403, 404, 409, 413, 422, 423, 429, 503, 507, 408}
        if status not in allowed and not (status == 500 and "bug" in self.world.flavour):
            raise HistoryBroken(f"{self.base} is answered with {status} {body[:200]!r}")

    def _remove(self, upload: Sent) -> None:
        line = self._free_line()
        if line is None:
            return
        upload.is_removed = True

        def done(status: int, headers: dict[str, str], body: bytes) -> None:
            if status == 204:
                upload.is_over = True
                if self.world.file_law.known[upload.file_id].seq:
                    raise HistoryBroken(f"upload {upload.file_id} is of a message, and was removed")
            elif status != 404:
                self._expect_refusal(status, body, "")

        line.ask(f"DELETE {upload.path}", ["Tus-Resumable: 1.0.0"], done, me=upload.me)

    # --- messages -----------------------------------------------------------------------------------------------------

    def _unanswered(self) -> list[Given]:
        return [given for given in self.given if not given.seq and not given.is_refused]

    def _say(self, dice: random.Random) -> None:
        """Say something with files: mostly with some that are whole, at times with others."""
        if not self.is_inside:
            return
        law = self.world.file_law
        mine = [each for each in self._uploads() if each.me == self.me and each.file_id]
        whole = [each for each in mine if each.is_whole and not law.known[each.file_id].seq and not each.giving]
        if dice.random() < 0.08:
            whole = mine + law.sent[-5:]
        if not whole:
            return
        uploads = list(
            {id(each): each for each in (dice.choice(whole) for _ in range(dice.choice((1, 1, 2, 3))))}.values()
        )
        to, room = 0, ""
        if dice.random() < 0.25:
            people = [who for who in self.world.token_law.accounts() if who != self.me]
            to = dice.choice(people) if people else 0
        if not to:
            room = self._some_room(dice)
        number = len(self.given) + 1
        text = f"{self.base}:{number} has files" if dice.random() < 0.8 else ""
        if to:
            text = f"psst{self.me}-{to}; {text}"
        elif dice.random() < 0.04:
            text += " tea" * 998  # too long, with the lines of the files
        self._counts[self._resume] = self._counts.get(self._resume, 0) + 1
        key = f"{self.base}-{number}" if dice.random() < 0.5 else ""
        given = Given(self._counts[self._resume], key, self._resume, self.me, room, to, text, uploads)
        self.given.append(given)
        for upload in uploads:
            upload.giving.add(given)
        self._send_given(given)
        if dice.random() < 0.15:
            self._send_given(given)  # twice, at once

    def _send_given(self, given: Given) -> None:
        given.times += 1
        self.world.hush.guessed(given.room, {self.me})
        ids, key = [upload.file_id for upload in given.uploads], given.key or None
        if given.to:
            self._send_native(Direct(given.number, given.to, given.text, key=key, files=ids))
        else:
            self._send_native(Say(given.number, given.room, given.text, key=key, files=ids))

    def _say_again(self, dice: random.Random) -> None:
        """Say again what was not answered, by its number or its key."""
        some = [given for given in self._unanswered() if not given.is_put and given.me == self.me]
        if not some or not self.is_inside:
            puts = [given for given in self._unanswered() if given.is_put]
            if puts:
                self._send_put(dice.choice(puts), dice)
            return
        given = dice.choice(some)
        if given.secret == self._resume:
            self._send_given(given)
        elif given.key:  # by another login of the same sender: by its key alone
            self._counts[self._resume] = self._counts.get(self._resume, 0) + 1
            given.secret, given.number = self._resume, self._counts[self._resume]
            self._send_given(given)
        self.again += 1

    def _acked(self, given: Given, seq: int) -> None:
        said = self.world.storage.transcript.said[seq].states[0][1]
        if given.seq not in (0, seq):
            raise HistoryBroken(f"{given.text!r} is message {given.seq}, and {seq}")
        given.seq = seq
        self.acknowledged += 1
        named = [(info.name, info.size) for info in said.files]
        names = [upload.name for upload in given.uploads]
        if said.sender_id != given.me or [info.name for info in said.files] != names:
            raise HistoryBroken(f"{given.text!r} with {names} was acknowledged as {said}")
        if said.text != with_file_lines(given.text, named):
            raise HistoryBroken(f"{given.text!r} was acknowledged as {said.text!r}")
        for upload in given.uploads:
            upload.giving.discard(given)
            upload.is_over = True

    def _given_refused(self, given: Given, code: ErrorCode, reason: str) -> None:
        law = self.world.file_law
        if reason == "upload_used" and len(given.uploads) == 1 and given.times == 1:
            law.check_used(given.uploads[0], given)
        if reason == "upload_unknown" and len(given.uploads) == 1 and given.uploads[0].me == given.me:
            law.check_there(given.uploads[0], "is said not to be there when it is sent")
        if code is ErrorCode.KEY_USED:
            self._check_key(given)
        if code in _SOON:
            return
        given.is_refused = True
        for upload in given.uploads:
            upload.giving.discard(given)

    def _check_key(self, given: Given) -> None:
        """A message is refused because of its key. Raises HistoryBroken: its message is there, and was never changed.

        The name of a room may be another room's by now, but for the lobby's.
        """
        found = self._stored(given)
        if not found:
            raise HistoryBroken(f"the key of {given.text!r} is said to be another message's, and there is none")
        for each in found:
            first = each.states[0][1]
            is_changed = any(state.text != first.text or state.deleted is not None for _, state in each.states)
            if not is_changed and not each.may_be_gone and (given.to or given.room == first.room == LOBBY):
                raise HistoryBroken(f"the key of {given.text!r}, message {first.seq}, is said to be another message's")

    def _stored(self, given: Given) -> list[ModelMessage]:
        """Return the messages with these files of this sender."""
        names = [upload.name for upload in given.uploads]
        return [
            each
            for each in self.world.storage.transcript.said.values()
            if each.states[0][1].sender_id == given.me and [info.name for info in each.states[0][1].files] == names
        ]

    def _revise(self, dice: random.Random) -> None:
        """Edit or delete a message with files."""
        own = [given for given in self.given if given.seq and given.me == self.me]
        if not own or not self.is_inside:
            return
        given = dice.choice(own[-6:])
        message = self.world.storage.transcript.said[given.seq].now
        self._counts[self._resume] = number = self._counts.get(self._resume, 0) + 1
        room = message.room
        to = None if room is not None else message.to
        if dice.random() < 0.5:
            self._send_native(Delete(number, given.seq, room, to))
        else:
            text = f"{f'psst{self.me}-{to}; ' if to else ''}{self.base}'s edit {number}"
            self._send_native(Edit(number, given.seq, text, room, to))

    # --- in one request -----------------------------------------------------------------------------------------------

    def _put(self, dice: random.Random) -> None:
        token = "" if self._is_guest else self._some_token(dice)
        me = self.world.token_law.sender_of(token) if token else 0
        if not me:
            return
        sent = self._some_file(dice)
        sent.token = token
        number = len(self.given) + 1
        given = Given(number, f"{self.base}-{number}", token, me, self._some_room(dice), 0, "", [sent], is_put=True)
        if dice.random() < 0.7:
            given.text = f"{self.base}:{number} has a file"
        self.given.append(given)
        self._send_put(given, dice)

    def _send_put(self, given: Given, dice: random.Random) -> None:
        line = self._free_line()
        if line is None:
            return
        given.times += 1
        self.again += given.times > 1
        (sent,) = given.uploads
        law, token = self.world.token_law, given.secret
        dead = law.why_dead(token)
        sent_at = self.world.clock.now
        self.world.hush.guessed(given.room, {given.me})
        query = f"?text={quote(given.text, safe='')}" if given.text else ""
        query += f"{'&' if query else '?'}as=file" if sent.as_file else ""
        ends_after, death = None, None
        if not self._is_resting and dice.random() < 0.3:
            ends_after, death = (
                dice.randrange(len(sent.data)),
                dice.choice((Death.RESET, Death.TRUNCATED, Death.SILENT)),
            )

        def done(status: int, headers: dict[str, str], body: bytes) -> None:
            if status == 201:
                if dead and law.why_dead(token) and not law.wall_moved_since(sent_at):
                    raise HistoryBroken(f"{sent.name} was sent by a token that was {dead} before")
                self._acked(given, json.loads(body)["seq"])
                return
            code = json.loads(body).get("code", "")
            given.is_refused = status in (400, 401, 403, 404, 409, 413, 422)
            if code == "key_used":
                self._check_key(given)
            self._expect_refusal(status, body, token)

        room, name = quote(given.room, safe=""), quote(sent.name, safe="")
        line.ask(
            f"PUT /api/v1/rooms/{room}/files/{name}{query}",
            [f"Authorization: Bearer {token}", f"Idempotency-Key: {given.key}"],
            done, body=sent.data, me=given.me, ends_after=ends_after, death=death, expects=dice.random() < 0.5,
            pieces=(dice.choice((1, 400, 5_000)), 900) if len(sent.data) > 1 else (),
        )  # fmt: skip

    # --- reading ------------------------------------------------------------------------------------------------------

    def _ask_links(self, dice: random.Random) -> None:
        some = [self._some_id(dice) for _ in range(dice.choice((1, 3, 6)))]
        if "" not in some and self.is_inside:
            self._send_native(AskLinks(self._ref(), list(dict.fromkeys(some))))

    def _some_id(self, dice: random.Random) -> str:
        """An upload: mostly one that was sent in a message; empty for none."""
        known = self.world.file_law.known
        sent = [file_id for file_id, each in known.items() if each.seq]
        ids = sent[-12:] if sent and dice.random() < 0.75 else list(known)[-20:]
        return dice.choice(ids) if ids else ""

    def _read(self, dice: random.Random) -> None:
        """Read by a link, also by one that was told long ago, or by a token."""
        line = self._free_line()
        if line is None:
            return
        if self._links and (self._is_guest or dice.random() < 0.6):
            link = dice.choice(self._links if dice.random() < 0.4 else self._links[-6:])
            self._read_by_link(line, link, dice)
            return
        token, file_id = "" if self._is_guest else self._some_token(dice), self._some_id(dice)
        if token and file_id:
            self._read_by_token(line, token, file_id, dice)

    def _read_by_link(self, line: FileLine, link: Link, dice: random.Random) -> None:
        law = self.world.token_law
        reading = Reading(link.file_id, link.me, link.secret)
        is_in = self.is_inside and link.resume == self._resume and link.secret == (self._token if link.secret else "")
        label = self._label if is_in else ""
        if not label or not self._is_known(label):
            reading.always_must = False
        dead = law.why_dead(link.secret) if link.secret else ("ended" if not self._has_login(link) else "")

        def still() -> str:
            if label and not self._is_known(label):
                reading.always_must = False
            if link.secret:
                return law.why_dead(link.secret)
            has_come = logins[self._address] > before  # a hello may have been on its way when this was asked
            return "ended" if not self._has_login(link) and label == "" and not has_come else ""

        logins = self.world.file_law.logins
        before = logins[self._address]
        self._ask_file(line, f"{link.path}{dice.choice(('', '', '/name.txt'))}", [], reading, dead, still, dice)

    def _has_login(self, link: Link) -> bool:
        """Whether the process has a connection of a guest."""
        server = self.world.server
        return any(each.member.sender_id == link.me for each in server.hub._connections.values())

    def _is_known(self, label: str) -> bool:
        hub = self.world.server.hub
        return any(session.label == label and session in hub._connections for session in self.world.server.sessions)

    def _read_by_token(self, line: FileLine, token: str, file_id: str, dice: random.Random) -> None:
        law = self.world.token_law
        reading = Reading(file_id, law.sender_of(token), token, rooms_too=True)
        if law.why_dead(token):
            reading.always_must = False
        path, headers = f"/api/v1/files/{file_id}", [f"Authorization: Bearer {token}"]
        self._ask_file(line, path, headers, reading, law.why_dead(token), lambda: law.why_dead(token), dice)

    def _ask_file(
        self, line: FileLine, path: str, headers: list[str], reading: Reading, dead: str, still: Callable[[], str],
        dice: random.Random,
    ) -> None:  # fmt: skip
        law = self.world.file_law
        side, start = None, None
        if dice.random() < 0.25:
            side = dice.choice((320, 1600))
            path += f"?size={side}"
        if dice.random() < 0.2:
            start = dice.randrange(200)
            headers = [*headers, f"Range: bytes={start}-"]
        sent_at = self.world.clock.now
        law.asks(reading)

        def done(status: int, answer: dict[str, str], body: bytes) -> None:
            why = dead if dead and still() and not self.world.token_law.wall_moved_since(sent_at) else ""
            still()
            if status not in (200, 206, 404, 416):
                law.gives_up(reading)
                self._expect_refusal(status, body, "")
                return
            if status == 416:
                law.gives_up(reading)
                return
            law.answered(reading, status, side, body, start if status == 206 else None, dead=why)
            if status == 200 and side is None:
                self._read_at_rest.add(reading.file_id)

        line.ask(f"GET {path}", headers, done, me=reading.who, lost=lambda: law.gives_up(reading))
        if not self._is_resting and dice.random() < 0.1:
            line.connection.client.pause()
            self.world.clock.call_later(dice.uniform(0.1, 1.0), line.connection.client.resume)

    # --- its lines over HTTP ------------------------------------------------------------------------------------------

    def _free_line(self) -> FileLine | None:
        """A connection that waits for nothing; another one is made where there are few."""
        free = next(
            (line for line in self.lines if line.is_open and not line.is_busy and not line.connection.dead), None
        )
        if free is None and len(self.lines) < _LINES:
            connection = self.world.dial(self._address, None, alpn=ALPN)
            if connection is not None:
                self.lines.append(FileLine(self, connection))
        return free

    # --- the end ------------------------------------------------------------------------------------------------------

    def begin_to_rest(self) -> None:
        """Nothing breaks any more: end what was begun, and have an answer to all that was said."""
        self.leave_all()
        self._is_resting = True
        self._rest()

    def _rest(self) -> None:
        if self.world.leaving:
            return
        self.world.clock.call_later(0.25, self._rest)
        dice = self.world.chance.dice(self.base, "rest", self._rests)
        self._rests += 1
        now = self.world.clock.now
        for line in list(self.lines):
            if (line.connection.dead and not line.is_busy) or now > line.began + 10.0:
                line.leave()
        if self._rests > RESTS:
            return
        if self.line is None or self.line.connection.dead:
            self._come(dice)
        elif self.is_inside:
            for given in self._unanswered():
                if not given.is_put and given.secret == self._resume and self._rests % 4 == 0:
                    self._send_given(given)
            self._ask_links(dice)
        puts = [given for given in self._unanswered() if given.is_put]
        if puts and not any(line.is_busy for line in self.lines):
            self._send_put(dice.choice(puts), dice)
        elif self._unfinished() and dice.random() < 0.5:
            self._go_on(dice)
        elif dice.random() < 0.5:
            self._say(dice)
        else:
            self._read(dice)

    @property
    def is_quiet(self) -> bool:
        """Whether it has had some time, and waits for nothing."""
        return self._rests > RESTS and not any(line.is_busy for line in self.lines)

    def leave_all(self) -> None:
        """Leave every connection."""
        self.leave()
        for line in list(self.lines):
            line.leave()

    def check(self) -> None:
        """What was acknowledged is there, once.

        Raises:
            HistoryBroken: it is not.
        """
        for given in self.given:
            if not given.key:
                continue
            names = [upload.name for upload in given.uploads]
            found = [each.states[0][1].seq for each in self._stored(given)]
            if len(found) > 1:
                raise HistoryBroken(f"{names} was stored as {found}")
            if given.seq and found != [given.seq]:
                raise HistoryBroken(f"{names} was acknowledged as {given.seq}, and is {found}")
