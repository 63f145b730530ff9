"""Plans the next attempt after a failure, or switches the hook off; pure: the state and the time are arguments.

After a failure a hook waits 5 s, then 5 min, 30 min, 2 h, 5 h and 10 h (Standard Webhooks, "Deliverability and
reliability", cut at a day), and is tried a last time 24 h after the first failure. A failure then switches the hook
off, and so does the answer 410 at any time.

A hook is never switched off before the whole plan was tried. Time alone would not do: where a power cut stops the
server and the receiver on Friday and both start on Monday, the server first, one failed attempt is no day of failure.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct

from securechat.server.outgoing.outcome import Delivered, Failed, Gone, Outcome

PAUSES_S: Final = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0)
"""Seconds before each further attempt."""
OFF_AFTER_S: Final = 86_400.0
"""Seconds of failure after which a hook is switched off."""
MOST_RETRY_AFTER_S: Final = 3_600.0
"""The longest wait that a receiver's Retry-After asks for with effect, seconds: with it, the plan still fits into
OFF_AFTER_S (three waits of an hour, 2 h, 5 h and 10 h are 20 h)."""


class OffReason(StrEnum):
    """Why a hook is switched off. Values are stable words."""

    GONE = "gone"
    """The receiver answered 410: it wants no more deliveries."""
    FAILING = "failing"
    """All attempts of a day have failed."""


class RetryState(Struct, frozen=True):
    """How a hook's deliveries go; the default is that of a hook without a failure.

    Attributes:
        failures: attempts that have failed since the last success.
        since_ms: when the first of them failed, milliseconds since the epoch, UTC; 0 without a failure.
        next_ms: the earliest time of the next attempt, likewise; 0: at once.
    """

    failures: int = 0
    since_ms: int = 0
    next_ms: int = 0


class SwitchedOff(Struct, frozen=True):
    """The hook gets no more deliveries until it is switched on again.

    Attributes:
        reason: why.
        since_ms: when the first of the failures was, milliseconds since the epoch, UTC.
    """

    reason: OffReason
    since_ms: int


Plan: TypeAlias = RetryState | SwitchedOff

WELL: Final = RetryState()
"""The state of a hook whose last delivery succeeded, or that has not had one."""


def planned(state: RetryState, outcome: Outcome, now_ms: int) -> Plan:
    """Return how it goes on after an attempt.

    Args:
        state: before the attempt.
        outcome: of the attempt.
        now_ms: milliseconds since the epoch, UTC; by a clock that does not jump (`securechat.hub.wall_clock`).
    """
    match outcome:
        case Delivered():
            return WELL
        case Gone():
            return SwitchedOff(OffReason.GONE, _since(state, now_ms))
        case Failed():
            return _after_failure(state, outcome.retry_after_s, now_ms)


def longest_pause_s(failures: int) -> float:
    """Return the longest wait that the plan may have after so many failures, seconds: a longer one is the clock's."""
    return max(_pause_s(failures), MOST_RETRY_AFTER_S)


def _pause_s(failures: int) -> float:
    return PAUSES_S[min(max(failures, 1), len(PAUSES_S)) - 1]


def _after_failure(state: RetryState, retry_after_s: float | None, now_ms: int) -> Plan:
    since_ms, failures = _since(state, now_ms), state.failures + 1
    end_ms = since_ms + round(OFF_AFTER_S * 1000)
    if failures > len(PAUSES_S) and now_ms >= end_ms:
        return SwitchedOff(OffReason.FAILING, since_ms)
    pause_s = _pause_s(failures)
    if retry_after_s is not None:
        pause_s = max(pause_s, min(retry_after_s, MOST_RETRY_AFTER_S))
    next_ms = now_ms + round(pause_s * 1000)
    if now_ms < end_ms:  # the last attempt is at the end of the day, not after it
        next_ms = min(next_ms, end_ms)
    return RetryState(failures, since_ms, next_ms)


def _since(state: RetryState, now_ms: int) -> int:
    """When the failures began. A clock that was put back must not make the day longer."""
    return min(state.since_ms, now_ms) if state.failures else now_ms
