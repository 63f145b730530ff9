"""The list of all conversations: what it holds of each, for whom, and in pages that fit."""

from __future__ import annotations

from typing import Any

import pytest

from securechat.errors import ErrorCode
from securechat.limits import EXCERPT_CHARS, KIB, MAX_NAME_CHARS, MAX_ROOM_CHARS, Limits, PageLimits
from securechat.model import (
    AskConversations,
    AskUnread,
    ConversationItem,
    ConversationList,
    Delete,
    Direct,
    Edit,
    History,
    Join,
    Leave,
    Moderate,
    Nick,
    Person,
    Quit,
    Read,
    Refused,
    Register,
    Say,
    SetRoom,
    UnreadList,
    Welcome,
)
from securechat.testing.inline_log import InlineLog
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import PASSWORD, hello
from tests.unit.hub.admin.test_commands import act

CONTROL = "\x01"


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def account(rig: HubRig, name: str, *rooms: str) -> FakePeer:
    peer = rig.member(name)
    rig.do(peer, Register(ref=901, password=PASSWORD))
    for room in rooms:
        rig.do(peer, Join(ref=902, rooms=[room]))
    return peer


def who(peer: FakePeer) -> int:
    return peer.last(Welcome).sender_id


def pages(rig: HubRig, peer: FakePeer) -> list[ConversationList]:
    """Ask on until there is no more."""
    answers: list[ConversationList] = []
    while not answers or answers[-1].more:
        last = answers[-1] if answers else ConversationList(0)
        before = len(peer.events)
        rig.do(peer, AskConversations(7, last.through, last.through_room))
        (answer,) = peer.events[before:]
        assert isinstance(answer, ConversationList), answer
        assert answer.ref == 7
        answers.append(answer)
        assert len(answers) < 100
    return answers


def listed(rig: HubRig, peer: FakePeer) -> dict[str | int, ConversationItem]:
    """Every item, by room or by sender_id; each stands there once, in order."""
    items = [item for page in pages(rig, peer) for item in page.items]
    keys: list[Any] = [item.room if item.peer is None else item.peer.id for item in items]
    rooms = [key for key in keys if isinstance(key, str)]
    assert keys == sorted(rooms) + sorted(key for key in keys if isinstance(key, int))
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, items, strict=True))


def test_an_item_says_all_that_a_list_shows(rig: HubRig) -> None:
    ann, bob = account(rig, "ann", "ops", "quiet"), account(rig, "bob", "ops")
    rig.do(bob, Say(1, "ops", "one"))
    rig.do(bob, Say(2, "ops", "two @ann"))
    first, second = (message.seq for message in rig.fed)
    rig.do(ann, Read(first, room="ops"))
    rig.do(ann, SetRoom(1, "ops", slow_s=10))
    rig.do(bob, Direct(3, who(ann), "psst"))
    items = listed(rig, ann)
    assert list(items) == ["lobby", "ops", "quiet", who(bob)]
    record = rig.record("ops")
    assert record is not None
    bob_then = Person(who(bob), "bob")
    assert items["ops"] == ConversationItem(
        "ops", None, record.room_id, second, bob_then, rig.fed[1].sent_at_ms, "two @ann",
        read_seq=first, unread=1, mentions=1, first_seq=second, slow_s=10,
    )  # fmt: skip
    direct = rig.fed[2]
    assert items[who(bob)] == ConversationItem(
        None, bob_then, 0, direct.seq, bob_then, direct.sent_at_ms, "psst", unread=1, first_seq=direct.seq
    )
    assert items["lobby"] == ConversationItem("lobby")
    quiet = rig.record("quiet")
    assert quiet is not None
    assert items["quiet"] == ConversationItem("quiet", room_id=quiet.room_id)
    assert listed(rig, bob)[who(ann)].peer == Person(who(ann), "ann")


