"""Scripts that post over HTTP: to the API with an Idempotency-Key, and to webhooks with the number of a delivery.

They come by the tokens that people make (`makers.py`), also by those that are over, and by those of bots and webhooks
that the operator makes for them, rotates and removes. What has no answer, because the line
was cut, the server was killed or the power went, is posted again with its key, and now and then what has one. So each
thing is stored once; each answer to it is the same; what was answered is stored; and who was told that a token is
removed, or that its maker is banned, sees nothing more posted by it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from securechat.errors import Refusal
from securechat.model import TokenMade
from securechat.records.accounts import AccountKind, Scope
from securechat.testing.log_checks import HistoryBroken
from securechat.text.names import LOBBY
from tests.simulation import deeds
from tests.simulation.hush import Listener

if TYPE_CHECKING:
    import random

    from securechat.hub.programs.admin import ProgramCommands
    from securechat.records.log import NotAppended
    from securechat.testing.link import Connection
    from tests.simulation.checkers.transcript import ModelMessage
    from tests.simulation.world import World

ALPN = "http/1.1"
_GIVES_UP_S = 1.0
"""After which a script waits no longer for its answer."""
_REFUSALS = frozenset({401, 403, 404, 409, 410, 422, 429, 503, 507})
_LASTING = frozenset({401, 403, 404, 409, 410, 422})


@dataclass(slots=True)
class Post:
    """What a script posts once, until it has an answer.

    Attributes:
        number: which one.
        token: by which it is posted, each time.
        hook: whether that is a webhook's.
        room: where, to the API.
        me: the sender_id that the token speaks for, as the log has it; 0 where it has none.
        seq: the message that the API has answered with; 0 for none.
        is_done: whether a webhook, or the API, has said that it is stored.
        is_refused: whether it was refused in a way that does not pass by itself.
        sent_at: when it was posted last.
        dead: why its token was good for nothing at that moment; empty where it was good.
    """

    number: int
    token: str
    hook: bool
    room: str
    me: int = 0
    seq: int = 0
    is_done: bool = False
    is_refused: bool = False
    sent_at: float = 0.0
    dead: str = ""


class HttpLine:
    """One connection of a script; one request at a time."""

    def __init__(self, owner: Poster, connection: Connection) -> None:
        self.connection = connection
        self.is_open = False
        self.began = owner.world.clock.now
        self.waits_for: Post | None = None
        self._owner = owner
        self._came = b""
        connection.client.start(self)

    def opened(self) -> None:
        """The handshake is over."""
        self.is_open = True

    def ask(self, post: Post, request: bytes) -> None:
        """Write a request."""
        self.waits_for, self.began, self._came = post, self._owner.world.clock.now, b""
        self._listener = Listener(self._owner.world.hush, self._owner.base)  # each answer is for another sender
        self.connection.client.write(request)

    def data_received(self, data: bytes) -> None:
        """A part of an answer; a script that waits no longer hears nothing of it."""
        if not self._owner.is_at(self):
            return
        self._came += data
        post = self.waits_for
        if post is not None:
            self._listener.heard(data, {post.me})
        head, end, body = self._came.partition(b"\r\n\r\n")
        if not end:
            return
        status, *lines = head.split(b"\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
        if len(body) < int(headers[b"content-length"]):
            return
        if post is None or len(body) > int(headers[b"content-length"]):
            raise HistoryBroken(f"{self._owner.base} is told what it has not asked for: {self._came[:200]!r}")
        self.waits_for = None
        self._owner.answered(post, int(status.split()[1]), body)
        if headers.get(b"connection") == b"close":
            self._owner.lost(self)

    def closed(self, *, broken: bool) -> None:
        """The connection is over."""
        self._owner.lost(self)


class Poster:
    """A script.

    Args:
        world: where.
        number: which one.

    Attributes:
        answers: that something is stored, and how many of them were to what had such an answer.
        again: how often it posted what had no answer.
        refused: how often a token that was over was refused.
        posts: all that it ever posted.
    """

    every_s = 0.05

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.base = f"poster{number}"
        self.answers = self.replays = self.again = self.refused = 0
        self._address = f"10.80.0.{number + 1}"
        self._line: HttpLine | None = None
        self.posts: list[Post] = []
        self._own: list[TokenMade] = []  # of the operator's, the latest last
        self._bots = 0
        self._is_made = False

    def act(self, dice: random.Random) -> None:
        """Connect, post, post again, or go without waiting for the answer."""
        line, now = self._line, self.world.clock.now
        if dice.random() < 0.06 or not self._is_made:
            self._administer(dice)
        if line is None or line.connection.dead:
            connection = self.world.dial(self._address, None, alpn=ALPN)
            self._line = None if connection is None else HttpLine(self, connection)
        elif line.waits_for is not None or not line.is_open:
            if now > line.began + _GIVES_UP_S or dice.random() < 0.05:
                self.leave()
        elif (post := self._some_post(dice)) is not None:
            self._send(line, post)

    def _administer(self, dice: random.Random) -> None:
        """Have the operator make a bot or a webhook, give it another token, or remove it."""
        server = self.world.server
        if not server.alive or server.draining or server.log.failure is not None:
            return
        programs = server.admin_commands.programs
        name = f"{self.base}bot{self._bots}"
        what = dice.random()
        with suppress(Refusal):  # such as of a rotated one that has as many tokens as it may
            if not self._is_made:
                self._bots += 1
                self._is_made = True
                self._add_bot(programs, f"{self.base}bot{self._bots}", is_hook=dice.random() < 0.5)
            elif what < 0.6:
                programs.rotate_bot("root", name, self._told)
            else:
                self._is_made = False
                programs.remove_bot("root", name, lambda _: None)
        server.passes.wake()

    def _add_bot(self, programs: ProgramCommands, name: str, *, is_hook: bool) -> None:
        kind, scopes = (AccountKind.HOOK, ()) if is_hook else (AccountKind.BOT, (Scope.POST,))
        rooms = (LOBBY,) if is_hook else ()
        programs.add_bot("root", name, kind=kind, rooms=rooms, scopes=scopes, days=None, done=self._told)

    def _told(self, made: TokenMade | NotAppended) -> None:
        """The operator is told of a token; one that was not made is made later."""
        if isinstance(made, TokenMade):
            self._own.append(made)
        elif not self._own:
            self._is_made = False

    def _some_post(self, dice: random.Random) -> Post | None:
        what = dice.random()
        unanswered = [post for post in self.posts if not post.is_done and not post.is_refused]
        if what < 0.45 or not self.posts:
            return self.new_post(dice)
        if what < 0.7 and unanswered:
            self.again += 1
            return unanswered[-1] if dice.random() < 0.5 else dice.choice(unanswered)
        return dice.choice(self.posts)

    def new_post(self, dice: random.Random) -> Post | None:
        """Think of something to post; None where there is no token."""
        number = len(self.posts) + 1
        if self._own and dice.random() < 0.6:
            made = self._own[-1] if dice.random() < 0.8 else dice.choice(self._own)
            post = Post(number, made.token, "hook" in made.info.scopes, LOBBY)
        else:
            secret = self.world.makers.some_secret(dice)
            if secret is None or (secret.scopes == ("read",) and dice.random() < 0.8):
                return None
            rooms = (*secret.rooms, *secret.rooms, LOBBY, LOBBY, *deeds.rooms.ROOMS)
            post = Post(number, secret.token, "hook" in secret.scopes, dice.choice(rooms))
        self.posts.append(post)
        return post

    def _send(self, line: HttpLine, post: Post) -> None:
        law = self.world.token_law
        post.me = law.sender_of(post.token) or post.me
        post.sent_at, post.dead = self.world.clock.now, law.why_dead(post.token)
        self.world.hush.guessed(post.room, {post.me})
        self.world.clock.note(self.base, f"> {post!r}"[:160])
        method, path, headers, body = self.request(post)
        head = "".join(f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", "Host: a", *headers))
        line.ask(post, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def request(self, post: Post) -> tuple[str, str, list[str], bytes]:
        """Return the method, path, headers and body that post something."""
        key, text = f"{self.base}-{post.number}", self.text(post)
        if post.hook:
            body = json.dumps({"text": text}).encode()
            return "POST", f"/hooks/{post.token}", [f"webhook-id: {key}", "Content-Type: application/json"], body
        path = f"/api/v1/rooms/{quote(post.room, safe='')}/messages"
        return "POST", path, [f"Idempotency-Key: {key}", f"Authorization: Bearer {post.token}"], text.encode()

    def answered(self, post: Post, status: int, body: bytes) -> None:
        """Hold an answer against the one before, and against what is stored.

        Raises:
            HistoryBroken: it is not true.
        """
        self.world.clock.note(self.base, f"< {status} {body!r}"[:160])
        text = self.text(post)
        if status == self.success(post):
            law = self.world.token_law
            if post.dead and law.why_dead(post.token) and not law.wall_moved_since(post.sent_at):
                raise HistoryBroken(f"{text!r} was posted by a token that was {post.dead} before")
            self.stored(post, 0 if post.hook else json.loads(body)["seq"])
            if post.hook and body != b"ok":
                raise HistoryBroken(f"{text!r} was answered with {body!r}, which no sender takes for ok")
            self.replays += post.is_done
            self.answers += 1
            post.is_done = True
            return
        self.refused += bool(post.dead)
        post.is_refused = status in _LASTING
        is_bug = "bug" in self.world.flavour and status == 500
        if status not in _REFUSALS and not is_bug:
            raise HistoryBroken(f"{text!r} was answered with {status} {body[:200]!r}")
        if status == 422 and not post.hook and json.loads(body)["code"] == "key_used":
            for said in self._said(post):
                if post.room == said.states[0][1].room == LOBBY and len(said.states) == 1:
                    raise HistoryBroken(f"the key of {text!r} is said to be another message's")

    def success(self, post: Post) -> int:
        """Return the status of an answer that something is stored."""
        return 200 if post.hook else 201

    def stored(self, post: Post, seq: int) -> None:
        """It is said to be stored: as this message, where one is named. Raises as `answered`."""
        text, said = self.text(post), self._said(post)
        if not said:
            raise HistoryBroken(f"{text!r} is answered as stored, and was not committed")
        if not seq:
            return
        if post.seq not in (0, seq):
            raise HistoryBroken(f"{text!r} is message {post.seq}, and {seq}")
        if seq not in {each.states[0][1].seq for each in said}:
            raise HistoryBroken(f"{text!r} of {post.me} was answered with {seq}, which is another message")
        post.seq = seq

    def _said(self, post: Post) -> list[ModelMessage]:
        """The messages that say it."""
        text = self.text(post)
        found = [each for each in self.world.storage.transcript.said.values() if each.states[0][1].text == text]
        if strange := [each for each in found if each.states[0][1].sender_id != post.me]:
            raise HistoryBroken(f"{text!r} was posted by {post.me}, and said by {strange[0].states[0][1].sender_id}")
        return found

    def check(self) -> None:
        """Each thing is stored once at most, and all that were answered are.

        Raises:
            HistoryBroken: it is not so.
        """
        self.check_posts(self.posts)

    def check_posts(self, posts: list[Post]) -> None:
        """See `check`, for some of them."""
        for post in posts:
            said = self._said(post)
            if len(said) > 1:
                raise HistoryBroken(f"{self.text(post)!r} was stored as {[each.states[0][1].seq for each in said]}")
            if post.is_done and not said:
                raise HistoryBroken(f"{self.text(post)!r} was answered as stored, and is not there")

    def is_at(self, line: HttpLine) -> bool:
        """Whether it still uses a connection."""
        return self._line is line

    def lost(self, line: HttpLine) -> None:
        """The connection is over."""
        if self._line is line:
            self._line = None

    def leave(self) -> None:
        """Enough."""
        if self._line is not None:
            self._line.connection.die()
            self._line = None

    def text(self, post: Post) -> str:
        """Return what something says."""
        return f"{self.base}:{post.number} tea"
