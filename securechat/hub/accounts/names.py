"""Knows the names that are in use or reserved after a lost connection; all others are free.

A claim belongs to an owner: an account, or a guest, known by the SHA-256 of the resume secret. It is made when a hello
is accepted, becomes a reservation when the connection is lost, and ends when the reservation is over or its owner
quits. A name is claimed together with all names that look like it (`securechat.text.confusables`). Accounts of an older
database whose names look alike can be here at once: the second of them claims its exact name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from math import ceil

from securechat.records.log import Reservation
from securechat.text.confusables import skeleton
from securechat.text.names import name_key
from securechat.text.refusals import refusal_for


def owner_of(secret: str) -> bytes:
    """Return what the server stores of a resume secret: the SHA-256 of its bytes."""
    return hashlib.sha256(bytes.fromhex(secret)).digest()


_ACCOUNT = b"account "
"""A guest's owner is 32 bytes of a hash; no hash that is met in practice begins so."""


def owner_of_account(sender_id: int) -> bytes:
    """Return the owner that all devices of an account are."""
    return _ACCOUNT + b"%d" % sender_id


_EXACT = "="
"""Before an exact name among the keys; a skeleton that begins so is that of a name with the sign, and claims itself."""


class _Claim:
    __slots__ = ("owner", "reserved", "until")

    def __init__(self, owner: bytes, until: float | None, reserved: float | None = None) -> None:
        self.owner = owner
        self.until = until  # None: in use
        self.reserved = reserved  # until when it was reserved for the same owner, before it was claimed


class NameReservations:
    """The claims of one server, by what names look like."""

    _PRUNE_AT = 1024  # claims; reservations that are over are dropped when the table has doubled

    def __init__(self) -> None:
        self._name_reservations: dict[str, _Claim] = {}
        self._prune_at = self._PRUNE_AT

    def restore(self, reservations: Iterable[Reservation], now: float, now_ms: int, reserve_s: float) -> None:
        """Take over the reservations that a log remembers, with what is left of their time."""
        for reservation in reservations:
            left_s = min(reserve_s, reserve_s - (now_ms - reservation.lost_at_ms) / 1000)
            if left_s > 0:
                self._name_reservations[skeleton(reservation.name)] = _Claim(reservation.secret_hash, now + left_s)

    def claim(self, name: str, owner: bytes, now: float, *, is_own: bool = False) -> None:
        """Give a name to an owner, who keeps it until `reserve` or `free`.

        Args:
            name: which.
            owner: see `owner_of`, `owner_of_account`.
            now: monotonic seconds.
            is_own: whether the owner is an account that has this name already.

        Raises:
            Refusal: NAME_IN_USE; with retry_after_s where it is only reserved.
        """
        key = self._key_for(name, owner)
        held = self._name_reservations.get(key)
        if is_own and held is not None and held.owner != owner and held.owner.startswith(_ACCOUNT):
            key, held = _EXACT + name_key(name), None
        if held is not None and held.owner != owner:
            if held.until is None:
                raise refusal_for("name_taken")
            if held.until > now:
                wait_s = held.until - now
                raise refusal_for("name_kept", left=ceil(wait_s), retry_after_s=round(wait_s, 1))
        if len(self._name_reservations) >= self._prune_at:
            self._prune(now)
        reserved = None
        if held is not None and held.owner == owner:
            reserved = held.reserved if held.until is None else held.until
        self._name_reservations[key] = _Claim(owner, None, reserved)

    def is_claimed(self, name: str, now: float) -> bool:
        """Tell whether a name, or one that looks like it, is in use or reserved at this time, in monotonic seconds."""
        held = self._name_reservations.get(skeleton(name))
        return held is not None and (held.until is None or held.until > now)

    def exchange(self, old: str, new: str, owner: bytes) -> None:
        """Give up a name for another one that is claimed already; they may look the same."""
        if skeleton(old) != skeleton(new):
            self.free(old, owner)

    def hand_over(self, name: str, owner: bytes, successor: bytes) -> None:
        """Give a claim to another owner: the guest has become an account."""
        held = self._name_reservations.get(self._key_for(name, owner))
        if held is not None and held.owner == owner:
            held.owner = successor

    def reserve(self, name: str, owner: bytes, until: float) -> None:
        """Keep a name for an owner who has lost the connection."""
        held = self._name_reservations.get(self._key_for(name, owner))
        if held is not None and held.owner == owner:
            held.until = until

    def give_back(self, name: str, owner: bytes) -> None:
        """Take back a claim that came to nothing: the name is reserved as it was before, or free."""
        held = self._name_reservations.get(self._key_for(name, owner))
        if held is not None and held.owner == owner and held.reserved is not None:
            held.until, held.reserved = held.reserved, None
        else:
            self.free(name, owner)

    def free(self, name: str, owner: bytes) -> None:
        """Give up a name; nothing happens if it has another owner by now."""
        key = self._key_for(name, owner)
        held = self._name_reservations.get(key)
        if held is not None and held.owner == owner:
            del self._name_reservations[key]

    def _key_for(self, name: str, owner: bytes) -> str:
        """Return the key of an owner's claim: the skeleton, but for the second of two accounts that look alike."""
        exact = self._name_reservations.get(_EXACT + name_key(name))
        return skeleton(name) if exact is None or exact.owner != owner else _EXACT + name_key(name)

    def _prune(self, now: float) -> None:
        self._name_reservations = {
            key: held for key, held in self._name_reservations.items() if held.until is None or held.until > now
        }
        self._prune_at = max(self._PRUNE_AT, 2 * len(self._name_reservations))
