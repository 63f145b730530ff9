"""What has come to its end is forgotten, once a day: logins, bans, mutes, invites, guests, old messages, unused rooms.

What grows and what ends it is one table in docs/operations.md. Everything here goes through the registry, so memory
forgets nothing before the disk has. Work that grows with the number of rooms is done a few rooms at a time: between two
stretches the log makes a commit, and the loop serves everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
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
_SLICE = 500
"""Rows looked at, and perhaps changed, between two passes of the loop: each takes up to 4 us."""
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
        """Forget what has come to its end; to be called once a day. Nothing is forgotten while the clock is doubted.

        Args:
            logins: those in use, which begin their time anew.
            streams: devices that are here.
        """
        registry = self._registry
        if registry.clock.doubt() is not None:
            return
        now_ms = registry.wall_ms()
        for sender_id in [n for n, row in registry.mutes.items() if not registry.lasts(row.until_ms)]:
            registry.in_turn((Mute, sender_id), partial(self._end_of_mute, sender_id))
        self._expire(now_ms)
        before_ms = now_ms - int(self._limits.guest_days * _DAY_MS)
        self._tidy_rooms([place.room_id for place in registry.rulebook.places.values()])
        self._trim_audit(now_ms)
        guests = ForgetGuests(before_ms, online=tuple(sorted(streams)))
        self._record_slices(self._over(now_ms, logins), lambda: self._forget(guests))

    def _record_slices(self, slices: Iterator[Sequence[Change]], then: Callable[[], None]) -> None:
        """Make changes durable, a slice in each transaction; between two of them the loop serves others."""
        changes = next(slices, None)
        if changes is None:
            then()
        else:
            self._registry.change(changes, lambda _: self._record_slices(slices, then))

    def _over(self, now_ms: int, online: Set[int]) -> Iterator[Sequence[Change]]:
        """What forgets logins, bans and invites that are over, a slice of all there are at a time."""
        registry = self._registry
        old_ms = now_ms - _INVITE_KEPT_DAYS * _DAY_MS
        for numbers in _sliced(registry.logins):
            yield [change for n in numbers if (change := self._renewed(n, now_ms, online)) is not None]
        for numbers in _sliced(registry.bans):
            bans = ((n, registry.bans.get(n)) for n in numbers)
            yield [Drop(Ban, n) for n, ban in bans if ban is not None and not registry.lasts(ban.until_ms)]
        for numbers in _sliced(registry.invites):
            invites = ((n, registry.invites.get(n)) for n in numbers)
            yield [Drop(Invite, n) for n, invite in invites if invite is not None and invite.expires_at_ms <= old_ms]

    def _renewed(self, number: int, now_ms: int, online: Set[int]) -> Change | None:
        """What becomes of a login: one in use begins its time anew, one that is over is forgotten."""
        registry = self._registry
        row = registry.logins.get(number)
        if row is None or registry.is_leaving(Login, number):
            return None
        if number not in online:
            return Drop(Login, number) if row.expires_at_ms <= now_ms else None
        if registry.living(row.sender_id) is None:
            return None
        return Put(replace(row, used_at_ms=now_ms, expires_at_ms=registry.end_of_login(row)))

    def _end_of_mute(self, sender_id: int) -> Turn:
        """Forget a mute that is over, unless another one has taken its place."""
        mute = self._registry.mutes.get(sender_id)
        return None if mute is None or self._registry.lasts(mute.until_ms) else ((Drop(Mute, sender_id),), _ignore)

    def _expire(self, now_ms: int) -> None:
        """Let every room forget what is older than its retention: one room after the other, a batch at a time."""
        places = [place for place in self._registry.rulebook.places.values() if place.retention_days]
        most = self._limits.retention_batch
        expiries = (Expire(place.name, now_ms - place.retention_days * _DAY_MS, most) for place in places)
        if (first := next(expiries, None)) is not None:
            self._expire_next(first, expiries)

    def _expire_next(self, expire: Expire, further: Iterator[Expire]) -> None:
        def done(answer: Recorded | NotAppended) -> None:
            is_full = isinstance(answer, Recorded) and answer.count >= expire.most
            following = expire if is_full else next(further, None)
            if following is not None:
                self._expire_next(following, further)

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


def _sliced(numbers: Iterable[int]) -> Iterator[Sequence[int]]:
    """The numbers there are now, _SLICE at a time."""
    every = list(numbers)
    return (every[at : at + _SLICE] for at in range(0, len(every), _SLICE))
