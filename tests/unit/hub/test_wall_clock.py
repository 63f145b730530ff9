"""A clock that jumps, in either direction, while the server runs or while it is off, destroys nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from securechat.errors import ErrorCode
from securechat.hub.wall_clock import HOLD_S, WallClock
from securechat.limits import Limits
from securechat.model import (
    Draft,
    Hello,
    History,
    HistoryPage,
    Join,
    Refused,
    Register,
    Registered,
    Say,
    SetRoom,
    Welcome,
)
from securechat.storage.sqlite.store import SqliteStore
from securechat.testing.keys import plain_keys
from securechat.testing.memory_store import MemoryStore
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import PASSWORD, hello
from tests.unit.hub.admin.test_commands import act

DAY_S = 86_400.0
DAY_MS = 86_400_000
YEAR = 400


class MovedRig(HubRig):
    """A rig whose wall clock can be set without time passing."""

    offset_ms = 0
    sure_at_ms = 0

    def wall_ms(self) -> int:
        return int(self.now * 1000) + 1_750_000_000_000 + self.offset_ms

    def __init__(self, limits: Limits | None = None, *, store: MemoryStore | None = None, **start: Any) -> None:
        self.offset_ms = start.pop("offset_ms", 0)
        self.began_at = start.pop("now", 1000.0)
        self.now = self.began_at
        super().__init__(limits, store=store)

    def restarted(self, *, days_off: float = 0.0, offset_days: float = 0.0, sure: bool = True) -> MovedRig:
        """The same data under another process, after so long, with its clock so far off."""
        if self.hub.clock.doubt() is None:  # as `server.clock_file` remembers it
            self.sure_at_ms = self.wall_ms()
        again = MovedRig(self.limits, now=self.now + days_off * DAY_S, offset_ms=int(offset_days * DAY_MS))
        again.store = self.store
        again.store._wall_ms = again.wall_ms
        again.now = self.now + days_off * DAY_S
        again.sure_at_ms = self.sure_at_ms
        again._peers = self._peers  # secrets are numbered by them
        keys = plain_keys(again.posted.append, again.wall_ms, monotonic=lambda: again.now)
        again.open(keys, self.sure_at_ms if sure else 0)
        return again


@pytest.fixture
def rig() -> MovedRig:
    """ann, with a login, in a room that keeps messages for a day; a guest who never wrote; a ban and an invite."""
    made = MovedRig(Limits(guest_days=1))
    ann = made.member("ann")
    made.do(ann, Register(ref=1, password=PASSWORD))
    made.token = ann.last(Registered).token  # type: ignore[attr-defined]
    made.do(ann, Join(ref=1, rooms=["ops"]))
    made.do(ann, SetRoom(ref=1, room="ops", retention_days=1))
    made.do(ann, Say(client_id=1, room="ops", text="keep me"))
    made.lose(made.member("guest", "8" * 32))
    act(made, "ban", "eve", reason="", duration_s=20 * DAY_S)
    made.invite = act(made, "invite", uses=1, days=20, room=None).token  # type: ignore[attr-defined]
    made.lose(ann)
    return made


def intact(old: Any, rig: MovedRig) -> None:
    """Whatever is not over by the right time is still there."""
    rig.hub.tidy()
    rig.settle()
    back = hello(rig, "ann", token=old.token)
    assert back.of(Welcome), back.events
    rig.do(back, History(ref=1, room="ops"))
    assert [message.text for message in back.last(HistoryPage).messages] == ["keep me"]
    assert hello(rig, "eve").closed is not None, "the ban holds"
    assert hello(rig, "carl", invite=old.invite, password=PASSWORD).of(Welcome), "the invite holds"
    assert any(sender.name == "guest" for sender in rig.store._senders.values()), "the guest is not forgotten"


@pytest.mark.parametrize("days", [YEAR, -YEAR])
@pytest.mark.parametrize("sure", [True, False], ids=["remembered", "by the log"])
def test_a_start_with_a_wrong_clock(rig: MovedRig, days: int, sure: bool) -> None:
    wrong = rig.restarted(offset_days=days, sure=sure)
    assert wrong.hub.clock.doubt() is not None
    intact(rig, wrong)
    right = wrong.restarted(days_off=0.1, sure=False)
    assert hello(right, "ann", token=rig.token).of(Welcome)  # type: ignore[attr-defined]


@pytest.mark.parametrize("days", [YEAR, -YEAR])
def test_a_clock_that_jumps_under_a_running_server(rig: MovedRig, days: int) -> None:
    running = rig.restarted()
    assert running.hub.clock.doubt() is None
    running.offset_ms = days * DAY_MS
    intact(rig, running)
    running.offset_ms = 0
    assert running.hub.clock.doubt() is None
    assert hello(running, "ann", token=rig.token).of(Welcome)  # type: ignore[attr-defined]


@pytest.mark.parametrize("days", [YEAR, -YEAR])
def test_a_login_used_under_a_wrong_clock_ends_when_it_should(rig: MovedRig, days: int) -> None:
    wrong = rig.restarted(offset_days=days)
    assert hello(wrong, "ann", token=rig.token).of(Welcome)  # type: ignore[attr-defined]
    token = hello(wrong, "ann", password=PASSWORD).last(Welcome).token
    for login in wrong.hub._directory.logins.values():
        left_ms = login.expires_at_ms - (wrong.wall_ms() - wrong.offset_ms)
        assert abs(left_ms - 30 * DAY_MS) < DAY_MS
    right = wrong.restarted(days_off=1)
    assert hello(right, "ann", token=token).of(Welcome)
    over = right.restarted(days_off=31, sure=True)
    over.now += HOLD_S + 1
    over.hub.clock.now_ms()
    over.now += HOLD_S + 1
    assert over.hub.clock.doubt() is None
    assert hello(over, "ann", token=token).last(Refused).code is ErrorCode.LOGIN_EXPIRED


def test_a_use_never_shortens_a_login(rig: MovedRig) -> None:
    running = rig.restarted()
    running.offset_ms = -2 * DAY_MS  # too little to be doubted
    before = {n: row.expires_at_ms for n, row in running.hub._directory.logins.items()}
    assert hello(running, "ann", token=rig.token).of(Welcome)  # type: ignore[attr-defined]
    assert {n: row.expires_at_ms for n, row in running.hub._directory.logins.items()} == before


def test_what_stays_so_for_a_day_is_believed(rig: MovedRig) -> None:
    off = rig.restarted(days_off=40)
    doubt = off.hub.clock.doubt()
    assert doubt is not None and doubt.left_s == HOLD_S
    assert hello(off, "nobody").of(Welcome)
    off.now += HOLD_S - 1
    assert off.hub.clock.doubt() is not None
    off.now += 2
    assert off.hub.clock.doubt() is None
    off.hub.tidy()
    off.settle()
    assert not off.hub._directory.logins and not off.hub._directory.bans
    peer: FakePeer = hello(off, "ann", password=PASSWORD)
    off.do(peer, History(ref=1, room="ops"))
    assert not peer.last(HistoryPage).messages


def test_a_time_that_was_remembered_wrongly_destroys_nothing_either(rig: MovedRig) -> None:
    """The clock was years ahead and believed once, and is right now: nothing is judged by those years."""
    rig.hub.clock.now_ms()
    rig.offset_ms = YEAR * DAY_MS
    rig.hub.clock.now_ms()
    rig.now += HOLD_S + 1
    assert rig.hub.clock.doubt() is None
    right = rig.restarted(offset_days=0)
    assert right.hub.clock.doubt() is not None
    right.hub.tidy()
    right.settle()
    assert hello(right, "ann", token=rig.token).of(Welcome)  # type: ignore[attr-defined]
    assert right.hub._directory.bans


# --- The rule itself --------------------------------------------------------------------------------------------------


class Clocks:
    def __init__(self) -> None:
        self.wall, self.mono = 1_750_000_000_000, 5.0
        self.clock = WallClock(lambda: self.wall, lambda: self.mono)

    def pass_days(self, days: float, *, told: float | None = None) -> None:
        self.mono += days * DAY_S
        self.wall += int((days if told is None else told) * DAY_MS)


def test_a_step_within_three_days_counts_at_once() -> None:
    at = Clocks()
    for step in (2.9, -2.9, 2.9, 2.9):
        at.pass_days(0.0, told=step)
        assert at.clock.now_ms() == at.clock.earliest_ms() == at.wall
        assert at.clock.doubt() is None


@pytest.mark.parametrize("step", [4, -4, 40_000, -40_000])
def test_a_larger_step_counts_after_a_day_in_which_time_goes_on(step: int) -> None:
    at = Clocks()
    before = at.wall
    at.pass_days(0.0, told=step)
    assert at.clock.now_ms() == before
    at.pass_days(0.5)
    assert at.clock.now_ms() == before + DAY_MS // 2
    assert at.clock.earliest_ms() == min(before + DAY_MS // 2, at.wall)
    doubt = at.clock.doubt()
    assert doubt is not None and doubt.left_s == DAY_S / 2
    at.pass_days(0.5)
    assert at.clock.now_ms() == at.wall
    assert at.clock.doubt() is None


def test_a_second_jump_begins_the_day_anew_and_a_way_back_ends_it() -> None:
    at = Clocks()
    before = at.wall
    at.pass_days(0.0, told=10)
    assert at.clock.now_ms() == before
    at.pass_days(0.9)
    at.pass_days(0.0, told=10)
    at.clock.now_ms()
    at.pass_days(0.9)
    assert at.clock.doubt() is not None
    at.pass_days(0.0, told=-20)
    assert at.clock.doubt() is None
    assert at.clock.now_ms() == at.wall


def test_a_server_without_a_past_believes_its_clock() -> None:
    at = Clocks()
    at.clock.restore(0)
    assert at.clock.doubt() is None


def test_hello_needs_no_clock(rig: MovedRig) -> None:
    wrong = rig.restarted(offset_days=YEAR)
    peer = wrong.peer()
    wrong.do(peer, Hello(1, "somebody", "7" * 32))
    assert peer.of(Welcome)


def test_the_times_of_messages_do_not_follow_a_jump_of_years_while_the_server_runs(tmp_path: Path) -> None:
    """The log's clock, as the server makes it: never restored, so that it believes the clock of a start."""
    now: dict[str, Any] = {"wall_ms": 1_800_000_000_000, "s": 100.0}
    clock = WallClock(lambda: now["wall_ms"], lambda: now["s"])
    store = SqliteStore(tmp_path / "data", Limits(), wall_ms=clock.now_ms)
    store.open()

    def say(number: int) -> int:
        (entry,) = store.apply([Draft(1, "ann", number, "x", "lobby")]).fresh
        return entry.sent_at_ms

    assert say(1) == 1_800_000_000_000
    now["wall_ms"] += 5 * 365 * 86_400_000
    now["s"] += 60
    assert say(2) == 1_800_000_060_000
    now["wall_ms"] -= 5 * 365 * 86_400_000 - 120_000  # set right again
    now["s"] += 60
    assert say(3) == 1_800_000_120_000
    store.close()
