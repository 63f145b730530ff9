"""Into rooms and out of them; asking who is where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.client.core import actions
from securechat.text.names import LOBBY

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.people import Person

ROOMS = ("ops", "den")
"""The rooms that everybody has heard of."""


def enter(person: Person, device: Device) -> None:
    """Join a room: a known one, or one that they were in before."""
    device.want(actions.JoinRoom(person.rng.choice((*ROOMS, *ROOMS, *person.rooms))))


def depart(person: Person, device: Device) -> None:
    """Leave a room."""
    device.want(actions.LeaveRoom(person.rng.choice((*ROOMS, *person.rooms))))


def ask(person: Person, device: Device) -> None:
    """Ask something."""
    rng = person.rng
    asked: tuple[actions.Action, ...] = (
        actions.AskWho(rng.choice((LOBBY, *ROOMS))),
        actions.AskRooms(),
        actions.AskHistory(person.some_place(device), rng.choice((3, 50, 300))),
        actions.AskLogins(),
    )
    device.want(rng.choice(asked))


DEEDS = (enter, enter, enter, depart, ask)
