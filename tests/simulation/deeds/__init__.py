"""What people do of their own accord, besides talking: one function a deed, by what it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from tests.simulation.deeds import accounts, disturbing, reading, revising, rooms, rules, talk

if TYPE_CHECKING:
    import random

    from tests.simulation.device import Device
    from tests.simulation.people import Person

Deed: TypeAlias = "Callable[[Person, Device], None]"

USUAL: tuple[tuple[Deed, ...], ...] = (talk.DEEDS, rooms.DEEDS, accounts.DEEDS, disturbing.DEEDS)
"""What people do in most runs, by kinds."""
_SKIPPED = 0.25
"""How often a kind of usual deeds is left out of a run, so that there is more of the others."""
FEATURES: dict[str, tuple[Deed, ...]] = {
    "rules": rules.DEEDS,
    "revise": revising.DEEDS,
    "seek": reading.DEEDS,
    "certificates": accounts.WITH_CERTIFICATES,
}
"""What they do where the seed has this feature."""


def of(flavour: frozenset[str], rng: random.Random) -> tuple[Deed, ...]:
    """Return what people may do in a run; a deed that stands there twice is done twice as often."""
    some = [deed for kind in USUAL if rng.random() > _SKIPPED for deed in kind]
    some += [deed for feature, kind in FEATURES.items() if feature in flavour for deed in kind for _ in range(2)]
    return tuple(some) or talk.DEEDS


__all__ = ["FEATURES", "USUAL", "accounts", "disturbing", "of", "reading", "revising", "rooms", "rules", "talk"]
