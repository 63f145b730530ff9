"""People who make bots, webhooks and tokens, an administrator who acts on them, and programs that come by these.

A maker acts through the program of a person, as `/bot`, `/hook` and `/token` do. What it is told of a token is all that
the programs know. They come by tokens that are good, by rotated ones and by those that were removed, post with keys,
ask for what their token is not good for, and repeat what they have no answer to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securechat.client.core import actions, events
from securechat.client.core.actions import ModerationVerb
from securechat.errors import ErrorCode
from securechat.model import (
    Acked,
    AskConversations,
    AskUnread,
    Command,
    Direct,
    Event,
    Hello,
    History,
    Join,
    Leave,
    Refused,
    Rooms,
    Say,
    Search,
    TokenScope,
    Typing,
    Welcome,
    Who,
)
from securechat.testing.log_checks import HistoryBroken
from securechat.text.names import LOBBY
from tests.simulation import deeds
from tests.simulation.crowd import Guest
from tests.simulation.flavour import FILES

if TYPE_CHECKING:
    import random

    from tests.simulation.device import Device
    from tests.simulation.people import Person
    from tests.simulation.world import World

_SCOPES: tuple[tuple[TokenScope, ...], ...] = (("post", "read"), ("post", "read"), ("post",), ("read",))
_VERBS = (
    ModerationVerb.INVITE,
    ModerationVerb.INVITE,
    ModerationVerb.KICK,
    ModerationVerb.MUTE,
    ModerationVerb.BAN,
    ModerationVerb.UNBAN,
)
_DAYS = (None, None, None, 1)
_MOST = 6
"""Tokens of one person, after which it makes no more."""
_SHUTTING = 0.3
"""How often a maker goes on to bring a bot into a private room, and to leave it there."""
_OLD = 0.3
"""How often a program comes by any token that there ever was, and not by one of the latest."""


@dataclass(slots=True)
class Secret:
    """A token, as its owner was told of it.

    Attributes:
        token: the secret.
        token_id: its number.
        scopes: what it is good for.
        rooms: names of the only rooms it is good for, as they were; empty for all.
        bot: the bot or webhook that it is for, by name; empty for the person's own.
        maker: who made it.
        is_over: whether its owner was told that it is removed.
    """

    token: str
    token_id: int
    scopes: tuple[str, ...]
    rooms: tuple[str, ...]
    bot: str
    maker: Person
    is_over: bool = False


class Makers:
    """All that people make.

    Args:
        world: whose people.

    Attributes:
        secrets: of all tokens, in the order in which they were told.
    """

    base = "makers"

    def __init__(self, world: World) -> None:
        self._world = world
        self._names = 0
        self._wanted: Secret | None = None  # by which a program shall come next
        self._asked: dict[str, list[tuple[int, float]]] = {}  # rotations under way, by device: the old token, and when
        self.secrets: list[Secret] = []

    # --- what they do

    def act(self, dice: random.Random) -> None:
        """Let a person with an account do something about programs, or the administrator about such a person."""
        world = self._world
        makers = [person for person in world.people if person.is_account]
        if not makers:
            return
        person = dice.choice(makers)
        own = [secret for secret in self.secrets if secret.maker is person and not secret.is_over]
        if own and dice.random() < 0.15:
            world.administrator.act_on_maker(person, dice)
            return
        device = next((each for each in person.devices if each.is_online), None)
        if device is None:
            return
        if dice.random() < _SHUTTING:
            self._shut_in(person, device, own, dice)
        elif len(own) < 2 or (len(own) < _MOST and dice.random() < 0.35):
            self._make(person, device, dice)
        else:
            self._change(person, device, dice.choice(own), dice)

    def _make(self, person: Person, device: Device, dice: random.Random) -> None:
        assert device.core is not None
        here = _rooms_of(device)
        rooms = tuple(dice.sample([LOBBY, *here], min(dice.choice((0, 1, 1, 2)), 1 + len(here))))
        if here and dice.random() < 0.3:
            rooms = (here[0],)
        scopes, days = dice.choice(_SCOPES), dice.choice(_DAYS)
        if FILES in self._world.flavour:
            scopes = (*scopes, "files")
        self._names += 1
        name = self._world.styled(f"{person.base}bot{self._names}")
        if dice.random() < 0.4:
            device.want(actions.MakeToken(name[:30], scopes, rooms, days))
        elif dice.random() < 0.2:
            device.want(actions.MakeBot(name, hook=True, rooms=rooms[:1] or tuple(here[:1]), days=days))
        else:
            device.want(actions.MakeBot(name, rooms=rooms, scopes=scopes, days=days))

    def _shut_in(self, person: Person, device: Device, own: list[Secret], dice: random.Random) -> None:
        """Go a step further: have a private room, make a bot for it, let a program come by its token, and leave."""
        room = next((room for room in _rooms_of(device) if room.startswith("hush")), None)
        if room is None:
            self._hide(person, device, dice)
            return
        there = [secret for secret in own if secret.bot and room in secret.rooms]
        if not there:
            self._add_bot(person, device, (room,), ("post", "read"))
        elif any(program.came_by in there for program in self._world.programs if isinstance(program, TokenProgram)):
            device.want(actions.LeaveRoom(room, sure=True))
        else:
            self._wanted = there[-1]

    def _hide(self, person: Person, device: Device, dice: random.Random) -> None:
        """Make a room private; the person's own dice are left as they are."""
        rng, person.rng = person.rng, dice
        deeds.rules.hide(person, device)
        person.rng = rng

    def _add_bot(self, person: Person, device: Device, rooms: tuple[str, ...], scopes: tuple[TokenScope, ...]) -> None:
        self._names += 1
        name = self._world.styled(f"{person.base}bot{self._names}")
        device.want(actions.MakeBot(name, rooms=rooms, scopes=scopes))

    def _change(self, person: Person, device: Device, secret: Secret, dice: random.Random) -> None:
        """End a token or a bot, rotate it, or leave it without the room that it is for."""
        assert device.core is not None
        what = dice.random()
        here = _rooms_of(device)
        if what < 0.2:
            self._asked.setdefault(device.name, []).append((secret.token_id, self._world.clock.now))
            device.want(actions.ReplaceToken(secret.token_id))
        elif what < 0.32:
            device.want(actions.EndToken(secret.token_id))
        elif what < 0.38 and secret.bot:
            device.want(actions.EndBot(secret.bot))
        elif what < 0.5:
            self._hide(person, device, dice)
        elif what < 0.65 and here:
            device.want(actions.LeaveRoom(here[0] if dice.random() < 0.7 else dice.choice(here), sure=True))
        elif what < 0.9 and here:
            other = dice.choice(self._world.people)
            seconds = dice.choice((None, 1))
            verb = dice.choice(_VERBS)
            if verb is not ModerationVerb.BAN and verb is not ModerationVerb.MUTE:
                seconds = None
            device.want(actions.ModerateMember(dice.choice(here), verb, other.name, seconds))
        else:
            device.want(actions.ShowBots() if dice.random() < 0.5 else actions.ShowTokens())

    # --- what they are told

    def hear(self, person: Person, device: Device, happening: events.UiEvent) -> None:
        """A person's program tells something about programs."""
        match happening:
            case events.ApiTokenMade(token, info, bot, rotated):
                name = "" if bot is None else bot.name
                self.secrets.append(Secret(token, info.token, tuple(info.scopes), tuple(info.rooms), name, person))
                if rotated and (asked := self._asked.get(device.name)):
                    self._world.token_law.rotated(asked)
            case events.ProgramActionDone(actions.EndToken(number)):
                self._over([secret for secret in self.secrets if secret.token_id == number])
            case events.ProgramActionDone(actions.EndBot(name)):
                self._over([secret for secret in self.secrets if secret.bot == name])
            case events.ProgramActionUnconfirmed() | events.ClientEnded():
                self._asked.pop(device.name, None)
            case _:
                pass

    def _over(self, secrets: list[Secret]) -> None:
        for secret in secrets:
            secret.is_over = True
            self._world.token_law.ended(secret.token)

    def some_secret(self, dice: random.Random) -> Secret | None:
        """A token for a program to come by: mostly one of the latest."""
        if (wanted := self._wanted) is not None:
            self._wanted = None
            return wanted
        if not self.secrets:
            return None
        return dice.choice(self.secrets if dice.random() < _OLD else self.secrets[-4:])


