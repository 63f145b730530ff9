"""The API over a hub in memory: what it answers, what it waits for, and what it keeps from whom."""

from __future__ import annotations

import json
import secrets
from math import ceil

import pytest

from securechat.limits import Limits
from securechat.model import Closing, Hello, Join, Message, Say, SetRoom, Welcome
from securechat.records.accounts import Ban, BanKind, Put
from securechat.text.api_tokens import api_token
from securechat.text.refusals import refusal_for
from securechat.wire.http import HttpError
from tests.support.api_rig import ApiRig
from tests.support.hub_rig import FakePeer


@pytest.fixture
def api() -> ApiRig:
    return ApiRig()


@pytest.fixture
def token(api: ApiRig) -> str:
    return api.token("deploy")


POST = "/rooms/lobby/messages"
NONE = api_token(b"?" * 32)
"""A token that no server has made."""


def logged_in(api: ApiRig, token: str) -> FakePeer:
    """Connect a terminal client of an account."""
    peer = api.rig.peer()
    api.rig.do(peer, Hello(1, "whoever", secrets.token_hex(16), token=api.login_tokens[token]))
    return peer


def ban_network(api: ApiRig, network: str) -> None:
    ban = Ban(1, BanKind.NETWORK, network, network, "", "admin", api.rig.wall_ms())
    api.hub.context.changes.commit((Put(ban),))
    api.settle()


def test_a_post_is_answered_when_it_is_durable(api: ApiRig, token: str) -> None:
    ana = api.rig.member("ana")
    reply = api.post(POST, token, "build failed\n", settle=False)
    assert reply.made is None
    api.settle()
    assert reply.status == 201
    (message,) = ana.messages
    assert (message.seq, message.name, message.text) == (reply.json["seq"], "deploy", "build failed")


def test_json_may_say_more(api: ApiRig, token: str) -> None:
    seq = api.post(POST, token, "one").json["seq"]
    reply = api.post_json(POST, token, {"text": "two", "reply_to": seq, "key": "k"})
    assert reply.status == 201
    assert api.rig.fed[-1].reply == seq
    assert api.post_json(POST, token, {"text": "two", "reply_to": seq}, Idempotency_Key="k").json == reply.json
    assert len(api.rig.fed) == 2


def test_a_key_is_answered_with_the_first_answer(api: ApiRig, token: str) -> None:
    first = api.post(POST, token, "once", Idempotency_Key="k", settle=False)
    second = api.post(POST, token, "once", Idempotency_Key='"k"', settle=False)
    assert first.made is second.made is None
    api.settle()
    assert first.status == second.status == 201
    assert first.json == second.json
    assert len(api.rig.fed) == 1
    third = api.post(POST, token, "another", Idempotency_Key="k")
    assert (third.status, third.code) == (422, "key_used")


def test_a_key_in_the_body_and_another_in_the_head_are_refused(api: ApiRig, token: str) -> None:
    reply = api.post_json(POST, token, {"text": "a", "key": "k"}, Idempotency_Key="l")
    assert (reply.status, reply.code) == (422, "body_invalid")
    assert api.post_json(POST, token, {"text": "a", "key": "x" * 200}, Idempotency_Key="x" * 200).status == 201


@pytest.mark.parametrize("text", ["", "\n", " \n "])
def test_an_empty_message_is_refused(api: ApiRig, token: str, text: str) -> None:
    reply = api.post(POST, token, text)
    assert (reply.status, reply.code) == (422, "text_empty")


def test_a_room_is_entered_on_the_way(api: ApiRig, token: str) -> None:
    ana = logged_in(api, api.token("ana"))
    api.rig.do(ana, Join(1, ["ops"]))
    assert api.post("/rooms/ops/messages", token, "hi").status == 201
    assert ana.messages[-1].text == "hi"
    assert api.get("/rooms/%23OPS/messages", token).json["messages"][-1]["text"] == "hi"
    assert api.get("/rooms/ops/members", token).json["total"] == 2


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/messages", "x"),
        ("GET", "/messages", ""),
        ("GET", "/messages/1", ""),
        ("PATCH", "/messages/1", "x"),
        ("DELETE", "/messages/1", ""),
        ("PUT", "/messages/1/reactions/x", ""),
        ("GET", "/members", ""),
        ("GET", "", ""),
    ],
)
def test_a_private_room_is_as_one_that_does_not_exist(
    api: ApiRig, token: str, method: str, path: str, body: str
) -> None:
    owner = api.token("owner")
    peer = logged_in(api, owner)
    api.rig.do(peer, Join(1, ["secret"]))
    api.rig.do(peer, Say(1, "secret", "hush"))
    api.rig.do(peer, SetRoom(2, "secret", private=True))
    hidden, absent = (api.ask(method, f"/rooms/{room}{path}", token, body) for room in ("secret", "absent"))
    assert hidden.status == absent.status == 404
    assert hidden.made == absent.made
    assert api.rig.hub.context.rooms.named("absent") is None
    assert [message.text for message in api.rig.fed if message.room == "absent"] == []


