"""Bugs of event streams, which runs with readers find (`Options.events`)."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from securechat.hub import hub as hub_module
from securechat.hub.accounts.self_service import AccountService
from securechat.hub.hub import Hub
from securechat.hub.messages.delivery import Delivery
from securechat.hub.messages.purges import PurgeDelivery
from securechat.hub.rooms.membership import RoomMembership
from securechat.model import HistoryPage, Message, Purged
from securechat.server.api import routes
from securechat.server.api.streams import StreamPeer
from securechat.wire.event_stream import EventStreamFormat, ResetReason
from tests.simulation.mutants.planting import Mutant, nothing, planted

STREAM_MUTANTS: dict[str, Mutant] = {}
SIGHTINGS = {
    "change_of_the_message_before": 2,
    "changes_behind_the_messages_of_a_page": 2,
    "cursor_moved_by_what_is_held_back": 21,
    "dialogue_told_to_its_sender_alone": 39,
    "direct_message_whose_key_is_not_handed_on": 1,
    "entries_over_the_most_held_are_forgotten": 2,
    "entry_that_came_during_a_page_is_dropped": 2,
    "first_page_asked_for_one_too_high": 2,
    "held_entry_written_at_once": 2,
    "id_one_too_high": 0,
    "kicked_member_whose_stream_hears_on": 2,
    "page_goes_on_behind_its_last_message": 89,
    "page_that_has_more_taken_for_the_last": 4,
    "reaction_taken_back_that_is_given": 2,
    "removed_sender_not_told_to_who_was_away": 4,
    "removed_token_whose_stream_stays": 2,
    "reset_never_told": 2,
    "resumed_stream_begins_live_at_once": 2,
    "resumed_stream_without_changes": 2,
    "retention_not_told_to_who_is_here": 106,
    "retention_while_away_not_told": 60,
    "start_told_one_too_high": 0,
    "stream_goes_on_without_the_hub": 1,
    "stream_of_no_room_of_its_token_hears_all": 0,
    "stream_of_some_rooms_reads_all": 0,
    "stream_without_rooms_goes_on": 14,
}
"""The first seed that found each: where a test looks first."""


# --- The seam between history and what is live ------------------------------------------------------------------------


@planted(StreamPeer, "_hold", STREAM_MUTANTS)
def entry_that_came_during_a_page_is_dropped(original: Any) -> Any:
    return nothing


@planted(StreamPeer, "_hold", STREAM_MUTANTS)
def entries_over_the_most_held_are_forgotten(original: Any) -> Any:
    def hold(self: Any, entry: Any) -> None:
        original(self, entry)
        self._has_dropped = False

    return hold


@planted(StreamPeer, "_hold", STREAM_MUTANTS)
def held_entry_written_at_once(original: Any) -> Any:
    def hold(self: Any, entry: Any) -> None:
        if self._is_reading:
            self._write([entry])

    return hold


@planted(StreamPeer, "_page", STREAM_MUTANTS)
def cursor_moved_by_what_is_held_back(original: Any) -> Any:
    def page(self: Any, answer: HistoryPage) -> None:
        held = [each.seq for each in self._held if hasattr(each, "seq")]
        original(self, answer)
        if held:
            self._cursor = max(self._cursor, held[-1])

    return page


@planted(StreamPeer, "_page", STREAM_MUTANTS)
def page_that_has_more_taken_for_the_last(original: Any) -> Any:
    return lambda self, page: original(self, replace(page, more=False))


@planted(StreamPeer, "_page", STREAM_MUTANTS)
def page_goes_on_behind_its_last_message(original: Any) -> Any:
    def page(self: Any, answer: HistoryPage) -> None:
        through = answer.messages[-1].seq if answer.messages else answer.through
        original(self, replace(answer, through=through))

    return page


@planted(StreamPeer, "_page", STREAM_MUTANTS)
def resumed_stream_without_changes(original: Any) -> Any:
    return lambda self, page: original(self, replace(page, changes=[]))


@planted(StreamPeer, "_page", STREAM_MUTANTS)
def changes_behind_the_messages_of_a_page(original: Any) -> Any:
    def page(self: Any, answer: HistoryPage) -> None:
        self._write(answer.messages)
        original(self, replace(answer, messages=[]))

    return page


@planted(StreamPeer, "_welcomed", STREAM_MUTANTS)
def resumed_stream_begins_live_at_once(original: Any) -> Any:
    def welcomed(self: Any, event: Any) -> None:
        original(self, event)
        self.format = self._events

    return welcomed


@planted(StreamPeer, "_read_soon", STREAM_MUTANTS)
def first_page_asked_for_one_too_high(original: Any) -> Any:
    def read_soon(self: Any) -> None:
        if self._asked_for is not None:
            self._cursor += 1
        original(self)

    return read_soon


@planted(StreamPeer, "_welcomed", STREAM_MUTANTS)
def stream_of_some_rooms_reads_all(original: Any) -> Any:
    def welcomed(self: Any, event: Any) -> None:
        rooms, self._rooms = self._rooms, {}
        original(self, event)
        self._rooms = rooms

    return welcomed


# --- Ids --------------------------------------------------------------------------------------------------------------


@planted(EventStreamFormat, "encode", STREAM_MUTANTS)
def id_one_too_high(original: Any) -> Any:
    def encode(self: Any, event: Any) -> bytes:
        told: bytes = original(self, event)
        if isinstance(event, Message):
            return told.replace(b"%d@" % event.seq, b"%d@" % (event.seq + 1), 1)
        return told

    return encode


@planted(EventStreamFormat, "start", STREAM_MUTANTS)
def start_told_one_too_high(original: Any) -> Any:
    return lambda self, after: original(self, after + 1)


@planted(EventStreamFormat, "reset", STREAM_MUTANTS)
def reset_never_told(original: Any) -> Any:
    return lambda self, after, reason: self.start(after) if reason is not ResetReason.RETENTION else b""


# --- What is over -----------------------------------------------------------------------------------------------------


@planted(StreamPeer, "close", STREAM_MUTANTS)
def stream_goes_on_without_the_hub(original: Any) -> Any:
    return nothing


@planted(AccountService, "end_tokens", STREAM_MUTANTS)
def removed_token_whose_stream_stays(original: Any) -> Any:
    return nothing


@planted(RoomMembership, "remove_member", STREAM_MUTANTS)
def kicked_member_whose_stream_hears_on(original: Any) -> Any:
    def remove_member(self: Any, sender_id: int, room: Any, left: Any) -> None:
        member = self._members.get(sender_id)
        if member is None or not any(isinstance(peer, StreamPeer) for peer in member.peers):
            original(self, sender_id, room, left)

    return remove_member


@planted(Hub, "hears_any", STREAM_MUTANTS)
def stream_without_rooms_goes_on(original: Any) -> Any:
    return lambda self, peer: True


# --- What is gone -----------------------------------------------------------------------------------------------------


@planted(Hub, "is_purged_above", STREAM_MUTANTS)
def retention_while_away_not_told(original: Any) -> Any:
    return lambda self, peer, seq: False


@planted(PurgeDelivery, "room_purged", STREAM_MUTANTS)
def retention_not_told_to_who_is_here(original: Any) -> Any:
    return lambda self, room, through: self._rooms.note_purged(room, through)


@planted(PurgeDelivery, "missed", STREAM_MUTANTS)
def removed_sender_not_told_to_who_was_away(original: Any) -> Any:
    def missed(self: Any, command: Any, through: int) -> list[Purged]:
        return []

    return missed


# --- Who hears what ---------------------------------------------------------------------------------------------------


@planted(hub_module, "narrowed", STREAM_MUTANTS)
def stream_of_no_room_of_its_token_hears_all(original: Any) -> Any:
    return lambda token, rooms: token


@planted(Delivery, "_dialogue_audience", STREAM_MUTANTS)
def dialogue_told_to_its_sender_alone(original: Any) -> Any:
    def audience(self: Any, entry: Any) -> list[Any]:
        member = self._members.get(entry.sender_id)
        peers = original(self, entry)
        return [peer for peer in peers if not isinstance(peer, StreamPeer) or (member and peer in member.peers)]

    return audience


# --- Scripts that change messages, and write to people ----------------------------------------------------------------


@planted(routes, "Direct", STREAM_MUTANTS)
def direct_message_whose_key_is_not_handed_on(original: Any) -> Any:
    return lambda number, person, text, reply=None, key=None, *more: original(number, person, text, reply, None, *more)


@planted(routes, "_reaction", STREAM_MUTANTS)
def reaction_taken_back_that_is_given(original: Any) -> Any:
    return lambda call, *, on: original(call, on=True)


@planted(routes, "_seq", STREAM_MUTANTS)
def change_of_the_message_before(original: Any) -> Any:
    return lambda call: max(1, original(call) - 1)
