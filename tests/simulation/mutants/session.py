"""Bugs of sessions, transports and the loop."""

from __future__ import annotations

import heapq
from typing import Any

from securechat.hub.workflow import _Run
from securechat.net.slow_readers import SendBacklog
from securechat.net.timers import Timer, Timers
from securechat.server import session
from securechat.server.session import Session
from securechat.wire.frames import FrameReader
from tests.simulation.mutants.planting import nothing, planted


@planted(SendBacklog, "measure")
def outbox_without_a_limit(original: Any) -> Any:
    def measure(self: Any, size_bytes: int) -> bool:
        original(self, size_bytes)
        return False

    return measure


@planted(Timers, "add")
def timer_fires_in_the_pass_that_made_it(original: Any) -> Any:
    def add(self: Any, when: float, callback: Any) -> Timer:
        timer = Timer(self, when, callback)
        heapq.heappush(self._heap, (when, next(self._order), timer))
        return timer

    return add


@planted(Session, "_rate_over")
def throttled_for_ever(original: Any) -> Any:
    return nothing


@planted(Session, "_unpause")
def held_draft_dropped(original: Any) -> Any:
    def unpause(self: Any) -> None:
        self._held = None
        original(self)

    return unpause


@planted(Session, "_take")
def changes_not_counted_as_unacknowledged(original: Any) -> Any:
    """Found by simulation."""

    def take(self: Any, command: Any) -> bool:
        drafts = session._DRAFTS
        session._DRAFTS = frozenset({session.Say, session.Direct})  # type: ignore[misc]
        try:
            return bool(original(self, command))
        finally:
            session._DRAFTS = drafts  # type: ignore[misc]

    return take


@planted(_Run, "__init__")
def requests_overtake_a_durable_act(original: Any) -> Any:
    """Found by an independent client: a join and a line into the new room, in one write."""

    def make(self: Any, workflow: Any, refused: Any, work: Any, asker: Any = None) -> None:
        original(self, workflow, refused, work)

    return make


@planted(FrameReader, "receive_data")
def rest_of_a_frame_lost(original: Any) -> Any:
    def receive(self: Any, data: bytes) -> None:
        if self.buffered_bytes < 4 and self._start:
            self._buffer.clear()
            self._start = 0
        original(self, data)

    return receive
