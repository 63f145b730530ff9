"""Slows down tries after wrong passwords, for each account and network, and locks no account for good.

A few mistakes are free. After them tries on one account from one network come one at a time, with a wait between two
that doubles up to ``login_delay_max_s``. A connection that must wait is told how long, and has a place in a queue. So
an attacker who floods an account from the owner's own network delays the owner by one wait for each connection of the
attack, and an attacker from another network does not delay the owner. A connection has a rate of its own, whatever the
names. A right password counts as no try, nor does a login by token or by certificate.

A try counts from when it is let through: until its password is compared it may be a mistake. So however many come at
once, no more of them are compared than mistakes are left free, and the others are asked to come again.

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
_RETRY_S = 0.5
"""Until a try should come again that others stand before; most are compared by then."""
_PRUNE_AT = 1024
"""Pairs; those that are over are dropped when the table has doubled."""


class _Attempts:
    """The tries on one account from one network."""

    __slots__ = ("failed_at", "failures", "free_at", "under_way", "waiting")

    def __init__(self) -> None:
        self.failures = 0
        self.failed_at = 0.0
        self.free_at = 0.0  # when the next try may be made
        self.under_way = 0  # tries let through whose passwords are not compared yet
        self.waiting: dict[Peer, float] = {}  # first come first served, and when each was told to come

    def forgive(self) -> None:
        """Forget the mistakes and who waits for them; what is under way stays so."""
        self.failures = 0
        self.failed_at = self.free_at = 0.0
        self.waiting.clear()


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
            Refusal: LOGIN_SLOWED with retry_after_s; the same connection should come back then. BUSY likewise, while as
                many tries are under way as mistakes are free.
        """
        pair = self._pair(key, peer.address, now)
        if pair is not None:
            self._expect_place(pair, peer, now)
        wait_s = 0.0 if pair is None else self._turn(pair, peer, now)
        if wait_s > 0:
            raise refusal_for("login_slowed", left=ceil(wait_s), retry_after_s=_shown_s(wait_s))
        tries = self._tries.setdefault(peer, _Tries(self._limits.login_tries_per_connection))
        if (wait_s := tries.bucket.wait_for(1.0, now)) > 0:
            raise refusal_for("login_slowed_on_connection", left=ceil(wait_s), retry_after_s=_shown_s(wait_s))
        tries.bucket.take(1.0, now)
        tries.key = key
        if pair is None:
            pair = self._pairs[key, peer.address] = _Attempts()
        pair.under_way += 1

    def retract(self, peer: Peer, key: str, now: float) -> None:
        """A try that `check` let pass was not made after all, because the server was busy: it counts for nothing."""
        self._give_back(peer)
        if (pair := self._pairs.get((key, peer.address))) is not None:
            pair.free_at = min(pair.free_at, now)
            self._answered(pair, key, peer)

    def failed(self, peer: Peer, key: str, now: float) -> None:
        """A password was wrong."""
        if len(self._pairs) >= self._prune_at:
            self._prune(now)
        pair = self._pairs.setdefault((key, peer.address), _Attempts())
        pair.under_way = max(0, pair.under_way - 1)
        pair.failures += 1
        pair.failed_at = now
        pair.free_at = max(pair.free_at, now + self._delay(pair))

    def succeeded(self, peer: Peer, key: str) -> None:
        """A password was right: it is no mistake itself, and those before it are forgotten."""
        self._give_back(peer)
        if (pair := self._pairs.get((key, peer.address))) is not None:
            pair.forgive()
            self._answered(pair, key, peer)

    def reset(self, key: str) -> None:
        """Forget all mistakes with this name, from everywhere: its password is another one now."""
        for pair in [pair for (name, _), pair in self._pairs.items() if name == key]:
            pair.forgive()
        self._pairs = {at: pair for at, pair in self._pairs.items() if at[0] != key or pair.under_way}
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
        if pair is None or not self._is_over(pair, now):
            return pair
        if pair.failures:
            pair.forgive()
        if pair.under_way or pair.waiting:
            return pair
        del self._pairs[key, network]
        return None

    def _answered(self, pair: _Attempts, key: str, peer: Peer) -> None:
        """A try is over, and was no mistake."""
        pair.under_way = max(0, pair.under_way - 1)
        if not (pair.under_way or pair.failures or pair.waiting):
            del self._pairs[key, peer.address]

    def _expect_place(self, pair: _Attempts, peer: Peer, now: float) -> None:
        """Require, while mistakes are free, that those under way and those that wait before this one leave one free.

        Raises:
            Refusal: BUSY; the connection keeps its place for when it comes back.
        """
        free = self._limits.failed_logins_free - pair.failures
        if free <= 0:
            return
        if pair.under_way + self._ahead(pair, peer, now) >= free:
            pair.waiting[peer] = now + _RETRY_S
            raise refusal_for("logins_busy_from_network", retry_after_s=_RETRY_S)
        pair.waiting.pop(peer, None)

    def _ahead(self, pair: _Attempts, peer: Peer, now: float) -> int:
        """Count those that stand before a connection in the queue."""
        self._drop_absent(pair, peer, now)
        if peer in pair.waiting:
            return list(pair.waiting).index(peer)
        self._queued.setdefault(peer, set()).add(pair)
        return len(pair.waiting)

    def _turn(self, pair: _Attempts, peer: Peer, now: float) -> float:
        """Seconds until it is this peer's turn; 0 takes the turn."""
        delay_s = self._delay(pair)
        if delay_s == 0:
            return 0.0
        ahead = self._ahead(pair, peer, now)
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
        self._pairs = {key: pair for key, pair in self._pairs.items() if pair.under_way or not self._is_over(pair, now)}
        self._prune_at = max(_PRUNE_AT, 2 * len(self._pairs))


def _shown_s(wait_s: float) -> float:
    """Round a wait up, so that a try after it does not come too early."""
    return round(wait_s + 0.05, 2)
