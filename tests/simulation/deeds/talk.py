"""Talking: in rooms and to people, once or many times, and letting others see that one is writing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.client.core import actions
from securechat.client.core.state import PersonKey

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.people import Person


def talk(person: Person, device: Device) -> None:
    """Say one thing, or many at once."""
    rng = person.rng
    for _ in range(rng.choice((1, 1, 2, 3, 8, 20)) if person.talkative else rng.choice((1, 1, 1, 2, 5))):
        target = person.some_place(device)
        device.want(actions.SendMessage(person.speech.next(device, target), target))


def whisper(person: Person, device: Device) -> None:
    """Say something to somebody by name, who may be known by it or must be looked up."""
    other = person.rng.choice(person.world.people)
    if other is not person:  # whoever has the name by then is meant: no number can be in the text
        device.want(actions.SendDirect(other.name, person.speech.next(device, PersonKey(0))))


def write(person: Person, device: Device) -> None:
    """Type something."""
    device.want(actions.NotifyTyping(person.some_place(device)))


def look(person: Person, device: Device) -> None:
    """Look at another conversation."""
    device.want(actions.SelectConversation(person.some_place(device)))


DEEDS = (whisper, look, write)
