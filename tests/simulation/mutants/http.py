"""Bugs of posting over HTTP, which runs with scripts find (`Options.http`): in the API, in webhooks, and below them."""

from __future__ import annotations

from typing import Any

from securechat.hub.programs.tokens import ApiTokens
from securechat.model import Acked, Say
from securechat.records.accounts import ApiToken
from securechat.server.api import paths
from securechat.server.api.peer import ProgramPeer
from securechat.server.hooks import delivery_key
from securechat.server.hooks.answers import OK
from securechat.server.hooks.paths import HookPaths
from tests.simulation.mutants import log, programs  # noqa: F401 - they plant
from tests.simulation.mutants.planting import MUTANTS, Mutant, nothing, planted

HTTP_MUTANTS: dict[str, Mutant] = {
    name: MUTANTS[name]
    for name in (
        "keys_outside_the_transaction",
        "token_alive_after_its_maker_is_banned",
        "removed_token_whose_connection_stays",
        "removed_token_there_again_after_a_restart",
        "connection_outlives_its_rotated_token",
    )
}
"""Those of the other parts among them are found by what scripts are answered, too."""
SIGHTINGS = {
    "answer_given_to_another_request": 88,
    "connection_outlives_its_rotated_token": 163,
    "delivery_without_key": 1,
    "keys_outside_the_transaction": 3,
    "removed_token_there_again_after_a_restart": 15,
    "removed_token_whose_connection_stays": 191,
    "request_answered_before_it_is_durable": 1,
    "request_whose_key_is_not_handed_on": 2,
    "token_alive_after_its_maker_is_banned": 4,
    "token_judged_by_its_account_alone": 4,
    "webhook_answered_as_stored_whatever_it_was": 5,
}
"""The first seed that found each: where a test looks first."""


@planted(paths, "key_of", HTTP_MUTANTS)
def request_whose_key_is_not_handed_on(original: Any) -> Any:
    return nothing


@planted(delivery_key, "delivery_key", HTTP_MUTANTS)
def delivery_without_key(original: Any) -> Any:
    return lambda headers: None


@planted(ProgramPeer, "_hand_over", HTTP_MUTANTS)
def request_answered_before_it_is_durable(original: Any) -> Any:
    def hand_over(self: Any, request: Any, command: Any) -> None:
        original(self, request, command)
        if isinstance(command, Say) and self._last_client_id in self._drafts:
            self.deliver(Acked(self._last_client_id, self._hub.fed_seq + 1))

    return hand_over


@planted(HookPaths, "refused", HTTP_MUTANTS)
def webhook_answered_as_stored_whatever_it_was(original: Any) -> Any:
    return lambda self, refusal: self.told(OK)


@planted(ProgramPeer, "_take", HTTP_MUTANTS)
def answer_given_to_another_request(original: Any) -> Any:
    def take(self: Any, event: Any) -> None:
        if isinstance(event, Acked) and self._drafts:
            event = Acked(max(self._drafts), event.seq)
        original(self, event)

    return take


@planted(ApiTokens, "expect_good", HTTP_MUTANTS)
def token_judged_by_its_account_alone(original: Any) -> Any:
    def expect_good(self: Any, row: ApiToken) -> Any:
        return self._directory.accounts[row.sender_id]

    return expect_good
