"""Talking: in rooms and to people, once or many times, and letting others see that one is writing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.client import intents as want
from securechat.client.state import PersonKey

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.people import Person


def talk(person: Person, device: Device) -> None:
    """Say one thing, or many at once."""
    rng = person.rng
    for _ in range(rng.choice((1, 1, 2, 3, 8, 20)) if person.talkative else rng.choice((1, 1, 1, 2, 5))):
        target = person.some_place(device)
        device.want(want.Speak(person.speech.next(device, target), target))


def whisper(person: Person, device: Device) -> None:
    """Say something to somebody by name, who may be known by it or must be looked up."""
    other = person.rng.choice(person.world.people)
    if other is not person:  # whoever has the name by then is meant: no number can be in the text
        device.want(want.Whisper(other.name, person.speech.next(device, PersonKey(0))))


def write(person: Person, device: Device) -> None:
    """Type something."""
    device.want(want.Write(person.some_place(device)))


def look(person: Person, device: Device) -> None:
    """Look at another conversation."""
    device.want(want.LookAt(person.some_place(device)))


DEEDS = (whisper, look, write)
