"""Owners of rooms who act on the accounts of readers: they take them out, invite them, and give their rooms rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securechat.client.core import actions
from securechat.client.core.actions import ModerationVerb
from securechat.model import SetRoom
from securechat.text.names import LOBBY
from tests.simulation.house import MODERATOR

if TYPE_CHECKING:
    import random

    from securechat.records.rooms import RoomRecord
    from tests.simulation.device import Device
    from tests.simulation.world import World

_RULES: tuple[dict[str, Any], ...] = (
    {"retention_days": 1},
    {"retention_days": 1},
    {"history": "joined"},
    {"history": "all"},
    {"private": True},
    {"private": False},
)


class Hosts:
    """All of them.

    Args:
        world: whose.
    """

    base = "hosts"
    every_s = 0.08

    def __init__(self, world: World) -> None:
        self._world = world

    def act(self, dice: random.Random) -> None:
        """Have an owner or moderator do something in a room where a reader is, or could be."""
        world = self._world
        readers = [reader.me for reader in (*world.readers, *world.filers) if reader.me]
        rooms = [record for name in world.house.names() if (record := world.house.place(name)) and name != LOBBY]
        if not readers or not rooms:
            return
        who = dice.choice(readers)
        there = [room for room in rooms if world.house.membership(room, who) is not None]
        room = dice.choice(there if there and dice.random() < 0.7 else rooms)
        device = self._host(room, who)
        if device is None:
            return
        name, is_there = world.token_law.name_of(who), world.house.membership(room, who) is not None
        if is_there and dice.random() < 0.6:
            seconds = dice.choice((None, None, 1))
            verb = ModerationVerb.KICK if seconds is None else ModerationVerb.BAN
            device.want(actions.ModerateMember(room.name, verb, name, seconds))
        elif not is_there and dice.random() < 0.6:
            device.want(actions.ModerateMember(room.name, ModerationVerb.INVITE, name))
        else:
            device.want(actions.ChangeRoomSettings(SetRoom(0, room.name, **dice.choice(_RULES))))

    def _host(self, room: RoomRecord, but: int) -> Device | None:
        """A device of somebody else who has a say there."""
        for person in self._world.people:
            device = next((each for each in person.devices if each.is_online), None)
            if device is None or device.core is None or device.core.me.id == but:
                continue
            if self._world.house.rank(room.room_id, device.core.me.id) >= MODERATOR:
                return device
        return None
