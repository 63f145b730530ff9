"""The feeds of outgoing webhooks while messages, their room and their own account change."""

from __future__ import annotations

from typing import Any

import pytest

from securechat.errors import Refusal
from securechat.hub.workflow import Commit
from securechat.model import Delete, Edit, Grant, Join, Moderate, SetRoom
from securechat.records.accounts import AccountKind
from securechat.records.log import NotAppended
from securechat.records.rooms import DropRoom, PurgeExpired
from securechat.server.outgoing.outcome import Delivered, Gone
from securechat.server.outgoing.schedule import PAUSES_S
from tests.support.hub_rig import FakePeer
from tests.support.outgoing_rig import DOWN, OutgoingRig
from tests.unit.hub.rooms.test_rooms import ok

DAY_S = 86_400


# --- What happens to messages --------------------------------------------------------------------------------------


def retire(rig: OutgoingRig, ann: FakePeer, hook: int, *texts: str) -> None:
    """Have retention delete messages while the webhook is off."""
    ok(rig, ann, SetRoom(ref=1, room="ops", retention_days=1))
    rig.say(ann, "first", room="ops")
    rig.rest()
    rig.answer(hook, Gone())
    rig.say(ann, *texts, room="ops")
    rig.pass_time(2 * DAY_S)
    rig.hub.tidy()
    rig.settle()


