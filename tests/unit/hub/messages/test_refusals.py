"""The refusals of messages, queries and mutes: reason, code, arguments, and the sentence made from them."""

from __future__ import annotations

from typing import Any

import pytest

from securechat.errors import ErrorCode
from securechat.limits import MAX_TEXT_CHARS, Limits
from securechat.model import (
    Acked,
    AskUnread,
    Direct,
    Edit,
    Hello,
    History,
    Join,
    Moderate,
    Quit,
    React,
    Refused,
    Say,
    SetRoom,
    Welcome,
    Who,
    Whois,
)
from securechat.text import refusals
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import register
from tests.unit.hub.admin.test_commands import act


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def refused(rig: HubRig, peer: FakePeer, command: Any) -> Refused:
    """What a command is refused with."""
    rig.do(peer, command)
    event = peer.last(Refused)
    assert event.code is refusals.REASONS[event.reason][0]
    assert event.text == refusals.sentence(event.reason, event.arguments)
    return event


def owned_room(rig: HubRig, **settings: Any) -> FakePeer:
    """#ops, which ann owns and bob is in; returns bob's connection."""
    ann, bob = rig.member("ann"), rig.member("bob")
    for peer in (ann, bob):
        register(rig, peer)
        rig.do(peer, Join(1, ["ops"]))
    rig.do(ann, SetRoom(2, "ops", **settings))
    return bob