def test_a_room_that_guests_alone_have_opened_is_not_taken_from_them(api: ApiRig, token: str) -> None:
    ana = api.rig.member("ana")
    api.rig.do(ana, Join(1, ["ours"]))
    assert api.post("/rooms/ours/messages", token, "hi").status == 404
    assert api.rig.record("ours") is None


def test_messages_are_edited_deleted_and_reacted_to(api: ApiRig, token: str) -> None:
    seq = api.post(POST, token, "one").json["seq"]
    assert api.ask("PATCH", f"{POST}/{seq}", token, "two").status == 200
    assert api.get(f"{POST}/{seq}", token).json["text"] == "two"
    assert api.ask("PUT", f"{POST}/{seq}/reactions/%F0%9F%91%8D", token).status == 200
    assert api.get(f"{POST}/{seq}", token).json["reactions"][0]["sign"] == "👍"
    assert api.ask("DELETE", f"{POST}/{seq}/reactions/%F0%9F%91%8D", token).status == 200
    assert "reactions" not in api.get(f"{POST}/{seq}", token).json
    assert api.ask("DELETE", f"{POST}/{seq}", token).status == 200
    assert api.get(f"{POST}/{seq}", token).json["text"] == ""
    other = api.token("other")
    seq = api.post(POST, token, "mine").json["seq"]
    reply = api.ask("DELETE", f"{POST}/{seq}", other)
    assert (reply.status, reply.code) == (403, "no_right")


@pytest.mark.parametrize("seq", ["0", "99", "x", "-1", "9007199254740991", "9007199254740992", "01"])
def test_a_message_that_is_not_there_is_not_found(api: ApiRig, token: str, seq: str) -> None:
    for method in ("GET", "DELETE"):
        reply = api.ask(method, f"{POST}/{seq}", token)
        assert (reply.status, reply.code) == (404, "not_found")


def test_pages_go_both_ways(api: ApiRig, token: str) -> None:
    seqs = [api.post(POST, token, f"{number}").json["seq"] for number in range(9)]
    newest = api.get(f"{POST}?limit=4", token).json
    assert [message["seq"] for message in newest["messages"]] == seqs[5:]
    assert newest["more"]
    older = api.get(f"{POST}?limit=4&before={seqs[5]}", token).json
    assert [message["seq"] for message in older["messages"]] == seqs[1:5]
    onwards = api.get(f"{POST}?limit=4&after={seqs[6]}", token).json
    assert [message["seq"] for message in onwards["messages"]] == seqs[7:]
    assert not onwards["more"]
    between = api.get(f"{POST}?after={seqs[1]}&before={seqs[4]}", token).json
    assert [message["seq"] for message in between["messages"]] == seqs[2:4]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "limit=", "after=-1", "before=1.5", "befor=1", "limit=1&limit=2"]
)
def test_a_query_that_makes_no_sense_is_refused(api: ApiRig, token: str, query: str) -> None:
    reply = api.get(f"{POST}?{query}", token)
    assert (reply.status, reply.code) == (400, "bad_request")


def test_people_are_written_to_by_name_or_number(api: ApiRig, token: str) -> None:
    other = api.token("other")
    number = api.get("/people/other", token).json["id"]
    for person in ("other", "@other", "OTHER", str(number)):
        assert api.post(f"/people/{person}/messages", token, f"to {person}").status == 201
    texts = [message["text"] for message in api.get("/people/deploy/messages", other).json["messages"]]
    assert texts == ["to other", "to @other", "to OTHER", f"to {number}"]
    seq = api.get("/people/deploy/messages", other).json["messages"][0]["seq"]
    assert api.ask("PUT", f"/people/deploy/messages/{seq}/reactions/x", other).status == 200
    assert api.ask("PATCH", f"/people/other/messages/{seq}", token, "new").status == 200
    assert api.get(f"/people/deploy/messages/{seq}", other).json["text"] == "new"
    for person in ("nobody", "@7", "123456"):
        assert api.post(f"/people/{person}/messages", token, "x").status == 404
    assert api.post("/people/deploy/messages", token, "x").status == 422