def test_a_gap_that_retention_has_made_is_said_once_and_passed_over(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook("ops")
    retire(rig, ann, hook, "lost", "lost, too")
    purged = rig.hub.context.rooms.named("ops").purged_seq
    rig.say(ann, "left", room="ops")
    rig.switch_on()
    assert rig.gaps == [("deploy", purged)]
    rig.answer(hook, DOWN)
    rig.crash()
    rig.pass_time(PAUSES_S[0])
    assert rig.deliver_all(hook) == ["left"]
    assert len(rig.gaps) == 1


def test_a_room_in_which_all_is_deleted_does_not_hang(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook("ops")
    retire(rig, ann, hook, "lost")
    rig.switch_on()
    assert len(rig.gaps) == 1
    assert (rig.feed.behind(hook), rig.worker.taken) == (0, {})
    rig.say(ann, "next", room="ops")
    assert rig.deliver_all(hook) == ["next"]


def test_retention_of_what_was_looked_at_is_no_gap(rig: OutgoingRig, ann: FakePeer) -> None:
    ok(rig, ann, SetRoom(ref=1, room="ops", retention_days=1))
    hook = rig.hook("ops", "!deploy")
    rig.say(ann, "nothing", room="ops")
    rig.say(ann, "elsewhere")
    rig.pass_time(2 * DAY_S)
    rig.hub.tidy()
    rig.settle()
    rig.say(ann, "!deploy", room="ops")
    assert rig.deliver_all(hook) == ["!deploy"]
    assert rig.gaps == []


def test_a_deleted_message_is_skipped_and_an_edited_one_has_its_newest_text(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    _, deleted, edited = rig.say(ann, "one", "deleted", "old")
    rig.rest()
    rig.change(ann, lambda cid: Delete(client_id=cid, seq=deleted, room="lobby"))
    rig.change(ann, lambda cid: Edit(client_id=cid, seq=edited, room="lobby", text="new"))
    rig.answer(hook)
    first = rig.under_way(hook)
    rig.answer(hook, DOWN)
    rig.change(ann, lambda cid: Edit(client_id=cid, seq=edited, room="lobby", text="newer"))
    rig.pass_time(PAUSES_S[0])
    assert (first.text, first.seq) == ("new", edited)
    assert (rig.under_way(hook).text, rig.under_way(hook).id) == ("newer", first.id)


def test_an_edit_makes_no_delivery(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook(on="!deploy")
    (seq,) = rig.say(ann, "deploy")
    rig.change(ann, lambda cid: Edit(client_id=cid, seq=seq, room="lobby", text="!deploy"))
    rig.rest()
    assert rig.deliver_all(hook) == []


@pytest.mark.parametrize("bots", [False, True])
def test_bots_and_webhooks_trigger_it_only_when_asked(rig: OutgoingRig, ann: FakePeer, bots: bool) -> None:
    hook = rig.hook(bots=bots)
    for kind in (AccountKind.BOT, AccountKind.HOOK):
        bot = rig.program(kind, "lobby")
        if kind is AccountKind.BOT:
            rig.say(bot, "beep")
        else:
            rig.say(bot, "alert")
    rig.say(ann, "hello")
    assert rig.deliver_all(hook) == (["beep", "alert", "hello"] if bots else ["hello"])


def test_what_outgoing_webhooks_say_triggers_none_of_them(rig: OutgoingRig, ann: FakePeer) -> None:
    one, two = rig.hook(name="one", bots=True), rig.hook(name="two", bots=True)
    rig.say(ann, "ping")
    assert rig.deliver_all(one, two, reply="pong") == ["ping", "ping"]
    rig.rest()
    assert rig.texts == ["ping", "pong", "pong"]
    assert rig.worker.taken == {}
    rig.crash()
    rig.rest()
    assert rig.worker.made == [], "nor when they read the log again"


# --- What happens to its room and its account ----------------------------------------------------------------------


def test_a_renamed_room_keeps_it(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook("ops")
    rig.say(ann, "one", room="ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", name="operations"))
    rig.say(ann, "two", room="operations")
    assert rig.deliver_all(hook, reply="pong") == ["one", "two"]
    assert [message.room for message in rig.fed if message.text == "pong"] == ["operations"] * 2


def test_a_room_that_is_renamed_while_it_is_read_loses_no_message(rig: OutgoingRig) -> None:
    for steps in range(12):
        rig = OutgoingRig()
        ann = rig.person("ann", "ops")
        hook = rig.hook("ops")
        rig.say(ann, "one", room="ops")  # its read is under way, or not yet asked for
        rig.do(ann, SetRoom(ref=1, room="ops", name="operations"), settle=False)
        for _ in range(steps):
            rig.step()
        rig.rest()
        assert rig.deliver_all(hook) == ["one"], steps


def test_an_archived_room_takes_no_reply_and_what_was_said_before_is_delivered(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook("ops")
    rig.say(ann, "one", room="ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", archived=True))
    assert rig.deliver_all(hook, reply="pong") == ["one"]
    assert rig.texts == ["one"]
    assert rig.lost == [("deploy", "archived")]


@pytest.mark.parametrize("when", ["idle", "delivering", "waiting"])
def test_a_deleted_room_switches_it_off_at_once(rig: OutgoingRig, ann: FakePeer, when: str) -> None:
    hook = rig.hook("ops")
    if when != "idle":
        rig.say(ann, "one", room="ops")
        rig.rest()
    if when == "waiting":
        rig.answer(hook, DOWN)
        rig.pass_time(PAUSES_S[0])
        rig.answer(hook, DOWN)
    room = rig.record("ops")
    assert room is not None

    def drop() -> Any:
        yield Commit((PurgeExpired("ops", rig.wall_ms() + 1, 100), DropRoom(room.room_id)))

    rig.hub.context.workflows.run(drop())
    rig.settle()
    if when == "delivering":
        rig.answer(hook, Delivered("pong"))
    assert rig.row(hook).off == "room_gone"
    assert rig.off == [("deploy", "room_gone")]
    assert "pong" not in rig.texts


def moderate(rig: OutgoingRig, ann: FakePeer, hook: int, act: Any) -> None:
    ok(rig, ann, Moderate(ref=7, room="ops", person=hook, act=act))


@pytest.mark.parametrize("act", ["kick", "ban"])
def test_out_of_its_room_it_delivers_nothing_until_it_is_brought_back(
    rig: OutgoingRig, ann: FakePeer, act: str
) -> None:
    hook = rig.hook("ops")
    rig.say(ann, "one", room="ops")
    rig.rest()
    moderate(rig, ann, hook, act)
    rig.answer(hook, Delivered("pong"))
    rig.say(ann, "two", room="ops")
    rig.rest()
    assert (rig.worker.taken, rig.lost) == ({}, [("deploy", "not_found")])
    if act == "ban":
        with pytest.raises(Refusal, match="banned"):
            rig.administer("switch_on", "deploy")
        moderate(rig, ann, hook, "unban")
    rig.switch_on()
    assert rig.deliver_all(hook) == ["two"]
    assert rig.texts == ["one", "two"]


def test_banned_from_the_server_it_delivers_nothing(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.rest()
    answers: list[Any] = []
    rig.hub.admin_commands.ban("root", "deploy", reason="", duration_s=None, done=answers.append)
    rig.settle()
    assert not isinstance(answers[0], NotAppended)
    rig.answer(hook, Delivered("pong"))
    rig.say(ann, "two")
    rig.rest()
    assert (rig.texts, rig.worker.taken) == (["one", "two"], {})


def test_muted_it_delivers_and_its_replies_are_lost(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook("ops")
    moderate(rig, ann, hook, "mute")
    rig.say(ann, "one", room="ops")
    assert rig.deliver_all(hook, reply="pong") == ["one"]
    assert (rig.texts, rig.lost, rig.outcomes) == (["one"], [("deploy", "muted")], ["delivered", "reply_refused"])
    assert rig.row(hook).cursor == rig.hub.fed_seq


def test_removed_in_the_middle_of_a_delivery_it_says_nothing_more(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.rest()
    done = rig.worker.taken[hook]
    assert not isinstance(rig.remove(), NotAppended)
    assert hook not in rig.worker.taken
    done(Delivered("pong"))
    rig.rest()
    assert rig.texts == ["one"]
    assert rig.feed.behind(hook) == 0


def test_a_webhook_of_a_room_with_history_from_join_gets_nothing_older(rig: OutgoingRig, ann: FakePeer) -> None:
    bob = rig.person("bob")
    ok(rig, ann, SetRoom(ref=1, room="ops", history="joined"))
    rig.do(bob, Join(ref=2, rooms=["ops"]))
    ok(rig, ann, Grant(ref=3, room="ops", person=rig.id_of(bob), role="moderator"))
    hook = rig.hook("ops")
    rig.say(ann, "one", room="ops")
    rig.deliver_all(hook)
    moderate(rig, ann, hook, "kick")
    rig.say(ann, "two", room="ops")
    rig.switch_on()
    rig.say(ann, "three", room="ops")
    assert rig.deliver_all(hook) == ["three"]
