"""Reports loop passes that take too long, with the kinds of work and the longest piece.

A normal pass costs one reading of the clock at its end; it is not measured in detail, because that would cost more in
total than a slow pass. The first slow pass is reported with what is known anyway: its duration and the number of ready
sockets. From then on every piece of work is measured for WATCH_S, and the next slow pass is reported in full, because a
peer that made one pass slow can repeat it.

Reports are limited: one per REPORT_EVERY_S and kind of line, with the number of those left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from securechat.containment import Containment, Step, label_of
from securechat.text.counts import counted

SLOW_PASS_S = 0.1
"""Seconds of work in one pass from which on users notice: a round trip feels immediate up to about 0.1 s (Nielsen,
Usability Engineering, 1993). The most expensive single request is limited to 5 ms, so twenty of those fit."""
WATCH_S = 600.0
"""Seconds for which passes are measured after a slow one; measuring costs some 2 % of a busy pass."""
REPORT_EVERY_S = 60.0
"""Seconds between two lines of a kind: a loop that is slow for an hour writes 60."""


class Mark(Protocol):
    """Notes the work under way."""

    current: object
    step: Step


class LoopPasses(Protocol):
    """The loop, as far as its passes are judged.

    Attributes:
        now: monotonic seconds at the start of this pass.
        passes: passes so far.
        containment: notes the work under way.
    """

    now: float
    passes: int
    containment: Containment


class SlowPasses:
    """Judges the duration of passes.

    Args:
        loop: the loop to judge.
        clock: monotonic seconds.
        report: receives a sentence; without it nothing is measured.

    Attributes:
        slow: slow passes so far.
    """

    def __init__(self, loop: LoopPasses, clock: Callable[[], float], report: Callable[[str], None] | None) -> None:
        self._loop = loop
        self._report = report
        self._watch = PassWatch(loop, clock)
        self._watch_until = 0.0
        self._quiet_until = {False: 0.0, True: 0.0}  # by whether the line has measurements
        self._left_out = 0
        self.slow = 0

    def judge(self, ended: float, ready: int, mark: Mark) -> Mark:
        """Judge a pass that was slow, or measured.

        Args:
            ended: monotonic seconds.
            ready: sockets that were ready.
            mark: the mark that this pass used.

        Returns:
            The mark for the next pass.
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
    """A `Mark` that measures the time between two notes."""

    def __init__(self, loop: LoopPasses, clock: Callable[[], float]) -> None:
        self._loop = loop
        self._clock = clock
        self._pass = 0
        self._lapped_at = 0.0
        self._spent_s: dict[Step, float] = {}
        self._longest: tuple[float, Step, object] = (0.0, Step.COMPLETION, None)

    @property
    def current(self) -> object:
        """The work under way."""
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
        """Describe where the time of this pass went."""
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
