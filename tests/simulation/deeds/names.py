"""Taking another name, and going at once: who has which name, and for how long, is the server's oldest trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.client.core import actions
from tests.simulation.deeds.disturbing import leave

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.people import Person


def rename(person: Person, device: Device) -> None:
    """Take another name: a new one, or somebody's."""
    if not device.is_online:
        return
    rng = person.rng
    world = person.world
    name = rng.choice(world.people).name if rng.random() < 0.4 else world.styled(f"{person.base}x{rng.randrange(100)}")
    person.known_as.add(name)
    device.want(actions.ChooseName(name))
    if person.is_account and rng.random() < 0.3:  # leave before the answer comes
        for each in person.devices:
            person.later(0.0, 0.02, lambda one=each: one.want(actions.LeaveChat(0.0)))


def rename_while_coming(person: Person, device: Device) -> None:
    """Another program of theirs starts under the name that they give up just then."""
    others = [each for each in person.devices if each is not device]
    if others and device.is_online:
        coming = person.rng.choice(others)
        coming.stop()
        person.start(coming)
        person.later(0.0, 0.06, lambda: rename(person, device))
        person.world.administrator.ambush(person, person.rng, 0.5)


DEEDS = (rename, rename_while_coming, leave)
