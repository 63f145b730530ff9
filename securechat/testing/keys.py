"""Hashing, randomness and a clock without cost or chance, for tests and simulations of a hub.

`PlainHasher` keeps every promise of `Hasher` but the one that matters in the world: its hashes are worth nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from securechat.errors import Refusal
from securechat.hub.interfaces import Access, AuthenticationSettings, PasswordCheck
from securechat.text.refusals import refusal_for
from securechat.tls.client_certificates import proven_fingerprint

AUTHORITY = "sha256:" + 64 * "0"
"""Of the server's CA, which proofs of keys are for."""
_FAILED = refusal_for("password_check_failed", retry_after_s=1.0)


class PlainHasher:
    """A `Hasher` that takes no time: SHA-256, answered through ``post``.

    Args:
        post: runs a callable later, in order.
        most: passwords that may wait, then Refusal(BUSY), as with the real one.

    Attributes:
        generation: hashes of an earlier one are stale.
        hashed: how many passwords were hashed or verified, unknown names included.
        failing: every hash fails for as long as it is set, as one does that gets no memory.
    """

    def __init__(self, post: Callable[[Callable[[], None]], None], most: int = 32) -> None:
        self.generation = 1
        self.hashed = 0
        self.failing = False
        self._post = post
        self._most = most
        self._waiting = 0

    def hash(self, password: str, done: Callable[[str | Refusal], None]) -> None:
        """Hash a password; see `Hasher.hash`."""
        phc = self._phc(password, self.generation)
        self._later(lambda failed: done(_FAILED if failed else phc))

    def verify(self, phc: str | None, password: str, done: Callable[[PasswordCheck | Refusal], None]) -> None:
        """Compare a password; see `Hasher.verify`."""
        generation = int(phc.split("$")[1]) if phc is not None else 0
        match = phc is not None and phc == self._phc(password, generation)
        verdict = PasswordCheck(match, stale=match and generation < self.generation)
        self._later(lambda failed: done(_FAILED if failed else verdict))

    def _phc(self, password: str, generation: int) -> str:
        return f"plain${generation}${hashlib.sha256(password.encode()).hexdigest()}"

    def _later(self, answer: Callable[[bool], None]) -> None:
        if self._waiting >= self._most:
            raise refusal_for("password_queue_full", retry_after_s=1.0)
        self._waiting += 1
        self.hashed += 1
        failed = self.failing

        def run() -> None:
            self._waiting -= 1
            answer(failed)

        self._post(run)


def plain_keys(
    post: Callable[[Callable[[], None]], None],
    wall_ms: Callable[[], int],
    *,
    access: Access = Access.OPEN,
    seed: int = 0,
    monotonic: Callable[[], float] | None = None,
) -> AuthenticationSettings:
    """Return keys for a test: a `PlainHasher` and "random" bytes that follow from the seed.

    Without a ``monotonic`` clock the wall clock is always believed.
    """
    count = 0

    def token_bytes(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(f"{seed}/{count}".encode()).digest(size)

    return AuthenticationSettings(
        access, PlainHasher(post), token_bytes, wall_ms, monotonic or (lambda: wall_ms() / 1000), _proven
    )


def _proven(key: str, proof: str, sender_id: int) -> str | None:
    return proven_fingerprint(key, proof, AUTHORITY, sender_id)
