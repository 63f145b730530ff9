"""The line before the hasher: a flood keeps nobody from logging in, not even one from the same machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import pytest

from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.hashing_quota import HashingQuota
from securechat.hub.interfaces import PasswordCheck
from securechat.limits import Limits
from securechat.model import ChangePassword, Done, Hello, Refused, Register, Welcome
from securechat.testing.keys import PlainHasher
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import PASSWORD, register

FLOOD, HOME = "203.0.113.5", "198.51.100.7"


@pytest.mark.parametrize(("how", "busy"), [("password of one", 35), ("passwords", 32), ("register", 32)])
def test_a_flood_from_one_address_leaves_room_for_everybody_else(how: str, busy: int) -> None:
    """Of 40 that ask at once; the tries on one name are also as few as mistakes are free."""
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
            name = "ann" if how == "password of one" else f"ann{peer.number}"
            rig.do(peer, Hello(version=1, name=name, secret="8" * 32, password="wrong wrong"), settle=False)
    assert sum(event.code is ErrorCode.BUSY for peer in flood for event in peer.of(Refused)) == busy
    owner = rig.peer(HOME)
    rig.do(owner, Hello(version=1, name="ann", secret="9" * 32, password=PASSWORD), settle=False)
    assert not owner.of(Refused)
    rig.settle()
    assert owner.of(Welcome)
    again = rig.peer(FLOOD)
    rig.do(again, Hello(version=1, name="somebody", secret="7" * 32))
    rig.do(again, Register(ref=1, password=PASSWORD))
    assert not again.of(Refused), "the share is free again"


def test_this_machine_has_the_whole_line() -> None:
    rig = HubRig()
    for _ in range(32):
        peer = rig.peer()
        hello = Hello(version=1, name=f"ann{peer.number}", secret=f"{peer.number:032x}", password=PASSWORD)
        rig.do(peer, hello, settle=False)
        assert not peer.of(Refused)
    rig.settle()


class Line:
    """`HashingQuota` over a hasher that does one hash when told to, and clients that come back when refused."""

    def __init__(self) -> None:
        self.rig = HubRig()
        self.hashes: deque[Callable[[], None]] = deque()
        self.shares = HashingQuota(PlainHasher(self.hashes.append), Limits())
        self.served: list[FakePeer] = []
        self.refused: list[FakePeer] = []

    def peers(self, count: int, address: str = "127.0.0.1") -> list[FakePeer]:
        return [self.rig.peer(address) for _ in range(count)]

    def ask(self, peer: FakePeer) -> None:
        def done(verdict: PasswordCheck | Refusal) -> None:
            (self.refused if isinstance(verdict, Refusal) else self.served).append(peer)

        try:
            self.shares.verify(peer, None, "x", done)
        except Refusal as refusal:
            assert refusal.code is ErrorCode.BUSY and refusal.retry_after_s
            self.refused.append(peer)

    def come_back(self) -> None:
        """Whoever was refused asks again, in the order of the refusals."""
        refused, self.refused = self.refused, []
        for peer in refused:
            self.ask(peer)

    def hash_one(self) -> None:
        self.hashes.popleft()()


def test_an_honest_login_of_the_same_machine_waits_for_one_hash_of_each_that_asked_before() -> None:
    line = Line()
    flood = line.peers(100)
    for peer in flood:
        line.ask(peer)
    honest = line.peers(1)[0]
    line.ask(honest)
    hashes = 0
    while honest not in line.served:
        assert len(line.hashes) <= 2
        line.hash_one()
        hashes += 1
        line.ask(line.served[-1])  # who was served asks for the next at once
        line.come_back()
    assert hashes == 101
    assert len(set(line.served)) == 101, "none of them was served twice before everybody was once"


def test_those_who_came_later_do_not_overtake_however_often_they_ask() -> None:
    line = Line()
    for peer in line.peers(32):
        line.ask(peer)
    honest = line.peers(1)[0]
    line.ask(honest)
    assert line.refused == [honest]
    line.refused.clear()
    for _ in range(20):  # half a second of work, in which every free place is taken at once by a new connection
        line.hash_one()
        line.ask(line.peers(1)[0])
    line.ask(honest)
    assert honest not in line.refused, "it takes the place of one that asked after it"
    for _ in range(33):
        line.hash_one()
        line.ask(line.peers(1)[0])
    assert honest in line.served


def test_a_line_full_of_this_machine_gives_way_to_the_network() -> None:
    line = Line()
    for peer in line.peers(40):
        line.ask(peer)
    line.refused.clear()
    abroad = line.peers(12, HOME)
    for peer in abroad:
        line.ask(peer)
    assert [peer for peer in line.refused if peer in abroad] == abroad[8:]
    assert len(line.refused) == 4 + 8, "eight of this machine have given way"
    for _ in range(32):
        line.hash_one()
    assert set(abroad[:8]) <= set(line.served)


def test_a_second_try_waits_for_a_line_more_and_not_for_ever() -> None:
    line = Line()
    honest = line.peers(1)[0]
    line.ask(honest)
    line.hash_one()
    assert line.served.count(honest) == 1
    for peer in line.peers(20):
        line.ask(peer)
    line.ask(honest)
    for _ in range(20 + 32 + 2):
        line.hash_one()
        line.ask(line.peers(1)[0])
    assert line.served.count(honest) == 2


def test_whoever_has_gone_is_not_hashed_for() -> None:
    line = Line()
    flood = line.peers(32)
    for peer in flood:
        line.ask(peer)
    for peer in flood:
        line.shares.forget(peer)
    assert len(line.refused) == 30, "two are with the hasher"
    honest = line.peers(1)[0]
    line.ask(honest)
    for _ in range(3):
        line.hash_one()
    assert line.served[-1] is honest
    line.shares.forget(honest)
    assert not (line.shares._ticket or line.shares._served or line.shares._queue or line.shares._under_way)


def test_the_hub_forgets_a_connection_and_what_it_asked_for() -> None:
    rig = HubRig()
    ann = rig.member("ann")
    register(rig, ann)
    flood = [rig.peer() for _ in range(32)]
    for peer in flood:
        rig.do(peer, Hello(version=1, name="ann", secret=f"{peer.number:032x}", password="wrong wrong"), settle=False)
        rig.hub.lost(peer)
    rig.do(ann, ChangePassword(ref=9, old=PASSWORD, new="another good one"), settle=False)
    assert not ann.of(Refused)
    rig.settle()
    assert Done(9) in ann.events
    hashing = rig.hub._authenticator.hashing
    rig.hub.lost(ann)
    assert not (hashing._ticket or hashing._served or hashing._queue or hashing._under_way)


def test_a_hasher_that_refuses_or_breaks_costs_one_request() -> None:
    line = Line()
    hasher, broken = PlainHasher(line.hashes.append), [Refusal(ErrorCode.BUSY, "no thread", 2.0), MemoryError()]

    class Broken(PlainHasher):
        def verify(self, phc: str | None, password: str, done: Callable[[PasswordCheck | Refusal], None]) -> None:
            if broken:
                raise broken.pop()
            hasher.verify(phc, password, done)

    line.shares = HashingQuota(Broken(line.hashes.append), Limits())
    first, second, third = line.peers(3)
    with pytest.raises(MemoryError):
        line.ask(first)
    line.ask(second)
    assert line.refused == [first, second]
    line.ask(third)
    line.hash_one()
    assert line.served == [third] and not line.shares._under_way
