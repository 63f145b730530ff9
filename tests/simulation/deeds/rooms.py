"""Into rooms and out of them; asking who is where; another name."""

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


def rename(person: Person, device: Device) -> None:
    """Take another name: a new one, or somebody's."""
    if not device.is_online:
        return
    rng = person.rng
    name = rng.choice(person.world.people).name if rng.random() < 0.4 else f"{person.base}x{rng.randrange(100)}"
    person.known_as.add(name)
    device.want(want.ChooseName(name))
    if person.is_account and rng.random() < 0.3:  # leave before the answer comes
        for each in person.devices:
            person.later(0.0, 0.02, lambda one=each: one.want(want.Finish(0.0)))


DEEDS = (enter, enter, enter, depart, ask, rename)
