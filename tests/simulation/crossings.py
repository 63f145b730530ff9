"""What crosses on its way to the disk, and acts on those who stand as high: tried on purpose, being rare otherwise.

A scene is a few acts of some people that fit together, a moment apart. Scenes have dice of their own, so that a run
without them is the run it was before.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from securechat.client.core import actions
from securechat.client.core.actions import ModerationVerb
from securechat.model import SetRoom
from securechat.text.names import LOBBY

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.simulation.device import Device
    from tests.simulation.people import Person
    from tests.simulation.world import World

_COMMIT_S = 0.012
"""About as long as a commit takes: two acts within it meet."""
_AGAIN_S = 0.4
_TRIES = 4
"""How often a scene is tried whose people are not there yet, and when again."""
_ANSWER_S = 0.3
"""Until what was asked for is done, mostly."""
_MANY = 20
"""Lines of somebody who talks while a room gets another name: more than the server takes unacknowledged."""
_SHARE = 0.35
"""How often each scene is played in a run where it can be."""
_TWICE = 0.1
"""How many programs are started again while they run, where programs break."""
_KILLED = 0.5
"""How many programs are killed in which a temporary password is being replaced."""
_AWAY_S = 3.0
"""For how long somebody stays away who was thrown out while getting another name: is it in use all that time?"""


class _Here(NamedTuple):
    person: Person
    device: Device
    room: str


class Crossings:
    """Plays scenes.

    Args:
        world: whose people act.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.chance.dice("crossings")
        self._count = 0
        flavour = world.flavour
        self._scenes: list[Callable[[random.Random], bool]] = []
        if "rules" in flavour:
            self._scenes += [*[self._join_the_new_name] * 3, *[self._talk_while_renaming] * 2, self._act_on_an_equal]
        if "admin" in flavour:
            self._scenes += [self._throw_out_while_renaming]

    def begin(self, span_s: float) -> None:
        """Play some of the scenes within the next seconds."""
        for scene in self._scenes:
            if self._rng.random() < _SHARE:
                self._later(partial(self._play, scene, _TRIES), 0.5 * span_s)

        dice = self._world.chance.dice("crossings", "reading")
        if "seek" in self._world.flavour and not self._scenes and dice.random() < _SHARE:
            self._world.clock.call_later(dice.uniform(0.3, 0.9) * span_s, self._read_and_leave)

    def _read_and_leave(self) -> None:
        if not self._world.calm:
            self._world.schedule.once("reading:1", self._leave_while_reading)

    def _play(self, scene: Callable[[random.Random], bool], tries: int, dice: random.Random) -> None:
        if not scene(dice) and tries > 1:
            self._later(partial(self._play, scene, tries - 1), _AGAIN_S)

    def program_is_in(self, device: Device) -> None:
        """A program was let in: the same person starts it a second time, with the same name and the same secret."""
        if "device" in self._world.flavour and self._rng.random() < _TWICE:
            self._later(lambda _: device.person.start_twice(device), 0.5)

    def password_is_temporary(self, device: Device) -> None:
        """A program came in by a temporary password: it is killed before another one is chosen."""
        if self._rng.random() < _KILLED:
            self._later(lambda _: device.person.crash(device), 0.1, also_calm=True)

    # --- scenes: each tells whether there was anybody to play it

    def _join_the_new_name(self, dice: random.Random) -> bool:
        """A room gets another name, and a member joins that name while it is being stored."""
        owner, member = self._owner_and_member(dice)
        if owner is None or member is None:
            return False
        name = f"room{dice.randrange(1_000)}"
        owner.device.want(actions.ChangeRoomSettings(SetRoom(0, owner.room, name=name)))
        self._later(lambda _: member.device.want(actions.JoinRoom(name)))
        return True

    def _talk_while_renaming(self, dice: random.Random) -> bool:
        """A room gets one name after the other, each behind a line in it, while a member says more than is taken."""
        owner, member = self._owner_and_member(dice)
        if owner is None or member is None:
            return False
        self._talk_much(member)
        names = [f"room{number}" for number in dice.sample(range(1_000), 3)]
        self._later(lambda _: self._say_and_rename(owner, names))
        return True

    def _leave_while_reading(self, dice: random.Random) -> None:
        """People ask for the history of a room, and leave it before the answer is there."""
        for person in self._world.people:
            device = dice.choice(person.devices)
            rooms = [room for room in device.core.rooms if room != LOBBY] if device.core is not None else []
            if device.is_online and device.core is not None and rooms:
                here = device.core.room(room := dice.choice(rooms))
                device.want(actions.SendMessage(person.speech.next(device, here), here))
                device.want(actions.AskHistory(here, 50))
                device.want(actions.LeaveRoom(room))

    def _act_on_an_equal(self, dice: random.Random) -> bool:
        """A member gets a role, and then tries to moderate the owner who gave it."""
        owner, member = self._owner_and_member(dice)
        if owner is None or member is None:
            return False
        role = dice.choice(("moderator", "owner"))
        owner.device.want(actions.ModerateMember(owner.room, ModerationVerb.ROLE, self._name(member), role=role))
        self._later(lambda dice: self._moderate(dice, member, owner), _ANSWER_S)
        return True

    def _throw_out_while_renaming(self, dice: random.Random) -> bool:
        """An account asks for another name, and is thrown out while that is being stored."""
        people = [each for each in self._world.people if each.is_account and each.devices[0].is_online]
        if not people:
            return False
        person = dice.choice(people)
        person.rests_s = _AWAY_S
        name = self._world.styled(f"{person.base}y{dice.randrange(100)}")
        person.known_as.add(name)
        self._later(lambda dice: self._world.administrator.kick(person, dice))
        self._later(lambda _: person.devices[0].want(actions.ChooseName(name)))
        return True

    # --- parts of them

    def _owner_and_member(self, dice: random.Random) -> tuple[_Here, _Here] | tuple[None, None]:
        """One owner of a room and one other account in it, if there are such."""
        house = self._world.house
        here = [
            _Here(person, device, room)
            for person in self._world.people
            for device in person.devices
            if device.is_online and device.core is not None and person.is_account
            for room in device.core.rooms
            if room != LOBBY
        ]
        found = []
        for one in here:
            place = house.place(one.room)
            if place is not None and one.device.core is not None:
                row = house.membership(place, one.device.core.me.id)
                others = [other for other in here if other.room == one.room and other.person is not one.person]
                found += [(one, other) for other in others if row is not None and row.role.value == "owner"]
        return dice.choice(found) if found else (None, None)

    @staticmethod
    def _name(here: _Here) -> str:
        return here.device.core.me.name if here.device.core is not None else here.person.name

    @staticmethod
    def _talk_much(here: _Here) -> None:
        lobby = here.device.core.room(LOBBY) if here.device.core is not None else None
        for _ in range(_MANY if lobby is not None else 0):
            here.device.want(actions.SendMessage(here.person.speech.next(here.device, lobby), lobby))

    @staticmethod
    def _say_and_rename(here: _Here, names: list[str]) -> None:
        core = here.device.core
        for name in names if here.device.is_online and core is not None else ():
            target = core.room(here.room)
            here.device.want(actions.SendMessage(here.person.speech.next(here.device, target), target))
            here.device.want(actions.ChangeRoomSettings(SetRoom(0, here.room, name=name)))

    def _moderate(self, dice: random.Random, one: _Here, other: _Here) -> None:
        if one.device.is_online:
            verb = dice.choice((ModerationVerb.KICK, ModerationVerb.BAN, ModerationVerb.MUTE))
            one.device.want(actions.ModerateMember(one.room, verb, self._name(other), None))

    def _later(
        self, act: Callable[[random.Random], None], most_s: float = _COMMIT_S, *, also_calm: bool = False
    ) -> None:
        world = self._world
        self._count += 1
        name = f"crossing:{self._count}"
        world.clock.call_later(
            self._rng.uniform(0.0, most_s),
            lambda: world.schedule.once(name, act) if also_calm or not world.calm else None,
        )
