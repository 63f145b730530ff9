"""The operator log: turns events of sessions and of the hub into lines of the console."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, assert_never

from securechat.client_address import origin_of
from securechat.containment import Vital, VitalFailure
from securechat.hub.interfaces import OperatorEvent, Peer
from securechat.server.console import Console

if TYPE_CHECKING:
    from securechat.containment import Failure
    from securechat.net.connection_limits import Denial
    from securechat.server.session import Session


REPEAT_EVERY_S = 60.0
"""Seconds between two lines of the same: a peer that repeats its request must not fill a disk with them."""
MOST_TOLD = 1_024
"""Lines of one kind in that time, and addresses or places remembered for it; any more are only counted."""
_FRAMES = 30
"""Of a traceback, the innermost: an endless recursion has a thousand."""
_TRACEBACK_CHARS = 8_000


class _Repeats:
    """What was told lately: each is told once in REPEAT_EVERY_S, and how many were left out since comes with the next.

    None is lost: where there are too many to remember, the next line of any has their number.
    """

    def __init__(self) -> None:
        self._told: dict[tuple[str, ...], tuple[float, int]] = {}  # when, and how many since; the oldest first
        self._forgotten = 0

    def left_out(self, what: tuple[str, ...], now: float) -> int | None:
        """Count one. None: leave it out, too; else tell it, and that so many were left out."""
        told_at, since = self._told.get(what, (now - REPEAT_EVERY_S, 0))
        if now - told_at < REPEAT_EVERY_S:
            self._told[what] = (told_at, since + 1)
            return None
        self._told.pop(what, None)
        if len(self._told) >= MOST_TOLD:
            oldest, (oldest_at, oldest_since) = next(iter(self._told.items()))
            if now - oldest_at < REPEAT_EVERY_S:
                self._forgotten += 1 + since
                return None
            del self._told[oldest]
            self._forgotten += oldest_since
        self._told[what] = (now, 0)
        since, self._forgotten = since + self._forgotten, 0
        return since


class OperatorLog:
    """Observes sessions and the hub, and tells the console.

    Args:
        console: receives the lines.
        show_messages: whether message texts may be shown.
        clock: monotonic seconds.
    """

    def __init__(
        self, console: Console, *, show_messages: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._clock = clock
        self._refusals = _Repeats()
        self.hears_messages = show_messages
        self._failures, self._visits, self._denials = _Repeats(), _Repeats(), _Repeats()
        self._hooks_off, self._lost_replies, self._failed_hooks = _Repeats(), _Repeats(), _Repeats()

    def connected(self, session: Session) -> None:
        """A TLS handshake is done."""
        self._console.event("connected", session.label, address=session.label)

    def disconnected(self, session: Session, name: str, reason: str, detail: str) -> None:
        """A connection is closed."""
        who = f'{session.label} "{name}"' if name else session.label
        sentence = _REASONS.get(reason, reason)
        if reason in _NEED_DETAIL and detail:
            sentence = f"{sentence}: {detail}"
        self._console.event(
            "disconnected",
            f"{who}: {sentence}",
            address=session.label,
            name=name or None,
            reason=reason,
            detail=detail or None,
        )

    def visited(self, origin: str, label: str, now: float) -> None:
        """A browser has loaded the page.

        Args:
            origin: what counts as one address; see `securechat.client_address.origin_of`.
            label: address and port.
            now: monotonic seconds.
        """
        more = self._visits.left_out((origin,), now)
        if more is not None:
            self._console.event("visited", label + _and(more), address=label, more=more or None)

    def denied(self, address: str, denial: Denial, now: float) -> None:
        """A connection was not admitted."""
        more = self._denials.left_out((origin_of(address), denial.value), now)
        if more is not None:
            self._console.event(
                "refused",
                f"{address}: {_DENIALS[denial.value]}{_and(more)}",
                address=address,
                reason=denial.value,
                more=more or None,
            )

    def outgoing_off(self, name: str, why: str, now: float) -> None:
        """An outgoing webhook was switched off; ``why`` is a stable word."""
        more = self._hooks_off.left_out((name,), now)
        if more is not None:
            sentence = f'the outgoing webhook "{name}" is off: {_HOOKS_OFF.get(why, why)}{_and(more)}'
            self._console.event("hook_off", sentence, name=name, reason=why, more=more or None)

    def outgoing_failed(self, name: str, problem: str, detail: str, now: float) -> None:
        """An attempt to deliver has failed; ``problem`` is a stable word, ``detail`` a clause."""
        more = self._failed_hooks.left_out((name, problem), now)
        if more is not None:
            sentence = f'the outgoing webhook "{name}" could not deliver, and tries again: {detail}{_and(more)}'
            self._console.event("hook_failed", sentence, name=name, reason=problem, detail=detail, more=more or None)

    def outgoing_reply_lost(self, name: str, why: str, now: float) -> None:
        """The receiver of an outgoing webhook has answered with a reply that became no message."""
        more = self._lost_replies.left_out((name, why), now)
        if more is not None:
            said = _REPLIES_LOST.get(why, why)
            sentence = f'a reply to the outgoing webhook "{name}" was not posted: {said}{_and(more)}'
            self._console.event("hook_reply", sentence, name=name, reason=why, more=more or None)

    def outgoing_gap(self, name: str, through: int) -> None:
        """Retention has deleted messages that an outgoing webhook had not looked at."""
        self._console.event(
            "hook_gap",
            f'the outgoing webhook "{name}": retention has deleted messages of its room before it could look at them, '
            f"up to number {through}; it goes on behind them",
            name=name,
            through=through,
        )

    def failed(self, failure: Failure, now: float) -> None:
        """An exception was contained; its traceback is written once in REPEAT_EVERY_S for the same place."""
        place = (failure.kind, type(failure.error).__name__, _place_of(failure.error))
        left_out = self._failures.left_out(place, now)
        if left_out is None:
            return
        more = f" ({left_out} more of the same since the last such line)" if left_out else ""
        self._console.event(
            "error",
            f"internal error in {failure.kind} for {failure.owner}{more}: {_traceback(failure.error)}",
            kind=failure.kind,
            owner=failure.owner,
        )

    def stops_after(self, error: Exception) -> None:
        """Vital work has failed: the last line but one of the server."""
        task = error.task if isinstance(error, VitalFailure) else Vital.LOOP
        cause = error.__cause__ if isinstance(error, VitalFailure) and isinstance(error.__cause__, Exception) else error
        self._console.event(
            "error",
            f"the server stops, because it cannot go on after an internal error in {task.value}; no acknowledged "
            f"message is lost, please report this: {_traceback(cause)}",
            kind="vital",
            owner=task.value,
        )

    def happened(self, what: OperatorEvent, peer: Peer | None, name: str, detail: str, text: str = "") -> None:
        """Something happened in the hub."""
        address: str | None = getattr(peer, "label", None)
        where = f"{address} " if address else ""
        match what:
            case OperatorEvent.NAMED:
                again = " again" if detail else ""
                self._console.event("named", f'{where}is "{name}"{again}', address=address, name=name)
            case OperatorEvent.JOINED:
                self._console.event("joined", f'"{name}" #{detail}', address=address, name=name, room=detail)
            case OperatorEvent.LEFT:
                self._console.event("left", f'"{name}" #{detail}', name=name, room=detail)
            case OperatorEvent.RENAMED:
                self._console.event("renamed", f'"{detail}" is now "{name}"', name=name, old=detail)
            case OperatorEvent.REFUSED:
                self._refused(peer, name, detail)
            case OperatorEvent.SAID:
                if self.hears_messages:
                    self._console.event(
                        "said", f'"{name}" to {detail}: {text}', address=address, name=name, to=detail, text=text
                    )
            case _:
                assert_never(what)

    def _refused(self, peer: Peer | None, name: str, detail: str) -> None:
        """One line an address, code and minute: a member may be refused five times a second, for hours."""
        code = detail.partition(":")[0]
        if getattr(peer, "is_program", False):
            detail = code  # the sentence may have a part of an address, and by mistake a token may stand there
        more = self._refusals.left_out((getattr(peer, "address", ""), code), self._clock())
        if more is None:
            return
        address: str | None = getattr(peer, "label", None)
        who = " ".join([each for each in (address, f'"{name}"' if name else "") if each])
        self._console.event(
            "refused",
            f"{who}: {detail}{_and(more)}",
            address=address,
            name=name or None,
            reason=detail,
            more=more or None,
        )


def _and(more: int) -> str:
    return f" (and {more} more)" if more else ""


def _place_of(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__, -1)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _traceback(error: Exception) -> str:
    """The innermost frames, on one line: the console lets no other through."""
    lines = "".join(traceback.format_exception(error, limit=-_FRAMES)).splitlines()
    return " | ".join(line.strip() for line in lines)[:_TRACEBACK_CHARS]


_NEED_DETAIL = frozenset({"tls_error", "failed"})
_REASONS = {
    # net.CloseReason
    "local": "closed by this server",
    "peer_closed": "closed by the client",
    "truncated": "the connection broke off (the client was killed, or its network is gone)",
    "reset": "the connection was reset",
    "tls_error": "TLS failed",
    "handshake_timeout": "the TLS handshake took too long",
    "timed_out": "the network connection timed out",
    "failed": "the connection failed",
    # errors.ErrorCode of our last words
    "bye": "said goodbye",
    "frame_too_large": "closed: sent a frame that is too large",
    "bad_frame": "closed: does not speak the protocol",
    "hello_expected": "closed: did not begin with a hello",
    "unsupported_version": "closed: speaks another version of the protocol",
    "too_many_connections": "closed: too many connections from this address",
    "hello_timeout": "closed: did not log in in time",
    "ping_timeout": "closed: did not answer a ping",
    "slow_reader": "closed: does not read what it is sent",
    "replaced": "closed: connected again from somewhere else",
    "shutting_down": "closed: the server stops",
    "log_failed": "closed: the message log failed",
    "banned": "closed: banned",
    "kicked": "closed by an administrator",
    "logged_out": "closed: its login was ended",
    "internal": "closed: an internal error of this server (see the `error` line)",
}
_HOOKS_OFF = {
    "gone": "the receiver answered 410",
    "failing": "every delivery of a day has failed",
    "room_gone": "its room was deleted",
}
_REPLIES_LOST = {
    # errors.ErrorCode of the hub's refusal
    "archived": "the room is archived",
    "muted": "it is muted",
    "not_found": "it is not in its room any more",
    "quota": "it has stored all it may for today",
    "read_only": "the room is read-only",
    "slow_mode": "the room is in slow mode",
    "text_too_long": "it is longer than a message may be",
    # outgoing.outcome.ReplyProblem
    "too_long": "the answer is too long",
    "encoded": "the answer is compressed",
    "late": "the answer was not complete in time",
    "cut": "the answer was cut off",
    "invalid": "the answer is not a JSON object with a text",
}
_DENIALS = {
    "server_full": "turned away: the server has as many connections as file descriptors allow (raise `ulimit -n`)",
    "address_full": "turned away: too many connections from this address",
    "half_open": "turned away: too many unfinished handshakes from this address",
    "failed_hellos": "turned away: too many connections from this address did not log in",
    "web_rate": "turned away: too many new connections of browsers from this address",
    "silent": "closed: sent no TLS hello in time, or its place was needed",
    "no_place": "closed: its handshake could not begin in time, too many were under way",
    "no_descriptors": "turned away: the system has no file descriptors left (raise `ulimit -n`)",
}


def other_ca(before: str | None, now: str | None) -> str:
    """Warn of a certificate whose CA is another one."""
    shown = now or "not in the file, so that no pin can be checked"
    return (
        f"the CA is another one than before: it is {shown}; it was {before or 'not in the file'}. Clients that trust"
        " the earlier one refuse this server until they have the new CA or pin"
    )
