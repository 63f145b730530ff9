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
from securechat.hub.workflow import Commit, Turn
from securechat.records.accounts import Certificate, Drop, Login, Mute
from tests.simulation.mutants.planting import nothing, planted


@planted(Posting, "append")
def mute_that_the_second_device_escapes(original: Any) -> Any:
    def append(self: Any, peer: Any, member: Any, command: Any) -> None:
        mutes = self._directory.mutes
        if self._connections[peer].stream != member.sender_id:
            self._directory.mutes = {}
        try:
            original(self, peer, member, command)
        finally:
            self._directory.mutes = mutes

    return append


@planted(Housekeeping, "_end_mute")
def tidying_up_lifts_a_new_mute(original: Any) -> Any:
    """Found by simulation."""

    def end_mute(self: Any, sender_id: int) -> Any:
        yield Turn((Mute, sender_id))
        yield Commit((Drop(Mute, sender_id),))

    return end_mute


@planted(Authenticator, "recheck")
def ban_that_comes_mid_hello_is_missed(original: Any) -> Any:
    return nothing


@planted(AdminCommands, "_ban_on")
def ban_leaves_those_who_are_in(original: Any) -> Any:
    return lambda self, peer, connection: None


@planted(AccountDirectory, "_drop")
def token_works_after_logout(original: Any) -> Any:
    return lambda self, kind, number: None if kind is Login else original(self, kind, number)


@planted(AccountDirectory, "has_login")
def login_that_never_expires(original: Any) -> Any:
    return lambda self, number: number in self.logins and (Login, number) not in self.leaving


@planted(AccountService, "end_logins")
def connections_survive_their_login(original: Any) -> Any:
    return nothing


@planted(AccountDirectory, "_drop")
def certificate_works_after_it_was_removed(original: Any) -> Any:
    return lambda self, kind, number: None if kind is Certificate else original(self, kind, number)


@planted(AccountService, "_end_certificate")
def connections_survive_their_certificate(original: Any) -> Any:
    return nothing


@planted(AccountDeletion, "_erase")
def name_kept_by_what_is_written_to_the_deleted(original: Any) -> Any:
    """Found by simulation."""

    def erase(self: Any, *args: Any, **options: Any) -> Any:
        self._directory.being_deleted.clear()
        return (yield from original(self, *args, **options))

    return erase


@planted(AccountDeletion, "delete")
def the_deleted_stay(original: Any) -> Any:
    def delete(self: Any, *args: Any, **options: Any) -> Any:
        self._disconnection = SimpleNamespace(end_member=nothing)
        self._credentials = lambda sender_id: []
        return original(self, *args, **options)

    return delete
