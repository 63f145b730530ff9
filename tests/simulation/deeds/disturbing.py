"""What interrupts people: they quit, their program is killed, their line breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.client import intents as want

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.people import Person


def leave(person: Person, device: Device) -> None:
    """Quit."""
    device.want(want.Finish(person.rng.choice((0.0, 1.0))))


def crash(person: Person, device: Device) -> None:
    """The program is killed."""
    person.crash(device)


def lose_line(person: Person, device: Device) -> None:
    """The connection breaks."""
    person.lose_line(device)


DEEDS = (leave, crash, lose_line)
