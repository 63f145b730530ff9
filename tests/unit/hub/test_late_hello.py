"""Two connections of one device cross: the one that was made later is the one that lives. Found by simulation."""

from __future__ import annotations

from securechat.errors import ErrorCode
from securechat.model import Hello, Join, Joined
from tests.support.hub_rig import HubRig

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
