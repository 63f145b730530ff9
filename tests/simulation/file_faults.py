"""What breaks below files: the disk is full, calls fail, nothing is unlinked, and the process ends within a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from tests.simulation.world import World

_AT_DRAFTS = 0.2
"""How often the process ends while the log has a draft with files, in runs where it is killed at all."""
_SHARE = 0.35
"""In how many runs each of these is; in most there is none, because what a failed call costs is not told to senders."""


class FileFaults:
    """Lets the disk of files break.

    Args:
        world: whose.
    """

    base = "disk"
    every_s = 0.5

    def __init__(self, world: World) -> None:
        self._world = world
        dice = world.chance.dice("faults of files")
        acts = [self._die, self._die, self._cut] if {"kill", "power"} & world.flavour else []
        if dice.random() < _SHARE:
            acts += [act for act in (self._full, self._fail, self._stick) if dice.random() < 0.5]
        self._acts = acts
        self._rng = dice
        self._drafts = world.chance.dice("drafts with files")

    def act(self, dice: random.Random) -> None:
        """Break something."""
        self._rng = dice
        if self._acts and self._world.server.alive and dice.random() < 0.5:
            act = dice.choice(self._acts)
            self._world.clock.note("fault", f"files: {act.__name__[1:]}")
            act()

    def given_to_the_log(self) -> None:
        """The hub gives a draft with files to the log: now and then the process ends before that has answered."""
        flavour, dice = self._world.flavour, self._drafts
        if not {"kill", "power"} & flavour or self._world.calm or dice.random() > _AT_DRAFTS:
            return
        server, power = self._world.server, "power" in flavour and dice.random() < 0.4
        kill_s = dice.choice((0.002, 0.01, 0.05)) * dice.random()
        self._world.clock.call_later(kill_s, lambda: server.kill(power=power) if server.alive else None)

    def _full(self) -> None:
        files = self._world.storage.files
        files.fill()
        self._world.clock.call_later(self._rng.uniform(0.2, 2.0), files.forgive)

    def _fail(self) -> None:
        files = self._world.storage.files
        files.fail()
        self._world.clock.call_later(self._rng.uniform(0.2, 2.0), files.forgive)

    def _stick(self) -> None:
        """Nothing can be unlinked, until all faults stop."""
        self._world.storage.files.break_unlinking()

    def _die(self) -> None:
        """The process is killed at one of the next calls to the disk."""
        self._die_within(power=False)

    def _cut(self) -> None:
        """The power is cut at one of the next calls to the disk."""
        self._die_within(power=True)

    def _die_within(self, *, power: bool) -> None:
        server = self._world.server
        self._world.storage.files.die_within(lambda: server.kill(power=power) if server.alive else None)
