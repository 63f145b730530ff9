"""Limits how much of the password-hashing queue one network address or one connection may use.

A hash is the most expensive thing a stranger can ask for (20 to 45 ms of a thread, one after the other). Three rules
bound the wait of an honest login:

- The queue holds ``hash_queue`` requests (32: about 0.8 s of work). A network address has a quarter of it at most; this
  machine, which may be a reverse proxy for many users, has the part that others leave free, and gives way to them.
- The connection that asked first is served first. A request that found no place keeps its rank for as long as its
  connection lives, and takes the place of a later one when it comes back. A connection that was given hashes before
  ranks further back: a whole queue after the first, three after the second, seven after the third.
- The end of a connection removes its request.

So a login waits for at most one hash for every connection of its address that asked before it and was given none, and
for one queue more: with 40 flooding connections on the same address about 1 s after the time told in the refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from securechat.client_address import is_loopback
from securechat.errors import Refusal
from securechat.hub.interfaces import Hasher, PasswordCheck, Peer
from securechat.limits import Limits
from securechat.text.refusals import refusal_for

_SHARE = 4
"""Network addresses that can fill the queue together; a flood from more is a matter for a firewall."""
_AT_ONCE = 2
"""Requests handed to the hasher: one under way, and one so that its thread need not wait for the loop."""
_MOST_DOUBLINGS = 10
"""A thousand queues, some 14 minutes, are enough for a connection that has had ten hashes."""
_RETRY_S = 0.5
"""Until a refused request should come back: by then half the queue has been served."""

_A = TypeVar("_A")
_Ask: TypeAlias = Callable[[], None]


class _Request:
    """A password that waits to be hashed."""

    __slots__ = ("ask", "failed", "peer", "rank")

    def __init__(self, peer: Peer, rank: int, ask: _Ask, failed: Callable[[Refusal], None]) -> None:
        self.peer = peer
        self.rank = rank
        self.ask = ask
        self.failed = failed


class HashingQuota:
    """A `Hasher` for the passwords of peers.

    Args:
        hasher: hashes.
        limits: hash_queue is its.
    """

    def __init__(self, hasher: Hasher, limits: Limits) -> None:
        self._hasher = hasher
        self._most = limits.hash_queue
        self._share = max(1, limits.hash_queue // _SHARE)
        self._queue: list[_Request] = []
        self._under_way: dict[str, int] = {}  # by address, what the hasher has
        self._tickets = 0
        self._ticket: dict[Peer, int] = {}  # of those that have asked and were not served yet
        self._served: dict[Peer, int] = {}  # hashes a connection was given

    def hash(self, peer: Peer, password: str, done: Callable[[str | Refusal], None]) -> None:
        """Hash a new password; see `Hasher.hash`. ``done`` may be told of a refusal before this returns.

        Raises:
            Refusal: BUSY with retry_after_s; the queue is full, or this address has its share of it.
        """
        self._take(peer, lambda: self._hasher.hash(password, lambda phc: self._answered(peer, done, phc)), done)

    def verify(
        self, peer: Peer, phc: str | None, password: str, done: Callable[[PasswordCheck | Refusal], None]
    ) -> None:
        """Compare a password; see `Hasher.verify`. ``done`` may be told of a refusal before this returns.

        Raises:
            Refusal: BUSY, as `hash`.
        """

        def ask() -> None:
            self._hasher.verify(phc, password, lambda verdict: self._answered(peer, done, verdict))

        self._take(peer, ask, done)

    def forget(self, peer: Peer) -> None:
        """A connection is over: its request is dropped, and refused for those who wait for it."""
        self._ticket.pop(peer, None)
        self._served.pop(peer, None)
        for request in [each for each in self._queue if each.peer is peer]:
            self._queue.remove(request)
            request.failed(refusal_for("connection_ended", retry_after_s=_RETRY_S))

    def _take(self, peer: Peer, ask: _Ask, failed: Callable[[Refusal], None]) -> None:
        ticket = self._ticket.get(peer)
        if ticket is None:
            self._tickets += 1
            ticket = self._ticket[peer] = self._tickets
        rank = ticket + self._most * (2 ** min(self._served.get(peer, 0), _MOST_DOUBLINGS) - 1)
        last = self._to_give_way(peer.address, rank)
        self._queue.append(_Request(peer, rank, ask, failed))
        if last is not None:
            self._queue.remove(last)
            last.failed(refusal_for("logins_busy", retry_after_s=_RETRY_S))
        self._serve()

    def _to_give_way(self, address: str, rank: int) -> _Request | None:
        """Return the request that must leave the queue for one of this address and rank; None while there is room.

        Raises:
            Refusal: BUSY; it is this one itself.
        """
        count: dict[str, int] = dict(self._under_way)
        for each in self._queue:
            count[each.peer.address] = count.get(each.peer.address, 0) + 1
        mine = count.get(address, 0)
        over_share = mine >= self._share and not is_loopback(address)
        if not over_share and sum(count.values()) < self._most:
            return None
        heaviest = address if over_share else max(count, key=lambda each: count[each])
        if heaviest != address and count[heaviest] <= mine + 1:
            heaviest = address
        last = max((each for each in self._queue if each.peer.address == heaviest), key=_rank, default=None)
        if last is None or (heaviest == address and last.rank <= rank):
            if over_share:
                raise refusal_for("logins_busy_from_network", retry_after_s=_RETRY_S)
            raise refusal_for("logins_busy", retry_after_s=_RETRY_S)
        return last

    def _serve(self) -> None:
        """Hand the hasher as much as it may have."""
        while self._queue and sum(self._under_way.values()) < _AT_ONCE:
            request = min(self._queue, key=_rank)
            self._queue.remove(request)
            peer = request.peer
            if self._ticket.pop(peer, None) is not None:
                self._served[peer] = self._served.get(peer, 0) + 1
            self._begun(peer.address)
            try:
                request.ask()
            except Refusal as refusal:
                self._ended(peer.address)
                request.failed(refusal)
            except BaseException:
                self._ended(peer.address)
                request.failed(refusal_for("passwords_unavailable", retry_after_s=_RETRY_S))
                raise

    def _answered(self, peer: Peer, done: Callable[[_A], None], answer: _A) -> None:
        self._ended(peer.address)
        try:
            self._serve()
        finally:
            done(answer)

    def _begun(self, address: str) -> None:
        self._under_way[address] = self._under_way.get(address, 0) + 1

    def _ended(self, address: str) -> None:
        self._under_way[address] -= 1
        if not self._under_way[address]:
            del self._under_way[address]


def _rank(request: _Request) -> int:
    return request.rank
