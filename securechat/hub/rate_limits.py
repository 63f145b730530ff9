"""Rates and quotas: token buckets and daily amounts. Time is an argument; nothing here waits.

A bucket may be overdrawn: a command that was read is carried out, and the debt is the time for which its connection is
not read. So rates pause, they never refuse.
"""

from __future__ import annotations

from securechat.client_address import is_loopback


class TokenBucket:
    """A rate with a burst (RFC 2697's idea, one colour): ``burst`` tokens at most, ``rate`` tokens a second.

    Args:
        burst: tokens it holds when full.
        rate: tokens that flow in per second.
    """

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, burst: float, rate: float) -> None:
        self.burst = burst
        self.rate = rate
        self._tokens = burst
        self._at = 0.0

    def take(self, tokens: float, now: float) -> float:
        """Take tokens, going into debt if need be.

        Args:
            tokens: how many.
            now: monotonic seconds.

        Returns:
            Seconds to wait; 0.0 within the rate. An owner in debt waits until half the burst is back (at most one
            second more than the debt itself), so that a throttled client wakes for several messages, not for one.
        """
        if self._tokens < self.burst:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        self._tokens -= tokens
        if self._tokens >= 0:
            return 0.0
        return (min(self.burst / 2, self.rate) - self._tokens) / self.rate

    def wait_for(self, tokens: float, now: float) -> float:
        """Return the seconds until so many tokens are there, taking none; 0.0 when they are."""
        there = min(self.burst, self._tokens + (now - self._at) * self.rate)
        return max(0.0, (tokens - there) / self.rate)

    def give_back(self, tokens: float) -> None:
        """Return tokens whose use did not happen."""
        self._tokens = min(self.burst, self._tokens + tokens)

    def is_full(self, now: float) -> bool:
        """Tell whether nothing would change if the bucket were forgotten and made anew."""
        return self._tokens + (now - self._at) * self.rate >= self.burst


class AddressBuckets:
    """One bucket per network address: a ceiling over all members behind it, and over all that log in and out there.

    Args:
        burst: tokens of one member.
        rate: tokens per second of one member.
        factor: how many members' worth an address gets.
    """

    _PRUNE_AT = 1024  # buckets; a full bucket is the same as none, so they can be dropped at any time

    def __init__(self, burst: float, rate: float, factor: float) -> None:
        self._burst = burst * factor
        self._rate = rate * factor
        self._buckets: dict[str, TokenBucket] = {}
        self._prune_at = self._PRUNE_AT

    def take(self, address: str, tokens: float, now: float) -> float:
        """Take tokens of an address; returns seconds to wait, like TokenBucket.take. Loopback never waits."""
        if is_loopback(address):
            return 0.0
        bucket = self._buckets.get(address)
        if bucket is None:
            if len(self._buckets) >= self._prune_at:
                self._prune(now)
            bucket = self._buckets[address] = TokenBucket(self._burst, self._rate)
        return bucket.take(tokens, now)

    def wait_for(self, address: str, tokens: float, now: float) -> float:
        """Return the seconds until an address has so many tokens, taking none. Loopback never waits."""
        bucket = self._buckets.get(address)
        return 0.0 if bucket is None else bucket.wait_for(tokens, now)

    def _prune(self, now: float) -> None:
        self._buckets = {address: bucket for address, bucket in self._buckets.items() if not bucket.is_full(now)}
        self._prune_at = max(self._PRUNE_AT, 2 * len(self._buckets))


class DailyQuota:
    """Bytes stored, or any other count, per address and day.

    At most MOST addresses are remembered. A flood from more of them makes the quota forget the addresses that it has
    known for longest, which may then begin again: an attacker with that many addresses has as many quotas anyway.

    Args:
        limit_bytes: the bytes one address may store in a day.
    """

    DAY_S = 86_400.0
    MOST = 65_536  # addresses; some 8 MiB

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._since = 0.0
        self._used: dict[str, int] = {}

    def has_room(self, address: str, size_bytes: int, now: float) -> bool:
        """Tell whether an address may store so many bytes more today."""
        if now - self._since >= self.DAY_S:
            self._since = now
            self._used.clear()
        return self._used.get(address, 0) + size_bytes <= self.limit_bytes

    def take_if_room(self, address: str, size_bytes: int, now: float) -> bool:
        """Count bytes against an address, and return True; or return False where it may not store so many today."""
        if now - self._since >= self.DAY_S or address not in self._used:
            if not self.has_room(address, size_bytes, now):
                return False
            self.take(address, size_bytes)
            return True
        used = self._used[address] + size_bytes
        if used > self.limit_bytes:
            return False
        self._used[address] = used
        return True

    def take(self, address: str, size_bytes: int) -> None:
        """Count bytes against an address."""
        if address not in self._used and len(self._used) >= self.MOST:
            del self._used[next(iter(self._used))]
        self._used[address] = self._used.get(address, 0) + size_bytes

    def give_back(self, address: str, size_bytes: int) -> None:
        """Forget bytes that were not stored after all."""
        if address in self._used:
            self._used[address] = max(0, self._used[address] - size_bytes)
