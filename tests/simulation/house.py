"""The rooms as the durable records have them, and who may do and hear what there: the table of protocol.md, section 13.

It hears of every record that was stored, at the moment in which the hub does, and asks the hub for no opinion. What it
is asked about is then either right or a bug: a draft that the hub has given to the log, an answer that a request was
done or forbidden, an entry on its way to a connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import TYPE_CHECKING, NoReturn

from securechat.errors import ErrorCode
from securechat.model import (
    Draft,
    Grant,
    InviteTo,
    Moderate,
    Revision,
    RevisionKind,
    RoomCommand,
    SetRoom,
)
from securechat.records.accounts import Account, Change, Drop, Put, Role
from securechat.records.rooms import (
    DropMembership,
    DropRoom,
    DropRoomBan,
    Membership,
    PutMembership,
    PutRoom,
    PutRoomBan,
    RoomBan,
    RoomRecord,
    RoomRole,
)
from securechat.testing.log_checks import HistoryBroken
from securechat.text.confusables import room_skeleton
from securechat.text.names import LOBBY

if TYPE_CHECKING:
    from securechat.records.log import LogState
    from tests.simulation.world import World

NOBODY, MEMBER, MODERATOR, OWNER, ADMIN = range(5)
_RANKS = {RoomRole.MEMBER: MEMBER, RoomRole.MODERATOR: MODERATOR, RoomRole.OWNER: OWNER, RoomRole.INVITED: NOBODY}
_DAY_MS = 86_400_000


class House:
    """Every room with a record.

    Args:
        world: its clocks count, and it remembers who knows which secret name.

    Attributes:
        places: by room_id.
        was: what rooms, or people in them, ever were: error codes that may be heard since.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.room_records: dict[int, RoomRecord] = {}
        self.was: set[ErrorCode] = set()
        self._names: dict[str, int] = {}
        self._called: dict[str, set[int]] = {}  # rooms that ever had a name
        self._given_up: dict[str, float] = {}  # when the last of them got another one
        self._members: dict[tuple[int, int], Membership] = {}
        self._bans: dict[tuple[int, int], RoomBan] = {}
        self._admins: set[int] = set()
        self._accounts: set[int] = set()
        self._temporary: set[int] = set()  # accounts whose password an administrator has set
        self._entered: dict[tuple[int, str], tuple[int, int]] = {}  # with the first and the latest live_from
        self._began_at = 0.0
        self._said: dict[tuple[int, int], tuple[float, int, int]] = {}
        self._ranks: dict[tuple[int, int], list[tuple[float, int]]] = {}  # when it ended, and what it was
        self._acted_on: dict[tuple[int, int], list[tuple[float, int]]] = {}  # when, and the rank just before

    # --- what is durable

    def restore(self, state: LogState) -> None:
        """A process begins with what the log holds, and remembers nothing else: no former names of rooms either."""
        for table in (
            self.room_records,
            self._names,
            self._called,
            self._given_up,
            self._members,
            self._bans,
            self._entered,
            self._said,
        ):
            table.clear()
        self._admins = {row.sender_id for row in state.people.accounts if row.role is Role.ADMIN}
        self._accounts = {row.sender_id for row in state.people.accounts}
        self._temporary = {row.sender_id for row in state.people.accounts if row.must_change}
        self._began_at = self._world.clock.now
        self._world.token_law.restore(state)
        self._take([PutRoom(row) for row in state.room_records.room_records])
        self._take([PutMembership(row) for row in state.room_records.memberships])
        self._take([PutRoomBan(row) for row in state.room_records.bans])

    def apply(self, changes: Sequence[Change], dropped: Sequence[int] = ()) -> None:
        """These changes are durable, and the hub hears of it now; these rooms have lost their record by them."""
        self._note_acts(changes)
        self._world.token_law.apply(changes)
        self._take(changes)
        for room_id in dropped:
            self._drop_place(room_id, if_empty=all(c.if_empty for c in changes if isinstance(c, DropRoom)))
        for change in changes:
            self._world.temptation.changed(change)
        self._world.stream_law.changed(changes)
        self._world.file_law.changed(changes)

    def _take(self, changes: Iterable[Change]) -> None:
        for change in changes:
            match change:
                case PutRoom(row):
                    self._put_place(row)
                case PutMembership(row):
                    self._put_membership(row)
                case DropMembership(room_id, sender_id):
                    self._note_rank(room_id, sender_id)
                    self._members.pop((room_id, sender_id), None)
                case PutRoomBan(row):
                    self._bans[row.room_id, row.sender_id] = row
                    self.was.add(ErrorCode.ROOM_BANNED)
                case DropRoomBan(room_id, sender_id):
                    self._bans.pop((room_id, sender_id), None)
                case Put(Account() as row):
                    self._put_account(row)
                case Drop(kind, number) if kind is Account:
                    self._drop_account(number)
                case _:
                    pass

    def _note_acts(self, changes: Iterable[Change]) -> None:
        """These changes may be somebody's act on another: remember how high that one stood when it was stored."""
        for change in changes:
            match change:
                case PutMembership(Membership(room_id=room_id, sender_id=who)) | PutRoomBan(
                    RoomBan(room_id=room_id, sender_id=who)
                ):
                    pass
                case DropMembership(room_id, who) | DropRoomBan(room_id, who):
                    pass
                case _:
                    continue
            self._acted_on.setdefault((room_id, who), []).append((self._world.clock.now, self.rank(room_id, who)))

    def _put_place(self, row: RoomRecord) -> None:
        old = self.room_records.get(row.room_id)
        if old is None or old.name != row.name:
            self._check_look(row)
            self._given_up.pop(row.name, None)
        if old is not None and old.name != row.name:
            self._given_up[old.name] = self._world.clock.now
        if old is not None and self._names.get(old.name) == row.room_id:
            del self._names[old.name]
        self.room_records[row.room_id] = row
        self._names[row.name] = row.room_id
        self._called.setdefault(row.name, set()).add(row.room_id)
        self.was |= {code for code, so in ((ErrorCode.ARCHIVED, row.archived), (ErrorCode.READ_ONLY, row.read_only),
                                           (ErrorCode.SLOW_MODE, row.slow_s)) if so}  # fmt: skip
        if old is not None and old.name != row.name:
            for (who, name), seq in list(self._entered.items()):
                if name == old.name:
                    self._entered[who, row.name] = seq
        members = [who for (room_id, who), each in self._members.items() if room_id == row.room_id and _knows(each)]
        self._world.hush.named(row, [*members, *self._admins])

    def _check_look(self, row: RoomRecord) -> None:
        for each in self.room_records.values():
            alike = room_skeleton(each.name) == room_skeleton(row.name)
            if each.room_id != row.room_id and each.name != row.name and alike:
                raise HistoryBroken(f"#{row.name} looks like #{each.name}")

    def _drop_place(self, room_id: int, *, if_empty: bool) -> None:
        """A room has no record any more, which may only be when that kept nothing: see protocol.md, section 13.

        An empty one (the transcript sees to that) may lose rules that close nothing to others.
        """
        place = self.room_records.pop(room_id)
        del self._names[place.name]
        rows = [row for (where, _), row in self._members.items() if where == room_id]
        bans = [ban for (where, _), ban in self._bans.items() if where == room_id]
        now_ms = self._world.clock.wall_ms()
        kept = [row for row in rows if _knows(row) or row.muted_until_ms < 0 or row.muted_until_ms > now_ms]
        kept += [ban for ban in bans if self._world.law.lasts(ban.until_ms)]
        is_closed = place.private or place.archived or place.history_from_join
        is_bare = place == RoomRecord(room_id, place.name, made_at_ms=place.made_at_ms)
        if kept or is_closed or not (is_bare or if_empty):
            self._broken(f"#{place.name} has lost its record, which had rules or people: {place}, {kept}")
        for who in [who for where, who in self._members if where == room_id]:
            self._note_rank(room_id, who)
            del self._members[room_id, who]
        self._bans = {key: ban for key, ban in self._bans.items() if key[0] != room_id}

    def _put_membership(self, row: Membership) -> None:
        self._note_rank(row.room_id, row.sender_id)
        self._members[row.room_id, row.sender_id] = row
        if row.muted_until_ms:
            self.was.add(ErrorCode.MUTED)
        if _knows(row):
            self._world.hush.learned(self.room_records[row.room_id], [row.sender_id])

    def _put_account(self, row: Account) -> None:
        self._accounts.add(row.sender_id)
        (self._temporary.add if row.must_change else self._temporary.discard)(row.sender_id)
        if row.role is not Role.ADMIN:
            if row.sender_id in self._admins:
                for room_id in self.room_records:
                    self._note_rank(room_id, row.sender_id)
            self._admins.discard(row.sender_id)
        elif row.sender_id not in self._admins:
            for room_id in self.room_records:
                self._note_rank(room_id, row.sender_id)
            self._admins.add(row.sender_id)
            for place in self.room_records.values():
                self._world.hush.learned(place, [row.sender_id])

    def _drop_account(self, sender_id: int) -> None:
        self._accounts.discard(sender_id)
        self._temporary.discard(sender_id)
        self._admins.discard(sender_id)
        for room_id, who in [key for key in self._members if key[1] == sender_id]:
            self._note_rank(room_id, who)
            del self._members[room_id, who]
        self._bans = {key: ban for key, ban in self._bans.items() if key[1] != sender_id}

    # --- looking

    def place(self, room: str) -> RoomRecord | None:
        """Return the rules of the room that is called so now."""
        room_id = self._names.get(room)
        return None if room_id is None else self.room_records[room_id]

    def names(self) -> list[str]:
        """Return the names of all rooms with a record."""
        return sorted(self._names)

    def membership(self, place: RoomRecord, who: int) -> Membership | None:
        """Return how somebody belongs to a room; None for who does not."""
        row = self._members.get((place.room_id, who))
        return row if row is not None and row.role.belongs else None

    def has_temporary_password(self, who: int) -> bool:
        """Whether the password of an account is one that an administrator has set."""
        return who in self._temporary

    def may_see(self, room: str, who: int) -> bool:
        """Whether somebody may know that there is such a room."""
        place = self.place(room)
        if place is None or not place.private or who in self._admins:
            return True
        row = self._members.get((place.room_id, who))
        return row is not None and row.role is not RoomRole.FORMER

    def may_hear(self, room: str, who: int) -> bool:
        """Whether what is said in a room is for somebody who is there."""
        place = self.place(room)
        if place is None or not place.private:
            return True
        maker = self._world.token_law.maker_of(who)
        belongs = who in self._admins or self.membership(place, who) is not None
        return belongs and (not maker or self.may_see(room, maker))

    def hears_above(self, room: str, who: int) -> tuple[int, int]:
        """Return above which seq somebody may read a room, and above which they surely can.

        They are the same for accounts. Whether a guest who came back had left in between is the server's to say.
        """
        place = self.place(room)
        if place is None or not place.history_from_join:
            return 0, 0
        row = self.membership(place, who)
        return (row.joined_seq, row.joined_seq) if row is not None else self._entered.get((who, room), (0, 0))

    def is_kept_out(self, room: str, who: int) -> bool:
        """Whether somebody may not be in a room."""
        place = self.place(room)
        if place is None:
            return False
        ban = self._bans.get((place.room_id, who))
        return not self.may_see(room, who) or (ban is not None and self._world.law.lasts(ban.until_ms))

    def entered(self, room: str, who: int, live_from: int) -> None:
        """Somebody was greeted in a room."""
        first, _ = self._entered.get((who, room), (live_from, 0))
        self._entered[who, room] = (first, live_from)

    def left(self, room: str, who: int) -> None:
        """Somebody is out of a room."""
        self._entered.pop((who, room), None)

    def rank(self, room_id: int, who: int) -> int:
        """How high a person who is there stands in a room; a bot, never above who made it."""
        maker = self._world.token_law.maker_of(who)
        return (
            min(self._own_rank(room_id, who), self._own_rank(room_id, maker)) if maker else self._own_rank(room_id, who)
        )

    def _own_rank(self, room_id: int, who: int) -> int:
        if who in self._admins:
            return ADMIN
        row = self._members.get((room_id, who))
        return MEMBER if row is None or row.role is RoomRole.FORMER else _RANKS[row.role]

    def _note_rank(self, room_id: int, who: int) -> None:
        self._ranks.setdefault((room_id, who), []).append((self._world.clock.now, self.rank(room_id, who)))

    def _ranks_since(self, room_id: int, who: int, since: float) -> list[int]:
        """Every rank that somebody had in a room since a monotonic second."""
        past = [rank for until, rank in self._ranks.get((room_id, who), ()) if until >= since]
        return [*past, self.rank(room_id, who)]

    # --- judging what was taken

    def check_draft(self, draft: Draft, now: float) -> None:
        """The hub has given a draft to the log: it may be said.

        Raises:
            HistoryBroken: it may not.
        """
        if draft.room is None or (place := self.place(draft.room)) is None:
            return
        self._check_writing(place, draft.sender_id, draft.text)
        rank = self.rank(place.room_id, draft.sender_id)
        if place.read_only and rank < MODERATOR:
            self._broken(f"{draft.name} said {draft.text[:40]!r} in #{place.name}, which is read-only")
        if place.slow_s:
            self._check_pause(place, draft, now, rank)

    def _check_pause(self, place: RoomRecord, draft: Draft, now: float, rank: int) -> None:
        key = (draft.sender_id, place.room_id)
        at, stream, client_id = self._said.get(key, (-1e9, 0, 0))
        is_retry = stream == draft.stream and draft.client_id <= client_id
        if now < at + place.slow_s - 1e-6 and not is_retry and rank < MODERATOR:
            self._broken(f"{draft.name} said {draft.text[:40]!r} in #{place.name} {now - at:.1f} s after the last word")
        if not is_retry:
            self._said[key] = (now, draft.stream, draft.client_id)

    def check_revision(self, revision: Revision) -> None:
        """The same for a change of a message."""
        if revision.room is None or (place := self.place(revision.room)) is None:
            if revision.any_author and revision.sender_id not in self._admins:
                self._broken(f"{revision.name} may change what others wrote, where nobody has rights")
            return
        is_own_deletion = revision.kind is RevisionKind.DELETE and not revision.any_author
        self._check_writing(place, revision.sender_id, revision.kind.value, may_archived=is_own_deletion)
        rank = self.rank(place.room_id, revision.sender_id)
        if revision.any_author and rank < MODERATOR:
            self._broken(f"{revision.name} may change what others wrote in #{place.name}, and is no moderator")
        as_high = {who for room_id, who in self._members if room_id == place.room_id} | self._admins
        as_high = {who for who in as_high if self.rank(place.room_id, who) >= rank} - {revision.sender_id}
        if revision.any_author and not as_high <= revision.spared:
            self._broken(f"{revision.name} may change in #{place.name} what those wrote who stand as high")
        is_reacting = revision.kind in {RevisionKind.REACT, RevisionKind.UNREACT}
        if place.read_only and rank < MODERATOR and not is_reacting and not place.archived:
            self._broken(f"{revision.name} changes something in #{place.name}, which is read-only")

    def _check_writing(self, place: RoomRecord, who: int, what: str, *, may_archived: bool = False) -> None:
        if place.archived and not may_archived:
            self._broken(f"{who} wrote {what[:40]!r} in #{place.name}, which is archived")
        if not self.may_hear(place.name, who):
            self._broken(f"{who} wrote {what[:40]!r} in #{place.name}, to which they do not belong")
        for each in (who, self._world.token_law.maker_of(who)):
            row = self._members.get((place.room_id, each))
            until_ms = 0 if row is None else row.muted_until_ms
            if until_ms < 0 or until_ms > self._world.clock.wall_ms():
                self._broken(f"{who} wrote {what[:40]!r} in #{place.name}, where {each} is muted")

    # --- judging answers

    def check_done(self, who: int, command: RoomCommand, since: float) -> None:
        """Somebody hears that what they asked for is done: at some time since they asked they had the right to it.

        Raises:
            HistoryBroken: they had not.
        """
        if since < self._began_at:  # answered by a process of which nothing is remembered
            return
        meant = self._called.get(command.room, set())
        ranks = [rank for room_id in meant for rank in self._ranks_since(room_id, who, since)]
        if ranks and max(ranks) < _needed(command):
            self._broken(f"{who} had no right to {command}, and it is done")
        if ranks and isinstance(command, Moderate) and command.act != "unban":
            others = [rank for room_id in meant for rank in self._ranks_when_acted_on(room_id, command.person, since)]
            if max(ranks) <= min(others):
                self._broken(f"{who} is not above those who were meant, and {command} is done")

    def _ranks_when_acted_on(self, room_id: int, who: int, since: float) -> list[int]:
        """Every rank that somebody had when something was done to them; of a guest, whose row is none: every rank."""
        acts = [rank for at, rank in self._acted_on.get((room_id, who), ()) if at >= since]
        return acts or self._ranks_since(room_id, who, since)

    def check_refused(self, who: int, command: RoomCommand, code: ErrorCode, since: float) -> None:
        """Somebody hears that they have no right: at some time since they asked that was so. Raises as `check_done`."""
        meant = self._called.get(command.room, set())
        if since < self._began_at:
            return
        if code not in {ErrorCode.NO_RIGHT, ErrorCode.NO_SUCH_ROOM} or len(meant) != 1 or isinstance(command, Moderate):
            return
        if self._given_up.get(command.room, since) < since:
            return  # a member who leaves the room and comes back knows it by its present name alone
        if min(self._ranks_since(*meant, who, since)) >= max(_needed(command), MODERATOR):
            self._broken(f"{who} had the right to {command}, and hears that they have not")

    def check_owners(self) -> None:
        """A room to which a person belongs has an owner, but for the lobby: that is the administrators'.

        Raises:
            HistoryBroken: it has none.
        """
        for place in self.room_records.values():
            if place.name == LOBBY:
                continue
            bots = self._world.token_law.were_bots
            rows = [
                row for (room_id, who), row in self._members.items() if room_id == place.room_id and who not in bots
            ]
            roles = [row.role for row in rows]
            if any(role.belongs for role in roles) and RoomRole.OWNER not in roles:
                self._broken(f"#{place.name} has members and no owner")

    def check_used(self, rooms: Set[str]) -> None:
        """A room with a record has members, rules, somebody who is kept out, or messages.

        Args:
            rooms: those in which something was said that is still there.

        Raises:
            HistoryBroken: one has nothing of all that.
        """
        now_ms, lasts = self._world.clock.wall_ms(), self._world.law.lasts
        for place in self.room_records.values():
            rows = [row for (room_id, _), row in self._members.items() if room_id == place.room_id]
            bans = [ban for (room_id, _), ban in self._bans.items() if room_id == place.room_id]
            has_rules = place != RoomRecord(place.room_id, place.name, made_at_ms=place.made_at_ms)
            has_people = any(_knows(row) or row.muted_until_ms < 0 or row.muted_until_ms > now_ms for row in rows)
            is_used = has_rules or has_people or any(lasts(ban.until_ms) for ban in bans) or place.name in rooms
            if not is_used and place.name != LOBBY:
                self._broken(f"#{place.name} has a record, and nobody and nothing in it")

    def check_expiry(self, room: str, before_ms: int) -> None:
        """The hub lets old messages be deleted: their room wants that. Raises HistoryBroken: it does not."""
        place = self.place(room)
        days = 0 if place is None else place.retention_days
        rounds_ms = self._world.law.tidied_at_ms  # the clock may have been put back since
        now_ms = max(self._world.clock.wall_ms(), rounds_ms[-1])
        asked_ms = before_ms + days * _DAY_MS
        if not days or (asked_ms > now_ms and asked_ms not in rounds_ms):
            self._broken(
                f"what is older than {before_ms} is deleted in #{room}, which keeps it for {days or 'all'} days"
            )

    def _broken(self, what: str) -> NoReturn:
        raise HistoryBroken(what)


def _knows(row: Membership) -> bool:
    return row.role is not RoomRole.FORMER


def _needed(command: RoomCommand) -> int:
    match command:
        case SetRoom():
            given = [command.name, command.private, command.read_only, command.slow_s, command.retention_days,
                     command.history, command.archived]  # fmt: skip
            return MODERATOR if command.topic is not None and given == [None] * len(given) else OWNER
        case Grant():
            return OWNER
        case Moderate() | InviteTo():
            return MODERATOR
        case _:
            return NOBODY
