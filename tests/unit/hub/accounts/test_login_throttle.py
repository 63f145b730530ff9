"""`LoginThrottle` by itself: an attacker on the owner's own network, who does his worst with the queue."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.login_throttle import LoginThrottle
from securechat.limits import Limits
from securechat.model import ChangePassword, Done, Hello, Refused, Welcome
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import PASSWORD, hello, refusal, register
from tests.unit.hub.admin.test_commands import act

CROWD = 8
HERE = "203.0.113.5"


@pytest.fixture
def limits() -> Limits:
    return Limits(login_tries_per_connection=1000)


def tried(slowdown: LoginThrottle, peer: FakePeer, now: float) -> float:
    """Try a password; 0.0 when it may be compared, or the seconds to wait."""
    try:
        slowdown.check(peer, "ann", now)
    except Refusal as refusal:
        assert refusal.retry_after_s is not None
        return refusal.retry_after_s
    return 0.0


@pytest.mark.parametrize("seed", range(20))
def test_the_owner_waits_at_most_as_long_as_first_told_whatever_the_others_do(limits: Limits, seed: int) -> None:
    """They come too early, too late or never, leave and come again; the owner comes when told to."""
    rig, slowdown, chance = HubRig(), LoginThrottle(limits), random.Random(seed)
    crowd, owner, now = [rig.peer(HERE) for _ in range(CROWD)], rig.peer(HERE), 1000.0
    for _ in range(12):  # to the longest wait
        slowdown.failed(crowd[0], "ann", now)
    eager = chance.random()
    for peer in crowd[: CROWD // 2]:
        tried(slowdown, peer, now)
    due = first_told = now + tried(slowdown, owner, now)
    while True:
        now += chance.choice((0.1, 1.0, 5.0))
        if now >= due:
            now = due
            wait_s = tried(slowdown, owner, now)
            if wait_s == 0:
                break
            due = now + wait_s
            assert due <= first_told + CROWD * limits.login_delay_max_s, "back at the end of the queue"
        for at, peer in enumerate(crowd):
            if chance.random() < eager:
                if tried(slowdown, peer, now) == 0:
                    slowdown.failed(peer, "ann", now)
                if chance.random() < 0.1:
                    slowdown.forget(peer)
                    crowd[at] = rig.peer(HERE)


def test_a_place_is_kept_until_its_holder_was_told_to_come(limits: Limits) -> None:
    rig, slowdown, now = HubRig(), LoginThrottle(limits), 1000.0
    ahead, owner, behind = (rig.peer(HERE) for _ in range(3))
    for _ in range(12):
        slowdown.failed(ahead, "ann", now)
    tried(slowdown, ahead, now)
    told_s = tried(slowdown, owner, now)
    tried(slowdown, behind, now)
    for late_s in (31.0, 33.0, 40.0, told_s - 0.1):  # the one ahead never comes back, the one behind all the time
        assert tried(slowdown, behind, now + late_s) > 0
    assert tried(slowdown, owner, now + told_s) == 0


def test_the_tables_are_bounded_by_connections_and_hashes(limits: Limits) -> None:
    rig, slowdown = HubRig(), LoginThrottle(limits)
    for turn in range(200):
        peer = rig.peer(HERE)
        assert tried(slowdown, peer, 1000.0 + turn) == 0
        slowdown.retract(peer, "ann", 1000.0 + turn)
        slowdown.forget(peer)
    assert not slowdown._tries
    assert not slowdown._queued
    assert not slowdown._pairs


def test_one_connection_that_tries_for_long_is_remembered_once(limits: Limits) -> None:
    rig, slowdown, now = HubRig(), LoginThrottle(limits), 1000.0
    peer = rig.peer(HERE)
    for _ in range(100):
        now += tried(slowdown, peer, now)
        slowdown.failed(peer, "ann", now)
    assert len(slowdown._queued[peer]) == 1
    slowdown.forget(peer)
    assert not slowdown._queued


# --- Tries at once ----------------------------------------------------------------------------------------------------


def checked(slowdown: LoginThrottle, peer: FakePeer, now: float) -> ErrorCode | None:
    try:
        slowdown.check(peer, "ann", now)
    except Refusal as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize("free", [1, 5])
def test_no_more_tries_are_under_way_than_mistakes_are_free(free: int) -> None:
    """From one network on one name; what was not compared gives its place to the next that waits, in order."""
    rig, slowdown, now = HubRig(), LoginThrottle(Limits(failed_logins_free=free)), 1000.0
    crowd = [rig.peer(HERE) for _ in range(32)]
    codes = [checked(slowdown, peer, now) for peer in crowd]
    assert codes == [None] * free + [ErrorCode.BUSY] * (32 - free)
    assert checked(slowdown, rig.peer("198.51.100.7"), now) is None, "another network waits"
    slowdown.retract(crowd[0], "ann", now)
    assert checked(slowdown, rig.peer(HERE), now) is ErrorCode.BUSY, "it came before those that wait"
    assert checked(slowdown, crowd[free], now + 0.5) is None
    for peer in crowd[1 : free + 1]:
        slowdown.failed(peer, "ann", now + 0.5)
    codes = [checked(slowdown, peer, now + 0.6) for peer in crowd[free + 1 :]]
    assert set(codes) == {ErrorCode.LOGIN_SLOWED}


def test_of_wrong_passwords_at_once_only_the_free_ones_are_compared() -> None:
    rig = HubRig()
    register(rig, rig.member("ann"))
    free = rig.limits.failed_logins_free
    crowd = [rig.peer(HERE) for _ in range(32)]
    hashed = rig.keys.hasher.hashed
    for _ in range(3):
        for peer in crowd:
            wrong = Hello(version=1, name="ann", secret=f"{peer.number:032x}", password=f"wrong {peer.number}")
            rig.do(peer, wrong, settle=False)
        rig.settle()
    judged = [refused for peer in crowd for refused in peer.of(Refused) if refused.code is ErrorCode.LOGIN_FAILED]
    assert len(judged) == free == rig.keys.hasher.hashed - hashed
    owner = hello(rig, "ann", password=PASSWORD)
    assert owner.of(Welcome), "from another network"
    assert not any(pair.under_way for pair in rig.hub._login_throttle._pairs.values())


def test_right_passwords_at_once_all_come_in_and_leave_nothing_behind() -> None:
    rig = HubRig()
    register(rig, rig.member("ann"))
    devices = [rig.peer(HERE) for _ in range(8)]
    for _ in range(4):
        for peer in devices:
            if not peer.of(Welcome):
                right = Hello(version=1, name="ann", secret=f"{peer.number:032x}", password=PASSWORD)
                rig.do(peer, right, settle=False)
        rig.settle()
        rig.now += 0.5
    assert all(peer.of(Welcome) for peer in devices)
    assert {refused.code for peer in devices for refused in peer.of(Refused)} == {ErrorCode.BUSY}
    assert not rig.hub._login_throttle._pairs


# --- Right passwords --------------------------------------------------------------------------------------------------
# Looked through, for a right password that counts as a wrong one: a login by password, a login with an invite that has
# made its account already, a change of the password, a temporary password and its change, a reset by an administrator.
# Registering and adding a certificate compare no password.


def test_right_passwords_on_one_connection_never_count_as_wrong_ones() -> None:
    rig = HubRig()
    ann = rig.member("ann")
    register(rig, ann)
    passwords = [PASSWORD, *(f"three other words {number}" for number in range(6))]
    for ref, (old, new) in enumerate(pairwise(passwords), 1):
        rig.do(ann, ChangePassword(ref=ref, old=old, new=new))
        assert ann.last(Done).ref == ref, ann.events[-1]
    assert ann.of(Refused) == []


def test_a_right_password_takes_no_try_from_the_wrong_ones() -> None:
    rig = HubRig()
    ann = rig.member("ann")
    register(rig, ann)
    passwords = [PASSWORD, "three other words", PASSWORD, "three other words"]
    for ref, (old, new) in enumerate(pairwise(passwords), 1):
        rig.do(ann, ChangePassword(ref=ref, old=old, new=new))
    for ref in range(rig.limits.login_tries_per_connection):
        rig.do(ann, ChangePassword(ref=10 + ref, old="wrong wrong", new="four more other words"))
        assert refusal(ann) is ErrorCode.LOGIN_FAILED
    rig.do(ann, ChangePassword(ref=20, old=passwords[-1], new=PASSWORD))
    slowed = ann.last(Refused)
    assert (slowed.code, slowed.reason) == (ErrorCode.LOGIN_SLOWED, "login_slowed_on_connection")
    assert slowed.retry_after_s is not None
    rig.now += slowed.retry_after_s
    rig.do(ann, ChangePassword(ref=21, old=passwords[-1], new=PASSWORD))
    assert ann.last(Done).ref == 21


def test_a_temporary_password_and_its_change_count_as_no_tries() -> None:
    rig = HubRig(Limits(login_tries_per_connection=1))
    register(rig, rig.member("ann"))
    ann = hello(rig, "ann", password=act(rig, "reset_password", "ann"))
    rig.do(ann, ChangePassword(ref=1, old="wrong wrong", new="three other words"))
    assert refusal(ann) is ErrorCode.LOGIN_FAILED, "the login took the one try"


def test_a_reset_forgets_the_wrong_tries_on_a_connection_that_waits() -> None:
    rig = HubRig()
    register(rig, rig.member("ann"))
    ann = rig.peer()
    for _ in range(rig.limits.login_tries_per_connection):
        rig.do(ann, Hello(version=1, name="ann", secret="7" * 32, password="wrong wrong"))
    rig.do(ann, Hello(version=1, name="ann", secret="7" * 32, password=PASSWORD))
    assert ann.last(Refused).reason == "login_slowed_on_connection"
    temporary = act(rig, "reset_password", "ann")
    rig.do(ann, Hello(version=1, name="ann", secret="7" * 32, password=temporary))
    assert ann.of(Welcome)


def test_several_names_on_one_connection_are_not_said_to_be_one() -> None:
    rig = HubRig()
    peer = rig.peer()
    for name in "abcd":
        rig.do(peer, Hello(version=1, name=name, secret="7" * 32, password="wrong wrong"))
    assert peer.last(Refused).text == "Too many wrong passwords on this connection. Try again in 20 seconds"
