"""Event streams over a hub in memory: where they begin, what they hear, and how they end."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable

import pytest

from securechat.errors import ErrorCode
from securechat.hub.accounts.authentication import LoginKind
from securechat.hub.interfaces import Peer
from securechat.limits import Limits
from securechat.model import (
    AddBot,
    AddToken,
    Closing,
    Command,
    Delete,
    Direct,
    Edit,
    Hello,
    Join,
    Moderate,
    React,
    RemoveToken,
    Say,
    SetRoom,
    TokenMade,
    Welcome,
)
from securechat.records.log import NotAppended
from securechat.records.queries import HistoryQuery, HistoryRows
from securechat.server.api import streams
from securechat.server.web.programs import ProgramAnswer, StreamAnswer
from securechat.text.refusals import refusal_for
from tests.support.api_rig import ApiRig, OpenStream
from tests.support.hub_rig import FakePeer

LOG = "00000000feed"


@pytest.fixture
def api() -> ApiRig:
    return ApiRig()


@pytest.fixture
def token(api: ApiRig) -> str:
    return api.token("deploy")


@pytest.fixture
def ana(api: ApiRig) -> FakePeer:
    return owner(api, "ana", "ops")


def owner(api: ApiRig, name: str, *rooms: str) -> FakePeer:
    """Connect an account that is the first in some rooms."""
    peer = api.rig.peer()
    api.rig.do(peer, Hello(1, name, secrets.token_hex(16), token=api.login_tokens[api.token(name)]))
    for room in rooms:
        api.rig.do(peer, Join(1, [room]))
    return peer


_drafts = iter(range(1, 10**9))


def say(api: ApiRig, peer: FakePeer, text: str, room: str = "lobby", *, settle: bool = True) -> int:
    api.rig.do(peer, Say(next(_drafts), room, text), settle=settle)
    return api.rig.fed[-1].seq if settle else 0


def limited(api: ApiRig, token: str, *rooms: str, scopes: tuple[str, ...] = ("read",)) -> str:
    """Make another token of the account, for some rooms."""
    peer = api.rig.peer()
    api.rig.do(peer, Hello(1, "x", secrets.token_hex(16), token=api.login_tokens[token]))
    for room in rooms:
        api.rig.do(peer, Join(1, [room]))
    api.rig.do(peer, AddToken(2, "limited", list(scopes), list(rooms)))  # type: ignore[arg-type]
    made = peer.last(TokenMade).token
    api.hub.lost(peer)
    return made


# --- where a stream begins --------------------------------------------------------------------------------------------


def test_without_a_cursor_it_begins_now_and_says_where(api: ApiRig, token: str, ana: FakePeer) -> None:
    before = say(api, ana, "before")
    stream = api.stream(token)
    assert stream.events == [{"event": "start", "id": f"{before}@{LOG}", "data": {"after": before}}]
    say(api, ana, "after")
    assert stream.texts == ["after"]
    assert api.logins[-1] is LoginKind.API_TOKEN


@pytest.mark.parametrize("cursor", ["{seq}", "{seq}@" + LOG])
@pytest.mark.parametrize("where", ["query", "header", "both"])
def test_behind_a_cursor_everything_comes_once(api: ApiRig, token: str, ana: FakePeer, cursor: str, where: str) -> None:
    seen = say(api, ana, "seen")
    missed = [say(api, ana, f"{number}") for number in range(450)]
    cursor = cursor.format(seq=seen)
    if where == "query":
        stream = api.stream(token, f"?after={cursor}")
    elif where == "header":
        stream = api.stream(token, Last_Event_ID=cursor)
    else:  # a reader that connects again keeps the address
        stream = api.stream(token, "?after=0", Last_Event_ID=cursor)
    assert stream.events[0] == {"event": "start", "id": f"{seen}@{LOG}", "data": {"after": seen}}
    api.pass_time(60)
    missed.append(say(api, ana, "live"))
    assert stream.seqs == missed
    assert stream.last_id == f"{missed[-1]}@{LOG}"


def test_edits_deletions_and_reactions_come_in_their_place(api: ApiRig, token: str, ana: FakePeer) -> None:
    first, second = say(api, ana, "first"), say(api, ana, "second")

    def change(stream_room: str = "lobby") -> None:
        api.rig.do(ana, Edit(next(_drafts), first, "edited", stream_room))
        say(api, ana, "between")
        api.rig.do(ana, React(next(_drafts), first, "+1", stream_room))
        api.rig.do(ana, Delete(next(_drafts), second, stream_room))

    live = api.stream(token)
    change()
    late = api.stream(token, f"?after={second}")
    expected = ["start", "edited", "message", "reacted", "deleted"]
    assert live.kinds == late.kinds == expected
    assert live.seqs == late.seqs == sorted(live.seqs)
    whole = api.stream(token, f"?after={first - 1}")
    assert whole.seqs == [first, second, *live.seqs]


def test_a_cursor_of_another_log_is_reset(api: ApiRig, token: str, ana: FakePeer) -> None:
    seq = say(api, ana, "before")
    stream = api.stream(token, f"?after={seq - 1}@00000000dead")
    assert [(event["event"], event["data"]) for event in stream.events] == [
        ("reset", {"reason": "other_log", "after": seq})
    ]
    assert stream.last_id == f"{seq}@{LOG}"
    say(api, ana, "after")
    assert stream.texts == ["after"]


def test_a_cursor_above_what_exists_is_reset(api: ApiRig, token: str, ana: FakePeer) -> None:
    seq = say(api, ana, "before")
    stream = api.stream(token, f"?after={seq + 1}")
    assert stream.events[0]["data"] == {"reason": "ahead", "after": seq}
    say(api, ana, "after")
    assert stream.texts == ["after"]


def test_a_cursor_older_than_retention_is_reset_and_the_rest_comes(api: ApiRig, token: str, ana: FakePeer) -> None:
    seqs = [say(api, ana, f"{number}", "ops") for number in range(4)]
    room = api.hub.context.rooms.named("ops")
    assert room is not None
    api.hub.context.rooms.note_purged(room, seqs[1])
    stream = api.stream(token, f"?rooms=ops&after={seqs[0]}")
    assert stream.kinds[:2] == ["start", "reset"]
    assert stream.events[1]["data"] == {"reason": "retention", "after": seqs[0]}
    assert stream.texts[-2:] == ["2", "3"]
    assert "reset" not in api.stream(token, f"?rooms=ops&after={seqs[1]}").kinds
    assert "reset" not in api.stream(token, f"?rooms=lobby&after={seqs[0]}").kinds, "of a room that it does not hear"


def test_retention_while_history_is_read_is_told(api: ApiRig, token: str, ana: FakePeer) -> None:
    seqs = [say(api, ana, f"{number}", "ops") for number in range(4)]
    stream = api.stream(token, f"?rooms=ops&after={seqs[0]}", settle=False)
    stream.link.queued_bytes = api.rig.limits.outbox_soft_bytes
    api.settle()
    assert stream.kinds == ["start"]
    room = api.hub.context.rooms.named("ops")
    assert room is not None
    api.hub._history._purges.room_purged(room, seqs[2])
    stream.link.queued_bytes = 0
    api.pass_time(1)
    assert stream.kinds[:3] == ["start", "reset", "purged"]
    assert stream.texts[-1] == "3"


# --- the seam ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def pages(api: ApiRig, monkeypatch: pytest.MonkeyPatch) -> deque[Callable[[], None]]:
    """The pages that were asked for, read when the test says so; until then others speak."""
    asked: deque[Callable[[], None]] = deque()
    answer = api.rig.log.history

    def history(query: HistoryQuery, done: Callable[[HistoryRows | NotAppended], None]) -> None:
        asked.append(lambda: answer(query, done))

    monkeypatch.setattr(api.rig.log, "history", history)
    return asked


@pytest.mark.parametrize("missed", [0, 1, 3, 250])
@pytest.mark.parametrize("meanwhile", [0, 1, 3])
def test_what_is_said_while_a_page_is_read_comes_once_and_in_order(
    api: ApiRig, token: str, ana: FakePeer, pages: deque[Callable[[], None]], missed: int, meanwhile: int
) -> None:
    start = say(api, ana, "start")
    seqs = [say(api, ana, "missed") for _ in range(missed)]
    stream = api.stream(token, f"?after={start}")
    while pages:
        assert len(seqs) < 1_000, "it never catches up"
        seqs += [say(api, ana, "meanwhile") for _ in range(meanwhile)]
        if meanwhile:
            api.rig.do(ana, Edit(next(_drafts), start, "edited", "lobby"))
            seqs.append(api.rig.fed[-1].seq)
        pages.popleft()()
        api.settle()
        api.pass_time(1)
    seqs.append(say(api, ana, "live"))
    assert stream.seqs == seqs


def test_more_than_can_be_held_is_read_from_the_log(
    api: ApiRig, token: str, ana: FakePeer, pages: deque[Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams.StreamPeer, "most_held", 2)
    start = say(api, ana, "start")
    stream = api.stream(token, f"?after={start}")
    for number in range(5):
        say(api, ana, f"{number}")
    pages.popleft()()
    api.settle()
    api.pass_time(1)
    assert stream.texts == []
    pages.popleft()()
    api.settle()
    say(api, ana, "live")
    assert stream.texts == ["0", "1", "2", "3", "4", "live"]
    assert not pages


def test_a_reader_that_is_behind_is_sent_no_more_history(api: ApiRig, token: str, ana: FakePeer) -> None:
    start = say(api, ana, "start")
    for number in range(450):
        say(api, ana, f"{number}")
    stream = api.stream(token, f"?after={start}", settle=False)
    stream.link.queued_bytes = api.rig.limits.outbox_soft_bytes
    api.settle()
    api.pass_time(60)
    assert stream.kinds == ["start"]
    stream.link.queued_bytes = 0
    stream.peer.backlog_over()
    api.settle()
    api.pass_time(1)
    assert stream.texts == [f"{number}" for number in range(450)]


def test_a_page_that_the_log_does_not_give_is_asked_for_again(
    api: ApiRig, token: str, ana: FakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, _ = say(api, ana, "start"), say(api, ana, "missed")
    answer, failures = api.rig.log.history, [1, 2]

    def history(query: object, done: object) -> None:
        if failures:
            failures.pop()
            done(NotAppended.of(refusal_for("question_under_way")))  # type: ignore[operator]
        else:
            answer(query, done)  # type: ignore[arg-type]

    monkeypatch.setattr(api.rig.log, "history", history)
    stream = api.stream(token, f"?after={start}")
    assert stream.kinds == ["start"]
    api.pass_time(5)
    assert stream.texts == ["missed"]


# --- what it hears ----------------------------------------------------------------------------------------------------


def test_rooms_narrow_what_is_heard_live_and_from_the_log(api: ApiRig, token: str, ana: FakePeer) -> None:
    start = say(api, ana, "start")
    api.rig.do(ana, Join(1, ["dev"]))
    for room in ("ops", "lobby", "dev"):
        say(api, ana, f"early {room}", room)
    one = api.stream(token, f"?rooms=ops&after={start}")
    two = api.stream(token, f"?rooms=%23ops,dev&after={start}")
    every = api.stream(token, f"?after={start}")
    for room in ("ops", "lobby", "dev"):
        say(api, ana, f"late {room}", room)
    assert one.texts == ["early ops", "late ops"]
    assert two.texts == ["early ops", "early dev", "late ops", "late dev"]
    assert every.texts == [f"{when} {room}" for when in ("early", "late") for room in ("ops", "lobby", "dev")]


def test_without_rooms_direct_messages_are_heard_too(api: ApiRig, token: str, ana: FakePeer) -> None:
    every, one = api.stream(token), api.stream(token, "?rooms=lobby")
    me = api.get("/me", token).json["id"]
    api.rig.do(ana, Direct(next(_drafts), me, "for you"))
    assert (every.texts, one.texts) == (["for you"], [])


def test_a_token_for_some_rooms_hears_those(api: ApiRig, token: str, ana: FakePeer) -> None:
    some = limited(api, token, "ops")
    stream = api.stream(some)
    me = api.get("/me", token).json["id"]
    api.rig.do(ana, Direct(next(_drafts), me, "for the person"))
    say(api, ana, "lobby")
    say(api, ana, "ops", "ops")
    assert stream.texts == ["ops"]


@pytest.mark.parametrize("room", ["secret", "nowhere", "guests"])
def test_a_room_that_may_not_be_seen_is_none(api: ApiRig, token: str, ana: FakePeer, room: str) -> None:
    api.rig.do(ana, Join(1, ["secret"]))
    api.rig.do(ana, SetRoom(2, "secret", private=True))
    guest = api.rig.member("guest")
    api.rig.do(guest, Join(1, ["guests"]))
    reply = api.get(f"/events?rooms=lobby,{room}", token)
    assert (reply.status, reply.code) == (404, "no_such_room")
    assert len(api.paths.peers.streams) == 0
    some = limited(api, token, "ops")
    reply = api.get(f"/events?rooms={room}", some)
    assert (reply.status, reply.code) == (404, "not_a_member")


def test_a_token_that_only_posts_has_no_stream(api: ApiRig, token: str, ana: FakePeer) -> None:
    posts = limited(api, token, scopes=("post",))
    for query in ("", "?rooms=lobby", "?after=0"):
        reply = api.get(f"/events{query}", posts)
        assert (reply.status, reply.code) == (403, "no_right")


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?after=", {}),
        ("?after=x", {}),
        ("?after=-1", {}),
        ("?after=1@", {}),
        ("?after=1&after=2", {}),
        (f"?after={2**53}", {}),
        ("?rooms=", {}),
        ("?rooms=ops,,dev", {}),
        ("?rooms=" + ",".join(f"r{number}" for number in range(21)), {}),
        ("?room=ops", {}),
        ("?rooms=%FF", {}),
        ("", {"Last_Event_ID": "x"}),
        ("?after=1", {"Last_Event_ID": ""}),
        ("", {"Last_Event_ID": "1@fe\u00e9"}),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_stream_begins(
    api: ApiRig, token: str, query: str, headers: dict[str, str]
) -> None:
    reply = api.get(f"/events{query}", token, **headers)
    assert (reply.status, reply.code) == (400, "bad_request")
    assert len(api.paths.peers.streams) == 0


def test_a_room_that_is_no_name_is_refused(api: ApiRig, token: str) -> None:
    reply = api.get("/events?rooms=two%20words", token)
    assert (reply.status, reply.code) == (422, "room_invalid")


def test_a_head_has_no_stream_and_no_body_is_taken(api: ApiRig, token: str) -> None:
    reply = api.ask("HEAD", "/events", token)
    assert (reply.status, reply.code) == (405, "method_not_allowed")
    assert api.ask("POST", "/events", token, b"x").status == 405
    assert api.ask("GET", "/events", token, b"x").status == 413
    assert api.get("/events", None).status == 401


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, b"text/event-stream"),
        ("*/*", b"text/event-stream"),
        ("text/event-stream, application/x-ndjson", b"text/event-stream"),
        ("application/x-ndjson; q=1, text/event-stream", b"application/x-ndjson"),
        ("text/html, Application/X-NDJSON", b"application/x-ndjson"),
        ("application/x-ndjson;q=0, text/event-stream", b"text/event-stream"),
        ("text/event-stream;q=0.5, application/x-ndjson;charset=utf-8; q=0.8", b"application/x-ndjson"),
    ],
)
def test_the_type_is_the_most_wanted_one(api: ApiRig, token: str, accept: str | None, content_type: bytes) -> None:
    headers = {"Accept": accept} if accept else {"Accept": "text/html"}
    assert b"Content-Type: %b\r\n" % content_type in api.stream(token, **headers).head


# --- what is held back beside entries -------------------------------------------------------------------------------


def read_all(api: ApiRig, pages: deque[Callable[[], None]]) -> None:
    while pages:
        pages.popleft()()
        api.settle()
        api.pass_time(1)


def test_held_messages_of_a_removed_account_do_not_follow_its_purge(
    api: ApiRig, token: str, ana: FakePeer, pages: deque[Callable[[], None]]
) -> None:
    start = say(api, ana, "start")
    spam = owner(api, "spam")
    stream = api.stream(token, f"?after={start}")
    assert pages, "a page is under way"
    say(api, spam, "an address of someone's home")
    told: list[object] = []
    api.hub.admin_commands.delete_user("root", "spam", remove=True, progress=lambda _: None, done=told.append)
    for _ in range(20):
        api.settle()
        api.rig.pass_time(1)
    assert told == [1], told
    read_all(api, pages)
    assert "purged" in stream.kinds
    assert stream.texts == [], "what was told to be gone is told afterwards"


def test_held_messages_of_a_room_do_not_follow_the_kick_from_it(
    api: ApiRig, token: str, ana: FakePeer, pages: deque[Callable[[], None]]
) -> None:
    me = api.get("/me", token).json["id"]
    stream = api.stream(token, "?rooms=ops,lobby")
    start = say(api, ana, "start")
    stream.lose()
    stream = api.stream(token, f"?rooms=ops,lobby&after={start}")
    assert pages, "a page is under way"
    say(api, ana, "before the kick", "ops")
    api.rig.do(ana, Moderate(3, "ops", me, "kick"))
    read_all(api, pages)
    assert stream.kinds == ["start", "message", "left"]


def test_a_kick_among_more_than_is_held_back_is_told(
    api: ApiRig, token: str, ana: FakePeer, pages: deque[Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page behind has the entries that are dropped, and it has no kick."""
    monkeypatch.setattr(streams.StreamPeer, "most_held", 2)
    me = api.get("/me", token).json["id"]
    stream = api.stream(token, "?rooms=ops,lobby")
    start = say(api, ana, "start")
    stream.lose()
    stream = api.stream(token, f"?rooms=ops,lobby&after={start}")
    said = [say(api, ana, f"{number}") for number in range(2)]
    api.rig.do(ana, Moderate(3, "ops", me, "kick"))
    said += [say(api, ana, f"{number}") for number in range(2)]
    read_all(api, pages)
    assert stream.kinds.count("left") == 1
    assert [event["data"]["seq"] for event in stream.events if event["event"] == "message"] == said


