"""The life of a message in the hub: acks, fan-out, retries, refusals, dialogues."""

from __future__ import annotations

import pytest

from securechat.errors import ErrorCode, Overloaded
from securechat.limits import MAX_TEXT_CHARS, Limits
from securechat.model import (
    Acked,
    Direct,
    History,
    HistoryPage,
    Join,
    Leave,
    Message,
    Presence,
    Quit,
    Refused,
    Say,
    SetRoom,
    Welcome,
)
from tests.support.hub_rig import HubRig
from tests.unit.hub.rooms.test_rooms import person


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def test_the_ack_comes_before_the_own_copy_and_others_get_only_the_message(rig: HubRig) -> None:
    alice, bob = rig.member("alice"), rig.member("bob")
    rig.do(alice, Say(1, "lobby", "hi"))
    acked, message = alice.last(Acked), alice.last(Message)
    assert alice.events.index(acked) < alice.events.index(message)
    assert acked.seq == message.seq
    assert bob.last(Message) is message  # shared, not made again
    assert not bob.of(Acked)


def test_nothing_is_shown_before_it_is_committed(rig: HubRig) -> None:
    alice = rig.member("alice")
    rig.do(alice, Say(1, "lobby", "hi"), settle=False)
    assert not alice.messages
    assert rig.hub.unsettled == 1
    rig.settle()
    assert alice.messages
    assert rig.hub.unsettled == 0


def test_a_retry_gets_the_first_seq_and_is_shown_to_no_member_again(rig: HubRig) -> None:
    alice, bob = rig.member("alice"), rig.member("bob")
    rig.do(alice, Say(1, "lobby", "hi"))
    rig.do(alice, Say(1, "lobby", "hi"))
    assert [acked.seq for acked in alice.of(Acked)] == [1, 1]
    assert len(bob.messages) == 1


def test_a_retry_on_a_new_connection_is_acked_only_after_its_seq_was_fanned_out(rig: HubRig) -> None:
    first = rig.member("alice", "a" * 32)
    rig.do(first, Say(1, "lobby", "hi"), settle=False)
    second = rig.peer()
    from securechat.model import Hello

    rig.do(second, Hello(version=1, name="alice", secret="a" * 32), settle=False)
    rig.settle()
    rig.do(second, Say(1, "lobby", "hi"))
    assert second.last(Acked).seq == 1
    assert rig.hub.fed_seq >= 1


def test_a_key_is_one_message_on_each_device_and_with_each_number(rig: HubRig) -> None:
    first = rig.member("alice", "a" * 32)
    bob = rig.member("bob")
    rig.do(first, Say(1, "lobby", "alert", key="k"))
    rig.do(first, Say(2, "lobby", "alert", key="k"))
    rig.do(first, Quit())
    again = rig.member("alice", "a" * 32)
    rig.do(again, Say(7, "lobby", "alert", key="k"))
    assert [acked.seq for acked in (*first.of(Acked), *again.of(Acked))] == [1, 1, 1]
    assert [message.text for message in bob.messages] == ["alert"]
    rig.do(again, Say(8, "lobby", "another", key="k"))
    assert again.last(Refused).code is ErrorCode.KEY_USED
    rig.do(bob, Say(1, "lobby", "another", key="k"))
    assert bob.last(Acked).seq == 2, "a key belongs to its sender"


def test_a_direct_message_has_its_key_too(rig: HubRig) -> None:
    alice, bob = rig.member("alice"), rig.member("bob")
    to = bob.last(Welcome).sender_id
    rig.do(alice, Direct(1, to, "psst", key="k"))
    rig.do(alice, Direct(2, to, "psst", key="k"))
    assert [acked.seq for acked in alice.of(Acked)] == [1, 1]
    rig.do(alice, Say(3, "lobby", "psst", key="k"))
    assert alice.last(Refused).code is ErrorCode.KEY_USED, "it was said elsewhere"


def test_a_known_key_is_answered_whatever_the_rules_say_now(rig: HubRig) -> None:
    alice, _ = rig.member("alice"), rig.member("bob")
    rig.do(alice, Join(1, ["ops"]))
    rig.do(alice, Say(1, "ops", "alert", key="k"))
    rig.do(alice, Leave(2, "ops"))
    rig.do(alice, Say(2, "ops", "alert", key="k"))
    assert [acked.seq for acked in alice.of(Acked)] == [1, 1]
    rig.do(alice, Say(3, "ops", "more", key="k"))
    assert alice.last(Refused).code is ErrorCode.NOT_A_MEMBER
    rig.do(alice, Say(4, "ops", "alert", key="other"))
    assert alice.last(Refused).code is ErrorCode.NOT_A_MEMBER
    rig.do(alice, Say(5, "elsewhere", "alert", key="k"))
    assert alice.last(Refused).code is ErrorCode.NOT_A_MEMBER, "it was never said there"
    rig.do(alice, Say(6, "a b", "alert", key="k"))
    assert alice.last(Refused).code is ErrorCode.ROOM_INVALID
    rig.do(alice, Say(7, "ops", "x" * (MAX_TEXT_CHARS + 1), key="k"))
    assert alice.last(Refused).code is ErrorCode.TEXT_TOO_LONG
    assert len(alice.of(Acked)) == 2


