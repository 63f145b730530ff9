"""Long work in slices, and what is done in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from securechat.hub import slices
from securechat.hub.admin import housekeeping
from securechat.hub.slices import STEPS, Slices
from securechat.model import Register
from securechat.records.accounts import Account, Ban, BanKind, Login, Mute, Put
from securechat.records.rooms import PutRoom, RoomRecord
from tests.support.hub_rig import HubRig


def counted(count: int, done: list[int]) -> Iterator[None]:
    for number in range(count):
        done.append(number)
        yield


def slices_that_ask(asked: list[float]) -> Slices:
    context = HubRig().hub.context
    context.alarm = asked.append
    return Slices(context)


def test_a_short_job_is_done_at_once() -> None:
    asked, done = list[float](), list[int]()
    work = slices_that_ask(asked)
    work.begin(counted(STEPS - 1, done))
    assert len(done) == STEPS - 1
    assert not asked
    assert not work.is_pending


def test_long_jobs_take_turns() -> None:
    asked, first, second = list[float](), list[int](), list[int]()
    work = slices_that_ask(asked)
    work.begin(counted(3 * STEPS, first))
    work.begin(counted(2 * STEPS, second))
    assert (len(first), len(second)) == (STEPS, STEPS)
    passes = 0
    while work.is_pending:
        before = len(first) + len(second)
        work.run()
        passes += 1
        assert len(asked) == passes + 2 - (not work.is_pending)
        assert len(first) + len(second) - before <= STEPS
    assert (len(first), len(second)) == (3 * STEPS, 2 * STEPS)
    assert passes <= 5


def test_a_job_that_raises_is_over() -> None:
    def broken() -> Iterator[None]:
        yield from counted(STEPS, [])
        raise RuntimeError

    work = slices_that_ask([])
    work.begin(broken())
    with pytest.raises(RuntimeError):
        work.run()
    assert not work.is_pending


def test_a_ban_ends_the_connections_of_very_many_between_others_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "STEPS", 5)
    rig = HubRig()
    peers = [rig.member(f"guest {number}", address="192.0.2.7") for number in range(12)]
    honest = rig.member("honest")
    looked_at = 0
    ban_on = rig.hub.admin_commands._ban_on

    def watched(*args: object) -> object:
        nonlocal looked_at
        looked_at += 1
        return ban_on(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(rig.hub.admin_commands, "_ban_on", watched)
    rig.alarm_at = None
    rig.hub.admin_commands.ban("x", "192.0.2.7", reason="", duration_s=None, done=lambda _: None)
    rig.settle()
    assert looked_at == 5
    assert rig.alarm_at is not None
    assert rig.alarm_at <= rig.now
    rig.pass_time(0)
    rig.pass_time(1)
    assert all(peer.closed for peer in peers)
    assert not honest.closed


def test_the_operator_s_lists_are_made_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """What 10,000 accounts take is spread over passes: nothing is made before it is asked for."""
    rig = HubRig()
    for number in range(20):
        rig.do(rig.member(f"user {number}"), Register(ref=1, password="correct horse"))
    made: list[int] = []
    make = rig.hub.admin_commands._user
    monkeypatch.setattr(rig.hub.admin_commands, "_user", lambda sender_id: made.append(sender_id) or make(sender_id))
    rows = rig.hub.admin_commands.users()
    assert made == []
    next(rows)
    assert len(made) == 1
    rig.do(rig.member("late"), Register(ref=1, password="correct horse"))
    assert len([*rows]) == 19, "whoever has come since the list was asked for is not in it"


def test_the_daily_round_looks_at_a_few_rows_in_each_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_SLICE", 3)
    rig = HubRig()
    registry = rig.hub._directory
    old_ms = rig.wall_ms() - 1
    logins = [Login(100 + n, 1, bytes([n] * 32), "", "", 0, 0, old_ms) for n in range(10)]
    bans = [Ban(200 + n, BanKind.NETWORK, f"192.0.2.{n}/32", "", "", "", 0, old_ms) for n in range(7)]
    mute = Mute(1, "ann", "", "", 0, old_ms)
    rig.hub.context.changes.commit([Put(Account(1, "ann", "ann")), *map(Put, logins), *map(Put, bans), Put(mute)])
    rig.hub.context.changes.commit([PutRoom(RoomRecord(300 + n, f"room{n}", retention_days=1)) for n in range(5)])
    rig.settle()
    sizes: list[int] = []
    record = rig.log.record
    monkeypatch.setattr(rig.log, "record", lambda changes, done: (sizes.append(len(changes)), record(changes, done))[1])
    rig.hub.tidy()
    assert len(sizes) <= 4, "a mute, the first room with retention, the audit, the first rows; the rest waits its turn"
    rig.settle()
    assert max(sizes) <= 3
    assert not registry.logins
    assert not registry.bans
    assert not registry.mutes
