"""Files of messages from the first byte to the unlinking, at the hub."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from securechat.errors import ErrorCode, Refusal
from securechat.hub.files.access import ReadableFile
from securechat.hub.files.service import FileService
from securechat.hub.interfaces import OperatorEvent
from securechat.hub.messages.posting import TRIAL_FILE
from securechat.limits import KIB, MIB, Limits
from securechat.model import (
    Acked,
    AddUpload,
    AskFiles,
    AskLinks,
    Delete,
    Direct,
    Done,
    Edit,
    Edited,
    FileLinks,
    FileList,
    History,
    HistoryPage,
    Join,
    Leave,
    Message,
    Moderate,
    OwnUpload,
    Refused,
    Register,
    RemoveUpload,
    Say,
    SetRoom,
    StoredFile,
    UploadAdded,
    Welcome,
)
from securechat.records.log import NotAppended
from securechat.testing.inline_log import InlineLog
from securechat.testing.keys import plain_keys
from securechat.testing.memory_files import MemoryPicture
from securechat.text.refusals import refusal_for
from tests.support.hub_rig import FakePeer, HubRig

PASSWORD = "eight-chars-or-more"
BODY = b"some bytes of a report"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
def rig() -> HubRig:
    return HubRig(files=True)


def files_of(rig: HubRig) -> FileService:
    assert rig.hub.files is not None
    return rig.hub.files


def begin(rig: HubRig, peer: FakePeer, name: str = "report.pdf", size: int = len(BODY)) -> UploadAdded:
    rig.do(peer, AddUpload(71, name, size))
    return peer.last(UploadAdded)


def fill(rig: HubRig, added: UploadAdded, body: bytes = BODY) -> StoredFile | Refusal:
    """Write and finish an upload."""
    files, outcomes = files_of(rig), []
    upload = files.upload_at(added.id, added.path.rsplit("/", 1)[1])
    assert upload is not None
    writer = files.writing.open(upload, lambda: None)
    writer.ready()
    writer.write(body, lambda: None)
    rig.settle()
    writer.close()
    files.writing.finish(upload, outcomes.append)
    rig.settle()
    return outcomes[0]


def sent(rig: HubRig, peer: FakePeer, name: str = "report.pdf", body: bytes = BODY) -> str:
    """Upload a file; return its id."""
    added = begin(rig, peer, name, len(body))
    assert isinstance(fill(rig, added, body), StoredFile)
    return added.id


def said(rig: HubRig, peer: FakePeer, number: int, text: str = "", room: str = "lobby") -> Message:
    rig.do(peer, Say(number, room, text, files=[sent(rig, peer)]))
    assert peer.last(Acked).client_id == number
    return peer.messages[-1]


def path_of(rig: HubRig, peer: FakePeer, file_id: str) -> str:
    rig.do(peer, AskLinks(72, [file_id]))
    return peer.last(FileLinks).links[0].path


def read(rig: HubRig, path: str, size: int | None = None) -> bytes | None:
    """Follow a link."""
    _, _, file_id, key = path.split("/")
    opened: list[ReadableFile | Refusal | None] = []
    files_of(rig).access.open(file_id, key, size, opened.append)
    rig.settle()
    assert len(opened) == 1
    if not isinstance(opened[0], ReadableFile):
        return None
    found: list[bytes | None] = []
    opened[0].file.read(0, 1_000_000, found.append)
    rig.settle()
    return found[0]


def on_disk(rig: HubRig) -> set[str]:
    assert rig.file_contents is not None
    return set(rig.file_contents.stored) | set(rig.file_contents.incoming)


def number(peer: FakePeer) -> int:
    return peer.of(Welcome)[0].sender_id


def refusal(peer: FakePeer) -> str:
    return peer.last(Refused).reason


def account(rig: HubRig, name: str, *rooms: str) -> FakePeer:
    peer = rig.member(name)
    rig.do(peer, Register(1, PASSWORD))
    if rooms:
        rig.do(peer, Join(2, list(rooms)))
    return peer


# --- The way of a file ------------------------------------------------------------------------------------------------


def test_a_file_is_sent_read_and_gone_when_its_message_is_deleted(rig: HubRig) -> None:
    ann, bob = account(rig, "ann"), rig.member("bob")
    message = said(rig, ann, 1, "the numbers")
    assert message.text == "the numbers\n[file: report.pdf, 22 B]"
    (info,) = bob.messages[-1].files
    assert (info.name, info.size, info.type) == ("report.pdf", len(BODY), "application/pdf")
    path = path_of(rig, bob, info.id)
    assert read(rig, path) == BODY
    rig.do(bob, History(3, "lobby"))
    assert bob.last(HistoryPage).messages[-1].files == [info]
    rig.do(ann, Delete(2, message.seq, room="lobby"))
    assert read(rig, path) is None, "at once"
    rig.pass_time(60)
    assert on_disk(rig) == set()
    assert files_of(rig).uploads.used(number(ann)) == 0


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_edit_may_leave_the_files_alone(rig: HubRig, text: str) -> None:
    ann = rig.member("ann")
    message = said(rig, ann, 1, "hi")
    rig.do(ann, Edit(2, message.seq, text, "lobby"))
    assert ann.last(Edited).text == "[file: report.pdf, 22 B]"
    rig.do(ann, Say(3, "lobby", "hi"))
    rig.do(ann, Edit(4, ann.last(Acked).seq, text, "lobby"))
    assert ann.last(Refused).code is ErrorCode.TEXT_EMPTY


def test_a_text_may_be_empty_only_beside_a_file(rig: HubRig) -> None:
    ann = rig.member("ann")
    assert said(rig, ann, 1, " \n").text == "[file: report.pdf, 22 B]"
    rig.do(ann, Say(2, "lobby", " ", files=[]))
    assert ann.last(Refused).code is ErrorCode.TEXT_EMPTY


def test_a_direct_message_has_files_that_its_two_sides_read(rig: HubRig) -> None:
    ann, bob, eve = account(rig, "ann"), account(rig, "bob"), account(rig, "eve")
    file_id = sent(rig, ann)
    rig.do(ann, Direct(1, number(bob), "for you", files=[file_id]))
    assert bob.messages[-1].files[0].id == file_id
    assert read(rig, path_of(rig, ann, file_id)) == read(rig, path_of(rig, bob, file_id)) == BODY
    assert read(rig, path_of(rig, eve, file_id)) is None


def test_the_lines_of_files_count_as_text(rig: HubRig) -> None:
    ann = rig.member("ann")
    file_id = sent(rig, ann)
    line = len("\n[file: report.pdf, 22 B]")
    rig.do(ann, Say(1, "lobby", "x" * (4001 - line), files=[file_id]))
    assert (refusal(ann), ann.last(Refused).arguments) == ("text_too_long_with_files", {"left": 4000 - line})
    rig.do(ann, Say(2, "lobby", "x" * (4000 - line), files=[file_id]))
    assert ann.last(Acked).client_id == 2


def test_an_edit_leaves_the_files_and_their_lines(rig: HubRig) -> None:
    ann = rig.member("ann")
    message = said(rig, ann, 1, "the numers")
    rig.do(ann, Edit(2, message.seq, "the numbers", room="lobby"))
    rig.do(ann, History(3, "lobby"))
    edited = ann.last(HistoryPage).messages[-1]
    assert (edited.text, edited.files) == ("the numbers\n[file: report.pdf, 22 B]", message.files)


# --- Uses -------------------------------------------------------------------------------------------------------------


def test_an_upload_is_used_once_and_by_its_sender_alone(rig: HubRig) -> None:
    ann, bob = account(rig, "ann"), account(rig, "bob")
    file_id = sent(rig, ann)
    rig.do(bob, Say(1, "lobby", "mine", files=[file_id]))
    assert refusal(bob) == "upload_unknown"
    rig.do(ann, Say(1, "lobby", "", files=[file_id, file_id]))
    assert refusal(ann) == "upload_used"
    rig.do(ann, Say(2, "lobby", "", files=[file_id]), settle=False)
    rig.do(ann, Say(3, "lobby", "", files=[file_id]))
    assert (refusal(ann), ann.last(Acked).client_id) == ("upload_used", 2)
    rig.do(ann, Say(4, "lobby", "", files=[file_id]))
    assert refusal(ann) == "upload_used"
    assert len(ann.messages) == 1


def test_a_refused_draft_gives_its_uploads_back(rig: HubRig) -> None:
    ann = account(rig, "ann")
    rig.do(ann, Say(1, "lobby", "one", key="k"))
    file_id = sent(rig, ann)
    rig.do(ann, Say(2, "lobby", "another", key="k", files=[file_id]))
    assert ann.last(Refused).code is ErrorCode.KEY_USED
    rig.do(ann, Say(3, "lobby", "", files=[file_id]))
    assert ann.last(Acked).client_id == 3


def test_what_is_not_whole_is_refused(rig: HubRig) -> None:
    ann = rig.member("ann")
    added = begin(rig, ann)
    rig.do(ann, Say(1, "lobby", "", files=[added.id]))
    assert (ann.last(Refused).code, refusal(ann)) == (ErrorCode.FILE_NOT_READY, "upload_not_whole")


def test_a_retry_by_its_number_is_acknowledged_once_more(rig: HubRig) -> None:
    """On the same connection, on another one, and after a restart."""
    ann = rig.member("ann", "a" * 32)
    file_id = sent(rig, ann)
    say = Say(1, "lobby", "once", files=[file_id])
    rig.do(ann, say)
    seq = ann.last(Acked).seq
    rig.do(ann, say)
    assert [acked.seq for acked in ann.of(Acked)] == [seq, seq]
    rig.lose(ann)
    back = rig.member("ann", "a" * 32)
    rig.do(back, say)
    assert back.last(Acked).seq == seq
    rig.open(plain_keys(rig.posted.append, rig.wall_ms, seed=1))
    rig.settle()
    again = rig.member("ann", "a" * 32)
    rig.do(again, say)
    assert again.last(Acked).seq == seq
    rig.do(again, History(9, "lobby"))
    assert len(again.last(HistoryPage).messages) == 1


def test_a_retry_by_its_key_gives_new_uploads_back(rig: HubRig) -> None:
    ann = account(rig, "ann")
    rig.do(ann, Say(1, "lobby", "nightly", key="k", files=[sent(rig, ann)]))
    seq = ann.last(Acked).seq
    other = sent(rig, ann)
    rig.do(ann, Say(2, "lobby", "nightly", key="k", files=[other]))
    assert ann.last(Acked).seq == seq
    rig.do(ann, Say(3, "lobby", "nightly", key="k", files=["0" * 32]))
    assert ann.last(Acked).seq == seq, "so a program asks before it sends"
    rig.do(ann, Say(4, "lobby", "another", files=[other]))
    assert ann.last(Acked).client_id == 4


# --- Limits -----------------------------------------------------------------------------------------------------------


def test_each_limit_is_told_with_its_value() -> None:
    limits = Limits(file_bytes=10 * KIB, files_per_guest_bytes=25 * KIB, uploads_per_person=4)
    rig = HubRig(limits, files=True)
    ann = rig.member("ann")
    rig.do(ann, AddUpload(1, "a", 0))
    assert refusal(ann) == "file_empty"
    rig.do(ann, AddUpload(1, "a", 10 * KIB + 1))
    assert ann.last(Refused).arguments == {"size": 10 * KIB + 1, "most": 10 * KIB}
    for _ in range(2):
        begin(rig, ann, "a", 10 * KIB)
    rig.do(ann, AddUpload(1, "a", 10 * KIB))
    assert ann.last(Refused).arguments == {"used": 20 * KIB, "most": 25 * KIB, "left": 5 * KIB}
    for _ in range(2):
        begin(rig, ann, "a", 1)
    rig.do(ann, AddUpload(1, "a", 1))
    assert (refusal(ann), ann.last(Refused).arguments) == ("uploads_used_up", {"count": 4})


def test_files_stop_long_before_the_disk_is_full() -> None:
    rig = HubRig(Limits(files_free_bytes=MIB), files=True)
    assert rig.disk is not None
    rig.disk.total_bytes = 4 * MIB
    ann = account(rig, "ann")
    begin(rig, ann, "a", MIB)
    rig.do(ann, AddUpload(1, "a", MIB + 1))
    assert refusal(ann) == "files_disk_full", "half of the disk"
    rig.disk.total_bytes = 3 * MIB - 1
    rig.do(ann, AddUpload(1, "a", MIB))
    assert refusal(ann) == "files_disk_full", "what is promised is not free"


def test_an_upload_ends_after_its_time_and_counts_no_more(rig: HubRig) -> None:
    ann = account(rig, "ann")
    begin(rig, ann)
    file_id = sent(rig, ann)
    assert files_of(rig).uploads.used(number(ann)) == 2 * len(BODY)
    rig.pass_time(24 * 3600 + 60)
    assert on_disk(rig) == set()
    assert files_of(rig).uploads.used(number(ann)) == 0
    rig.do(ann, Say(1, "lobby", "", files=[file_id]))
    assert refusal(ann) == "upload_unknown"


def test_the_file_of_a_guest_goes_after_a_day_and_its_message_stays(rig: HubRig) -> None:
    ann, bob = rig.member("ann"), account(rig, "bob")
    message, other = said(rig, ann, 1, "hi"), said(rig, bob, 1)
    rig.pass_time(24 * 3600 + 1200)
    assert on_disk(rig) == {other.files[0].id}
    rig.do(bob, History(3, "lobby"))
    assert [each.files for each in bob.last(HistoryPage).messages] == [[], other.files]
    assert bob.last(HistoryPage).messages[0].text == message.text


def test_uploads_of_a_removed_account_go(rig: HubRig) -> None:
    ann = account(rig, "ann")
    begin(rig, ann)
    sent(rig, ann)
    sender_id = number(ann)
    rig.hub.admin_commands.delete_user("root", "ann", remove=True, progress=lambda _: None, done=lambda _: None)
    rig.settle()
    assert files_of(rig).uploads.of(sender_id) == []
    assert on_disk(rig) == set()


def test_one_sees_its_own_files_and_what_is_left(rig: HubRig) -> None:
    ann, bob = account(rig, "ann"), account(rig, "bob", "ops")
    rig.do(ann, Join(2, ["ops"]))
    said(rig, ann, 1)
    file_id = sent(rig, ann, "large.bin", b"x" * 1000)
    rig.do(ann, Say(2, "ops", "", files=[file_id]))
    begin(rig, ann, "c", 10)
    rig.do(ann, AskFiles(5))
    listed = ann.last(FileList)
    assert [(own.file.name, own.room) for own in listed.files] == [("large.bin", "ops"), ("report.pdf", "lobby")]
    assert (listed.used, listed.most, listed.more) == (1000 + len(BODY) + 10, 250 * MIB, False)
    rig.do(ann, Leave(6, "ops"))
    rig.do(ann, AskFiles(5))
    assert ann.last(FileList).files[0].room is None, "the name may be secret by now"
    rig.do(bob, AskFiles(5))
    assert bob.last(FileList) == FileList(5, [], False, 0, 250 * MIB)


def test_one_sees_and_removes_uploads_that_no_message_has(rig: HubRig) -> None:
    ann, bob = account(rig, "ann"), account(rig, "bob")
    half, whole = begin(rig, ann, "half.iso", 100), sent(rig, ann, "whole.txt", b"12345")
    upload = files_of(rig).uploads.get(half.id)
    assert upload is not None
    assert upload.until_ms < half.until_ms, "sooner, without a byte"
    writer = files_of(rig).writing.open(upload, lambda: None)
    writer.ready()
    writer.write(b"x" * 30, lambda: None)
    rig.settle()
    rig.do(ann, AskFiles(5))
    made = files_of(rig).uploads.get(whole)
    assert made is not None
    assert ann.last(FileList).uploads == [
        OwnUpload(half.id, "half.iso", 100, 30, half.until_ms),
        OwnUpload(whole, "whole.txt", 5, 5, made.until_ms),
    ]
    assert ann.last(FileList).used == 105
    rig.do(ann, AskFiles(5, None, half.id))
    assert [each.id for each in ann.last(FileList).uploads] == [half.id]
    rig.do(ann, AskFiles(5, "f" * 32))
    assert ann.last(FileList).uploads == [], "only the first page has them"
    rig.do(bob, RemoveUpload(6, half.id))
    assert (bob.last(Refused).reason, bob.last(Refused).ref) == ("upload_unknown", 6)
    for file_id in (half.id, whole):
        rig.do(ann, RemoveUpload(7, file_id))
        assert ann.last(Done).ref == 7
    assert writer.is_cut
    rig.do(ann, AskFiles(5))
    assert ann.last(FileList) == FileList(5, [], False, 0, 250 * MIB)
    assert on_disk(rig) == set()
    rig.do(ann, RemoveUpload(8, half.id))
    assert ann.last(Refused).reason == "upload_unknown"
    rig.do(ann, Say(1, "lobby", "", files=[half.id]))
    assert ann.last(Refused).reason == "upload_removed"


def test_an_upload_whose_end_is_under_way_is_not_removed(rig: HubRig) -> None:
    ann = account(rig, "ann")
    added = begin(rig, ann, "a", 3)
    upload = files_of(rig).uploads.get(added.id)
    assert upload is not None
    writer = files_of(rig).writing.open(upload, lambda: None)
    writer.ready()
    writer.write(b"abc", lambda: None)
    rig.settle()
    files_of(rig).writing.finish(upload, lambda _: None)
    rig.do(ann, RemoveUpload(6, added.id), settle=False)
    assert ann.last(Refused).reason == "upload_in_use"
    rig.settle()
    rig.do(ann, Say(1, "lobby", "", files=[added.id]))
    assert ann.messages[-1].files[0].id == added.id


def test_one_asks_for_one_own_file(rig: HubRig) -> None:
    ann, bob = account(rig, "ann"), account(rig, "bob")
    message = said(rig, ann, 1)
    said(rig, ann, 2)
    for peer, seqs in ((ann, [message.seq]), (bob, [])):
        rig.do(peer, AskFiles(5, None, message.files[0].id))
        assert ([own.seq for own in peer.last(FileList).files], peer.last(FileList).more) == (seqs, False)


# --- Links ------------------------------------------------------------------------------------------------------------


def test_a_link_is_the_same_within_a_login_and_ends_with_it(rig: HubRig) -> None:
    ann = account(rig, "ann")
    bob = rig.member("bob", "b" * 32)
    file_id = said(rig, ann, 1).files[0].id
    path = path_of(rig, bob, file_id)
    assert path == path_of(rig, bob, file_id)
    assert path != path_of(rig, ann, file_id)
    assert read(rig, path) == BODY
    rig.lose(bob)
    assert read(rig, path) is None
    back = rig.member("bob", "b" * 32)
    assert path_of(rig, back, file_id) == path
    assert read(rig, path) == BODY


def test_a_link_of_another_file_or_with_another_key_opens_nothing(rig: HubRig) -> None:
    ann = account(rig, "ann")
    one, two = said(rig, ann, 1).files[0].id, said(rig, ann, 2).files[0].id
    path = path_of(rig, ann, one)
    assert read(rig, path.replace(one, two)) is None
    assert read(rig, path[:-1] + ("0" if path[-1] != "0" else "1")) is None
    assert read(rig, f"/files/{one}/x") is None
    assert read(rig, path_of(rig, ann, "f" * 32)) is None
    assert read(rig, path, 320) is None, "there is no such preview"


def test_who_is_kicked_or_leaves_reads_no_more(rig: HubRig) -> None:
    ann, bob = account(rig, "ann", "ops"), account(rig, "bob", "ops")
    file_id = said(rig, ann, 1, room="ops").files[0].id
    path = path_of(rig, bob, file_id)
    assert read(rig, path) == BODY
    rig.do(ann, Moderate(3, "ops", number(bob), "kick"))
    assert read(rig, path) is None
    rig.do(bob, Join(4, ["ops"]))
    assert read(rig, path) == BODY
    rig.do(ann, SetRoom(5, "ops", name="den"))
    assert read(rig, path) == BODY, "a room keeps its files under another name"


def test_what_was_sent_before_one_joined_is_hidden_where_history_is(rig: HubRig) -> None:
    ann = account(rig, "ann", "ops")
    rig.do(ann, SetRoom(3, "ops", history="joined"))
    before = said(rig, ann, 1, room="ops").files[0].id
    bob = account(rig, "bob", "ops")
    after = said(rig, ann, 2, room="ops").files[0].id
    assert read(rig, path_of(rig, bob, before)) is None
    assert read(rig, path_of(rig, bob, after)) == BODY


# --- Starts -----------------------------------------------------------------------------------------------------------


def restarted(rig: HubRig) -> FakePeer:
    rig.open(plain_keys(rig.posted.append, rig.wall_ms, seed=7))
    rig.settle()
    return rig.member("ann", "a" * 32)


def test_uploads_go_on_after_a_restart_and_what_was_sent_stays_sent(rig: HubRig) -> None:
    ann = rig.member("ann", "a" * 32)
    used, ready, begun = said(rig, ann, 1).files[0].id, sent(rig, ann), begin(rig, ann)
    back = restarted(rig)
    assert files_of(rig).uploads.used(number(back)) == 3 * len(BODY)
    assert isinstance(fill(rig, begun), StoredFile)
    rig.do(back, Say(2, "lobby", "", files=[ready, begun.id]))
    assert back.last(Acked).client_id == 2
    rig.do(back, Say(3, "lobby", "", files=[used]))
    assert refusal(back) == "upload_unknown"


def test_a_crash_behind_the_commit_makes_no_upload_of_a_message_file(rig: HubRig) -> None:
    ann = rig.member("ann", "a" * 32)
    file_id = sent(rig, ann)
    assert rig.disk is not None
    rig.disk.settle = lambda _: None  # type: ignore[method-assign]
    rig.do(ann, Say(1, "lobby", "", files=[file_id]))
    assert rig.file_contents is not None
    assert file_id in rig.file_contents.uploads
    back = restarted(rig)
    assert files_of(rig).uploads.get(file_id) is None
    assert file_id not in rig.file_contents.uploads
    assert files_of(rig).uploads.used(number(back)) == len(BODY)
    assert read(rig, path_of(rig, back, file_id)) == BODY


def test_disk_and_log_are_compared(rig: HubRig) -> None:
    ann = rig.member("ann", "a" * 32)
    kept, lost, ready = said(rig, ann, 1).files[0].id, said(rig, ann, 2).files[0].id, sent(rig, ann)
    assert rig.file_contents is not None
    del rig.file_contents.stored[lost]
    rig.file_contents.stored["e" * 32] = {None: b"orphan"}
    found = []
    files_of(rig).compare(found.append)
    rig.settle()
    assert [(compared.swept, compared.missing) for compared in found] == [(1, (lost,))]
    assert on_disk(rig) == {kept, ready}


def test_a_file_whose_sidecar_could_not_be_removed_is_neither_swept_nor_missing(rig: HubRig) -> None:
    ann = rig.member("ann", "a" * 32)
    assert rig.disk is not None
    assert rig.file_contents is not None
    settle, rig.disk.settle = rig.disk.settle, lambda _: None  # type: ignore[method-assign]
    file_id = said(rig, ann, 1).files[0].id
    rig.disk.settle = settle  # type: ignore[method-assign]
    found = []
    files_of(rig).compare(found.append)
    rig.settle()
    assert [(compared.swept, compared.missing) for compared in found] == [(0, ())]
    assert on_disk(rig) == {file_id}
    assert not rig.file_contents.uploads, "it is removed now"


def test_an_upload_that_could_not_be_removed_is_removed_by_the_next_comparison(rig: HubRig) -> None:
    ann = rig.member("ann", "a" * 32)
    assert rig.disk is not None
    kept, given_up = sent(rig, ann), sent(rig, ann)
    discard, rig.disk.discard = rig.disk.discard, lambda _: None  # type: ignore[method-assign]
    upload = files_of(rig).uploads.get(given_up)
    assert upload is not None
    files_of(rig).writing.discard(upload)
    rig.disk.discard = discard  # type: ignore[method-assign]
    found = []
    files_of(rig).compare(found.append)
    rig.settle()
    assert [(compared.swept, compared.missing) for compared in found] == [(1, ())]
    assert on_disk(rig) == {kept}


def test_who_waits_for_an_upload_waits_for_what_another_one_begins(rig: HubRig) -> None:
    added = begin(rig, rig.member("ann"))
    writing, offsets = files_of(rig).writing, []
    upload = files_of(rig).uploads.get(added.id)
    assert upload is not None
    writer = writing.open(upload, lambda: None)
    writer.ready()
    writer.write(BODY[:5], lambda: None)
    writing.when_quiet(upload, lambda: writing.roll_back(upload, 0, lambda _: None))
    writing.when_quiet(upload, lambda: offsets.append(upload.state.offset))
    rig.settle()
    assert offsets == [0]


# --- Off --------------------------------------------------------------------------------------------------------------


def test_a_server_without_files_says_so() -> None:
    rig = HubRig()
    ann = rig.member("ann")
    for command in (AddUpload(1, "a", 1), AskLinks(1, ["f" * 32]), AskFiles(1), Say(1, "lobby", "x", files=["f" * 32])):
        rig.do(ann, command)
        assert ann.last(Refused).code is ErrorCode.FILES_OFF
    assert "files" not in ann.last(Welcome).features
    assert "files" in HubRig(files=True).member("ann").last(Welcome).features


def test_files_that_cannot_be_unlinked_hold_no_others_up(rig: HubRig) -> None:
    assert rig.disk is not None
    assert rig.file_contents is not None
    ann = rig.member("ann")
    rig.do(ann, Register(1, PASSWORD))
    seqs = {}
    for number in range(2, 204):
        message = said(rig, ann, number)
        seqs[message.files[0].id] = message.seq
    *stuck, free = sorted(seqs)
    rig.disk.stuck = set(stuck)
    for number, seq in enumerate(seqs.values(), 300):
        rig.do(ann, Delete(number, seq, "lobby"))
    rig.pass_time(120.0)
    assert free not in rig.file_contents.stored, "its message was deleted two minutes ago"


def test_guests_who_are_gone_leave_uploads_to_the_members(rig: HubRig) -> None:
    """Nothing is needed but the server's address: each guest begins twenty uploads of one byte, and sends none."""
    ann = rig.member("ann")
    rig.do(ann, Register(1, PASSWORD))
    limits = rig.limits
    for number in range(limits.uploads_total // limits.uploads_per_person):
        guest = rig.member(f"guest{number}", address="203.0.113.9")
        for _ in range(limits.uploads_per_person):
            rig.do(guest, AddUpload(71, "a", 1))
        rig.lose(guest)
    rig.pass_time(600.0)
    rig.do(ann, AddUpload(72, "report.pdf", 10))
    assert isinstance(ann.events[-1], UploadAdded), ann.events[-1]


def test_sizes_that_guests_only_declare_leave_the_disk_to_the_members(rig: HubRig) -> None:
    assert rig.disk is not None
    rig.disk.total_bytes = 8 * 1024 * MIB
    ann = rig.member("ann")
    rig.do(ann, Register(1, PASSWORD))
    limits = rig.limits
    for number in range(200):
        guest = rig.member(f"guest{number}", address="203.0.113.9")
        rig.do(guest, AddUpload(71, "a", limits.files_per_guest_bytes))
        rig.lose(guest)
    rig.pass_time(600.0)
    rig.do(ann, AddUpload(72, "film.mp4", limits.file_bytes))
    assert isinstance(ann.events[-1], UploadAdded), ann.events[-1]


def test_tiny_parts_are_held_before_they_use_up_what_all_may_have_waiting(rig: HubRig) -> None:
    """Beyond `securechat.server.files.disk.MOST_WAITING` jobs, the next write of each upload is refused as busy."""
    most_jobs, size = 4_096, 10_000
    added = begin(rig, rig.member("ann"), "a", size)
    upload = files_of(rig).upload_at(added.id, added.path.rsplit("/", 1)[1])
    assert upload is not None
    writer = files_of(rig).writing.open(upload, lambda: None)
    writer.ready()
    taken = 0
    while taken < size and writer.write(b"x", lambda: None):
        taken += 1
    assert taken < most_jobs // 2


def test_guests_of_one_address_share_what_they_may_keep() -> None:
    size = len(BODY)
    rig = HubRig(Limits(guest_files_per_address_bytes=3 * size, uploads_per_address=4), files=True)
    ann, bob, far = (rig.member(name, address=f"203.0.113.{last}") for name, last in (("a", 9), ("b", 9), ("c", 8)))
    begin(rig, ann)
    message = said(rig, bob, 1)
    begin(rig, bob)
    for guest in (ann, bob):
        rig.do(guest, AddUpload(1, "a", 1))
        assert refusal(guest) == "guest_files_used_up", "sent or not"
        assert guest.last(Refused).arguments == {"used": 3 * size, "most": 3 * size, "left": 0}
    begin(rig, far, size=3 * size)
    rig.do(bob, Delete(2, message.seq, "lobby"))
    rig.pass_time(60.0)
    begin(rig, ann)
    local = rig.member("local")
    begin(rig, local, size=4 * size)
    rig.do(bob, Register(3, PASSWORD))
    begin(rig, bob, size=4 * size)
    rig.do(bob, AddUpload(1, "a", 1))
    assert (refusal(bob), bob.last(Refused).arguments) == ("uploads_of_network_used_up", {"count": 4}), "accounts too"
    rig.pass_time(24 * 3600 + 1200)
    for guest in (ann, bob, far, local):
        rig.do(guest, AddUpload(1, "a", 1))
        assert isinstance(guest.events[-1], UploadAdded)


def test_a_picture_that_became_too_large_is_refused_and_counts_no_more() -> None:
    """What is written anew may be larger than what was sent, with its smaller copies too."""
    limits = Limits(file_bytes=10 * KIB, files_per_guest_bytes=25 * KIB, files_free_bytes=1)
    rig = HubRig(limits, files=True)
    assert rig.disk is not None
    ann = rig.member("ann")
    made = MemoryPicture(bytes(10 * KIB + 1), {})
    rig.disk._rewrite = lambda data, name: made
    refused = fill(rig, begin(rig, ann, "a.png", len(PNG)), PNG)
    assert isinstance(refused, Refusal)
    assert (refused.reason, refused.arguments) == ("file_too_large", {"size": 10 * KIB + 1, "most": 10 * KIB})
    assert (on_disk(rig), files_of(rig).uploads.used(number(ann))) == (set(), 0)
    made = MemoryPicture(bytes(10 * KIB), {320: bytes(15 * KIB)})
    stored = fill(rig, begin(rig, ann, "a.png", len(PNG)), PNG)
    assert isinstance(stored, StoredFile)
    assert files_of(rig).uploads.used(number(ann)) == stored.kept_bytes == 25 * KIB
    rig.disk.total_bytes = 80 * KIB
    bob = rig.member("bob")
    added = begin(rig, bob, "a.png", len(PNG))
    refused = fill(rig, added, PNG)
    assert isinstance(refused, Refusal)
    assert refused.reason == "files_disk_full", "half of the disk is passed"
    assert files_of(rig).uploads.used(number(bob)) == 0


@pytest.mark.parametrize("is_whole", [False, True])
def test_what_came_in_one_request_ends_with_the_process_that_it_came_to(rig: HubRig, is_whole: bool) -> None:
    """Its sender has no address by which to go on, and it would count for a day."""
    ann = rig.member("ann", "a" * 32)
    added = begin(rig, ann)
    files = files_of(rig)
    upload = files.uploads.get(added.id)
    assert upload is not None
    key = upload.state.key
    files.close_address(upload)
    rig.settle()
    assert files.upload_at(added.id, key) is None
    assert files.upload_at(added.id, "") is None
    writer = files.writing.open(upload, lambda: None)
    writer.ready()
    writer.write(BODY if is_whole else BODY[:5], lambda: None)
    rig.settle()
    if is_whole:
        files.writing.finish(upload, lambda _: None)
        rig.settle()
    back = restarted(rig)
    assert files_of(rig).uploads.get(added.id) is None
    assert files_of(rig).uploads.used(number(back)) == 0


def test_an_upload_that_the_log_has_in_hand_outlives_its_account(rig: HubRig) -> None:
    """Were its bytes discarded, a message could be acknowledged without its file."""
    ann = rig.member("ann", "a" * 32)
    file_id = sent(rig, ann)
    files = files_of(rig)
    sender_id = number(ann)
    files.uploads.claim(sender_id, [file_id])
    begin(rig, ann)
    files.forget_senders([sender_id])
    assert [upload.file_id for upload in files.uploads.of(sender_id)] == [file_id]


def test_a_log_that_is_busy_at_the_start_is_asked_again_later(rig: HubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has failed answers at once: to ask it at once would keep the loop at work for nothing else."""
    ann = rig.member("ann", "a" * 32)
    ready = sent(rig, ann)
    asked = {"gone_files": 0, "file": 0}
    refusal_of_log = NotAppended.of(refusal_for("log_failed"))

    def fails(name: str) -> Callable[..., None]:
        own = getattr(InlineLog, name)

        def ask(self: InlineLog, *arguments: Any) -> None:
            asked[name] += 1
            if asked[name] == 1:
                self._read_later(lambda: refusal_of_log, arguments[-1])
            else:
                own(self, *arguments)

        return ask

    for name in asked:
        monkeypatch.setattr(InlineLog, name, fails(name))
    back = restarted(rig)
    assert asked == {"gone_files": 1, "file": 0}
    assert not files_of(rig).uploads.is_loaded
    for _ in range(2):
        rig.pass_time(1.0)
        rig.settle()
    assert asked == {"gone_files": 2, "file": 2}
    rig.do(back, Say(2, "lobby", "", files=[ready]))
    assert back.last(Acked).client_id == 2


def test_requests_that_take_each_other_over_leave_nothing_behind(rig: HubRig) -> None:
    """A finish may take long, and a client may ask for its upload again and again meanwhile."""
    ann = rig.member("ann", "a" * 32)
    added = begin(rig, ann)
    writing = files_of(rig).writing
    upload = files_of(rig).uploads.get(added.id)
    assert upload is not None
    writer = writing.open(upload, lambda: None)
    writer.ready()
    writer.write(BODY, lambda: None)  # the disk has not answered yet
    begun = []
    for number in range(50):
        writers = [writer]
        writer = writing.open(upload, lambda writers=writers: writers[-1].close())
        writers.append(writer)
        writing.when_quiet(upload, lambda number=number: begun.append(number), writer)
    assert len(writing._when_quiet[added.id]) == 1
    rig.settle()
    assert begun == [49]
    answers: list[StoredFile | Refusal] = []
    writer.close()
    for _ in range(50):
        writing.when_whole(upload, answers.append)
    assert len(writing._finishing[added.id]) < 10
    rig.settle()
    assert len(answers) == 50
    assert [each for each in answers if isinstance(each, StoredFile)]


def test_no_upload_begins_while_the_disk_is_far_behind(rig: HubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is begun and given up again counts for nothing, and its work waits for the disk all the same."""
    ann = rig.member("ann", "a" * 32)
    monkeypatch.setattr(type(rig.disk), "is_busy", property(lambda _: True))
    rig.do(ann, AddUpload(71, "report.pdf", 5))
    assert refusal(ann) == "uploads_of_server_used_up"
    monkeypatch.undo()
    begin(rig, ann)


def test_a_refusal_is_told_to_the_operator_whatever_file_a_draft_names(rig: HubRig) -> None:
    """Only a draft that is refused for the file alone is a program's question, and no mistake."""
    ann = rig.member("ann", "a" * 32)
    rig.happened_.clear()
    rig.do(ann, Say(1, "lobby", "", files=[TRIAL_FILE]))
    assert [event for event in rig.happened_ if event[0] is OperatorEvent.REFUSED] == []
    rig.do(ann, Say(2, "nowhere", "", files=[TRIAL_FILE]))
    assert [event for event in rig.happened_ if event[0] is OperatorEvent.REFUSED]
