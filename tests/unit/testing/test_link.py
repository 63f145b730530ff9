"""The network in memory: what is sent arrives in order and whole, until it is made to fail, and then as it was told."""

from __future__ import annotations

import random
import ssl
from itertools import pairwise

import pytest

from securechat.net.loop import EVENT_READ, EVENT_WRITE
from securechat.testing.clock import SimulatedClock
from securechat.testing.link import Conduct, Connection, Death, Segments


class Client:
    """The client's end, heard."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.heard: list[bytes] = []
        self.when: list[float] = []
        self.opened_at: float | None = None
        self.closed_as: str = ""

    def opened(self) -> None:
        self.opened_at = self._link.clock.now

    def data_received(self, data: bytes) -> None:
        assert self.opened_at is not None, "data before the handshake"
        assert not self.closed_as, "data after the end"
        self.heard.append(data)
        self.when.append(self._link.clock.now)

    def closed(self, *, broken: bool) -> None:
        assert not self.closed_as, "closed twice"
        self.closed_as = "broken" if broken else "ended"


class Link:
    """A connection with both ends taken; the server reads whatever comes, unless it is told not to."""

    def __init__(self, conduct: Conduct | None = None, *, seed: int = 1) -> None:
        self.clock = SimulatedClock()
        self.connection = Connection(
            self.clock, random.Random(seed), conduct or Conduct(), "10.0.0.1", 20_000, "securechat/1", b"certificate"
        )
        self.server = self.connection.server
        self.client = Client(self)
        self.heard: list[bytes] = []
        self.when: list[float] = []
        self.error = ""
        self.shaken = False
        self.reading = True
        self.server.on_change = self._changed
        self.connection.client.start(self.client)

    def _changed(self) -> None:
        if not self.shaken:
            self._shake()
        while self.reading and self.shaken and not self.error and self.server.readiness(EVENT_READ):
            try:
                data = self.server.recv(65_536)
            except ssl.SSLWantReadError:
                return
            except ConnectionResetError:
                data, self.error = b"", "reset"
            if not data:
                self.error = self.error or "ended"
                return
            self.heard.append(data)
            self.when.append(self.clock.now)

    def _shake(self) -> None:
        try:
            self.server.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ConnectionResetError:
            self.error = "reset"
            return
        self.shaken = True

    def go_on(self, for_s: float = 10.0) -> Link:
        self.clock.run_until(self.clock.now + for_s)
        return self

    def up(self, data: bytes) -> None:
        self.connection.client.write(data)

    def down(self, data: bytes) -> int:
        return self.server.send(data)


TEXT = bytes(range(256)) * 8


# --- What a good line does --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("segments", Segments)
def test_everything_arrives_in_order_and_once_however_it_is_cut(segments: Segments) -> None:
    for seed in range(20):
        link = Link(Conduct(segments=segments, delay_s=(0.0, 0.5)), seed=seed).go_on()
        assert link.shaken
        assert link.client.opened_at is not None
        for at in range(0, len(TEXT), 100):
            link.up(TEXT[at : at + 100])
            assert link.down(TEXT[at : at + 100]) == len(TEXT[at : at + 100])
        link.go_on(60.0)
        assert b"".join(link.heard) == b"".join(link.client.heard) == TEXT
        assert not link.error
        assert not link.client.closed_as


def test_single_bytes_come_singly_for_the_head_of_every_write() -> None:
    link = Link(Conduct(segments=Segments.BYTES)).go_on()
    for _ in range(2):
        link.up(TEXT[:100])
        link.go_on()
    sizes = [len(data) for data in link.heard]
    second = next(at for at in range(len(sizes)) if sum(sizes[:at]) == 100)
    for start in (0, second):
        assert sizes[start : start + 8] == [1] * 8
        assert sizes[start + 8] > 0
    assert sum(sizes) == 200


def test_whole_is_whole_and_mixed_is_cut_at_random() -> None:
    cuts = set()
    for seed in range(20):
        for segments in (Segments.WHOLE, Segments.MIXED):
            link = Link(Conduct(segments=segments), seed=seed).go_on()
            link.up(TEXT[:50])
            link.go_on()
            if segments is Segments.WHOLE:
                assert [len(data) for data in link.heard] == [50]
            else:
                cuts.add(tuple(len(data) for data in link.heard))
    assert len(cuts) > 10


def test_each_segment_takes_its_time_and_none_overtakes() -> None:
    link = Link(Conduct(delay_s=(0.1, 0.4))).go_on()
    sent_at = link.clock.now
    for number in range(50):
        link.up(bytes([number]))
    link.go_on()
    assert b"".join(link.heard) == bytes(range(50))
    assert all(0.1 <= when - sent_at <= 0.4 for when in link.when)
    assert all(before <= after for before, after in pairwise(link.when))
    assert len(set(link.when)) > 1


def test_a_full_window_refuses_and_says_when_there_is_room() -> None:
    link = Link(Conduct(window_bytes=100)).go_on()
    link.connection.client.pause()
    assert link.down(TEXT[:150]) == 100
    assert not link.server.readiness(EVENT_WRITE)
    with pytest.raises(ssl.SSLWantWriteError):
        link.down(b"more")
    link.go_on()
    assert not link.server.readiness(EVENT_WRITE), "what has arrived and was not read still takes room"
    link.connection.client.resume()
    assert link.server.readiness(EVENT_WRITE)
    assert link.down(TEXT[100:150]) == 50
    assert b"".join(link.go_on().client.heard) == TEXT[:150]


def test_what_the_window_does_not_take_waits_at_the_client() -> None:
    link = Link(Conduct(window_bytes=100)).go_on()
    link.reading = False
    link.up(TEXT[:350])
    link.go_on()
    assert len(link.server.recv(65_536)) == 100
    link.reading = True
    link.go_on()
    assert b"".join(link.heard) == TEXT[100:350]


def test_a_slow_reader_rests_between_two_reads() -> None:
    link = Link().go_on()
    end = link.connection.client
    end.read_bytes, end.read_every_s = 10, 1.0
    link.down(TEXT[:35])
    link.go_on()
    assert [len(data) for data in link.client.heard] == [10, 10, 10, 5]
    assert [round(after - before, 6) for before, after in pairwise(link.client.when)] == [1.0] * 3


def test_a_line_that_stands_still_moves_again() -> None:
    link = Link().go_on()
    link.connection.hold(held=True)
    link.up(b"one")
    link.down(b"two")
    link.go_on(100.0)
    assert link.heard == link.client.heard == []
    link.connection.hold(held=False)
    assert (link.heard, link.client.heard) == ([b"one"], [b"two"])


# --- Ends -------------------------------------------------------------------------------------------------------------


def test_a_close_is_heard_after_all_that_was_said() -> None:
    link = Link().go_on()
    link.up(b"last words")
    link.connection.client.close()
    link.go_on()
    assert (link.heard, link.error) == ([b"last words"], "ended")
    assert link.client.closed_as == "", "whoever closes is not told"
    link = Link().go_on()
    link.down(b"last words")
    with pytest.raises(ssl.SSLWantReadError):
        link.server.unwrap()
    link.go_on()
    assert (link.client.heard, link.client.closed_as) == ([b"last words"], "ended")


def test_a_close_without_a_word_is_a_reset() -> None:
    link = Link().go_on()
    link.server.close()
    assert link.go_on().client.closed_as == "broken"
    link = Link().go_on()
    link.connection.client.abort()
    link.go_on()
    assert link.error == "reset"
    with pytest.raises(ConnectionResetError):
        link.down(b"anybody?")


@pytest.mark.parametrize("death", Death)
def test_a_line_dies_at_exactly_the_byte_it_was_told_to(death: Death) -> None:
    for limit in range(1, 41):
        link = Link(Conduct(dies_after_bytes=(limit, None), death=death)).go_on()
        link.up(TEXT[:20])
        link.up(TEXT[20:40])
        link.go_on()
        assert b"".join(link.heard) == TEXT[:limit]
        assert link.connection.dead
        is_told = death is not Death.SILENT
        assert (link.error == "reset", link.client.closed_as == "broken") == (is_told, is_told)
        link.up(b"more")
        assert b"".join(link.go_on().heard) == TEXT[:limit], "it lives"


def test_the_way_down_has_an_end_of_its_own() -> None:
    link = Link(Conduct(dies_after_bytes=(None, 7))).go_on()
    link.up(TEXT[:100])
    link.go_on()
    link.down(TEXT[:100])
    link.go_on()
    assert b"".join(link.heard) == TEXT[:100]
    assert b"".join(link.client.heard) == TEXT[:7]
    assert link.connection.dead


def test_what_was_under_way_when_the_line_died_is_lost() -> None:
    link = Link(Conduct(delay_s=(1.0, 1.0))).go_on()
    link.up(b"early")
    link.go_on(2.0)
    link.up(b"late")
    link.go_on(0.5)
    link.connection.die()
    link.go_on()
    assert (link.heard, link.error) == ([b"early"], "reset")


def test_what_has_arrived_unread_can_be_lost_with_the_rest() -> None:
    link = Link().go_on()
    link.connection.client.pause()
    link.down(b"unread")
    link.go_on()
    link.connection.die()
    link.connection.client.lose_unread()
    assert (link.client.heard, link.client.closed_as) == ([], "broken")


def test_nobody_is_let_in_over_a_line_that_is_dead_before_the_handshake() -> None:
    link = Link()
    link.connection.die(Death.RESET)
    link.go_on()
    assert (link.shaken, link.error, link.client.closed_as, link.client.opened_at) == (False, "reset", "broken", None)


def test_one_seed_is_one_line() -> None:
    def arrivals(seed: int) -> list[tuple[float, int]]:
        link = Link(Conduct(segments=Segments.MIXED, delay_s=(0.0, 1.0)), seed=seed).go_on()
        link.up(TEXT)
        link.go_on()
        return [(when, len(data)) for when, data in zip(link.when, link.heard, strict=True)]

    assert arrivals(1) == arrivals(1) != arrivals(2)
