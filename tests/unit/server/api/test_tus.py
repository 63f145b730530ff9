"""Uploads by tus 1.0.0: what its specification says, and what comes from elsewhere."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode

import pytest

from securechat.errors import Refusal
from securechat.limits import KIB, Limits
from securechat.model import Say
from securechat.testing.memory_files import MemoryFiles
from securechat.text.refusals import refusal_for
from tests.support.file_rig import TUS, FileRig, part


def metadata(**values: str) -> str:
    pairs = (f"{name} {b64encode(value.encode()).decode()}" for name, value in values.items())
    return f"Upload-Metadata: {','.join(pairs)}"


def checksum(body: bytes, name: str = "sha256") -> str:
    return f"Upload-Checksum: {name} {b64encode(hashlib.new(name, body).digest()).decode()}"


@pytest.fixture
def rig() -> FileRig:
    return FileRig()


@pytest.fixture
def token(rig: FileRig) -> str:
    return rig.program("ann")


def created(rig: FileRig, token: str, size: int, *headers: str) -> str:
    answer = rig.create(token, size, *headers)
    assert answer.status == 201, answer.body
    return answer.headers["location"]


def test_an_upload_in_parts_becomes_a_file_of_a_message(rig: FileRig, token: str) -> None:
    answer = rig.create(token, 10, metadata(filename="a b.txt", filetype="text/html"))
    assert answer.status == 201
    path, begun = answer.headers["location"], json.loads(answer.body)
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert answer.headers["upload-expires"].endswith(" GMT")
    assert begun["name"] == "a b.txt"
    assert rig.offset(path) == 0
    first = rig.patch(path, 0, b"01234")
    assert (first.status, first.headers["upload-offset"]) == (204, "5")
    assert rig.offset(path) == 5
    assert rig.patch(path, 5, b"56789").headers["upload-offset"] == "10"
    ann = rig.rig.peer()
    posted = rig.hub.files
    assert posted is not None
    upload = posted.uploads.get(begun["id"])
    assert upload is not None
    assert upload.state.stored is not None
    assert upload.state.stored.sha256 == hashlib.sha256(b"0123456789").digest()
    del ann


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
def test_before_the_uploads_of_an_earlier_process_are_read_a_client_is_told_to_ask_again(
    rig: FileRig, token: str, method: str
) -> None:
    path = created(rig, token, 10)
    uploads = rig.files.uploads
    (upload,) = [uploads.get(path.split("/")[-2])]
    assert upload is not None
    uploads.remove(upload)
    uploads.is_loaded = False
    headers = part(0) if method == "PATCH" else (TUS,)
    answer = rig.request(method, path, *headers, body=b"01234" if method == "PATCH" else b"")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    uploads.load([upload.state])
    assert rig.offset(path) == 0
    assert rig.request("HEAD", path[:-1] + "x", TUS).status == 404


def test_head_tells_what_tus_wants(rig: FileRig, token: str) -> None:
    path = created(rig, token, 10, metadata(filename="a.txt", **{"as": "file"}))
    head = rig.request("HEAD", path, TUS)
    assert head.status == 200
    assert head.headers["upload-length"] == "10"
    assert head.headers["cache-control"] == "no-store"
    assert head.headers["upload-metadata"] == metadata(filename="a.txt", **{"as": "file"}).removeprefix(
        "Upload-Metadata: "
    )


def test_options_needs_neither_version_nor_token(rig: FileRig) -> None:
    answer = rig.request("OPTIONS", "/api/v1/uploads")
    assert answer.status == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-extension"] == "creation,expiration,termination,checksum"
    assert answer.headers["tus-max-size"] == str(Limits().file_bytes)
    assert answer.headers["tus-checksum-algorithm"] == "sha1,sha256"


@pytest.mark.parametrize("version", [(), ("Tus-Resumable: 0.2.2",), ("Tus-Resumable: 1.0.0", "Tus-Resumable: 1.0.0")])
def test_another_version_is_412(rig: FileRig, token: str, version: tuple[str, ...]) -> None:
    answer = rig.request("POST", "/api/v1/uploads", *version, f"Authorization: Bearer {token}", "Upload-Length: 3")
    assert (answer.status, answer.headers["tus-version"]) == (412, "1.0.0")


@pytest.mark.parametrize("offset", [0, 4, 6, 10])
def test_a_wrong_offset_is_409_and_changes_nothing(rig: FileRig, token: str, offset: int) -> None:
    path = created(rig, token, 10)
    rig.patch(path, 0, b"01234")
    answer = rig.patch(path, offset, b"56789"[: 10 - offset])
    assert (answer.status, answer.headers["upload-offset"]) == (409, "5")
    assert rig.offset(path) == 5


def test_a_part_beyond_the_length_is_refused_before_its_body(rig: FileRig, token: str) -> None:
    path = created(rig, token, 10)
    browser = rig.begin("PATCH", path, *part(0), "Expect: 100-continue", size=11)
    assert browser.answer("PATCH").status == 413
    assert rig.offset(path) == 0


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_a_part_with_a_wrong_checksum_is_rolled_back(rig: FileRig, token: str, name: str) -> None:
    path = created(rig, token, 10)
    assert rig.patch(path, 0, b"01234", checksum(b"01234", name)).status == 204
    browser = rig.begin("PATCH", path, *part(5), checksum(b"56789", name), size=5, body=b"5678x")
    assert browser.link.sent.startswith(b"HTTP/1.1 460 Checksum Mismatch\r\n")
    assert rig.offset(path) == 5
    assert rig.patch(path, 5, b"56789", checksum(b"56789", name)).headers["upload-offset"] == "10"


def test_a_part_with_a_checksum_that_is_cut_off_is_dropped(rig: FileRig, token: str) -> None:
    path = created(rig, token, 10)
    browser = rig.begin("PATCH", path, *part(0), checksum(b"0123456789"), size=10, body=b"01234")
    browser.lost()
    rig.run()
    assert rig.offset(path) == 0


def test_a_start_after_a_crash_knows_which_bytes_were_not_judged(rig: FileRig, token: str) -> None:
    """The disk is told before the first byte of a part with a checksum, and when that is judged, before the answer."""
    path = created(rig, token, 20)
    contents = rig.rig.file_contents
    assert contents is not None
    file_id = path.split("/")[4]

    def unjudged_from() -> int | None:
        return contents.uploads[file_id].unjudged_from

    assert rig.patch(path, 0, b"01234").status == 204
    assert unjudged_from() is None
    rig.begin("PATCH", path, *part(5), checksum(b"56789"), size=5, body=b"567")
    assert (unjudged_from(), bytes(contents.incoming[file_id])) == (5, b"01234567")
    (found,) = MemoryFiles(lambda work: work(), contents)._load()
    assert (found.offset, bytes(contents.incoming[file_id])) == (5, b"01234"), "as after a crash"


def test_judged_bytes_stay_over_a_crash(rig: FileRig, token: str) -> None:
    path = created(rig, token, 20)
    contents = rig.rig.file_contents
    assert contents is not None
    file_id = path.split("/")[4]
    assert rig.patch(path, 0, b"01234", checksum(b"01234")).status == 204
    assert contents.uploads[file_id].unjudged_from is None
    assert rig.patch(path, 5, b"5678x", checksum(b"56789")).status == 460
    assert contents.uploads[file_id].unjudged_from == 5
    assert rig.patch(path, 5, b"56").status == 204
    assert contents.uploads[file_id].unjudged_from is None, "a part without a checksum is not judged"
    assert [each.offset for each in MemoryFiles(lambda work: work(), contents)._load()] == [7]


def test_a_note_that_cannot_be_made_refuses_the_part(rig: FileRig, token: str) -> None:
    path = created(rig, token, 5)
    assert rig.rig.disk is not None
    rig.rig.disk.fails = 1
    browser = rig.begin("PATCH", path, *part(0), checksum(b"01234"), "Expect: 100-continue", size=5)
    assert browser.answer("PATCH").status == 507, "no byte was asked for"
    assert rig.patch(path, 0, b"01234", checksum(b"01234")).headers["upload-offset"] == "5"


def test_a_part_that_is_cut_off_stays_as_far_as_it_came(rig: FileRig, token: str) -> None:
    path = created(rig, token, 10)
    browser = rig.begin("PATCH", path, *part(0), size=10, body=b"01234")
    browser.lost()
    rig.run()
    assert rig.offset(path) == 5
    assert rig.patch(path, 5, b"56789").status == 204


def test_a_part_with_a_checksum_that_is_taken_over_is_dropped(rig: FileRig, token: str) -> None:
    path = created(rig, token, 10)
    hangs = rig.begin("PATCH", path, *part(0), checksum(b"0123456789"), size=10, body=b"0123x")
    answer = rig.patch(path, 5, b"56789")
    assert hangs.answer("PATCH").status == 423
    assert (answer.status, answer.headers["upload-offset"]) == (409, "0"), "no one has judged the first five"
    assert rig.patch(path, 0, b"0123456789").headers["upload-offset"] == "10"


def test_an_upload_is_busy_until_those_of_the_earlier_process_are_read(rig: FileRig, token: str) -> None:
    path = created(rig, token, 10)
    rig.files.uploads.is_loaded = False
    upload = rig.files.uploads.get(path.split("/")[4])
    assert upload is not None
    rig.files.uploads.remove(upload)
    for answer in (rig.request("HEAD", path, TUS), rig.patch(path, 0, b"0")):
        assert answer.status == 503, "a client that is told 404 begins anew"
        assert answer.headers["retry-after"] == "1"
    rig.files.uploads.load([upload.state])
    assert rig.offset(path) == 0


def test_a_newer_writer_takes_over_from_one_that_hangs(rig: FileRig, token: str) -> None:
    path = created(rig, token, 10)
    hangs = rig.begin("PATCH", path, *part(0), size=10, body=b"01234")
    assert rig.patch(path, 5, b"56789").headers["upload-offset"] == "10"
    assert hangs.answer("PATCH").status == 423
    assert hangs.link.closed


@pytest.mark.parametrize(
    "headers",
    [
        ("Upload-Checksum: md5 AAAA",),
        ("Upload-Checksum: sha1 %%%",),
        ("Upload-Checksum: sha1",),
        ("Upload-Checksum: sha1 AAAA",),
        ("Upload-Checksum: ",),
    ],
)
def test_a_checksum_that_is_none_is_400(rig: FileRig, token: str, headers: tuple[str, ...]) -> None:
    path = created(rig, token, 10)
    assert rig.patch(path, 0, b"01234", *headers).status == 400


@pytest.mark.parametrize(
    "line", ["filename", "filename x", "filename AA==,filename AA==", "filename gICA", ", ", "a b,c d,e"]
)
def test_metadata_that_are_none_are_400(rig: FileRig, token: str, line: str) -> None:
    answer = rig.create(token, 3, f"Upload-Metadata: {line}")
    assert (answer.status, line) == (201 if line == "filename" else 400, line)


@pytest.mark.parametrize("length", ["", "-1", "1e3", "x", "99999999999999999999", "0x10"])
def test_a_length_that_is_none_is_400(rig: FileRig, token: str, length: str) -> None:
    answer = rig.request("POST", "/api/v1/uploads", TUS, f"Authorization: Bearer {token}", f"Upload-Length: {length}")
    assert answer.status == 400


def test_a_creation_is_judged_by_the_hub(token: str) -> None:
    rig = FileRig(Limits(file_bytes=KIB, uploads_per_person=2))
    token = rig.program("ann")
    assert rig.create(token, KIB + 1).status == 413
    assert rig.create(token, 0).status == 422
    for _ in range(2):
        assert rig.create(token, 1).status == 201
    answer = rig.create(token, 1)
    assert (answer.status, json.loads(answer.body)["reason"]) == (409, "uploads_used_up")
    assert answer.headers["tus-resumable"] == "1.0.0"


def test_a_token_needs_the_scope_files(rig: FileRig) -> None:
    answer = rig.create(rig.program("bob", "post", "read"), 3)
    assert (answer.status, json.loads(answer.body)["args"]) == (403, {"scope": "files"})
    assert rig.create("scb_nothing", 3).status == 401
    assert rig.request("POST", "/api/v1/uploads", TUS, "Upload-Length: 3").status == 401


def test_an_address_that_is_none_is_404_and_slowed(rig: FileRig, token: str) -> None:
    path = created(rig, token, 10)
    other = path[:-1] + ("0" if path[-1] != "0" else "1")
    statuses = [rig.request("HEAD", other, TUS).status for _ in range(60)]
    assert statuses[0] == 404
    assert statuses[-1] == 429
    assert rig.offset(path) == 0, "who has the address is not slowed"


def test_termination_frees_the_quota(rig: FileRig, token: str) -> None:
    path = created(rig, token, 10)
    rig.patch(path, 0, b"01234")
    assert rig.request("DELETE", path, TUS).status == 204
    rig.run()
    assert rig.rig.file_contents is not None
    assert rig.rig.file_contents.incoming == {}
    assert len(rig.files.uploads) == 0
    assert rig.request("HEAD", path, TUS).status == 404


def test_what_its_sender_removes_while_it_is_sent_ends_with_410(rig: FileRig, token: str) -> None:
    path = created(rig, token, 10)
    patching = rig.begin(
        "PATCH", path, TUS, "Upload-Offset: 0", "Content-Type: application/offset+octet-stream", size=10, body=b"01234"
    )
    listed = rig.request("GET", "/api/v1/files", f"Authorization: Bearer {token}")
    file_id = json.loads(listed.body)["uploads"][0]["id"]
    assert rig.request("DELETE", f"/api/v1/files/{file_id}", f"Authorization: Bearer {token}").status == 200
    rig.run()
    answers = [patching.answer("PATCH"), rig.request("HEAD", path, TUS), rig.patch(path, 0, b"x")]
    assert [answer.status for answer in answers] == [410, 410, 410], "at 404 a client begins it anew"
    assert json.loads(answers[0].body)["reason"] == "upload_removed"


def test_other_methods_bodies_and_types_are_refused(rig: FileRig, token: str) -> None:
    path = created(rig, token, 10)
    assert rig.request("GET", path, TUS).status == 405
    assert rig.request("PUT", "/api/v1/uploads", TUS, body=b"x").status == 405
    assert rig.request("PATCH", path, TUS, "Upload-Offset: 0", "Content-Type: text/plain", body=b"x").status == 415
    assert rig.request("PATCH", path, TUS, "Content-Type: application/offset+octet-stream", body=b"x").status == 400
    assert rig.request("HEAD", f"{path}?x=1", TUS).status == 400
    assert rig.offset(path) == 0


def test_a_disk_that_fails_in_the_middle_is_told_and_the_rest_goes_on(rig: FileRig, token: str) -> None:
    path = created(rig, token, 10)
    rig.patch(path, 0, b"01234")
    assert rig.rig.disk is not None
    rig.rig.disk.fails = 1
    answer = rig.patch(path, 5, b"567")
    assert (answer.status, json.loads(answer.body)["reason"]) == (507, "file_not_stored")
    assert rig.offset(path) == 5
    rig.rig.disk.fails = 1
    assert rig.patch(path, 5, b"56789").status == 507
    rig.rig.disk.loses = 1
    assert rig.patch(path, 5, b"56789").status == 404, "a failed sync has taken it"
    assert rig.request("HEAD", path, TUS).status == 404
    assert len(rig.files.uploads) == 0


def test_the_end_is_tried_again_by_an_empty_part(rig: FileRig, token: str) -> None:
    path = created(rig, token, 5)
    disk = rig.rig.disk
    assert disk is not None
    finish = disk._finish

    def fails(upload: object) -> object:
        disk.fails = 1
        return finish(upload)  # type: ignore[arg-type]

    disk._finish = fails  # type: ignore[method-assign, assignment]
    assert rig.patch(path, 0, b"01234").status == 507
    disk._finish = finish  # type: ignore[method-assign]
    assert rig.patch(path, 5, b"").status == 204
    assert rig.offset(path) == 5


def test_a_whole_upload_whose_end_was_never_reached_is_finished_by_asking(rig: FileRig, token: str) -> None:
    """Clients take it for finished by its offset alone."""
    path = created(rig, token, 5)
    disk = rig.rig.disk
    assert disk is not None
    finish = disk._finish

    def fails(upload: object) -> object:
        disk.fails = 1
        return finish(upload)  # type: ignore[arg-type]

    disk._finish = fails  # type: ignore[method-assign, assignment]
    assert rig.patch(path, 0, b"01234").status == 507
    assert rig.request("HEAD", path, TUS).status == 507
    disk._finish = finish  # type: ignore[method-assign]
    assert rig.offset(path) == 5
    upload = rig.files.uploads.get(path.split("/")[4])
    assert upload is not None
    assert upload.state.stored is not None


def test_a_removed_upload_cuts_who_brings_it(rig: FileRig, token: str) -> None:
    path = created(rig, token, 10)
    browser = rig.begin("PATCH", path, *part(0), size=10, body=b"01234")
    upload = rig.files.uploads.get(path.split("/")[4])
    assert upload is not None
    rig.files.writing.discard(upload)
    rig.run()
    assert browser.answer("PATCH").status == 404


def test_what_waits_for_the_disk_is_bounded() -> None:
    rig = FileRig(Limits(upload_buffer_bytes=4 * KIB))
    path = created(rig, rig.program("ann"), 64 * KIB)
    settle, rig.settle = rig.settle, lambda: None  # type: ignore[method-assign]
    browser = rig.begin("PATCH", path, *part(0), size=64 * KIB, body=b"x" * KIB)
    browser.upload(b"x" * 63 * KIB)
    rig.web.run(1.0)
    assert rig.files.writing.waiting_bytes <= 4 * KIB + 24 * KIB
    rig.settle = settle  # type: ignore[method-assign]
    rig.run()
    assert browser.answer("PATCH").headers["upload-offset"] == str(64 * KIB)
    assert rig.files.writing.waiting_bytes == 0


def test_a_page_sends_what_its_connection_began(rig: FileRig) -> None:
    from securechat.model import Acked, AddUpload, UploadAdded

    ann = rig.rig.member("ann")
    rig.rig.do(ann, AddUpload(5, "x.bin", 3))
    added = ann.last(UploadAdded)
    assert rig.patch(added.path, 0, b"abc").status == 204
    rig.rig.do(ann, Say(1, "lobby", "", files=[added.id]))
    assert ann.last(Acked).client_id == 1


def test_a_part_with_a_checksum_leaves_nothing_behind_when_a_newer_one_takes_over(rig: FileRig, token: str) -> None:
    """A phone whose connection hangs asks for the offset and goes on: nothing of the old part was ever judged."""
    body = b"0123456789"
    path = created(rig, token, len(body))
    rig.begin("PATCH", path, *part(0), checksum(body), size=len(body), body=b"XXXXX")
    newer = rig.patch(path, rig.offset(path), b"56789")
    assert newer.status == 409, "the first five bytes are not those that the checksum is of"
    assert rig.offset(path) == 0


def test_a_picture_that_cannot_be_read_is_tried_once(rig: FileRig, token: str) -> None:
    tried: list[str] = []

    def rewrite(_: bytes, name: str) -> Refusal:
        tried.append(name)
        return refusal_for("picture_unreadable")

    assert rig.rig.disk is not None
    rig.rig.disk._rewrite = rewrite
    body = b"\x89PNG\r\n\x1a\n" + bytes(20)
    path = created(rig, token, len(body), metadata(filename="a.png"))
    assert rig.patch(path, 0, body).status == 422
    for _ in range(3):
        assert rig.patch(path, len(body), b"").status == 422
    assert tried == ["a.png"]


def test_no_more_waits_for_the_disk_than_all_uploads_may() -> None:
    limits = Limits(upload_buffers_bytes=64 * KIB)
    rig = FileRig(limits)
    token = rig.program("ann")
    paths = [created(rig, token, 100 * KIB) for _ in range(limits.uploads_per_person)]
    for browser in [rig.begin("PATCH", path, *part(0), size=100 * KIB) for path in paths]:
        browser.link.arrive(bytes(100 * KIB))
    for _ in range(10):  # passes in which the disk answers nothing
        rig.web.run(0.001)
    assert rig.files.writing.waiting_bytes <= limits.upload_buffers_bytes + limits.transfer_turn_bytes


def test_uploads_that_are_held_go_on_one_behind_the_other() -> None:
    limits = Limits(upload_buffers_bytes=64 * KIB)
    rig = FileRig(limits)
    token = rig.program("ann")
    paths = [created(rig, token, 100 * KIB) for _ in range(limits.uploads_per_person)]
    browsers = [rig.begin("PATCH", path, *part(0), size=100 * KIB) for path in paths]
    for browser in browsers:
        browser.link.arrive(bytes(100 * KIB))
    browsers.pop(3).lost()  # while it is held, as are others before and behind it
    most_bytes = 0
    for _ in range(100):
        rig.web.run(0.001)
        most_bytes = max(most_bytes, rig.files.writing.waiting_bytes)
        rig.settle()  # the disk answers
    assert limits.upload_buffers_bytes <= most_bytes <= limits.upload_buffers_bytes + limits.transfer_turn_bytes
    assert [browser.answer().status for browser in browsers] == [204] * len(browsers)


def test_a_newer_part_waits_until_one_that_was_cut_off_is_dropped(rig: FileRig, token: str) -> None:
    """Both wait for the disk: the newer one is judged by the offset behind the drop, not by that before."""
    path = created(rig, token, 10)
    first = rig.begin("PATCH", path, *part(0), checksum(b"0123456789"), size=10)
    first.link.arrive(b"XXXXX")
    rig.web.run(0.001)  # the disk does not answer yet
    assert rig.files.writing.waiting_bytes == 5
    first.lost()
    newer = rig.web.connect()
    lines = [f"PATCH {path} HTTP/1.1", "Host: chat.example", "Content-Length: 5", *part(5), "", ""]
    newer.send("\r\n".join(lines).encode() + b"56789")
    rig.run()
    assert newer.answer("PATCH").status == 409
    assert rig.offset(path) == 0


def test_a_part_that_was_judged_stays_when_the_end_of_its_upload_fails(rig: FileRig, token: str) -> None:
    assert rig.rig.disk is not None
    rig.rig.disk._rewrite = lambda *_: refusal_for("pictures_busy")
    body = b"\x89PNG\r\n\x1a\n" + bytes(20)
    path = created(rig, token, len(body), metadata(filename="a.png"))
    assert rig.patch(path, 0, body, checksum(body)).status == 503
    rig.rig.disk._rewrite = None
    assert rig.offset(path) == len(body)


def test_a_part_that_the_disk_neither_takes_nor_gives_back_ends_its_upload(rig: FileRig, token: str) -> None:
    """What was not judged must not become a part of the file."""
    path = created(rig, token, 10)
    browser = rig.begin("PATCH", path, *part(0), checksum(b"0123456789"), size=10, body=b"XXXXX")
    assert rig.rig.disk is not None
    rig.rig.disk.fails = 2  # the next write, and the cut
    browser.upload(b"XX")
    rig.run()
    browser.upload(b"XXX")
    rig.run()
    assert browser.answer("PATCH").status == 507
    assert rig.request("HEAD", path, TUS).status == 404


def test_an_upload_without_a_byte_is_given_up_soon(rig: FileRig, token: str) -> None:
    limits = rig.rig.limits
    silent, begun = created(rig, token, 10), created(rig, token, 10)
    rig.patch(begun, 0, b"x")
    assert rig.request("PATCH", begun, *part(1), checksum(b"y"), body=b"z").status == 460
    expires = {path: rig.request("HEAD", path, TUS).headers["upload-expires"] for path in (silent, begun)}
    assert expires[silent] != expires[begun]
    rig.rig.pass_time(limits.upload_first_byte_s - 1)
    assert rig.offset(silent) == 0
    rig.rig.pass_time(60)
    assert rig.request("HEAD", silent, TUS).status == 404
    assert rig.offset(begun) == 1
    rig.rig.pass_time(limits.upload_hours * 3600)
    assert rig.request("HEAD", begun, TUS).status == 404


def test_an_upload_whose_bytes_were_all_wrong_has_begun(rig: FileRig, token: str) -> None:
    path = created(rig, token, 10)
    assert rig.patch(path, 0, b"0123456789", checksum(b"9876543210")).status == 460
    rig.rig.pass_time(rig.rig.limits.upload_first_byte_s + 60)
    assert rig.offset(path) == 0


def test_a_part_of_more_than_a_file_names_the_limit(token: str) -> None:
    rig = FileRig(Limits(file_bytes=20 * KIB))
    path = created(rig, rig.program("ann"), 10)
    answer = rig.begin("PATCH", path, *part(0), size=20 * KIB + 1).answer("PATCH")
    problem = json.loads(answer.body)
    assert (answer.status, problem["reason"]) == (413, "file_too_large")
    assert problem["args"] == {"size": 20 * KIB + 1, "most": 20 * KIB}
    assert answer.headers["tus-resumable"] == "1.0.0"


@pytest.mark.parametrize("size", [1, 5, 30 * KIB])
def test_bytes_with_a_creation_are_refused_with_what_to_do(token: str, size: int) -> None:
    rig = FileRig(Limits(file_bytes=20 * KIB))
    headers = (TUS, f"Authorization: Bearer {rig.program('ann')}", f"Upload-Length: {size}")
    answer = rig.begin("POST", "/api/v1/uploads", *headers, size=size).answer("POST")
    assert answer.status == 413
    assert json.loads(answer.body)["detail"].endswith("Send them by PATCH to its Location")


def test_only_file_is_said_of_how_it_is_kept(rig: FileRig, token: str) -> None:
    for headers in ([metadata(**{"as": "picture"})], [metadata(filename="a"), "Upload-As: picture"]):
        answer = rig.create(token, 3, *headers)
        assert (answer.status, json.loads(answer.body)["code"]) == (400, "bad_request"), headers
    for headers in ([metadata(**{"as": "file"})], [metadata(filename="a"), "Upload-As: file"]):
        path = created(rig, token, 3, *headers)
        assert ",as " in rig.request("HEAD", path, TUS).headers["upload-metadata"], headers
    assert rig.patch(path, 0, b"abc", "Upload-As: picture").status == 400
    assert rig.offset(path) == 0
