"""Answering, editing, deleting and reacting: mostly what one may, and now and then what one may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.client.core import actions
from securechat.model import RevisionKind

if TYPE_CHECKING:
    from securechat.client.core.state import ConversationId
    from securechat.model import Message
    from tests.simulation.device import Device
    from tests.simulation.people import Person

SIGNS = ("👍", "🎉", "+1")


def _some_message(person: Person, device: Device, *, own: bool) -> tuple[ConversationId, Message] | None:
    """A message that the device shows, mostly one of the last."""
    assert device.core is not None
    conversations = [each for each in device.core.conversations.values() if each.messages]
    if not conversations:
        return None
    conversation = person.rng.choice(conversations)
    messages = list(conversation.messages)[-8:]
    mine = [message for message in messages if message.sender_id in person.ids]
    return conversation.key, person.rng.choice(mine if own and mine else messages)


def reply(person: Person, device: Device) -> None:
    """Answer a message."""
    if (found := _some_message(person, device, own=False)) is not None:
        key, message = found
        device.want(actions.SendMessage(person.speech.next(device, key), key, reply=message.seq))


def edit(person: Person, device: Device) -> None:
    """Say something else instead."""
    if (found := _some_message(person, device, own=person.rng.random() < 0.8)) is not None:
        key, message = found
        text = person.speech.next(device, key)
        device.want(actions.ChangeMessage(key, RevisionKind.EDIT, message.seq, text))


def edit_again_and_again(person: Person, device: Device) -> None:
    """Mend one message several times in a row."""
    if (found := _some_message(person, device, own=True)) is not None:
        key, message = found
        for _ in range(person.rng.choice((2, 3, 6))):
            text = person.speech.next(device, key)
            device.want(actions.ChangeMessage(key, RevisionKind.EDIT, message.seq, text))


def delete(person: Person, device: Device) -> None:
    """Take something back."""
    if (found := _some_message(person, device, own=person.rng.random() < 0.8)) is not None:
        key, message = found
        device.want(actions.ChangeMessage(key, RevisionKind.DELETE, message.seq))


def react(person: Person, device: Device) -> None:
    """Put a sign under a message, or take it away, or both."""
    if (found := _some_message(person, device, own=False)) is not None:
        key, message = found
        for _ in range(person.rng.choice((1, 1, 3))):
            kind = person.rng.choice((RevisionKind.REACT, RevisionKind.REACT, RevisionKind.UNREACT))
            device.want(actions.ChangeMessage(key, kind, message.seq, emoji=person.rng.choice(SIGNS)))


DEEDS = (reply, edit, edit, edit_again_and_again, delete, react, react)