def test_counts_and_marks_are_those_of_unread(rig: HubRig) -> None:
    ann, bob = account(rig, "ann", "ops", "dev"), account(rig, "bob", "ops", "dev")
    for number in range(1, 8):
        rig.do(bob, Say(number, ("ops", "dev", "lobby")[number % 3], f"m{number} @ann"))
    rig.do(bob, Direct(8, who(ann), "psst"))
    rig.do(ann, Read(rig.fed[0].seq, room="dev"))
    rig.do(bob, Delete(9, rig.fed[3].seq, room=rig.fed[3].room))
    rig.do(ann, AskUnread(1))
    known = {item.room if item.peer is None else item.peer.id: item for item in ann.last(UnreadList).items}
    items = listed(rig, ann)
    assert {key for key, item in items.items() if item.unread} == set(known) == {"ops", "dev", "lobby", who(bob)}
    for key, item in known.items():
        assert key is not None
        told = items[key]
        assert (told.read_seq, told.unread, told.mentions, told.first_seq) == (
            item.read_seq, item.unread, item.mentions, item.first_seq,
        )  # fmt: skip


def test_what_was_read_just_before_in_the_same_write_counts_as_read(rig: HubRig) -> None:
    ann, bob = account(rig, "ann", "ops"), account(rig, "bob", "ops")
    rig.do(bob, Say(1, "ops", "one"))
    rig.do(ann, Read(rig.fed[0].seq, room="ops"), settle=False)
    rig.do(ann, AskConversations(7))
    assert [(item.read_seq, item.unread) for item in ann.last(ConversationList).items if item.room == "ops"] == [
        (rig.fed[0].seq, 0)
    ]


def test_a_text_is_cut_by_characters_and_says_so(rig: HubRig) -> None:
    ann = account(rig, "ann")
    whole = "\U0001f600" * EXCERPT_CHARS
    for number, text in enumerate((whole, whole + "x", "a\n\x1b[31mb"), 1):
        rig.do(ann, Say(number, "lobby", text))
        item = listed(rig, ann)["lobby"]
        assert item.text == text[:EXCERPT_CHARS]
        assert item.cut is (number == 2)


def test_a_last_message_is_shown_as_it_is_now_and_a_deleted_one_without_text(rig: HubRig) -> None:
    ann = account(rig, "ann")
    rig.do(ann, Say(1, "lobby", "frist"))
    seq = rig.fed[0].seq
    rig.do(ann, Edit(2, seq, "first", room="lobby"))
    assert (listed(rig, ann)["lobby"].last_seq, listed(rig, ann)["lobby"].text) == (seq, "first")
    rig.do(ann, Delete(3, seq, room="lobby"))
    item = listed(rig, ann)["lobby"]
    assert (item.last_seq, item.text, item.deleted) == (seq, "", True)


def test_an_item_names_who_edited_or_deleted_the_message_of_another(rig: HubRig) -> None:
    ann, bob = account(rig, "ann", "ops"), account(rig, "bob", "ops")
    rig.do(bob, Say(1, "ops", "rude words"))
    seq = rig.fed[0].seq
    rig.do(bob, Edit(2, seq, "ruder words", room="ops"))
    item = listed(rig, ann)["ops"]
    assert (item.text, item.edited_by, item.deleted_by) == ("ruder words", None, None), "the sender's own"
    rig.do(ann, Edit(1, seq, "kind words", room="ops"))
    item = listed(rig, bob)["ops"]
    assert (item.by, item.text) == (Person(who(bob), "bob"), "kind words")
    assert (item.edited_by, item.deleted_by) == (Person(who(ann), "ann"), None)
    rig.do(ann, Delete(2, seq, room="ops"))
    item = listed(rig, bob)["ops"]
    assert (item.deleted, item.edited_by, item.deleted_by) == (True, None, Person(who(ann), "ann"))


def test_a_mute_is_told_to_the_muted_alone(rig: HubRig) -> None:
    ann, bob, carl = (account(rig, name, "ops") for name in ("ann", "bob", "carl"))
    rig.do(ann, Moderate(1, "ops", who(bob), "mute", seconds=60))
    rig.do(ann, Moderate(1, "ops", who(carl), "mute"))
    rig.pass_time(20)
    assert listed(rig, ann)["ops"].muted_s == 0
    assert listed(rig, bob)["ops"].muted_s == pytest.approx(40, abs=1)
    assert listed(rig, carl)["ops"].muted_s is None
    assert listed(rig, carl)["lobby"].muted_s == 0
    rig.pass_time(60)
    assert listed(rig, bob)["ops"].muted_s == 0


