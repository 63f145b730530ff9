"""What people do of their own accord, besides talking: one function a deed, by what it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from tests.simulation.deeds import accounts, disturbing, names, reading, revising, rooms, rules, talk

if TYPE_CHECKING:
    import random

    from tests.simulation.device import Device
    from tests.simulation.people import Person

Deed: TypeAlias = "Callable[[Person, Device], None]"

USUAL: tuple[tuple[Deed, ...], ...] = (
    talk.DEEDS,
    rooms.DEEDS,
    names.DEEDS,
    accounts.DEEDS,
    disturbing.DEEDS,
)
"""What people do in most runs, by kinds."""
_SKIPPED = 0.25
"""How often a kind of usual deeds is left out of a run, so that there is more of the others."""
_SUBJECT = 4
"""How many times as often as everything else together the one kind that a run is about is done, in most runs."""
FEATURES: dict[str, tuple[Deed, ...]] = {
    "rules": rules.DEEDS,
    "revise": revising.DEEDS,
    "seek": reading.DEEDS,
    "certificates": accounts.WITH_CERTIFICATES,
}
"""What they do where the seed has this feature."""


def of(flavour: frozenset[str], rng: random.Random) -> tuple[Deed, ...]:
    """Return what people may do in a run; a deed that stands there twice is done twice as often."""
    usual = [kind for kind in USUAL if rng.random() > _SKIPPED]
    special = [kind for feature, kind in FEATURES.items() if feature in flavour]
    some = [deed for kind in (*usual, *special, *special) for deed in kind]
    subjects = special if special and rng.random() < 0.7 else usual
    if subjects and rng.random() < 0.8:
        subject = rng.choice(subjects)
        some += subject * (_SUBJECT * len(some) // len(subject))
    return tuple(some) or talk.DEEDS


__all__ = [
    "FEATURES",
    "USUAL",
    "accounts",
    "disturbing",
    "names",
    "of",
    "reading",
    "revising",
    "rooms",
    "rules",
    "talk",
]
