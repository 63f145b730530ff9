"""What people do because they were told that they may not: a rule is worth what it keeps out, so somebody has to try.

Whoever is muted speaks, whoever is banned or kicked comes back, and where a room has new rules, some of those who are
in it talk and some of those who are not look for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.client.core import actions
from securechat.client.core.state import PersonKey
from securechat.model import RevisionKind
from securechat.records.accounts import Change
from securechat.records.rooms import (
    DropMembership,
    PutMembership,
    PutRoom,
    PutRoomBan,
    RoomRecord,
    RoomRole,
)
from securechat.text.names import LOBBY
from tests.simulation.deeds.revising import SIGNS, edit_again_and_again

if TYPE_CHECKING:
    import random

    from tests.simulation.device import Device
    from tests.simulation.people import Person
    from tests.simulation.schedule import Act
    from tests.simulation.world import World

_SOON_S = 0.3
"""Until when somebody tries."""


class Temptation:
    """Lets people try what they may not.

    Args:
        world: whose people.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.chance.dice("temptation")
        self._count = 0

    def changed(self, change: Change) -> None:
        """A room's rules, or who somebody is in it, are different from now on."""
        match change:
            case PutRoom(row):
                self._tempt(row.room_id, self._world.people)
            case PutMembership(row) if row.muted_until_ms or row.role is RoomRole.FORMER:
                self._tempt(row.room_id, self._who_is(row.sender_id))
            case PutMembership(row) if row.role is RoomRole.MEMBER:
                new = self._who_is(row.sender_id)
                self._tempt(row.room_id, [person for person in self._world.people if person not in new])
            case PutRoomBan(row):
                self._tempt(row.room_id, self._who_is(row.sender_id))
            case DropMembership(room_id, sender_id):
                self._tempt(room_id, self._who_is(sender_id))
            case _:
                pass

    def somebody_goes(self, sender_id: int) -> None:
        """An account is being deleted: others still write to it."""
        for person in self._world.people:
            if sender_id not in person.ids:
                self._later(lambda dice, who=person: self._write_to(dice, who, sender_id))

    def somebody_comes(self, person: Person) -> None:
        """Somebody says hello, and will fetch what they missed: others mend just then what they have said."""
        others = [each for each in self._world.people if each is not person]
        if "revise" in self._world.flavour and others:
            other = self._rng.choice(others)
            self._later(lambda _: self._mend(other))

    @staticmethod
    def _mend(person: Person) -> None:
        device = person.devices[0]
        if device.is_online:
            edit_again_and_again(person, device)

    def take_name(self, person: Person, name: str) -> None:
        """A name may be free."""
        device = person.devices[0]
        if device.is_online:
            person.known_as.add(name)
            device.want(actions.ChooseName(name))

    def _who_is(self, sender_id: int) -> list[Person]:
        return [person for person in self._world.people if sender_id in person.ids]

    def _tempt(self, room_id: int, people: list[Person]) -> None:
        for person in people:
            self._later(lambda dice, who=person: self._try(dice, who, room_id))

    def _later(self, act: Act) -> None:
        world = self._world
        if world.calm:
            return
        self._count += 1
        name = f"temptation:{self._count}"
        world.clock.call_later(self._rng.uniform(0.0, _SOON_S), lambda: world.schedule.once(name, act))

    @staticmethod
    def _write_to(dice: random.Random, person: Person, sender_id: int) -> None:
        device = dice.choice(person.devices)
        if device.is_online:
            device.want(actions.SendMessage(person.speech.next(device, PersonKey(sender_id)), PersonKey(sender_id)))

    def _try(self, dice: random.Random, person: Person, room_id: int) -> None:
        device = dice.choice(person.devices)
        place: RoomRecord | None = self._world.house.room_records.get(room_id)
        if place is None or not device.is_online or device.core is None:
            return
        room = place.name
        if room in device.core.rooms:
            self._write_in(dice, person, device, place)
        elif dice.random() < 0.3:
            device.want(actions.AskRooms())
        else:
            self._world.hush.guessed(room, person.ids)
            device.want(actions.JoinRoom(room))

    @staticmethod
    def _write_in(dice: random.Random, person: Person, device: Device, place: RoomRecord) -> None:
        assert device.core is not None
        here, lobby = device.core.room(place.name), device.core.room(LOBBY)
        if place.slow_s and dice.random() < 0.3:  # more than goes out at once, here and elsewhere
            for target in (here, here, here, *[lobby] * dice.choice((12, 12, 70))):
                device.want(actions.SendMessage(person.speech.next(device, target), target))
        elif dice.random() < 0.3 and (found := device.core.conversations.get(here)):
            for message in list(found.messages)[:1]:  # the oldest: those who came later may not know it
                device.want(actions.ChangeMessage(here, RevisionKind.REACT, message.seq, emoji=SIGNS[0]))
        else:
            for _ in range(dice.choice((1, 1, 2))):
                device.want(actions.SendMessage(person.speech.next(device, here), here))
