"""The rules of a room and order in it: what its owners and moderators do.

Every act needs its right (`rights`) and a member who is not muted (`mute`), is durable before it is felt, and is done
one after the other in each room. Who does not belong to a private room hears that there is no such room, whatever they
ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from msgspec.structs import replace

from securechat.errors import ErrorCode, Refusal
from securechat.hub.entrance import Entrance
from securechat.hub.floor import NO_SUCH_ROOM, Floor
from securechat.hub.member import Member, Seat
from securechat.hub.mute import expect_unmuted, expect_unmuted_in
from securechat.hub.people import Change, Recorded
from securechat.hub.places import (
    DropRoomBan,
    Membership,
    Place,
    PutMembership,
    PutPlace,
    PutRoomBan,
    RoomBan,
    RoomRole,
)
from securechat.hub.ports import NotAppended, Peer
from securechat.hub.registry import Registry, Turn
from securechat.hub.rights import Rank, Right, expect, expect_above
from securechat.hub.rulebook import MUTED_FOR_GOOD, Rulebook
from securechat.limits import MAX_TOPIC_CHARS, Limits
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
from securechat.names import LOBBY, check_room

Felt = Callable[[], None]


class Moderation:
    """Answers `RoomCommand`s.

    Args:
        registry: makes changes durable.
        floor: takes people out of rooms, and tells rooms what has changed.
        entrance: who is here.
        seats: every connection of a member.
        renaming: old and new names of rooms whose new name is on its way to the log; kept here.
        renamed: told of a room's old and new name before anybody else.
        limits: bans_per_room, invitations_per_room.
    """

    def __init__(
        self,
        registry: Registry,
        floor: Floor,
        entrance: Entrance,
        seats: Mapping[Peer, Seat],
        renaming: set[str],
        renamed: Callable[[str, str], None],
        limits: Limits,
    ) -> None:
        self._registry = registry
        self._rulebook: Rulebook = registry.rulebook
        self._floor = floor
        self._entrance = entrance
        self._seats = seats
        self._renamed = renamed
        self._renaming = renaming
        self._limits = limits

    def answer(self, peer: Peer, member: Member, command: RoomCommand) -> None:
        """Answer a command, now or when it is durable.

        Raises:
            Refusal: a rule or a missing right forbids it.
        """
        name = member.room_meant(check_room(command.room))
        self._check_seen(member, name)
        match command:
            case AskRoom():
                rules = self._floor.rules(name, command.ref)
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
        right = Right.TOPIC if only_topic else Right.SET
        expect(self._rank(member, name), right, name)
        wanted = check_room(command.name) if command.name is not None else None
        if wanted not in {None, name} and LOBBY in {name, wanted}:
            raise Refusal(ErrorCode.INVALID, f"#{LOBBY} keeps its name")
        if name == LOBBY and (command.private or command.archived):
            raise Refusal(ErrorCode.INVALID, f"#{LOBBY} is everybody's: it can be neither private nor archived")
        if command.topic is not None and len(command.topic) > MAX_TOPIC_CHARS:
            raise Refusal(ErrorCode.TEXT_TOO_LONG, f"a topic has at most {MAX_TOPIC_CHARS} characters")

        def job(name: str) -> Turn:
            expect(self._rank(member, name), right, name)
            place = self._rulebook.places.get(name) or self._new_place(name)
            new = name if wanted is None else wanted
            row = _amended(place, command, new)
            names = {name, new} if new != name else set()
            if names and (new in self._rulebook.places or new in self._renaming or self._floor.is_occupied(new)):
                raise Refusal(ErrorCode.ROOM_INVALID, f"there is a #{new} already; choose another name")
            self._renaming.update(names)

            def felt() -> None:
                if row.private and not place.private:  # before anything else: whoever has to go hears no new name
                    why = f"#{name} is private now, and you do not belong to it"
                    self._floor.expel_strangers(place, Left(room=name, ref=0, code=ErrorCode.NOT_A_MEMBER, text=why))
                if new != name:
                    why = f"#{name} is called #{new} now, and you are not in it"
                    self._floor.clear(new, Left(room=new, ref=0, code=ErrorCode.NOT_A_MEMBER, text=why))
                    self._renamed(name, new)
                by = Person(member.sender_id, member.name)
                self._floor.tell_room(new, self._floor.rules(new, was=name if new != name else None, by=by))

            return self._turn(
                peer, command.ref, (PutPlace(row),), felt, lambda: self._renaming.difference_update(names)
            )

        self._in_turn(peer, member, command.ref, name, job)

    def _new_place(self, name: str) -> Place:
        return Place(self._registry.number(), name, made_at_ms=self._registry.wall_ms())

    # --- People ---------------------------------------------------------------------------------------------------

    def _invite(self, peer: Peer, member: Member, name: str, command: InviteTo) -> None:
        account = self._registry.accounts.get(command.person)
        if account is None:
            raise Refusal(ErrorCode.ACCOUNT_NEEDED, "only an account can be invited; ask them to /register first")

        def job(name: str) -> Turn:
            expect(self._rank(member, name), Right.INVITE, name)
            place = self._rulebook.places.get(name)
            if place is None:
                raise Refusal(ErrorCode.INVALID, f"everybody may enter #{name}; nobody needs an invitation")
            if self._rulebook.belongs(name, account.sender_id):
                raise Refusal(ErrorCode.INVALID, f"{account.name} belongs to #{name} already")
            if self._rulebook.ban(name, account.sender_id) is not None:
                raise Refusal(ErrorCode.INVALID, f"{account.name} is banned from #{name}; lift the ban first")
            if self._rulebook.count_invited(place) >= self._limits.invitations_per_room:
                sentence = f"as many people as allowed are invited to #{name}; try again when some have come"
                raise Refusal(ErrorCode.TOO_MANY, sentence)
            before = self._rulebook.membership(name, account.sender_id)
            muted_until_ms = before.muted_until_ms if before is not None else 0
            row = Membership(
                place.room_id,
                account.sender_id,
                RoomRole.INVITED,
                self._registry.wall_ms(),
                muted_until_ms=muted_until_ms,
            )

            def felt() -> None:
                invited = self._entrance.members.get(account.sender_id)
                for each in invited.peers if invited is not None else ():
                    each.deliver(Invited(name, Person(member.sender_id, member.name)))

            return self._turn(peer, command.ref, (PutMembership(row),), felt)

        self._in_turn(peer, member, command.ref, name, job)

    def _moderate(self, peer: Peer, member: Member, name: str, command: Moderate) -> None:
        def job(name: str) -> Turn:
            rank = self._rank(member, name)
            expect(rank, Right.MODERATE, name)
            if command.person == member.sender_id:
                raise Refusal(ErrorCode.INVALID, "you cannot do this to yourself; /leave leaves a room")
            expect_above(rank, self._rulebook.rank(name, command.person), name)
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
        place = self._place(name)
        until_ms = None if command.seconds is None else self._registry.wall_ms() + command.seconds * 1000
        shown = self._name_of(command.person)
        ban = RoomBan(place.room_id, command.person, shown, command.reason, member.name, until_ms)
        left = self._left(member, name, command, ErrorCode.ROOM_BANNED)
        old: tuple[Change, ...] = ()
        if self._rulebook.count_bans(place) >= self._limits.bans_per_room:
            old = tuple(DropRoomBan(place.room_id, who) for who in self._rulebook.bans_over(place))
            is_banned = self._rulebook.ban(name, command.person) is not None
            if not is_banned and self._rulebook.count_bans(place) - len(old) >= self._limits.bans_per_room:
                raise Refusal(ErrorCode.TOO_MANY, f"#{name} has as many bans as a room may have; lift one first")
        return self._removal(peer, command.ref, name, command.person, (*old, PutRoomBan(ban)), left)

    def _unban(self, peer: Peer, name: str, command: Moderate) -> Turn:
        if self._rulebook.ban(name, command.person) is None:
            raise Refusal(ErrorCode.NOT_FOUND, f"that person is not banned from #{name}")
        return self._turn(peer, command.ref, (DropRoomBan(self._place(name).room_id, command.person),), _nothing)

    def _mute(self, peer: Peer, member: Member, name: str, command: Moderate) -> Turn:
        membership = self._rulebook.membership(name, command.person)
        if membership is None or not membership.role.belongs:
            raise Refusal(
                ErrorCode.ACCOUNT_NEEDED, "a guest cannot be muted in a room; kick or ban them, or ask an administrator"
            )
        until_ms = 0
        if command.act == "mute":
            until_ms = MUTED_FOR_GOOD
            if command.seconds is not None:
                until_ms = self._registry.wall_ms() + command.seconds * 1000
        row = replace(membership, muted_until_ms=until_ms)
        by = Person(member.sender_id, member.name)
        return self._turn(
            peer, command.ref, (PutMembership(row),), lambda: self._floor.tell_role(name, command.person, by)
        )

    def _grant(self, peer: Peer, member: Member, name: str, command: Grant) -> None:
        def job(name: str) -> Turn:
            expect(self._rank(member, name), Right.GRANT, name)
            row = self._rulebook.membership(name, command.person)
            admin_helps = self._rank(member, name) is Rank.ADMIN and command.person in self._registry.accounts
            if (row is None or not row.role.belongs) and not admin_helps:
                raise Refusal(ErrorCode.NOT_FOUND, f"that person does not belong to #{name}; invite them first")
            changes: tuple[Change, ...] = ()
            if row is None:
                place = self._rulebook.places.get(name)
                if place is None:
                    place = self._new_place(name)
                    changes = (PutPlace(place),)
                row = Membership(place.room_id, command.person, RoomRole.INVITED)
            if not row.role.belongs:
                row = replace(row, joined_at_ms=self._registry.wall_ms(), joined_seq=self._floor.fed_seq())
            role = RoomRole(command.role)
            if row.role is RoomRole.OWNER and role is not RoomRole.OWNER and self._rulebook.owners(name) == 1:
                raise Refusal(ErrorCode.INVALID, f"#{name} needs an owner; make somebody else one first")
            by = Person(member.sender_id, member.name)
            changes = (*changes, PutMembership(replace(row, role=role)))
            return self._turn(peer, command.ref, changes, lambda: self._floor.tell_role(name, command.person, by))

        self._in_turn(peer, member, command.ref, name, job)

    # --- Parts ----------------------------------------------------------------------------------------------------

    def _check_seen(self, member: Member, name: str) -> None:
        if name in member.rooms:
            return
        place = self._rulebook.places.get(name)
        if place is None or not self._rulebook.is_visible(name, member.sender_id):
            raise Refusal(ErrorCode.NO_SUCH_ROOM, NO_SUCH_ROOM)

    def _rank(self, member: Member, name: str) -> Rank:
        return self._rulebook.rank(name, member.sender_id, present=name in member.rooms)

    def _role_word(self, member: Member, name: str) -> str | None:
        if self._rank(member, name) is Rank.ADMIN:
            return "admin"
        return self._rulebook.role_word(name, member.sender_id)

    def _place(self, name: str) -> Place:
        place = self._rulebook.places.get(name)
        if place is None:
            raise Refusal(ErrorCode.INVALID, f"#{name} has no rules yet; an administrator can give it an owner")
        return place

    def _name_of(self, sender_id: int) -> str:
        held = self._registry.accounts.get(sender_id) or self._entrance.members.get(sender_id)
        if held is None:
            raise Refusal(ErrorCode.NOT_FOUND, "there is nobody with this number")
        return held.name

    def _expect_there(self, name: str, sender_id: int) -> None:
        member = self._entrance.members.get(sender_id)
        if not (self._rulebook.belongs(name, sender_id) or (member is not None and name in member.rooms)):
            raise Refusal(ErrorCode.NOT_FOUND, f"that person is not in #{name}")

    def _left(self, member: Member, name: str, command: Moderate, code: ErrorCode) -> Left:
        did = "took you out of" if code is ErrorCode.KICKED else "banned you from"
        why = f": {command.reason}" if command.reason else ""
        return Left(room=name, ref=0, code=code, text=f"{member.name} {did} #{name}{why}")

    def _removal(self, peer: Peer, ref: int, name: str, person: int, further: tuple[Change, ...], left: Left) -> Turn:
        """Out of the room, in this very turn: what waits behind it may be a new name, or a role."""

        def then(answer: Recorded | NotAppended) -> None:
            try:
                self._reply(peer, ref, answer)
            finally:
                if isinstance(answer, Recorded):
                    self._floor.expel(person, name, left)

        return self._floor.removal(person, name, further, then)

    def _in_turn(self, peer: Peer, member: Member, ref: int, name: str, job: Callable[[str], Turn]) -> None:
        """Do something when its turn comes, in the room that was meant, whatever that is called by then."""
        asked = self._rulebook.places.get(name)

        def guarded() -> Turn:
            called = name if asked is None else self._rulebook.name_of(asked.room_id)
            now_called = called or name  # the record may have gone with its last member
            try:
                if called is None:
                    self._check_seen(member, name)
                expect_unmuted(self._registry, member.sender_id)
                expect_unmuted_in(self._registry, now_called, member.sender_id)
                if now_called != name:
                    self._check_seen(member, now_called)  # or a refusal would tell a new name to who may not know it
                    self._in_turn(peer, member, ref, now_called, job)
                    return None
                return job(name)
            except Refusal as refusal:
                if peer in self._seats:
                    peer.deliver(Refused(refusal.code, refusal.detail, ref=ref, retry_after_s=refusal.retry_after_s))
                return None

        self._registry.in_turn(("room", name), guarded)

    def _turn(
        self, peer: Peer, ref: int, changes: tuple[Change, ...], felt: Felt, finally_: Felt | None = None
    ) -> Turn:
        def then(answer: Recorded | NotAppended) -> None:
            if finally_ is not None:
                finally_()
            try:
                self._reply(peer, ref, answer)
            finally:
                if isinstance(answer, Recorded):
                    felt()

        return changes, then

    def _reply(self, peer: Peer, ref: int, answer: Recorded | NotAppended) -> None:
        if peer in self._seats:
            peer.deliver(Done(ref) if isinstance(answer, Recorded) else Refused(answer.code, answer.text, ref=ref))


def _amended(place: Place, command: SetRoom, name: str) -> Place:
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
    return replace(place, **{key: value for key, value in given.items() if value is not None})


def _nothing() -> None:
    """Nobody feels it at once."""
