"""A loop of timed passes and a transport without a socket, for `worst_world`.

The clock is the CPU time of this thread, so a machine that others use too changes the figures less.
"""

from __future__ import annotations

import contextlib
import heapq
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, cast

from securechat.model import ALPN
from securechat.net.broadcast import write_all
from securechat.net.loop import EVENT_WRITE
from securechat.net.outbox import Outbox
from securechat.server.session import Session


class Stopwatch:
    """CPU time of this thread while it runs, seconds."""

    def __init__(self) -> None:
        self.total_s = 0.0
        self._begun: float | None = None

    def start(self) -> None:
        self._begun = time.thread_time()

    def stop(self) -> None:
        if self._begun is not None:
            self.total_s += time.thread_time() - self._begun
            self._begun = None

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        running = self._begun is not None
        self.stop()
        try:
            yield
        finally:
            if running:
                self.start()


class Timer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class PassLoop:
    """Passes of a loop: what was posted, what has come, timers. Each is timed.

    Attributes:
        worst_s: the longest pass since `reset`.
        total_s: all of them together.
        passes: how many.
    """

    def __init__(self, watch: Stopwatch) -> None:
        self.now = 1_000.0
        self.on_pass: Callable[[float], None] = lambda _: None
        self.dirty: list[Link] = []
        self.watch_ = watch
        self._posted: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._fresh: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._interests: dict[Any, int] = {}
        self.reset()

    def reset(self) -> None:
        self.worst_s = self.total_s = 0.0
        self.passes = 0

    def post(self, callback: Callable[[], None]) -> None:
        self._posted.append(callback)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return self.call_at(self.now + delay_s, callback)

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(callback)
        self._fresh.append((when, next(self._order), timer))
        return timer

    def watch(self, sock: Any, before: int, events: int, watcher: Any) -> None:  # noqa: ARG002
        self._interests.pop(watcher, None)
        if events:
            self._interests[watcher] = events

    def run(self, *inputs: Callable[[], None], for_s: float = 0.0) -> None:
        """Run a pass with these inputs, then passes until nothing is left to do within ``for_s``."""
        end = self.now + for_s
        self._pass(inputs)
        while True:
            self._settle()
            due = self._timers and self._timers[0][0] <= self.now
            if not (self._posted or due or self._waits_for_room()):
                if not self._timers or self._timers[0][0] > end:
                    break
                self.now = max(self.now, self._timers[0][0])
            self._pass(())
        self.now = end

    def _waits_for_room(self) -> bool:
        return any(events & EVENT_WRITE for events in self._interests.values())

    def _pass(self, inputs: Sequence[Callable[[], None]]) -> None:
        writers = [watcher for watcher, events in self._interests.items() if events & EVENT_WRITE]
        self.watch_.total_s = 0.0
        self.watch_.start()
        self.on_pass(self.now)
        for _ in range(len(self._posted)):
            self._posted.popleft()()
        for each in inputs:
            each()
        for watcher in writers:
            watcher.ready(EVENT_WRITE)
        while self._timers and self._timers[0][0] <= self.now:
            timer = heapq.heappop(self._timers)[2]
            if timer.callback is not None:
                callback, timer.callback = timer.callback, None
                callback()
        self.watch_.stop()
        self.passes += 1
        self.total_s += self.watch_.total_s
        self.worst_s = max(self.worst_s, self.watch_.total_s)
        for link in self.dirty:
            link.flush()
        self.dirty.clear()

    def _settle(self) -> None:
        for entry in self._fresh:
            if entry[2].callback is not None:
                heapq.heappush(self._timers, entry)
        self._fresh.clear()
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)


class Link:
    """A transport whose peer takes everything at once."""

    def __init__(self, loop: PassLoop, address: str) -> None:
        self.address = address
        self.alpn: str | None = ALPN
        self.peer_certificate: bytes | None = None
        self.owes_hello = False
        self.session: Session | None = None
        self.received = bytearray()
        self.keeps = False
        self._loop = loop
        self._outbox = Outbox()
        self._append = self._outbox.append
        self._writing = True
        self._dirty = False

    @property
    def queued_bytes(self) -> int:
        return self._outbox.size_bytes

    def write(self, data: bytes) -> None:
        write_all([cast("Any", self)], data)

    def flush(self) -> None:
        self._dirty = False
        while piece := self._outbox.take():
            if self.keeps:
                self.received += piece
            self._outbox.accepted(len(piece))

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close_with(self, last_words: bytes = b"", drop_backlog: bool = False) -> None:  # noqa: ARG002
        self.write(last_words)
        self._writing = False