@pytest.mark.parametrize(
    ("command", "reason", "arguments"),
    [
        (Say(1, "lobby", " "), "text_empty", {}),
        (Say(1, "lobby", "x" * (MAX_TEXT_CHARS + 1)), "text_too_long", {"most": MAX_TEXT_CHARS}),
        (Say(1, "Elsewhere", "x"), "not_in_room", {"room": "elsewhere"}),
        (Direct(1, 1, "x"), "message_to_yourself", {}),
        (Direct(1, 77, "x"), "person_absent", {}),
        (Edit(1, seq=1, text="x"), "change_without_conversation", {}),
        (React(1, seq=1, room="lobby", sign=" "), "reaction_invisible", {}),
        (React(1, seq=1, room="lobby", sign="\u2800\ufe0f"), "reaction_invisible", {}),
        (History(7, around=3), "jump_without_conversation", {}),
        (History(7, room="elsewhere"), "not_in_room", {"room": "elsewhere"}),
        (Who(7, "elsewhere"), "not_in_room", {"room": "elsewhere"}),
        (Whois(7, "eve"), "no_such_person", {}),
        (AskUnread(7), "unread_needs_account", {}),
        (Hello(1, "eve", 32 * "1"), "hello_repeated", {}),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_refusal_carries_its_reason_and_arguments(
    rig: HubRig, command: Any, reason: str, arguments: dict[str, str | int]
) -> None:
    event = refused(rig, rig.member("ann"), command)
    assert (event.reason, event.arguments) == (reason, arguments)
    assert event.ref == getattr(command, "ref", None)
    assert event.client_id == getattr(command, "client_id", None)


@pytest.mark.parametrize(
    ("setting", "reason", "sentence"),
    [
        ({"archived": True}, "room_archived", "#ops is archived and read-only"),
        (
            {"read_only": True},
            "room_read_only",
            "#ops is read-only. Only its moderators and owners can write there, but you can react",
        ),
    ],
    ids=["archived", "read-only"],
)
def test_a_room_that_cannot_be_written_in(rig: HubRig, setting: dict[str, bool], reason: str, sentence: str) -> None:
    event = refused(rig, owned_room(rig, **setting), Say(1, "ops", "x"))
    assert (event.reason, event.arguments, event.text) == (reason, {"room": "ops"}, sentence)


def test_slow_mode_tells_whole_seconds_and_when_to_try_again(rig: HubRig) -> None:
    bob = owned_room(rig, slow_s=90)
    rig.do(bob, Say(1, "ops", "one"))
    rig.now += 59.5
    event = refused(rig, bob, Say(2, "ops", "two"))
    assert (event.reason, event.arguments, event.retry_after_s) == ("slow_mode", {"room": "ops", "left": 31}, 30.5)
    assert event.text == "#ops is in slow mode. Wait 31 seconds before your next message"


def test_a_room_on_its_way_to_another_name(rig: HubRig) -> None:
    bob = owned_room(rig, topic="x")
    rig.hub.context.rooms.named_or_new("ops").is_renaming = True
    event = refused(rig, bob, Say(1, "ops", "x"))
    assert (event.reason, event.code, event.retry_after_s) == ("room_being_renamed", ErrorCode.BUSY, 0.5)


def test_an_address_that_has_stored_all_it_may() -> None:
    rig = HubRig(Limits(stored_bytes_per_address_day=1))
    assert refused(rig, rig.member("ann", address="10.0.0.1"), Say(1, "lobby", "xx")).reason == "daily_storage_used_up"


def test_a_connection_reads_one_page_at_a_time_and_none_when_it_is_behind(rig: HubRig) -> None:
    ann = rig.member("ann")
    rig.do(ann, History(1, room="lobby"), settle=False)
    assert refused(rig, ann, History(2, room="lobby")).reason == "question_under_way"
    ann.held_back = True
    event = refused(rig, ann, History(3, room="lobby"))
    assert (event.reason, event.retry_after_s) == ("reading_behind", 1.0)


@pytest.mark.parametrize(
    ("why", "duration_s", "reason", "sentence"),
    [
        ("", None, "muted", "You are muted on this server. Ask its administrator"),
        ("noise", None, "muted_because", "You are muted on this server: noise. Ask its administrator"),
        ("", 600, "muted_for", "You are muted on this server for 10 minutes"),
        ("noise", 600, "muted_for_because", "You are muted on this server for 10 minutes: noise"),
    ],
)
def test_a_mute_on_the_server(rig: HubRig, why: str, duration_s: float | None, reason: str, sentence: str) -> None:
    ann = rig.member("ann")
    register(rig, ann)
    act(rig, "mute", "ann", reason=why, duration_s=duration_s)
    event = refused(rig, ann, Say(1, "lobby", "x"))
    assert (event.reason, event.text) == (reason, sentence)


@pytest.mark.parametrize(
    ("seconds", "reason", "sentence"),
    [
        (None, "muted_in_room", "You are muted in #ops. Ask its moderators"),
        (600, "muted_in_room_for", "You are muted in #ops for 10 minutes"),
    ],
)
def test_a_mute_in_a_room(rig: HubRig, seconds: int | None, reason: str, sentence: str) -> None:
    bob = owned_room(rig, topic="x")
    ann = rig.hub.context.members_by_key["ann"].peers[0]
    rig.do(ann, Moderate(3, "ops", bob.last(Welcome).sender_id, "mute", seconds=seconds))
    event = refused(rig, bob, Say(1, "ops", "x"))
    assert (event.reason, event.text) == (reason, sentence)


def test_a_retry_that_the_log_does_not_have_gets_the_whole_refusal(rig: HubRig) -> None:
    bob = owned_room(rig, topic="x")
    rig.hub.context.connections[bob].known_client_id = 5
    event = refused(rig, bob, Say(5, "gone", "x"))
    assert (event.reason, event.arguments, event.client_id) == ("not_in_room", {"room": "gone"}, 5)


def test_goodbye_has_its_reason(rig: HubRig) -> None:
    ann = rig.member("ann")
    rig.do(ann, Quit())
    assert ann.closed is not None
    assert (ann.closed.code, ann.closed.reason, ann.closed.text) == (ErrorCode.BYE, "goodbye", "Goodbye")


def test_no_sentence_is_made_for_a_message_that_is_accepted(rig: HubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    bob = owned_room(rig, slow_s=30)

    def fail(*_: object) -> str:
        raise AssertionError("a sentence on the path of a message")

    monkeypatch.setattr(refusals, "sentence", fail)
    rig.do(bob, Say(1, "ops", "x"))
    assert bob.last(Acked).client_id == 1
