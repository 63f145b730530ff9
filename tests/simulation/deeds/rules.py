"""Rules of rooms and order in them: by those who may, and by those who only try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securechat.client.core import actions
from securechat.client.core.actions import ModerationVerb
from securechat.model import RoleName, SetRoom
from securechat.text.names import LOBBY
from tests.simulation.deeds.rooms import ROOMS

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.people import Person

_ROLES: tuple[RoleName, ...] = ("owner", "moderator", "member")


def _room(person: Person, device: Device) -> str:
    """A room: mostly one they have a say in, sometimes any."""
    assert device.core is not None
    mine = [room.name for room in device.core.rooms.values() if room.role == "owner"]
    if mine and person.rng.random() < 0.8:
        return person.rng.choice(mine)
    return person.rng.choice((LOBBY, *ROOMS, *person.rooms))


def _somebody(person: Person, device: Device, room: str) -> str:
    """The name of somebody: mostly one who is in the room."""
    assert device.core is not None
    known = device.core.rooms.get(room)
    there = sorted(each.name for each in known.people.values() if each.id != device.core.me.id) if known else []
    if there and person.rng.random() < 0.8:
        return person.rng.choice(there)
    return person.rng.choice(person.world.people).name


def set_rules(person: Person, device: Device) -> None:
    """Change rules."""
    rng = person.rng
    some: tuple[dict[str, Any], ...] = (
        {"topic": f"about {rng.randrange(9)}"},
        {"read_only": rng.random() < 0.5},
        {"slow_s": rng.choice((0, 1, 3))},
        {"retention_days": rng.choice((0, 1, 1, 7))},
        {"history": rng.choice(("all", "joined", "joined", "joined"))},
        {"history": "joined"},
        {"archived": rng.random() < 0.3},
        {"private": rng.random() < 0.5},
    )
    given = dict(rng.choice(some))
    if rng.random() < 0.3:
        given |= rng.choice(some)
    device.want(actions.ChangeRoomSettings(SetRoom(0, _room(person, device), **given)))


def hide(person: Person, device: Device) -> None:
    """Make a room private, under a name that nobody else can know."""
    name = person.world.hush.made_up(person.rng.randrange(10_000), person.ids)
    device.want(actions.ChangeRoomSettings(SetRoom(0, _room(person, device), name=name, private=True)))


def call_otherwise(person: Person, device: Device) -> None:
    """Give a room another name, which may be another's."""
    assert device.core is not None
    room = _room(person, device)
    name = person.rng.choice((*ROOMS, f"room{person.rng.randrange(9)}"))
    if person.rng.random() < 0.5:
        target = device.core.room(room)
        device.want(actions.SendMessage(person.speech.next(device, target), target))
    device.want(actions.ChangeRoomSettings(SetRoom(0, room, name=name, private=False)))


def order(person: Person, device: Device) -> None:
    """Do something to somebody."""
    rng = person.rng
    verb = rng.choice(
        (
            ModerationVerb.INVITE,
            ModerationVerb.INVITE,
            ModerationVerb.KICK,
            ModerationVerb.BAN,
            ModerationVerb.UNBAN,
            ModerationVerb.MUTE,
            ModerationVerb.UNMUTE,
            ModerationVerb.ROLE,
        )
    )
    seconds = rng.choice((None, 1, 5)) if verb in {ModerationVerb.BAN, ModerationVerb.MUTE} else None
    room = _room(person, device)
    device.want(actions.ModerateMember(room, verb, _somebody(person, device, room), seconds, role=rng.choice(_ROLES)))


def ask_rules(person: Person, device: Device) -> None:
    """Ask for the rules of a room."""
    device.want(actions.AskRoomSettings(_room(person, device), topic_only=person.rng.random() < 0.2))


def disguised(name: str) -> str:
    """Return a name that looks like this one, with Cyrillic letters."""
    return name.translate(str.maketrans("aeop", "\u0430\u0435\u043e\u0440"))


def look_around(person: Person, device: Device) -> None:
    """Ask which rooms there are, or try a room's door."""
    rng, world = person.rng, person.world
    if rng.random() < 0.4:
        device.want(actions.AskRooms())
        return
    name = rng.choice((*ROOMS, *person.rooms, *world.house.names()))
    world.hush.guessed(name, person.ids)
    device.want(actions.JoinRoom(disguised(name) if rng.random() < 0.1 else name))


DEEDS = (set_rules, set_rules, hide, call_otherwise, order, order, order, order, look_around, ask_rules)
