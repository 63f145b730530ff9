"""The settings of a room: topic, name, private, read-only, slow mode, retention, history and archived.

A change needs its permission and a member who is not muted, takes its turn in the room, and is durable before it takes
effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import assert_never

from msgspec.structs import replace

from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.messages.delivery import Delivery
from securechat.hub.rooms.membership import RoomMembership
from securechat.hub.rooms.permissions import Permission, Rank, require
from securechat.hub.rooms.room import HubRoom
from securechat.hub.workflow import Commit, Workflow
from securechat.limits import MAX_TOPIC_CHARS
from securechat.model import AskRoom, Done, Left, Person, RoomRules, SetRoom
from securechat.records.rooms import PutRoom, RoomRecord
from securechat.text.names import LOBBY, check_room
from securechat.text.refusals import refusal_for


class RoomSettings:
    """Answers AskRoom and SetRoom.

    Args:
        context: members and rooms.
        room_membership: takes members out of rooms, and tells rooms what has changed.
        delivery: is told of a new name before all others.
    """

    def __init__(self, context: HubContext, room_membership: RoomMembership, delivery: Delivery) -> None:
        self._directory = context.accounts
        self._rooms = context.rooms
        self._connections = context.connections
        self._workflows = context.workflows
        self._room_membership = room_membership
        self._delivery = delivery

    def answer(self, peer: Peer, member: Member, command: AskRoom | SetRoom) -> None:
        """Answer a command, now or when it is durable.

        Raises:
            Refusal: NO_SUCH_ROOM for a room that the member may not know of; NO_RIGHT; a setting that cannot be.
        """
        room = self._rooms.seen(member, command.room)
        match command:
            case AskRoom():
                is_admin = self._rooms.rank(room, member.sender_id) is Rank.ADMIN
                role = "admin" if is_admin else room.role_word(member.sender_id)
                peer.deliver(replace(_rules(room), ref=command.ref, role=role))
            case SetRoom():
                permission = Permission.TOPIC if _is_topic_alone(command) else Permission.SET
                self._require(member, room, permission)
                name = None if command.name is None else check_room(command.name)
                _require_possible(room, command, name)
                self._workflows.answer(peer, command.ref, self._set(peer, member, room, command, name, permission))
            case _:
                assert_never(command)

    def _require(self, member: Member, room: HubRoom, permission: Permission) -> None:
        rank = self._rooms.rank(room, member.sender_id, present=room in member.rooms)
        require(rank, permission, room.name)

    def _set(
        self, peer: Peer, member: Member, room: HubRoom, command: SetRoom, name: str | None, permission: Permission
    ) -> Workflow[None]:
        yield from self._room_membership.turn_to_act(member, room)
        self._require(member, room, permission)
        before = room.record or self._room_membership.new_record(room)
        row = _amended(before, command, room.name if name is None else name)
        if room.record is not None and room.is_left():
            row = replace(row, made_at_ms=self._directory.wall_ms())  # an administrator's rules last anew
        with self._reserved_name(room, row.name, member.sender_id) as displaced:
            yield Commit((PutRoom(row),))
        try:
            if peer in self._connections:
                peer.deliver(Done(command.ref))
        finally:
            self._take_effect(room, before, displaced, Person(member.sender_id, member.name))

    @contextmanager
    def _reserved_name(self, room: HubRoom, name: str, sender_id: int) -> Iterator[HubRoom | None]:
        """Keep a room's new name free while it is on its way to the log; nothing is said under either name meanwhile.

        Yields:
            The room without a record that has this name until then, as members may still enter it; None when the room
            keeps its name.

        Raises:
            Refusal: ROOM_INVALID, another room has the name, is getting it, or has one that looks like it.
        """
        if name == room.name:
            yield None
            return
        displaced = self._rooms.named_or_new(name)
        if displaced.record is not None or displaced.members or displaced.is_renaming:
            raise refusal_for("room_name_taken", room=name)
        self._rooms.expect_distinct(room, name, sender_id)
        room.is_renaming = displaced.is_renaming = True
        try:
            yield displaced
        except GeneratorExit:
            raise  # the hub is gone in the middle of it: nothing may be told any more
        except BaseException:
            room.renaming_over()
            displaced.renaming_over()
            raise
        displaced.renames += 1
        room.renaming_over()
        displaced.renaming_over()

    def _take_effect(self, room: HubRoom, before: RoomRecord, displaced: HubRoom | None, by: Person) -> None:
        """Tell of new settings; before all others, and by its old name, members who have to go."""
        if room.record is not None and room.record.private and not before.private:
            refusal = refusal_for("room_became_private", room=before.name)
            self._room_membership.remove_non_members(room, Left.of(refusal, room=before.name))
        if displaced is not None:
            refusal = refusal_for("room_name_given_away", room=room.name)
            self._room_membership.remove_all(displaced, Left.of(refusal, room=room.name))
            self._delivery.room_renamed(room, before.name)
        was = None if displaced is None else before.name
        self._room_membership.tell_room(room, replace(_rules(room), was=was, by=by))


def _is_topic_alone(command: SetRoom) -> bool:
    others = (
        command.name, command.private, command.read_only, command.slow_s, command.retention_days, command.history,
        command.archived,
    )  # fmt: skip
    return command.topic is not None and all(value is None for value in others)


def _require_possible(room: HubRoom, command: SetRoom, name: str | None) -> None:
    """Require that a room may have these settings, whatever the rank of the asker.

    Raises:
        Refusal: INVALID for what the lobby cannot be, TEXT_TOO_LONG for a topic.
    """
    if name not in {None, room.name} and LOBBY in {name, room.name}:
        raise refusal_for("lobby_not_renamed", room=LOBBY)
    if room.is_lobby and (command.private or command.archived):
        raise refusal_for("lobby_always_open", room=LOBBY)
    if command.topic is not None and len(command.topic) > MAX_TOPIC_CHARS:
        raise refusal_for("topic_too_long", most=MAX_TOPIC_CHARS)


def _amended(record: RoomRecord, command: SetRoom, name: str) -> RoomRecord:
    """Return the record with what the command says, and the rest as it was."""
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
    return replace(record, **{key: value for key, value in given.items() if value is not None})


def _rules(room: HubRoom) -> RoomRules:
    """Return a room's settings as the wire says them."""
    record = room.record or RoomRecord(0, room.name)
    return RoomRules(
        room=room.name,
        ref=0,
        topic=record.topic,
        private=record.private,
        read_only=record.read_only,
        slow_s=record.slow_s,
        retention_days=record.retention_days,
        history="joined" if record.history_from_join else "all",
        archived=record.archived,
        room_id=record.room_id,
    )
