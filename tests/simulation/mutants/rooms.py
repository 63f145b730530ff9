"""Bugs of rooms: rights, private rooms, what who may read, names that change, heirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from securechat.errors import Refusal
from securechat.hub.admin.housekeeping import Housekeeping
from securechat.hub.members import Member
from securechat.hub.messages import posting
from securechat.hub.messages.delivery import Delivery
from securechat.hub.messages.log_reads import LogReads
from securechat.hub.messages.posting import Posting
from securechat.hub.messages.slow_mode import SlowMode
from securechat.hub.messages.visibility import MessageVisibility
from securechat.hub.rooms import moderation
from securechat.hub.rooms.directory import RoomDirectory
from securechat.hub.rooms.listing import RoomListing
from securechat.hub.rooms.membership import RoomMembership
from securechat.hub.rooms.moderation import Moderation
from securechat.records.log import NotAppended
from tests.simulation.mutants.planting import MUTANTS, nothing, planted


@planted(Moderation, "_check_seen")
def private_room_named_in_an_error(original: Any) -> Any:
    def check_seen(self: Any, member: Any, name: str) -> None:
        try:
            original(self, member, name)
        except Refusal as refusal:
            known = ", ".join(self._room_directory.room_records)
            raise Refusal(refusal.code, f"{refusal.detail}; there are {known}") from None

    return check_seen


@planted(RoomListing, "page")
def private_rooms_in_the_list(original: Any) -> Any:
    def page(self: Any, after: str, further: Any, most: int) -> Any:
        return original(self, after, {*further, *self._room_records}, most)

    return page


@planted(RoomMembership, "_check_entry")
def private_room_open_to_everybody(original: Any) -> Any:
    return nothing


@planted(RoomMembership, "remove_non_members")
def strangers_stay_when_a_room_becomes_private(original: Any) -> Any:
    return nothing


@contextmanager
def new_name_told_to_those_who_have_to_go() -> Iterator[None]:
    """Found by simulation: they were sent away only after everybody in the room had heard its new name."""
    waiting: list[Any] = []

    def remove_non_members(self: Any, place: Any, left: Any) -> None:
        waiting.append((place, left))

    def tell_room(self: Any, name: str, event: Any) -> None:
        tell(self, name, event)
        while waiting:
            place, left = waiting.pop()
            expel(self, replace(place, name=name), replace(left, room=name))

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


@planted(RoomDirectory, "ban")
def ban_from_a_room_not_kept(original: Any) -> Any:
    return nothing


@planted(posting, "has_permission")
def everybody_may_change_what_others_wrote(original: Any) -> Any:
    return lambda rank, right: True


@planted(moderation, "require")
def nobody_is_asked_for_a_right(original: Any) -> Any:
    return nothing


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
    return lambda self, member, rooms: False


@planted(Delivery, "room_renamed")
def said_under_the_old_name(original: Any) -> Any:
    def room_renamed(self: Any, old: str, new: str) -> None:
        original(self, old, new)
        self._new_names.clear()

    return room_renamed


@planted(Member, "room_meant")
def former_name_of_a_room_means_nothing(original: Any) -> Any:
    """Found by simulation."""
    return lambda self, name: name


@planted(RoomMembership, "_successor")
def room_without_an_heir(original: Any) -> Any:
    return nothing


@planted(Housekeeping, "_expire")
def retention_of_an_hour(original: Any) -> Any:
    return lambda self, now_ms: original(self, now_ms + 82_800_000)


@planted(RoomMembership, "_become_member")
def name_that_a_room_just_got_refuses_its_members(original: Any) -> Any:
    """Found by simulation: the client took that for being out of the room, which it was in under its new name."""

    def belong(self: Any, *args: Any) -> Any:
        turn = original(self, *args)
        if turn is None:
            return None
        changes, recorded = turn

        def as_before(answer: Any) -> None:
            rulebook = self._room_directory
            belongs = rulebook.belongs
            if isinstance(answer, NotAppended):
                rulebook.belongs = lambda *_: False
            try:
                recorded(answer)
            finally:
                rulebook.belongs = belongs

        return changes, as_before

    return belong
