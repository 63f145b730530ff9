"""What people do of their own accord, besides talking: one function a deed, by what it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from tests.simulation.deeds import accounts, reading, revising, rooms, rules, talk

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.people import Person

Deed: TypeAlias = "Callable[[Person, Device], None]"

ALWAYS: tuple[Deed, ...] = (*talk.DEEDS, *rooms.DEEDS, *accounts.DEEDS)
"""What people do in every run."""
FEATURES: dict[str, tuple[Deed, ...]] = {
    "rules": rules.DEEDS,
    "revise": revising.DEEDS,
    "seek": reading.DEEDS,
    "certificates": accounts.WITH_CERTIFICATES,
}
"""What they do where the seed has this feature."""


def of(flavour: frozenset[str]) -> tuple[Deed, ...]:
    """Return what people may do in a run; a deed that stands there twice is done twice as often."""
    return (*ALWAYS, *(deed for feature, some in FEATURES.items() if feature in flavour for deed in some))


__all__ = ["ALWAYS", "FEATURES", "accounts", "of", "reading", "revising", "rooms", "rules", "talk"]