def test_search_finds(api: ApiRig, token: str) -> None:
    api.post(POST, token, "the build failed")
    assert api.get("/search?q=build", token).json["hits"][0]["message"]["text"] == "the build failed"
    for query, status in (("", 422), ("?q=", 422), ("?q=has:x", 422), (f"?q={'x' * 501}", 422), ("?q=a&x=1", 400)):
        assert api.get(f"/search{query}", token).status == status


def test_the_token_tells_who_it_is(api: ApiRig, token: str) -> None:
    own = api.get("/me", token).json
    assert own["name"] == "deploy"
    assert own["id"] == api.get("/people/deploy", token).json["id"]
    assert api.get(f"/people/{own['id']}", token).json["name"] == "deploy"


def test_without_a_good_token_nothing_is_told(api: ApiRig, token: str) -> None:
    for given in (None, "f" * 32, "scb_x", NONE):
        code = "token_missing" if given is None else "token_invalid"
        for method, path in (("GET", "/me"), ("POST", POST), ("GET", "/rooms/absent")):
            reply = api.ask(method, path, given)
            assert (reply.status, reply.code) == (401, code)
    assert len(api.paths.peers) == 0


def test_a_token_in_the_query_comes_before_all_else(api: ApiRig, token: str) -> None:
    for path in (f"/me?token={token}", "/no/such/path?token=x", f"{POST}?access_token=x"):
        reply = api.get(path, token)
        assert (reply.status, reply.code) == (400, "token_in_query")
        assert token not in json.dumps(reply.json)


def test_tokens_that_are_none_slow_their_address_down(api: ApiRig, token: str) -> None:
    assert api.get("/me", token).status == 200
    codes = [api.get("/me", api_token(number.to_bytes(32)), address="9.9.9.9").code for number in range(12)]
    assert codes == ["token_invalid"] * 10 + ["too_many_failed_tokens"] * 2
    assert api.get("/me", token, address="9.9.9.9").status == 200, "a known token is not slowed down"
    assert api.get("/me", NONE, address="8.8.8.8").code == "token_invalid"
    api.pass_time(2.5)
    assert api.get("/me", NONE, address="9.9.9.9").code == "token_invalid"
    assert api.get("/me", NONE, address="9.9.9.9").status == 429


def test_what_was_refused_is_counted(api: ApiRig, token: str) -> None:
    api.get("/me", NONE)
    api.get("/rooms/absent", token)
    assert [(code.value, login and login.value) for code, login in api.refusals] == [
        ("token_invalid", "api_token"),
        ("no_such_room", None),
    ]
    assert len(api.logins) == 1


def test_only_so_many_requests_wait(api: ApiRig, token: str) -> None:
    replies = [api.post(POST, token, f"{number}", settle=False) for number in range(33)]
    assert [reply.made is not None for reply in replies] == [False] * 32 + [True]
    assert (replies[-1].status, replies[-1].code) == (429, "too_many_in_flight")
    assert replies[-1].json["args"] == {"most": 32}
    api.settle()
    assert {reply.status for reply in replies[:-1]} == {201}
    assert api.post(POST, token, "again").status == 201


def test_who_leaves_is_not_counted_any_more(api: ApiRig, token: str) -> None:
    for _ in range(40):
        api.post(POST, token, "x", settle=False).abandon()
    api.settle()
    assert api.post(POST, token, "again").status == 201


def test_what_waits_for_the_welcome_begins_one_a_pass(api: ApiRig, token: str) -> None:
    """Each may have a body that takes 5 ms: 32 of them held the loop for 130 ms."""
    replies = [api.post_json(POST, token, {"text": 1}, settle=False) for _ in range(4)]
    assert not any(reply.made for reply in replies)
    replies[1].abandon()
    passes = []
    while not all(reply.made for reply in (replies[0], *replies[2:])):
        before = sum(reply.made is not None for reply in replies)
        api.rig.settle()
        for timer in [each for each in api._timers if each.when <= api.now]:
            api._timers.remove(timer)
            timer.callback()
        passes.append(sum(reply.made is not None for reply in replies) - before)
    assert max(passes) == 1
    assert [reply.status for reply in (replies[0], *replies[2:])] == [422] * 3


def test_bodies_that_are_no_message_are_paced() -> None:
    api = ApiRig(Limits(byte_burst=1_000.0, byte_rate=100.0), rates=True)
    token = api.token("deploy")
    statuses = [api.post_json(POST, token, {"text": 1, "x": "y" * 500}).status for _ in range(6)]
    assert statuses[0] == 422
    assert statuses[-1] == 429
    api.pass_time(60.0)
    assert api.post_json(POST, token, {"text": 1}).status == 422


