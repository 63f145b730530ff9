"""Bugs of the client about lines and connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from securechat.client.core import connecting
from securechat.client.core.connecting import Connecting
from securechat.client.core.credentials import Credentials
from securechat.client.core.joined_rooms import JoinedRooms
from securechat.client.core.refused_hello import HelloOutcome
from securechat.client.core.send_queue import SendQueue
from securechat.client.core.sending import Sending
from securechat.client.core.timeline import Timeline
from securechat.errors import ErrorCode
from tests.simulation.mutants.planting import MUTANTS, nothing, planted


@planted(Timeline, "resume")
def resume_off_by_one(original: Any) -> Any:
    def resume(self: Any, live_from: int) -> None:
        self.cursor += 1
        original(self, live_from)

    return resume


@planted(Timeline, "_show")
def own_message_shown_twice(original: Any) -> Any:
    def show(self: Any, conversation: Any, message: Any, *, late: bool) -> None:
        original(self, conversation, message, late=late)
        if message.sender_id == self.me and late:
            self._listener.on_message(conversation.key, message, late=late)

    return show


@planted(SendQueue, "deadline")
def line_that_may_not_go_wakes_the_program(original: Any) -> Any:
    """Found by simulation: in slow mode with a full window, it computed without a pause until an answer came."""

    def deadline(self: Any) -> float | None:
        waiting = {line.target for line in self._waiting}
        under_way = {line.target for line in self._in_flight.values()}
        return min((until for room, until in self._slow_until.items() if room in waiting - under_way), default=None)

    return property(deadline)


@planted(SendQueue, "in_flight")
def drafts_lost_on_reconnect(original: Any) -> Any:
    def in_flight(self: Any) -> Any:
        self._in_flight.clear()
        return ()

    return in_flight


@planted(SendQueue, "start_above")
def numbers_begin_anew_after_a_restart(original: Any) -> Any:
    return nothing


@planted(JoinedRooms, "entered")
def room_forgotten_after_reconnect(original: Any) -> Any:
    def entered(self: Any, event: Any, **how: bool) -> Any:
        told = original(self, event, **how)
        self.unwant(self._names.named(event.room))
        return told

    return entered


@planted(SendQueue, "again")
def line_refused_for_now_never_repeated(original: Any) -> Any:
    return lambda self, client_id: self._in_flight.pop(client_id, None)


@planted(Sending, "acked")
def ack_of_one_line_settles_all(original: Any) -> Any:
    def acked(self: Any, client_id: int, seq: int) -> None:
        original(self, client_id, seq)
        self._queue._in_flight.clear()

    return acked


@planted(Credentials, "refused")
def client_gives_up_on_a_full_disk(original: Any) -> Any:
    def refused(self: Any, event: Any) -> Any:
        return HelloOutcome.OVER if event.code is ErrorCode.DISK_FULL else original(self, event)

    return refused


@planted(Connecting, "_hello_later")
def login_that_waits_is_forgotten(original: Any) -> Any:
    def hello_later(self: Any, event: Any) -> float:
        delay_s: float = original(self, event)
        if event.code in {ErrorCode.DISK_FULL, ErrorCode.NAME_IN_USE}:
            self._hello_at = None
        return delay_s

    return hello_later


@planted(connecting, "FINAL_CLOSINGS")
def replaced_program_comes_back(original: Any) -> Any:
    return original - {ErrorCode.REPLACED}


@contextmanager
def secret_exchanged_for_ones_own_account() -> Iterator[None]:
    """Found by simulation: after a registration whose answer was lost, lines were stored twice.

    Two functions stand against it by now, and both must fall.
    """

    def is_another_identity(self: Any, name: str, *, proven: bool) -> bool:
        return proven if not self._bound[0] else original(self, name, proven=proven)

    original, give_up = Credentials._is_another_identity, Sending.abandon_in_flight
    Credentials._is_another_identity = is_another_identity  # type: ignore[method-assign]
    Sending.abandon_in_flight = nothing  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        Credentials._is_another_identity = original  # type: ignore[method-assign]
        Sending.abandon_in_flight = give_up  # type: ignore[method-assign]


MUTANTS["secret_exchanged_for_ones_own_account"] = secret_exchanged_for_ones_own_account
