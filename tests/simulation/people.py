"""People: they talk, whisper, read, move, register, log in and out, and lose their patience. All of it is drawn.

A `Person` has one or several devices. What a device tells is answered as people do: a name when one is needed, a
password, a new start when a program has ended. New features join as further entries of `DEEDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from securechat.client import deeds
from securechat.client import happenings as told
from securechat.client import intents as want
from securechat.client.deeds import Deed
from securechat.client.state import Key, PersonKey, RoomKey
from securechat.errors import ErrorCode
from securechat.names import LOBBY
from securechat.testing.link import Death
from tests.simulation.device import Device

if TYPE_CHECKING:
    from tests.simulation.world import World

ROOMS = (LOBBY, "ops", "den")
_FILLERS = ("", "", "", " hi", " naïve ☕ e\u0301", " \u202edrow\x1b[31m", " two\nlines", " " + "x" * 300)


class Person:
    """Somebody, with what they know.

    Attributes:
        is_account: whether the server has told that they have one.
        lost_logins: whether a login of theirs may have been ended by somebody.
        may_be_invalid: whether a device may hear that its secret is somebody else's.
    """

    def __init__(self, world: World, number: int, *, talkative: bool, long_winded: bool) -> None:
        self.world = world
        self.number = number
        self.base = ("ann", "bob", "cyd", "dov", "eve", "fay", "gus", "hal")[number % 8]
        self.name = self.base
        self.known_as: set[str] = {self.name}
        self.address = f"10.0.0.{number + 1}"
        self.known_as.add(self.address)
        self.passwords: list[str] = []
        self.is_account = False
        self.may_register = world.rng.random() < 0.5
        self.lost_logins = False
        self.was_banned = False
        self.may_be_invalid = False
        self.talkative = talkative
        self.long_winded = long_winded
        self.rooms: list[str] = []
        self.devices = [Device(world, self, f"{self.base}.0", self.address)]
        self._names = 0
        self._logins = 0
        self._lines = 0
        self._wanted_password = ""
        self._dying: list[str] = []

    @property
    def password(self) -> str:
        return self.passwords[-1] if self.passwords else ""

    # --- answering what a device tells

    def hear(self, device: Device, happening: told.Happening) -> None:
        """Take a happening, and answer it a little later."""
        match happening:
            case told.NameNeeded() | told.NameRefused():
                self._soon(device, lambda: device.want(want.ChooseName(self.another_name())))
            case deeds.PasswordNeeded(_, new):
                self._soon(device, lambda: self._prove(device, new=new))
            case told.Greeted(account=account):
                device.tries = 0
                self.is_account = self.is_account or account
                self._take_name_of(device)
                if self.may_register and not account:
                    self._soon(device, lambda: self.register(device))
            case told.PersonRenamed(new=new, me=True):
                self.name = new
            case told.EnteredRoom(room, again=False) if room != LOBBY and room not in self.rooms:
                self.rooms.append(room)
            case told.LeftRoom(room) if room in self.rooms:
                self.rooms.remove(room)
            case deeds.DeedDone(Deed.REGISTER):
                self.is_account = True
                for _ in range(self.world.rng.choice((0, 1, 1, 2))):
                    self._soon(device, lambda: self.add_device(device))
            case deeds.DeedDone(Deed.CHANGE_PASSWORD):
                self.passwords = [self._wanted_password]
                for token in self._dying:
                    self.world.law.end_token(token)
            case deeds.DeedUnanswered(Deed.REGISTER):
                self.may_be_invalid = True
            case told.BackOnline():
                device.tries = 0
                self._take_name_of(device)
            case told.Ended():
                self._ended(device, happening)
            case _:
                pass

    def makes_login(self) -> None:
        """A hello, or a registration, may make another login, whether its answer arrives or not."""
        self._logins += 1
        if self._logins >= self.world.limits.sessions_per_account:
            self.lost_logins = True  # the one unused for longest makes room

    def _take_name_of(self, device: Device) -> None:
        if device.core is not None:
            self.name = device.core.me.name

    def _soon(self, device: Device, act: Callable[[], None]) -> None:
        core = device.core
        self.world.later(0.05, 0.5, lambda: act() if device.core is core and not device.is_over else None)

    def another_name(self) -> str:
        """A name that is nobody's, unless it is still our own."""
        self._names += 1
        self.name = self.base if self._names == 1 and not self.is_account else f"{self.base}{self._names}"
        self.known_as.add(self.name)
        return self.name

    def _prove(self, device: Device, *, new: bool) -> None:
        device.tries += 1
        if new:
            self.passwords.append(self.fresh_password())
            self.may_be_invalid = True
            device.want(want.GivePassword(self.password))
        elif self.passwords and device.tries <= 2 * len(self.passwords):
            wrong = not self.world.calm and self.world.rng.random() < 0.1
            known = self.passwords[-1 - (device.tries - 1) % len(self.passwords)]
            device.want(want.GivePassword("not the password" if wrong else known))
        else:  # nothing known helps: come as somebody else
            device.stop()
            self._forget_who_we_were(device)
            self.world.later(0.1, 0.5, lambda: self.start(device))

    def _forget_who_we_were(self, device: Device) -> None:
        device.tries = 0
        device.secret = self.world.fresh_secret()
        device.tokens = {}
        self.name = self.another_name()
        self.is_account = False
        for other in self.devices:
            if other is not device:
                other.stop()
        self.devices = [device]

    def fresh_password(self) -> str:
        """A password nobody else has."""
        return f"{self.base} likes {self.world.rng.getrandbits(40)} cats"

    def _ended(self, device: Device, ended: told.Ended) -> None:
        if ended.code in {ErrorCode.INVALID, ErrorCode.REPLACED}:
            device.secret = self.world.fresh_secret()
        if ended.cause is told.EndCause.LOGGED_OUT and device.last_hello is not None and device.last_hello.token:
            self.world.law.end_token(device.last_hello.token)
        wait_s = 2.0 if ended.code is ErrorCode.BANNED else 0.3
        if not self.world.leaving:
            self.world.later(wait_s, 2 * wait_s, lambda: self.start(device))

    def start(self, device: Device, *, invite: str = "") -> None:
        """Start a program that does not run."""
        if device.is_over and device in self.devices and not self.world.leaving:
            device.start(invite=invite)

    # --- acting

    def act(self) -> None:
        """Do something."""
        rng = self.world.rng
        device = rng.choice(self.devices)
        if device.is_over or device.core is None:
            return
        if rng.random() < (0.8 if self.talkative else 0.4):
            self.talk(device)
        else:
            rng.choice(DEEDS)(self, device)

    def text(self) -> str:
        """Something never said before."""
        self._lines += 1
        rng = self.world.rng
        filler = "y" * rng.randint(1_500, 3_900) if self.long_winded else rng.choice(_FILLERS)
        return f"{self.number}:{self._lines}{filler}"

    def talk(self, device: Device) -> None:
        """Say one thing, or many at once."""
        rng = self.world.rng
        for _ in range(rng.choice((1, 1, 2, 3, 8, 20)) if self.talkative else rng.choice((1, 1, 1, 2, 5))):
            target = self._target()
            device.want(want.Speak(self.text(), target))

    def _target(self) -> Key:
        rng = self.world.rng
        if rng.random() < 0.2:
            other = rng.choice(self.world.people).devices[0].core
            if other is not None and other.me.id and other.me.id not in self._own_ids():
                return PersonKey(other.me.id)
        return RoomKey(rng.choice(self.rooms) if self.rooms and rng.random() < 0.7 else LOBBY)

    def _own_ids(self) -> set[int]:
        return {device.core.me.id for device in self.devices if device.core is not None}

    def whisper(self, device: Device) -> None:
        other = self.world.rng.choice(self.world.people)
        if other is not self:
            device.want(want.Whisper(other.name, self.text()))

    def enter(self, device: Device) -> None:
        device.want(want.Enter(self.world.rng.choice(ROOMS[1:])))

    def depart(self, device: Device) -> None:
        device.want(want.Depart(self.world.rng.choice(ROOMS[1:])))

    def ask(self, device: Device) -> None:
        rng = self.world.rng
        asked: tuple[want.Intent, ...] = (
            want.AskWho(rng.choice(ROOMS)),
            want.AskRooms(),
            want.AskHistory(self._target(), rng.choice((3, 50, 300))),
            want.AskLogins(),
        )
        device.want(rng.choice(asked))

    def rename(self, device: Device) -> None:
        if not device.is_online:
            return
        rng = self.world.rng
        self._names += 1
        name = rng.choice(self.world.people).name if rng.random() < 0.4 else f"{self.base}{self._names}"
        self.known_as.add(name)
        device.want(want.ChooseName(name))
        if self.is_account and rng.random() < 0.3:
            self._soon_gone()

    def _soon_gone(self) -> None:
        """Leave before the answer comes."""
        for each in self.devices:
            self.world.later(0.0, 0.02, lambda one=each: one.want(want.Finish(0.0)))

    def register(self, device: Device) -> None:
        if self.may_register and not self.is_account and device.is_online:
            self.passwords.append(self.fresh_password())
            self.may_be_invalid = True
            self.makes_login()
            device.want(want.Register(self.password))
            if "cut" in self.world.flavour and not self.world.calm:
                self.talk(device)
                if device.connection is not None and self.world.rng.random() < 0.5:
                    device.connection.end.pause()  # the server does it all, and the answers are lost
                self.world.later(0.0, 0.4, lambda: self.lose_line(device))

    def change_password(self, device: Device) -> None:
        if self.is_account and device.is_online:
            self._wanted_password = self.fresh_password()
            old = self.password
            self.passwords.append(self._wanted_password)
            self.lost_logins = True
            others = [other for other in self.devices if other is not device]
            self._dying = [token for other in others for token in other.tokens.values()]
            device.want(want.ChangePassword(old, self._wanted_password))

    def add_device(self, device: Device) -> None:
        if self.is_account and len(self.devices) < 3 and self.passwords:
            address = f"10.0.{len(self.devices)}.{self.number + 1}"
            self.known_as.add(address)
            new = Device(self.world, self, f"{self.base}.{len(self.devices)}", address)
            self.devices.append(new)
            self.start(new)

    def log_out(self, device: Device) -> None:
        if self.is_account and self.passwords:
            self.lost_logins = True
            device.want(want.EndLogin())

    def quit(self, device: Device) -> None:
        device.want(want.Finish(self.world.rng.choice((0.0, 1.0))))

    def crash(self, device: Device) -> None:
        """The program is killed."""
        device.stop()
        self.world.later(0.0, self.world.rng.choice((0.1, 4.0)), lambda: self.start(device))

    def lose_line(self, device: Device) -> None:
        if device.connection is not None:
            line, device.connection.slow = device.connection, True
            line.connection.die(Death.RESET)
            line.end.lose_unread()

    def use_invite(self, device: Device) -> None:
        if self.world.invites and not self.is_account and device.is_online:
            invite = self.world.invites.pop()
            device.stop()
            self.may_be_invalid = True
            self.start(device, invite=invite)


DEEDS: tuple[Callable[[Person, Device], None], ...] = (
    Person.whisper,
    Person.enter,
    Person.enter,
    Person.depart,
    Person.ask,
    Person.ask,
    Person.rename,
    Person.register,
    Person.register,
    Person.change_password,
    Person.add_device,
    Person.add_device,
    Person.log_out,
    Person.quit,
    Person.crash,
    Person.lose_line,
    Person.use_invite,
)
"""What a person may do besides talking; edits, reactions and search will stand here."""