def test_a_known_key_is_found_by_any_name_that_the_member_may_use_for_the_room(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    rig.do(ann, Say(1, "ops", "alert", key="k"))
    rig.do(ann, SetRoom(ref=1, room="ops", name="crew", read_only=True))
    rig.do(ann, SetRoom(ref=2, room="crew", archived=True))
    for number, name in ((2, "ops"), (3, "crew")):
        rig.do(ann, Say(number, name, "alert", key="k"))
    assert [acked.seq for acked in ann.of(Acked)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (Say(1, "lobby", ""), ErrorCode.TEXT_EMPTY),
        (Say(1, "lobby", "\n \t"), ErrorCode.TEXT_EMPTY),
        (Say(1, "lobby", "x" * (MAX_TEXT_CHARS + 1)), ErrorCode.TEXT_TOO_LONG),
        (Say(1, "elsewhere", "x"), ErrorCode.NOT_A_MEMBER),
        (Say(1, "a b", "x"), ErrorCode.ROOM_INVALID),
        (Direct(1, 1, "x"), ErrorCode.INVALID),
        (Direct(1, 77, "x"), ErrorCode.PERSON_ABSENT),
    ],
)
def test_what_a_rule_forbids_is_refused_with_the_drafts_number(rig: HubRig, command: Say, code: ErrorCode) -> None:
    alice = rig.member("alice")
    rig.do(alice, command)
    refused = alice.last(Refused)
    assert (refused.code, refused.client_id) == (code, 1)
    assert refused.text
    assert rig.hub.unsettled == 0


def test_a_room_is_accepted_with_its_hash_and_in_capitals(rig: HubRig) -> None:
    alice = rig.member("alice")
    rig.do(alice, Join(1, ["#Ops"]))
    rig.do(alice, Say(1, "#OPS", "hi"))
    assert alice.last(Message).room == "ops"


def test_an_overloaded_log_takes_nothing_and_says_so_to_the_session() -> None:
    rig = HubRig(Limits(append_queue=1))
    alice = rig.member("alice")
    assert rig.do(alice, Say(1, "lobby", "a"), settle=False) == 0
    with pytest.raises(Overloaded):
        rig.do(alice, Say(2, "lobby", "b"), settle=False)
    assert not alice.of(Refused)
    rig.settle()
    rig.do(alice, Say(2, "lobby", "b"))
    assert [message.text for message in alice.messages] == ["a", "b"]


def test_a_quota_refuses_and_does_not_count_what_it_refused() -> None:
    rig = HubRig(Limits(stored_bytes_per_address_day=10))
    alice = rig.member("alice", address="10.0.0.1")
    rig.do(alice, Say(1, "lobby", "12345678"))
    rig.do(alice, Say(2, "lobby", "123"))
    assert alice.last(Refused).code is ErrorCode.QUOTA
    rig.do(alice, Say(3, "lobby", "12"))
    assert [message.text for message in alice.messages] == ["12345678", "12"]
    rig.pass_time(86_401)
    rig.do(alice, Say(4, "lobby", "123"))
    assert alice.last(Message).text == "123"


def test_the_leave_notice_comes_after_the_leavers_last_message(rig: HubRig) -> None:
    alice, bob = rig.member("alice"), rig.member("bob")
    rig.pass_time(1)
    for peer in (alice, bob):
        rig.do(peer, Join(1, ["ops"]))
    rig.pass_time(1)
    rig.do(bob, Say(1, "ops", "bye"), settle=False)
    rig.do(bob, Leave(2, "ops"), settle=False)
    rig.pass_time(5)  # the log is slow
    # pass_time settles when a tick is due; nothing was due, because the notice waits for the log
    rig.settle()
    rig.pass_time(5)
    message = alice.last(Message)
    left = [p for p in alice.of(Presence) if p.left]
    assert left
    assert alice.events.index(message) < alice.events.index(left[-1])


