"""Bugs of rooms: rights, private rooms, what who may read, names that change, heirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from securechat.errors import Refusal
from securechat.hub.admin.housekeeping import Housekeeping
from securechat.hub.members import Member
from securechat.hub.messages import log_reads, posting
from securechat.hub.messages.delivery import Delivery
from securechat.hub.messages.log_reads import LogReads
from securechat.hub.messages.posting import Posting
from securechat.hub.messages.slow_mode import SlowMode
from securechat.hub.messages.visibility import MessageVisibility
from securechat.hub.rooms import moderation, permissions
from securechat.hub.rooms.directory import RoomDirectory
from securechat.hub.rooms.listing import RoomListing
from securechat.hub.rooms.membership import RoomMembership
from securechat.text.names import check_room
from tests.simulation.mutants.planting import MUTANTS, nothing, planted


@planted(RoomDirectory, "look_alike")
def rooms_that_look_alike(original: Any) -> Any:
    return nothing


@planted(RoomDirectory, "seen")
def private_room_named_in_an_error(original: Any) -> Any:
    def seen(self: Any, member: Any, raw: str) -> Any:
        try:
            return original(self, member, raw)
        except Refusal as refusal:
            known = ", ".join(room.name for room in self.recorded.values())
            raise Refusal(refusal.code, f"{refusal.detail}; there are {known}") from None

    return seen


@planted(RoomListing, "page")
def private_rooms_in_the_list(original: Any) -> Any:
    def page(self: Any, after: str, further: Any, most: int) -> Any:
        recorded = {name for name, room in self._rooms.items() if room.record is not None}
        return original(self, after, recorded.union(further), most)

    return page


@planted(RoomMembership, "_require_entry")
def private_room_open_to_everybody(original: Any) -> Any:
    return nothing


@planted(RoomMembership, "remove_non_members")
def strangers_stay_when_a_room_becomes_private(original: Any) -> Any:
    return nothing


@contextmanager
def new_name_told_to_those_who_have_to_go() -> Iterator[None]:
    """Found by simulation: they were sent away only after everybody in the room had heard its new name."""
    waiting: list[Any] = []

    def remove_non_members(self: Any, room: Any, left: Any) -> None:
        waiting.append((room, left))

    def tell_room(self: Any, room: Any, event: Any) -> None:
        tell(self, room, event)
        while waiting:
            private_room, left = waiting.pop()
            expel(self, private_room, replace(left, room=private_room.name))

    expel, tell = RoomMembership.remove_non_members, RoomMembership.tell_room
    RoomMembership.remove_non_members, RoomMembership.tell_room = remove_non_members, tell_room  # type: ignore[method-assign]
    try:
        yield
    finally:
        RoomMembership.remove_non_members, RoomMembership.tell_room = expel, tell  # type: ignore[method-assign]


MUTANTS["new_name_told_to_those_who_have_to_go"] = new_name_told_to_those_who_have_to_go


@planted(RoomMembership, "remove_member")
def the_kicked_stay_in_the_room(original: Any) -> Any:
    return nothing


@planted(moderation, "require_above")
def nobody_is_too_high_to_be_moderated(original: Any) -> Any:
    return nothing


@planted(RoomDirectory, "ban")
def ban_from_a_room_not_kept(original: Any) -> Any:
    return nothing


@planted(posting, "has_permission")
def everybody_may_change_what_others_wrote(original: Any) -> Any:
    return lambda rank, right: True


@planted(permissions, "has_permission")
def nobody_is_asked_for_a_right(original: Any) -> Any:
    return lambda rank, permission: True


@planted(RoomDirectory, "muted_s")
def mute_in_a_room_not_kept(original: Any) -> Any:
    return lambda self, room, sender_id: 0.0


@planted(SlowMode, "note_sent")
def slow_mode_without_a_pause(original: Any) -> Any:
    return nothing


@planted(Posting, "_require_writable")
def archived_room_still_written_in(original: Any) -> Any:
    return nothing


@planted(MessageVisibility, "floors")
def history_from_before_one_joined(original: Any) -> Any:
    return lambda self, member, rooms: ()


@planted(MessageVisibility, "readers")
def changes_of_what_one_may_not_read(original: Any) -> Any:
    return lambda self, room, entry: list(room.audience())


@planted(LogReads, "_is_outdated")
def answer_about_a_room_that_was_left_meanwhile(original: Any) -> Any:
    return lambda self, member, rooms, names: False


@planted(log_reads, "_read_as")
def answer_of_before_the_history_was_hidden(original: Any) -> Any:
    """Found by simulation: a page was on its way when an owner hid what was said before one joined."""
    return lambda room: (room.name, False)


@planted(Delivery, "room_renamed")
def said_under_the_old_name(original: Any) -> Any:
    def room_renamed(self: Any, room: Any, old: str) -> None:
        original(self, room, old)
        self._former_names.clear()

    return room_renamed


@planted(Member, "room_called")
def former_name_of_a_room_means_nothing(original: Any) -> Any:
    """Found by simulation."""

    def room_called(self: Any, raw: str) -> Any:
        room = original(self, raw)
        return room if room is not None and room.name == check_room(raw) else None

    return room_called


@planted(RoomMembership, "_successor")
def room_without_an_heir(original: Any) -> Any:
    return nothing


@planted(Housekeeping, "_expire")
def retention_of_an_hour(original: Any) -> Any:
    return lambda self, now_ms: original(self, now_ms + 82_800_000)


@planted(RoomMembership, "_after_a_refusal")
def name_that_a_room_just_got_refuses_its_members(original: Any) -> Any:
    """Found by simulation: the client took that for being out of the room, which it was in under its new name."""
    return lambda self, room: room
