"""People: what they know, how they answer what their devices tell them, and when they lose their patience.

A `Person` has one or several devices. What a device tells is answered as people do: a name when one is needed, a
password, a new start when a program has ended. What people do of their own accord stands in `deeds`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from securechat.client.core import actions, events
from securechat.client.core.events.account import AccountAction
from securechat.client.core.state import ConversationId, PersonKey
from securechat.errors import ErrorCode
from securechat.testing.link import Death
from securechat.text.names import LOBBY
from tests.simulation import deeds
from tests.simulation.texts import Speech
from tests.simulation.web_device import device_for

if TYPE_CHECKING:
    import random

    from tests.simulation.device import Device
    from tests.simulation.world import World

NAMES = ("ann", "bob", "cyd", "dov", "eve", "fay", "gus", "hal")
_UNHEARD = 0.3
"""How often people go on although their program is not connected."""


class Person:
    """Somebody, with what they know.

    Attributes:
        ids: every sender they ever were.
        known_as: every name and address they ever had.
        keys: numbers of the keys that are theirs, for certificates.
        is_account: whether the server has told that they have one.
        lost_logins: whether a login of theirs may have been ended by somebody.
        may_be_invalid: whether a device may hear that its secret is somebody else's.
        rng: the dice of what they do now.
    """

    def __init__(self, world: World, number: int, *, talkative: bool, long_winded: bool) -> None:
        self.world = world
        self.number = number
        self.base = NAMES[number % len(NAMES)]
        self._own = self.rng = world.chance.dice(self.base)
        self.name = world.styled(self.base)
        self.address = f"10.0.0.{number + 1}"
        self.known_as: set[str] = {self.name, self.address}
        self.ids: set[int] = set()
        self.keys = (3 * number + 1, 3 * number + 2)
        self.passwords: list[str] = []
        self.is_account = False
        self.settles = "settled" in world.flavour
        self.may_register = self._own.random() < (0.8 if self.settles else 0.6)
        self.lost_logins = self.was_banned = self.may_be_invalid = False
        self.talkative = talkative
        self.speech = Speech(number, long_winded=long_winded)
        self.rooms: list[str] = []
        self.devices = [device_for(world, self, f"{self.base}.0", self.address)]
        self.rests_s = 0.3  # before a program that has ended is started again
        self.replaced: list[Device] = []  # programs that ran on while the same person started them again
        self.passwords_on_their_way: set[tuple[object, int]] = set()  # connection and ref of requests for another one
        self.dying: dict[str, list[str]] = {}  # tokens that a device's change of the password ends
        self.wanted_password = ""
        self._names = 0
        self._logins = 0

    @property
    def password(self) -> str:
        """The one they believe to be theirs."""
        return self.passwords[-1] if self.passwords else ""

    # --- answering what a device tells

    def hear(self, device: Device, happening: events.UiEvent) -> None:
        """Take a happening, and answer it a little later."""
        self.world.makers.hear(self, device, happening)
        match happening:
            case events.NameNeeded() | events.NameRefused():
                self.soon(device, lambda: device.want(actions.ChooseName(self.another_name())))
            case events.NameKept():
                if self.rng.random() < 0.3:  # the others wait for it
                    self.soon(device, lambda: device.want(actions.ChooseName(self.another_name())))
            case events.PasswordNeeded(_, new):
                self.soon(device, lambda: self._prove(device, new=new))
            case events.PasswordTemporary(knows_old=knows_old):
                self.soon(device, lambda: self._replace_password(device, knows_old=knows_old))
            case events.LoggedIn(account=account):
                self._greeted(device, account=account)
            case events.MemberRenamed(new=new, me=True):
                self.name = new
            case events.RoomJoined(room, again=False) if room != LOBBY and room not in self.rooms:
                self.rooms.append(room)
            case events.RoomLeft(room) if room in self.rooms:
                self.rooms.remove(room)
            case events.AccountActionDone() | events.AccountActionUnconfirmed():
                self._done(device, happening)
            case events.CertificatesShown(certificates):
                deeds.accounts.look_at_certificates(self, device, certificates)
            case events.BackOnline():
                device.tries = 0
                self._take_name_of(device)
            case events.ClientEnded():
                self._ended(device, happening)
            case _:
                pass

    def _greeted(self, device: Device, *, account: bool) -> None:
        device.tries = 0
        self.world.crossings.program_is_in(device)
        self.is_account = self.is_account or account
        self._take_name_of(device)
        if self.may_register and not account:
            self.soon(device, lambda: deeds.accounts.register(self, device))
        if self.settles and not self.rooms:
            self.soon(
                device,
                lambda: device.want(actions.JoinRoom(self.rng.choice(deeds.rooms.ROOMS[: self.world.room_records]))),
            )

    def _done(self, device: Device, happening: events.AccountActionDone | events.AccountActionUnconfirmed) -> None:
        match happening:
            case events.AccountActionDone(AccountAction.REGISTER):
                self.is_account = True
                if "certificates" in self.world.flavour:
                    self.soon(device, lambda: deeds.accounts.add_certificate(self, device))
                for _ in range(self.rng.choice((0, 0, 1, 1, 2))):
                    self.soon(device, lambda: deeds.accounts.add_device(self, device))
            case events.AccountActionDone(AccountAction.CHANGE_PASSWORD):
                self.passwords = [self.wanted_password]
                for token in self.dying.get(device.name, ()):
                    self.world.law.end_token(token)
            case events.AccountActionDone(AccountAction.ADD_CERTIFICATE):
                self.soon(device, lambda: deeds.accounts.ask_certificates(self, device))
                for other in self.devices:
                    if other is not device:
                        self.soon(other, lambda other=other: deeds.accounts.show_certificate(self, other))
            case events.AccountActionDone(AccountAction.REMOVE_CERTIFICATE, number=int(number)):
                key = self.world.law.lost_certificate(self, number)
                if key is not None:
                    self.soon(device, lambda: deeds.accounts.prove_by_certificate(self, device, key))
            case events.AccountActionUnconfirmed(AccountAction.REGISTER):
                self.may_be_invalid = True
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

    def soon(self, device: Device, act: Callable[[], None]) -> None:
        """Do something a moment later, if the program still runs."""
        core = device.core
        self.later(0.05, 0.5, lambda: act() if device.core is core and not device.is_over else None)

    def later(self, low_s: float, high_s: float, act: Callable[[], None]) -> None:
        """Do something after a while."""
        self.world.clock.call_later(self.rng.uniform(low_s, high_s), act)

    def another_name(self) -> str:
        """A name that is nobody's, unless it is still our own."""
        self._names += 1
        plain = self.base if self._names == 1 and not self.is_account else f"{self.base}{self._names}"
        self.name = self.world.styled(plain)
        self.known_as.add(self.name)
        return self.name

    def _prove(self, device: Device, *, new: bool) -> None:
        device.tries += 1
        if new:
            self.passwords.append(self.fresh_password())
            self.may_be_invalid = True
            device.want(actions.GivePassword(self.password))
        elif self.passwords and device.tries <= 2 * len(self.passwords):
            wrong = not self.world.calm and self.rng.random() < 0.1
            known = self.passwords[-1 - (device.tries - 1) % len(self.passwords)]
            device.want(actions.GivePassword("not the password" if wrong else known))
        else:  # nothing known helps: come as somebody else
            device.stop()
            self._forget_who_we_were(device)
            self.later(0.1, 0.5, lambda: self.start(device))

    def _replace_password(self, device: Device, *, knows_old: bool) -> None:
        """Choose a password in place of the one that the administrator has set."""
        device.tries += 1
        if not self.passwords or device.tries > 2 * len(self.passwords):
            device.stop()
            self._forget_who_we_were(device)
            self.later(0.1, 0.5, lambda: self.start(device))
            return
        old = "" if knows_old else self.passwords[-1 - (device.tries - 1) % len(self.passwords)]
        if device.tries == 1 or self.wanted_password not in self.passwords:  # the next tries are for the same one
            self.wanted_password = self.fresh_password()
            self.passwords.insert(0, self.wanted_password)
        self.lost_logins = True
        others = [other for other in self.devices if other is not device]
        self.dying[device.name] = [token for other in others for token in other.tokens.values()]
        device.want(actions.SetPassword(old, self.wanted_password))

    def _forget_who_we_were(self, device: Device) -> None:
        device.tries = 0
        device.secret = device.fresh_secret()
        device.tokens = {}
        device.key = 0
        self.name = self.another_name()
        self.is_account = False
        for other in self.devices:
            if other is not device:
                other.stop()
        self.devices = [device]

    def fresh_password(self) -> str:
        """A password nobody else has."""
        return f"{self.base} likes {self.rng.getrandbits(40)} cats"

    def _ended(self, device: Device, ended: events.ClientEnded) -> None:
        self.world.returning.ended(device, ended)
        if ended.code in {ErrorCode.INVALID, ErrorCode.REPLACED}:
            device.secret = device.fresh_secret()
        if ended.cause is events.EndReason.LOGGED_OUT and device.last_hello is not None and device.last_hello.token:
            self.world.law.end_token(device.last_hello.token)
        wait_s = 2.0 if ended.code is ErrorCode.BANNED else self.rests_s
        if not self.world.leaving:
            self.later(wait_s, 2 * wait_s, lambda: self.start(device))

    def start_twice(self, device: Device) -> None:
        """Start a program that runs a second time, with the same secret; the first one is left to itself."""
        if device.is_quiet and device in self.devices and not self.world.leaving:
            again = device.twin()
            self.devices[self.devices.index(device)] = again
            self.replaced.append(device)
            self.start(again)

    def start(self, device: Device, *, invite: str = "") -> None:
        """Start a program that does not run."""
        if device.is_over and device in self.devices and not self.world.leaving:
            device.start(invite=invite)

    # --- acting

    def act(self, dice: random.Random) -> None:
        """Do something."""
        self.rng = dice
        device = dice.choice([each for each in self.devices if each.is_online] or self.devices)
        if device.is_online or (not device.is_over and dice.random() < _UNHEARD):
            if dice.random() < (0.8 if self.talkative else 0.3):
                deeds.talk.talk(self, device)
            else:
                dice.choice(self.world.deeds)(self, device)
        self.rng = self._own

    def some_place(self, device: Device) -> ConversationId:
        """A conversation to say something in."""
        if self.rng.random() < 0.2:
            other = self.rng.choice(self.world.people).devices[0].core
            if other is not None and other.me.id and other.me.id not in self.ids:
                return PersonKey(other.me.id)
        room = self.some_room(device)
        assert device.core is not None
        return device.core.room(room)

    def some_room(self, device: Device) -> str:
        """A room that the device is in, or the lobby."""
        assert device.core is not None
        here = [room for room in device.core.rooms if room != LOBBY]
        return self.rng.choice(here) if here and self.rng.random() < 0.7 else LOBBY

    def crash(self, device: Device) -> None:
        """The program is killed."""
        device.stop()
        self.later(0.0, self.rng.choice((0.1, 4.0)), lambda: self.start(device))

    def lose_line(self, device: Device) -> None:
        """The connection breaks, and what has arrived on it is not read."""
        if device.connection is not None:
            line, device.connection.slow = device.connection, True
            line.connection.die(Death.RESET)
            line.end.lose_unread()
