"""What has come to its end is forgotten, once a day: logins, bans, mutes, invites, guests, old messages, unused rooms.

What grows and what ends it is one table in docs/operations.md. Everything here goes through the registry, so memory
forgets nothing before the disk has. Work that grows with the number of rooms is done a few rooms at a time: between two
stretches the log makes a commit, and the loop serves everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from functools import partial

from msgspec.structs import replace

from securechat.hub.accounts.directory import Turn
from securechat.hub.context import HubContext
from securechat.hub.rooms.room import HubRoom
from securechat.records.accounts import (
    Ban,
    Change,
    Committed,
    Drop,
    Invite,
    Login,
    Mute,
    PurgeGuests,
    Put,
    TrimAudit,
)
from securechat.records.log import NotAppended
from securechat.records.rooms import DropRoom, PurgeExpired

_DAY_MS = 86_400_000
_INVITE_KEPT_DAYS = 30
"""For how long an invite that is over can still be looked at, and still says why it is over."""
_SLICE = 500
"""Rows looked at, and perhaps changed, between two passes of the loop: each takes up to 4 us."""
_ROOMS_AT_ONCE = 100
"""Rooms looked at in one stretch: some 0.3 ms of the loop, and at most as many small writes in one commit."""


class Housekeeping:
    """Forgets.

    Args:
        context: everything durable, and the limits.
    """

    def __init__(self, context: HubContext) -> None:
        self._directory = context.accounts
        self._limits = context.limits

    def run(self, logins: Set[int], streams: Set[int]) -> None:
        """Forget what has come to its end; to be called once a day. Nothing is forgotten while the clock is doubted.

        Args:
            logins: those in use, which begin their time anew.
            streams: devices that are here.
        """
        directory = self._directory
        if directory.clock.doubt() is not None:
            return
        now_ms = directory.wall_ms()
        for sender_id in [n for n, row in directory.mutes.items() if not directory.lasts(row.until_ms)]:
            directory.in_turn((Mute, sender_id), partial(self._end_of_mute, sender_id))
        self._expire(now_ms)
        before_ms = now_ms - int(self._limits.guest_days * _DAY_MS)
        directory.room_directory.look_again()
        self._tidy_rooms(list(directory.room_directory.recorded.values()))
        self._trim_audit(now_ms)
        guests = PurgeGuests(before_ms, online=tuple(sorted(streams)))
        self._record_slices(self._over(now_ms, logins), lambda: self._forget(guests))

    def _record_slices(self, slices: Iterator[Sequence[Change]], then: Callable[[], None]) -> None:
        """Make changes durable, a slice in each transaction; between two of them the loop serves others."""
        changes = next(slices, None)
        if changes is None:
            then()
        else:
            self._directory.change(changes, lambda _: self._record_slices(slices, then))

    def _over(self, now_ms: int, online: Set[int]) -> Iterator[Sequence[Change]]:
        """What forgets logins, bans and invites that are over, a slice of all there are at a time."""
        directory = self._directory
        old_ms = now_ms - _INVITE_KEPT_DAYS * _DAY_MS
        for numbers in _sliced(directory.logins):
            yield [change for n in numbers if (change := self._renewed(n, now_ms, online)) is not None]
        for numbers in _sliced(directory.bans):
            bans = ((n, directory.bans.get(n)) for n in numbers)
            yield [Drop(Ban, n) for n, ban in bans if ban is not None and not directory.lasts(ban.until_ms)]
        for numbers in _sliced(directory.invites):
            invites = ((n, directory.invites.get(n)) for n in numbers)
            yield [Drop(Invite, n) for n, invite in invites if invite is not None and invite.expires_at_ms <= old_ms]

    def _renewed(self, number: int, now_ms: int, online: Set[int]) -> Change | None:
        """What becomes of a login: one in use begins its time anew, one that is over is forgotten."""
        directory = self._directory
        row = directory.logins.get(number)
        if row is None or directory.is_leaving(Login, number):
            return None
        if number not in online:
            return Drop(Login, number) if row.expires_at_ms <= now_ms else None
        if directory.living(row.sender_id) is None:
            return None
        return Put(replace(row, used_at_ms=now_ms, expires_at_ms=directory.end_of_login(row)))

    def _end_of_mute(self, sender_id: int) -> Turn:
        """Forget a mute that is over, unless another one has taken its place."""
        mute = self._directory.mutes.get(sender_id)
        return None if mute is None or self._directory.lasts(mute.until_ms) else ((Drop(Mute, sender_id),), _ignore)

    def _expire(self, now_ms: int) -> None:
        """Let every room forget what is older than its retention: one room after the other, a batch at a time."""
        rooms = self._directory.room_directory.recorded.values()
        room_records = [room.record for room in rooms if room.record is not None and room.record.retention_days]
        most = self._limits.retention_batch
        expiries = (
            PurgeExpired(room_record.name, now_ms - room_record.retention_days * _DAY_MS, most)
            for room_record in room_records
        )
        if (first := next(expiries, None)) is not None:
            self._expire_next(first, expiries)

    def _expire_next(self, expire: PurgeExpired, further: Iterator[PurgeExpired]) -> None:
        def done(answer: Committed | NotAppended) -> None:
            is_full = isinstance(answer, Committed) and answer.count >= expire.most
            following = expire if is_full else next(further, None)
            if following is not None:
                self._expire_next(following, further)

        self._directory.change((expire,), done)

    def _forget(self, asked: PurgeGuests) -> None:
        def done(answer: Committed | NotAppended) -> None:
            if isinstance(answer, Committed) and answer.through is not None:
                self._forget(replace(asked, above=answer.through))

        self._directory.change((asked,), done)

    def _trim_audit(self, now_ms: int) -> None:
        before_ms = now_ms - int(self._limits.audit_days * _DAY_MS)
        asked = TrimAudit(before_ms, self._limits.audit_own_entries)

        def done(answer: Committed | NotAppended) -> None:
            if isinstance(answer, Committed) and answer.count >= asked.most:
                self._trim_audit(now_ms)

        self._directory.change((asked,), done)

    # --- Rooms ----------------------------------------------------------------------------------------------------

    def _tidy_rooms(self, rooms: list[HubRoom]) -> None:
        """Look at some rooms, and at the rest after the next commit."""
        for room in rooms[:_ROOMS_AT_ONCE]:
            if self._of_room(room):
                self._directory.in_turn(room, partial(self._room_job, room))
        if rest := rooms[_ROOMS_AT_ONCE:]:
            self._directory.change((), lambda _: self._tidy_rooms(rest))

    def _room_job(self, room: HubRoom) -> Turn:
        """Forget what is over in a room; then the room, if that was all that kept it."""
        changes = self._of_room(room)
        is_last = any(isinstance(change, DropRoom) for change in changes)

        def recorded(answer: Committed | NotAppended) -> None:
            if isinstance(answer, Committed) and not is_last:
                self._directory.in_turn(room, partial(self._room_job, room))

        return (changes, recorded) if changes else None

    def _of_room(self, room: HubRoom) -> list[Change]:
        """What is over in a room; the room itself, when nothing was said in it and its record keeps nothing.

        A room that its last member left to its rules, bans and mutes goes with them after empty_room_days.
        """
        room_directory, room_record = self._directory.room_directory, room.record
        if room_record is None:
            return []
        now_ms = self._directory.wall_ms()
        invited_before_ms = now_ms - int(self._limits.room_invitation_days * _DAY_MS)
        left_before_ms = now_ms - int(self._limits.empty_room_days * _DAY_MS)
        changes: list[Change] = list(room_directory.over(room, invited_before_ms))
        is_left = room.is_left() and not room.members
        if room_directory.is_unused(room) or (is_left and room_record.made_at_ms < left_before_ms):
            changes.append(DropRoom(room_record.room_id))
        return changes


def _ignore(_: Committed | NotAppended) -> None:
    """Nobody waits for it."""


def _sliced(numbers: Iterable[int]) -> Iterator[Sequence[int]]:
    """The numbers there are now, _SLICE at a time."""
    every = list(numbers)
    return (every[at : at + _SLICE] for at in range(0, len(every), _SLICE))
