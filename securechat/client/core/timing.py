"""Delays and timeouts: between connection attempts, of a silent server, of repeated requests; and the send rate.

Times are monotonic seconds. The rules for silence mirror the server's (limits.py: idle_ping_s, ping_timeout_s): after a
minute the client sends a Ping, and half a minute later the server counts as dead. While the server has told that it
reads nothing from this client, silence means nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from securechat.errors import ErrorCode
from securechat.model import Ping, Refused

FIRST_DELAY_S = 0.2
"""Before the first new attempt: a restarted server is back within a second."""
LONGEST_DELAY_S = 10.0
"""Between attempts in the end: a thousand clients then cost a server a hundred connections a second at most."""
STABLE_S = 10.0
"""A connection that lived this long was stable: the next loss starts with the first delay again."""
EARLY_ENDS = 3
"""Connections in a row that ended soon after a welcome, with no reason given or an internal error, before the client
assumes that its own requests make the server fail. Fewer may be a bad network."""
LONGEST_AFTER_EARLY_ENDS_S = 60.0
"""Between attempts from then on: a server that a supervisor starts again serves the other clients for that long."""
IDLE_PING_S = 60.0
"""Silence before a Ping (the server's idle_ping_s)."""
PING_TIMEOUT_S = 30.0
"""Silence after that before the server counts as dead (the server's ping_timeout_s)."""
ANSWER_S = 30.0
"""For the answers to the hello and to joining the rooms again: the server's own hello_timeout_s."""
THROTTLE_SLACK_S = 5.0
"""Added to a server's retry_after_s before silence counts again: the server's clock and loop may lag."""

TYPING_NOTICE_S = 5.0
"""Between two typing notices of the user in one conversation; the server passes on one in 3 s
(limits.typing_interval_s)."""
TYPING_BELIEVED_S = 6.0
"""After a typing notice of another member: a second longer than the interval of notices."""
READ_MARKER_S = 1.0
"""Between two Reads of one conversation: a busy room then costs the server one small frame a second."""
READ_MARKERS_APART_S = 0.5
"""Between any two Reads: well under the server's request_rate of 5 a second, however many rooms are busy."""

RETRY_S = 1.0
"""Before a refused request is repeated, where the server named no time."""
SLOW_MODE_S = 60.0
"""Longest wait of a message for a room in slow mode; beyond it the refusal is shown to the user."""
_FINAL = frozenset({ErrorCode.MUTED, ErrorCode.ROOM_BANNED})
"""A line that was refused so is not said by itself when the mute is over, hours later."""
_LATER = frozenset({ErrorCode.OVERLOADED, ErrorCode.BUSY, ErrorCode.OUT_OF_ORDER})
"""Refusals after which the same message may succeed; DISK_FULL is one too when it names a time."""

RATE_MESSAGES = 100
"""Messages over which the rate is measured: 20 s at the server's 5 a second."""
RATE_S = 1.0
"""Observed before a rate is shown: the server's answers come in groups, and the first tells nothing."""


def repeat_delay_s(times: int) -> float:
    """Return the pause before a hello is repeated that was refused so many times before, where no time was named."""
    return min(LONGEST_DELAY_S, RETRY_S * 2.0 ** min(times, 10))


class ReconnectBackoff:
    """Delays between attempts: doubling, capped, spread by half so that many clients do not return at once.

    Args:
        jitter: returns a number in [0, 1); injected, because the core knows no randomness.
    """

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._early_ends = 0
        self.attempt = 0

    def ended(self, lived_s: float, *, explained: bool) -> None:
        """A connection that had a Welcome has ended.

        Args:
            lived_s: seconds since the welcome.
            explained: whether the server gave a reason other than an internal error.
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
    """Watches one connection: tells when to send a Ping, and when the server counts as dead."""

    def __init__(self, now: float) -> None:
        self._heard = now
        self._asked: float | None = None
        self._count = 0

    def heard(self, now: float) -> None:
        """Something arrived."""
        self._heard = max(self._heard, now)
        self._asked = None

    def excuse(self, now: float, for_s: float) -> None:
        """Ignore silence for ``for_s`` seconds, in which the server reads nothing."""
        self._heard = max(self._heard, now + for_s + THROTTLE_SLACK_S)
        self._asked = None

    @property
    def deadline(self) -> float:
        """When `check` has something to do."""
        return self._heard + IDLE_PING_S if self._asked is None else self._asked + PING_TIMEOUT_S

    def check(self, now: float) -> Ping | None:
        """Return a Ping when one is due."""
        if self._asked is None and now >= self.deadline:
            self._asked = now
            self._count += 1
            return Ping(self._count)
        return None

    def dead(self, now: float) -> bool:
        """Tell whether the Ping stayed unanswered for too long."""
        return self._asked is not None and now >= self.deadline


class SendRate:
    """Measures how fast the server takes messages."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=RATE_MESSAGES)
        self._from = 0.0

    def begin(self, now: float) -> None:
        """Begin when the limit is reached; the burst allowed at once is acknowledged soon after and does not count."""
        self._times.clear()
        self._from = now + RATE_S

    def moved(self, now: float) -> None:
        """One more message is stored."""
        if now >= self._from:
            self._times.append(now)

    def rate(self) -> float | None:
        """Return messages per second; None while too few were seen."""
        if len(self._times) < 2 or (seconds := self._times[-1] - self._times[0]) < RATE_S:
            return None
        return (len(self._times) - 1) / seconds


def retry_at(event: Refused, now: float) -> float | None:
    """Return when to repeat a refused request; None when the refusal is final, also where it says how long it lasts."""
    if event.code in _FINAL:
        return None
    if event.code is ErrorCode.SLOW_MODE and (event.retry_after_s is None or event.retry_after_s > SLOW_MODE_S):
        return None
    if event.code in _LATER or event.retry_after_s is not None:
        return now + (event.retry_after_s if event.retry_after_s is not None else RETRY_S)
    return None
