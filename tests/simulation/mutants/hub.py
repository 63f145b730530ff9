"""Bugs of the hub's heart: fan-out, acknowledgements, presence, names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from securechat.errors import ErrorCode
from securechat.hub import hub
from securechat.hub.accounts.login import LoginFlow
from securechat.hub.accounts.login_completion import LoginCompletion
from securechat.hub.accounts.names import NameReservations
from securechat.hub.hub import Hub
from securechat.hub.messages.delivery import Delivery
from securechat.hub.messages.posting import Posting
from securechat.hub.messages.purges import PurgeDelivery
from securechat.hub.rooms.presence import PresenceTracker
from securechat.hub.rooms.room import HubRoom
from securechat.records.log import Appended
from securechat.server import session
from securechat.storage.store import NO_ENTRY
from securechat.testing.memory_store import MemoryStore
from securechat.text.confusables import skeleton
from securechat.text.names import LOBBY
from tests.simulation.mutants.planting import MUTANTS, nothing, planted


@planted(Hub, "on_commit")
def fan_out_regrouped_by_room(original: Any) -> Any:
    def on_commit(self: Any, batch: Any) -> None:
        original(self, sorted(batch, key=lambda message: message.room or ""))
        if batch:
            self.context.fed_seq = batch[-1].seq
            self._posting.acknowledge_fed()

    return on_commit


@planted(Hub, "handle")
def new_name_forgotten_before_the_batch_is_told(original: Any) -> Any:
    """Found by simulation: what was said just before a room got another name was stored, and shown to nobody."""

    def handle(self: Any, *args: Any) -> Any:
        self._delivery._former_names.clear()
        return original(self, *args)

    return handle


@planted(Hub, "on_commit")
def one_message_of_a_batch_not_fanned_out(original: Any) -> Any:
    def on_commit(self: Any, batch: Any) -> None:
        original(self, [*batch[:2], *batch[3:]])

    return on_commit


@planted(Delivery, "_dialogue_audience")
def whispers_shown_to_everybody(original: Any) -> Any:
    return lambda self, entry: [peer for member in self._members.values() for peer in member.peers]


@planted(Delivery, "_dialogue_audience")
def whispers_not_shown_to_the_other_devices(original: Any) -> Any:
    def audience(self: Any, message: Any) -> Any:
        sides = (self._members.get(message.sender_id), self._members.get(message.to or 0))
        return [member.peers[0] for member in sides if member is not None and member.peers]

    return audience


@planted(PurgeDelivery, "sender_removed")
def removed_sender_told_only_to_who_comes_later(original: Any) -> Any:
    def sender_removed(self: Any, sender_id: int, through: int) -> None:
        self._removed[sender_id] = through

    return sender_removed


@planted(PurgeDelivery, "since_the_last_entry")
def removed_sender_not_told_where_the_log_has_nothing_new(original: Any) -> Any:
    """Found by simulation: a client that had the last entry asked for no page, before which it would have been told."""
    return lambda self: []


@planted(Posting, "_settle")
def retry_never_acknowledged(original: Any) -> Any:
    def settle(self: Any, peer: Any, member: Any, client_id: int, outcome: Any) -> None:
        is_retry = isinstance(outcome, Appended) and outcome.retry
        original(self, None if is_retry else peer, member, client_id, outcome)

    return settle


@planted(LoginFlow, "_check_newest")
def late_hello_throws_out_its_successor(original: Any) -> Any:
    """Found by simulation."""
    return nothing


@planted(LoginCompletion, "complete")
def last_lines_of_the_old_connection_are_not_counted(original: Any) -> Any:
    """Found by simulation: the first line of the next program got their number, and was acknowledged and lost."""

    def complete(self: Any, *args: Any) -> None:
        for seat in self._context.connections.values():
            seat.last_client_id = 0
        original(self, *args)

    return complete


@planted(HubRoom, "remove")
def left_room_still_heard(original: Any) -> Any:
    def remove(self: Any, member: Any) -> None:
        audience = self.audience()
        original(self, member)
        self._audience = audience

    return remove


@planted(HubRoom, "audience_changed")
def new_connection_not_in_the_audience(original: Any) -> Any:
    return nothing


@planted(PresenceTracker, "_note_left")
def lost_presence_of_leavers(original: Any) -> Any:
    return nothing


@planted(HubRoom, "take_presence")
def lost_presence_of_newcomers(original: Any) -> Any:
    def take(self: Any, *args: Any) -> Any:
        if len(self._joined) > 1:
            self._joined.clear()
        return original(self, *args)

    return take


@planted(NameReservations, "reserve")
def name_free_as_soon_as_the_line_breaks(original: Any) -> Any:
    return lambda self, name, owner, until: self.free(name, owner)


@planted(hub, "is_heard")
def temporary_password_opens_everything(original: Any) -> Any:
    return lambda command: True


@planted(LoginCompletion, "_welcome")
def temporary_password_forgotten_with_the_next_connection(original: Any) -> Any:
    def welcome(self: Any, member: Any, connection: Any, entry: Any, *args: Any, **options: Any) -> Any:
        told = original(self, member, connection, entry, *args, **options)
        if not entry.token:
            connection.must_change = False
            told = replace(told, must_change=False)
        return told

    return welcome


@contextmanager
def two_programs_with_one_secret_stay() -> Iterator[None]:
    """The older connection is forgotten, and neither told nor closed."""
    close = session.Session.close

    def stay(self: Any, closing: Any) -> None:
        if closing.code is not ErrorCode.REPLACED:
            close(self, closing)

    session.Session.close = stay  # type: ignore[method-assign]
    try:
        yield
    finally:
        session.Session.close = close  # type: ignore[method-assign]


MUTANTS["two_programs_with_one_secret_stay"] = two_programs_with_one_secret_stay


@planted(LoginFlow, "unclaim")
def name_kept_by_an_account_that_left(original: Any) -> Any:
    """Found by simulation."""
    return nothing


@planted(MemoryStore, "_find")
def known_sender_not_let_in_on_a_full_disk(original: Any) -> Any:
    """Every client of a full disk ended for good when its connection broke."""
    return lambda self, who: NO_ENTRY


@planted(NameReservations, "claim")
def name_kept_from_its_own_device(original: Any) -> Any:
    def claim(self: Any, name: str, owner: bytes, now: float, **more: Any) -> None:
        held = self._name_reservations.get(skeleton(name))
        is_kept = held is not None and held.until is not None and held.until > now
        original(self, name, b"" if is_kept else owner, now, **more)

    return claim


@planted(Posting, "_name_of_room")
def a_key_is_looked_up_in_the_lobby(original: Any) -> Any:
    return lambda _self, _member, _raw: LOBBY
