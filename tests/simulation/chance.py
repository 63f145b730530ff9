"""One seed, many dice: each actor, act and line has its own, so that what one draws moves nobody else's."""

from __future__ import annotations

import random


class Chance:
    """All the randomness of a run.

    Args:
        seed: everything follows from it.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def dice(self, *names: object) -> random.Random:
        """Return the generator of this name, from its beginning."""
        return random.Random("/".join(map(str, (self._seed, *names))))
