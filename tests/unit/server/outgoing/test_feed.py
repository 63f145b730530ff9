"""The feeds of outgoing webhooks: order, retries, ends, limits of their replies, and faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from securechat.containment import Failure
from securechat.errors import ErrorCode
from securechat.hub.workflow import Commit
from securechat.limits import Limits
from securechat.model import Delete, Edit, React, SetRoom
from securechat.records.log import NotAppended
from securechat.records.rooms import PutMembership
from securechat.server.outgoing.feed import AGAIN_S
from securechat.server.outgoing.networks import NetworkPolicy
from securechat.server.outgoing.outcome import Delivered, DeliveryProblem, Failed, Gone, ReplyProblem
from securechat.server.outgoing.schedule import OFF_AFTER_S, PAUSES_S
from securechat.server.outgoing.signature import parse_secret
from securechat.server.outgoing.turns import MOST_SLOW
from securechat.server.outgoing.worker import MOST_THREADS
from securechat.text.refusals import refusal_for
from tests.support.hub_rig import FakePeer
from tests.support.outgoing_rig import DOWN, SECRET, OutgoingRig
from tests.unit.hub.rooms.test_rooms import ok
from tests.unit.server.outgoing.test_feed_rooms import moderate

DAY_S = 86_400

# --- In order ------------------------------------------------------------------------------------------------------


def test_a_webhook_gets_one_delivery_at_a_time_in_the_order_of_the_room(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one", "two", "three")
    rig.rest()
    assert [made.text for made in rig.worker.made] == ["one"]
    assert rig.deliver_all(hook) == ["one", "two", "three"]
    assert rig.row(hook).cursor == rig.hub.fed_seq


def test_webhooks_do_not_wait_for_each_other_and_each_keeps_its_order(rig: OutgoingRig, ann: FakePeer) -> None:
    one, two = rig.hook(name="one"), rig.hook(name="two")
    rig.say(ann, "a", "b", "c")
    rig.rest()
    assert rig.deliver_all(two) == ["a", "b", "c"], "while the other one hangs"
    rig.say(ann, "d")
    assert rig.deliver_all(one, two) == ["a", "b", "c", "d", "d"]
    for hook in (one, two):
        seqs = [made.seq for made in rig.worker.made if made.hook == hook]
        assert seqs == sorted(set(seqs))


def test_it_begins_with_the_message_after_it_was_made_and_hears_its_room_alone(rig: OutgoingRig, ann: FakePeer) -> None:
    rig.say(ann, "before", room="ops")
    hook = rig.hook("ops")
    rig.say(ann, "elsewhere")
    assert rig.feed.behind(hook) == 0
    rig.say(ann, "here", room="ops")
    assert rig.deliver_all(hook) == ["here"]


def test_it_finds_its_messages_among_many_others_after_a_pause(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook(on="!deploy")
    rig.say(ann, "!deploy first")
    rig.rest()
    rig.answer(hook, Gone())
    rig.say(ann, *["nothing"] * 120, "!deploy", *["nothing"] * 60, "!deploy again")
    rig.switch_on()
    assert rig.deliver_all(hook) == ["!deploy first", "!deploy", "!deploy again"]
    assert rig.feed.behind(hook) == 0


def test_a_message_that_comes_during_a_read_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch, rig: OutgoingRig, ann: FakePeer
) -> None:
    hook = rig.hook(on="!deploy")
    held: list[tuple[Any, Any]] = []
    with monkeypatch.context() as slow:
        slow.setattr(rig.log, "history", lambda query, done: held.append((query, done)))
        (seq,) = rig.say(ann, "!deploy one")
        rig.change(ann, lambda cid: Delete(client_id=cid, seq=seq, room="lobby"))
        rig.say(ann, "!deploy two")
    ((query, done),) = held
    rig.log.history(query, done)
    rig.settle()
    assert rig.deliver_all(hook) == ["!deploy two"]


def test_the_cursor_moves_when_the_receiver_has_answered_and_not_before(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    assert rig.feed.behind(hook) == 0
    before = rig.row(hook).cursor
    (seq,) = rig.say(ann, "one")
    rig.rest()
    assert (rig.worker.made[-1].seq, rig.row(hook).cursor) == (seq, before)
    rig.answer(hook)
    assert rig.row(hook).cursor >= seq


def test_a_reply_answers_the_message_and_has_the_id_of_its_delivery_as_key(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    (seq,) = rig.say(ann, "one")
    rig.rest()
    rig.answer(hook, Delivered("pong"))
    reply = rig.fed[-1]
    assert (reply.text, reply.reply, reply.name, reply.bot) == ("pong", seq, "deploy", True)
    refusal = rig.answered(
        lambda done: rig.hub.outgoing.say(rig.row(hook), "another text", rig.worker.made[-1].id, seq, done)
    )
    assert refusal.code is ErrorCode.KEY_USED


# --- Failures ------------------------------------------------------------------------------------------------------


def test_the_same_delivery_comes_again_by_the_plan_and_then_it_is_off(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    (seq,) = rig.say(ann, "one")
    rig.rest()
    began = rig.now
    attempts = [began]
    while not rig.row(hook).off:
        rig.worker.taken.pop(hook)(DOWN)
        rig.settle()
        if rig.row(hook).off:
            break
        wait_s = (rig.row(hook).next_ms - rig.wall_ms()) / 1000
        rig.pass_time(wait_s - 0.1)
        assert hook not in rig.worker.taken, "too early"
        rig.pass_time(0.2)
        attempts.append(rig.now)
    pauses = [round(later - earlier, -1 if later - earlier > 60 else 0) for earlier, later in pairwise(attempts)]
    assert pauses[:6] == list(PAUSES_S) == [5, 300, 1800, 7200, 18000, 36000]
    assert attempts[-1] - began == pytest.approx(OFF_AFTER_S, abs=5)
    assert {(made.id, made.seq) for made in rig.worker.made} == {(rig.worker.made[0].id, seq)}
    assert (rig.row(hook).off, rig.off) == ("failing", [("deploy", "failing")])
    assert rig.texts[-1].startswith("This webhook is off: every delivery of a day has failed")


def test_on_again_it_goes_on_from_the_cursor(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.rest()
    rig.answer(hook, Gone())
    rig.say(ann, "two")
    rig.pass_time(2 * DAY_S)
    assert hook not in rig.worker.taken
    rig.switch_on()
    assert rig.deliver_all(hook) == ["one", "two"]
    assert (rig.row(hook).off, rig.row(hook).failures) == ("", 0)


def test_410_switches_it_off_and_the_room_is_told_each_time(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    for times in (1, 2):
        rig.rest()
        rig.answer(hook, Gone())
        told = [text for text in rig.texts if text.startswith("This webhook is off: the receiver answered 410")]
        assert (len(told), rig.off) == (times, [("deploy", "gone")] * times)
        assert rig.outcomes == ["gone"] * times
        rig.switch_on()


def test_a_crash_while_it_is_switched_off_tells_the_room_once(rig: OutgoingRig, ann: FakePeer) -> None:
    outcomes = set()
    for steps in range(8):
        rig = OutgoingRig()
        hook = rig.hook()
        rig.say(rig.person("ann"), "one")
        rig.rest()
        rig.answer(hook, Gone(), settle=False)
        for _ in range(steps):
            rig.step()
        rig.crash()
        rig.rest()
        outcomes.add(hook in rig.worker.taken)
        if hook in rig.worker.taken:
            rig.answer(hook, Gone())
        assert rig.row(hook).off == "gone"
        assert len([text for text in rig.texts if text.startswith("This webhook is off")]) == 1
    assert outcomes == {True, False}, "before it was stored, and after"


def test_a_day_alone_switches_nothing_off_without_the_whole_plan(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.rest()
    rig.answer(hook, DOWN)
    rig.kill()
    rig.now += 2.5 * DAY_S
    rig.revive()
    rig.rest()
    rig.answer(hook, DOWN, settle=False)
    rig.settle()
    assert (rig.row(hook).failures, rig.row(hook).off) == (2, "")
    assert (rig.row(hook).next_ms - rig.wall_ms()) / 1000 == pytest.approx(PAUSES_S[1], abs=1)


def test_a_restart_keeps_the_retries(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.rest()
    for pause_s in PAUSES_S[:3]:
        rig.answer(hook, DOWN, settle=False)
        rig.settle()
        rig.crash()
        rig.pass_time(pause_s - 1)
        assert hook not in rig.worker.taken
        rig.pass_time(2)
        assert hook in rig.worker.taken
    assert rig.row(hook).failures == 3


def test_a_success_ends_the_failures(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.rest()
    rig.answer(hook, DOWN)
    rig.pass_time(PAUSES_S[0])
    rig.answer(hook)
    assert (rig.row(hook).failures, rig.row(hook).failing_since_ms, rig.row(hook).next_ms) == (0, 0, 0)
    assert rig.outcomes == ["unreachable", "delivered"]


def test_a_failed_message_that_is_deleted_takes_its_failures_along(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    (seq,) = rig.say(ann, "one")
    rig.rest()
    rig.answer(hook, DOWN)
    rig.change(ann, lambda cid: Delete(client_id=cid, seq=seq, room="lobby"))
    rig.pass_time(PAUSES_S[0])
    assert hook not in rig.worker.taken
    assert (rig.row(hook).failures, rig.row(hook).next_ms) == (0, 0)
    rig.say(ann, "two")
    assert rig.deliver_all(hook) == ["two"]


def test_a_clock_that_was_put_back_does_not_make_a_pause_longer(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.rest()
    far_ms = rig.wall_ms() + 365 * DAY_S * 1000
    rig.answered(lambda done: rig.hub.outgoing.note(hook, lambda row: replace(row, failures=1, next_ms=far_ms), done))
    rig.crash()
    rig.rest()
    assert hook in rig.worker.taken


def test_what_the_worker_cannot_take_comes_again(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.worker.takes = False
    rig.say(ann, "one")
    rig.rest()
    rig.worker.takes = True
    rig.pass_time(AGAIN_S)
    assert rig.deliver_all(hook) == ["one"]
    assert rig.row(hook).failures == 0


def test_a_network_that_is_not_named_any_more_is_a_failure(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.feed._policy = NetworkPolicy()
    rig.say(ann, "one")
    rig.rest()
    assert (rig.worker.made, rig.outcomes) == ([], [DeliveryProblem.FORBIDDEN.value])
    assert rig.row(hook).failures == 1


# --- Limits --------------------------------------------------------------------------------------------------------


def test_no_more_webhooks_than_allowed_not_even_when_two_are_made_at_once() -> None:
    rig = OutgoingRig(Limits(outgoing_hooks_total=3))
    rig.hook(name="one")
    rig.hook(name="two")
    answers: list[Any] = []
    for name in ("three", "four"):
        rig.hub.admin_commands.programs.add_outgoing(
            "root", "lobby", "http://127.0.0.1:9/", trigger="all", name=name, secret=SECRET, bots=False,
            done=answers.append,
        )  # fmt: skip
    rig.settle()
    refused = [answer for answer in answers if isinstance(answer, NotAppended)]
    assert [refusal.reason for refusal in refused] == ["outgoing_hooks_used_up"]
    assert len(rig.hub.outgoing.rows()) == 3
    rig.remove("one")
    rig.hook(name="five")


def test_replies_over_the_rate_of_a_bot_make_it_pause() -> None:
    rig = OutgoingRig(Limits(bot_message_burst=2, bot_message_rate=0.1), rates=True)
    ann, hook = rig.person("ann"), rig.hook()
    rig.say(ann, "1", "2", "3", "4")
    for text in ("1", "2", "3"):
        rig.rest()
        assert rig.under_way(hook).text == text
        rig.answer(hook, Delivered(f"{text}!"))
    rig.rest()
    assert rig.texts[4:] == ["1!", "2!", "3!"]
    assert rig.row(hook).cursor >= rig.worker.made[-1].seq, "what was delivered is noted"
    assert hook not in rig.worker.taken
    rig.pass_time(10)
    assert rig.deliver_all(hook) == ["4"]


def test_replies_over_the_daily_quota_are_lost_counted_and_told_and_deliveries_go_on() -> None:
    rig = OutgoingRig(Limits(stored_bytes_per_address_day=1_000))
    one, two = rig.hook(name="one"), rig.hook(name="two")
    ann = rig.person("ann")
    rig.say(ann, "a", "b")
    rig.deliver_all(one, reply="x" * 600)
    assert [text for text in rig.texts if text.startswith("x")] == ["x" * 600]
    assert (rig.lost, rig.outcomes) == ([("one", "quota")], ["delivered", "delivered", "reply_refused"])
    rig.answer(two, Delivered("y" * 600))
    assert rig.texts[-1] == "y" * 600, "each webhook has a quota of its own"
    rig.pass_time(DAY_S)
    rig.say(ann, "c")
    rig.deliver_all(one, reply="z" * 600)
    assert rig.texts[-1] == "z" * 600


def test_a_reply_that_was_stored_before_the_crash_counts_once_against_the_quota(rig: OutgoingRig) -> None:
    rig = OutgoingRig(Limits(stored_bytes_per_address_day=1_000))
    hook, ann = rig.hook(), rig.person("ann")
    rig.say(ann, "a")
    rig.rest()
    rig.answer(hook, Delivered("x" * 600), settle=False)
    rig.step_until(lambda: "x" * 600 in rig.texts)
    rig.crash()
    rig.rest()
    rig.answer(hook, Delivered("x" * 600))
    rig.say(rig.person("bob"), "b")
    rig.deliver_all(hook, reply="y" * 600)
    assert rig.texts == ["a", "x" * 600, "b", "y" * 600]


def test_replies_keep_to_slow_mode(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook("ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", slow_s=600))
    rig.say(ann, "one", "two", room="ops")
    assert rig.deliver_all(hook, reply="pong") == ["one", "two"]
    assert rig.texts == ["one", "two", "pong"]
    assert rig.lost == [("deploy", "slow_mode")]
    rig.pass_time(600)
    rig.say(ann, "three", room="ops")
    rig.deliver_all(hook, reply="pong")
    assert rig.texts[-2:] == ["three", "pong"]


def test_a_notice_of_the_server_counts_against_no_quota() -> None:
    rig = OutgoingRig(Limits(stored_bytes_per_address_day=100))
    hook, ann = rig.hook(), rig.person("ann")
    rig.say(ann, "a")
    rig.rest()
    rig.answer(hook, Gone())
    assert rig.texts[-1].startswith("This webhook is off")
    assert len(rig.texts[-1]) > 100


@pytest.mark.parametrize("problem", ReplyProblem)
def test_an_answer_that_makes_no_reply_is_told(rig: OutgoingRig, ann: FakePeer, problem: ReplyProblem) -> None:
    hook = rig.hook()
    rig.say(ann, "one", "two")
    rig.rest()
    rig.answer(hook, Delivered(problem=problem))
    assert (rig.lost, rig.outcomes) == ([("deploy", problem.value)], ["delivered", "reply_refused"])
    assert rig.under_way(hook).text == "two"


# --- Secrets -------------------------------------------------------------------------------------------------------


def test_two_secrets_sign_while_it_is_rotated_and_then_the_new_one_alone(rig: OutgoingRig, ann: FakePeer) -> None:
    hook, new = rig.hook(), SECRET.replace("A", "B")
    rig.administer("rotate_outgoing", "deploy", new)
    rig.say(ann, "one")
    rig.rest()
    assert rig.under_way(hook).request.secrets == (parse_secret(new), parse_secret(SECRET))
    rig.crash()
    rig.rest()
    assert rig.under_way(hook).request.secrets == (parse_secret(new), parse_secret(SECRET))
    rig.answer(hook)
    rig.pass_time(rig.limits.token_overlap_s)
    rig.say(rig.person("bob"), "two")
    rig.rest()
    assert rig.under_way(hook).request.secrets == (parse_secret(new),)


# --- Faults --------------------------------------------------------------------------------------------------------


def broken(*_: Any) -> Any:
    raise RuntimeError("a bug")


@pytest.mark.parametrize("step", ["page", "read", "found"])
def test_a_fault_in_the_read_of_one_delays_no_other(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    failures: list[Failure] = []
    rig = OutgoingRig(on_failure=failures.append)
    one, two = rig.hook(name="one"), rig.hook(name="two")
    ann = rig.person("ann")
    with monkeypatch.context() as broken_once:
        real: Callable[..., Any] = getattr(rig.hub.outgoing, step)
        left = [broken]

        def broken_first(*asked: Any) -> Any:
            return (left.pop() if left else real)(*asked)

        broken_once.setattr(rig.hub.outgoing, step, broken_first)
        rig.say(ann, "a")
        rig.rest()
        assert rig.deliver_all(two) == ["a"]
        assert [failure.owner for failure in failures] == [f"outgoing webhook {one}"]
    rig.pass_time(60)
    assert rig.deliver_all(one) == ["a"]


def test_a_fault_around_an_answer_makes_the_delivery_again(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[Failure] = []
    rig = OutgoingRig(on_failure=failures.append)
    hook, ann = rig.hook(), rig.person("ann")
    rig.say(ann, "a")
    rig.rest()
    with monkeypatch.context() as broken_once:
        broken_once.setattr(rig.hub.outgoing, "say", broken)
        rig.answer(hook, Delivered("pong"))
    assert len(failures) == 1
    rig.pass_time(60)
    assert rig.deliver_all(hook, reply="pong") == ["a"]
    assert rig.texts == ["a", "pong"]


def test_a_read_that_the_log_refuses_is_made_again(monkeypatch: pytest.MonkeyPatch, rig: OutgoingRig) -> None:
    hook, ann = rig.hook(), rig.person("ann")
    with monkeypatch.context() as busy:
        refused = NotAppended.of(refusal_for("query_too_expensive"))
        busy.setattr(rig.log, "history", lambda _query, done: rig.posted.append(lambda: done(refused)))
        rig.say(ann, "a")
        rig.rest()
    assert rig.worker.made == []
    rig.pass_time(AGAIN_S)
    assert rig.deliver_all(hook) == ["a"]


def test_off_it_says_how_far_it_is_behind(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.rest()
    rig.answer(hook, Gone())
    rig.say(ann, "two")
    state = rig.hub.admin_commands.programs.outgoing(hook)
    assert state is not None
    assert state.behind == rig.hub.fed_seq - rig.row(hook).cursor > 0


def test_failed_attempts_are_counted_by_their_problem(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.rest()
    rig.answer(hook, Failed(DeliveryProblem.STATUS, "the receiver answered 503", 503, retry_after_s=600.0))
    assert rig.outcomes == ["status"]
    assert rig.failed == [("deploy", "status", "the receiver answered 503")]
    state = rig.hub.admin_commands.programs.outgoing(hook)
    assert state is not None
    assert state.problem == "the receiver answered 503"
    rig.pass_time(590)
    assert hook not in rig.worker.taken
    rig.pass_time(20)
    assert rig.deliver_all(hook) == ["one"]
    state = rig.hub.admin_commands.programs.outgoing(hook)
    assert state is not None
    assert state.problem == ""


def test_more_reactions_than_a_page_has_hide_no_message(rig: OutgoingRig, ann: FakePeer) -> None:
    """A page that has as many changes as it may ends with a change, and perhaps without a message."""
    hook = rig.hook()
    (first,) = rig.say(ann, "first")
    rig.rest()
    rig.answer(hook)
    rig.say(ann, "while it is down")
    rig.rest()
    rig.answer(hook, Gone())
    for number in range(450):
        rig.change(ann, lambda cid, on=not number % 2: React(client_id=cid, seq=first, room="lobby", sign="👍", on=on))
    rig.say(ann, "second")
    for number in range(250):
        rig.change(ann, lambda cid, on=not number % 2: React(client_id=cid, seq=first, room="lobby", sign="👍", on=on))
    rig.say(ann, "third")
    rig.switch_on()
    assert rig.deliver_all(hook) == ["while it is down", "second", "third"]
    assert rig.feed.behind(hook) == 0


@pytest.mark.parametrize("back_s", [600, 3_000, 9 * 3_600, DAY_S])
@pytest.mark.parametrize("crashes", [False, True])
def test_a_clock_that_is_put_back_during_a_pause_makes_it_an_hour_at_most(
    monkeypatch: pytest.MonkeyPatch, rig: OutgoingRig, ann: FakePeer, back_s: int, crashes: bool
) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.rest()
    rig.answer(hook, DOWN)
    assert hook not in rig.worker.taken
    monkeypatch.setattr(rig, "wall_ms", lambda: int((rig.now - back_s) * 1000))
    if crashes:
        rig.crash()
    else:
        monkeypatch.setattr(rig.hub.context.accounts, "wall_ms", rig.wall_ms)
    rig.pass_time(3_600 + PAUSES_S[0] if crashes else PAUSES_S[0])
    assert rig.deliver_all(hook) == ["one"]


def test_an_edit_of_an_old_message_makes_no_delivery_after_a_crash(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook(on="!deploy")
    one, two = rig.say(ann, "lunch?", "dinner?")
    rig.change(ann, lambda cid: Edit(client_id=cid, seq=one, room="lobby", text="!deploy prod"))
    rig.change(ann, lambda cid: Edit(client_id=cid, seq=two, room="lobby", text="@deploy !deploy"))
    rig.crash()
    rig.say(rig.person("bob"), "!deploy web")
    assert rig.deliver_all(hook) == ["!deploy web"]


@pytest.mark.parametrize("crashes", [False, True])
def test_an_edit_of_what_was_passed_over_makes_no_delivery_while_another_is_tried_again(
    rig: OutgoingRig, ann: FakePeer, crashes: bool
) -> None:
    hook = rig.hook(on="!deploy")
    rig.say(ann, "!deploy first")
    rig.rest()
    rig.answer(hook, Gone())
    old, asked = rig.say(ann, "lunch?", "!deploy web")
    rig.switch_on()
    rig.answer(hook)
    assert rig.under_way(hook).text == "!deploy web"
    rig.change(ann, lambda cid: Edit(client_id=cid, seq=old, room="lobby", text="!deploy prod"))
    rig.change(ann, lambda cid: Edit(client_id=cid, seq=asked, room="lobby", text="!deploy all"))
    rig.answer(hook, DOWN)
    if crashes:
        rig.crash()
    rig.pass_time(PAUSES_S[0])
    assert rig.deliver_all(hook) == ["!deploy all"], "what was to be delivered, with its newest text"


def test_an_edit_of_what_a_webhook_that_is_off_has_to_deliver_is_delivered(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook(on="!deploy")
    rig.say(ann, "!deploy first")
    rig.rest()
    rig.answer(hook, Gone())
    _, seq = rig.say(ann, "!deploy second", "!deploi third")
    rig.change(ann, lambda cid: Edit(client_id=cid, seq=seq, room="lobby", text="!deploy third"))
    rig.crash()
    rig.switch_on()
    assert rig.deliver_all(hook) == ["!deploy first", "!deploy second", "!deploy third"]


@contextmanager
def held_read(rig: OutgoingRig) -> Iterator[None]:
    """Hold back what is read from the log meanwhile; afterwards it is read, as if the thread had been slow."""
    held: list[tuple[Any, Any]] = []
    with pytest.MonkeyPatch.context() as slow:
        slow.setattr(rig.log, "history", lambda query, done: held.append((query, done)))
        yield
    assert held, "nothing was read"
    for query, done in held:
        rig.log.history(query, done)
    rig.rest()


def test_a_room_that_had_another_name_for_a_while_is_read_again(rig: OutgoingRig, ann: FakePeer) -> None:
    """The thread reads while it has that name, and finds nothing."""
    hook = rig.hook("ops")
    with pytest.MonkeyPatch.context() as slow:
        held: list[tuple[Any, Any]] = []
        slow.setattr(rig.log, "history", lambda query, done: held.append((query, done)))
        rig.say(ann, "one", room="ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", name="works"))
    ((query, done),) = held
    rows: list[Any] = []
    rig.log.history(query, rows.append)
    rig.settle()
    ok(rig, ann, SetRoom(ref=2, room="works", name="ops"))
    done(rows[0])
    assert rig.deliver_all(hook) == ["one"]


def test_a_page_that_comes_during_a_rename_waits_for_its_end(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook("ops")
    with held_read(rig):
        rig.say(ann, "one", room="ops")
        rig.do(ann, SetRoom(ref=1, room="ops", name="operations"), settle=False)  # before the read in the log's queue
        assert rig.hub.context.rooms.named("ops").is_renaming
    assert rig.deliver_all(hook) == ["one"]


def test_taken_out_of_its_room_while_it_is_read_it_delivers_nothing(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook("ops")
    with held_read(rig):
        rig.say(ann, "one", room="ops")
        moderate(rig, ann, hook, "kick")
    assert rig.worker.made == []
    rig.switch_on()
    assert rig.deliver_all(hook) == ["one"]


def test_older_messages_that_are_hidden_while_it_is_read_are_not_delivered(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook("ops")
    moderate(rig, ann, hook, "kick")
    rig.say(ann, "before it joined", room="ops")
    with held_read(rig):
        rig.switch_on()
        ok(rig, ann, SetRoom(ref=1, room="ops", history="joined"))
    assert rig.worker.made == []
    rig.say(ann, "next", room="ops")
    assert rig.deliver_all(hook) == ["next"]


def banned(rig: OutgoingRig, act: str, **options: Any) -> None:
    answers: list[Any] = []
    getattr(rig.hub.admin_commands, act)("root", "deploy", done=answers.append, **options)
    rig.settle()
    assert not isinstance(answers[0], NotAppended)
    rig.rest()


def test_it_goes_on_when_the_ban_of_its_account_is_lifted(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    banned(rig, "ban", reason="", duration_s=None)
    rig.say(ann, "while it is banned")
    rig.pass_time(DAY_S)
    assert hook not in rig.worker.taken
    banned(rig, "unban")
    assert rig.deliver_all(hook) == ["while it is banned"]


def test_it_goes_on_within_a_minute_of_the_end_of_a_ban(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    banned(rig, "ban", reason="", duration_s=3_600)
    rig.say(ann, "while it is banned")
    rig.pass_time(3_500)
    assert hook not in rig.worker.taken
    rig.pass_time(160)
    assert rig.deliver_all(hook) == ["while it is banned"]


def test_off_it_stays_off_when_a_ban_of_its_account_is_lifted(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.rest()
    rig.answer(hook, Gone())
    banned(rig, "ban", reason="", duration_s=None)
    banned(rig, "unban")
    assert (hook in rig.worker.taken, rig.row(hook).off) == (False, "gone")


def test_it_goes_on_when_it_is_in_its_room_again(rig: OutgoingRig, ann: FakePeer) -> None:
    """Put there by a write that is not its own: only the commit tells."""
    hook = rig.hook("ops")
    membership = rig.hub.context.rooms.named("ops").memberships[hook]
    moderate(rig, ann, hook, "kick")
    rig.say(ann, "while it is out", room="ops")

    def put_back() -> Any:
        yield Commit((PutMembership(membership),))

    rig.hub.context.workflows.run(put_back())
    assert rig.deliver_all(hook) == ["while it is out"]


# --- Threads --------------------------------------------------------------------------------------------------------


def hanging(rig: OutgoingRig, count: int = MOST_THREADS) -> list[int]:
    """Make webhooks for ``!hang``."""
    return [rig.hook(on="!hang", name=f"hanging{number}") for number in range(count)]


def test_a_message_that_is_deleted_while_it_waits_for_a_thread_is_not_delivered(rig: OutgoingRig) -> None:
    ann, others = rig.person("ann"), hanging(rig)
    hook = rig.hook()
    deleted, edited = rig.say(ann, "!hang and a password", "old")
    rig.rest()
    assert sorted(rig.worker.taken) == others
    rig.change(ann, lambda cid: Delete(client_id=cid, seq=deleted, room="lobby"))
    rig.change(ann, lambda cid: Edit(client_id=cid, seq=edited, room="lobby", text="new"))
    rig.answer(others[0])
    assert rig.under_way(hook).text == "new"


@pytest.mark.parametrize("act", ["kick", "ban"])
def test_a_webhook_that_is_taken_out_while_it_waits_for_a_thread_delivers_nothing(
    rig: OutgoingRig, ann: FakePeer, act: str
) -> None:
    others, hook, next_one = hanging(rig), rig.hook("ops"), rig.hook(name="next")
    rig.say(ann, "!hang")
    rig.say(ann, "one", room="ops")
    rig.rest()
    moderate(rig, ann, hook, act)
    rig.answer(others[0])
    assert hook not in rig.worker.taken
    assert rig.under_way(next_one).text == "!hang", "and its thread is another one's"


def test_receivers_that_take_their_time_leave_half_of_the_threads_to_others(rig: OutgoingRig, ann: FakePeer) -> None:
    slow = hanging(rig, 2 * MOST_THREADS)
    quick = rig.hook(name="quick", on="!quick")
    rig.say(ann, "!quick", *["!hang"] * 5)
    rig.deliver_all(quick)
    for _ in range(2):  # until each of them is known
        rig.pass_time(3)
        for hook in list(rig.worker.taken):
            rig.answer(hook)
    rig.rest()
    assert len(rig.worker.taken) == MOST_SLOW
    assert set(rig.worker.taken) <= set(slow)
    rig.say(ann, "!quick")
    rig.rest()
    assert rig.deliver_all(quick) == ["!quick"]
    hook = next(iter(rig.worker.taken))
    rig.answer(hook)
    assert len(rig.worker.taken) == MOST_SLOW
    assert hook not in rig.worker.taken, "those that waited longer come first"


def test_receivers_that_fail_share_the_threads_of_slow_ones_also_after_a_restart(
    rig: OutgoingRig, ann: FakePeer
) -> None:
    failing = hanging(rig)
    rig.say(ann, "!hang")
    rig.rest()
    for hook in failing:
        rig.answer(hook, DOWN)
    rig.crash()
    rig.pass_time(PAUSES_S[0])
    assert len(rig.worker.taken) == MOST_SLOW


@pytest.mark.parametrize("char", ["x", "\U0001f600"])
def test_a_reply_that_is_longer_than_a_message_is_cut_with_a_note(rig: OutgoingRig, ann: FakePeer, char: str) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    assert rig.deliver_all(hook, reply=char * 5_000) == ["one"]
    kept, note = rig.texts[1].split("\n")
    assert set(kept) == {char}
    assert note == f"({5_000 - len(kept):,} more characters)"
    assert (len(kept) > 3_900, rig.lost) == (True, [])


def test_a_reply_that_fits_is_posted_as_it_is(rig: OutgoingRig, ann: FakePeer) -> None:
    hook = rig.hook()
    rig.say(ann, "one")
    rig.deliver_all(hook, reply="a\n\n\n\nb".ljust(4_000, "x"))
    assert rig.texts[1] == "a\n\n\n\nb".ljust(4_000, "x")
