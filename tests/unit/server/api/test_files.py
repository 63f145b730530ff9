"""A file as a message in one request, and downloads by token and by link."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from securechat.errors import Refusal
from securechat.limits import KIB, MIB, Limits
from securechat.model import AskLinks, Closing, Delete, Deleted, FileLinks, Join, Message, Moderate, Register, Welcome
from securechat.pictures.kinds import kind_of
from securechat.text.refusals import refusal_for
from tests.support.file_rig import TUS, FileRig
from tests.support.hub_rig import FakePeer
from tests.support.web_connections import Answer

BODY = bytes(range(256)) * 40
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
assert kind_of(BODY) is None


@pytest.fixture
def rig() -> FileRig:
    return FileRig()


@pytest.fixture
def token(rig: FileRig) -> str:
    return rig.program("ann")


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}"


def put(rig: FileRig, token: str, path: str, body: bytes = BODY, *headers: str) -> Answer:
    return rig.request("PUT", f"/api/v1{path}", bearer(token), *headers, body=body)


def watcher(rig: FileRig, name: str = "bob", *rooms: str) -> FakePeer:
    peer = rig.rig.member(name)
    rig.rig.do(peer, Register(1, "eight-chars-or-more"))
    if rooms:
        rig.rig.do(peer, Join(2, list(rooms)))
    return peer


def link_of(rig: FileRig, peer: FakePeer, message: Message) -> str:
    rig.rig.do(peer, AskLinks(9, [message.files[0].id]))
    return peer.last(FileLinks).links[0].path


def reason(answer: Answer) -> str:
    return str(json.loads(answer.body).get("reason"))


def nothing_stays(rig: FileRig) -> bool:
    contents = rig.rig.file_contents
    assert contents is not None
    return not (contents.incoming or contents.uploads or contents.stored)


# --- One's own files ------------------------------------------------------------------------------------------------


def ask(rig: FileRig, method: str, path: str, token: str) -> tuple[int, Any]:
    answer = rig.request(method, f"/api/v1{path}", bearer(token))
    return answer.status, json.loads(answer.body)


def test_a_program_lists_and_deletes_its_own_files(rig: FileRig, token: str) -> None:
    bob = watcher(rig)
    put(rig, token, "/rooms/lobby/files/small.txt", b"abc")
    put(rig, token, "/people/bob/files/large.txt", b"abcdef")
    created = rig.create(token, 10, "Upload-Metadata: filename " + b64encode(b"half.bin").decode())
    rig.patch(created.headers["location"], 0, b"1234")
    status, listed = ask(rig, "GET", "/files", token)
    assert (status, listed["used"], listed["more"]) == (200, 19, False)
    assert listed["most"] == rig.rig.limits.files_per_person_bytes
    assert [(own["file"]["name"], own.get("room")) for own in listed["files"]] == [
        ("large.txt", None), ("small.txt", "lobby"),
    ]  # fmt: skip
    (upload,) = listed["uploads"]
    assert (upload["name"], upload["size"], upload["offset"]) == ("half.bin", 10, 4)
    assert ask(rig, "DELETE", f"/files/{upload['id']}", token) == (200, {"id": upload["id"], "seq": None})
    assert rig.request("HEAD", created.headers["location"], TUS).status == 410
    large, small = (own["file"]["id"] for own in listed["files"])
    assert ask(rig, "GET", f"/files?after={large}", token)[1]["files"] == [listed["files"][1]]
    for file_id in (large, small):
        status, deleted = ask(rig, "DELETE", f"/files/{file_id}", token)
        assert (status, deleted["id"]) == (200, file_id)
        assert bob.last(Deleted).seq == deleted["seq"]
    assert ask(rig, "GET", "/files", token)[1]["files"] == []
    assert ask(rig, "DELETE", f"/files/{large}", token)[0] == 404


def test_files_of_others_are_not_deleted_and_nonsense_is_refused(rig: FileRig, token: str) -> None:
    other = rig.program("carl")
    put(rig, other, "/rooms/lobby/files/a")
    file_id = ask(rig, "GET", "/files", other)[1]["files"][0]["file"]["id"]
    for path in (f"/files/{file_id}", "/files/x", f"/files/{'f' * 32}"):
        status, problem = ask(rig, "DELETE", path, token)
        assert (status, problem["reason"]) == (404, "no_such_file")
    assert ask(rig, "GET", "/files?after=x", token)[0] == 400
    assert ask(rig, "PUT", f"/files/{file_id}", token)[0] == 405
    assert ask(rig, "GET", "/files", rig.program("dora", "post", "read"))[0] == 403
    assert ask(rig, "GET", "/files", rig.program("eve", "files"))[0] == 200
    assert len(ask(rig, "GET", "/files", other)[1]["files"]) == 1


def test_a_token_for_some_rooms_removes_uploads_and_lists_and_deletes_no_files(rig: FileRig) -> None:
    token = rig.program("ann", rooms=["lobby"])
    put(rig, token, "/rooms/lobby/files/a.txt")
    path = rig.create(token, 10).headers["location"]
    assert ask(rig, "GET", "/files", token)[0] == 403
    assert ask(rig, "DELETE", f"/files/{path.split('/')[4]}", token)[0] == 200
    assert rig.request("HEAD", path, TUS).status == 410
    assert ask(rig, "DELETE", f"/files/{'f' * 32}", token)[0] == 403


def test_an_own_file_in_a_room_that_was_left_is_not_deleted(rig: FileRig, token: str) -> None:
    watcher(rig, "bob", "ops")
    put(rig, token, "/rooms/ops/files/a")
    (own,) = ask(rig, "GET", "/files", token)[1]["files"]
    ann = rig.rig.hub.context.accounts.account_named("ann")
    assert ann is not None
    bob = next(peer for peer in rig.rig.hub.context.connections if isinstance(peer, FakePeer))
    rig.rig.do(bob, Moderate(5, "ops", ann.sender_id, "kick"))
    (told,) = ask(rig, "GET", "/files", token)[1]["files"]
    assert "room" not in told
    status, problem = ask(rig, "DELETE", f"/files/{own['file']['id']}", token)
    assert (status, problem["code"]) == (404, "not_a_member")


# --- PUT --------------------------------------------------------------------------------------------------------------


def test_before_the_uploads_of_an_earlier_process_are_read_a_program_is_told_to_ask_again(
    rig: FileRig, token: str
) -> None:
    rig.files.uploads.is_loaded = False
    answer = put(rig, token, "/rooms/lobby/files/a.txt")
    assert (answer.status, answer.headers["retry-after"], reason(answer)) == (503, "1", "uploads_of_server_used_up")
    rig.files.uploads.load([])
    assert put(rig, token, "/rooms/lobby/files/a.txt").status == 201


def test_a_file_is_a_message_in_one_request(rig: FileRig, token: str) -> None:
    bob = watcher(rig)
    answer = put(rig, token, "/rooms/lobby/files/re%20port.pdf?text=the%20numbers")
    assert answer.status == 201
    message = bob.messages[-1]
    assert json.loads(answer.body) == {"seq": message.seq}
    assert message.text == "the numbers\n[file: re port.pdf, 10 KiB]"
    assert message.files[0].size == len(BODY)


def test_a_file_goes_to_a_person(rig: FileRig, token: str) -> None:
    bob, eve = watcher(rig), watcher(rig, "eve")
    assert put(rig, token, "/people/bob/files/a.bin").status == 201
    assert bob.messages[-1].to == bob.of(Welcome)[0].sender_id
    assert eve.messages == []


def test_a_refusal_costs_no_upload() -> None:
    rig = FileRig(Limits(file_bytes=20 * KIB, files_per_person_bytes=15 * KIB))
    token, reader = rig.program("ann"), rig.program("carl", "post", "read")
    watcher(rig, "bob", "den")
    cases = [
        (token, "/rooms/lobby/files/a", 20 * KIB + 1, 413),
        (token, "/rooms/lobby/files/a", 15 * KIB + 1, 507),
        (token, "/rooms/nowhere/files/a", 5, 404),
        (reader, "/rooms/lobby/files/a", 5, 403),
        ("scb_none", "/rooms/lobby/files/a", 5, 401),
        (token, "/rooms/lobby/files/a?text=" + "x" * 4001, 5, 422),
        (token, "/rooms/lobby/files/a?as=picture", 5, 400),
        (token, "/people/nobody/files/a", 5, 404),
    ]
    for who, path, size, status in cases:
        browser = rig.begin("PUT", f"/api/v1{path}", bearer(who), "Expect: 100-continue", size=size)
        assert not browser.link.sent.startswith(CONTINUE), path
        answer = browser.answer("PUT")
        assert answer.status == status, (path, answer.body)
    assert nothing_stays(rig)


def test_a_body_over_the_limit_of_a_file_is_refused_as_a_file_that_is_too_large() -> None:
    rig = FileRig(Limits(file_bytes=20 * KIB))
    size = 20 * KIB + 1
    answer = rig.begin("PUT", "/api/v1/rooms/lobby/files/a", bearer(rig.program("ann")), size=size).answer("PUT")
    problem = json.loads(answer.body)
    assert (answer.status, problem["code"]) == (413, "file_too_large")
    assert problem["args"] == {"size": size, "most": 20 * KIB}


def test_the_body_comes_when_it_may(rig: FileRig, token: str) -> None:
    browser = rig.begin("PUT", "/api/v1/rooms/lobby/files/a", bearer(token), "Expect: 100-continue", size=len(BODY))
    assert browser.link.sent == CONTINUE
    browser.link.sent = b""
    browser.upload(BODY)
    rig.run()
    assert browser.answer("PUT").status == 201


def test_a_retry_with_its_key_costs_no_upload_and_says_nothing_twice(rig: FileRig, token: str) -> None:
    bob = watcher(rig)
    first = put(rig, token, "/rooms/lobby/files/log", BODY, "Idempotency-Key: monday")
    browser = rig.begin(
        "PUT", "/api/v1/rooms/lobby/files/log", bearer(token), "Idempotency-Key: monday", "Expect: 100-continue",
        size=len(BODY),
    )  # fmt: skip
    again = browser.answer("PUT")
    assert (again.status, again.body) == (first.status, first.body)
    assert len(bob.messages) == 1
    other = put(rig, token, "/rooms/lobby/files/log?text=x", BODY, "Idempotency-Key: monday")
    assert (other.status, json.loads(other.body)["code"]) == (422, "key_used")


def test_what_is_cut_off_or_late_leaves_nothing(rig: FileRig, token: str) -> None:
    browser = rig.begin("PUT", "/api/v1/rooms/lobby/files/a", bearer(token), size=len(BODY), body=BODY[:100])
    assert len(rig.files.uploads) == 1
    browser.lost()
    rig.run()
    assert len(rig.files.uploads) == 0
    assert nothing_stays(rig)
    browser = rig.begin("PUT", "/api/v1/rooms/lobby/files/a", bearer(token), size=len(BODY), body=BODY[:100])
    rig.web.run(Limits().upload_stall_s + 1)
    rig.run()
    assert browser.answer("PUT").status == 408
    assert nothing_stays(rig)
    assert all(peer.in_flight == 0 for peer in rig.paths.peers._peers.values())


def test_a_disk_that_fails_leaves_nothing(rig: FileRig, token: str) -> None:
    assert rig.rig.disk is not None
    rig.rig.disk.fails = 1
    answer = put(rig, token, "/rooms/lobby/files/a", b"x")
    assert (answer.status, reason(answer)) == (507, "file_not_stored")
    rig.run()
    assert nothing_stays(rig)


def test_a_picture_that_cannot_be_read_is_refused_unless_it_is_a_file(rig: FileRig, token: str) -> None:
    from securechat.text.refusals import refusal_for

    assert rig.rig.disk is not None
    disk: Any = rig.rig.disk

    def rewrite(_: bytes, __: str) -> Refusal:
        return refusal_for("picture_unreadable")

    disk._rewrite = rewrite
    picture = b"\xff\xd8\xff\xe0 is no picture"
    answer = put(rig, token, "/rooms/lobby/files/a.jpg", picture)
    assert (answer.status, reason(answer)) == (422, "picture_unreadable")
    rig.run()
    assert nothing_stays(rig)
    assert put(rig, token, "/rooms/lobby/files/a.jpg?as=file", picture).status == 201


def test_a_room_that_closes_meanwhile_refuses_and_nothing_stays(rig: FileRig, token: str) -> None:
    bob = watcher(rig, "bob", "ops")
    assert put(rig, token, "/rooms/ops/files/a").status == 201
    ann = bob.messages[-1].sender_id
    browser = rig.begin("PUT", "/api/v1/rooms/ops/files/b", bearer(token), size=len(BODY), body=BODY[:100])
    rig.rig.do(bob, Moderate(3, "ops", ann, "mute", 60))
    browser.upload(BODY[100:])
    rig.run()
    answer = browser.answer("PUT")
    assert (answer.status, json.loads(answer.body)["code"]) == (403, "muted")
    rig.run()
    assert len(rig.files.uploads) == 0


# --- GET --------------------------------------------------------------------------------------------------------------


def test_a_token_reads_what_it_may(rig: FileRig, token: str) -> None:
    bob = watcher(rig)
    put(rig, token, "/rooms/lobby/files/a.pdf")
    path = f"/api/v1/files/{bob.messages[-1].files[0].id}"
    answer = rig.request("GET", path, bearer(rig.program("carl", "read")))
    assert (answer.status, answer.body) == (200, BODY)
    assert answer.headers["content-disposition"] == 'attachment; filename="a.pdf"'
    assert answer.headers["content-type"] == "application/octet-stream"
    head = rig.request("HEAD", path, bearer(token))
    assert (head.status, head.headers["content-length"]) == (200, str(len(BODY)))
    part = rig.request("GET", path, bearer(token), "Range: bytes=10-19")
    assert (part.status, part.body) == (206, BODY[10:20])
    assert rig.request("GET", path, bearer(token), f"If-None-Match: {head.headers['etag']}").status == 304
    assert rig.request("GET", path, bearer(token), "Range: bytes=99999-").status == 416
    poster = rig.request("GET", path, bearer(rig.program("dora", "post")))
    assert poster.status == 403
    assert rig.request("GET", "/api/v1/files/" + "f" * 32, bearer(token)).status == 404
    assert rig.request("GET", "/api/v1/files/x", bearer(token)).status == 404
    assert rig.request("POST", path, bearer(token)).status == 405


def test_a_token_reads_no_dialogue_of_others_and_no_room_it_is_not_in(rig: FileRig, token: str) -> None:
    bob = watcher(rig, "bob", "ops")
    put(rig, token, "/people/bob/files/a")
    dialogue = bob.messages[-1].files[0].id
    carl = rig.program("carl", "read")
    assert rig.request("GET", f"/api/v1/files/{dialogue}", bearer(token)).status == 200
    assert rig.request("GET", f"/api/v1/files/{dialogue}", bearer(carl)).status == 404


@pytest.mark.parametrize(
    ("end", "status", "code"), [("shutting_down", 503, "shutting_down"), ("token_ended", 401, "logged_out")]
)
def test_a_login_that_ends_during_a_read_is_not_told_that_there_is_no_file(
    rig: FileRig, token: str, end: str, status: int, code: str
) -> None:
    bob = watcher(rig)
    put(rig, token, "/rooms/lobby/files/a.pdf")
    log: Any = rig.rig.log
    read = log.file

    def end_meanwhile(query: Any, done: Any) -> None:
        rig.paths.peers.close(Closing(refusal_for(end).code, "", reason=end))
        read(query, done)

    log.file = end_meanwhile
    answer = rig.request("GET", f"/api/v1/files/{bob.messages[-1].files[0].id}", bearer(token))
    assert (answer.status, json.loads(answer.body)["code"]) == (status, code)


@pytest.mark.parametrize(("times", "status"), [(4, 200), (5, 503)])
def test_a_file_is_not_gone_because_rooms_are_renamed(rig: FileRig, token: str, times: int, status: int) -> None:
    bob = watcher(rig)
    put(rig, token, "/rooms/lobby/files/a.pdf")
    log: Any = rig.rig.log
    read, left = log.file, [None] * times
    lobby = rig.hub.context.rooms.named("lobby")
    assert lobby is not None

    def rename_meanwhile(query: Any, done: Any) -> None:
        if left:
            left.pop()
            lobby.renames += 1
        read(query, done)

    log.file = rename_meanwhile
    answer = rig.request("GET", f"/api/v1/files/{bob.messages[-1].files[0].id}", bearer(token))
    assert answer.status == status
    assert status == 200 or reason(answer) == "room_being_renamed"


def test_a_link_is_followed_until_it_may_not_be(rig: FileRig, token: str) -> None:
    bob = watcher(rig)
    put(rig, token, "/rooms/lobby/files/a.html", b"<script>alert(1)</script>")
    message = bob.messages[-1]
    path = link_of(rig, bob, message)
    for each in (path, f"{path}/a.html", f"{path}/%2e%2e%2fx"):
        answer = rig.request("GET", each)
        assert (answer.status, answer.body) == (200, b"<script>alert(1)</script>")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    wrong = [f"{path}/a/b", f"{path}?size=0", f"{path}?x=1", f"{path}?size=320&size=320", path[:-1] + "z", "/files/x"]
    answers = [rig.request("GET", each) for each in (*wrong, f"{path}?size=320")]
    assert {(each.status, each.body) for each in answers} == {(404, b"There is no such file, or it is not for you.\n")}
    assert rig.request("POST", path, body=b"x").status == 405
    rig.rig.do(bob, Delete(5, message.seq, room="lobby"))
    ann = watcher(rig, "eve")
    del ann
    assert rig.request("GET", path).status == 200, "bob may not delete it"
    token_delete = rig.request("DELETE", f"/api/v1/rooms/lobby/messages/{message.seq}", bearer(token))
    assert token_delete.status == 200
    assert rig.request("GET", path).status == 404


def test_a_picture_is_shown_and_its_preview_too(rig: FileRig, token: str) -> None:
    disk: Any = rig.rig.disk
    from securechat.testing.memory_files import MemoryPicture

    disk._rewrite = lambda _, __: MemoryPicture(b"new", {320: b"small"}, "image/jpeg", 640, 480)
    bob = watcher(rig)
    put(rig, token, "/rooms/lobby/files/a.jpg", b"\xff\xd8\xff\xe0 with a place in it")
    path = link_of(rig, bob, bob.messages[-1])
    whole, small = rig.request("GET", path), rig.request("GET", f"{path}?size=320")
    assert (whole.body, whole.headers["content-type"]) == (b"new", "image/jpeg")
    assert (small.body, small.headers["content-type"]) == (b"small", "image/webp")
    assert small.headers["content-disposition"].startswith("inline")
    assert whole.headers["etag"] != small.headers["etag"]


def test_a_link_ends_with_its_login(rig: FileRig, token: str) -> None:
    bob = watcher(rig)
    put(rig, token, "/rooms/lobby/files/a")
    path = link_of(rig, bob, bob.messages[-1])
    assert rig.request("GET", path).status == 200
    rig.hub.lost(bob)
    rig.run()
    assert rig.request("GET", path).status == 404


def test_links_that_ended_keep_no_program_of_the_same_network_out(rig: FileRig, token: str) -> None:
    """A page whose login has just ended asks for its pictures; a bot of the same office comes in a second later."""
    bob = watcher(rig)
    put(rig, token, "/rooms/lobby/files/a.bin")
    link = link_of(rig, bob, bob.messages[-1])
    rig.rig.lose(bob)
    for _ in range(rig.rig.limits.api_failed_tokens + 1):
        rig.request("GET", link)
    other = rig.program("carl")
    assert rig.request("GET", "/api/v1/me", bearer(other)).status == 200


def test_a_file_that_has_lost_its_end_is_not_sent_as_whole(rig: FileRig, token: str) -> None:
    """The ETag is the SHA-256 of the record: a client keeps it for a year as the file."""
    assert rig.rig.file_contents is not None
    bob = watcher(rig)
    put(rig, token, "/rooms/lobby/files/a.bin")
    (file,) = bob.messages[-1].files
    rig.rig.file_contents.stored[file.id][None] = BODY[:100]
    assert rig.request("GET", link_of(rig, bob, bob.messages[-1])).status == 404


def test_a_file_that_has_become_longer_is_not_sent(rig: FileRig, token: str) -> None:
    assert rig.rig.file_contents is not None
    bob = watcher(rig)
    put(rig, token, "/rooms/lobby/files/a.bin")
    (file,) = bob.messages[-1].files
    rig.rig.file_contents.stored[file.id][None] = BODY + b"x"
    assert rig.request("GET", f"/api/v1/files/{file.id}", bearer(token)).status == 404


def test_links_uploads_and_tokens_that_are_none_are_counted_apart(rig: FileRig, token: str) -> None:
    link, upload = f"/files/{'0' * 32}/1-l1-{'0' * 32}", f"/api/v1/uploads/{'0' * 32}/{'0' * 32}"
    often = range(2 * rig.rig.limits.api_failed_tokens)
    asked = {
        "link": lambda: rig.request("GET", link).status,
        "upload": lambda: rig.request("HEAD", upload, "Tus-Resumable: 1.0.0").status,
        "token": lambda: rig.request("GET", "/api/v1/me", bearer("scb_none")).status,
    }
    for name, status in (("link", 404), ("upload", 404), ("token", 401)):
        assert asked[name]() == status, f"those before {name} have used up nothing of it"
        assert [asked[name]() for _ in often][-1] == 429, name
    assert [ask() for ask in asked.values()] == [429] * 3


@pytest.mark.parametrize("path", ["/rooms/lobby/files/a", "/people/bob/files/a"])
def test_a_file_that_is_too_large_is_told_in_words(path: str) -> None:
    rig = FileRig()
    browser = rig.begin("PUT", f"/api/v1{path}", bearer(rig.program("ann")), "Expect: 100-continue", size=30 * MIB)
    answer = browser.answer("PUT")
    problem = json.loads(answer.body)
    assert (answer.status, problem["code"], problem["reason"]) == (413, "file_too_large", "file_too_large")
    assert problem["args"] == {"size": 30 * MIB, "most": 25 * MIB}
    assert problem["detail"] == "The file has 30 MiB, and at most 25 MiB are allowed for one file. Send a smaller one"
