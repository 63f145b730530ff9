"""The rate of requests per address. Requests over it wait, and those that would wait for long are refused.

A page loads some thirty files at once, so a file costs a small part of a request: thirty phones behind one address that
open the page in the same minute all get it.
"""

from __future__ import annotations

from securechat.client_address import is_loopback, is_private
from securechat.hub.rate_limits import TokenBucket
from securechat.limits import Limits

FILE_COST = 0.05
"""Of a file whose address has a hash, in requests."""
MOST_WAIT_S = 5.0
"""A request that would wait longer is refused (429): browsers and people wait that long for a page."""
_PRUNE_AT = 1_024  # buckets; a full one is the same as none


class RequestRates:
    """The requests of all addresses.

    Args:
        limits: the rate and the burst, and how much more a private address gets: a classroom may share one.
        behind_proxy: whether a proxy on this machine brings people; then loopback is one private address.
    """

    def __init__(self, limits: Limits, *, behind_proxy: bool = False) -> None:
        self._behind_proxy = behind_proxy
        self._burst, self._rate = limits.web_request_burst, limits.web_request_rate
        self._private_factor = max(1.0, limits.connections_per_private_address / limits.connections_per_address)
        self._buckets: dict[str, TokenBucket] = {}
        self._prune_at = _PRUNE_AT

    def take(self, origin: str, cost: float, now: float) -> float:
        """Count a request.

        Args:
            origin: of `securechat.client_address.origin_of`; loopback is counted behind a proxy alone.
            cost: in requests.
            now: monotonic seconds.

        Returns:
            Seconds to wait before it is answered; over MOST_WAIT_S it was not counted, and must be refused.
        """
        if is_loopback(origin) and not self._behind_proxy:
            return 0.0
        bucket = self._buckets.get(origin)
        if bucket is None:
            if len(self._buckets) >= self._prune_at:
                self._prune(now)
            factor = self._private_factor if is_private(origin) else 1.0
            bucket = self._buckets[origin] = TokenBucket(self._burst * factor, self._rate * factor)
        bucket.take(cost, now)
        wait_s = bucket.wait_for(0.0, now)
        if wait_s > MOST_WAIT_S:
            bucket.give_back(cost)
        return wait_s

    def _prune(self, now: float) -> None:
        self._buckets = {origin: bucket for origin, bucket in self._buckets.items() if not bucket.is_full(now)}
        self._prune_at = max(_PRUNE_AT, 2 * len(self._buckets))
