"""Bugs about people: bans, mutes, logins, certificates, accounts that are deleted."""

from __future__ import annotations

from typing import Any

from securechat.hub.deletion import Deletion
from securechat.hub.desk import Desk
from securechat.hub.door import Door
from securechat.hub.expiry import Expiry
from securechat.hub.people import Certificate, Drop, Login, Mute
from securechat.hub.posting import Posting
from securechat.hub.registry import Registry
from securechat.hub.steward import Steward
from tests.simulation.mutants.planting import nothing, planted


@planted(Posting, "_draft")
def mute_that_the_second_device_escapes(original: Any) -> Any:
    def draft(self: Any, seat: Any, command: Any, now: float) -> Any:
        mutes = self._registry.mutes
        if seat.stream != seat.member.sender_id:
            self._registry.mutes = {}
        try:
            return original(self, seat, command, now)
        finally:
            self._registry.mutes = mutes

    return draft


@planted(Expiry, "_end_of_mute")
def tidying_up_lifts_a_new_mute(original: Any) -> Any:
    """Found by simulation."""
    return lambda self, sender_id: ((Drop(Mute, sender_id),), nothing)


@planted(Door, "recheck")
def ban_that_comes_mid_hello_is_missed(original: Any) -> Any:
    return nothing


@planted(Steward, "_is_banned")
def ban_leaves_those_who_are_in(original: Any) -> Any:
    return lambda self, peer, seat: False


@planted(Registry, "_drop")
def token_works_after_logout(original: Any) -> Any:
    return lambda self, kind, number: None if kind is Login else original(self, kind, number)


@planted(Registry, "has_login")
def login_that_never_expires(original: Any) -> Any:
    return lambda self, number: number in self.logins and (Login, number) not in self._leaving


@planted(Desk, "end_logins")
def connections_survive_their_login(original: Any) -> Any:
    return nothing


@planted(Registry, "_drop")
def certificate_works_after_it_was_removed(original: Any) -> Any:
    return lambda self, kind, number: None if kind is Certificate else original(self, kind, number)


@planted(Desk, "_remove_certificate")
def connections_survive_their_certificate(original: Any) -> Any:
    def remove(self: Any, peer: Any, seat: Any, account: Any, command: Any) -> None:
        end, self._end = self._end, nothing
        held = self._registry.change

        def change(changes: Any, then: Any) -> None:
            def quietly(answer: Any) -> None:
                self._end = nothing
                then(answer)
                self._end = end

            held(changes, quietly)

        self._registry.change = change
        try:
            original(self, peer, seat, account, command)
        finally:
            self._registry.change = held
            self._end = end

    return remove


@planted(Deletion, "_begin_scrubbing")
def name_kept_by_what_is_written_to_the_deleted(original: Any) -> Any:
    """Found by simulation."""

    def begin_scrubbing(self: Any, answer: Any) -> None:
        original(self, answer)
        self._registry.departing.clear()

    return begin_scrubbing


@planted(Deletion, "_end_logins")
def the_deleted_stay(original: Any) -> Any:
    def end_logins(self: Any, answer: Any) -> None:
        self._expel = nothing
        self._begin_scrubbing(answer)

    return end_logins