def test_who_waits_as_long_as_told_gets_a_large_body_through() -> None:
    api = ApiRig(Limits(byte_burst=1_000.0, byte_rate=100.0), rates=True)
    token = api.token("deploy")
    assert api.get("/me", token).status == 200
    assert api.post(POST, token, "a" * 950).status == 201
    refused = api.post(POST, token, "b" * 950)
    assert refused.status == 429
    api.pass_time(ceil(refused.json["retry_after_s"]))
    again = api.post(POST, token, "b" * 950)
    api.pass_time(6.0)
    assert again.status == 201


def test_a_body_that_is_refused_delays_none_that_waits() -> None:
    api = ApiRig(Limits(byte_burst=1_000.0, byte_rate=100.0), rates=True)
    token = api.token("deploy")
    assert api.get("/me", token).status == 200
    assert api.post(POST, token, "a" * 950).status == 201
    waiting = api.post(POST, token, "b" * 400)
    assert waiting.made is None
    assert api.post(POST, token, "c" * 950).status == 429
    api.pass_time(6.0)
    assert waiting.status == 201


def test_a_rate_is_waited_for_and_then_told() -> None:
    api = ApiRig(Limits(bot_message_burst=10, bot_message_rate=5), rates=True)
    token = api.token("deploy")
    replies = [api.post(POST, token, f"{number}") for number in range(11)]
    assert {reply.status for reply in replies} == {201}
    waits = api.post(POST, token, "over the rate")
    assert waits.made is None
    api.pass_time(2)
    assert waits.status == 201
    replies = [api.post(POST, token, "x") for _ in range(32)]
    api.pass_time(6)
    refused = [reply for reply in replies if reply.status == 429]
    assert refused
    assert all(reply.status == 201 for reply in replies if reply not in refused)
    assert {reply.code for reply in refused} == {"rate"}
    assert all(reply.json["retry_after_s"] > 0 for reply in refused)
    api.pass_time(10)
    assert api.post(POST, token, "later").status == 201


def test_reads_come_one_after_the_other(api: ApiRig, token: str) -> None:
    api.post(POST, token, "x")
    replies = [api.get(POST, token, settle=False) for _ in range(5)]
    replies.append(api.get("/search?q=x", token, settle=False))
    api.settle()
    assert [reply.status for reply in replies] == [200] * 6


def test_a_peer_goes_when_no_one_asks(api: ApiRig, token: str) -> None:
    api.get("/me", token)
    api.pass_time(50)
    api.get("/me", token)
    api.pass_time(50)
    assert len(api.paths.peers) == 1
    api.pass_time(20)
    assert len(api.paths.peers) == 0
    assert api.get("/me", token).status == 200
    assert len(api.logins) == 2


def test_a_ban_reaches_a_program_at_once(api: ApiRig, token: str) -> None:
    waits = api.post(POST, token, "x", settle=False)
    (peer,) = api.paths.peers._peers.values()
    peer.close(Closing.of(refusal_for("banned")))
    assert (waits.status, waits.code) == (403, "banned")
    assert len(api.paths.peers) == 0
    api.settle()


def test_a_banned_address_gets_nothing_of_a_known_token(api: ApiRig, token: str) -> None:
    assert api.get("/me", token, address="192.0.2.1").status == 200
    ban_network(api, "198.51.100.0/24")
    refused = api.post(POST, token, "x", address="198.51.100.7")
    assert (refused.status, refused.code) == (403, "banned")
    assert api.post(POST, token, "x", address="192.0.2.1").status == 201
    assert [message.text for message in api.rig.fed] == ["x"]


def test_a_stop_answers_what_the_log_will_not(api: ApiRig, token: str) -> None:
    assert api.get("/me", token).status == 200
    waits = [api.post(POST, token, "x", settle=False), api.get(POST, token, settle=False)]
    api.paths.peers.close(Closing.of(refusal_for("log_failed", retry_after_s=1.0)))
    assert [(reply.status, reply.code) for reply in waits] == [(503, "log_failed")] * 2
    assert len(api.paths.peers) == 0


def test_a_bug_costs_its_token_and_no_more(api: ApiRig, token: str) -> None:
    other = api.token("other")
    assert api.get("/me", other).status == 200
    api.get("/me", token)
    waits = api.post(POST, token, "x", settle=False)
    (peer,) = (peer for peer in api.paths.peers._peers.values() if peer.in_flight)
    peer.fail()
    assert (waits.status, waits.code) == (500, "internal")
    api.settle()
    assert api.get("/me", token).status == 200
    assert api.get("/me", other).status == 200


