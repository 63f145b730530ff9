"""The hashing queue is shared: who floods it from one address keeps nobody elsewhere from logging in."""

from __future__ import annotations

import pytest

from securechat.errors import ErrorCode
from securechat.model import Hello, Refused, Register, Welcome
from tests.support.hub_rig import HubRig
from tests.unit.hub.test_accounts import PASSWORD, register

FLOOD, HOME = "203.0.113.5", "198.51.100.7"


@pytest.mark.parametrize("how", ["password", "register"])
def test_a_flood_from_one_address_leaves_room_for_everybody_else(how: str) -> None:
    rig = HubRig()
    register(rig, rig.member("ann"))
    flood = [rig.peer(FLOOD) for _ in range(40)]
    if how == "register":
        for peer in flood:
            rig.do(peer, Hello(version=1, name=f"guest{peer.number}", secret=f"{peer.number:032x}"))
    for peer in flood:
        if how == "register":
            rig.do(peer, Register(ref=1, password=PASSWORD), settle=False)
        else:
            rig.do(peer, Hello(version=1, name="ann", secret="8" * 32, password="wrong wrong"), settle=False)
        rig.hub.lost(peer, rig.now)  # the hash goes on without him
    assert sum(event.code is ErrorCode.BUSY for peer in flood for event in peer.of(Refused)) == 32
    owner = rig.peer(HOME)
    rig.do(owner, Hello(version=1, name="ann", secret="9" * 32, password=PASSWORD), settle=False)
    assert not owner.of(Refused)
    rig.settle()
    assert owner.of(Welcome)
    again = rig.peer(FLOOD)
    rig.do(again, Hello(version=1, name="somebody", secret="7" * 32))
    rig.do(again, Register(ref=1, password=PASSWORD))
    assert not again.of(Refused), "the share is free again"


def test_this_machine_has_the_whole_queue() -> None:
    rig = HubRig()
    register(rig, rig.member("ann"))
    for _ in range(32):
        peer = rig.peer()
        rig.do(peer, Hello(version=1, name="ann", secret=f"{peer.number:032x}", password=PASSWORD), settle=False)
        assert not peer.of(Refused)
    rig.settle()