def _rooms_of(device: Device) -> list[str]:
    """The rooms that a device is in but for the lobby, private ones first."""
    assert device.core is not None
    return sorted((room for room in device.core.rooms if room != LOBBY), key=lambda room: not room.startswith("hush"))


@dataclass(slots=True)
class Alert:
    """What a program says once, until it has an answer.

    Attributes:
        number: which one.
        me: who said it first: only that one's programs may repeat it.
        room: where.
        seq: what it was answered with; 0 for nothing.
    """

    number: int
    me: int
    room: str
    seq: int = 0


class TokenProgram(Guest):
    """A program that comes by one token after the other.

    Args:
        world: where.
        number: which one.
    """

    every_s = 0.1

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, f"script{number}", f"10.79.0.{number + 1}")
        self._secret: Secret | None = None
        self._resume: dict[str, str] = {}
        self._count = self._directs = 0
        self._alerts: list[Alert] = []
        self._sent: dict[int, Alert] = {}

    def act(self, dice: random.Random) -> None:
        """Come, post, ask, or go without a word."""
        if self.line is None or self.line.connection.dead:
            self._secret = self.world.makers.some_secret(dice)
            if self._secret is not None:
                self.come(good=False)
        elif self.is_inside:
            if dice.random() < 0.1:
                self.leave()
            else:
                for _ in range(dice.choice((1, 1, 3))):
                    self._do_something(dice)

    @property
    def came_by(self) -> Secret | None:
        """The token by which it is in."""
        return self._secret if self.is_inside else None

    def begin(self) -> None:
        """A connection is there."""
        self._sent.clear()
        if self.line is None or self._secret is None:
            return
        token = self._secret.token
        resume = self._resume.setdefault(token, f"{self.rng.getrandbits(128):032x}")
        host, port = self.line.connection.server.peer[:2]
        self.world.token_law.says_hello(f"{host}:{port}", token)
        self.line.send(Hello(1, "script", resume, token=token))

    def hear(self, event: Event) -> None:
        """Hold every answer against the one before, and against what the token is good for.

        Raises:
            HistoryBroken: what was said is another message, or may not be said.
        """
        match event:
            case Welcome():
                self._count = event.last_client_id
                if self.line is not None:
                    self._enter(self.rng)
            case Acked(client_id, seq) if client_id in self._sent:
                self._acknowledged(self._sent[client_id], seq)
            case Refused(code=ErrorCode.TOKEN_INVALID):
                self.leave()
            case _:
                pass

    def _acknowledged(self, alert: Alert, seq: int) -> None:
        said = self.world.storage.transcript.said[seq].states[0][1]
        if alert.seq not in (0, seq):
            raise HistoryBroken(f"{self._text(alert)!r} is message {alert.seq}, and {seq}")
        if (said.text, said.sender_id) != (self._text(alert), alert.me):
            raise HistoryBroken(f"{self._text(alert)!r} of {alert.me} was acknowledged as {said}")
        assert self._secret is not None
        if not {"post", "hook"} & set(self._secret.scopes):
            raise HistoryBroken(f"{self.base} came by a token that only reads, and said {self._text(alert)!r}")
        alert.seq = seq

    @property
    def acknowledged(self) -> int:
        """How many alerts were answered."""
        return sum(alert.seq > 0 for alert in self._alerts)

    def check(self) -> None:
        """Every alert is stored at most once, and all that were answered are.

        Raises:
            HistoryBroken: it is not so.
        """
        stored: dict[str, list[int]] = {}
        for seq, said in self.world.storage.transcript.said.items():
            first = said.states[0][1]
            if first.text.startswith(f"{self.base}:"):
                stored.setdefault(first.text, []).append(seq)
        for text, seqs in stored.items():
            if len(seqs) > 1:
                raise HistoryBroken(f"{text!r} was stored as {seqs}")
        for alert in self._alerts:
            if alert.seq and stored.get(self._text(alert)) != [alert.seq]:
                raise HistoryBroken(f"{self._text(alert)!r} was answered with {alert.seq}, and is not there")

    # --- what it asks for

    def _do_something(self, dice: random.Random) -> None:
        what = dice.random()
        again = [alert for alert in self._alerts if alert.me == self._me]
        if what < 0.45:
            self._alerts.append(alert := Alert(len(self._alerts) + 1, self._me, self._some_room(dice)))
            self._post(alert)
        elif what < 0.65 and again:
            self._post(dice.choice([alert for alert in again if not alert.seq] or again))
        elif what < 0.75:
            self._enter(dice)
        else:
            self._ask(dice)

    @property
    def _me(self) -> int:
        return self.line.me if self.line is not None else 0

    def _some_room(self, dice: random.Random) -> str:
        """A room: mostly one that the token is for."""
        known = self._secret.rooms if self._secret is not None else ()
        return dice.choice((*known, *known, LOBBY, *deeds.rooms.ROOMS))

    def _enter(self, dice: random.Random) -> None:
        room = self._some_room(dice)
        self._send(room, Join(self._next(), [room]))

    def _post(self, alert: Alert) -> None:
        number = self._next()
        self._sent[number] = alert
        self._send(alert.room, Say(number, alert.room, self._text(alert), key=f"{self.base}-{alert.number}"))

    def _ask(self, dice: random.Random) -> None:
        room, number = self._some_room(dice), self._next()
        some: tuple[Command, ...] = (
            History(number, room=room),
            History(number, after=0),
            Search(number, "tea"),
            Who(number, room),
            Rooms(number),
            AskUnread(number),
            AskConversations(number),
            Typing(room=room),
            Leave(number, room),
        )
        accounts = sorted({who for each in self.world.people if each.is_account for who in each.ids})
        if accounts and dice.random() < 0.2:
            to = dice.choice(accounts)
            self._directs += 1
            self._send("", Direct(number, to, f"psst{self._me}-{to}; {self.base}, {self._directs}"))
        else:
            self._send(room, dice.choice(some))

    def _send(self, room: str, command: Command) -> None:
        assert self.line is not None
        self.world.hush.guessed(room, {self._me})
        self.world.clock.note(self.base, f"> {command!r}"[:160])
        self.line.send(command)

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _text(self, alert: Alert) -> str:
        return f"{self.base}:{alert.number} tea"
