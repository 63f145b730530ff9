"""Bugs on purpose: each replaces one function of the product, and the simulation must see it.

A mutant that survives means a missing check. `MUTANTS` names them; each is a context manager that plants the bug and
takes it out again.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from securechat.client.drafts import Outgoing
from securechat.client.feed import Feed
from securechat.client.greeting import Greeting
from securechat.client.login import Login as ClientLogin
from securechat.client.membership import Membership
from securechat.client.talk import Talk
from securechat.hub.attendance import Attendance
from securechat.hub.claims import NameClaims
from securechat.hub.desk import Desk
from securechat.hub.door import Door
from securechat.hub.entrance import Entrance
from securechat.hub.feed import Feed as HubFeed
from securechat.hub.hub import Hub
from securechat.hub.lookups import Lookups
from securechat.hub.people import Login
from securechat.hub.ports import Appended
from securechat.hub.posting import Posting
from securechat.hub.registry import Registry
from securechat.hub.room import Room
from securechat.hub.steward import Steward
from securechat.log import inline
from securechat.log.memory import MemoryStore
from securechat.log.sqlite import SqliteStore
from securechat.net.backlog import Backlog
from securechat.net.timers import Timer, Timers
from securechat.server.session import Session
from securechat.wire.frames import FrameReader

Mutant = Callable[[], Any]
MUTANTS: dict[str, Mutant] = {}


def planted(owner: Any, name: str) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Register a mutant: the decorated function gets the original and returns what stands in its place."""

    def plant(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @contextmanager
        def mutant() -> Iterator[None]:
            original = owner.__dict__[name]
            setattr(owner, name, make(original))
            try:
                yield
            finally:
                setattr(owner, name, original)

        MUTANTS[make.__name__] = mutant
        return make

    return plant


# --- the log ----------------------------------------------------------------------------------------------------------


@planted(inline.InlineLog, "append")
def ack_before_commit(original: Any) -> Any:
    def append(self: Any, draft: Any, done: Any) -> None:
        self.guess = max(getattr(self, "guess", 0), self.store._last_seq) + 1
        done(Appended(self.guess))
        original(self, draft, lambda _: None)

    return append


@planted(SqliteStore, "_open_database")
def no_sync_before_the_ack(original: Any) -> Any:
    def open_database(self: Any, path: Any) -> Any:
        state = original(self, path)
        self._db.pragma("synchronous", "OFF")
        return state

    return open_database


@planted(MemoryStore, "open")
def retries_forgotten_at_restart(original: Any) -> Any:
    def open_(self: Any) -> Any:
        self._seqs.clear()
        self._last_client_ids.clear()
        return original(self)

    return open_


@planted(MemoryStore, "open")
def reservations_forgotten_at_restart(original: Any) -> Any:
    return lambda self: replace(original(self), reservations=[])


# --- the hub ----------------------------------------------------------------------------------------------------------


@planted(Hub, "on_commit")
def fan_out_regrouped_by_room(original: Any) -> Any:
    def on_commit(self: Any, batch: Any) -> None:
        last = batch[-1].seq
        original(self, sorted(batch, key=lambda message: message.room or ""))
        self.fed_seq = last
        self._posting.fed(last)

    return on_commit


@planted(Hub, "on_commit")
def one_message_of_a_batch_not_fanned_out(original: Any) -> Any:
    def on_commit(self: Any, batch: Any) -> None:
        original(self, [*batch[:2], *batch[3:]])

    return on_commit


@planted(HubFeed, "_dialogue_audience")
def whispers_shown_to_everybody(original: Any) -> Any:
    return lambda self, entry: [peer for member in self._members.values() for peer in member.peers]


@planted(HubFeed, "_dialogue_audience")
def whispers_not_shown_to_the_other_devices(original: Any) -> Any:
    def audience(self: Any, message: Any) -> Any:
        sides = (self._members.get(message.sender_id), self._members.get(message.to or 0))
        return [member.peers[0] for member in sides if member is not None and member.peers]

    return audience


@planted(Posting, "_settle")
def retry_never_acknowledged(original: Any) -> Any:
    def settle(self: Any, peer: Any, member: Any, client_id: int, outcome: Any) -> None:
        is_retry = isinstance(outcome, Appended) and outcome.retry
        original(self, None if is_retry else peer, member, client_id, outcome)

    return settle


@planted(Entrance, "_check_newest")
def late_hello_throws_out_its_successor(original: Any) -> Any:
    return lambda self, peer, identity: None


@planted(Posting, "_draft")
def mute_that_the_second_device_escapes(original: Any) -> Any:
    def draft(self: Any, seat: Any, command: Any) -> Any:
        mutes = self._registry.mutes
        if seat.stream != seat.member.sender_id:
            self._registry.mutes = {}
        try:
            return original(self, seat, command)
        finally:
            self._registry.mutes = mutes

    return draft


@planted(Lookups, "_query")
def history_beyond_what_was_fanned_out(original: Any) -> Any:
    return lambda self, member, command, fed_seq: original(self, member, command, 1 << 50)


@planted(Lookups, "_query")
def history_ends_one_too_early(original: Any) -> Any:
    return lambda self, member, command, fed_seq: original(self, member, command, max(0, fed_seq - 1))


@planted(Door, "recheck")
def ban_that_comes_mid_hello_is_missed(original: Any) -> Any:
    return lambda self, entry, host: None


@planted(Registry, "_drop")
def token_works_after_logout(original: Any) -> Any:
    return lambda self, kind, number: None if kind is Login else original(self, kind, number)


@planted(Desk, "end_logins")
def connections_survive_their_login(original: Any) -> Any:
    return lambda self, numbers: 0


@planted(Steward, "_is_banned")
def ban_leaves_those_who_are_in(original: Any) -> Any:
    return lambda self, peer, seat: False


@planted(Room, "remove")
def left_room_still_heard(original: Any) -> Any:
    def remove(self: Any, member: Any) -> None:
        audience = self.audience()
        original(self, member)
        self._audience = audience

    return remove


@planted(Room, "audience_changed")
def new_connection_not_in_the_audience(original: Any) -> Any:
    return lambda self: None


@planted(Attendance, "_note_left")
def lost_presence_of_leavers(original: Any) -> Any:
    return lambda self, member, room, now: None


@planted(Room, "take_presence")
def lost_presence_of_newcomers(original: Any) -> Any:
    def take(self: Any, limits: Any) -> Any:
        if len(self._joined) > 1:
            self._joined.clear()
        return original(self, limits)

    return take


@planted(NameClaims, "reserve")
def name_free_as_soon_as_the_line_breaks(original: Any) -> Any:
    return lambda self, name, owner, until: self.free(name, owner)


# --- the session and the loop -----------------------------------------------------------------------------------------


@planted(Backlog, "measure")
def outbox_without_a_limit(original: Any) -> Any:
    def measure(self: Any, size_bytes: int) -> bool:
        original(self, size_bytes)
        return False

    return measure


@planted(Timers, "add")
def timer_fires_in_the_pass_that_made_it(original: Any) -> Any:
    def add(self: Any, when: float, callback: Any) -> Timer:
        timer = Timer(self, when, callback)
        heapq.heappush(self._heap, (when, next(self._order), timer))
        return timer

    return add


@planted(Session, "_rate_over")
def throttled_for_ever(original: Any) -> Any:
    return lambda self: None


@planted(Session, "_unpause")
def held_draft_dropped(original: Any) -> Any:
    def unpause(self: Any) -> None:
        self._held = None
        original(self)

    return unpause


@planted(FrameReader, "receive_data")
def rest_of_a_frame_lost(original: Any) -> Any:
    def receive(self: Any, data: bytes) -> None:
        if self.buffered_bytes < 4 and self._start:
            self._buffer.clear()
            self._start = 0
        original(self, data)

    return receive


# --- the client ------------------------------------------------------------------------------------------------


@planted(Feed, "resume")
def resume_off_by_one(original: Any) -> Any:
    def resume(self: Any, live_from: int) -> None:
        self.cursor += 1
        original(self, live_from)

    return resume


@planted(Feed, "_show")
def own_message_shown_twice(original: Any) -> Any:
    def show(self: Any, conversation: Any, message: Any, *, late: bool) -> None:
        original(self, conversation, message, late=late)
        if message.sender_id == self.me and late:
            self._reader.on_message(conversation.key, message, late=late)

    return show


@planted(Outgoing, "in_flight")
def drafts_lost_on_reconnect(original: Any) -> Any:
    def in_flight(self: Any) -> Any:
        self._in_flight.clear()
        return ()

    return in_flight


@planted(Outgoing, "start_above")
def numbers_begin_anew_after_a_restart(original: Any) -> Any:
    return lambda self, last_client_id: None


@planted(Membership, "entered")
def room_forgotten_after_reconnect(original: Any) -> Any:
    def entered(self: Any, event: Any, *, elsewhere: bool = False) -> Any:
        told = original(self, event, elsewhere=elsewhere)
        self.unwant(event.room)
        return told

    return entered


@planted(Outgoing, "again")
def line_refused_for_now_never_repeated(original: Any) -> Any:
    return lambda self, client_id: self._in_flight.pop(client_id, None)


@planted(Talk, "_acked")
def ack_of_one_line_settles_all(original: Any) -> Any:
    def acked(self: Any, client_id: int, seq: int) -> None:
        original(self, client_id, seq)
        self._outgoing._in_flight.clear()

    return acked


@planted(Entrance, "unclaim")
def name_kept_by_an_account_that_left(original: Any) -> Any:
    return lambda self, member, name: None


@planted(NameClaims, "give_back")
def kept_name_freed_by_a_full_disk(original: Any) -> Any:
    return lambda self, name, owner: self.free(name, owner)


@contextmanager
def secret_exchanged_for_ones_own_account() -> Iterator[None]:
    """What the simulation once found: after a registration whose answer was lost, lines were stored twice.

    Two functions stand against it by now, and both must fall.
    """

    def is_somebody_else(self: Any, name: str, *, proven: bool) -> bool:
        return proven if not self._bound[0] else original(self, name, proven=proven)

    original, give_up = ClientLogin._is_somebody_else, Greeting._give_up_lines
    ClientLogin._is_somebody_else = is_somebody_else  # type: ignore[method-assign]
    Greeting._give_up_lines = lambda self: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        ClientLogin._is_somebody_else = original  # type: ignore[method-assign]
        Greeting._give_up_lines = give_up  # type: ignore[method-assign]


MUTANTS["secret_exchanged_for_ones_own_account"] = secret_exchanged_for_ones_own_account
