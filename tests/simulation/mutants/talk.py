"""Bugs of the client about messages that change, rooms that are renamed, and what is read."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from securechat.client.core import timeline
from securechat.client.core.read_markers import ReadMarkers
from securechat.client.core.state import KnownRooms
from securechat.client.core.timeline import Timeline
from securechat.model import Deleted, Edited, Reacted
from tests.simulation.mutants.planting import nothing, planted


@planted(timeline, "apply_change")
def edit_applied_out_of_order(original: Any) -> Any:
    def amended(message: Any, change: Any) -> Any:
        if isinstance(change, Edited) and change.text is not None and message.deleted is None:
            return replace(message, text=change.text, edited=change.seq, mentions=change.mentions)
        return original(message, change)

    return amended


@planted(timeline, "apply_change")
def edit_of_a_deleted_message_brings_it_back(original: Any) -> Any:
    def amended(message: Any, change: Any) -> Any:
        if isinstance(change, Deleted):
            return replace(message, text="", reactions=[], mentions=[], edited=None, deleted=change.seq)
        return original(replace(message, deleted=None, changed=None), change)

    return amended


@planted(timeline, "apply_change")
def reactions_applied_again(original: Any) -> Any:
    """Found by simulation: a sign that was taken away and put there anew changed its place."""

    def amended(message: Any, change: Any) -> Any:
        return original(replace(message, changed=None) if isinstance(change, Reacted) else message, change)

    return amended


@planted(Timeline, "_change")
def changes_that_come_late_are_forgotten(original: Any) -> Any:
    return lambda self, conversation, change, *, late: None if late else original(self, conversation, change, late=late)


@planted(KnownRooms, "rename")
def renamed_room_is_an_unknown_one(original: Any) -> Any:
    return nothing


@planted(ReadMarkers, "saw")
def read_before_it_was_seen(original: Any) -> Any:
    return lambda self, key, seq: original(self, key, seq + 1)
