"""Members enter and leave rooms; an account's membership outlasts its presence.

A room gets a record, and an owner, when the first account enters it by name; guests come and go without one. An
account belongs to its rooms until it leaves them: it is back in all of them after a login. What changes a membership
is a workflow in the room's turn; what only changes presence happens at once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from securechat.errors import Refusal
from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.messages.paging import with_people
from securechat.hub.mutes import expect_unmuted, expect_unmuted_in
from securechat.hub.programs.hearing import covers, hears
from securechat.hub.rooms.quota import RoomQuota
from securechat.hub.rooms.room import HubRoom
from securechat.hub.turns import HeldTurn
from securechat.hub.workflow import Commit, Turn, Workflow
from securechat.model import Join, Joined, Leave, Left, Person, Refused, RoleChanged, RoomRules
from securechat.records.accounts import Change, Committed, Invite
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
from securechat.text.refusals import refusal_for

_TRIES = 10
"""How often space is made for one newcomer: a room that gives way may be entered again at that very moment, or turn out
to hold messages, which costs a write, once a day and room."""
_KEPT_AT_ONCE = 10
"""Rooms that a new account begins to belong to in one pass, at some 0.15 ms each with what follows the commit."""


class RoomMembership:
    """Lets members in and out.

    Args:
        context: members, accounts and rooms.
    """

    def __init__(self, context: HubContext) -> None:
        self._context = context
        self._directory = context.accounts
        self._rooms = context.rooms
        self._presence = context.presence
        self._broadcaster = context.broadcaster
        self._limits = context.limits
        self._members = context.members
        self._connections = context.connections
        self._workflows = context.workflows
        self._joining: dict[int, int] = {}  # memberships on their way to the log, by account
        self._leaving: set[tuple[int, HubRoom]] = set()  # accounts whose leave waits for its turn or for the log
        self._quota = RoomQuota(context.limits)

    # --- In -------------------------------------------------------------------------------------------------------

    def join(self, peer: Peer, member: Member, command: Join) -> None:
        """Let a member into rooms; each is answered by Joined or Refused."""
        for raw in dict.fromkeys(command.rooms):
            self._join(peer, member, raw, command.ref)

    def _join(self, peer: Peer, member: Member, raw: str, ref: int, invite: Invite | None = None) -> None:
        try:
            room = self._rooms.named_or_new(check_room(raw))
            if self._needs_membership(member, room) or (member.sender_id, room) in self._leaving:
                workflow = self._become_member(peer, member, room.name, ref, invite)
                self._workflows.answer(peer, ref, workflow, room=raw)
            else:
                self._require_entry(peer, member, room)
                self.enter(peer, member, room, ref, made=_is_new(room))
        except Refusal as refusal:
            peer.deliver(Refused.of(refusal, ref=ref, room=raw))

    def accept_invite(self, peer: Peer, member: Member, invite: Invite) -> None:
        """Let a new account into the room of its invite, also into a private one that was there when it was made."""
        if invite.room is not None:
            self._join(peer, member, invite.room, 0, invite)

    def enter(self, peer: Peer, member: Member, room: HubRoom, ref: int, *, made: bool = False) -> None:
        """Let a member be present in a room, and greet its connections.

        Args:
            peer: the connection that is answered.
            member: who enters.
            room: which room.
            ref: of the request; 0 for none.
            made: whether the request has made the room.

        Raises:
            Refusal: TOO_MANY_ROOMS.
        """
        is_new = room not in member.rooms
        self._presence.enter(member, room, self._context.fed_seq)
        joined = self._joined(member, room, ref)
        token = member.tokens.get(peer)
        if token is None or hears(token, room):
            peer.deliver(replace(joined, made=True) if made else joined)
        elif room.is_lobby or covers(token, room):  # it has to know that it is in, and no more
            peer.deliver(Joined(room=room.name, live_from=joined.live_from, total=0, ref=ref))
        if is_new and len(member.peers) > 1 and (rest := [each for each in member.hearers(room) if each is not peer]):
            self._broadcaster.broadcast(rest, [replace(joined, ref=0)])

    def enter_all(self, peer: Peer, member: Member) -> None:
        """Greet a connection of an account in every room it belongs to, or another of its devices has entered."""
        token = member.tokens.get(peer)
        for room in self.rooms_of(member):
            try:
                if token is None or covers(token, room):
                    self.enter(peer, member, room, ref=0)
                else:
                    self._presence.enter(member, room, self._context.fed_seq)
            except Refusal as refusal:  # more rooms than the limit allows since it was lowered
                if token is None or covers(token, room):
                    peer.deliver(Refused.of(refusal, ref=0, room=room.name))

    def rooms_of(self, member: Member) -> list[HubRoom]:
        """Return the rooms but for the lobby that a member belongs to, or that another of its devices has entered.

        A bot may still belong to a room that its maker has lost: the log may have refused to end that.
        """
        belongs_to = (room for room, _ in self._rooms.memberships_of(member.sender_id))
        rooms = [room for room in dict.fromkeys([*belongs_to, *member.rooms]) if not room.is_lobby]
        if not member.bot:
            return rooms
        return [room for room in rooms if self._rooms.is_open_to_maker(room, member.sender_id)]

    def _joined(self, member: Member, room: HubRoom, ref: int) -> Joined:
        """Return the greeting of a member in a room.

        It shows no people while half an outbox is waiting: those of a hundred crowded rooms may be 3 MiB, and a member
        of all these rooms would be closed as a slow reader at every login.
        """
        joined = Joined(
            room=room.name, live_from=self._context.fed_seq, total=len(room.members), ref=ref, purged=room.purged_seq
        )
        if (record := room.record) is not None:
            joined = replace(
                joined,
                topic=record.topic,
                role=room.role_word(member.sender_id),
                private=record.private,
                read_only=record.read_only,
                archived=record.archived,
                room_id=record.room_id,
            )
        if any(peer.queued_bytes > self._limits.outbox_hard_bytes // 2 for peer in member.peers):
            return joined
        return with_people(joined, room, self._limits.presence_names, member.peers)

    def _needs_membership(self, member: Member, room: HubRoom) -> bool:
        return member.account and not room.is_lobby and not room.belongs(member.sender_id)

    def _require_entry(self, peer: Peer, member: Member, room: HubRoom, invite: Invite | None = None) -> None:
        """Let a member into a room as things are, with an administrator's invite into it or without one.

        Raises:
            Refusal: NO_SUCH_ROOM, which a private room is to accounts that do not belong to it; ROOM_BANNED; for a room
                that would be a new one, MUTED on the server, or ROOM_INVALID where it looks like another one.
        """
        sender_id = member.sender_id
        token = member.tokens.get(peer)
        is_new = room.record is None and not room.members
        if token is not None and (is_new or not covers(token, room)):  # a program opens no room
            raise refusal_for("no_such_room")
        if is_new:
            expect_unmuted(self._directory, sender_id)
            self._rooms.expect_distinct(room, room.name, sender_id)
        if room.record is None or room in member.rooms:
            return
        # A room made later than the invite may be that of others, who did not ask for this account.
        is_invited = invite is not None and room.record.made_at_ms <= invite.made_at_ms
        if not is_invited and not self._rooms.is_visible(room, sender_id):
            raise refusal_for("no_such_room")
        if (ban := self._rooms.ban(room, sender_id)) is None:
            return
        if ban.until_ms is None:
            if ban.reason:
                raise refusal_for("banned_in_room_because", room=room.name, why=ban.reason)
            raise refusal_for("banned_in_room", room=room.name)
        left_s = -(-max(0, ban.until_ms - self._directory.wall_ms()) // 1000)
        if ban.reason:
            raise refusal_for(
                "banned_in_room_for_because", room=room.name, left=left_s, why=ban.reason, retry_after_s=left_s
            )
        raise refusal_for("banned_in_room_for", room=room.name, left=left_s, retry_after_s=left_s)

    def _become_member(
        self, peer: Peer, member: Member, name: str, ref: int, invite: Invite | None = None
    ) -> Workflow[None]:
        """Make an account belong to the room that has a name when the turn comes, and let it in."""
        sender_id = member.sender_id
        room, turn = yield from self._turn_of_name(lambda: self._rooms.named_or_new(name))
        tries = 0
        self._require_entry(peer, member, room, invite)
        while self._needs_space(sender_id, room, peer.address):
            yield from self._make_space(tries)
            tries += 1
            if self._rooms.named(name) is not room:
                turn.release()
                room, turn = yield from self._turn_of_name(lambda: self._rooms.named_or_new(name))
            self._require_entry(peer, member, room, invite)
        made = _is_new(room)
        try:
            yield from self._add_membership(sender_id, room, peer.address)
        except Refusal:
            made = False
            room = self._after_a_refusal(room)
            if not room.belongs(sender_id):
                raise
        present = self._members.get(sender_id)
        if peer in self._connections:
            self.enter(peer, member, room, ref, made=made)
        elif present is not None and present.peers:  # the asking device is gone, another one is here
            self.enter(present.peers[0], present, room, ref=0)

    def _turn_of_name(self, find: Callable[[], HubRoom]) -> Workflow[tuple[HubRoom, HeldTurn]]:
        """Wait for the turn of a room that is given by its name, whichever room that is when the turn comes.

        Everything else is about a room, whatever it is called. A join is about a name, because it may make the room,
        and so is a leave behind it.
        """
        while True:
            room = find()
            turn: HeldTurn = yield Turn(room)
            if find() is room:
                return room, turn
            turn.release()

    def _after_a_refusal(self, room: HubRoom) -> HubRoom:
        """Return the room of this name after the log has refused a record for it: another one may have got the name."""
        return self._rooms.named_or_new(room.name)

    def _needs_space(self, sender_id: int, room: HubRoom, address: str) -> bool:
        """Let an account belong to one more room; tell whether the room needs a record and there is no space for it.

        Raises:
            Refusal: TOO_MANY_ROOMS, for this account or its address.
        """
        if room.belongs(sender_id):
            return False
        own = self._rooms.count_memberships(sender_id) + self._joining.get(sender_id, 0)
        if own >= self._limits.rooms_per_member - 1:  # the lobby is one of them
            raise refusal_for("rooms_of_account_used_up", count=own)
        if room.record is not None:
            return False
        self._quota.check(sender_id, address, self._context.now)
        return self._quota.is_full(len(self._rooms.recorded))

    def _add_membership(self, sender_id: int, room: HubRoom, address: str) -> Workflow[None]:
        """Make an account belong to a room, in a turn of the room; the first account gets it a record, and owns it.

        Raises:
            Refusal: what the log says.
        """
        if room.belongs(sender_id):
            return  # another device was quicker
        makes, made = room.record is None, False
        if makes:
            self._quota.begin(sender_id, address)
            self._rooms.being_made.add(room)
        self._joining[sender_id] = self._joining.get(sender_id, 0) + 1
        try:
            yield Commit(self._new_membership(sender_id, room))
            made = True
        finally:
            if makes:
                self._quota.end(sender_id, address, made=made)
                self._rooms.being_made.discard(room)
            self._joining[sender_id] -= 1
            if not self._joining[sender_id]:
                del self._joining[sender_id]

    def _new_membership(self, sender_id: int, room: HubRoom) -> tuple[Change, ...]:
        now_ms = self._directory.wall_ms()
        record = room.record or self.new_record(room)
        made = () if room.record is not None else (PutRoom(record),)
        is_bot = self._directory.is_bot(sender_id)
        role = RoomRole.MEMBER if room.count_owners() or is_bot else RoomRole.OWNER
        before = room.memberships.get(sender_id)
        muted_until_ms = before.muted_until_ms if before is not None else 0
        row = Membership(record.room_id, sender_id, role, now_ms, self._context.fed_seq, muted_until_ms)
        return (*made, PutMembership(row))

    def new_record(self, room: HubRoom) -> RoomRecord:
        """Return a record for a room that has none, not stored yet."""
        return RoomRecord(self._directory.number(), room.name, made_at_ms=self._directory.wall_ms())

    def _make_space(self, tries: int) -> Workflow[None]:
        """Let a room that no account belongs to lose its record; see `RoomDirectory.longest_unused`.

        Where a rule goes with the record, no message may be left; otherwise the messages stay. Private and archived
        rooms never give way, nor those whose history begins with joining: they would be open to all.

        The asker holds the turn of its own room meanwhile. Two of them cannot wait for each other: each has a room
        without a record, waits for one that had a record when it began to wait, and so began before that room lost it.

        Args:
            tries: how often this was tried for the same newcomer; each time a room may turn out to be needed.

        Raises:
            Refusal: TOO_MANY_ROOMS, there is none.
        """
        unused = self._rooms.longest_unused() if tries < _TRIES else None
        if unused is None or unused.record is None:
            raise refusal_for("rooms_of_server_used_up")
        room_id = unused.record.room_id
        with (yield Turn(unused)):
            if self._rooms.recorded.get(room_id) is not unused:
                return
            is_unused = self._rooms.is_unused(unused)
            if not is_unused and (unused.members or not self._rooms.may_give_way(unused)):
                return
            try:
                committed: Committed = yield Commit((DropRoom(room_id, if_empty=not is_unused),))
            except Refusal:
                return
            if not committed.dropped:
                self._rooms.kept_by_messages(room_id)

    def keep_current_rooms(self, member: Member) -> None:
        """A guest has become an account: it belongs to the rooms it is in.

        What was said before in the lobby, which no account has a membership of, counts as read; from then on
        everything there that the account misses counts as unread.
        """
        self._workflows.run(self._put_lobby_marker(member.sender_id, self._context.fed_seq))
        self._workflows.run(self._keep_rooms(member, [room for room in member.rooms if not room.is_lobby]))

    def _put_lobby_marker(self, sender_id: int, seq: int) -> Workflow[None]:
        yield Turn(("read", sender_id))
        yield Commit((PutReadMarker(sender_id, seq, LOBBY),))

    def _keep_rooms(self, member: Member, rooms: list[HubRoom]) -> Workflow[None]:
        """Make an account belong to some rooms, and to the rest after the next commit."""
        for start in range(0, len(rooms), _KEPT_AT_ONCE):
            if start:
                with suppress(Refusal):  # the log takes nothing now, and may take the rest
                    yield Commit(())
            for room in rooms[start : start + _KEPT_AT_ONCE]:
                self._workflows.run(self._keep_room(member, room))

    def _keep_room(self, member: Member, room: HubRoom) -> Workflow[None]:
        """Make an account belong to a room that it is in; where a limit is reached it stays there as a guest would."""
        yield Turn(room)
        sender_id, address = member.sender_id, member.peers[0].address if member.peers else ""
        if room.belongs(sender_id) or room not in member.rooms or self._needs_space(sender_id, room, address):
            return
        yield from self._add_membership(sender_id, room, address)
        self.tell_role(room, sender_id, None)

    # --- Out ------------------------------------------------------------------------------------------------------

    def leave(self, peer: Peer, member: Member, command: Leave) -> None:
        """Let a member out of a room, for good; answered by Left, when that is durable.

        What makes an account belong to the room may still wait for the log, such as a join sent just before: the leave
        then takes its turn behind it, or the account would be in the room after all.

        Raises:
            Refusal: INVALID for the lobby, NOT_A_MEMBER; LAST_MEMBER for the only member of a private room, who has not
                said that it is sure.
        """
        name = check_room(command.room)
        if name == LOBBY:
            raise refusal_for("lobby_not_left", room=LOBBY)
        asked = self._rooms.named(name)
        if asked is not None and asked in self._workflows.turns and self._needs_membership(member, asked):
            self._workflows.answer(peer, command.ref, self._leave_behind_a_join(peer, member, name, command))
            return
        room = self._rooms.entered(member, name)
        if room.belongs(member.sender_id):
            self._workflows.answer(peer, command.ref, self._leave(peer, member, room, command))
        else:
            self._out(member, room, peer, command.ref, None, self._told_of(member, room))

    def _leave(self, peer: Peer, member: Member, room: HubRoom, command: Leave) -> Workflow[None]:
        """End a membership, then the presence of the account, which may have gone and come back meanwhile."""
        key = (member.sender_id, room)
        self._leaving.add(key)
        try:
            yield Turn(room)
            self._require_sure(room, member.sender_id, command)
            told = self._told_of(member, room)
            successor = yield from self.end_membership(member.sender_id, room)
        finally:
            self._leaving.discard(key)
        present = self._members.get(member.sender_id, member)
        self._out(present, room, peer, command.ref, self._owner(successor), told)
        self.tell_successor(room, successor)

    def _told_of(self, member: Member, room: HubRoom) -> frozenset[Peer]:
        """Return the connections that are told of a leave; asked before it, because it may end the room's record."""
        return frozenset(self._members.get(member.sender_id, member).told_of(room))

    def _owner(self, successor: Membership | None) -> Person | None:
        account = self._directory.accounts.get(successor.sender_id) if successor is not None else None
        return self._directory.person(account.sender_id, account.name) if account is not None else None

    def _leave_behind_a_join(self, peer: Peer, member: Member, name: str, command: Leave) -> Workflow[None]:
        def asked() -> HubRoom:
            present = self._members.get(member.sender_id, member)
            return present.room_called(name) or self._rooms.named_or_new(name)

        room, _ = yield from self._turn_of_name(asked)
        present = self._members.get(member.sender_id, member)
        if room not in present.rooms:
            raise refusal_for("not_in_room", room=name)
        self._require_sure(room, member.sender_id, command)
        told = self._told_of(member, room)
        successor = yield from self.end_membership(member.sender_id, room)
        present = self._members.get(member.sender_id, member)
        self._out(present, room, peer, command.ref, self._owner(successor), told)
        self.tell_successor(room, successor)

    def forget_account(self, sender_id: int, room: HubRoom) -> Workflow[None]:
        """End the membership of an account that is being deleted. Raises as `end_membership`."""
        with (yield Turn(room)):
            self.tell_successor(room, (yield from self.end_membership(sender_id, room)))

    def end_membership(self, sender_id: int, room: HubRoom, *further: Change) -> Workflow[Membership | None]:
        """End a membership, in a turn of the room, with what else is changed along with it.

        Returns:
            The membership of the room's new owner, when the only owner has left and others stay.

        Raises:
            Refusal: what the log says.
        """
        record = room.record
        if record is None or not room.belongs(sender_id):
            if further:
                yield Commit(further)
            return None
        changes = (self._end(room, record, sender_id), *further)
        is_banned = any(isinstance(change, PutRoomBan) for change in further)
        if not is_banned and self._rooms.is_unused(room, leaving=sender_id):
            changes = (*changes, DropRoom(record.room_id))  # which comes to nothing when something was said there
        elif all(row.sender_id == sender_id for row in room.seniority()):
            changes = (PutRoom(replace(record, made_at_ms=self._directory.wall_ms())), *changes)
        successor = self._successor(room, sender_id)
        yield Commit(changes if successor is None else (*changes, PutMembership(successor)))
        return successor

    def _end(self, room: HubRoom, record: RoomRecord, sender_id: int) -> Change:
        """Return the change that ends a membership; a mute outlasts it, or leaving would be the way out of it."""
        row = room.memberships.get(sender_id)
        if row is not None and self._rooms.muted_s(room, sender_id) != 0:
            return PutMembership(replace(row, role=RoomRole.FORMER))
        return DropMembership(record.room_id, sender_id)

    def _successor(self, room: HubRoom, leaving: int) -> Membership | None:
        """Return the next owner when the only one leaves: the longest-standing moderator, or else member."""
        own = room.memberships.get(leaving)
        if own is None or own.role is not RoomRole.OWNER:
            return None
        rest = [
            row
            for row in room.seniority()
            if row.sender_id != leaving
            and self._directory.living(row.sender_id)
            and not self._directory.is_bot(row.sender_id)
        ]
        if not rest or any(row.role is RoomRole.OWNER for row in rest):
            return None
        moderators = [row for row in rest if row.role is RoomRole.MODERATOR]
        return replace((moderators or rest)[0], role=RoomRole.OWNER)

    def tell_successor(self, room: HubRoom, successor: Membership | None) -> None:
        """Tell a room who owns it now, after its only owner has left."""
        if successor is not None:
            self.tell_role(room, successor.sender_id, None)

    def remove_non_members(self, room: HubRoom, left: Left) -> None:
        """A room becomes private: members who do not belong to it have to go."""
        for sender_id in list(room.members):
            if not room.belongs(sender_id):
                self.remove_member(sender_id, room, left)

    def remove_all(self, room: HubRoom, left: Left) -> None:
        """Another room has the name of a room without a record: the members of the latter have to go."""
        for sender_id in list(room.members):
            self.remove_member(sender_id, room, left)

    def remove_member(self, sender_id: int, room: HubRoom, left: Left) -> None:
        """Take a member out of a room without its asking."""
        member = self._members.get(sender_id)
        if member is not None and room in member.rooms:
            self._presence.leave(member, room)
            if told := member.told_of(room):
                self._broadcaster.broadcast(told, [left])

    def _out(
        self, member: Member, room: HubRoom, asker: Peer, ref: int, owner: Person | None, told: frozenset[Peer]
    ) -> None:
        """Take a member out of a room that it has left, and tell its devices; the asking one is answered.

        Args:
            member: who has left.
            room: which room.
            asker: the connection that is answered.
            ref: of its request.
            owner: owns the room now, if the member was its only owner.
            told: the connections by API tokens that are told, and others.
        """
        was_there = room in member.rooms
        if was_there:
            self._presence.leave(member, room)
        if asker in self._connections:
            asker.deliver(Left(room=room.name, ref=ref, owner=owner))
        rest = [each for each in others(member, asker) if each in told or each not in member.tokens]
        if was_there and rest:
            self._broadcaster.broadcast(rest, [Left(room=room.name, ref=0, owner=owner)])

    # --- Acts in a room -------------------------------------------------------------------------------------------

    def turn_to_act(self, member: Member, room: HubRoom) -> Workflow[None]:
        """Wait for the turn of an act in a room, then judge anew what may have changed meanwhile.

        Raises:
            Refusal: NO_SUCH_ROOM; MUTED on the server, or in the room.
        """
        yield Turn(room)
        self._rooms.require_seen(member, room)
        expect_unmuted(self._directory, member.sender_id)
        expect_unmuted_in(self._directory, room, member.sender_id)

    def tell_room(self, room: HubRoom, event: RoomRules | RoleChanged) -> None:
        """Tell every member who is present in a room."""
        if room.members:
            self._broadcaster.broadcast(room.audience(), [event])

    def tell_role(self, room: HubRoom, sender_id: int, by: Person | None) -> None:
        """Tell a room which role an account has in it now."""
        account = self._directory.accounts.get(sender_id)
        role = room.role_word(sender_id)
        if account is not None and role is not None:
            muted_s = self._rooms.muted_s(room, sender_id)
            event = RoleChanged(room.name, self._directory.person(sender_id, account.name), role, by)
            if muted_s != 0:
                event = replace(event, muted_s=muted_s)
            why = self._rooms.mute_reason(room, sender_id) if muted_s != 0 else ""
            own = room.members[sender_id].hearers(room) if why and sender_id in room.members else []
            if own:
                self._broadcaster.broadcast(own, [replace(event, reason=why)])
                self._broadcaster.broadcast([peer for peer in room.audience() if peer not in own], [event])
            else:
                self.tell_room(room, event)

    def _require_sure(self, room: HubRoom, sender_id: int, command: Leave) -> None:
        """Require that the last who may enter a private room is sure: it would be lost to all.

        Raises:
            Refusal: LAST_MEMBER.
        """
        if command.sure or room.record is None or not room.record.private or not room.belongs(sender_id):
            return
        others = (
            row
            for row in room.memberships.values()
            if row.sender_id != sender_id and not self._directory.is_bot(row.sender_id)
        )
        if not any(row.role is not RoomRole.FORMER and self._rooms.ban(room, row.sender_id) is None for row in others):
            raise refusal_for("last_member_leaving", room=room.name)


def _is_new(room: HubRoom) -> bool:
    """Tell whether a room comes into being when it is entered now."""
    return room.record is None and not room.members and not room.is_lobby


def others(member: Member, peer: Peer) -> list[Peer]:
    """Return the other connections of a member."""
    return [other for other in member.peers if other is not peer]
