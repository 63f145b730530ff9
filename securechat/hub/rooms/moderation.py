"""Moderation: invitations, kicks, bans, mutes and roles in a room.

Every act needs its permission and a member who is not muted, takes its turn in the room, and is durable before it takes
effect. For an account that does not belong to a private room there is no such room, whatever it asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from msgspec.structs import replace

from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.rooms.directory import MUTED_FOR_GOOD
from securechat.hub.rooms.membership import RoomMembership
from securechat.hub.rooms.permissions import Permission, Rank, require, require_above
from securechat.hub.rooms.room import HubRoom
from securechat.hub.workflow import Commit, Workflow
from securechat.model import Done, Grant, Invited, InviteTo, Left, Moderate, Person
from securechat.records.accounts import Account, Change
from securechat.records.rooms import DropRoomBan, Membership, PutMembership, PutRoom, PutRoomBan, RoomBan, RoomRole
from securechat.text.names import LOBBY
from securechat.text.refusals import refusal_for


class Moderation:
    """Answers InviteTo, Moderate and Grant.

    Args:
        context: members, accounts and rooms.
        room_membership: takes members out of rooms, and tells rooms what has changed.
    """

    def __init__(self, context: HubContext, room_membership: RoomMembership) -> None:
        self._context = context
        self._directory = context.accounts
        self._rooms = context.rooms
        self._members = context.members
        self._connections = context.connections
        self._workflows = context.workflows
        self._limits = context.limits
        self._room_membership = room_membership

    def answer(self, peer: Peer, member: Member, command: InviteTo | Moderate | Grant) -> None:
        """Answer a command when it is durable.

        Raises:
            Refusal: NO_SUCH_ROOM for a room that the member may not know of; a rule or a missing permission.
        """
        room = self._rooms.seen(member, command.room)
        match command:
            case InviteTo():
                account = self._directory.accounts.get(command.person)
                if account is None:
                    raise refusal_for("invitation_needs_account")
                workflow = self._invite(peer, member, room, account, command.ref)
            case Moderate():
                workflow = self._moderate(peer, member, room, command)
            case Grant():
                workflow = self._grant(peer, member, room, command)
            case _:
                assert_never(command)
        self._workflows.answer(peer, command.ref, workflow)

    # --- Invitations and roles ------------------------------------------------------------------------------------

    def _invite(self, peer: Peer, member: Member, room: HubRoom, account: Account, ref: int) -> Workflow[None]:
        yield from self._room_membership.turn_to_act(member, room)
        require(self._rank(member, room), Permission.INVITE, room.name)
        if room.record is None:
            raise refusal_for("invitation_not_needed", room=room.name)
        if room.belongs(account.sender_id):
            raise refusal_for("invited_is_member", room=room.name, name=account.name)
        if self._rooms.ban(room, account.sender_id) is not None:
            raise refusal_for("invited_is_banned", room=room.name, name=account.name)
        if (count := room.count_invited()) >= self._limits.invitations_per_room:
            raise refusal_for("invitations_used_up", room=room.name, count=count)
        before = room.memberships.get(account.sender_id)
        row = Membership(
            room.record.room_id,
            account.sender_id,
            RoomRole.INVITED,
            self._directory.wall_ms(),
            muted_until_ms=before.muted_until_ms if before is not None else 0,
        )
        yield Commit((PutMembership(row),))
        self._finish(peer, ref, lambda: self._tell_invited(account.sender_id, room, member))

    def _tell_invited(self, sender_id: int, room: HubRoom, by: Member) -> None:
        invited = self._members.get(sender_id)
        for each in invited.hearers(None) if invited is not None else ():
            each.deliver(Invited(room.name, Person(by.sender_id, by.name)))

    def _grant(self, peer: Peer, member: Member, room: HubRoom, command: Grant) -> Workflow[None]:
        yield from self._room_membership.turn_to_act(member, room)
        require(self._rank(member, room), Permission.GRANT, room.name)
        changes, row = self._row_to_grant(member, room, command.person)
        role = RoomRole(command.role)
        if role is RoomRole.OWNER and self._directory.is_bot(command.person):  # it could set nothing
            raise refusal_for("bot_is_no_owner", room=room.name)
        if row.role is RoomRole.OWNER and role is not RoomRole.OWNER and room.count_owners() == 1:
            raise refusal_for("room_needs_owner", room=room.name)
        if row.role is role:  # told as a change, it would look like the end of a mute
            self._finish(peer, command.ref, lambda: None)
            return
        yield Commit((*changes, PutMembership(replace(row, role=role))))
        by = Person(member.sender_id, member.name)
        self._finish(peer, command.ref, lambda: self._room_membership.tell_role(room, command.person, by))

    def _row_to_grant(self, member: Member, room: HubRoom, person: int) -> tuple[tuple[Change, ...], Membership]:
        """Return the membership that gets another role, and what has to be made before; administrators make it all.

        Raises:
            Refusal: NOT_FOUND, this person does not belong to the room.
        """
        row = room.memberships.get(person)
        if row is not None and row.role.belongs:
            return (), row
        account = self._directory.accounts.get(person)
        if account is None:
            raise refusal_for("guest_without_role")
        if self._rank(member, room) is not Rank.ADMIN:
            raise refusal_for("not_a_member", room=room.name, name=account.name)
        record = room.record or self._room_membership.new_record(room)
        row = row or Membership(record.room_id, person, RoomRole.INVITED)
        row = replace(row, joined_at_ms=self._directory.wall_ms(), joined_seq=self._context.fed_seq)
        return () if room.record is not None else (PutRoom(record),), row

    # --- Kicks, bans and mutes ------------------------------------------------------------------------------------

    def _moderate(self, peer: Peer, member: Member, room: HubRoom, command: Moderate) -> Workflow[None]:
        yield from self._room_membership.turn_to_act(member, room)
        rank = self._rank(member, room)
        require(rank, Permission.MODERATE, room.name)
        if command.person == member.sender_id:
            raise refusal_for("mute_of_yourself" if command.act in {"mute", "unmute"} else "moderation_of_yourself")
        require_above(rank, self._rooms.rank(room, command.person), room.name)
        if room.is_lobby and command.act in {"kick", "ban", "unban"}:
            raise refusal_for("lobby_not_moderated", room=LOBBY)
        match command.act:
            case "kick":
                yield from self._kick(peer, member, room, command)
            case "ban":
                yield from self._ban(peer, member, room, command)
            case "unban":
                yield from self._unban(peer, room, command)
            case "mute" | "unmute":
                yield from self._mute(peer, member, room, command)
            case _:
                assert_never(command.act)

    def _kick(self, peer: Peer, member: Member, room: HubRoom, command: Moderate) -> Workflow[None]:
        present = self._members.get(command.person)
        if not room.belongs(command.person) and (present is None or room not in present.rooms):
            raise refusal_for("person_not_in_room", room=room.name)
        if command.reason:
            refusal = refusal_for("kicked_from_room_because", room=room.name, by=member.name, why=command.reason)
        else:
            refusal = refusal_for("kicked_from_room", room=room.name, by=member.name)
        yield from self._remove(peer, command, room, Left.of(refusal, room=room.name))

    def _ban(self, peer: Peer, member: Member, room: HubRoom, command: Moderate) -> Workflow[None]:
        if room.record is None:
            raise refusal_for("room_without_owner", room=room.name)
        room_id, sender_id = room.record.room_id, command.person
        held = self._directory.accounts.get(sender_id) or self._members.get(sender_id)
        if held is None:
            raise refusal_for("no_person_with_number")
        until_ms = None if command.seconds is None else self._directory.wall_ms() + command.seconds * 1000
        ban = RoomBan(room_id, sender_id, held.name, command.reason, member.name, until_ms)
        if command.reason:
            refusal = refusal_for("banned_from_room_because", room=room.name, by=member.name, why=command.reason)
        else:
            refusal = refusal_for("banned_from_room", room=room.name, by=member.name)
        changes = (*self._bans_that_give_way(room, room_id, sender_id), PutRoomBan(ban))
        yield from self._remove(peer, command, room, Left.of(refusal, room=room.name), *changes)

    def _bans_that_give_way(self, room: HubRoom, room_id: int, sender_id: int) -> tuple[Change, ...]:
        """Return what lifts bans that are over, where a room has as many as it may.

        Raises:
            Refusal: TOO_MANY, all of them are in force.
        """
        most, count = self._limits.bans_per_room, len(room.bans)
        if count < most:
            return ()
        over = self._rooms.bans_over(room)
        if self._rooms.ban(room, sender_id) is None and count - len(over) >= most:
            raise refusal_for("bans_used_up", room=room.name, count=most)
        return tuple(DropRoomBan(room_id, each) for each in over)

    def _remove(self, peer: Peer, command: Moderate, room: HubRoom, left: Left, *further: Change) -> Workflow[None]:
        successor = yield from self._room_membership.end_membership(command.person, room, *further)
        guest = command.act == "ban" and command.person not in self._directory.accounts
        self._finish(peer, command.ref, lambda: self._room_membership.remove_member(command.person, room, left), guest)
        self._room_membership.tell_successor(room, successor)

    def _unban(self, peer: Peer, room: HubRoom, command: Moderate) -> Workflow[None]:
        if room.record is None or self._rooms.ban(room, command.person) is None:
            raise refusal_for("person_not_banned", room=room.name)
        yield Commit((DropRoomBan(room.record.room_id, command.person),))
        self._finish(peer, command.ref)

    def _mute(self, peer: Peer, member: Member, room: HubRoom, command: Moderate) -> Workflow[None]:
        membership = room.memberships.get(command.person)
        if membership is None or not membership.role.belongs:
            raise refusal_for("mute_needs_membership", room=room.name)
        if command.act == "unmute" and not self._rooms.is_muted(membership):
            raise refusal_for("person_not_muted", room=room.name)
        until_ms = 0
        if command.act == "mute":
            until_ms = MUTED_FOR_GOOD
            if command.seconds is not None:
                until_ms = self._directory.wall_ms() + command.seconds * 1000
        yield Commit((PutMembership(replace(membership, muted_until_ms=until_ms)),))
        key = (membership.room_id, command.person)
        if command.act == "mute" and command.reason:
            self._rooms.mute_reasons[key] = command.reason
        else:
            self._rooms.mute_reasons.pop(key, None)
        by = Person(member.sender_id, member.name)
        self._finish(peer, command.ref, lambda: self._room_membership.tell_role(room, command.person, by))

    # --- Parts ----------------------------------------------------------------------------------------------------

    def _rank(self, member: Member, room: HubRoom) -> Rank:
        return self._rooms.rank(room, member.sender_id, present=room in member.rooms)

    def _finish(self, peer: Peer, ref: int, effect: Callable[[], None] | None = None, guest: bool = False) -> None:
        """Tell the asker that it is done, then the others, even if the asker's connection raises."""
        try:
            if peer in self._connections:
                peer.deliver(Done(ref, guest=guest))
        finally:
            if effect is not None:
                effect()
