"""Faults of the feed that are not mended yet; each test fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from securechat.containment import Containment
from securechat.hub.programs.outgoing import NextMessage
from securechat.model import Message
from securechat.records.accounts import OutgoingWebhook
from securechat.server.outgoing.feed import OutgoingFeed
from securechat.server.outgoing.networks import NetworkPolicy

DAY_MS = 86_400_000


class Timer:
    def cancel(self) -> None:
        pass


class World:
    """One webhook with one message to deliver; it is the hub, the worker, the scheduler and the observer."""

    port: Any = None
    fed_seq = 1

    def __init__(self, next_ms: int) -> None:
        self.clock_ms = 10 * DAY_MS
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.delivered = 0
        self.hook = OutgoingWebhook(
            7, "abc", 0, "https://ci.example.org/", "all", False, "whsec_" + "A" * 44, cursor=0,
            failures=1, failing_since_ms=self.clock_ms, next_ms=self.clock_ms + next_ms,
        )  # fmt: skip

    def rows(self) -> list[OutgoingWebhook]:
        return [self.hook]

    def row(self, _: int) -> OutgoingWebhook:
        return self.hook

    def room_of(self, _: OutgoingWebhook) -> object:
        return self

    def is_allowed(self, _: OutgoingWebhook) -> bool:
        return True

    def now_ms(self) -> int:
        return self.clock_ms

    def ask_next(self, _: OutgoingWebhook, after: int, done: Callable[[Any], None]) -> None:
        done(NextMessage(Message(1, 0, 3, "ann", 0, "hello", room="lobby"), 1, more=False))

    def deliver(self, *_: object) -> bool:
        self.delivered += 1
        return True

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        self.timers.append((delay_s, callback))
        return Timer()

    def pass_time(self, seconds: float) -> None:
        """Let time pass by the monotonic clock and by the wall clock."""
        end = self.clock_ms + round(seconds * 1000)
        due = [(self.clock_ms + delay_s * 1000, callback) for delay_s, callback in self.timers]
        self.timers.clear()
        for at, callback in sorted(due, key=lambda each: each[0]):
            if at <= end:
                self.clock_ms = max(self.clock_ms, round(at))
                callback()
            else:
                self.timers.append(((at - end) / 1000, callback))
        self.clock_ms = end


def test_brk_a_clock_that_is_put_back_does_not_make_a_pause_of_five_seconds_a_day() -> None:
    world = World(next_ms=5_000)
    feed = OutgoingFeed(world, world, world, Containment(None), world, NetworkPolicy())  # type: ignore[arg-type]
    feed.start()
    world.clock_ms -= DAY_MS  # which `WallClock` believes: it is within three days
    for _ in range(60):
        world.pass_time(60)
    assert world.delivered
