"""The loop over messages, and replies, of both clients over a session that is played."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
from collections import deque
from concurrent.futures import Future
from typing import Any

import pytest

from securechat.bot import AsyncClient, Client, CursorNotKept, Edited, Gap, Person, Refused, Sent, Stopped
from securechat.bot.base import MOST_COUNTED
from securechat.bot.cursor import Cursor, Progress
from securechat.bot.hearing import HeardEntry


def done(result: Any) -> Future[Any]:
    future: Future[Any] = Future()
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
    return future


class PlayedSession:
    """Hands out entries, and answers sends with rising seqs."""

    def __init__(self, *entries: HeardEntry) -> None:
        self.entries = deque(entries)
        self.taker: Future[HeardEntry] | None = None
        self.sent: list[tuple[str | int, str, int | None, str | None]] = []
        self.answers: deque[int | Exception] = deque()

    @property
    def waiting(self) -> int:
        return len(self.entries)

    def take(self) -> Future[HeardEntry]:
        if self.entries:
            return done(self.entries.popleft())
        self.taker = Future()
        return self.taker

    def send(self, target: str | int, text: str, reply: int | None, key: str | None, _files: Any = ()) -> Future[int]:
        self.sent.append((target, text, reply, key))
        return done(self.answers.popleft() if self.answers else 1000 + len(self.sent))

    def close(self) -> None:
        if self.taker is not None:
            self.taker.set_exception(Stopped("closed"))


class Disk:
    def __init__(self) -> None:
        self.kept: list[Cursor] = []
        self.full = False

    def write(self, cursor: Cursor) -> None:
        if self.full:
            raise CursorNotKept("full")
        self.kept.append(cursor)


def message(seq: int, *, own: bool = False, through: int | None = None, **more: object) -> HeardEntry:
    fields = {
        "seq": seq, "room": "ops", "sender": Person(9, "ana"), "to": None, "text": f"text {seq}",
        "sent_at": dt.datetime.fromtimestamp(0, dt.UTC), "own": own, **more,
    }  # fmt: skip
    return HeardEntry(seq, seq if through is None else through, fields)


def chat_over(session: PlayedSession, cursor: Cursor = Cursor(0), kind: type[Any] = Client) -> tuple[Any, Disk]:  # noqa: B008
    chat, disk = kind(name="robi"), Disk()
    chat._session, chat._progress, chat._cursor = session, Progress(cursor), disk
    return chat, disk


def test_a_message_is_being_handled_on_disk_before_the_loop_has_it_and_handled_when_the_next_is_asked_for() -> None:
    chat, disk = chat_over(PlayedSession(message(1), message(2)))
    messages = chat.messages()
    assert next(messages).text == "text 1"
    assert disk.kept[-1] == Cursor(0, at=1)
    assert next(messages).text == "text 2"
    assert disk.kept[-1] == Cursor(1, at=2)


def test_the_cursor_is_on_disk_before_the_loop_waits() -> None:
    session = PlayedSession(message(1))
    chat, disk = chat_over(session)
    messages = chat.messages()
    next(messages)
    when_it_waits: list[Cursor] = []

    def take() -> Future[HeardEntry]:
        when_it_waits.append(disk.kept[-1])
        return done(Stopped("over"))

    session.take = take  # type: ignore[method-assign]
    with pytest.raises(Stopped):
        next(messages)
    assert when_it_waits == [Cursor(1)]


def test_a_new_loop_goes_on_behind_the_message_of_the_one_before() -> None:
    chat, disk = chat_over(PlayedSession(message(1), message(2)))
    for first in chat.messages():
        assert first.seq == 1
        break
    assert next(chat.messages()).seq == 2
    assert disk.kept[-1] == Cursor(1, at=2)


def test_the_message_that_an_earlier_run_was_handling_comes_again_and_says_so() -> None:
    chat, _ = chat_over(PlayedSession(message(5), message(6)), Cursor(4, at=5))
    messages = chat.messages()
    assert [(each.seq, each.again) for each in (next(messages), next(messages))] == [(5, True), (6, False)]


def test_what_was_handled_above_a_gap_is_not_handed_out_again() -> None:
    chat, _ = chat_over(PlayedSession(message(7, through=4), message(5), message(8)), Cursor(4, above=(7,)))
    messages = chat.messages()
    assert [next(messages).seq, next(messages).seq] == [5, 8]


def test_own_messages_and_those_of_bots_are_left_out_unless_wanted() -> None:
    entries = [message(1, own=True, bot=True), message(2, bot=True), message(3, bot=False)]
    for wanted, seqs in (
        ({}, [3]),
        ({"own": True}, [1, 3]),
        ({"bots": True}, [2, 3]),
        ({"own": True, "bots": True}, [1, 2, 3]),
    ):
        chat, disk = chat_over(PlayedSession(*entries))
        messages = chat.messages(**wanted)
        assert [next(messages).seq for _ in seqs] == seqs
        assert disk.kept[-1].at == 3
        assert disk.kept[-1].done == 2


def test_events_are_all_of_it_and_messages_are_messages() -> None:
    edited = Edited(2, 1, "ops", Person(9, "ana"), "new")
    entries = [message(1, own=True), HeardEntry(2, 2, event=edited), HeardEntry(event=Gap("ops", 1)), message(3)]
    chat, _ = chat_over(PlayedSession(*entries))
    events = chat.events()
    assert [getattr(next(events), "seq", None) for _ in range(4)] == [1, 2, None, 3]
    chat, _ = chat_over(PlayedSession(*entries))
    assert next(chat.messages()).seq == 3


def test_behind_a_log_that_begins_anew_low_numbers_are_new() -> None:
    reset = HeardEntry(0, 2, event=Gap(None, None))
    chat, disk = chat_over(PlayedSession(reset, message(3)), Cursor(500, at=501, above=(505,)))
    assert next(chat.messages()).seq == 3
    assert disk.kept[-1] == Cursor(2, at=3)


def test_a_disk_that_takes_no_cursor_stops_the_loop_before_the_message_and_it_comes_when_there_is_space() -> None:
    chat, disk = chat_over(PlayedSession(message(1), message(2)))
    disk.full = True
    with pytest.raises(CursorNotKept):
        next(chat.messages())
    disk.full = False
    assert next(chat.messages()).seq == 1


def test_the_end_of_the_session_is_an_error_and_the_programs_own_is_none() -> None:
    chat, _ = chat_over(PlayedSession())
    chat._session.take = lambda: done(Stopped("banned"))
    with pytest.raises(Stopped):
        next(chat.messages())
    chat, _ = chat_over(PlayedSession())
    chat.close()
    chat._session.take = lambda: done(Stopped("closed"))
    assert list(chat.messages()) == []


def test_the_nth_reply_has_a_key_of_message_and_number() -> None:
    session = PlayedSession(message(7))
    chat, _ = chat_over(session)
    heard = next(chat.messages())
    sent = heard.reply("one")
    assert isinstance(sent, Sent)
    assert (sent, sent.target) == (1001, "ops")
    heard.reply("two")
    assert session.sent == [("ops", "one", 7, "reply:7:1"), ("ops", "two", 7, "reply:7:2")]


def test_a_reply_to_a_direct_message_goes_to_the_other_side() -> None:
    session = PlayedSession(
        message(7, room=None, to=3), message(8, room=None, to=9, own=True, sender=Person(3, "robi"))
    )
    chat, _ = chat_over(session)
    messages = chat.messages(own=True)
    next(messages).reply("to ana")
    next(messages).reply("to ana, too")
    assert [target for target, *_ in session.sent] == [9, 9]


def test_a_refused_reply_gives_its_number_back() -> None:
    """In the next run it may not be refused: the numbers of both runs must mean the same answers."""
    session = PlayedSession(message(7))
    chat, _ = chat_over(session)
    heard = next(chat.messages())
    session.answers += [Refused("muted", "You are muted"), 30]
    with pytest.raises(Refused):
        heard.reply("one")
    assert heard.reply("one, later") == 30
    assert [key for *_, key in session.sent] == ["reply:7:1", "reply:7:1"]


def test_a_reply_that_an_earlier_run_gave_otherwise_is_none_and_counts() -> None:
    session = PlayedSession(message(7))
    chat, _ = chat_over(session)
    heard = next(chat.messages())
    session.answers += [Refused("key_used", "The key is another message's")]
    assert heard.reply("one") is None
    heard.reply("two")
    assert session.sent[-1][-1] == "reply:7:2"


def test_replies_are_counted_for_so_many_messages() -> None:
    chat, _ = chat_over(PlayedSession())
    for seq in range(1, MOST_COUNTED + 50):
        assert chat._count_reply(seq) == 1
    assert len(chat._reply_counts) == MOST_COUNTED


def test_without_a_connection_a_request_says_so() -> None:
    with pytest.raises(Stopped, match="use it in a with block"):
        Client(name="robi").send("ops", "x")


def test_asyncio_hears_the_same_and_a_cancelled_wait_loses_no_message() -> None:
    session = PlayedSession()
    chat, disk = chat_over(session, kind=AsyncClient)

    async def run() -> list[int]:
        async def first() -> None:
            await anext(chat.messages())

        task = asyncio.create_task(first())
        while session.taker is None:  # noqa: ASYNC110 - it is a future of another thread
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        session.taker.set_result(message(1))  # it comes when nothing waits for it
        session.entries.append(message(2))
        heard = []
        async for each in chat.messages():
            heard.append(each.seq)
            assert await each.reply("ok") is not None
            if each.seq == 2:
                break
        return heard

    assert asyncio.run(run()) == [1, 2]
    assert disk.kept[-1] == Cursor(1, at=2)


def test_a_wait_that_is_cancelled_while_the_cursor_is_written_loses_no_message() -> None:
    session = PlayedSession(message(1))
    chat, _ = chat_over(session, kind=AsyncClient)

    async def run() -> int:
        async def cancelled(_do: object, *_: object) -> None:
            raise asyncio.CancelledError

        aside, chat._aside = chat._aside, cancelled
        with pytest.raises(asyncio.CancelledError):
            await anext(chat.messages())
        chat._aside = aside
        heard: int = (await anext(chat.messages())).seq
        return heard

    assert asyncio.run(run()) == 1


def test_a_cancelled_wait_that_fails_later_is_not_logged() -> None:
    """Such as the wait for a message under a time limit: it fails when the bot ends."""
    session = PlayedSession()
    chat, _ = chat_over(session, kind=AsyncClient)
    logged: list[dict[str, Any]] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: logged.append(context))

        async def first() -> None:
            await anext(chat.messages())

        task = asyncio.create_task(first())
        while session.taker is None:  # noqa: ASYNC110 - it is a future of another thread
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await chat.close()
        await asyncio.sleep(0)

    asyncio.run(run())
    chat._taking = session.taker = None
    gc.collect()
    assert not logged
