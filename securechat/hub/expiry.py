"""What has come to its end is forgotten, once a day: logins, bans, mutes, invites, guests, old messages, unused rooms.

What grows and what ends it is one table in docs/operations.md. Everything here goes through the registry, so memory
forgets nothing before the disk has. Work that grows with the number of rooms is done a few rooms at a time: between two
stretches the log makes a commit, and the loop serves everybody.
"""

from __future__ import annotations

from collections.abc import Set
from functools import partial

from msgspec.structs import replace

from securechat.hub.people import Ban, Change, Drop, ForgetGuests, Invite, Login, Mute, Put, Recorded, TrimAudit
from securechat.hub.places import DropPlace, Expire
from securechat.hub.ports import NotAppended
from securechat.hub.registry import Registry, Turn
from securechat.limits import Limits

_DAY_MS = 86_400_000
_INVITE_KEPT_DAYS = 30
"""For how long an invite that is over can still be looked at, and still says why it is over."""
_ROOMS_AT_ONCE = 100
"""Rooms looked at in one stretch: some 0.3 ms of the loop, and at most as many small writes in one commit."""


class Expiry:
    """Forgets.

    Args:
        registry: everything durable.
        limits: guest_days, retention_batch, room_invitation_days, audit_days, audit_own_entries.
    """

    def __init__(self, registry: Registry, limits: Limits) -> None:
        self._registry = registry
        self._limits = limits

    def run(self, logins: Set[int], streams: Set[int]) -> None:
        """Forget what has come to its end; to be called once a day.

        Args:
            logins: those in use, which begin their time anew.
            streams: devices that are here.
        """
        registry = self._registry
        now_ms = registry.wall_ms()
        for sender_id in [n for n, row in registry.mutes.items() if not registry.lasts(row.until_ms)]:
            registry.in_turn((Mute, sender_id), partial(self._end_of_mute, sender_id))
        for place in registry.rulebook.places.values():
            if place.retention_days:
                before_ms = now_ms - place.retention_days * _DAY_MS
                self._expire(Expire(place.name, before_ms, self._limits.retention_batch))
        before_ms = now_ms - int(self._limits.guest_days * _DAY_MS)
        self._tidy_rooms([place.room_id for place in registry.rulebook.places.values()])
        self._trim_audit(now_ms)
        guests = ForgetGuests(before_ms, online=tuple(sorted(streams)))
        registry.change(self._over(logins, now_ms), lambda _: self._forget(guests))

    def _over(self, logins: Set[int], now_ms: int) -> list[Change]:
        """Logins, bans and invites that are over, and what keeps the logins in use."""
        registry = self._registry
        end_ms = registry.end_of_login()
        over = [n for n, row in registry.logins.items() if row.expires_at_ms <= now_ms and n not in logins]
        changes: list[Change] = [Drop(Login, n) for n in over]
        used = (registry.logins[n] for n in logins if n in registry.logins and not registry.is_leaving(Login, n))
        changes += [
            Put(replace(row, used_at_ms=now_ms, expires_at_ms=end_ms)) for row in used if registry.living(row.sender_id)
        ]
        changes += [Drop(Ban, n) for n, row in registry.bans.items() if not registry.lasts(row.until_ms)]
        old_ms = now_ms - _INVITE_KEPT_DAYS * _DAY_MS
        changes += [Drop(Invite, n) for n, row in registry.invites.items() if row.expires_at_ms <= old_ms]
        return changes

    def _end_of_mute(self, sender_id: int) -> Turn:
        """Forget a mute that is over, unless another one has taken its place."""
        mute = self._registry.mutes.get(sender_id)
        return None if mute is None or self._registry.lasts(mute.until_ms) else ((Drop(Mute, sender_id),), _ignore)

    def _expire(self, expire: Expire) -> None:
        """Let a room forget what is older than its retention, a batch at a time."""

        def done(answer: Recorded | NotAppended) -> None:
            if isinstance(answer, Recorded) and answer.count >= expire.most:
                self._expire(expire)

        self._registry.change((expire,), done)

    def _forget(self, asked: ForgetGuests) -> None:
        def done(answer: Recorded | NotAppended) -> None:
            if isinstance(answer, Recorded) and answer.through is not None:
                self._forget(replace(asked, above=answer.through))

        self._registry.change((asked,), done)

    def _trim_audit(self, now_ms: int) -> None:
        before_ms = now_ms - int(self._limits.audit_days * _DAY_MS)
        asked = TrimAudit(before_ms, self._limits.audit_own_entries)

        def done(answer: Recorded | NotAppended) -> None:
            if isinstance(answer, Recorded) and answer.count >= asked.most:
                self._trim_audit(now_ms)

        self._registry.change((asked,), done)

    # --- Rooms ----------------------------------------------------------------------------------------------------

    def _tidy_rooms(self, room_ids: list[int]) -> None:
        """Look at some rooms, and at the rest after the next commit."""
        rulebook = self._registry.rulebook
        for room_id in room_ids[:_ROOMS_AT_ONCE]:
            name = rulebook.name_of(room_id)
            if name is not None and self._of_room(room_id):
                self._registry.in_turn(("room", name), partial(self._room_job, room_id))
        if rest := room_ids[_ROOMS_AT_ONCE:]:
            self._registry.change((), lambda _: self._tidy_rooms(rest))

    def _room_job(self, room_id: int) -> Turn:
        """Forget what is over in a room; then the room, if that was all that kept it."""
        changes = self._of_room(room_id)
        is_last = any(isinstance(change, DropPlace) for change in changes)

        def recorded(answer: Recorded | NotAppended) -> None:
            name = self._registry.rulebook.name_of(room_id)
            if isinstance(answer, Recorded) and not is_last and name is not None:
                self._registry.in_turn(("room", name), partial(self._room_job, room_id))

        return (changes, recorded) if changes else None

    def _of_room(self, room_id: int) -> list[Change]:
        """What is over in a room; of the room itself, when its record keeps nothing and nothing was said in it."""
        rulebook = self._registry.rulebook
        name = rulebook.name_of(room_id)
        if name is None:
            return []
        place = rulebook.places[name]
        invited_before_ms = self._registry.wall_ms() - int(self._limits.room_invitation_days * _DAY_MS)
        changes: list[Change] = list(rulebook.over(place, invited_before_ms))
        if rulebook.is_unused(place):
            changes.append(DropPlace(room_id))
        return changes


def _ignore(_: Recorded | NotAppended) -> None:
    """Nobody waits for it."""
