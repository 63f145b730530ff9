"""Looking for what was said: searches, pages, jumps, and what has not been read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.client.core import actions
from tests.simulation.deeds.rooms import ROOMS
from tests.simulation.texts import WORDS

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.people import Person


def search(person: Person, device: Device) -> None:
    """Search for something."""
    device.want(actions.FindMessages(query(person)))


def query(person: Person) -> str:
    """Something to search for."""
    rng = person.rng
    word = rng.choice(WORDS)
    other = rng.choice(person.world.people).name
    kinds = (
        word, word, f"{word[:3]}*", f'"{word} {rng.choice(WORDS)}"', f"from:{other} {word}",
        f"in:{rng.choice(ROOMS)} {word}",
        f"{word} has:link", f"{word.upper()} after:today", f"{word} before:today",
    )  # fmt: skip
    return rng.choice(kinds)


def search_on(person: Person, device: Device) -> None:
    """Ask for the next page."""
    device.want(actions.ShowMore())


def jump(person: Person, device: Device) -> None:
    """Look at a place in history."""
    rng, core = person.rng, device.core
    assert core is not None
    key = person.some_place(device)
    conversation = core.conversations.get(key)
    seqs = [message.seq for message in conversation.messages] if conversation is not None else []
    if seqs and rng.random() < 0.7:
        device.want(actions.ShowHistory(key, around=rng.choice(seqs)))
    else:
        device.want(actions.ShowHistory(key, at_ms=person.world.clock.wall_ms() - rng.choice((0, 500, 5_000))))


def unread(person: Person, device: Device) -> None:
    """Ask what was not read, and show it."""
    device.want(actions.ListUnread())
    person.soon(device, lambda: device.want(actions.ShowUnread(person.rng.choice((1, 2)))))


DEEDS = (search, search, search_on, jump, unread)
