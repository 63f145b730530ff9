"""The real loop (`securechat.net.loop`) on a simulated clock: a selector and a wake-up pair without a system below.

The loop runs as always, pass after pass, with its own timers, transports and order of work. Only its sources of events
are simulated: a pass is an event of the simulated clock, asked for when a socket gets ready, a callback is posted, or
a timer is due. No thread, socket or descriptor exists.
"""

from __future__ import annotations

import selectors
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from securechat.net.loop import Loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from securechat.limits import Limits
    from securechat.net.wakeup import Wakeup
    from securechat.testing.clock import Deadline, SimulatedClock

PASS_S = 0.000_05
"""Virtual time from one busy pass to the next: no loop turns without time going on."""
_LATE_S = 0.000_001
"""Added to a timer's wait, so that rounding does not make a pass come too early for it."""


class Pollable(Protocol):
    """A simulated socket."""

    def readiness(self, events: int) -> int:
        """Return those of the events (EVENT_READ, EVENT_WRITE) that are ready: a recv, or a send, would not block."""


class SimulatedSelector(selectors.BaseSelector):
    """Knows the registered simulated sockets, and asks the sockets themselves for readiness (level-triggered)."""

    def __init__(self) -> None:
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Wait for a socket."""
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Wait for it no more."""
        return self._keys.pop(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Wait for something else of it."""
        return self.register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:  # noqa: ARG002
        """Return the ready sockets, in the order of registration."""
        return [(key, mask) for sock, key in self._keys.items() if (mask := sock.readiness(key.events))]

    def is_any_ready(self) -> bool:
        """Whether `select` would return any socket."""
        for sock, key in self._keys.items():  # as a loop: it runs after every pass  # noqa: SIM110
            if sock.readiness(key.events):
                return True
        return False

    def close(self) -> None:
        """Forget all sockets."""
        self._keys.clear()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Return the registered sockets."""
        return self._keys


class _Bell:
    """The reader of a wake-up pair without one: never ready, because posting asks for a pass itself."""

    def readiness(self, events: int) -> int:  # noqa: ARG002 - the protocol's
        return 0


class _SimulatedWakeup:
    """`securechat.net.wakeup.Wakeup` as the loop uses it."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.reader = _Bell()
        self.signal = wake

    def wait(self, timeout_s: float) -> bool:  # noqa: ARG002
        """Time does not go on within a pass: nothing comes, and nothing waits."""
        return False

    def drain(self) -> None:
        """Nothing was written."""

    def close(self) -> None:
        """Nothing was opened."""


class SimulatedPasses:
    """A real loop, and the caller of its passes.

    Args:
        clock: asked for the passes.
        limits: the loop's.
        after_pass: called after every pass, for checks of what holds all the time.
        busy_s: called before that; returns for how many seconds the pass keeps the next one waiting.
        on_error: as for `Loop`: without it, what a piece of work raises ends the run.

    Attributes:
        loop: the loop.
    """

    def __init__(
        self,
        clock: SimulatedClock,
        limits: Limits,
        after_pass: Callable[[], None],
        busy_s: Callable[[], float] = lambda: 0.0,
        on_error: Callable[[Any], None] | None = None,
    ) -> None:
        self._clock = clock
        self._after_pass = after_pass
        self._busy_s = busy_s
        self._free_at = 0.0
        self._selector = SimulatedSelector()
        self._next: Deadline | None = None
        self._running = False
        self._stopped = False
        wakeup = cast("Wakeup", _SimulatedWakeup(self.wake))
        self.loop = Loop(limits, clock=clock.monotonic, selector=self._selector, wakeup=wakeup, on_error=on_error)

    @property
    def watched(self) -> int:
        """The number of registered sockets, without the wake-up pair."""
        return len(self._selector.get_map()) - 1

    def wake(self) -> None:
        """Something may be ready: let a pass come."""
        if not self._running and (self._next is None or self._next.when > self._clock.now):
            self._ask(0.0)

    def stop(self) -> None:
        """No pass any more: the process is dead."""
        self._stopped = True
        if self._next is not None:
            self._next.cancel()

    def _ask(self, delay_s: float) -> None:
        if self._stopped:
            return
        when = max(self._clock.now + delay_s, self._free_at)
        if self._next is not None:
            if self._next.when <= when:
                return
            self._next.cancel()
        self._next = self._clock.call_at(when, self._pass)

    def _pass(self) -> None:
        self._next = None
        self._running = True
        try:
            self.loop.run_pass(0.0)
        finally:
            self._running = False
        if self._stopped:
            return
        if busy_s := self._busy_s():
            self._free_at = self._clock.now + busy_s
        self._after_pass()
        wait_s = self.loop._patience(None)
        if wait_s == 0 or self._selector.is_any_ready():
            self._ask(PASS_S)
        elif wait_s is not None:
            self._ask(wait_s + _LATE_S)
