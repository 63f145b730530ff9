"""Two connections of one device cross: the one that was made later is the one that lives. Found by simulation."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from securechat.errors import ErrorCode
from securechat.hub.workflow import amend
from securechat.limits import Limits
from securechat.model import (
    Closing,
    Hello,
    Join,
    Joined,
    Nick,
    Quit,
    Refused,
    Register,
    Registered,
    Say,
    Welcome,
)
from securechat.records.accounts import Account
from securechat.storage.store import DiskFull
from tests.support.hub_rig import FakePeer, HubRig

SECRET = "5" * 32


def test_a_hello_that_comes_late_does_not_throw_out_the_connection_made_after_it() -> None:
    rig = HubRig()
    given_up = rig.peer()
    alive = rig.member("ann", SECRET)
    rig.do(given_up, Hello(version=1, name="ann", secret=SECRET))
    assert given_up.closed is not None
    assert given_up.closed.code is ErrorCode.REPLACED
    assert alive.closed is None
    assert rig.hub.is_member(alive)
    rig.lose(given_up)
    rig.lose(alive)
    assert rig.member("ann", SECRET).closed is None


def test_its_name_does_not_change_either() -> None:
    rig = HubRig()
    given_up = rig.peer()
    alive = rig.member("ann", SECRET)
    rig.do(given_up, Hello(version=1, name="old", secret=SECRET))
    assert rig.hub.name_of(alive) == "ann"
    assert rig.member("old").closed is None


def test_a_guest_who_comes_back_is_told_the_rooms_it_is_still_in() -> None:
    rig = HubRig()
    first = rig.member("ann", SECRET)
    rig.do(first, Join(1, ["ops"]))
    rig.lose(first)
    again = rig.member("ann", SECRET)
    assert [joined.room for joined in again.of(Joined)] == ["lobby", "ops"]


def account(rig: HubRig) -> tuple[FakePeer, str]:
    """Somebody registered; the connection and the token."""
    peer = rig.member("ann", SECRET)
    rig.do(peer, Register(1, "correct horse battery"))
    return peer, peer.last(Registered).token


def test_a_name_asked_for_by_an_account_that_leaves_before_it_has_it_is_free_again() -> None:
    rig = HubRig()
    ann, _ = account(rig)
    rig.do(ann, Nick(2, "eve"), settle=False)
    rig.hub._disconnection.end(ann, Closing(ErrorCode.KICKED, "out"))
    rig.settle()
    assert rig.hub._directory.accounts[1].name == "eve"
    assert not rig.hub.context.names._name_reservations


def test_a_new_name_belongs_to_whoever_is_here_when_it_is_durable() -> None:
    rig = HubRig()
    ann, token = account(rig)
    rig.do(ann, Nick(2, "eve"), settle=False)
    rig.hub._disconnection.end(ann, Closing(ErrorCode.KICKED, "out"))
    again = rig.peer()
    rig.do(again, Hello(version=1, name="ann", secret=SECRET, token=token))
    assert rig.hub.name_of(again) == "eve"
    rig.do(again, Quit())
    assert not rig.hub.context.names._name_reservations
    assert not rig.hub.context.members_by_key


def test_an_account_renamed_while_it_is_away_keeps_its_new_name_for_a_while_only() -> None:
    rig = HubRig()
    ann, _ = account(rig)
    rig.do(ann, Nick(2, "eve"), settle=False)
    rig.hub.lost(ann)
    rig.settle()
    rig.pass_time(rig.limits.name_reservation_s + 1)
    assert all(claim.until is not None for claim in rig.hub.context.names._name_reservations.values())


def test_a_full_disk_does_not_cost_somebody_the_name_that_is_kept_for_them() -> None:
    rig = HubRig()
    guest = rig.member("ann", SECRET)
    rig.do(guest, Register(1, "correct horse battery"))
    rig.lose(guest)
    rig.pass_time(rig.limits.quiet_return_s + 1)

    def no_space(_: str) -> None:
        raise DiskFull

    rig.store.fault = no_space
    refused = rig.peer()
    hello = Hello(version=1, name="ann", secret=SECRET, password="correct horse battery")
    kept = rig.hub.context.names._name_reservations["ann"].until
    rig.do(refused, hello)
    assert refused.last(Refused).code is ErrorCode.DISK_FULL
    rig.store.fault = lambda _: None
    stranger = rig.peer()
    rig.do(stranger, Hello(version=1, name="ann", secret="6" * 32))
    assert stranger.last(Refused).code is ErrorCode.LOGIN_REQUIRED
    assert rig.hub.context.names._name_reservations["ann"].until == kept
    rig.do(refused, hello)
    assert refused.of(Welcome)


@pytest.mark.parametrize("lost", [False, True])
def test_what_comes_on_the_old_connection_while_the_hello_is_answered_counts(lost: bool) -> None:
    """Or the program that says hello would give its first line a number that is taken, and have it acknowledged."""
    rig = HubRig(Limits(commit_messages=1))  # so the log tells what it holds of this device before what comes now
    old, token = account(rig)
    again = rig.peer()
    rig.do(again, Hello(version=1, name="ann", secret=SECRET, token=token), settle=False)
    rig.do(old, Say(5, "lobby", "still on its way"), settle=False)
    if lost:
        rig.hub.lost(old)
    rig.settle()
    assert again.last(Welcome).last_client_id == 5
    rig.do(again, Say(6, "lobby", "the first line of the next program"))
    assert [message.text for message in rig.fed] == ["still on its way", "the first line of the next program"]
    assert not rig.hub._login_flow._left_behind


def test_a_name_claimed_by_a_hello_that_is_refused_is_free_though_the_account_got_another_meanwhile() -> None:
    rig = HubRig()
    ann, token = account(rig)
    rig.do(ann, Quit())
    again = rig.peer()
    rig.do(again, Hello(version=1, name="ann", secret=SECRET, token=token), settle=False)
    registry = rig.hub._directory
    rig.hub.context.workflows.run(amend(registry, Account, 1, lambda row: replace(row, name="eve", key="eve")))
    rig.hub.admin_commands.ban("root", "127.0.0.1", reason="", duration_s=None, done=lambda _: None)
    rig.settle()
    assert again.closed is not None
    assert again.closed.code is ErrorCode.BANNED
    assert registry.accounts[1].name == "eve"
    assert not rig.hub.context.names._name_reservations
