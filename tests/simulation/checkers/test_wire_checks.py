"""The checker of one connection: an honest conversation passes, and each kind of defect is seen when it comes by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, get_args

import pytest
from msgspec.structs import replace

from securechat.errors import ErrorCode
from securechat.model import (
    Acked,
    Closing,
    Command,
    Delete,
    Deleted,
    Direct,
    Edit,
    Edited,
    Event,
    Hello,
    History,
    HistoryPage,
    Hit,
    Joined,
    Left,
    Message,
    Ping,
    React,
    Reacted,
    Read,
    ReadElsewhere,
    Refused,
    RoomRules,
    Say,
    Search,
    SearchPage,
    Welcome,
)
from securechat.testing.acks import HistoryBroken
from tests.simulation.checkers.transcript import Transcript
from tests.simulation.checkers.wire_checks import Realtime, SentDraft, Stream, WireChecker

Wire: TypeAlias = Command | Event
ME, BOB, EVE = 1, 2, 3
HELLO = Hello(version=1, name="ann", secret="0" * 32)
WELCOME = Welcome(1, "server/1", ME, "ann", live_from=10)
LOBBY = Joined("lobby", 10, 1)
IN = (HELLO, WELCOME, LOBBY)


def msg(seq: int, prev: int, sender_id: int = BOB, **more: Any) -> Message:
    text = more.pop("text", f"text {seq}")
    return Message(seq, prev, sender_id, "somebody", 0, text, **({"room": "lobby"} if "to" not in more else {}), **more)


def other_room(message: Message) -> Message:
    return replace(message, room="ops")


@dataclass
class Bench:
    """A connection, with everything that outlives it."""

    realtime: Realtime = field(default_factory=Realtime)
    stream: Stream = field(default_factory=Stream)
    transcript: Transcript | None = None

    def __post_init__(self) -> None:
        self.checker = self.connect()

    def connect(self) -> WireChecker:
        self.checker = WireChecker("ann", self.realtime, self.stream, self.transcript)
        return self.checker

    def tell(self, *records: Wire) -> Bench:
        for record in records:
            if isinstance(record, get_args(Command)):
                self.checker.sent(record)
            else:
                self.checker.received(record)
        return self


def test_an_honest_conversation_passes() -> None:
    bench = Bench().tell(
        *IN,
        Say(1, "lobby", "one"),
        Direct(2, BOB, "two"),
        Acked(1, 11),
        msg(11, 9, ME),
        Acked(2, 12),
        msg(12, 0, ME, to=BOB),
        Edit(3, 11, "mended", "lobby"),
        React(4, 12, "+", to=BOB),
        Delete(5, 11, "lobby"),
        Acked(3, 13),
        Edited(13, 11, ME, "ann", 0, "lobby", text="mended"),
        Acked(4, 14),
        Refused(ErrorCode.NOT_FOUND, "gone", client_id=5),
        Reacted(14, 12, ME, "ann", 0, to=BOB, sign="+"),
        msg(15, 11),
        Joined("ops", 15, 2, ref=7),
        other_room(msg(16, 8)),
        RoomRules("works", was="ops"),
        replace(msg(18, 16), room="works"),
        ReadElsewhere(16, "works"),
        History(ref=1, room="lobby", after=3),
        HistoryPage(1, [msg(4, 0), msg(11, 9, ME)], 18, changes=[Deleted(17, 4, BOB, "bob", 0, "lobby")]),
        Search(ref=2, query="text"),
        SearchPage(2, [Hit(msg(15, 11)), Hit(msg(4, 0))]),
        Left("lobby", 0),
        Ping(1),
        Closing(ErrorCode.SHUTTING_DOWN, "bye"),
    )
    assert bench.realtime.acked_seq == 14
    assert [draft.seq for draft in bench.stream.drafts.values()] == [11, 12, 13, 14, None]
    assert bench.stream.drafts[5].refused
    bench.stream.check_order()


def test_a_draft_may_be_sent_again_on_another_connection() -> None:
    bench = Bench().tell(*IN, Say(1, "lobby", "one"), Say(2, "lobby", "two"))
    bench.connect()
    bench.tell(HELLO, replace(WELCOME, live_from=12, last_client_id=1), replace(LOBBY, live_from=12))
    bench.tell(Say(1, "lobby", "one"), Say(2, "lobby", "two"), Acked(1, 11), Acked(2, 13))
    assert {number: draft.connections for number, draft in bench.stream.drafts.items()} == {1: 2, 2: 2}


def test_who_was_deleted_may_be_somebody_new() -> None:
    bench = Bench(transcript=Transcript()).tell(HELLO, WELCOME, LOBBY, Say(1, "lobby", "one"), Acked(1, 11))
    bench.connect()
    assert bench.transcript is not None
    bench.transcript.deleted.add(ME)
    bench.tell(HELLO, replace(WELCOME, sender_id=EVE, live_from=11))
    assert (bench.stream.sender_id, bench.stream.drafts) == (EVE, {})
    assert [earlier.sender_id for earlier in bench.stream.earlier] == [ME]


def defects() -> Iterator[tuple[str, list[Wire], str]]:
    """What goes over the wire after everybody is in, and what must be said about the last record of it."""
    page, hits = History(ref=1, room="lobby", after=0), Search(ref=1, query="text")
    say = Say(1, "lobby", "one")
    # Order, gaps and doubles of what comes live.
    yield "twice", [msg(11, 9), msg(11, 9)], "came live after 11"
    yield "out of order", [msg(12, 9), msg(11, 9)], "came live after 12"
    yield "a change twice", [*[Deleted(12, 4, BOB, "bob", 0, "lobby")] * 2], "came live after 12"
    yield "a gap", [msg(11, 9), msg(13, 12)], "follows 12"
    yield "a gap at the beginning", [msg(12, 11)], "follows 11"
    yield "a gap in a dialogue", [msg(11, 0, BOB, to=ME), msg(13, 12, ME, to=BOB)], "follows 12"
    yield (
        "a gap after coming back",
        [msg(11, 9), Left("lobby", 0), replace(LOBBY, live_from=13), msg(15, 14)],
        "follows",
    )
    yield "read before", [page, HistoryPage(1, [], 15), msg(12, 9)], "after a page through 15"
    yield "a change before its message", [Edited(12, 12, BOB, "bob", 0, "lobby", text="x")], "comes after it"
    # What is nobody's business here.
    yield "another room", [other_room(msg(11, 9))], "where this connection is not"
    yield "a room that was left", [Left("lobby", 0), msg(11, 9)], "where this connection is not"
    yield "a change in another room", [Deleted(11, 4, BOB, "bob", 0, "ops")], "where this connection is not"
    yield "a dialogue of others", [msg(11, 9, BOB, to=EVE)], "a dialogue of others"
    yield "read in another room", [ReadElsewhere(11, "ops")], "where this connection is not"
    yield "reading ahead", [msg(11, 9), Read(11, "lobby"), Read(12, "lobby")], "heard of nothing above 11"
    yield "two rooms of one name", [Joined("ops", 10, 1), RoomRules("ops", was="lobby")], "another room of that name"
    # Beginning and end.
    yield "two welcomes", [WELCOME], "two welcomes"
    yield "words after the last", [Closing(ErrorCode.BYE, "bye"), msg(11, 9)], "after the last words"
    yield "a room live from before", [msg(11, 9), Joined("ops", 10, 1)], "is live from 10"
    # Acknowledgements.
    yield "an ack of nothing", [Acked(1, 11)], "never sent"
    yield "two acks", [say, Acked(1, 11), Acked(1, 12)], "as 11 and as 12"
    yield "an ack behind its feed", [say, msg(11, 9, ME), Acked(1, 11)], "after 11 was shown"
    yield "a number twice", [say, Acked(1, 11), Say(1, "lobby", "else")], "as two different things"
    yield "another reaction", [React(1, 4, "+", "lobby"), Acked(1, 11), React(1, 4, "-", "lobby")], "two different"
    yield "another edit", [Edit(1, 4, "a", "lobby"), Acked(1, 11), Edit(1, 4, "b", "lobby")], "two different things"
    yield "another deletion", [Delete(1, 4, "lobby"), Acked(1, 11), Delete(1, 5, "lobby")], "two different things"
    # Answers.
    yield "a page for nobody", [HistoryPage(1, [], 10)], "nobody asked"
    yield "two pages for one", [page, HistoryPage(1, [], 10), HistoryPage(1, [], 10)], "nobody asked"
    yield "a page in disorder", [page, HistoryPage(1, [msg(5, 3), msg(4, 3)], 10)], "with 4 after 5"
    yield "a page of elsewhere", [page, HistoryPage(1, [other_room(msg(5, 3))], 10)], "where this connection is not"
    yield "a page too early", [page, HistoryPage(1, [msg(11, 9)], 11)], "not fanned out"
    yield "others' past", [page, HistoryPage(1, [msg(5, 3, BOB, to=EVE)], 10)], "a dialogue of others"
    late = [Deleted(12, 4, BOB, "bob", 0, "lobby")]
    yield "a change beyond the page", [page, HistoryPage(1, [], 10, changes=late)], "change 12 after 0, through 10"
    early = History(ref=1, room="lobby", after=5)
    yield "a change before the page", [early, HistoryPage(1, [], 12, changes=[replace(late[0], seq=5)])], "change 5"
    theirs = [replace(late[0], room="ops")]
    yield "a change elsewhere", [page, HistoryPage(1, [], 12, changes=theirs)], "where this connection is not"
    yield "hits for nobody", [SearchPage(1, [])], "nobody asked"
    yield "hits in disorder", [hits, SearchPage(1, [Hit(msg(4, 0)), Hit(msg(5, 4))])], "found 5 after 4"
    yield "a hit again", [replace(hits, before=5), SearchPage(1, [Hit(msg(5, 4))])], "found 5 after 5"
    yield "a hit elsewhere", [hits, SearchPage(1, [Hit(other_room(msg(5, 4)))])], "where this connection is not"
    yield "a hit on nothing", [hits, SearchPage(1, [Hit(msg(5, 4, text="", deleted=7))])], "which was deleted"


@pytest.mark.parametrize(("records", "sentence"), [pytest.param(*rest, id=name) for name, *rest in defects()])
def test_each_defect_is_seen_when_it_comes_by(records: list[Wire], sentence: str) -> None:
    bench = Bench().tell(*IN, *records[:-1])
    with pytest.raises(HistoryBroken, match=sentence):
        bench.tell(records[-1])


def test_nothing_comes_before_the_welcome() -> None:
    with pytest.raises(HistoryBroken, match="before the welcome"):
        Bench().tell(HELLO, msg(11, 9))


# --- What others were acknowledged, and what was acknowledged before --------------------------------------------------


def test_a_hello_hears_of_all_that_was_acknowledged_before_it() -> None:
    bench = Bench(Realtime(acked_seq=11)).tell(HELLO)
    with pytest.raises(HistoryBroken, match="live from 10, although 11"):
        bench.tell(WELCOME)
    Bench(Realtime(acked_seq=10)).tell(HELLO, WELCOME)


def test_acknowledgements_that_do_not_overlap_are_in_order() -> None:
    bench = Bench().tell(*IN)
    bench.realtime.acked_seq = 20
    bench.tell(Say(1, "lobby", "later"))
    bench.realtime.acked_seq = 30  # while it was under way: binds nobody
    with pytest.raises(HistoryBroken, match="20 was acknowledged before it was sent"):
        bench.tell(Acked(1, 20))
    bench.tell(Acked(1, 21))
    assert bench.realtime.acked_seq == 30


def test_history_to_the_end_has_all_that_was_acknowledged_before_the_question() -> None:
    for more, is_seen in ((False, True), (True, False)):
        bench = Bench().tell(*IN)
        bench.realtime.acked_seq = 12
        bench.tell(History(ref=1, after=0))
        page = HistoryPage(1, [], 11, more=more)
        if is_seen:
            with pytest.raises(HistoryBroken, match="through 11, although 12"):
                bench.tell(page)
        else:
            bench.tell(page)


def test_one_secret_is_one_sender() -> None:
    with pytest.raises(HistoryBroken, match="one secret is senders 5 and 1"):
        Bench(stream=Stream(sender_id=5)).tell(HELLO, WELCOME)


def test_the_welcome_knows_what_was_acknowledged() -> None:
    stream = Stream(ME, {7: SentDraft(Say(7, "lobby", "seven"), 0, seq=9)})
    with pytest.raises(HistoryBroken, match="holds draft 7, and welcome says 6"):
        Bench(stream=stream).tell(HELLO, replace(WELCOME, last_client_id=6))
    Bench(stream=stream).tell(HELLO, replace(WELCOME, last_client_id=7))


def test_the_drafts_of_one_sender_are_in_order() -> None:
    drafts = {number: SentDraft(Say(number, "lobby", ""), 0, seq=seq) for number, seq in ((1, 5), (2, None), (3, 4))}
    with pytest.raises(HistoryBroken, match="draft 3 of sender 1 overtook"):
        Stream(ME, drafts).check_order()


# --- With a transcript, every copy is held against it -----------------------------------------------------------------


@pytest.mark.parametrize(
    "records",
    [
        [msg(11, 9)],
        [Deleted(11, 4, BOB, "bob", 0, "lobby")],
        [History(ref=1, after=0), HistoryPage(1, [msg(4, 0)], 10)],
        [History(ref=1, after=0), HistoryPage(1, [], 10, changes=[Deleted(5, 4, BOB, "bob", 0, "lobby")])],
        [Search(ref=1, query="text"), SearchPage(1, [Hit(msg(4, 0))])],
    ],
    ids=["live", "a live change", "a page", "a change on a page", "a hit"],
)
def test_what_the_log_was_never_told_is_shown_nobody(records: list[Wire]) -> None:
    Bench().tell(*IN, *records)
    bench = Bench(transcript=Transcript()).tell(*IN, *records[:-1])
    with pytest.raises(HistoryBroken, match=r"never committed|committed as None"):
        bench.tell(records[-1])
