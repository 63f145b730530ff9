"""People who never stop: raw clients and users of the real one, who do all that can be done to messages, as a load.

Each does one thing after the other, drawn from a generator of its own, and remembers what it was told. A connection may
break at any moment: then they come back, send again what was not acknowledged, and go on. Every text is another.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from securechat.client.core import actions
from securechat.client.core.credentials import Credentials
from securechat.client.core.state import PersonKey
from securechat.errors import ErrorCode
from securechat.model import (
    Acked,
    AskUnread,
    Delete,
    Deleted,
    Direct,
    Edit,
    Edited,
    Event,
    LogEntry,
    Message,
    React,
    Reacted,
    Read,
    Refused,
    Register,
    Registered,
    RevisionKind,
    Say,
    UnreadList,
)
from securechat.testing.acks import HistoryBroken
from tests.simulation.checkers.wire_checks import Realtime, Stream
from tests.support.checked import CheckedClient, CheckedCore, CheckedRunner
from tests.support.native import Gone
from tests.support.secrecy import PASSWORD, keep_secret
from tests.support.server import ServerProcess, wait_until

WINDOW = 8
"""Drafts that a raw client has under way."""
ROOMS = ("lobby", "ops")
SIGNS = ("👍", "+1")
Target: TypeAlias = tuple[int, str | None, int | None]
"""A message, and the room or the person it was said to."""
DraftCommand: TypeAlias = Say | Direct | Edit | Delete | React


class Crowd:
    """Everybody, and what they share.

    Attributes:
        realtime: the highest seq that anybody was acknowledged.
        ids: who there is, by name.
        read: how far Ann has read, as far as the server has told her, by room or the other person's sender_id.
    """

    def __init__(self, server: ServerProcess, seed: int) -> None:
        self.server = server
        self.seed = seed
        self.realtime = Realtime()
        self.ids: dict[str, int] = {}
        self.read: dict[str | int, int] = {}
        self.talkers = [Talker(self, name) for name in ("guest 0", "guest 1", "guest 2", "ann")]
        self.users: list[CheckedRunner] = []

    def come(self) -> None:
        """Ann registers; everybody says hello for the first time, and then begins to talk."""
        for talker in self.talkers:
            talker.introduce(register=talker.name == "ann")
        for name, password in (("walker", ""), ("ann", PASSWORD)):
            rng = random.Random(f"{self.seed}/{name} with the real client")
            secret = f"{rng.getrandbits(128):032x}"
            core = CheckedCore(name, self.realtime, Credentials(secret, password=password), secret)
            user = User(rng, f"{name}, really,")
            self.users.append(CheckedRunner(self.server.port, self.server.ca, core, user.next_intent))
            # Whoever was never let in does not come back by themselves: nothing breaks before that.
            until(lambda: len(self.users[-1].core.display.shown) > 0, f"{name} has come", self)
        for talker in self.talkers:
            talker.start()

    @property
    def acked(self) -> int:
        """Acknowledgements so far."""
        return sum(talker.acked for talker in self.talkers)

    @property
    def streams(self) -> list[Stream]:
        return [talker.stream for talker in self.talkers] + [user.core.stream for user in self.users]

    def check_health(self) -> None:
        problems = [problem for each in (*self.talkers, *self.users) if (problem := each.problem) is not None]
        if problems:
            raise problems[0]
        over = [user.core.display.who for user in self.users if user.core.display.ended]
        assert not over, f"{over} have left"

    def finish(self) -> None:
        """Let everybody have their last words acknowledged, and all that was said be shown."""
        for each in (*self.users, *self.talkers):
            each.enough.set()
        for talker in self.talkers:
            talker.join(60)
            assert not talker.is_alive(), "a talker does not end"
        self.check_health()

    def stop(self) -> None:
        """Let nothing go on, whatever happened."""
        for talker in self.talkers:
            talker.enough.set()
            talker.is_over = True
        for user in self.users:
            user.stop()


class Talker(threading.Thread):
    """A raw client that never stops talking and never forgets what it was told.

    Attributes:
        acked: acknowledgements, repeated ones too.
        shown: everything that came live, over all connections.
        stream: what it sent, and what it was told about that.
        problem: what went wrong in the thread, if anything.
    """

    def __init__(self, crowd: Crowd, name: str) -> None:
        super().__init__(name=name)
        self.crowd = crowd
        self.rng = random.Random(f"{crowd.seed}/{name}")
        self.secret = f"{self.rng.getrandbits(128):032x}"
        self.stream = Stream()
        self.shown: list[LogEntry] = []
        self.acked = 0
        self.problem: BaseException | None = None
        self.enough = threading.Event()
        self.is_over = False
        self.token = ""
        self._refs = itertools.count(1000)
        self._next_id = 1
        self._unacked: dict[int, DraftCommand] = {}
        self._mine: deque[Target] = deque(maxlen=8)
        self._seen: deque[Target] = deque(maxlen=8)

    def connect(self) -> CheckedClient:
        """Connect and say hello."""
        server = self.crowd.server
        client = CheckedClient(server.port, server.ca, self.name, self.crowd.realtime, self.stream, self.secret)
        try:
            welcome = client.log_in(self.name, self.token) if self.token else client.hello(self.name)
            keep_secret(welcome.token)
            known = self.crowd.ids.setdefault(self.name, welcome.sender_id)
            assert known == welcome.sender_id, "whoever comes back is the same person"
            client.join("ops")
        except BaseException:
            client.close()
            raise
        return client

    def introduce(self, *, register: bool) -> None:
        """Come and go once, while nothing breaks."""
        with self.connect() as client:
            if register:
                client.send(Register(ref=next(self._refs), password=PASSWORD))
                self.token = keep_secret(client.wait_for(Registered).token)

    def run(self) -> None:
        try:
            while not self.is_over and (not self.enough.is_set() or self._unacked):
                try:
                    with self.connect() as client:
                        self._talk(client)
                except (Gone, OSError):
                    self.enough.wait(0.005)  # refused while the server is down; the loop is the condition
        except BaseException as error:  # noqa: BLE001  (the test reports it)
            self.problem = error

    def _talk(self, client: CheckedClient) -> None:
        client.send(*self._unacked.values())
        seen = 0
        while not self.enough.is_set() or self._unacked:
            while len(self._unacked) < WINDOW and not self.enough.is_set():
                self._send(client)
            if not client.pump(20):
                raise Gone("silence")
            for event in client.events[seen:]:
                self._hear(event)
            seen = len(client.events)

    # --- what it says

    def _send(self, client: CheckedClient) -> None:
        draft = self._draft(self._next_id)
        self._next_id += 1
        self._unacked[draft.client_id] = draft
        client.send(draft)
        if self.token and self.rng.random() < 0.2:
            self._read(client)

    def _draft(self, number: int) -> DraftCommand:
        """Something of all that can be said; the text of each is another."""
        rng, text = self.rng, f"{self.name} says {number}"
        what = rng.choices(("say", "reply", "direct", "edit", "delete", "react"), (40, 10, 8, 18, 8, 16))[0]
        if what in {"edit", "delete"} and self._mine:
            seq, room, to = rng.choice(self._mine)
            return Edit(number, seq, text, room, to) if what == "edit" else Delete(number, seq, room, to)
        if what == "react" and self._seen:
            seq, room, to = rng.choice(self._seen)
            return React(number, seq, rng.choice(SIGNS), room, to, on=rng.random() < 0.7)
        if what == "reply" and self._seen:
            seq, room, to = rng.choice(self._seen)
            return Say(number, room, text, reply=seq) if room is not None else Direct(number, to or 0, text, reply=seq)
        if what == "direct":
            others = [who for name, who in sorted(self.crowd.ids.items()) if name != self.name]
            return Direct(number, rng.choice(others), text)
        return Say(number, rng.choice(ROOMS), text)

    def _read(self, client: CheckedClient) -> None:
        """Tell how far something was read, now and then less far than before; and ask."""
        if self._seen:
            seq, room, to = self.rng.choice(self._seen)
            client.send(Read(seq, room, to))
        client.send(AskUnread(next(self._refs)))

    # --- what it hears

    def _hear(self, event: Event) -> None:
        match event:
            case Acked(client_id, seq):
                self.acked += 1
                self._acked(self._unacked.pop(client_id, None), seq)
            case Refused(code=code, client_id=int(client_id)):
                draft = self._unacked.pop(client_id)
                assert code in self._in_vain(draft), f"{draft} was refused: {event}"
            case Message(seq=seq, room=room):
                self.shown.append(event)
                self._seen.append((seq, room, None if room is not None else self._other(event)))
            case Edited() | Deleted() | Reacted():
                self.shown.append(event)
            case UnreadList(items=items):
                for item in items:
                    place = item.room if item.room is not None else item.peer.id if item.peer else 0
                    if item.read_seq < self.crowd.read.get(place, 0):
                        raise HistoryBroken(f"{place} was read up to {self.crowd.read[place]}, and now {item}")
                    self.crowd.read[place] = item.read_seq
            case _:
                pass

    def _acked(self, draft: DraftCommand | None, seq: int) -> None:
        match draft:
            case Say(room=room):
                self._mine.append((seq, room, None))
            case Direct(to=to):
                self._mine.append((seq, None, to))
            case Delete(seq=target):
                self._mine = deque((each for each in self._mine if each[0] != target), maxlen=8)
            case _:
                pass

    def _in_vain(self, draft: DraftCommand) -> set[ErrorCode]:
        """For what a draft may be refused here."""
        match draft:
            case Say():
                return set()
            case Direct():
                return {ErrorCode.PERSON_ABSENT}  # a guest who has not come back yet
            case _:  # its message was deleted meanwhile; so it was the last time too, and something later is stored
                return {ErrorCode.NOT_FOUND, ErrorCode.OUT_OF_ORDER}

    def _other(self, message: Message) -> int | None:
        return message.to if message.sender_id == self.crowd.ids[self.name] else message.sender_id


class User:
    """What somebody does who has the real client: one thing, and the next when that is settled."""

    def __init__(self, rng: random.Random, who: str) -> None:
        self._rng = rng
        self._who = who
        self._count = 0

    def next_intent(self, core: CheckedCore) -> actions.Action | None:
        rng = self._rng
        self._count += 1
        text = f"{self._who} says {self._count}"
        room = core.room(rng.choice(ROOMS))
        conversation = core.conversations.get(room)
        last = list(conversation.messages)[-8:] if conversation is not None else []
        others = [message.sender_id for message in last if message.sender_id != core.me.id]
        mine = [message.seq for message in last if message.sender_id == core.me.id and message.deleted is None]
        match rng.choices(("speak", "reply", "direct", "edit", "delete", "react"), (30, 10, 5, 20, 10, 25))[0]:
            case "edit" if mine:
                return actions.ChangeMessage(room, RevisionKind.EDIT, rng.choice(mine), text)
            case "delete" if mine:
                return actions.ChangeMessage(room, RevisionKind.DELETE, rng.choice(mine))
            case "react" if last:
                kind = rng.choice((RevisionKind.REACT, RevisionKind.UNREACT))
                return actions.ChangeMessage(room, kind, rng.choice(last).seq, emoji=rng.choice(SIGNS))
            case "reply" if last:
                return actions.SendMessage(text, room, reply=rng.choice(last).seq)
            case "direct" if others:
                return actions.SendMessage(text, PersonKey(rng.choice(others)))
            case _:
                return actions.SendMessage(text, room)


def until(condition: Callable[[], Any], what: str, crowd: Crowd) -> None:
    def holds() -> bool:
        crowd.check_health()
        return bool(condition())

    wait_until(holds, what, 60)
