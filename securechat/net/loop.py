"""The event loop: one thread, one selector, and a fixed order of work per pass.

A pass is select, completions, reads, handshakes, accepts, timers, flush, deferred closes. All input of one pass becomes
one commit, all output of one pass one send per peer. The order is Redis' (``ae.c`` and ``beforeSleep``): answers are
sent after everything that may add to them, and nothing is freed while other code of the pass may still use it. Each
step is bounded, by bytes per transport or by a count, and remaining work makes the next ``select`` return at once.
While many connections talk, input waits up to 2 ms between two passes, and only completions run meanwhile:
:mod:`securechat.net.input_pacing`.

Nothing crosses threads except :meth:`Loop.post` and :meth:`Loop.stop`.

With ``on_error``, an exception from a piece of work (a read, a posted callback, a timer, ...) affects only its owner;
without it, the exception ends :meth:`Loop.run`. `securechat.containment` has the rules and their exceptions. The client
gives none: it has one connection, and a bug ends it with its traceback.

:mod:`securechat.net.slow_passes` judges passes that take too long, by one reading of the clock at their end.
"""

from __future__ import annotations

import selectors
import socket
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from securechat.containment import Containment, Failure, Owner, Step
from securechat.histogram import DURATIONS_S, Histogram
from securechat.net.input_pacing import InputPacing
from securechat.net.slow_passes import SLOW_PASS_S, Mark, SlowPasses
from securechat.net.slow_readers import SendBacklogs
from securechat.net.timers import Timer, Timers
from securechat.net.wakeup import Wakeup

if TYPE_CHECKING:
    from securechat.limits import Limits
    from securechat.net.interfaces import LoopConnection

EVENT_READ = selectors.EVENT_READ
EVENT_WRITE = selectors.EVENT_WRITE

# Module constants, because an enum look-up costs more than the work around it.
_COMPLETION, _READ, _HANDSHAKE, _ACCEPT = Step.COMPLETION, Step.READ, Step.HANDSHAKE, Step.ACCEPT
_TIMER, _BEFORE_FLUSH, _FLUSH, _CLOSE = Step.TIMER, Step.BEFORE_FLUSH, Step.FLUSH, Step.CLOSE


class Watcher(Owner, Protocol):
    """The owner of a socket in the selector."""

    def ready(self, events: int) -> None:
        """The socket is ready for ``events`` (EVENT_READ, EVENT_WRITE)."""


class Acceptor(Watcher, Protocol):
    """A watcher that works in the accept step."""

    def accept_some(self, budget: int) -> int:
        """Accept at most ``budget`` connections; returns how many."""


