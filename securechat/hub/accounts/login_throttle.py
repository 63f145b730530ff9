"""Slows down tries after wrong passwords, for each account and network, and locks no account for good.

A few mistakes are free. After them tries on one account from one network come one at a time, with a wait between two
that doubles up to ``login_delay_max_s``. A connection that must wait is told how long, and has a place in a queue. So
an attacker who floods an account from the owner's own network delays the owner by one wait for each connection of the
attack, and an attacker from another network does not delay the owner. A connection has a rate of its own, whatever the
names. A right password counts as no try, nor does a login by token or by certificate.

Names without an account are counted in the same way, so that the answers to them are the same.
"""

from __future__ import annotations

from math import ceil

from securechat.hub.interfaces import Peer
from securechat.hub.rate_limits import TokenBucket
from securechat.limits import Limits
from securechat.text.refusals import refusal_for

_GRACE_S = 2.0
"""Seconds for which the turn of a connection that waited is kept; an absent one must not hold the queue."""
_PRUNE_AT = 1024
"""Pairs; those that are over are dropped when the table has doubled."""


class _Attempts:
    """The tries on one account from one network."""

    __slots__ = ("failed_at", "failures", "free_at", "waiting")

    def __init__(self) -> None:
        self.failures = 0
        self.failed_at = 0.0
        self.free_at = 0.0  # when the next try may be made
        self.waiting: dict[Peer, float] = {}  # first come first served, and when each was told to come


class _Tries:
    """The wrong passwords of one connection."""

    __slots__ = ("bucket", "key")

    def __init__(self, rate: int) -> None:
        self.bucket = TokenBucket(rate, rate / 60)
        self.key = ""  # of the name that was tried last


class LoginThrottle:
    """Judges when a password may be tried.

    Args:
        limits: failed_logins_free, failed_logins_window_s, login_delay_max_s, login_tries_per_connection.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pairs: dict[tuple[str, str], _Attempts] = {}
        self._tries: dict[Peer, _Tries] = {}
        self._queued: dict[Peer, set[_Attempts]] = {}
        self._prune_at = _PRUNE_AT

    def check(self, peer: Peer, key: str, now: float) -> None:
        """Allow a try, or say when it may be made.

        Args:
            peer: the connection that tries.
            key: the name's key, whether it is an account's or not.
            now: monotonic seconds.

        Raises:
            Refusal: LOGIN_SLOWED with retry_after_s; the same connection should come back then.
        """
        pair = self._pair(key, peer.address, now)
        wait_s = 0.0 if pair is None else self._turn(pair, peer, now)
        if wait_s > 0:
            raise refusal_for("login_slowed", left=ceil(wait_s), retry_after_s=_shown_s(wait_s))
        tries = self._tries.setdefault(peer, _Tries(self._limits.login_tries_per_connection))
        if (wait_s := tries.bucket.wait_for(1.0, now)) > 0:
            raise refusal_for("login_slowed_on_connection", left=ceil(wait_s), retry_after_s=_shown_s(wait_s))
        tries.bucket.take(1.0, now)
        tries.key = key

    def retract(self, peer: Peer, key: str, now: float) -> None:
        """A try that `check` let pass was not made after all, because the server was busy: it counts for nothing."""
        self._give_back(peer)
        if (pair := self._pairs.get((key, peer.address))) is not None:
            pair.free_at = min(pair.free_at, now)

    def failed(self, peer: Peer, key: str, now: float) -> None:
        """A password was wrong."""
        if len(self._pairs) >= self._prune_at:
            self._prune(now)
        pair = self._pairs.setdefault((key, peer.address), _Attempts())
        pair.failures += 1
        pair.failed_at = now
        pair.free_at = max(pair.free_at, now + self._delay(pair))

    def succeeded(self, peer: Peer, key: str) -> None:
        """A password was right: it is no mistake itself, and those before it are forgotten."""
        self._give_back(peer)
        self._pairs.pop((key, peer.address), None)

    def reset(self, key: str) -> None:
        """Forget all mistakes with this name, from everywhere: its password is another one now."""
        self._pairs = {pair: held for pair, held in self._pairs.items() if pair[0] != key}
        self._tries = {peer: tries for peer, tries in self._tries.items() if tries.key != key}

    def forget(self, peer: Peer) -> None:
        """A connection is over: its place in a queue is free."""
        self._tries.pop(peer, None)
        for pair in self._queued.pop(peer, ()):
            pair.waiting.pop(peer, None)

    def _give_back(self, peer: Peer) -> None:
        if (tries := self._tries.get(peer)) is not None:
            tries.bucket.give_back(1.0)

    def _pair(self, key: str, network: str, now: float) -> _Attempts | None:
        pair = self._pairs.get((key, network))
        if pair is not None and self._is_over(pair, now):
            del self._pairs[key, network]
            return None
        return pair

    def _turn(self, pair: _Attempts, peer: Peer, now: float) -> float:
        """Seconds until it is this peer's turn; 0 takes the turn."""
        delay_s = self._delay(pair)
        if delay_s == 0:
            return 0.0
        self._drop_absent(pair, peer, now)
        if peer not in pair.waiting:
            self._queued.setdefault(peer, set()).add(pair)
        ahead = list(pair.waiting).index(peer) if peer in pair.waiting else len(pair.waiting)
        if ahead == 0 and now >= pair.free_at:
            pair.waiting.pop(peer, None)
            pair.free_at = now + delay_s
            return 0.0
        wait_s = max(0.0, pair.free_at - now) + ahead * delay_s
        pair.waiting[peer] = now + wait_s
        return wait_s

    def _drop_absent(self, pair: _Attempts, peer: Peer, now: float) -> None:
        """Drop connections at the head of the queue that did not come when told, and none that was told a later time.

        Otherwise a connection that comes too early would drive out those that wait as told, the owner's among them.
        """
        for head, told in list(pair.waiting.items()):
            if head is peer or now < told + _GRACE_S:
                break
            del pair.waiting[head]

    def _delay(self, pair: _Attempts) -> float:
        excess = pair.failures - self._limits.failed_logins_free
        return 0.0 if excess < 0 else min(self._limits.login_delay_max_s, 2.0 ** min(excess, 30))

    def _is_over(self, pair: _Attempts, now: float) -> bool:
        return now - pair.failed_at >= self._limits.failed_logins_window_s

    def _prune(self, now: float) -> None:
        self._pairs = {key: pair for key, pair in self._pairs.items() if not self._is_over(pair, now)}
        self._prune_at = max(_PRUNE_AT, 2 * len(self._pairs))


def _shown_s(wait_s: float) -> float:
    """Round a wait up, so that a try after it does not come too early."""
    return round(wait_s + 0.05, 2)
