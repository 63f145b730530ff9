"""Behaviours 1 to 6 of the foundation, seen from the wire: echo, names, many clients, broadcast, notices, leaving."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from securechat.errors import ErrorCode
from securechat.model import (
    Acked,
    Direct,
    Found,
    Hello,
    Joined,
    Message,
    Named,
    Nick,
    Presence,
    Quit,
    Refused,
    Roster,
    Welcome,
    Who,
    Whois,
)
from tests.e2e.conftest import Connect
from tests.support.server import ServerProcess

CROWD = Path(__file__).parents[1] / "support" / "crowd.py"


def test_1_echo_one_client_alone_gets_the_servers_copy_identical_with_its_number(
    server: ServerProcess, connect: Connect
) -> None:
    alice = connect(server, "alice")
    text = "hello, world — 你好\nsecond line"
    acked = alice.say_acked(text)
    copy = alice.wait_for(Message)
    assert (copy.text, copy.seq, copy.name, copy.room, copy.prev) == (text, acked.seq, "alice", "lobby", 0)
    assert alice.events.index(acked) < alice.events.index(copy)  # the ack comes first, in the same flush


def test_2_a_name_is_logged_with_its_address_and_a_taken_one_is_refused_and_asked_again(
    server: ServerProcess, connect: Connect
) -> None:
    connect(server, "user1 pc")
    record = server.wait_for_event("named", name="user1 pc")
    assert record["address"].startswith("127.0.0.1:")

    second = connect(server)
    for look_alike in ("user1 pc", "USER1  PC", "user1_pc", "ｕｓｅｒ1 pc"):
        second.send(Hello(version=1, name=look_alike, secret=second.secret))
        refused = second.wait_for(Refused)
        second.events.clear()
        assert refused.code is ErrorCode.NAME_IN_USE
    refusal = server.wait_for_event("refused")
    assert "taken" in refusal["reason"]
    second.hello("user2")  # the same connection may try again


@pytest.mark.parametrize("name", ["server", "System", "a:b", "#x", "", "-x", "x" * 33, "a\x1b[31mb", "a\u202eb"])
def test_2_names_that_cannot_be_are_refused_with_a_sentence(
    standing: ServerProcess, connect: Connect, name: str
) -> None:
    client = connect(standing)
    client.send(Hello(version=1, name=name, secret=client.secret))
    refused = client.wait_for(Refused)
    assert refused.code in {ErrorCode.NAME_INVALID, ErrorCode.NAME_RESERVED}
    assert "Choose" in refused.text or "cannot be empty" in refused.text


@pytest.mark.parametrize(
    ("processes", "clients", "messages"),
    [(7, 1, 20), pytest.param(2, 100, 2, marks=pytest.mark.slow)],
    ids=["seven processes", "200 connections from two processes"],
)
def test_3_many_clients_in_one_room_all_see_all_in_the_same_order(
    certs: Path, tmp_path: Path, processes: int, clients: int, messages: int
) -> None:
    with ServerProcess(certs, tmp_path / "data", "--rate-limit", "off").start() as server:
        expected = processes * clients * messages
        crowds = [
            subprocess.Popen(
                [sys.executable, str(CROWD), str(server.port), str(server.ca), f"p{i}", str(clients), str(messages),
                 str(expected), str(processes * clients)],
                stdout=subprocess.PIPE, text=True,
            )
            for i in range(processes)
        ]  # fmt: skip
        seen = []
        for crowd in crowds:
            output, _ = crowd.communicate(timeout=120)
            assert crowd.returncode == 0, output
            seen += json.loads(output)
    assert len(seen) == processes * clients
    assert len(seen[0]) == expected
    assert all(order == seen[0] for order in seen)


def test_4_broadcast_others_see_name_and_message_and_the_sender_sees_it_once(
    server: ServerProcess, connect: Connect
) -> None:
    alice, bob = connect(server, "alice"), connect(server, "bob")
    alice.say("to everybody")
    alice.say("the end")
    for client in (alice, bob):
        client.wait_for_text("the end")
        assert [(m.name, m.text) for m in client.messages()] == [("alice", "to everybody"), ("alice", "the end")]


def test_5_join_and_leave_notices_reach_everyone_and_the_newcomer_is_greeted(
    server: ServerProcess, connect: Connect
) -> None:
    alice = connect(server, "alice")
    bob = connect(server)
    welcome = bob.hello("bob")
    joined = bob.wait_for(Joined)
    assert (joined.room, joined.total) == ("lobby", 2)
    assert {person.name for person in joined.members} == {"alice", "bob"}
    came = alice.wait_for(Presence, lambda p: any(person.name == "bob" for person in p.joined))
    assert came.total == 2

    bob.say("last words")
    bob.send(Quit())
    went = alice.wait_for(Presence, lambda p: bool(p.left))
    assert went.left[0].id == welcome.sender_id
    last = alice.wait_for_text("last words")
    assert alice.events.index(last) < alice.events.index(went)  # a leaver's notice comes after the last message


def test_6_a_quit_and_a_killed_client_are_logged_and_the_others_carry_on(
    server: ServerProcess, connect: Connect
) -> None:
    alice, bob, carol = connect(server, "alice"), connect(server, "bob"), connect(server, "carol")
    bob.send(Quit())
    assert bob.last_words().code is ErrorCode.BYE
    server.wait_for_event("disconnected", name="bob", reason="bye")
    carol.close()
    server.wait_for_event("disconnected", name="carol")
    alice.say_acked("still here")
    alice.wait_for_text("still here")


def test_a_quit_frees_the_name_at_once_and_a_loss_keeps_it(server: ServerProcess, connect: Connect) -> None:
    bob = connect(server, "bob")
    bob.send(Quit())
    bob.last_words()
    server.wait_for_event("disconnected", name="bob")
    bob = connect(server, "bob")
    bob.close()
    server.wait_for_event("disconnected", name="bob", reason="truncated")
    thief = connect(server)
    thief.send(Hello(version=1, name="bob", secret=thief.secret))
    refused = thief.wait_for(Refused)
    assert refused.code is ErrorCode.NAME_IN_USE
    assert refused.retry_after_s is not None
    assert 0 < refused.retry_after_s <= 120
    back = connect(server, secret=bob.secret)
    assert back.hello("bob").resumed


def test_the_same_secret_takes_over_the_old_connection(server: ServerProcess, connect: Connect) -> None:
    first = connect(server, "alice")
    witness = connect(server, "bob")
    before = len(witness.events)
    second = connect(server, secret=first.secret)
    second.hello("alice")
    assert first.last_words().code is ErrorCode.REPLACED
    second.say_acked("it is me")
    witness.wait_for_text("it is me")
    assert not [event for event in witness.events[before:] if isinstance(event, Presence) and event.left]


def test_direct_messages_reach_two_people_and_are_refused_to_absent_guests(
    server: ServerProcess, connect: Connect
) -> None:
    alice, bob, carol = connect(server, "alice"), connect(server, "bob"), connect(server, "carol")
    alice.send(Whois(ref=1, name="BOB"))
    bob_id = alice.wait_for(Found).person.id
    alice.send(Direct(client_id=1, to=bob_id, text="psst"))
    alice.wait_for(Acked)
    for client in (alice, bob):
        message = client.wait_for_text("psst")
        assert (message.room, message.to, message.to_name) == (None, bob_id, "bob")
    alice.send(Direct(client_id=2, to=999_999, text="anybody?"))
    assert alice.wait_for(Refused).code is ErrorCode.PERSON_ABSENT
    bob.say_acked("public")
    carol.wait_for_text("public")
    assert [message.text for message in carol.messages()] == ["public"]
    assert [message.text for message in carol.history()] == ["public"]  # nor in the history of all that is hers
    assert [message.text for message in bob.history()] == ["psst", "public"]


def test_rooms_are_apart_and_only_members_speak_and_read(server: ServerProcess, connect: Connect) -> None:
    alice, bob = connect(server, "alice"), connect(server, "bob")
    assert alice.join("#Ops").room == "ops"
    alice.say_acked("in ops", room="ops")
    client_id = bob.say("not allowed", room="ops")
    refused = bob.wait_for(Refused, lambda r: r.client_id == client_id)
    assert refused.code is ErrorCode.NOT_A_MEMBER
    bob.join("ops")
    assert [message.text for message in bob.history("ops")] == ["in ops"]
    bob.send(Who(ref=77, room="#ops"))
    roster = bob.wait_for(Roster)
    assert [person.name for person in roster.members] == ["alice", "bob"]


def test_a_new_name_reaches_everyone(server: ServerProcess, connect: Connect) -> None:
    alice, bob = connect(server, "alice"), connect(server, "bob")
    alice.send(Nick(ref=5, name="Alice Cooper"))
    assert alice.wait_for(Named).name == "Alice Cooper"
    renamed = bob.wait_for(Presence, lambda p: bool(p.renamed)).renamed[0]
    assert (renamed.old, renamed.new) == ("alice", "Alice Cooper")
    connect(server, "alice")  # the old name is free


def test_an_identity_is_the_same_sender_after_a_restart_and_a_retry_is_stored_once(
    server: ServerProcess, connect: Connect
) -> None:
    alice = connect(server)
    first = alice.hello("alice")
    acked = alice.say_acked("only once")
    server.kill()
    server.start()
    again = connect(server, secret=alice.secret)
    welcome = again.hello("alice")
    assert welcome.sender_id == first.sender_id
    assert welcome.last_client_id == acked.client_id
    again.say("only once", client_id=acked.client_id)
    assert again.wait_for(Acked).seq == acked.seq
    assert [message.text for message in again.history("lobby")] == ["only once"]


def test_sigterm_drains_tells_the_clients_and_exits_0(server: ServerProcess, connect: Connect) -> None:
    alice = connect(server, "alice")
    client_ids = [alice.say(f"last {i}") for i in range(5)]
    alice.wait_for(Acked, lambda acked: acked.client_id == client_ids[-1])
    server.signal(signal.SIGTERM)
    assert alice.last_words().code is ErrorCode.SHUTTING_DOWN
    assert server.wait() == 0
    assert any("stopped" in line for line in server.lines)


def test_a_second_server_on_the_same_data_is_refused_with_a_sentence(server: ServerProcess) -> None:
    second = ServerProcess(server.certs, server.data)
    second.start(wait=False)
    assert second.wait() != 0
    assert str(server.data) in second.stderr or "already" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


def test_message_text_is_on_the_console_only_when_asked_for(certs: Path, tmp_path: Path, connect: Connect) -> None:
    for flags, shown in (((), False), (("--show-messages",), True)):
        with ServerProcess(certs, tmp_path / f"data{shown}", *flags).start() as server:
            alice = connect(server, "alice")
            alice.say_acked("s3cret words\x1b[2J")
            alice.send(Quit())
            server.wait_for_event("disconnected", name="alice")
            joined = "\n".join(server.lines)
            assert ("s3cret words" in joined) is shown
            assert "\x1b" not in joined


def test_welcome_comes_before_anything_else(server: ServerProcess, connect: Connect) -> None:
    alice = connect(server, "alice")
    assert [type(event) for event in alice.events[:2]] == [Welcome, Joined]
