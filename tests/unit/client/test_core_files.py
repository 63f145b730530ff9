"""Files in the client core: asking where they go, messages that bring them, and links, over lost connections."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securechat.client.core import actions, events
from securechat.client.core.events.requests import RejectReason
from securechat.client.core.message_changes import apply_change
from securechat.client.ui.rows import describe
from securechat.errors import ErrorCode
from securechat.model import AddUpload, AskFiles, AskLinks, Deleted, Direct, FileInfo, Message, Refused, Say
from tests.support.chat_model import ModelServer
from tests.support.core_driver import Driver

FILE = actions.PendingFile("ab" * 16, "report.pdf")
STEP = st.one_of(
    st.tuples(st.just("upload"), st.none()),
    st.tuples(st.just("links"), st.none()),
    st.tuples(st.just("say"), st.none()),
    st.tuples(st.just("others"), st.none()),
    st.tuples(st.just("to_server"), st.integers(1, 8)),
    st.tuples(st.just("to_client"), st.integers(1, 8)),
    st.tuples(st.just("cut"), st.booleans()),
    st.tuples(st.just("refuse"), st.integers(1, 3)),
    st.tuples(st.just("tick"), st.none()),
)


def driver_with_files() -> Driver:
    return Driver(ModelServer(features=("files",)), rooms=("ops",))


def settle(driver: Driver) -> None:
    """Go on until every question about files is answered too."""
    for _ in range(200):
        driver.settle()
        if driver.core._files.deadline is None:
            return
        driver.tick()
    raise AssertionError("does not settle")


class FileSender:
    """What a user interface does: a message is sent as soon as the upload that it waits for has begun (and ended)."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.numbers = 0
        self.said: set[int] = set()

    def begin(self) -> None:
        self.numbers += 1
        self.driver.want(actions.AskUpload(self.numbers, f"{self.numbers}.bin", self.numbers))

    def go_on(self) -> None:
        for begun in self.driver.all(events.UploadAnswered):
            if begun.number not in self.said:
                self.said.add(begun.number)
                file = actions.PendingFile(begun.id, begun.name)
                room = self.driver.core.room("ops")
                self.driver.want(actions.SendMessage(f"files {begun.number}", room, files=(file,)))


@settings(max_examples=200, deadline=None)
@given(st.lists(STEP, max_size=50))
def test_each_file_is_in_one_message_wherever_the_connection_breaks(steps: list[tuple[str, object]]) -> None:
    driver = driver_with_files()
    sender = FileSender(driver)
    asked = 0
    driver.settle()
    for what, how in steps:
        match what, how:
            case "upload", _:
                sender.begin()
            case "links", _:
                asked += 1
                driver.want(actions.AskFileLinks(1_000 + asked, (FILE.id,)))
            case "say", _:
                driver.say("text", "ops")
            case "others", _:
                driver.server.batch([("ops", "theirs")])
            case "to_server", int(count):
                driver.to_server(count)
            case "to_client", int(count):
                driver.to_client(count)
            case "cut", bool(restart):
                driver.cut(restart=restart)
            case "refuse", int(count):
                driver.server.refuse_uploads = driver.server.refuse_drafts = count
            case _:
                driver.tick()
        sender.go_on()
    settle(driver)
    sender.go_on()
    settle(driver)

    assert Counter(begun.number for begun in driver.all(events.UploadAnswered)) == Counter(range(1, sender.numbers + 1))
    assert Counter(given.number - 1_000 for given in driver.all(events.FileLinksAnswered)) == Counter(
        range(1, asked + 1)
    )
    stored = [message for message in driver.server.log if message.files]
    assert sorted(message.files[0].size for message in stored) == list(range(1, sender.numbers + 1))
    assert all(message.text.startswith(f"files {message.files[0].size}\n[file: ") for message in stored)
    assert not driver.all(events.MessageRefused)
    assert not driver.all(events.FileRequestRefused)
    assert driver.core.unsent == ()


def test_a_message_with_files_is_repeated_with_the_same_ids_after_a_lost_acknowledgement() -> None:
    driver = driver_with_files()
    driver.settle()
    driver.server.uploads[FILE.id] = FileInfo(FILE.id, FILE.name, 1)
    driver.want(actions.SendMessage("", driver.core.room("ops"), files=(FILE,)))
    driver.to_server()
    driver.cut()
    driver.settle()

    first, again = [command for command in driver.sent if isinstance(command, Say)]
    assert first == again
    assert first.files == [FILE.id]
    assert [message.text for message in driver.server.log] == ["[file: report.pdf, 1 B]"]
    assert len(driver.all(events.MessageAcked)) == 1


