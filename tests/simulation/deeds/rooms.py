"""Into rooms and out of them; asking who is where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.client import intents as want
from securechat.names import LOBBY

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.people import Person

ROOMS = ("ops", "den")
"""The rooms that everybody has heard of."""


def enter(person: Person, device: Device) -> None:
    """Join a room: a known one, or one that they were in before."""
    device.want(want.Enter(person.rng.choice((*ROOMS, *ROOMS, *person.rooms))))


def depart(person: Person, device: Device) -> None:
    """Leave a room."""
    device.want(want.Depart(person.rng.choice((*ROOMS, *person.rooms))))


def ask(person: Person, device: Device) -> None:
    """Ask something."""
    rng = person.rng
    asked: tuple[want.Intent, ...] = (
        want.AskWho(rng.choice((LOBBY, *ROOMS))),
        want.AskRooms(),
        want.AskHistory(person.some_place(device), rng.choice((3, 50, 300))),
        want.AskLogins(),
    )
    device.want(rng.choice(asked))


DEEDS = (enter, enter, enter, depart, ask)
