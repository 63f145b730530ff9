"""Into rooms and out of them: presence, and for accounts the membership that outlasts it.

A room gets a record, and an owner, when the first account enters it by name; guests come and go without one. An
account belongs to its rooms until it leaves them: it is back in all of them after a login. What changes a membership
waits for the log, one change after the other in each room; what only changes presence happens at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.authentication import span
from securechat.hub.accounts.directory import Turn
from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.messages.paging import with_people
from securechat.hub.mutes import expect_unmuted
from securechat.hub.rooms.quota import RoomQuota
from securechat.model import Join, Joined, Leave, Left, Person, Refused, RoleChanged, RoomRules
from securechat.records.accounts import Change, Committed
from securechat.records.log import NotAppended
from securechat.records.rooms import (
    DropMembership,
    DropRoom,
    Membership,
    PutMembership,
    PutReadMarker,
    PutRoom,
    PutRoomBan,
    RoomRecord,
    RoomRole,
)
from securechat.text.names import LOBBY, check_room

_TRIES = 10
"""How often room is made for one newcomer: a room that is let go may be entered again at that very moment, or turn out
to hold messages, which costs a write, once a day and room."""
NO_SUCH_ROOM = "there is no room of that name that you may enter; /rooms lists those you may"


class RoomMembership:
    """Lets members in and out.

    Args:
        context: who is here, and who belongs where.
    """

    def __init__(self, context: HubContext) -> None:
        self._context = context
        self._pages = context.pages
        self._directory = context.accounts
        self._room_directory = context.rooms
        self._presence = context.presence
        self._broadcaster = context.broadcaster
        self._limits = context.limits
        self._members = context.members
        self._connections = context.connections
        self._joining: dict[int, int] = {}  # memberships on their way to the log, by account
        # joins that wait, out of their turn, for another room to give way; and the leaves behind them
        self._making_space: dict[tuple[int, str], list[Callable[[], Turn]]] = {}
        self._leaving: set[tuple[int, str]] = set()  # accounts whose leave waits for the log, with the room
        self._quota = RoomQuota(context.limits)

    # --- In -------------------------------------------------------------------------------------------------------

    def join(self, peer: Peer, member: Member, command: Join) -> None:
        """Let a member into rooms; each is answered by Joined or Refused."""
        for raw in dict.fromkeys(command.rooms):
            try:
                name = check_room(raw)
                if self._needs_membership(member, name) or (member.sender_id, name) in self._leaving:
                    self._directory.in_turn(
                        ("room", name), partial(self._become_member, peer, member, name, command, raw)
                    )
                else:
                    self._check_entry(member, name)
                    self.enter(peer, member, name, command.ref)
            except Refusal as refusal:
                peer.deliver(Refused(refusal.code, refusal.detail, ref=command.ref, room=raw))

    def enter(self, peer: Peer, member: Member, name: str, ref: int) -> None:
        """Let a member be present in a room, and greet its connections.

        Raises:
            Refusal: TOO_MANY_ROOMS.
        """
        entered = name not in member.rooms
        recorded = name in self._room_directory.room_records or name == LOBBY
        self._presence.enter(member, name, recorded=recorded)
        if entered:
            member.entered_seq[name] = self._context.fed_seq
        joined = self._joined(member, name, ref)
        peer.deliver(joined)
        if entered and len(member.peers) > 1:
            self._broadcaster.broadcast(others(member, peer), [replace(joined, ref=0)])

    def enter_all(self, peer: Peer, member: Member) -> None:
        """Greet a connection of an account in every room it belongs to, or another of its devices has entered."""
        names = [room_record.name for room_record, _ in self._room_directory.memberships_of(member.sender_id)]
        for name in dict.fromkeys([*names, *member.rooms]):
            if name != LOBBY:
                try:
                    self.enter(peer, member, name, ref=0)
                except Refusal as refusal:  # more rooms than the limit allows since it was lowered
                    peer.deliver(Refused(refusal.code, refusal.detail, room=name))

    def _joined(self, member: Member, name: str, ref: int) -> Joined:
        room = self._presence.rooms[name]
        total = len(room.members)
        room_record = self._room_directory.room_records.get(name)
        joined = Joined(room=name, live_from=self._context.fed_seq, total=total, ref=ref)
        if room_record is not None:
            joined = Joined(
                room=name,
                live_from=self._context.fed_seq,
                total=total,
                ref=ref,
                topic=room_record.topic,
                role=self._room_directory.role_word(name, member.sender_id),
                private=room_record.private,
                read_only=room_record.read_only,
                archived=room_record.archived,
            )
        return with_people(joined, room, self._limits.presence_names, member.peers)

    def _needs_membership(self, member: Member, name: str) -> bool:
        return member.account and name != LOBBY and not self._room_directory.belongs(name, member.sender_id)

    def _check_entry(self, member: Member, name: str) -> None:
        """Let somebody into a room as things are.

        Raises:
            Refusal: NO_SUCH_ROOM, which a private room is to those who do not belong to it; ROOM_BANNED; MUTED on the
                server for a room that would be a new one.
        """
        room_record = self._room_directory.room_records.get(name)
        if room_record is None and not self.is_occupied(name):
            expect_unmuted(self._directory, member.sender_id)
        if room_record is None or name in member.rooms:
            return
        if not self._room_directory.is_visible(name, member.sender_id):
            raise Refusal(ErrorCode.NO_SUCH_ROOM, NO_SUCH_ROOM)
        if (ban := self._room_directory.ban(name, member.sender_id)) is not None:
            reason = f" ({ban.reason})" if ban.reason else ""
            if ban.until_ms is None:
                raise Refusal(ErrorCode.ROOM_BANNED, f"you are banned from #{name}{reason}; ask its moderators")
            left_s = max(0.0, (ban.until_ms - self._directory.wall_ms()) / 1000)
            raise Refusal(ErrorCode.ROOM_BANNED, f"you are banned from #{name} for another {span(left_s)}{reason}")

    def _become_member(
        self, peer: Peer, member: Member, name: str, command: Join, raw: str, tries: int = _TRIES
    ) -> Turn:
        """Make an account belong to a room, which gets its record and its owner with the first one."""
        makes = name not in self._room_directory.room_records

        def refuse(refusal: Refusal) -> None:
            if peer in self._connections:
                peer.deliver(Refused(refusal.code, refusal.detail, ref=command.ref, room=raw))

        def recorded(answer: Committed | NotAppended) -> None:
            if makes:
                self._quota.end(member.sender_id, peer.address, made=isinstance(answer, Committed))
            self._joining[member.sender_id] -= 1
            if not self._joining[member.sender_id]:
                del self._joining[member.sender_id]
            if isinstance(answer, NotAppended) and not self._room_directory.belongs(name, member.sender_id):
                refuse(Refusal(answer.code, answer.text))
                return
            try:
                self._enter_after(peer, member, name, command.ref)
            except Refusal as refusal:
                refuse(refusal)

        again = partial(self._become_member, peer, member, name, command, raw, tries - 1)
        try:
            self._check_entry(member, name)
            if not self._may_belong(member, name, peer.address):
                self._make_space(member.sender_id, name, tries, again)
                return None
        except Refusal as refusal:
            refuse(refusal)
            return None
        belongs = self._room_directory.belongs(name, member.sender_id)
        changes = () if belongs else self._new_membership(member.sender_id, name)
        self._joining[member.sender_id] = self._joining.get(member.sender_id, 0) + 1  # until recorded is told
        if belongs:
            recorded(Committed())  # another device was quicker
            return None
        return changes, recorded

    def _enter_after(self, peer: Peer, member: Member, name: str, ref: int) -> None:
        """Let in who belongs to a room since a moment ago. Raises as `enter`."""
        present = self._members.get(member.sender_id)
        if peer in self._connections:
            self.enter(peer, member, name, ref)
        elif present is not None and present.peers:  # who asked is gone, another device is here
            self.enter(present.peers[0], present, name, ref=0)

    def _may_belong(self, member: Member, name: str, address: str) -> bool:
        """Let an account belong to one more room, and count the room when it has no record yet.

        Returns:
            False when it would make a room, and the server keeps as many as it may.

        Raises:
            Refusal: TOO_MANY_ROOMS, for this account or its address.
        """
        if self._room_directory.belongs(name, member.sender_id):
            return True
        mine = len(self._room_directory.memberships_of(member.sender_id)) + self._joining.get(member.sender_id, 0)
        if mine >= self._limits.rooms_per_member - 1:  # everybody is in the lobby, too
            raise Refusal(ErrorCode.TOO_MANY_ROOMS, "you belong to as many rooms as allowed; leave one first")
        if name in self._room_directory.room_records:
            return True
        self._quota.check(member.sender_id, address, self._context.now)
        if self._quota.is_full(len(self._room_directory.room_records)):
            return False
        self._quota.begin(member.sender_id, address)
        return True

    def _make_space(self, sender_id: int, name: str, tries: int, again: Callable[[], Turn]) -> None:
        """Try a join anew when a room has given way, then the leaves behind it. Raises as `_release_one`."""
        key = (sender_id, name)

        def then() -> None:
            leaves = self._making_space.pop(key, [])
            for job in (again, *leaves):
                self._directory.in_turn(("room", name), job)

        self._making_space.setdefault(key, [])
        try:
            self._release_one(tries, then)
        except BaseException:
            for job in self._making_space.pop(key, []):
                self._directory.in_turn(("room", name), job)
            raise

    def _release_one(self, tries: int, then: Callable[[], None]) -> None:
        """Let a room that nobody belongs to have no record any more; see `RoomDirectory.longest_unused`.

        Where a rule goes with the record, no message may be left; otherwise the messages stay. Private and archived
        rooms are never released, nor those whose history begins with joining: they would be everybody's.

        Args:
            tries: how often this may still be tried for the same newcomer.
            then: called when one was released, or was not after all.

        Raises:
            Refusal: TOO_MANY_ROOMS, there is none.
        """
        directory = self._room_directory
        unused = directory.longest_unused(self.is_occupied) if tries > 0 else None
        if unused is None:
            raise Refusal(
                ErrorCode.TOO_MANY_ROOMS,
                "the server keeps as many rooms as it may; join one of /rooms, or ask its administrator to remove some",
            )

        def job() -> Turn:
            room_record = directory.room_records.get(unused.name)
            if room_record is None or room_record.room_id != unused.room_id:
                then()
                return None
            is_unused = directory.is_unused(room_record)
            if not is_unused and (self.is_occupied(room_record.name) or not directory.may_give_way(room_record)):
                then()
                return None
            return (DropRoom(room_record.room_id, if_empty=not is_unused),), recorded

        def recorded(answer: Committed | NotAppended) -> None:
            if isinstance(answer, Committed) and not answer.dropped:
                directory.kept_by_messages(unused.room_id)
            then()

        self._directory.in_turn(("room", unused.name), job)

    def _new_membership(self, sender_id: int, name: str) -> tuple[Change, ...]:
        now_ms = self._directory.wall_ms()
        room_record = self._room_directory.room_records.get(name)
        made: tuple[Change, ...] = ()
        role = RoomRole.MEMBER
        if room_record is None:
            room_record = RoomRecord(self._directory.number(), name, made_at_ms=now_ms)
            made = (PutRoom(room_record),)
        if not self._room_directory.owners(name):
            role = RoomRole.OWNER
        before = self._room_directory.membership(name, sender_id)
        muted_until_ms = before.muted_until_ms if before is not None else 0
        row = Membership(room_record.room_id, sender_id, role, now_ms, self._context.fed_seq, muted_until_ms)
        return (*made, PutMembership(row))

    def keep_current_rooms(self, member: Member) -> None:
        """A guest has become an account: it belongs to the rooms it is in.

        What was said in the lobby before, where everybody is without belonging to it, counts as read; from then on
        everything there that its owner misses counts as not read.
        """
        read = PutReadMarker(member.sender_id, self._context.fed_seq, LOBBY)
        self._directory.in_turn(("read", member.sender_id), lambda: ((read,), _ignore))
        for name in [name for name in member.rooms if name != LOBBY]:
            room_record = self._room_directory.room_records.get(name)
            room_id = room_record.room_id if room_record is not None else None
            self._directory.in_turn(("room", name), partial(self._keep_room, member, name, room_id))

    def _keep_room(self, member: Member, name: str, room_id: int | None) -> Turn:
        called = self._room_directory.name_of(room_id) if room_id is not None else None
        if called not in {None, name}:  # it has got another name while this waited
            self._directory.in_turn(("room", called), partial(self._keep_room, member, called, room_id))
            return None
        if self._room_directory.belongs(name, member.sender_id) or name not in member.rooms:
            return None
        makes, address = name not in self._room_directory.room_records, member.peers[0].address if member.peers else ""
        try:
            if not self._may_belong(member, name, address):
                return None
        except Refusal:
            return None  # it is in the room as a guest would be, until it enters it again

        def recorded(answer: Committed | NotAppended) -> None:
            if makes:
                self._quota.end(member.sender_id, address, made=isinstance(answer, Committed))
            if isinstance(answer, Committed):
                self.tell_role(name, member.sender_id, None)

        return self._new_membership(member.sender_id, name), recorded

    def remove_non_members(self, room_record: RoomRecord, left: Left) -> None:
        """A room becomes private: whoever does not belong to it has to go."""
        room = self._presence.rooms.get(room_record.name)
        for sender_id in list(room.members) if room is not None else ():
            if not self._room_directory.belongs_to(room_record, sender_id):
                self.remove_member(sender_id, room_record.name, left)

    def is_occupied(self, name: str) -> bool:
        """Tell whether somebody is in a room of this name."""
        return name in self._presence.rooms

    def clear(self, name: str, left: Left) -> None:
        """Another room gets this name: whoever is there without belonging anywhere has to go."""
        room = self._presence.rooms.get(name)
        for sender_id in list(room.members) if room is not None else ():
            self.remove_member(sender_id, name, left)

    # --- Out ------------------------------------------------------------------------------------------------------

    def leave(self, peer: Peer, member: Member, command: Leave) -> None:
        """Let a member out of a room, for good; answered by Left, when that is durable.

        What makes an account belong to the room may still wait for the log, such as a join sent just before: the leave
        then takes its turn behind it, or the account would be in the room after all.

        Raises:
            Refusal: INVALID for the lobby, NOT_A_MEMBER.
        """
        name = check_room(command.room)
        if name == LOBBY:
            raise Refusal(ErrorCode.INVALID, f"everybody is in #{LOBBY}; you leave it by quitting")
        is_waiting = self._directory.has_turns(("room", name)) or (member.sender_id, name) in self._making_space
        if is_waiting and self._needs_membership(member, name):
            self._directory.in_turn(("room", name), partial(self._leave_behind, peer, member, name, command.ref))
            return
        name = self._room_to_leave(member, name)
        if not self._room_directory.belongs(name, member.sender_id):
            self._out(member, name, peer, Left(room=name, ref=command.ref))
        else:
            self._leaving.add((member.sender_id, name))
            self.drop(member.sender_id, name, (), self._left_by(peer, member, name, command.ref))

    def _room_to_leave(self, member: Member, asked: str) -> str:
        name = member.room_meant(asked)
        if name not in member.rooms:
            raise Refusal(ErrorCode.NOT_A_MEMBER, f"you are not in #{name}")
        return name

    def _leave_behind(self, peer: Peer, member: Member, asked: str, ref: int) -> Turn:
        """Let a member out of a room in the turn of the name that was asked for."""
        if (leaves := self._making_space.get((member.sender_id, asked))) is not None:
            leaves.append(partial(self._leave_behind, peer, member, asked, ref))
            return None
        present = self._members.get(member.sender_id, member)
        try:
            name = self._room_to_leave(present, asked)
        except Refusal as refusal:
            if peer in self._connections:
                peer.deliver(Refused(refusal.code, refusal.detail, ref=ref))
            return None
        if not self._room_directory.belongs(name, member.sender_id):
            self._out(present, name, peer, Left(room=name, ref=ref))
            return None
        then = self._left_by(peer, present, name, ref)
        if name == asked:
            return self.removal(member.sender_id, name, (), then)
        self.drop(member.sender_id, name, (), then)  # another room's turn: the asked name was its former one
        return None

    def _left_by(self, peer: Peer, member: Member, name: str, ref: int) -> Callable[[Committed | NotAppended], None]:
        """Return what answers a leave when the log has."""
        room_id = self._room_directory.room_records[name].room_id

        def recorded(answer: Committed | NotAppended) -> None:
            self._leaving.discard((member.sender_id, name))
            if isinstance(answer, NotAppended):
                if peer in self._connections:
                    peer.deliver(Refused(answer.code, answer.text, ref=ref))
                return
            now_called = self._room_directory.name_of(room_id) or name  # the record may have gone with its last member
            present = self._members.get(member.sender_id, member)  # it may have gone and come back meanwhile
            self._out(present, now_called, peer, Left(room=now_called, ref=ref))

        return recorded

    def drop(
        self,
        sender_id: int,
        name: str,
        further: tuple[Change, ...],
        then: Callable[[Committed | NotAppended], None],
    ) -> None:
        """End a membership when its turn comes, whatever the room is called by then."""
        asked = self._room_directory.room_records.get(name)

        def job() -> Turn:
            now_called = (self._room_directory.name_of(asked.room_id) if asked is not None else None) or name
            if now_called != name:
                self.drop(sender_id, now_called, further, then)
                return None
            return self.removal(sender_id, name, further, then)

        self._directory.in_turn(("room", name), job)

    def removal(
        self,
        sender_id: int,
        name: str,
        further: tuple[Change, ...],
        then: Callable[[Committed | NotAppended], None],
    ) -> Turn:
        """What ends a membership, as a turn of its room; finds an heir when it was the last owner's."""
        room_record = self._room_directory.room_records.get(name)
        if room_record is None or not self._room_directory.belongs(name, sender_id):
            return (further, then) if further else self._nothing(then)
        successor = self._successor(room_record, sender_id)
        changes = (self._end(room_record, sender_id), *further)
        is_banned = any(isinstance(change, PutRoomBan) for change in further)
        if not is_banned and self._room_directory.is_unused(room_record, leaving=sender_id):
            changes = (*changes, DropRoom(room_record.room_id))  # which comes to nothing when something was said there
        elif all(row.sender_id == sender_id for row in self._room_directory.members_of(room_record)):
            changes = (PutRoom(replace(room_record, made_at_ms=self._directory.wall_ms())), *changes)

        def done(answer: Committed | NotAppended) -> None:
            then(answer)
            if isinstance(answer, Committed) and successor is not None:
                self.tell_role(name, successor.sender_id, None)

        return (*changes, PutMembership(successor)) if successor is not None else changes, done

    def _end(self, room_record: RoomRecord, sender_id: int) -> Change:
        """What ends a membership; a mute outlasts it, or leaving would be the way out of it."""
        row = self._room_directory.membership(room_record.name, sender_id)
        if row is not None and self._room_directory.muted_s(room_record.name, sender_id) != 0:
            return PutMembership(replace(row, role=RoomRole.FORMER))
        return DropMembership(room_record.room_id, sender_id)

    def _nothing(self, then: Callable[[Committed | NotAppended], None]) -> Turn:
        then(Committed())
        return None

    def _successor(self, room_record: RoomRecord, leaving: int) -> Membership | None:
        """Who owns the room once its only owner has left: the longest-standing moderator, or else member."""
        if (
            mine := self._room_directory.membership(room_record.name, leaving)
        ) is None or mine.role is not RoomRole.OWNER:
            return None
        rows = self._room_directory.members_of(room_record)
        rest = [row for row in rows if row.sender_id != leaving and self._directory.living(row.sender_id)]
        if not rest or any(row.role is RoomRole.OWNER for row in rest):
            return None
        moderators = [row for row in rest if row.role is RoomRole.MODERATOR]
        return replace((moderators or rest)[0], role=RoomRole.OWNER)

    def remove_member(self, sender_id: int, name: str, left: Left) -> None:
        """Take somebody out of a room who did not ask for it."""
        member = self._members.get(sender_id)
        if member is not None and name in member.rooms:
            self._out(member, name, None, left)

    def _out(self, member: Member, name: str, asker: Peer | None, left: Left) -> None:
        room = member.rooms.get(name)
        if room is not None:
            self._presence.leave(member, room)
            member.entered_seq.pop(name, None)
        if asker is not None and asker in self._connections:
            asker.deliver(left)
        rest = [peer for peer in member.peers if peer is not asker]
        if room is not None and rest:
            self._broadcaster.broadcast(rest, [replace(left, ref=0)])

    # --- Telling --------------------------------------------------------------------------------------------------

    def rules(self, name: str, ref: int = 0, *, was: str | None = None, by: Person | None = None) -> RoomRules:
        """Return a room's rules as the wire says them."""
        room_record = self._room_directory.room_records.get(name) or RoomRecord(0, name)
        return RoomRules(
            room=name,
            ref=ref,
            topic=room_record.topic,
            private=room_record.private,
            read_only=room_record.read_only,
            slow_s=room_record.slow_s,
            retention_days=room_record.retention_days,
            history="joined" if room_record.history_from_join else "all",
            archived=room_record.archived,
            was=was,
            by=by,
        )

    def tell_room(self, name: str, event: RoomRules | RoleChanged) -> None:
        """Tell everybody present in a room."""
        room = self._presence.rooms.get(name)
        if room is not None:
            self._broadcaster.broadcast(room.audience(), [event])

    def tell_role(self, name: str, sender_id: int, by: Person | None) -> None:
        """Tell a room what somebody is there now."""
        account = self._directory.accounts.get(sender_id)
        role = self._room_directory.role_word(name, sender_id)
        if account is not None and role is not None:
            muted_s = self._room_directory.muted_s(name, sender_id)
            self.tell_room(name, RoleChanged(name, Person(sender_id, account.name), role, by, muted_s))


def others(member: Member, peer: Peer) -> list[Peer]:
    """The other devices of a member."""
    return [other for other in member.peers if other is not peer]


def _ignore(_: Committed | NotAppended) -> None:
    """Nobody waits for it."""
