"""Whose password is hashed: everybody's turn comes, because no one address may fill the queue.

A hash is the dearest thing a stranger can ask for (20 to 45 ms of a thread), and it is done even when he has gone
again. So each network address may have a quarter of the queue waiting; beyond it that address is told to try again, and
people elsewhere wait behind it for a quarter of a second at most. This machine itself is not bounded, as with all
limits of addresses.
"""

from __future__ import annotations

from collections.abc import Callable

from securechat.errors import ErrorCode, Refusal
from securechat.hub.ports import Hasher, Peer, Verdict
from securechat.limits import Limits
from securechat.origin import is_loopback

_SHARE = 4
"""Addresses that can fill the queue together; a flood from more is a matter for a firewall."""
_RETRY_S = 1.0


class HashShares:
    """A `Hasher` for the passwords of peers.

    Args:
        hasher: hashes.
        limits: hash_queue is its.
    """

    def __init__(self, hasher: Hasher, limits: Limits) -> None:
        self._hasher = hasher
        self._most = max(1, limits.hash_queue // _SHARE)
        self._waiting: dict[str, int] = {}

    def hash(self, peer: Peer, password: str, done: Callable[[str], None]) -> None:
        """Hash a new password; see `Hasher.hash`.

        Raises:
            Refusal: BUSY with retry_after_s; the queue is full, or this address has its share of it.
        """
        self._expect_room(peer)

        def hashed(phc: str) -> None:
            self._answered(peer.address)
            done(phc)

        self._hasher.hash(password, hashed)
        self._asked(peer.address)

    def verify(self, peer: Peer, phc: str | None, password: str, done: Callable[[Verdict], None]) -> None:
        """Compare a password; see `Hasher.verify`.

        Raises:
            Refusal: BUSY, as `hash`.
        """
        self._expect_room(peer)

        def verified(verdict: Verdict) -> None:
            self._answered(peer.address)
            done(verdict)

        self._hasher.verify(phc, password, verified)
        self._asked(peer.address)

    def _expect_room(self, peer: Peer) -> None:
        if self._waiting.get(peer.address, 0) >= self._most and not is_loopback(peer.address):
            sentence = "too many people are logging in from your network at this moment; try again in a second"
            raise Refusal(ErrorCode.BUSY, sentence, _RETRY_S)

    def _asked(self, address: str) -> None:
        self._waiting[address] = self._waiting.get(address, 0) + 1

    def _answered(self, address: str) -> None:
        self._waiting[address] -= 1
        if not self._waiting[address]:
            del self._waiting[address]
