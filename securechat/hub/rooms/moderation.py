"""The rules of a room and order in it: what its owners and moderators do.

Every act needs its right (`rights`) and a member who is not muted (`mute`), is durable before it is felt, and is done
one after the other in each room. Who does not belong to a private room hears that there is no such room, whatever they
ask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from msgspec.structs import replace

from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.directory import Turn
from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.messages.delivery import Delivery
from securechat.hub.mutes import expect_unmuted, expect_unmuted_in
from securechat.hub.rooms.directory import MUTED_FOR_GOOD
from securechat.hub.rooms.membership import NO_SUCH_ROOM, RoomMembership
from securechat.hub.rooms.permissions import Permission, Rank, require, require_above
from securechat.limits import MAX_TOPIC_CHARS
from securechat.model import (
    AskRoom,
    Done,
    Grant,
    Invited,
    InviteTo,
    Left,
    Moderate,
    Person,
    Refused,
    RoomCommand,
    SetRoom,
)
from securechat.records.accounts import Change, Committed
from securechat.records.log import NotAppended
from securechat.records.rooms import (
    DropRoomBan,
    Membership,
    PutMembership,
    PutRoom,
    PutRoomBan,
    RoomBan,
    RoomRecord,
    RoomRole,
)
from securechat.text.names import LOBBY, check_room

Felt = Callable[[], None]


class Moderation:
    """Answers `RoomCommand`s.

    Args:
        context: who is here, and who belongs where.
        room_membership: takes people out of rooms, and tells rooms what has changed.
        delivery: hears of a room's old and new name before anything else is told.
    """

    def __init__(self, context: HubContext, room_membership: RoomMembership, delivery: Delivery) -> None:
        self._context = context
        self._directory = context.accounts
        self._room_directory = context.rooms
        self._members = context.members
        self._connections = context.connections
        self._renaming = context.renaming
        self._limits = context.limits
        self._room_membership = room_membership
        self._delivery = delivery

    def answer(self, peer: Peer, member: Member, command: RoomCommand) -> None:
        """Answer a command, now or when it is durable.

        Raises:
            Refusal: a rule or a missing right forbids it.
        """
        name = member.room_meant(check_room(command.room))
        self._check_seen(member, name)
        match command:
            case AskRoom():
                rules = self._room_membership.rules(name, command.ref)
                peer.deliver(replace(rules, role=self._role_word(member, name)))
            case SetRoom():
                self._set(peer, member, name, command)
            case InviteTo():
                self._invite(peer, member, name, command)
            case Moderate():
                self._moderate(peer, member, name, command)
            case Grant():
                self._grant(peer, member, name, command)
            case _:
                assert_never(command)

    # --- Rules ----------------------------------------------------------------------------------------------------

    def _set(self, peer: Peer, member: Member, name: str, command: SetRoom) -> None:
        only_topic = command.topic is not None and all(
            value is None
            for value in (
                command.name, command.private, command.read_only, command.slow_s, command.retention_days,
                command.history, command.archived,
            )
        )  # fmt: skip
        right = Permission.TOPIC if only_topic else Permission.SET
        require(self._rank(member, name), right, name)
        wanted = check_room(command.name) if command.name is not None else None
        if wanted not in {None, name} and LOBBY in {name, wanted}:
            raise Refusal(ErrorCode.INVALID, f"#{LOBBY} keeps its name")
        if name == LOBBY and (command.private or command.archived):
            raise Refusal(ErrorCode.INVALID, f"#{LOBBY} is everybody's: it can be neither private nor archived")
        if command.topic is not None and len(command.topic) > MAX_TOPIC_CHARS:
            raise Refusal(ErrorCode.TEXT_TOO_LONG, f"a topic has at most {MAX_TOPIC_CHARS} characters")

        def job(name: str) -> Turn:
            require(self._rank(member, name), right, name)
            room_record = self._room_directory.room_records.get(name) or self._new_room_record(name)
            new = name if wanted is None else wanted
            row = _amended(room_record, command, new)
            if name in self._room_directory.room_records and self._room_directory.is_left(room_record):
                row = replace(row, made_at_ms=self._directory.wall_ms())  # an administrator's rules last anew
            names = {name, new} if new != name else set()
            if names and (
                new in self._room_directory.room_records
                or new in self._renaming
                or self._room_membership.is_occupied(new)
            ):
                raise Refusal(ErrorCode.ROOM_INVALID, f"there is a #{new} already; choose another name")
            self._renaming.update(names)

            def felt() -> None:
                if row.private and not room_record.private:  # before anything else: whoever has to go hears no new name
                    why = f"#{name} is private now, and you do not belong to it"
                    self._room_membership.remove_non_members(
                        room_record, Left(room=name, ref=0, code=ErrorCode.NOT_A_MEMBER, text=why)
                    )
                if new != name:
                    why = f"#{name} is called #{new} now, and you are not in it"
                    self._room_membership.clear(new, Left(room=new, ref=0, code=ErrorCode.NOT_A_MEMBER, text=why))
                    self._delivery.room_renamed(name, new)
                by = Person(member.sender_id, member.name)
                self._room_membership.tell_room(
                    new, self._room_membership.rules(new, was=name if new != name else None, by=by)
                )

            return self._turn(peer, command.ref, (PutRoom(row),), felt, lambda: self._renaming.difference_update(names))

        self._in_turn(peer, member, command.ref, name, job)

    def _new_room_record(self, name: str) -> RoomRecord:
        return RoomRecord(self._directory.number(), name, made_at_ms=self._directory.wall_ms())

    # --- People ---------------------------------------------------------------------------------------------------

    def _invite(self, peer: Peer, member: Member, name: str, command: InviteTo) -> None:
        account = self._directory.accounts.get(command.person)
        if account is None:
            raise Refusal(ErrorCode.ACCOUNT_NEEDED, "only an account can be invited; ask them to /register first")

        def job(name: str) -> Turn:
            require(self._rank(member, name), Permission.INVITE, name)
            room_record = self._room_directory.room_records.get(name)
            if room_record is None:
                raise Refusal(ErrorCode.INVALID, f"everybody may enter #{name}; nobody needs an invitation")
            if self._room_directory.belongs(name, account.sender_id):
                raise Refusal(ErrorCode.INVALID, f"{account.name} belongs to #{name} already")
            if self._room_directory.ban(name, account.sender_id) is not None:
                raise Refusal(ErrorCode.INVALID, f"{account.name} is banned from #{name}; lift the ban first")
            if self._room_directory.count_invited(room_record) >= self._limits.invitations_per_room:
                sentence = f"as many people as allowed are invited to #{name}; try again when some have come"
                raise Refusal(ErrorCode.TOO_MANY, sentence)
            before = self._room_directory.membership(name, account.sender_id)
            muted_until_ms = before.muted_until_ms if before is not None else 0
            row = Membership(
                room_record.room_id,
                account.sender_id,
                RoomRole.INVITED,
                self._directory.wall_ms(),
                muted_until_ms=muted_until_ms,
            )

            def felt() -> None:
                invited = self._members.get(account.sender_id)
                for each in invited.peers if invited is not None else ():
                    each.deliver(Invited(name, Person(member.sender_id, member.name)))

            return self._turn(peer, command.ref, (PutMembership(row),), felt)

        self._in_turn(peer, member, command.ref, name, job)

    def _moderate(self, peer: Peer, member: Member, name: str, command: Moderate) -> None:
        def job(name: str) -> Turn:
            rank = self._rank(member, name)
            require(rank, Permission.MODERATE, name)
            if command.person == member.sender_id:
                raise Refusal(ErrorCode.INVALID, "you cannot do this to yourself; /leave leaves a room")
            require_above(rank, self._room_directory.rank(name, command.person), name)
            if name == LOBBY and command.act in {"kick", "ban", "unban"}:
                raise Refusal(ErrorCode.INVALID, f"everybody is in #{LOBBY}; ask an administrator of the server")
            match command.act:
                case "kick":
                    return self._kick(peer, member, name, command)
                case "ban":
                    return self._ban(peer, member, name, command)
                case "unban":
                    return self._unban(peer, name, command)
                case "mute" | "unmute":
                    return self._mute(peer, member, name, command)
                case _:
                    assert_never(command.act)

        self._in_turn(peer, member, command.ref, name, job)

    def _kick(self, peer: Peer, member: Member, name: str, command: Moderate) -> Turn:
        self._expect_there(name, command.person)
        left = self._left(member, name, command, ErrorCode.KICKED)
        return self._removal(peer, command.ref, name, command.person, (), left)

    def _ban(self, peer: Peer, member: Member, name: str, command: Moderate) -> Turn:
        room_record = self._room_record(name)
        until_ms = None if command.seconds is None else self._directory.wall_ms() + command.seconds * 1000
        shown = self._name_of(command.person)
        ban = RoomBan(room_record.room_id, command.person, shown, command.reason, member.name, until_ms)
        left = self._left(member, name, command, ErrorCode.ROOM_BANNED)
        old: tuple[Change, ...] = ()
        if self._room_directory.count_bans(room_record) >= self._limits.bans_per_room:
            old = tuple(DropRoomBan(room_record.room_id, who) for who in self._room_directory.bans_over(room_record))
            is_banned = self._room_directory.ban(name, command.person) is not None
            if not is_banned and self._room_directory.count_bans(room_record) - len(old) >= self._limits.bans_per_room:
                raise Refusal(ErrorCode.TOO_MANY, f"#{name} has as many bans as a room may have; lift one first")
        return self._removal(peer, command.ref, name, command.person, (*old, PutRoomBan(ban)), left)

    def _unban(self, peer: Peer, name: str, command: Moderate) -> Turn:
        if self._room_directory.ban(name, command.person) is None:
            raise Refusal(ErrorCode.NOT_FOUND, f"that person is not banned from #{name}")
        return self._turn(peer, command.ref, (DropRoomBan(self._room_record(name).room_id, command.person),), _nothing)

    def _mute(self, peer: Peer, member: Member, name: str, command: Moderate) -> Turn:
        membership = self._room_directory.membership(name, command.person)
        if membership is None or not membership.role.belongs:
            raise Refusal(
                ErrorCode.ACCOUNT_NEEDED, "a guest cannot be muted in a room; kick or ban them, or ask an administrator"
            )
        until_ms = 0
        if command.act == "mute":
            until_ms = MUTED_FOR_GOOD
            if command.seconds is not None:
                until_ms = self._directory.wall_ms() + command.seconds * 1000
        row = replace(membership, muted_until_ms=until_ms)
        by = Person(member.sender_id, member.name)
        return self._turn(
            peer, command.ref, (PutMembership(row),), lambda: self._room_membership.tell_role(name, command.person, by)
        )

    def _grant(self, peer: Peer, member: Member, name: str, command: Grant) -> None:
        def job(name: str) -> Turn:
            require(self._rank(member, name), Permission.GRANT, name)
            row = self._room_directory.membership(name, command.person)
            admin_helps = self._rank(member, name) is Rank.ADMIN and command.person in self._directory.accounts
            if (row is None or not row.role.belongs) and not admin_helps:
                raise Refusal(ErrorCode.NOT_FOUND, f"that person does not belong to #{name}; invite them first")
            changes: tuple[Change, ...] = ()
            if row is None:
                room_record = self._room_directory.room_records.get(name)
                if room_record is None:
                    room_record = self._new_room_record(name)
                    changes = (PutRoom(room_record),)
                row = Membership(room_record.room_id, command.person, RoomRole.INVITED)
            if not row.role.belongs:
                row = replace(row, joined_at_ms=self._directory.wall_ms(), joined_seq=self._context.fed_seq)
            role = RoomRole(command.role)
            if row.role is RoomRole.OWNER and role is not RoomRole.OWNER and self._room_directory.owners(name) == 1:
                raise Refusal(ErrorCode.INVALID, f"#{name} needs an owner; make somebody else one first")
            by = Person(member.sender_id, member.name)
            changes = (*changes, PutMembership(replace(row, role=role)))
            return self._turn(
                peer, command.ref, changes, lambda: self._room_membership.tell_role(name, command.person, by)
            )

        self._in_turn(peer, member, command.ref, name, job)

    # --- Parts ----------------------------------------------------------------------------------------------------

    def _check_seen(self, member: Member, name: str) -> None:
        if name in member.rooms:
            return
        room_record = self._room_directory.room_records.get(name)
        if room_record is None or not self._room_directory.is_visible(name, member.sender_id):
            raise Refusal(ErrorCode.NO_SUCH_ROOM, NO_SUCH_ROOM)

    def _rank(self, member: Member, name: str) -> Rank:
        return self._room_directory.rank(name, member.sender_id, present=name in member.rooms)

    def _role_word(self, member: Member, name: str) -> str | None:
        if self._rank(member, name) is Rank.ADMIN:
            return "admin"
        return self._room_directory.role_word(name, member.sender_id)

    def _room_record(self, name: str) -> RoomRecord:
        room_record = self._room_directory.room_records.get(name)
        if room_record is None:
            raise Refusal(ErrorCode.INVALID, f"#{name} has no rules yet; an administrator can give it an owner")
        return room_record

    def _name_of(self, sender_id: int) -> str:
        held = self._directory.accounts.get(sender_id) or self._members.get(sender_id)
        if held is None:
            raise Refusal(ErrorCode.NOT_FOUND, "there is nobody with this number")
        return held.name

    def _expect_there(self, name: str, sender_id: int) -> None:
        member = self._members.get(sender_id)
        if not (self._room_directory.belongs(name, sender_id) or (member is not None and name in member.rooms)):
            raise Refusal(ErrorCode.NOT_FOUND, f"that person is not in #{name}")

    def _left(self, member: Member, name: str, command: Moderate, code: ErrorCode) -> Left:
        did = "took you out of" if code is ErrorCode.KICKED else "banned you from"
        why = f": {command.reason}" if command.reason else ""
        return Left(room=name, ref=0, code=code, text=f"{member.name} {did} #{name}{why}")

    def _removal(self, peer: Peer, ref: int, name: str, person: int, further: tuple[Change, ...], left: Left) -> Turn:
        """Out of the room, in this very turn: what waits behind it may be a new name, or a role."""

        def then(answer: Committed | NotAppended) -> None:
            try:
                self._reply(peer, ref, answer)
            finally:
                if isinstance(answer, Committed):
                    self._room_membership.remove_member(person, name, left)

        return self._room_membership.removal(person, name, further, then)

    def _in_turn(self, peer: Peer, member: Member, ref: int, name: str, job: Callable[[str], Turn]) -> None:
        """Do something when its turn comes, in the room that was meant, whatever that is called by then."""
        asked = self._room_directory.room_records.get(name)

        def guarded() -> Turn:
            called = name if asked is None else self._room_directory.name_of(asked.room_id)
            now_called = called or name  # the record may have gone with its last member
            try:
                if called is None:
                    self._check_seen(member, name)
                expect_unmuted(self._directory, member.sender_id)
                expect_unmuted_in(self._directory, now_called, member.sender_id)
                if now_called != name:
                    self._check_seen(member, now_called)  # or a refusal would tell a new name to who may not know it
                    self._in_turn(peer, member, ref, now_called, job)
                    return None
                return job(name)
            except Refusal as refusal:
                if peer in self._connections:
                    peer.deliver(Refused(refusal.code, refusal.detail, ref=ref, retry_after_s=refusal.retry_after_s))
                return None

        self._directory.in_turn(("room", name), guarded)

    def _turn(
        self, peer: Peer, ref: int, changes: tuple[Change, ...], felt: Felt, finally_: Felt | None = None
    ) -> Turn:
        def then(answer: Committed | NotAppended) -> None:
            if finally_ is not None:
                finally_()
            try:
                self._reply(peer, ref, answer)
            finally:
                if isinstance(answer, Committed):
                    felt()

        return changes, then

    def _reply(self, peer: Peer, ref: int, answer: Committed | NotAppended) -> None:
        if peer in self._connections:
            peer.deliver(Done(ref) if isinstance(answer, Committed) else Refused(answer.code, answer.text, ref=ref))


def _amended(room_record: RoomRecord, command: SetRoom, name: str) -> RoomRecord:
    """The place with what the command says, and the rest as it was."""
    given = {
        "name": name,
        "topic": command.topic,
        "private": command.private,
        "read_only": command.read_only,
        "slow_s": command.slow_s,
        "retention_days": command.retention_days,
        "history_from_join": None if command.history is None else command.history == "joined",
        "archived": command.archived,
    }
    return replace(room_record, **{key: value for key, value in given.items() if value is not None})


def _nothing() -> None:
    """Nobody feels it at once."""
