"""Bugs on purpose: each replaces one function of the product, and the simulation must see it.

A mutant that survives means a missing check. `MUTANTS` names them; those that the simulation itself once found in the
product say so: a seed is another run whenever the world changes, a planted bug stays the same.
"""

from __future__ import annotations

from tests.simulation.mutants import bounds, client, hub, log, people, programs, rooms, session, talk
from tests.simulation.mutants.planting import MUTANTS, Mutant

__all__ = ["MUTANTS", "Mutant", "bounds", "client", "hub", "log", "people", "programs", "rooms", "session", "talk"]