class Loop:
    """The loop of one thread.

    Args:
        limits: pass budgets and deadlines.
        clock: monotonic seconds.
        selector: waits for sockets; the system's best by default. A simulation gives its own, with a ``wakeup`` to
            match.
        wakeup: ends the wait from another thread.
        on_error: receives the exception of a piece of work; without it such an exception ends :meth:`run`.
        on_slow_pass: receives a sentence about each pass that took too long.

    Attributes:
        containment: handles the exceptions of pieces of work.
        on_pass: receives the time at the start of each pass, before its completions.
        now: monotonic seconds at the start of this pass.
        passes: passes so far; with ``reads``, ``writes``, ``bytes_in`` and ``bytes_out`` (plaintext) for the metrics.
        pass_times: the seconds of work of each pass, without the wait for it.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
        selector: selectors.BaseSelector | None = None,
        wakeup: Wakeup | None = None,
        on_error: Callable[[Failure], None] | None = None,
        on_slow_pass: Callable[[str], None] | None = None,
    ) -> None:
        self.limits = limits
        self.now = clock()
        self.on_pass: Callable[[float], None] | None = None
        self.passes = self.reads = self.writes = self.bytes_in = self.bytes_out = 0
        self._clock = clock
        self.pass_times = Histogram()
        self._pass_counts = self.pass_times.counts
        self.containment = Containment(on_error)
        self._mark: Mark = self.containment  # notes the work under way; while passes are slow, measures it
        self._slow_passes = SlowPasses(self, clock, on_slow_pass)
        self._timers = Timers()
        self._pacing = InputPacing(self.now)
        self._posted: deque[Callable[[], None]] = deque()
        self._before_flush: list[Callable[[], None]] = []
        self._stopping = False
        self._selector = selector or selectors.DefaultSelector()
        self._wakeup = wakeup or Wakeup()
        self._selector.register(self._wakeup.reader, EVENT_READ, self)
        # Work queued by the rest of net/; private to it.
        self.dirty: list[LoopConnection] = []
        self.again: deque[LoopConnection] = deque()
        self.handshakes: deque[LoopConnection] = deque()
        self.accepting: list[Acceptor] = []
        self.closing: list[LoopConnection] = []
        self.backlogs = SendBacklogs(limits.outboxes_total_bytes)

    @property
    def slow_passes(self) -> int:
        """Passes so far that took over SLOW_PASS_S, where slow ones are reported."""
        return self._slow_passes.slow

    # --- for all code on the loop's thread

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call back once, ``delay_s`` seconds from now, never in this pass."""
        return self._timers.add(self._clock() + delay_s, callback)

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call back once at the monotonic second ``when``, never in this pass."""
        return self._timers.add(when, callback)

    def call_before_flush(self, callback: Callable[[], None]) -> None:
        """Call back once, in this pass if it has not flushed yet: for writes gathered over a pass."""
        self._before_flush.append(callback)

    # --- from any thread and from signal handlers

    def post(self, callback: Callable[[], None]) -> None:
        """Run ``callback`` on the loop's thread, in order. Callers bound how many are queued."""
        self._posted.append(callback)
        self._wakeup.signal()

    def stop(self) -> None:
        """End :meth:`run` after the current pass."""
        self._stopping = True
        self._wakeup.signal()

    def wakeup_fileno(self) -> int:
        """The descriptor for ``signal.set_wakeup_fd``."""
        return self._wakeup.writer_fileno()

    # --- running

    def run(self) -> None:
        """Run passes until :meth:`stop`."""
        while not self._stopping:
            self.run_pass(None)
        self._stopping = False

    def close(self) -> None:
        """Release the selector and the wake-up pair. Before, close listeners, abort transports, and run a pass."""
        self._selector.close()
        self._wakeup.close()

    def run_pass(self, timeout_s: float | None) -> None:
        """Run one pass; waits at most ``timeout_s`` seconds for work (None: without limit)."""
        events = self._next_events(timeout_s)
        self.now = self._clock()
        if events is not None:
            self._pacing.note(self.now, events)
        if self.on_pass is not None:
            self.on_pass(self.now)
        self.passes += 1
        again = self.again
        if again:  # transports added from here on wait for the next pass
            self.again = deque()
        if self._posted:
            self._run_posted()
        if events or again:
            self._read(events or (), again)
        if self.handshakes:
            self._step_handshakes()
        if self.accepting:
            self._accept()
        self._mark.step = _TIMER
        self._timers.run_due(self.now, self._fire)
        if self._before_flush:
            self._run_before_flush()
        if self.dirty:
            self._flush()
        if self.closing:
            self._finish_closing()
        ended = self._clock()
        took_s = ended - self.now
        self._pass_counts[bisect_left(DURATIONS_S, took_s)] += 1  # as `Histogram.add`, at half the price
        self.pass_times.total += took_s
        if took_s > SLOW_PASS_S or self._mark is not self.containment:
            self._mark = self._slow_passes.judge(ended, len(events or ()), self._mark)

    def ready(self, events: int) -> None:  # noqa: ARG002  (the Watcher's signature; here it is the wake-up pair)
        """Ignore the byte in the wake-up pair: it has ended the select, which is its purpose."""
        self._wakeup.drain()

    @property
    def label(self) -> str:
        """The loop as the owner of its wake-up pair."""
        return "the loop"

    def fail(self) -> None:
        """Do nothing: :meth:`ready` above raises nothing."""

    # --- the selector, for net/ only

    def watch(self, sock: socket.socket, before: int, events: int, watcher: Watcher) -> None:
        """Change the interest in ``sock`` from ``before`` to ``events``; without interest it is not registered.

        epoll reports a hang-up even without any interest, so a registration without interest would spin.
        """
        if not before:
            self._selector.register(sock, events, watcher)
        elif not events:
            self._selector.unregister(sock)
        else:
            self._selector.modify(sock, events, watcher)

    # --- the steps

    def _next_events(self, timeout_s: float | None) -> list[tuple[selectors.SelectorKey, int]] | None:
        """Wait for work; None: input is held back, and there are completions meanwhile."""
        wait_s = self._patience(timeout_s)
        if (until := self._pacing.until) and (wait_s != 0 or self._posted):
            held_s = until - self._clock()
            if held_s > 0:
                if self._posted or self._wakeup.wait(held_s if wait_s is None else min(held_s, wait_s)):
                    return None
                if wait_s is not None:
                    wait_s = max(0.0, wait_s - held_s)  # or a timer would be late by what was waited here
        return self._selector.select(wait_s)

    def _patience(self, timeout_s: float | None) -> float | None:
        earliest = self._timers.settle()
        if self.dirty or self.again or self._posted or self.handshakes or self.closing or self._before_flush:
            return 0
        if self.accepting:
            return 0
        if earliest is None:
            return timeout_s
        wait_s = max(0.0, earliest - self._clock())
        return wait_s if timeout_s is None else min(wait_s, timeout_s)

    def _run_posted(self) -> None:
        """Run the completions queued now; later ones belong to the next pass."""
        self._wakeup.drain()
        mark = self._mark
        mark.step = _COMPLETION
        for _ in range(len(self._posted)):
            mark.current = callback = self._posted.popleft()
            try:
                callback()
            except Exception as exc:  # noqa: BLE001  (it affects its owner, not the loop)
                self.containment.contain(callback, exc)

    def _read(self, events: Sequence[tuple[selectors.SelectorKey, int]], again: deque[LoopConnection]) -> None:
        mark = self._mark
        mark.step = _READ
        for key, mask in events:
            mark.current = watcher = key.data
            try:
                watcher.ready(mask)
            except Exception as exc:  # noqa: BLE001  (one peer's error must not affect others)
                self.containment.contain(watcher, exc)
        for transport in again:
            mark.current = transport
            try:
                transport.ready_again()
            except Exception as exc:  # noqa: BLE001  (as above)
                self.containment.contain(transport, exc)

    def _step_handshakes(self) -> None:
        """Run at most accepts_per_pass handshake steps of 0.3 to 0.6 ms each, in order, after the reads of members."""
        waiting = self.handshakes
        mark = self._mark
        mark.step = _HANDSHAKE
        for _ in range(min(len(waiting), self.limits.accepts_per_pass)):
            mark.current = transport = waiting.popleft()
            try:
                transport.step_handshake()
            except Exception as exc:  # noqa: BLE001  (as above)
                self.containment.contain(transport, exc)

    def _accept(self) -> None:
        """Accept with one budget for all listeners; the selector reports the remaining clients again."""
        budget = self.limits.accepts_per_pass
        acceptors, self.accepting = self.accepting, []  # one with more to accept is added again for the next pass
        mark = self._mark
        mark.step = _ACCEPT
        for acceptor in acceptors:
            mark.current = acceptor
            try:
                budget -= acceptor.accept_some(budget)
            except Exception as exc:  # noqa: BLE001  (as above)
                self.containment.contain(acceptor, exc)
            if budget <= 0:
                break

    def _fire(self, callback: Callable[[], None]) -> None:
        self._mark.current = callback
        try:
            callback()
        except Exception as exc:  # noqa: BLE001  (as a posted callback)
            self.containment.contain(callback, exc)

    def _run_before_flush(self) -> None:
        callbacks = self._before_flush
        self._before_flush = []
        self._mark.step = _BEFORE_FLUSH
        for callback in callbacks:
            self._fire(callback)

    def _flush(self) -> None:
        dirty = self.dirty.copy()
        self.dirty.clear()  # in place: transports hold this list's append
        mark = self._mark
        mark.step = _FLUSH
        for transport in dirty:
            mark.current = transport
            try:
                transport.flush()
            except Exception as exc:  # noqa: BLE001  (as above)
                self.containment.contain(transport, exc)
        for transport in self.backlogs.victims():
            mark.current = transport
            try:
                transport.overflow()
            except Exception as exc:  # noqa: BLE001  (as above)
                self.containment.contain(transport, exc)

    def _finish_closing(self) -> None:
        """Close descriptors last, so that no event of this pass can meet a reused number."""
        closing = self.closing
        self.closing = []
        mark = self._mark
        mark.step = _CLOSE
        for transport in closing:
            mark.current = transport
            try:
                transport.finish()
            except Exception as exc:  # noqa: BLE001  (as above)
                self.containment.contain(transport, exc)
