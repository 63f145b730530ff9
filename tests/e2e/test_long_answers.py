"""Answers that would be longer than a frame, asked of real servers: each comes in pages, and the server stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from securechat.limits import (
    MAX_NAME_CHARS,
    MAX_REACTIONS,
    MAX_ROOM_CHARS,
    MAX_SIGN_CHARS,
    MAX_TEXT_CHARS,
    Limits,
)
from securechat.model import (
    Acked,
    AskConversations,
    AskUnread,
    ConversationItem,
    ConversationList,
    Draft,
    History,
    HistoryPage,
    React,
    UnreadList,
    Welcome,
)
from securechat.records.log import Identity
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.store import IdentifySender
from tests.e2e.test_accounts import prove, register
from tests.e2e.test_rooms import ask
from tests.support.native import NativeClient
from tests.support.screen import Screen
from tests.support.secrecy import PASSWORD
from tests.support.server import ServerProcess

Connect = Callable[..., NativeClient]
Open = Callable[..., Screen]
GUESTS = 1_000


def write_from_guests(data: Path, to: int) -> None:
    """What each of many guests did over a connection of its own: come, and write one direct message."""
    store = SqliteStore(data, Limits())
    store.open()
    came = store.apply(
        [IdentifySender(n.to_bytes(32, "big"), f"guest {n}", f"guest {n}") for n in range(1, GUESTS + 1)]
    )
    drafts = [
        Draft(who.sender_id, "guest", 1, "hello", to=to, to_name="ann", stream=who.stream)
        for who in came.outcomes
        if isinstance(who, Identity)
    ]
    assert len(store.apply(drafts).fresh) == GUESTS
    store.close()


@pytest.mark.slow
def test_a_thousand_unread_dialogues_come_in_pages(server: ServerProcess, connect: Connect, screen: Open) -> None:
    """Each guest needs a second over a connection; the server ended as soon as the account asked, and every time."""
    ann = connect(server, "ann")
    register(ann)
    server.kill()
    write_from_guests(server.data, ann.wait_for(Welcome).sender_id)
    server.start()
    back = connect(server)
    assert isinstance(prove(back, "ann", password=PASSWORD), Welcome)
    people: list[int] = []
    page = UnreadList(0, more=True)
    for ref in range(70, 90):
        page = ask(back, AskUnread(ref, page.through, page.through_room), UnreadList)
        people += [item.peer.id for item in page.items if item.peer is not None]
        if not page.more:
            break
    assert len(people) == len(set(people)) == GUESTS
    listed: list[ConversationItem] = []
    answer = ConversationList(0, more=True)
    for ref in range(90, 110):
        answer = ask(back, AskConversations(ref, answer.through, answer.through_room), ConversationList)
        listed += answer.items
        if not answer.more:
            break
    assert [item.room for item in listed if item.room] == ["lobby"]
    assert [item.peer.id for item in listed if item.peer is not None] == people
    assert {(item.text, item.unread) for item in listed if item.peer is not None} == {("hello", 1)}
    person = screen("--name", "ann", rows=60)
    person.wait_for("Password for ann")
    person.line(PASSWORD)
    person.wait_for(f"and {GUESTS - 8} more conversations")
    person.line("/unread")
    person.wait_for(f"{GUESTS}  ")
    assert connect(server, "someone else")
    assert server.stop() == 0


def test_a_page_around_the_longest_messages_fits(certs: Path, tmp_path: Path, connect: Connect) -> None:
    """A long text, and below it one as long as can be with every reaction it can have: the server ended, every time."""
    with ServerProcess(certs, tmp_path / "data", "--rate-limit", "off").start() as server:
        ann = connect(server, "\U00010331" * MAX_NAME_CHARS)
        room = "\U00010331" * MAX_ROOM_CHARS
        ann.join(room)
        ann.say_acked("\x01" * (MAX_TEXT_CHARS - 60), room)
        seq = ann.say_acked("\x01" * MAX_TEXT_CHARS, room).seq
        signs = ["\U0001f600" * (MAX_SIGN_CHARS - 1) + chr(0x1F400 + n) for n in range(MAX_REACTIONS)]
        ann.send(*(React(10 + n, seq, sign, room) for n, sign in enumerate(signs)))
        ann.wait_for(Acked, lambda acked: acked.client_id == 9 + MAX_REACTIONS)
        page = ask(ann, History(1_000, room, around=seq), HistoryPage)
        assert [message.seq for message in page.messages] == [seq]
        assert len(page.messages[0].reactions) == MAX_REACTIONS
        server.kill()
        server.start()
        back = connect(server, "ann")
        back.join(room)
        assert ask(back, History(1, room, around=seq), HistoryPage).messages == page.messages
        assert server.stop() == 0
