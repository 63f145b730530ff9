"""What interrupts people: they quit, their program is killed, their line breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.client.core import actions
from tests.simulation.deeds.talk import talk

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.people import Person


def leave(person: Person, device: Device) -> None:
    """Quit."""
    device.want(actions.LeaveChat(person.rng.choice((0.0, 1.0))))


def crash(person: Person, device: Device) -> None:
    """The program is killed."""
    person.crash(device)


def lose_line(person: Person, device: Device) -> None:
    """The connection breaks."""
    person.lose_line(device)


def begin_anew(person: Person, device: Device) -> None:
    """Say something, start the program anew before that is stored, and go on talking."""
    talk(person, device)

    def again() -> None:
        if device in person.devices:
            device.stop()
            person.start(device)
            if not device.is_over:
                talk(person, device)

    person.later(0.0, 0.03, again)


DEEDS = (leave, crash, lose_line, begin_anew)