def test_a_text_alone_may_not_be_empty_and_one_with_files_may() -> None:
    driver = driver_with_files()
    driver.settle()
    driver.say("  ")
    assert [rejected.reason for rejected in driver.all(events.ActionRejected)] == [RejectReason.TEXT_EMPTY]
    driver.want(actions.SendDirect("p99", "", (FILE,)))
    driver.settle()
    (direct,) = [command for command in driver.sent if isinstance(command, Direct)]
    assert (direct.to, direct.text, direct.files) == (99, "", [FILE.id])


def test_a_server_without_files_is_not_asked() -> None:
    driver = Driver(ModelServer())
    driver.settle()
    driver.want(actions.AskUpload(1, "report.pdf", 10))
    driver.want(actions.AskFileLinks(2, (FILE.id,)))
    driver.want(actions.ShowFiles())
    assert not [command for command in driver.sent if isinstance(command, AddUpload | AskLinks | AskFiles)]
    refused = driver.all(events.FileRequestRefused)
    assert [(each.number, each.code, each.reason) for each in refused] == [
        (1, ErrorCode.FILES_OFF, "files_off"),
        (2, ErrorCode.FILES_OFF, "files_off"),
    ]
    assert [each.reason for each in driver.all(events.RequestRefused)] == ["files_off"]


def test_a_refused_upload_is_shown_with_its_reason_and_number() -> None:
    driver = driver_with_files()
    driver.settle()
    driver.want(actions.AskUpload(7, "film.mkv", 10))
    (asked,) = [command for command in driver.sent if isinstance(command, AddUpload)]
    driver.wire.clear()
    driver.hear(
        Refused(ErrorCode.FILE_TOO_LARGE, "too large", asked.ref, reason="file_too_large", arguments={"size": 10})
    )
    (refused,) = driver.all(events.FileRequestRefused)
    assert (refused.number, refused.reason, refused.arguments) == (7, "file_too_large", {"size": 10})


def test_a_question_that_is_not_wanted_any_more_is_not_asked_again() -> None:
    driver = driver_with_files()
    driver.settle()
    driver.cut()
    driver.want(actions.AskUpload(7, "film.mkv", 10))
    driver.want(actions.DropFileRequest(7))
    driver.settle()
    assert not [command for command in driver.sent if isinstance(command, AddUpload)]


def test_own_files_come_page_by_page() -> None:
    driver = driver_with_files()
    driver.server.page_rows = 2
    driver.settle()
    for number in range(1, 6):
        file = actions.PendingFile(f"{number:032x}", f"{number}.bin")
        driver.server.uploads[file.id] = FileInfo(file.id, file.name, number)
        driver.want(actions.SendMessage("", driver.core.room("ops"), files=(file,)))
    driver.settle()
    driver.want(actions.ShowFiles())
    driver.settle()
    while driver.all(events.FilesShown)[-1].more:
        driver.want(actions.ShowMore())
        driver.settle()
    pages = [[own.file.size for own in page.files] for page in driver.all(events.FilesShown)]
    assert pages == [[5, 4], [3, 2], [1]]
    driver.want(actions.ShowMore())
    assert driver.all(events.ActionRejected)[-1].reason is RejectReason.NOTHING_MORE


@pytest.mark.parametrize("lost", ["before", "after"])
def test_the_list_of_own_files_needs_a_connection(lost: str) -> None:
    driver = driver_with_files()
    driver.settle()
    if lost == "before":
        driver.cut()
    driver.want(actions.ShowFiles())
    if lost == "after":
        driver.cut()
    assert driver.all(events.ActionRejected)[-1].reason is RejectReason.AWAY


def test_a_deleted_message_has_no_files() -> None:
    message = Message(3, 0, 1, "ana", 0, "[file: a, 1 B]", "ops", files=[FileInfo("a" * 32, "a", 1)])
    assert apply_change(message, Deleted(4, 3, 1, "ana", 0, "ops")).files == []


def test_an_upload_is_listed_and_removed() -> None:
    driver = driver_with_files()
    driver.settle()
    driver.want(actions.AskUpload(1, "a", 3))
    driver.settle()
    driver.want(actions.ShowFiles())
    driver.settle()
    (upload,) = driver.all(events.FilesShown)[-1].uploads
    assert (upload.name, upload.size, upload.offset) == ("a", 3, 3)
    driver.want(actions.DropUpload(upload.id, "a"))
    driver.settle()
    assert driver.all(events.UploadGone) == [events.UploadGone("a")]
    assert describe.sentence(events.UploadGone("a\x1b"), driver.core.current, 1) == "Removed: a␛"
    driver.want(actions.DropUpload(upload.id, "a"))
    driver.settle()
    assert driver.all(events.RequestRefused)[-1].reason == "upload_unknown"
