"""Passes of the loop that take too long: which kinds of work took the time, and whose the longest piece was.

A good pass costs one look at the clock at its end; none is measured in detail, because several looks in every pass
would cost more than a slow one does. The first slow pass is reported with what is known without: how long it took and
how many sockets were ready. From then on every piece of work is measured for WATCH_S, and the next slow pass is
reported in full: what a peer can make slow once, it can make slow again.

Lines are few whatever happens: one per REPORT_EVERY_S and kind of line, with the number of those left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from securechat.containment import Step, label_of
from securechat.text.counts import counted

if TYPE_CHECKING:
    from securechat.net.loop import Loop

SLOW_PASS_S = 0.1
"""Seconds of work in one pass from which on people notice: a round trip feels immediate up to about 0.1 s (Nielsen,
Usability Engineering, 1993). The dearest single request is held to 5 ms, so twenty of those fit."""
WATCH_S = 600.0
"""Seconds for which passes are measured after a slow one; measuring costs some 2 % of a busy pass."""
REPORT_EVERY_S = 10.0
"""Seconds between two lines of a kind: a loop that is slow for an hour writes 360."""


class Mark(Protocol):
    """Told what runs."""

    current: object
    step: Step


class SlowPasses:
    """Judges passes.

    Args:
        loop: whose.
        clock: monotonic seconds.
        report: told in a sentence; without it nothing is measured.

    Attributes:
        slow: slow passes so far.
    """

    def __init__(self, loop: Loop, clock: Callable[[], float], report: Callable[[str], None] | None) -> None:
        self._loop = loop
        self._report = report
        self._watch = PassWatch(loop, clock)
        self._watch_until = 0.0
        self._quiet_until = {False: 0.0, True: 0.0}  # by whether the line has measurements
        self._left_out = 0
        self.slow = 0

    def judge(self, ended: float, ready: int, mark: Mark) -> Mark:
        """Look at a pass that was slow, or measured.

        Args:
            ended: monotonic seconds.
            ready: sockets that were ready.
            mark: what was told what ran.

        Returns:
            What to tell in the next pass.
        """
        loop = self._loop
        took_s = ended - loop.now
        measured = mark is self._watch
        if took_s > SLOW_PASS_S and self._report is not None:
            self.slow += 1
            self._watch_until = ended + WATCH_S
            if ended >= self._quiet_until[measured]:
                self._quiet_until[measured] = ended + REPORT_EVERY_S
                what = self._watch.account(ended) if measured else _unmeasured(ready)
                left_out, self._left_out = self._left_out, 0
                more = f"; {left_out} more since the last such line" if left_out else ""
                self._report(f"the loop was busy for {took_s * 1000:.0f} ms at a stretch: {what}{more}")
            else:
                self._left_out += 1
        return self._watch if ended < self._watch_until else loop.containment


def _unmeasured(ready: int) -> str:
    return f"{counted(ready, 'socket')} {'was' if ready == 1 else 'were'} ready; the next one is told in detail"


class PassWatch:
    """A `Mark` that measures the pieces of work between what it is told."""

    def __init__(self, loop: Loop, clock: Callable[[], float]) -> None:
        self._loop = loop
        self._clock = clock
        self._pass = 0
        self._lapped_at = 0.0
        self._spent_s: dict[Step, float] = {}
        self._longest: tuple[float, Step, object] = (0.0, Step.COMPLETION, None)

    @property
    def current(self) -> object:
        """What runs."""
        return self._loop.containment.current

    @current.setter
    def current(self, work: object) -> None:
        self._lap(self._clock())
        self._loop.containment.current = work

    @property
    def step(self) -> Step:
        """Its kind."""
        return self._loop.containment.step

    @step.setter
    def step(self, step: Step) -> None:
        self._lap(self._clock())
        self._loop.containment.step = step

    def account(self, ended: float) -> str:
        """Say where the time of this pass went."""
        self._lap(ended)
        longest_s, step, work = self._longest
        spent = sorted(self._spent_s.items(), key=lambda each: each[1], reverse=True)
        parts = ", ".join(f"{kind.value} {spent_s * 1000:.0f} ms" for kind, spent_s in spent if spent_s >= 0.001)
        return f"{parts}; the longest was {longest_s * 1000:.0f} ms of {step.value} for {label_of(work)}"

    def _lap(self, now: float) -> None:
        containment = self._loop.containment
        if self._pass != self._loop.passes:
            self._pass = self._loop.passes
            self._spent_s.clear()
            self._longest = (0.0, containment.step, None)
            self._lapped_at = self._loop.now
        lap_s = now - self._lapped_at
        self._lapped_at = now
        self._spent_s[containment.step] = self._spent_s.get(containment.step, 0.0) + lap_s
        if lap_s > self._longest[0]:
            self._longest = (lap_s, containment.step, containment.current)
