"""The feeds of outgoing webhooks over kills, stops and a full disk: nothing is lost, and no reply stands twice."""

from __future__ import annotations

from typing import Any

import pytest

from securechat.records.log import NotAppended
from securechat.server.outgoing.feed import AGAIN_S, LAZY_ENTRIES
from securechat.server.outgoing.outcome import Delivered
from tests.support.hub_rig import FakePeer
from tests.support.outgoing_rig import OutgoingRig

DAY_S = 86_400


# --- Crashes -------------------------------------------------------------------------------------------------------


def test_a_crash_before_the_delivery_loses_nothing(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.crash()
    assert rig.deliver_all(hook) == ["one"]


def test_a_crash_during_the_delivery_makes_it_again_under_the_same_id(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.rest()
    first = rig.worker.made[-1]
    rig.crash()
    rig.rest()
    assert rig.worker.made[-1].id == first.id
    assert rig.deliver_all(hook) == ["one"]


def test_a_crash_at_every_step_of_an_answer_loses_nothing_and_doubles_no_reply() -> None:
    repeated = set()
    for steps in range(12):
        rig = OutgoingRig()
        hook, ann = rig.hook(), rig.person("ann")
        rig.say(ann, "one", "two")
        rig.rest()
        first = rig.worker.made[-1]
        rig.answer(hook, Delivered("pong"), settle=False)
        for _ in range(steps):
            rig.step()
        had_reply, had_cursor = "pong" in rig.texts, rig.row(hook).cursor >= first.seq
        rig.crash()
        rig.rest()
        again = [made.id for made in rig.worker.made]
        assert (first.id in again) == (not had_cursor), steps
        repeated.add((had_reply, had_cursor))
        rig.deliver_all(hook, reply="pong")
        assert rig.texts == ["one", "two", "pong", "pong"], steps
        assert [message.reply for message in rig.fed if message.text == "pong"] == [first.seq, first.seq + 1]
    assert repeated == {(False, False), (True, False), (True, True)}


def test_after_the_cursor_is_stored_nothing_comes_again(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.rest()
    rig.answer(hook, Delivered("pong"))
    rig.crash()
    rig.rest()
    assert rig.worker.made == []
    rig.say(rig.person("bob"), "two")
    assert rig.deliver_all(hook) == ["two"]


# --- A full disk ---------------------------------------------------------------------------------------------------


def test_a_reply_waits_for_space(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one", "two")
    rig.rest()
    rig.full()
    rig.answer(hook, Delivered("pong"))
    rig.pass_time(60)
    assert ("pong" in rig.texts, hook in rig.worker.taken) == (False, False)
    rig.full(full=False)
    rig.pass_time(AGAIN_S)
    assert rig.texts == ["one", "two", "pong"]
    assert rig.under_way(hook).text == "two"


@pytest.mark.parametrize("crashes", [False, True])
def test_a_cursor_waits_for_space_and_a_crash_meanwhile_doubles_no_reply(
    rig: OutgoingRig, ann: FakePeer, crashes: bool
) -> None:
    hook = rig.hook()
    before = rig.row(hook).cursor
    rig.say(ann, "one")
    rig.rest()
    rig.answer(hook, Delivered("pong"), settle=False)
    rig.step_until(lambda: "pong" in rig.texts)
    rig.full()
    rig.settle()
    rig.pass_time(60)
    assert rig.row(hook).cursor == before
    if crashes:
        rig.kill()
        rig.full(full=False)
        rig.revive()
        rig.deliver_all(hook, reply="pong")
    else:
        rig.full(full=False)
        rig.pass_time(AGAIN_S)
        assert len(rig.worker.made) == 1
    assert rig.texts == ["one", "pong"]
    assert rig.row(hook).cursor > before


def test_a_removal_that_the_disk_refuses_leaves_a_webhook_that_delivers(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one", "two")
    rig.rest()
    answers: list[Any] = []
    rig.hub.admin_commands.programs.remove_bot("root", "deploy", answers.append)
    rig.step_until(lambda: rig.hub.outgoing.row(hook) is None)  # its end is on its way to the log
    rig.full()
    rig.answer(hook)
    assert isinstance(answers[0], NotAppended)
    rig.full(full=False)
    rig.pass_time(AGAIN_S)
    assert rig.deliver_all(hook) == ["one", "two"]


# --- The cursor of an idle webhook ---------------------------------------------------------------------------------


def test_the_cursor_is_written_after_a_thousand_entries_that_are_not_delivered(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook(on="!deploy")
    before = rig.row(hook).cursor
    rig.say(ann, *["nothing"] * (LAZY_ENTRIES - 10))
    assert rig.row(hook).cursor == before
    rig.say(ann, *["nothing"] * 20)
    assert LAZY_ENTRIES - 10 < rig.row(hook).cursor - before <= LAZY_ENTRIES + 10
    assert rig.feed.behind(hook) == 0


def test_the_cursor_is_written_at_a_stop_and_not_by_a_crash(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook(on="!deploy")
    before = rig.row(hook).cursor
    rig.say(ann, "nothing")
    rig.crash()
    assert rig.row(hook).cursor == before
    rig.rest()
    rig.stop()
    rig.revive()
    assert rig.row(hook).cursor == rig.hub.fed_seq > before


def test_a_stop_ends_the_delivery_under_way_and_it_is_made_again(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.rest()
    first, done = rig.worker.made[-1], rig.worker.taken[hook]
    rig.feed.stop()
    assert hook not in rig.worker.taken
    done(Delivered("too late"))
    rig.settle()
    rig.stop()
    rig.revive()
    rig.rest()
    assert rig.under_way(hook).id == first.id
    rig.answer(hook, Delivered("pong"))
    assert rig.texts == ["one", "pong"]
