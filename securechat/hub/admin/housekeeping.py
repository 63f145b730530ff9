"""Housekeeping: forgets once a day what has come to its end, such as logins, bans, invites, guests and old messages.

docs/operations.md has one table of what grows and what ends it. Every change goes through the log, so memory forgets
nothing before the disk has. Work that grows with the number of rooms or rows is done in slices: between two of them the
log makes a commit, and the loop serves others. A slice that the log refuses is left to the next day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set

from msgspec.structs import replace

from securechat.errors import Refusal
from securechat.hub.context import HubContext
from securechat.hub.messages.purges import PurgeDelivery
from securechat.hub.rooms.room import HubRoom
from securechat.hub.workflow import Commit, Turn, Workflow
from securechat.records.accounts import (
    KEY_DAYS,
    ApiToken,
    Ban,
    Change,
    Committed,
    Drop,
    Invite,
    Login,
    Mute,
    PurgeGuests,
    PurgeMessageKeys,
    Put,
    TrimAudit,
)
from securechat.records.rooms import DropRoom, PurgeExpired

_DAY_MS = 86_400_000
_INVITE_KEPT_DAYS = 30
"""Days for which an invite or an API token that is over still says why it is over."""
_SLICE = 500
"""Rows looked at, and perhaps changed, between two passes of the loop: each takes up to 4 us."""
_ROOMS_AT_ONCE = 100
"""Rooms looked at in one stretch: some 0.3 ms of the loop, and at most as many small writes in one commit."""
_MEMBERSHIPS_AT_ONCE = 2_000
"""Memberships looked at in one stretch, and those of one room more: some 0.2 ms."""


class Housekeeping:
    """Forgets what has come to its end.

    Args:
        context: all durable records, and the limits.
    """

    def __init__(self, context: HubContext) -> None:
        self._workflows = context.workflows
        self._directory = context.accounts
        self._limits = context.limits
        self._purges = PurgeDelivery(context)

    def run(self, logins: Set[int], streams: Set[int]) -> None:
        """Forget what has come to its end; to be called once a day. While the clock is doubted, nothing is forgotten.

        Args:
            logins: the logins in use; their time begins anew.
            streams: the devices that are here.
        """
        directory, run = self._directory, self._workflows.run
        if directory.clock.doubt() is not None:
            return
        now_ms = directory.wall_ms()
        for sender_id in [n for n, row in directory.mutes.items() if not directory.lasts(row.until_ms)]:
            run(self._end_mute(sender_id))
        run(self._expire(now_ms))
        directory.room_directory.look_again()
        run(self._tidy_rooms(list(directory.room_directory.recorded.values())))
        run(self._trim_audit_and_keys(now_ms))
        run(self._forget_rows(now_ms, logins, streams))

    def _forget_rows(self, now_ms: int, logins: Set[int], streams: Set[int]) -> Workflow[None]:
        """Forget logins, tokens, bans and invites that are over, then guests; later than the rooms begin."""
        yield from _try(())
        for changes in self._over(now_ms, logins):
            yield from _try(changes)
        before_ms = now_ms - int(self._limits.guest_days * _DAY_MS)
        above: int | None = 0
        while above is not None:
            guests = PurgeGuests(before_ms, above=above, online=tuple(sorted(streams)))
            above = (yield from _try((guests,))).through

    def _over(self, now_ms: int, online: Set[int]) -> Iterator[Sequence[Change]]:
        """Return the changes that forget logins, tokens, bans and invites that are over, a slice of rows at a time."""
        directory = self._directory
        old_ms = now_ms - _INVITE_KEPT_DAYS * _DAY_MS
        for numbers in _sliced(directory.logins):
            yield [change for n in numbers if (change := self._renewed(n, now_ms, online)) is not None]
        for numbers in _sliced(directory.tokens):
            tokens = ((n, directory.tokens.get(n)) for n in numbers)
            yield [
                Drop(ApiToken, n)
                for n, token in tokens
                if token is not None and token.expires_at_ms is not None and token.expires_at_ms <= old_ms
            ]
        for numbers in _sliced(directory.bans):
            bans = ((n, directory.bans.get(n)) for n in numbers)
            yield [Drop(Ban, n) for n, ban in bans if ban is not None and not directory.lasts(ban.until_ms)]
        for numbers in _sliced(directory.invites):
            invites = ((n, directory.invites.get(n)) for n in numbers)
            yield [Drop(Invite, n) for n, invite in invites if invite is not None and invite.expires_at_ms <= old_ms]

    def _renewed(self, number: int, now_ms: int, online: Set[int]) -> Change | None:
        """Return the change of a login: one in use begins its time anew, one that is over is dropped."""
        directory = self._directory
        row = directory.logins.get(number)
        if row is None or directory.is_leaving(Login, number):
            return None
        if number not in online:
            return Drop(Login, number) if row.expires_at_ms <= now_ms else None
        if directory.living(row.sender_id) is None:
            return None
        return Put(replace(row, used_at_ms=now_ms, expires_at_ms=directory.end_of_login(now_ms, row)))

    def _end_mute(self, sender_id: int) -> Workflow[None]:
        """Forget a mute that is over, unless another one has taken its place."""
        yield Turn((Mute, sender_id))
        mute = self._directory.mutes.get(sender_id)
        if mute is not None and not self._directory.lasts(mute.until_ms):
            yield Commit((Drop(Mute, sender_id),))

    def _expire(self, now_ms: int) -> Workflow[None]:
        """Let every room forget what is older than its retention: one room after the other, a batch at a time.

        Each batch has the turn of its room: the log knows rooms by name, and another room may get the name of this one.
        """
        rooms = self._directory.room_directory.recorded.values()
        for room in [room for room in rooms if room.record is not None and room.record.retention_days]:
            purged_seq, more = 0, True
            while more:
                with (yield Turn(room)):
                    room_record = room.record
                    if room_record is None or not room_record.retention_days:
                        break
                    before_ms = now_ms - room_record.retention_days * _DAY_MS
                    expire = PurgeExpired(room.name, before_ms, self._limits.retention_batch)
                    committed = yield from _try((expire,))
                purged_seq = max(purged_seq, committed.purged)
                more = committed.count >= expire.most
            if purged_seq > room.purged_seq:
                self._purges.room_purged(room, purged_seq)

    def _trim_audit_and_keys(self, now_ms: int) -> Workflow[None]:
        """Forget old entries of the audit, then old keys of messages."""
        before_ms = now_ms - int(self._limits.audit_days * _DAY_MS)
        trim = TrimAudit(before_ms, self._limits.audit_own_entries)
        while (yield from _try((trim,))).count >= trim.most:
            pass
        purge = PurgeMessageKeys(now_ms - KEY_DAYS * _DAY_MS)
        while (yield from _try((purge,))).count >= purge.most:
            pass

    # --- Rooms ----------------------------------------------------------------------------------------------------

    def _tidy_rooms(self, rooms: list[HubRoom]) -> Workflow[None]:
        """Look at some rooms, and at the rest after the next commit."""
        for number, part in enumerate(_parts(rooms)):
            if number:
                yield from _try(())
            for room in part:
                if self._of_room(room):
                    self._workflows.run(self._tidy_room(room))

    def _tidy_room(self, room: HubRoom) -> Workflow[None]:
        """Forget what is over in a room; then the room, if that was all that kept it."""
        is_last = False
        while not is_last:
            with (yield Turn(room)):
                changes = self._of_room(room)
                if not changes:
                    return
                yield Commit(changes)
            is_last = any(isinstance(change, DropRoom) for change in changes)

    def _of_room(self, room: HubRoom) -> list[Change]:
        """Return the changes that forget what is over in a room; the room too, if nothing was said or is kept in it.

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


def _try(changes: Sequence[Change]) -> Workflow[Committed]:
    """Make changes; if they are refused, nothing is."""
    try:
        committed: Committed = yield Commit(changes)
    except Refusal:
        return Committed()
    return committed


def _parts(rooms: Iterable[HubRoom]) -> Iterator[Sequence[HubRoom]]:
    """Return the rooms in parts that are looked at in one stretch each."""
    part: list[HubRoom] = []
    memberships = 0
    for room in rooms:
        part.append(room)
        memberships += len(room.memberships)
        if len(part) >= _ROOMS_AT_ONCE or memberships >= _MEMBERSHIPS_AT_ONCE:
            yield part
            part, memberships = [], 0
    if part:
        yield part


def _sliced(numbers: Iterable[int]) -> Iterator[Sequence[int]]:
    """The numbers there are now, _SLICE at a time."""
    every = list(numbers)
    return (every[at : at + _SLICE] for at in range(0, len(every), _SLICE))
