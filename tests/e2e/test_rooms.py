"""Rooms, changes of messages, search and read marks with a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from securechat.errors import ErrorCode
from securechat.model import (
    Acked,
    AskConversations,
    AskUnread,
    ConversationItem,
    ConversationList,
    Delete,
    Deleted,
    Direct,
    Done,
    Edit,
    Edited,
    Grant,
    History,
    HistoryPage,
    InviteTo,
    Join,
    Joined,
    Moderate,
    React,
    Reacted,
    Read,
    Refused,
    Say,
    Search,
    SearchPage,
    SetRoom,
    UnreadList,
    Welcome,
)
from tests.e2e.test_accounts import prove, register
from tests.support.admin import needs_socket, refused, rows, told
from tests.support.native import NativeClient
from tests.support.secrecy import PASSWORD
from tests.support.server import ServerProcess, wait_until

Connect = Callable[..., NativeClient]


def account(server: ServerProcess, connect: Connect, name: str, *rooms: str) -> NativeClient:
    client = connect(server, name)
    register(client)
    for room in rooms:
        client.join(room)
    return client


def ask(client: NativeClient, command: Any, kind: Any = Done) -> Any:
    client.send(command)
    answer = client.wait_for(kind | Refused, lambda event: event.ref == command.ref)
    assert isinstance(answer, kind), answer
    return answer


def revise(client: NativeClient, command: Any) -> Acked:
    client.send(command)
    answer = client.wait_for(Acked | Refused, lambda event: event.client_id == command.client_id)
    assert isinstance(answer, Acked), answer
    return answer


def who(client: NativeClient) -> int:
    return client.wait_for(Welcome).sender_id


def test_rooms_rights_and_members_survive_kill_9(server: ServerProcess, connect: Connect) -> None:
    ann, bob = account(server, connect, "ann", "ops"), account(server, connect, "bob")
    ask(ann, SetRoom(ref=50, room="ops", private=True, topic="printers"))
    ask(ann, InviteTo(ref=51, room="ops", person=who(bob)))
    bob.join("ops")
    ask(ann, Grant(ref=52, room="ops", person=who(bob), role="moderator"))
    server.kill()
    server.start()
    back = connect(server)
    assert isinstance(prove(back, "bob", password=PASSWORD), Welcome)
    joined = back.wait_for(Joined, lambda event: event.room == "ops")
    assert (joined.role, joined.private, joined.topic) == ("moderator", True, "printers")
    eve = connect(server, "eve")
    eve.send(Join(ref=9, rooms=["ops"]))
    assert eve.wait_for(Refused).code is ErrorCode.NO_SUCH_ROOM


def test_late_readers_see_what_was_mended_and_early_ones_the_change(server: ServerProcess, connect: Connect) -> None:
    ann, bob = account(server, connect, "ann"), connect(server, "bob")
    first, second = ann.say_acked("a mistake").seq, ann.say_acked("too much").seq
    revise(ann, Edit(client_id=101, seq=first, text="mended", room="lobby"))
    revise(ann, Delete(client_id=102, seq=second, room="lobby"))
    revise(ann, React(client_id=103, seq=first, sign="👍", room="lobby"))
    assert bob.wait_for(Edited).text == "mended"
    assert bob.wait_for(Deleted).target == second
    assert bob.wait_for(Reacted).sign == "👍"
    server.kill()
    server.start()
    late = connect(server, "late")
    late.send(History(ref=5, room="lobby"))
    one, two = late.wait_for(HistoryPage).messages
    assert (one.text, bool(one.edited), [(each.sign, len(each.by)) for each in one.reactions]) == (
        "mended", True, [("👍", 1)],
    )  # fmt: skip
    assert (two.text, bool(two.deleted)) == ("", True)


@pytest.mark.slow
def test_no_file_holds_what_was_mended_or_deleted_a_minute_later(server: ServerProcess, connect: Connect) -> None:
    ann = account(server, connect, "ann")
    first = ann.say_acked("unrepeatablewords said in haste").seq
    second = ann.say_acked("unspeakablewords said in anger").seq
    found = ask(ann, Search(ref=60, query="unrepeatablewords"), SearchPage)
    assert found.hits or found.indexed is not None
    revise(ann, Edit(client_id=101, seq=first, text="mended", room="lobby"))
    revise(ann, Delete(client_id=102, seq=second, room="lobby"))

    def is_gone() -> bool:
        files = [path for path in Path(server.data).rglob("*") if path.is_file()]
        return not any(
            word in path.read_bytes() for path in files for word in (b"unrepeatablewords", b"unspeakablewords")
        )

    wait_until(is_gone, "the old words are in no file", patience_s=75)


def test_search_finds_what_one_may_read_and_nothing_else(server: ServerProcess, connect: Connect) -> None:
    ann, bob = account(server, connect, "ann", "secret"), account(server, connect, "bob", "open")
    ask(ann, SetRoom(ref=50, room="secret", private=True))
    ann.say_acked("the drucker is broken", "secret")
    bob.say_acked("the Drucker prints again, see https://example.org", "open")

    def hits(client: NativeClient, query: str) -> list[str]:
        ref = 1000 + len(client.events)
        page = ask(client, Search(ref=ref, query=query), SearchPage)
        return [hit.message.text for hit in page.hits]

    wait_until(lambda: hits(ann, "drucker"), "indexed")
    assert hits(ann, "drucker") == ["the drucker is broken"]
    wait_until(lambda: hits(bob, "druck*"), "indexed")
    assert hits(bob, "druck*") == ["the Drucker prints again, see https://example.org"]
    assert hits(bob, "has:link from:bob") == hits(bob, "in:open")
    bob.send(Search(ref=77, query="in:secret drucker"))
    assert bob.wait_for(Refused, lambda event: event.ref == 77).code is ErrorCode.NOT_A_MEMBER


def test_what_was_read_is_remembered_on_the_next_device(server: ServerProcess, connect: Connect) -> None:
    ann, bob = account(server, connect, "ann", "ops"), account(server, connect, "bob", "ops")
    seqs = [bob.say_acked(text, "ops").seq for text in ("one", "two @ann", "three")]
    ann.wait_for_text("three")
    ann.send(Read(seq=seqs[0], room="ops"))
    unread = ask(ann, AskUnread(ref=70), UnreadList).items
    assert [(item.room, item.unread, item.mentions, item.first_seq) for item in unread if item.room == "ops"] == [
        ("ops", 2, 1, seqs[1])
    ]
    ann.send(Read(seq=seqs[2], room="ops"))
    assert not [item for item in ask(ann, AskUnread(ref=72), UnreadList).items if item.room == "ops"]
    server.kill()
    server.start()
    back = connect(server)
    assert isinstance(prove(back, "ann", password=PASSWORD), Welcome)
    back.wait_for(Joined, lambda event: event.room == "ops")
    items = ask(back, AskUnread(ref=71), UnreadList).items
    assert "ops" not in [item.room for item in items]


def test_one_answer_holds_all_that_a_list_of_conversations_shows(server: ServerProcess, connect: Connect) -> None:
    """As after a login in a browser: rooms and dialogues, what was said last, what is unread, who is muted."""
    ann, bob = account(server, connect, "ann", "ops"), account(server, connect, "bob", "ops", "quiet")
    ask(ann, SetRoom(ref=50, room="ops", slow_s=5))
    seqs = [ann.say_acked(text, "ops").seq for text in ("one", "two @bob")]
    long = ann.say_acked("\x1b[31m" + "\U0001f600" * 200).seq
    ann.send(Direct(50, who(bob), "psst"))
    direct = ann.wait_for(Acked, lambda acked: acked.client_id == 50).seq
    bob.wait_for_text("psst")
    bob.send(Read(seq=seqs[0], room="ops"))
    ask(ann, Moderate(51, "ops", who(bob), "mute", reason="shouting"))
    revise(ann, Delete(client_id=51, seq=direct, to=who(bob)))

    def listed(client: NativeClient, ref: int) -> dict[str | int, ConversationItem]:
        page = ask(client, AskConversations(ref), ConversationList)
        assert not page.more
        return {item.room or item.peer.id: item for item in page.items}

    def check(items: dict[str | int, ConversationItem]) -> None:
        assert list(items) == ["lobby", "ops", "quiet", who(ann)]
        ops, lobby, dialogue = items["ops"], items["lobby"], items[who(ann)]
        assert (ops.last_seq, ops.text, ops.read_seq, ops.first_seq) == (seqs[1], "two @bob", seqs[0], seqs[1])
        assert (ops.unread, ops.mentions, ops.muted_s, ops.slow_s) == (1, 1, None, 5)
        assert (lobby.last_seq, lobby.text, lobby.cut) == (long, "\x1b[31m" + "\U0001f600" * 95, True)
        assert (dialogue.last_seq, dialogue.text, dialogue.deleted, dialogue.unread) == (direct, "", True, 0)
        assert (items["quiet"].last_seq, items["quiet"].room_id > 0) == (0, True)

    check(listed(bob, 60))
    guest = connect(server, "guest")
    told = listed(guest, 61)
    assert [(item.room, item.last_seq, item.unread) for item in told.values()] == [("lobby", long, 0)]
    server.kill()
    server.start()
    back = connect(server)
    assert isinstance(prove(back, "bob", password=PASSWORD), Welcome)
    check(listed(back, 70))


@needs_socket
def test_a_room_is_exported_as_it_is_now(server: ServerProcess, connect: Connect) -> None:
    ann = account(server, connect, "ann", "ops")
    first, second = ann.say_acked("one", "ops").seq, ann.say_acked("\x1b[31mtwo", "ops").seq
    revise(ann, Edit(client_id=101, seq=first, text="ein", room="ops"))
    revise(ann, React(client_id=102, seq=second, sign="👍", room="ops"))
    for target in (server.data / "no.jsonl", None):
        words = ["export", "#ops", *(["--to", str(target)] if target else [])]
        printed = told(server, *words)
        text = target.read_text() if target else printed
        assert text.isascii()
        lines = [json.loads(line) for line in text.splitlines()]
        assert [(line["seq"], line["name"], line["text"]) for line in lines] == [
            (first, "ann", "ein"),
            (second, "ann", "\x1b[31mtwo"),
        ]
        assert lines[0]["edited_at_ms"] >= lines[0]["sent_at_ms"]
        assert list(lines[1]["reactions"]) == ["👍"]
    assert "room" in refused(server.data, 1, "export", "nowhere")
    assert "exists. Choose another" in refused(server.data, 1, "export", "ops", "--to", str(server.data / "no.jsonl"))
    assert [entry["act"] for entry in rows(server, "audit")][-2:] == ["export", "export"]


def test_an_old_client_lives_with_all_of_it(server: ServerProcess, connect: Connect) -> None:
    """The foundation's record of a message still reads what it knows of today's."""
    ann = account(server, connect, "ann")
    seq = ann.say_acked("hello").seq
    ann.send(Say(50, "lobby", "and again", reply=seq))
    assert ann.wait_for_text("and again").reply == seq