@pytest.mark.parametrize(
    ("in_room", "on_server", "left_s"),
    [(None, 40, 40), (20, 40, 40), (90, 40, 90), (-1, 40, None), (20, -1, None), (None, -1, None), (-1, -1, None)],
)
def test_of_a_mute_on_the_server_and_one_in_the_room_the_longer_is_told(
    rig: HubRig, in_room: int | None, on_server: int, left_s: int | None
) -> None:
    """-1 for one without end."""
    ann, bob = account(rig, "ann", "ops"), account(rig, "bob", "ops")
    rig.do(ann, Direct(1, who(bob), "psst"))
    if in_room is not None:
        rig.do(ann, Moderate(2, "ops", who(bob), "mute", seconds=in_room if in_room > 0 else None))
    act(rig, "mute", "bob", reason="", duration_s=on_server if on_server > 0 else None)
    items = listed(rig, bob)
    on_server_s = on_server if on_server > 0 else None
    for key, expected in (("ops", left_s), ("lobby", on_server_s), (who(ann), on_server_s)):
        assert items[key].muted_s == (expected if expected is None else pytest.approx(expected, abs=1)), key
    assert {item.muted_s for item in listed(rig, ann).values()} == {0.0}
    rig.pass_time(100)
    endless = [key for key, item in listed(rig, bob).items() if item.muted_s is None]
    assert endless == (["lobby", "ops", who(ann)] if on_server == -1 else ["ops"] if in_room == -1 else [])
    assert {item.muted_s for item in listed(rig, bob).values()} <= {None, 0.0}


def test_nothing_is_told_that_history_does_not_tell(rig: HubRig) -> None:
    """Of a room with history from joining on, of rooms that were left, of dialogues between others."""
    ann, bob = account(rig, "ann", "ops", "secret"), account(rig, "bob")
    rig.do(ann, SetRoom(1, "ops", history="joined"))
    rig.do(ann, SetRoom(1, "secret", private=True))
    rig.do(ann, Say(1, "ops", "before he came"))
    rig.do(ann, Say(2, "secret", "of no concern to him"))
    rig.do(bob, Join(1, ["ops"]))
    assert listed(rig, bob)["ops"].last_seq == 0
    assert "secret" not in listed(rig, bob)
    rig.do(ann, Say(3, "ops", "hello bob"))
    assert listed(rig, bob)["ops"].text == "hello bob"
    carl = account(rig, "carl")
    rig.do(ann, Direct(4, who(carl), "between us"))
    assert "between us" not in repr(listed(rig, bob))
    rig.do(bob, Leave(2, "ops"))
    assert "ops" not in listed(rig, bob)


def test_a_guest_gets_rooms_and_dialogues_without_counts(rig: HubRig) -> None:
    bob = account(rig, "bob", "ops")
    guest = rig.member("guest")
    rig.do(guest, Join(1, ["ops", "den"]))
    rig.do(bob, Say(1, "ops", "hello @guest"))
    rig.do(bob, Direct(2, who(guest), "psst"))
    rig.do(guest, Read(rig.fed[0].seq, room="ops"))
    items = listed(rig, guest)
    assert list(items) == ["den", "lobby", "ops", who(bob)]
    assert (items["ops"].text, items["ops"].room_id > 0, items["den"].room_id) == ("hello @guest", True, 0)
    assert {(item.read_seq, item.unread, item.mentions, item.first_seq) for item in items.values()} == {(0, 0, 0, 0)}


