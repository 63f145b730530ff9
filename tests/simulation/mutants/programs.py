"""Bugs about bots and API tokens: what they may do and hear, and when they end."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from securechat.hub import hub
from securechat.hub.accounts.directory import AccountDirectory
from securechat.hub.accounts.self_service import AccountService
from securechat.hub.members import Member
from securechat.hub.messages.posting import Posting
from securechat.hub.programs import bots
from securechat.hub.programs.makers import MakersRights
from securechat.hub.programs.tokens import ApiTokens
from securechat.hub.rooms.directory import RoomDirectory
from securechat.hub.rooms.queries import RoomQueries
from securechat.records.accounts import ApiToken, Drop, Put
from securechat.testing.memory_store import MemoryStore
from tests.simulation.mutants.planting import nothing, planted


@planted(ApiTokens, "ban_on_maker")
def token_alive_after_its_maker_is_banned(original: Any) -> Any:
    return nothing


@planted(Member, "hearers")
def rooms_of_a_token_not_looked_at_in_broadcasts(original: Any) -> Any:
    return lambda self, room: self.peers


@planted(Member, "told_of")
def token_told_of_a_room_that_its_account_leaves(original: Any) -> Any:
    """Found by simulation."""
    return lambda self, room: self.peers


@planted(RoomQueries, "_names_for")
def token_lists_rooms_that_it_is_not_good_for(original: Any) -> Any:
    """Found by simulation, once this was a law."""
    return lambda self, token, member, after: sorted(room.name for room in member.rooms if room.name > after)


@planted(bots, "replace")
def rotated_token_that_never_ends(original: Any) -> Any:
    def replaced(row: Any, **changes: Any) -> Any:
        return original(row, **{key: value for key, value in changes.items() if key != "expires_at_ms"})

    return replaced


@planted(ApiTokens, "overdue")
def connection_outlives_its_rotated_token(original: Any) -> Any:
    return lambda self: []


@planted(ApiTokens, "note_use")
def use_of_a_token_undoes_its_end(original: Any) -> Any:
    def note_use(self: Any, row: Any, host: str) -> Any:
        return (Put(replace(row, address=host, expires_at_ms=None)),)

    return note_use


@planted(AccountService, "end_tokens")
def removed_token_whose_connection_stays(original: Any) -> Any:
    return nothing


@planted(MemoryStore, "apply")
def removed_token_there_again_after_a_restart(original: Any) -> Any:
    def apply(self: Any, writes: Any, **more: Any) -> Any:
        kept = [_without_ends(write) for write in writes]
        return original(self, kept, **more)

    return apply


def _without_ends(write: Any) -> Any:
    changes = getattr(write, "changes", ())
    ends = [change for change in changes if isinstance(change, Drop) and change.kind is ApiToken]
    return replace(write, changes=tuple(each for each in changes if each not in ends)) if ends else write


@planted(MakersRights, "look_again")
def bot_left_in_a_private_room_when_its_maker_leaves(original: Any) -> Any:
    def look_again(self: Any) -> None:
        self._rooms.narrowed = []

    return look_again


@planted(AccountDirectory, "mute_on")
def bot_that_speaks_while_its_maker_is_muted(original: Any) -> Any:
    def mute_on(self: Any, sender_id: int) -> Any:
        return self.mutes.get(sender_id) if self.is_bot(sender_id) else original(self, sender_id)

    return mute_on


@planted(RoomDirectory, "_maker_of")
def makers_not_looked_at_in_rooms(original: Any) -> Any:
    return lambda self, sender_id: 0


@planted(Posting, "_room_draft")
def bot_that_is_not_marked(original: Any) -> Any:
    return lambda self, *args: replace(original(self, *args), bot=False)


@planted(hub, "expect_allowed")
def scopes_not_looked_at(original: Any) -> Any:
    return nothing
