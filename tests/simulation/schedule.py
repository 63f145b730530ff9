"""Who does something when. Every act has a name (`ann:3` is Ann's third) and dice of its own.

So a run can be made again without some of its acts, and the others do what they did: that is how a failing schedule is
made smaller (`shrink`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from securechat.testing.clock import SimulatedClock
    from tests.simulation.chance import Chance

Act = Callable[["random.Random"], None]
FIRST_S = (0.2, 1.0)
"""When an actor acts first."""


class Schedule:
    """Lets actors act.

    Args:
        clock: when.
        chance: makes the dice.
        only: names of the acts that may happen; None for all.

    Attributes:
        acts: the names of what was done, in order.
    """

    def __init__(self, clock: SimulatedClock, chance: Chance, only: frozenset[str] | None) -> None:
        self.acts: list[str] = []
        self._clock = clock
        self._chance = chance
        self._only = only

    def keep_doing(self, who: str, act: Act, every_s: float, until: float) -> None:
        """Let somebody act again and again, on average every so many seconds, until a monotonic second."""
        beat = self._chance.dice(who, "beat")
        count = 0

        def again() -> None:
            nonlocal count
            if self._clock.now >= until:
                return
            count += 1
            self.once(f"{who}:{count}", act)
            self._clock.call_later(beat.expovariate(1 / every_s), again)

        self._clock.call_later(beat.uniform(*FIRST_S), again)

    def once(self, name: str, act: Act) -> None:
        """Let an act happen now, if it may."""
        if self._only is None or name in self._only:
            self.acts.append(name)
            act(self._chance.dice(name))