def test_a_quitters_last_words_come_before_the_notice(rig: HubRig) -> None:
    alice, bob = rig.member("alice"), rig.member("bob")
    rig.pass_time(1)
    rig.do(bob, Say(1, "lobby", "bye"), settle=False)
    rig.do(bob, Quit(), settle=False)
    assert bob.closed is not None
    rig.settle()
    rig.pass_time(1)
    kinds = [type(event) for event in alice.events[-2:]]
    assert kinds == [Message, Presence]


def test_messages_of_several_rooms_reach_a_peer_in_the_order_of_seq(rig: HubRig) -> None:
    alice = rig.member("alice")
    rig.do(alice, Join(1, ["a", "b"]))
    for number, room in enumerate(["a", "b", "lobby", "a", "lobby", "b"], start=1):
        rig.do(alice, Say(number, room, str(number)), settle=False)
    rig.settle()
    seqs = [message.seq for message in alice.messages]
    assert seqs == sorted(seqs)
    assert len(seqs) == 6


def test_a_history_page_never_goes_beyond_what_was_fanned_out(rig: HubRig) -> None:
    alice = rig.member("alice")
    rig.do(alice, Say(1, "lobby", "a"))
    rig.do(alice, Say(2, "lobby", "b"), settle=False)
    rig.do(alice, History(ref=9, after=0), settle=False)
    rig.settle()
    page = alice.last(HistoryPage)
    assert [message.text for message in page.messages] == ["a"]
    assert page.through == 1


def test_one_page_at_a_time_and_none_for_who_is_behind(rig: HubRig) -> None:
    alice = rig.member("alice")
    rig.do(alice, History(ref=1), settle=False)
    rig.do(alice, History(ref=2), settle=False)
    assert alice.last(Refused).code is ErrorCode.BUSY
    rig.settle()
    assert alice.last(HistoryPage).ref == 1
    alice.held_back = True
    rig.do(alice, History(ref=3))
    assert (alice.last(Refused).code, alice.last(Refused).ref) == (ErrorCode.BUSY, 3)


def test_a_third_member_reads_nothing_of_a_dialogue(rig: HubRig) -> None:
    alice, bob, eve = rig.member("alice"), rig.member("bob"), rig.member("eve")
    bob_id = bob.last(Welcome).sender_id
    rig.do(alice, Direct(1, bob_id, "secret"))
    rig.do(eve, History(ref=1))
    rig.do(eve, History(ref=2, peer=bob_id))
    assert all(not page.messages for page in eve.of(HistoryPage))
    assert not eve.messages
    rig.do(bob, History(ref=3))
    assert [message.text for message in bob.last(HistoryPage).messages] == ["secret"]


def test_rates_pause_and_refuse_nothing() -> None:
    rig = HubRig(Limits(message_burst=2, message_rate=1), rates=True)
    alice = rig.member("alice")
    waits = [rig.do(alice, Say(number, "lobby", "x")) for number in range(1, 5)]
    assert waits[:2] == [0, 0]
    assert waits[2] > 0
    assert waits[3] > waits[2]
    assert len(alice.messages) == 4
    assert not alice.of(Refused)


def test_an_address_has_a_ceiling_over_all_its_members_but_loopback_has_none() -> None:
    limits = Limits(message_burst=2, message_rate=1, address_factor=1.5)
    for address, held in (("10.0.0.9", True), ("127.0.0.1", False)):
        rig = HubRig(limits, rates=True)
        peers = [rig.member(f"m{number}", address=address) for number in range(4)]
        waits = [rig.do(peer, Say(1, "lobby", "x")) for peer in peers]
        assert (waits[-1] > 0) is held


def test_what_was_not_stored_does_not_count_against_the_quota() -> None:
    rig = HubRig(Limits(stored_bytes_per_address_day=20))
    alice = rig.member("alice", address="10.0.0.1")
    for _ in range(5):
        rig.do(alice, Say(1, "lobby", "123456789"))  # four of them are retries
    rig.do(alice, Say(2, "lobby", "123456789"))
    assert len(alice.messages) == 2
    rig.do(alice, Say(3, "lobby", "123"))
    assert alice.last(Refused).code is ErrorCode.QUOTA


def test_a_quit_and_return_does_not_fill_the_buckets_of_an_address() -> None:
    rig = HubRig(Limits(message_burst=2, message_rate=1, address_factor=2), rates=True)
    waits = []
    for number in range(6):
        peer = rig.member("alice", f"{number + 1:032x}", address="10.0.0.1")
        waits.append(rig.do(peer, Say(1, "lobby", "x")))
        rig.do(peer, Quit())
    assert waits[0] == 0
    assert waits[-1] > 0