def test_a_request_that_is_refused_enters_no_room(api: ApiRig, token: str, ana: FakePeer) -> None:
    assert api.ask("GET", "/events?rooms=ops,nowhere", token).status == 404
    assert api.get("/rooms/ops", token).json["role"] is None


# --- limits and ends --------------------------------------------------------------------------------------------------


def test_a_ninth_stream_is_refused_until_one_has_ended(api: ApiRig, token: str, ana: FakePeer) -> None:
    opened = [api.stream(token) for _ in range(8)]
    reply = api.get("/events", token)
    assert (reply.status, reply.code) == (429, "too_many_streams")
    assert reply.json["args"] == {"most": 8}
    other = api.stream(api.token("other"))
    opened[3].lose()
    again = api.stream(token)
    say(api, ana, "all hear it")
    for stream in (*opened[:3], *opened[4:], again, other):
        assert stream.texts == ["all hear it"], "none of them has taken the place of another"
    for stream in (*opened, again, other):
        stream.lose()
    assert len(api.paths.peers.streams) == 0
    assert api.paths.peers.streams._by_token == {}


def test_an_event_is_encoded_once_for_all_streams(
    api: ApiRig, token: str, ana: FakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = [api.stream(token) for _ in range(8)]
    fmt = opened[0].peer.format
    assert all(stream.peer.format is fmt for stream in opened)
    encoded: list[object] = []
    encode = fmt.encode
    monkeypatch.setattr(fmt, "encode", lambda event: encoded.append(event) or encode(event))
    say(api, ana, "once")
    assert [getattr(event, "text", None) for event in encoded] == ["once"]
    assert all(stream.texts == ["once"] for stream in opened)


def test_signs_of_life_come_and_nothing_ends_it(api: ApiRig, token: str) -> None:
    stream = api.stream(token)
    api.pass_time(61)
    assert stream.link.sent.count(b'{"event":"alive"}\n') == 4
    api.pass_time(3_600)
    assert not stream.link.closed


def test_a_removed_token_ends_its_streams_with_the_reason(api: ApiRig, token: str, ana: FakePeer) -> None:
    stream, other = api.stream(token), api.stream(api.token("other"))
    peer = api.rig.peer()
    api.rig.do(peer, Hello(1, "x", secrets.token_hex(16), token=api.login_tokens[token]))
    tokens, own = api.hub.context.accounts.tokens, peer.last(Welcome).sender_id
    (number,) = [number for number, row in tokens.items() if row.sender_id == own]
    api.rig.do(peer, RemoveToken(2, number))
    assert stream.kinds == ["start", "closing"]
    assert stream.events[-1]["data"]["code"] == "logged_out"
    assert "token" in stream.events[-1]["data"]["text"]
    assert stream.link.closed
    say(api, ana, "x")
    assert other.texts == ["x"]
    assert len(api.paths.peers.streams) == 1


def test_a_token_that_expires_ends_its_stream(api: ApiRig, token: str) -> None:
    peer = api.rig.peer()
    api.rig.do(peer, Hello(1, "x", secrets.token_hex(16), token=api.login_tokens[token]))
    api.rig.do(peer, AddToken(2, "short", ["read"], days=1))
    stream = api.stream(peer.last(TokenMade).token, "?rooms=lobby")
    api.pass_time(86_401)
    assert stream.events[-1]["data"]["code"] == "logged_out"


def test_a_bot_hears_nothing_more_when_its_maker_is_banned(api: ApiRig, ana: FakePeer) -> None:
    api.rig.do(ana, AddBot(1, "robi", rooms=["ops"]))
    stream = api.stream(ana.last(TokenMade).token)
    say(api, ana, "before", "ops")
    api.hub.admin_commands.ban("admin", "ana", reason="", duration_s=None, done=lambda _: None)
    api.settle()
    assert (stream.texts, stream.kinds[-1]) == (["before"], "closing")
    assert stream.link.closed
    assert len(api.paths.peers.streams) == 0


def test_a_kick_is_told_and_a_stream_without_a_room_ends(api: ApiRig, token: str, ana: FakePeer) -> None:
    one, two = api.stream(token, "?rooms=ops"), api.stream(token, "?rooms=ops,lobby")
    say(api, ana, "before", "ops")
    me = api.get("/me", token).json["id"]
    api.rig.do(ana, Moderate(3, "ops", me, "kick", reason="too loud"))
    say(api, ana, "after", "ops")
    for stream in (one, two):
        assert stream.kinds == ["start", "message", "left"]
        left = stream.events[-1]["data"]
        assert (left["room"], left["code"]) == ("ops", "kicked")
        assert "too loud" in left["text"]
    api.pass_time(15)
    assert one.events[-1]["data"]["code"] == "not_a_member"
    assert one.link.closed
    say(api, ana, "lobby")
    assert two.texts == ["before", "lobby"]


def test_a_stop_is_the_last_event(api: ApiRig, token: str) -> None:
    stream = api.stream(token)
    api.paths.peers.close(Closing.of(refusal_for("shutting_down", retry_after_s=1.0)))
    assert (stream.kinds, stream.events[-1]["data"]["code"]) == (["start", "closing"], "shutting_down")
    assert stream.link.closed
    assert len(api.paths.peers.streams) == 0


def test_a_slow_reader_is_cut_with_a_last_event(api: ApiRig, token: str, ana: FakePeer) -> None:
    stream = api.stream(token)
    stream.peer.outbox_overflow()
    assert stream.link.dropped
    assert stream.events[-1]["data"]["code"] == "slow_reader"
    assert api.closed_streams == [ErrorCode.SLOW_READER]
    say(api, ana, "not for it")


def test_what_is_sent_behind_the_request_is_ignored_and_too_much_ends_it(api: ApiRig, token: str) -> None:
    stream = api.stream(token)
    stream.peer.data_received(b"x" * 8_000)
    assert not stream.link.closed
    stream.peer.data_received(b"x" * 8_000)
    assert stream.events[-1]["data"]["code"] == "frame_too_large"
    assert stream.link.closed


def test_a_bug_costs_the_one_stream(api: ApiRig, token: str, ana: FakePeer) -> None:
    stream, other = api.stream(token), api.stream(token)
    stream.peer.fail()
    assert stream.events[-1]["data"]["code"] == "internal"
    say(api, ana, "on")
    assert other.texts == ["on"]


def test_a_hello_that_is_refused_is_the_last_event(api: ApiRig, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    request = api.head("GET", "/events", token, Accept="application/x-ndjson")
    exchange = api.paths.begin(request, "127.0.0.1")
    made: list[object] = []
    exchange.receive(b"", made.append)
    api.settle()
    monkeypatch.setattr(api.hub.context.accounts, "token_with", lambda _: None)
    stream = OpenStream(made[0], "127.0.0.1")  # type: ignore[arg-type]
    api.settle()
    assert (stream.kinds, stream.events[0]["data"]["code"]) == (["closing"], "token_invalid")
    assert len(api.paths.peers.streams) == 0


def test_pages_wait_for_the_rate_of_the_token() -> None:
    api = ApiRig(Limits(request_burst=3, request_rate=1))
    token, peer = api.token("deploy"), api.rig.member("budi")
    start = say(api, peer, "start")
    for number in range(1_500):
        say(api, peer, f"{number}")
    stream = api.stream(token, f"?after={start}")
    some = len(stream.texts)
    assert some < 1_500
    api.pass_time(20)
    assert stream.texts == [f"{number}" for number in range(1_500)]


def test_a_stream_logs_in_behind_the_answer_that_opens_it(
    api: ApiRig, token: str, ana: FakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = api.hub.handle
    under_way: list[Command] = []
    within: list[tuple[type, type]] = []

    def watched(peer: Peer, command: Command) -> float:
        within.extend((type(outer), type(command)) for outer in under_way)
        under_way.append(command)
        try:
            return handle(peer, command)
        finally:
            under_way.pop()

    monkeypatch.setattr(api.hub, "handle", watched)
    opened: list[OpenStream] = []

    def done(answer: ProgramAnswer) -> None:
        assert isinstance(answer, StreamAnswer)
        opened.append(OpenStream(answer, "127.0.0.1"))  # at once, as a connection does

    head = api.head("GET", "/events?rooms=lobby", token, Accept="application/x-ndjson")
    api.paths.begin(head, "127.0.0.1").receive(b"", done)
    api.settle()
    say(api, ana, "hello", "lobby")
    assert opened[0].kinds == ["start", "message"]
    assert within == []


def test_a_stream_that_was_lost_before_its_login_stays_out(api: ApiRig, token: str) -> None:
    stream = api.stream(token, settle=False)
    stream.lose()
    api.settle()
    assert stream.peer not in api.hub._connections
    assert not len(api.paths.peers.streams)


def test_a_stream_of_a_token_for_a_room_names_that_room_when_it_ends(api: ApiRig, token: str, ana: FakePeer) -> None:
    stream = api.stream(limited(api, token, "ops"))
    say(api, ana, "before", "ops")
    api.rig.do(ana, Moderate(3, "ops", api.get("/me", token).json["id"], "kick"))
    api.pass_time(15)
    assert stream.kinds == ["start", "message", "left", "closing"]
    assert "lobby" not in stream.events[-1]["data"]["text"]