def test_a_server_without_files_says_so_at_their_paths(api: ApiRig, token: str) -> None:
    paths = ("/rooms/lobby/files/a.log", "/people/ann/files/a.log", "/uploads", f"/uploads/{'0' * 32}/{'1' * 32}")
    for path in (*paths, "/files", f"/files/{'0' * 32}"):
        reply = api.ask("PUT", path, token, "x")
        assert (reply.status, reply.code) == (404, "files_off"), path
    too_long = HttpError(413, "The body is too long.")
    too_long.path = f"/api/v1{paths[0]}"
    assert json.loads(api.paths.error_answer(too_long).body)["code"] == "files_off"
    too_long.path = f"/api/v1{POST}"
    assert json.loads(api.paths.error_answer(too_long).body)["code"] == "body_too_large"


def test_one_path_too_many_is_not_found(api: ApiRig, token: str) -> None:
    for path in ("/", "/x", "/rooms/", "/rooms//messages", "/rooms/lobby/messages/", "/me/", "/rooms/lobby/x"):
        reply = api.get(path, token)
        assert (reply.status, reply.code) == (404, "no_such_path"), path
    reply = api.ask("PUT", POST, token)
    assert (reply.status, reply.code) == (405, "method_not_allowed")
    assert reply.made is not None
    assert b"\r\nAllow: GET, HEAD, POST\r\n" in reply.made.head
    assert api.ask("TRACE", POST, token, "body").status == 405
    for method, path in (("PUT", f"{POST}/1/reactions/x"), ("GET", "/me"), ("DELETE", f"{POST}/1")):
        assert api.ask(method, path, token, "body").status == 413
    assert api.ask("GET", "/openapi.json", None, "body").status in (404, 405)


def test_a_room_escaped_twice_is_another_name(api: ApiRig, token: str) -> None:
    assert api.get("/rooms/%6Cobby", token).status == 200
    assert api.get("/rooms/%256Cobby", token).status in (404, 422)
    assert api.get("/rooms/%FF", token).status == 400
    assert api.get(f"/rooms/{'x' * 300}", token).status == 422


def test_what_a_program_does_is_nothing_that_its_owner_has_seen(api: ApiRig) -> None:
    ana, ben = api.token("ana"), api.token("ben")
    before = logged_in(api, ana)
    api.hub.lost(before)
    api.settle()
    assert api.post(POST, ana, "from a script").status == 201
    seq = api.post("/people/ana/messages", ben, "have you seen this?").json["seq"]
    beside = logged_in(api, ana).last(Welcome)
    assert beside.seen_seq is not None
    assert beside.seen_seq < seq, "a program of hers is connected, and no device"


def test_a_program_that_leaves_has_seen_nothing(api: ApiRig) -> None:
    ana, ben = api.token("ana"), api.token("ben")
    assert api.post(POST, ana, "from a script").status == 201
    seq = api.post("/people/ana/messages", ben, "have you seen this?").json["seq"]
    assert api.post(POST, ana, "more from it").status == 201
    api.pass_time(100)
    assert len(api.paths.peers) == 0
    welcome = logged_in(api, ana).last(Welcome)
    assert welcome.seen_seq is not None
    assert welcome.seen_seq < seq


def test_messages_are_not_told_to_the_peer(api: ApiRig, token: str) -> None:
    api.get("/me", token)
    ana = api.rig.member("ana")
    api.rig.do(ana, Say(1, "lobby", "hello"))
    assert ana.last(Message).text == "hello"


def test_the_description_needs_no_token(api: ApiRig) -> None:
    reply = api.get("/openapi.json", None)
    assert reply.status == 200
    described = reply.json
    assert described["openapi"] == "3.1.0"
    posted = described["paths"]["/rooms/{room}/messages"]["post"]
    assert {"201", "401", "404", "422", "429", "507"} <= posted["responses"].keys()
    assert reply.made is api.get("/openapi.json", None).made
    assert "Message" in described["components"]["schemas"]


def test_a_full_log_is_told_with_a_wait() -> None:
    api = ApiRig(Limits(append_queue=1))
    token = api.token("deploy")
    assert api.get("/me", token).status == 200
    first = api.post(POST, token, "one", settle=False)
    second = api.post(POST, token, "two", settle=False)
    assert (second.status, second.code, second.json["retry_after_s"]) == (503, "overloaded", 1.0)
    api.settle()
    assert first.status == 201
    assert api.post(POST, token, "three").status == 201
