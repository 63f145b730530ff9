"""Bugs about people: bans, mutes, logins, certificates, accounts that are deleted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from securechat.hub.accounts.authentication import Authenticator
from securechat.hub.accounts.deletion import AccountDeletion
from securechat.hub.accounts.directory import AccountDirectory
from securechat.hub.accounts.self_service import AccountService
from securechat.hub.admin.commands import AdminCommands
from securechat.hub.admin.housekeeping import Housekeeping
from securechat.hub.messages.posting import Posting
from securechat.records.accounts import Certificate, Drop, Login, Mute
from tests.simulation.mutants.planting import nothing, planted

_ENDS_NOTHING = SimpleNamespace(end=nothing, end_member=nothing)


@planted(Posting, "_draft")
def mute_that_the_second_device_escapes(original: Any) -> Any:
    def draft(self: Any, seat: Any, command: Any) -> Any:
        mutes = self._directory.mutes
        if seat.stream != seat.member.sender_id:
            self._directory.mutes = {}
        try:
            return original(self, seat, command)
        finally:
            self._directory.mutes = mutes

    return draft


@planted(Housekeeping, "_end_of_mute")
def tidying_up_lifts_a_new_mute(original: Any) -> Any:
    """Found by simulation."""
    return lambda self, sender_id: ((Drop(Mute, sender_id),), nothing)


@planted(Authenticator, "recheck")
def ban_that_comes_mid_hello_is_missed(original: Any) -> Any:
    return nothing


@planted(AdminCommands, "_is_banned")
def ban_leaves_those_who_are_in(original: Any) -> Any:
    return lambda self, peer, seat: False


@planted(AccountDirectory, "_drop")
def token_works_after_logout(original: Any) -> Any:
    return lambda self, kind, number: None if kind is Login else original(self, kind, number)


@planted(AccountDirectory, "has_login")
def login_that_never_expires(original: Any) -> Any:
    return lambda self, number: number in self.logins and (Login, number) not in self._leaving


@planted(AccountService, "end_logins")
def connections_survive_their_login(original: Any) -> Any:
    return nothing


@planted(AccountDirectory, "_drop")
def certificate_works_after_it_was_removed(original: Any) -> Any:
    return lambda self, kind, number: None if kind is Certificate else original(self, kind, number)


@planted(AccountService, "_remove_certificate")
def connections_survive_their_certificate(original: Any) -> Any:
    def remove(self: Any, peer: Any, seat: Any, account: Any, command: Any) -> None:
        end, self._disconnection = self._disconnection, _ENDS_NOTHING
        held = self._directory.change

        def change(changes: Any, then: Any) -> None:
            def quietly(answer: Any) -> None:
                self._disconnection = _ENDS_NOTHING
                then(answer)
                self._disconnection = end

            held(changes, quietly)

        self._directory.change = change
        try:
            original(self, peer, seat, account, command)
        finally:
            self._directory.change = held
            self._disconnection = end

    return remove


@planted(AccountDeletion, "_begin_erasing")
def name_kept_by_what_is_written_to_the_deleted(original: Any) -> Any:
    """Found by simulation."""

    def begin_scrubbing(self: Any, answer: Any) -> None:
        original(self, answer)
        self._directory.being_deleted.clear()

    return begin_scrubbing


@planted(AccountDeletion, "_end_logins")
def the_deleted_stay(original: Any) -> Any:
    def end_logins(self: Any, answer: Any) -> None:
        self._disconnection = _ENDS_NOTHING
        self._begin_erasing(answer)

    return end_logins
