"""Bugs of outgoing webhooks, which runs with a receiver find (`Options.outgoing`)."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from securechat.hub.programs.outgoing import OutgoingWebhooks
from securechat.server.outgoing import feed
from securechat.server.outgoing.feed import OutgoingFeed
from securechat.server.outgoing.outcome import Delivered
from tests.simulation.mutants.planting import Mutant, planted

OUTGOING_MUTANTS: dict[str, Mutant] = {}
SIGHTINGS = {
    "cursor_moved_before_the_delivery": 1,
    "cursor_moved_before_the_reply": 5,
    "cursor_not_noted": 1,
    "failed_delivery_passed_over": 1,
    "id_of_each_attempt_another": 1,
    "messages_of_bots_always_count": 1,
    "reply_of_a_receiver_without_key": 15,
    "webhook_that_is_off_delivers_on": 3,
    "webhooks_answer_each_other": 2,
}
"""The first seed that found each: where a test looks first."""


@planted(OutgoingFeed, "_deliver", OUTGOING_MUTANTS)
def cursor_moved_before_the_delivery(original: Any) -> Any:
    def deliver(self: Any, one: Any, row: Any, message: Any) -> None:
        self._note_cursor(one, message.seq)
        original(self, one, row, message)

    return deliver


@planted(OutgoingFeed, "_reply", OUTGOING_MUTANTS)
def cursor_moved_before_the_reply(original: Any) -> Any:
    def reply(self: Any, one: Any, message: Any, text: str) -> None:
        self._note_cursor(one, message.seq)
        original(self, one, message, text)

    return reply


@planted(OutgoingWebhooks, "say", OUTGOING_MUTANTS)
def reply_of_a_receiver_without_key(original: Any) -> Any:
    return lambda self, row, text, key, reply, done: original(self, row, text, f"{key}{self.now_ms()}", reply, done)


@planted(OutgoingWebhooks, "wants", OUTGOING_MUTANTS)
def messages_of_bots_always_count(original: Any) -> Any:
    return lambda self, row, message: original(self, replace(row, bots=True), message)


@planted(OutgoingWebhooks, "wants", OUTGOING_MUTANTS)
def webhooks_answer_each_other(original: Any) -> Any:
    def wants(self: Any, row: Any, message: Any) -> bool:
        is_another = message.sender_id in self._directory.outgoing and message.sender_id != row.sender_id
        wanted: bool = original(self, row, message)
        return wanted or (is_another and row.bots)

    return wants


@planted(OutgoingFeed, "_answered", OUTGOING_MUTANTS)
def failed_delivery_passed_over(original: Any) -> Any:
    def answered(self: Any, one: Any, message: Any, outcome: Any) -> None:
        original(self, one, message, outcome if isinstance(outcome, Delivered) else Delivered())

    return answered


@planted(OutgoingFeed, "_advance", OUTGOING_MUTANTS)
def cursor_not_noted(original: Any) -> Any:
    def advance(self: Any, one: Any, seq: int, pause_s: float = 0.0) -> None:
        one.after = max(one.after, seq)
        self._go(one)

    return advance


@planted(feed, "delivery_id", OUTGOING_MUTANTS)
def id_of_each_attempt_another(original: Any) -> Any:
    count = iter(range(10**9))
    return lambda hook, message: original(f"{hook} {next(count)}", message)


@planted(OutgoingFeed, "_switch_off", OUTGOING_MUTANTS)
def webhook_that_is_off_delivers_on(original: Any) -> Any:
    def switch_off(self: Any, one: Any, why: str) -> None:
        self._later(one, 0.1, lambda: self._go(one))

    return switch_off
