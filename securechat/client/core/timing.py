"""How long to wait: before dialling again, for a silent server, until all is sent. Times are monotonic seconds.

The silence rules mirror the server's (limits.py: idle_ping_s, ping_timeout_s): after a minute we ask, half a minute
later it counts as dead. While the server has said that it is not reading us, silence means nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from securechat.errors import ErrorCode
from securechat.model import Ping, Refused

FIRST_DELAY_S = 0.2
"""Before the first new attempt: a restarted server is back within a second, and nobody should notice longer."""
LONGEST_DELAY_S = 10.0
"""Between attempts in the end: a thousand clients then cost a server a hundred connections a second at most."""
STABLE_S = 10.0
"""A connection that lived this long was a good one: the next loss starts with the first delay again."""
EARLY_ENDS = 3
"""Connections in a row that ended soon after a welcome, with no reason given or an internal error, before the client
takes it that what it says makes the server fail. Fewer would be the chance of a bad network."""
LONGEST_AFTER_EARLY_ENDS_S = 60.0
"""Between attempts from then on: a server that a supervisor starts again serves everybody else for that long."""
IDLE_PING_S = 60.0
"""Silence before we ask (the server's idle_ping_s)."""
PING_TIMEOUT_S = 30.0
"""Silence after that before the server counts as dead (the server's ping_timeout_s)."""
ANSWER_S = 30.0
"""For the answer to our hello and to re-entering rooms: the server's own hello_timeout_s."""
THROTTLE_SLACK_S = 5.0
"""Added to a server's retry_after_s before silence counts again: its clock and its loop are not ours."""

RETRY_S = 1.0
"""Before a refused request is repeated, where the server named no time."""
SLOW_MODE_S = 60.0
"""A line waits so long for a room in slow mode; whoever would have to wait longer is told instead."""
_LATER = frozenset({ErrorCode.OVERLOADED, ErrorCode.BUSY, ErrorCode.OUT_OF_ORDER})
"""Refusals of a line that are no judgement of it; DISK_FULL is one too when it names a time."""

PACE_LINES = 100
"""Lines looked back on: 20 s at the server's 5 a second."""
PACE_S = 1.0
"""Observed before a rate is told: the server's answers come in groups, and the first says nothing."""


class ReconnectBackoff:
    """Delays between attempts: doubling, capped, spread by half so that a crowd does not return as one.

    Args:
        jitter: returns a number in [0, 1); injected, because the core knows no randomness.
    """

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._early_ends = 0
        self.attempt = 0

    def ended(self, lived_s: float, *, explained: bool) -> None:
        """A connection on which we were welcome has ended.

        Args:
            lived_s: seconds since the welcome.
            explained: whether the server said why, and that it was no error of its own.
        """
        if lived_s >= STABLE_S:
            self.attempt = self._early_ends = 0
        elif not explained:
            self._early_ends += 1

    def next_delay_s(self, at_least_s: float = 0.0) -> float:
        """Return the delay before the next attempt, never less than the server asked for."""
        longest_s = LONGEST_DELAY_S if self._early_ends < EARLY_ENDS else LONGEST_AFTER_EARLY_ENDS_S
        ceiling = min(longest_s, FIRST_DELAY_S * 2.0 ** min(self.attempt, 10))
        self.attempt += 1
        delay = ceiling * (0.5 + 0.5 * self._jitter())
        return at_least_s + delay if at_least_s > 0 else delay


class Liveness:
    """Watches one connection: when to ask, and when to give up."""

    def __init__(self, now: float) -> None:
        self._heard = now
        self._asked: float | None = None
        self._count = 0

    def heard(self, now: float) -> None:
        """Something arrived."""
        self._heard = max(self._heard, now)
        self._asked = None

    def excuse(self, now: float, for_s: float) -> None:
        """The server is not reading us for so long: silence until then means nothing."""
        self._heard = max(self._heard, now + for_s + THROTTLE_SLACK_S)
        self._asked = None

    @property
    def deadline(self) -> float:
        """When `check` has something to say."""
        return self._heard + IDLE_PING_S if self._asked is None else self._asked + PING_TIMEOUT_S

    def check(self, now: float) -> Ping | None:
        """Return a Ping when it is time to ask."""
        if self._asked is None and now >= self.deadline:
            self._asked = now
            self._count += 1
            return Ping(self._count)
        return None

    def dead(self, now: float) -> bool:
        """Tell whether our question stayed unanswered."""
        return self._asked is not None and now >= self.deadline


class SendRate:
    """How fast the server takes lines, as observed."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=PACE_LINES)
        self._from = 0.0

    def begin(self, now: float) -> None:
        """The limit is reached; what was allowed at once is acknowledged in the next moments, and is no rate."""
        self._times.clear()
        self._from = now + PACE_S

    def moved(self, now: float) -> None:
        """One more line is stored."""
        if now >= self._from:
            self._times.append(now)

    def rate(self) -> float | None:
        """Return lines per second; None while too little was seen."""
        if len(self._times) < 2 or (seconds := self._times[-1] - self._times[0]) < PACE_S:
            return None
        return (len(self._times) - 1) / seconds


def retry_at(event: Refused, now: float) -> float | None:
    """Return when to repeat what was refused; None when the refusal is a judgement of it."""
    if event.code is ErrorCode.SLOW_MODE and (event.retry_after_s is None or event.retry_after_s > SLOW_MODE_S):
        return None
    if event.code in _LATER or event.retry_after_s is not None:
        return now + (event.retry_after_s if event.retry_after_s is not None else RETRY_S)
    return None