def test_a_dialogue_has_the_present_name_or_the_last_one_known(rig: HubRig) -> None:
    ann = account(rig, "ann")
    guest, other = rig.member("guest"), rig.member("other")
    rig.do(guest, Direct(1, who(ann), "hello"))
    rig.do(guest, Nick(1, "newname"))
    item = listed(rig, ann)[who(guest)]
    assert (item.peer, item.by) == (Person(who(guest), "newname"), Person(who(guest), "guest"))
    rig.do(ann, Direct(1, who(other), "hello"))
    for peer in (guest, other):
        rig.do(peer, Quit())
    assert listed(rig, ann)[who(guest)].peer == Person(who(guest), "guest"), "as it was called in what it said"
    assert listed(rig, ann)[who(other)].peer == Person(who(other), "other"), "as it was called in what it was told"


def test_rooms_and_dialogues_of_the_longest_come_in_pages_that_fit() -> None:
    """`HubRig` encodes every page, and refuses one that is longer than a frame."""
    small = PageLimits.of_frames(4 * KIB)
    rig = HubRig(Limits(rooms_per_member=500), pages=small)
    ann, bob = account(rig, "ann"), account(rig, "bob")
    rooms = ["\U00010331" * (MAX_ROOM_CHARS - 2) + f"{number:02d}" for number in range(8)]
    for peer in (ann, bob):
        rig.do(peer, Join(1, rooms))
    for number, room in enumerate(rooms, 1):
        rig.do(bob, Say(number, room, CONTROL * small.text_chars))
    guests = [rig.member("\U00010331" * (MAX_NAME_CHARS - 4) + f"{n:04d}") for n in range(12)]
    for guest in guests:
        rig.do(guest, Direct(1, who(ann), CONTROL * small.text_chars))
    assert not any(peer.of(Refused) for peer in (ann, bob, *guests))
    answers = pages(rig, ann)
    assert len(answers) > 5
    assert all(page.items for page in answers)
    assert list(listed(rig, ann)) == ["lobby", *rooms, *(who(guest) for guest in guests)]


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 7])
def test_pages_of_any_length_lose_nothing(rows: int) -> None:
    rig = HubRig(pages=PageLimits(page_rows=rows))
    ann = account(rig, "ann", "a", "b", "c")
    guests = [rig.member(f"guest{number}") for number in range(4)]
    for guest in guests:
        rig.do(guest, Direct(1, who(ann), "hello"))
    assert all(len(page.items) <= rows for page in pages(rig, ann))
    assert list(listed(rig, ann)) == ["a", "b", "c", "lobby", *(who(guest) for guest in guests)]


def test_it_shares_the_one_place_with_history(rig: HubRig) -> None:
    ann = account(rig, "ann")
    rig.do(ann, History(1), settle=False)
    rig.do(ann, AskConversations(2), settle=False)
    assert ann.last(Refused).code is ErrorCode.BUSY
    rig.settle()
    assert not ann.of(ConversationList)


def test_a_room_that_was_left_while_the_log_read_is_not_told(rig: HubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is thrown away, and the question is asked anew: a second question to the log, and one answer."""
    ann = account(rig, "ann", "ops")
    rig.do(ann, Say(1, "ops", "hello"))
    held: list[Any] = []
    read = InlineLog.conversations
    monkeypatch.setattr(InlineLog, "conversations", lambda *question: held.append(question))
    second = hello(rig, "ann", password=PASSWORD)
    rig.do(ann, AskConversations(7))
    rig.do(second, Leave(8, "ops", sure=True))
    for number in (1, 2):
        assert len(held) == number
        assert not ann.of(ConversationList)
        read(*held[-1])
        rig.settle()
    (answer,) = ann.of(ConversationList)
    assert [item.room for item in answer.items] == ["lobby"]


def test_one_question_to_the_log_for_a_page(rig: HubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = account(rig, "ann", *(f"r{number}" for number in range(20)))
    asked = []
    read = InlineLog.conversations
    monkeypatch.setattr(InlineLog, "conversations", lambda *args: (asked.append(args[1]), read(*args)))
    for kind in ("history", "unread", "room_figures"):
        monkeypatch.setattr(InlineLog, kind, lambda *_: pytest.fail("another question"))
    rig.do(ann, AskConversations(7))
    assert len(ann.last(ConversationList).items) == 21
    assert len(asked) == 1
