"""Messages with files and saved files over the client core and a model server, with transfers that are played."""

from __future__ import annotations

from pathlib import Path

import pytest

from securechat.client.core import actions, events
from securechat.client.core.client import CoreOutput
from securechat.client.files.https import FileGone, TransferError
from securechat.client.files.saving import LocalTarget
from securechat.client.files.session import FileSession, FilesToSave, FilesToSend
from securechat.client.files.sources import LocalFile
from securechat.errors import ErrorCode
from securechat.model import AddUpload, AskLinks, FileInfo, Refused, Say
from tests.support.chat_model import ModelServer
from tests.support.core_driver import Driver
from tests.support.played_transfers import PlayedTransfers

REPORT = LocalFile(Path("report.pdf"), "report.pdf", 1_000, telling=True)
PHOTO = LocalFile(Path("photo.jpg"), "photo.jpg", 2_000, picture=True)
LOG = LocalFile(Path("log"), "log", 3_000)
FILE = FileInfo("ab" * 16, "report.pdf", 1_000)


class FilesDriver(Driver):
    def __init__(self, *features: str, files: bool = True, limits: dict[str, float] | None = None) -> None:
        all_features = ("files", *features) if files else features
        super().__init__(ModelServer(features=all_features, limits=limits or {}), rooms=("ops",))
        self.transfers = PlayedTransfers()
        self.told_user: list[str] = []
        self.failures: list[bool] = []
        self.previews: list[tuple[str, bytes]] = []
        self.saved: list[tuple[str, Path]] = []
        self.files = FileSession(
            self.core,
            self,
            self.transfers,  # type: ignore[arg-type]
            self.told_user.append,
            failed=lambda *, refused: self.failures.append(refused),
            preview_came=lambda file, data: self.previews.append((file, data)),
            saved=lambda file, path: self.saved.append((file, path)),
        )
        self.settle()

    def take(self, output: CoreOutput) -> CoreOutput:
        super().take(output)
        for ui_event in output.ui_events:
            self.files.note(ui_event)
        return output

    def send(self, *files: LocalFile, text: str = "", as_file: bool = False) -> None:
        self.files.send(FilesToSend(files, text, self.core.room("ops"), as_file=as_file))

    def save(self, *files: FileInfo, typed: str | None = None) -> None:
        self.files.save(FilesToSave(files, typed))

    @property
    def said(self) -> list[Say]:
        return [command for command in self.sent if isinstance(command, Say)]


def test_a_message_is_sent_when_every_byte_of_its_files_is_there() -> None:
    driver = FilesDriver()
    driver.send(REPORT, LOG, text="the numbers")
    driver.settle()
    assert [command.name for command in driver.sent if isinstance(command, AddUpload)] == ["report.pdf", "log"]
    first = driver.transfers.end()
    assert driver.said == []
    second = driver.transfers.end()
    driver.settle()
    (said,) = driver.said
    assert [f"/api/v1/uploads/{file}/key" for file in said.files] == [first, second]
    assert said.text == "the numbers"
    assert (driver.files.busy, driver.failures, driver.transfers.discarded) == (False, [], [])


def test_something_is_under_way_from_the_first_wish_to_the_message() -> None:
    """A script ends when nothing is: it may not look in between."""
    driver = FilesDriver()
    seen: list[bool] = []
    driver.files._changed = lambda: seen.append(driver.files.busy or bool(driver.core.unsent))
    driver.send(REPORT)
    driver.settle()
    driver.transfers.end()
    assert seen
    assert all(seen)


def test_nothing_is_sent_before_the_server_has_taken_every_file() -> None:
    driver = FilesDriver()
    driver.send(REPORT, LOG)
    driver.to_server(1)
    driver.to_client()
    assert driver.transfers.under_way == []
    (waiting,) = driver.wire
    assert isinstance(waiting, AddUpload)
    driver.wire.clear()
    driver.hear(Refused(ErrorCode.QUOTA, "full", waiting.ref, reason="files_quota_used_up",
                        arguments={"used": 5, "most": 6, "left": 1}))  # fmt: skip
    assert driver.transfers.under_way == []
    assert len(driver.transfers.discarded) == 1, "what had begun counts no more"
    assert driver.told_user[-1].endswith(
        "Delete some of them first. /files lists them. The message was not sent, because of log"
    )
    assert (driver.files.busy, driver.failures) == (False, [True])


def test_an_upload_that_fails_takes_the_message_with_it() -> None:
    driver = FilesDriver()
    driver.send(REPORT, LOG)
    driver.settle()
    driver.transfers.end()
    driver.transfers.end(TransferError("The file has changed while it was sent. Send it again"))
    assert driver.said == []
    assert driver.told_user[-1] == (
        "The file has changed while it was sent. Send it again. The message was not sent, because of log"
    )
    assert len(set(driver.transfers.discarded)) == 2
    assert driver.failures == [False]


def test_an_upload_that_the_server_has_lost_begins_anew_but_not_for_ever() -> None:
    driver = FilesDriver()
    driver.send(REPORT, LOG)
    driver.settle()
    first = driver.transfers.end(FileGone("gone"))
    driver.settle()
    again = driver.transfers.end()
    assert first != again
    log = driver.transfers.end()
    driver.settle()
    (said,) = driver.said
    assert [f"/api/v1/uploads/{file}/key" for file in said.files] == [again, log]
    assert (driver.files.busy, driver.failures) == (False, [])
    driver.send(LOG)
    for _ in range(3):
        driver.settle()
        driver.transfers.end(FileGone("It is gone", "not_found"))
    driver.settle()
    assert len(driver.said) == 1
    assert driver.told_user[-1] == "It is gone. Not sent: log"
    assert (driver.files.busy, driver.failures) == (False, [True])


def test_an_upload_that_its_sender_has_removed_ends_and_does_not_begin_anew() -> None:
    driver = FilesDriver()
    driver.send(REPORT)
    driver.settle()
    driver.transfers.end(TransferError("Removed", "invalid", "upload_removed"))
    driver.settle()
    assert driver.told_user[-1] == "Removed. Not sent: report.pdf"
    assert (driver.said, driver.files.busy) == ([], False)


def test_a_picture_that_cannot_be_read_is_asked_about() -> None:
    driver = FilesDriver("pictures")
    driver.send(PHOTO)
    driver.settle()
    driver.transfers.end(TransferError("It cannot be read", "picture_unreadable", "picture_unreadable"))
    assert driver.told_user[-1] == "It cannot be read. --as-file sends it so. Not sent: photo.jpg"
    driver.send(PHOTO, LOG, text="look")
    driver.settle()
    driver.transfers.end(TransferError("It cannot be read", "picture_unreadable", "picture_unreadable"))
    assert driver.told_user[-1] == (
        "It cannot be read. --as-file sends all pictures of the message so. "
        "The message was not sent, because of photo.jpg"
    )


def test_the_text_of_a_file_that_is_not_sent_is_not_sent_either() -> None:
    driver = FilesDriver()
    driver.send(LOG, text="the log of tonight")
    driver.settle()
    driver.transfers.end(TransferError("It has changed"))
    assert driver.told_user[-1] == "It has changed. The message was not sent, because of log"


def test_a_guest_is_told_once_how_long_files_stay_and_a_member_never() -> None:
    told = "You are a guest, so your files are deleted after 1 day. /register keeps later ones"
    driver = FilesDriver(limits={"guest_file_hours": 24.0})
    driver.send(LOG)
    driver.send(REPORT)
    assert [words for words in driver.told_user if "guest" in words] == [told]
    member = FilesDriver(limits={"guest_file_hours": 24.0})
    member.core._context.credentials.account = True
    member.send(LOG)
    older = FilesDriver()
    older.send(LOG)
    assert not [words for words in (*member.told_user, *older.told_user) if "guest" in words]


@pytest.mark.parametrize(
    ("features", "file", "as_file", "words"),
    [
        (("pictures",), PHOTO, False, "Place, time and camera are taken out of the picture"),
        (("pictures",), PHOTO, True, "place, time and camera stay inside"),
        ((), PHOTO, False, "place, time and camera stay inside"),
        (("pictures",), REPORT, False, "place, time and author stay inside"),
        (("pictures",), LOG, False, "Sending log, 2.9 KiB"),
    ],
)
def test_before_the_first_byte_it_is_told_what_stays_inside(
    features: tuple[str, ...], file: LocalFile, as_file: bool, words: str
) -> None:
    driver = FilesDriver(*features)
    driver.send(file, as_file=as_file)
    assert driver.transfers.under_way == []
    assert words in driver.told_user[0]
    assert driver.sent[-1].__class__ is AddUpload


def test_a_server_without_files_is_told_to_be_one_and_nothing_else() -> None:
    driver = FilesDriver(files=False)
    driver.send(PHOTO)
    driver.settle()
    assert driver.told_user == ["This server takes no files. Ask its administrator. Not sent: photo.jpg"]
    assert (driver.files.busy, driver.failures) == (False, [True])
    assert not [command for command in driver.sent if isinstance(command, AddUpload)]


def test_a_lost_connection_asks_again_and_the_transfer_goes_on_meanwhile() -> None:
    driver = FilesDriver()
    driver.send(REPORT)
    driver.to_server()
    driver.cut()
    driver.settle()
    assert len(driver.transfers.under_way) == 1
    driver.cut()
    driver.transfers.end()
    driver.settle()
    assert len(driver.said) == 1
    assert [message.files[0].name for message in driver.server.log] == ["report.pdf"]


def test_cancelling_takes_everything_back() -> None:
    driver = FilesDriver()
    driver.send(REPORT)
    driver.settle()
    driver.send(LOG)
    transfer = driver.transfers.under_way[0][3]
    driver.files.cancel()
    assert transfer.cancelled.is_set()
    assert driver.told_user[-1] == "2 transfers cancelled"
    assert not driver.files.busy
    driver.transfers.end(TransferError("cancelled"))
    driver.settle()  # the answer about the log comes after all
    assert len(set(driver.transfers.discarded)) == 2
    assert driver.said == []
    driver.files.cancel()
    assert driver.told_user[-1] == "2 transfers cancelled", "there was nothing more"


def test_a_refused_message_frees_its_files() -> None:
    driver = FilesDriver()
    driver.send(REPORT)
    driver.settle()
    path = driver.transfers.end()
    (said,) = driver.said
    driver.wire.clear()
    driver.hear(Refused(ErrorCode.READ_ONLY, "read only", client_id=said.client_id))
    assert driver.transfers.discarded == [path]


def test_the_files_of_a_message_that_was_stored_before_are_taken_back() -> None:
    """With a key the server answers with the message of an earlier run: these files are in none."""
    driver = FilesDriver()
    driver.files.send(FilesToSend((REPORT,), "", driver.core.room("ops"), key="nightly:1"))
    driver.settle()
    path = driver.transfers.end()
    driver.settle()
    assert driver.transfers.discarded == [path]


def test_the_end_of_the_session_ends_what_is_under_way() -> None:
    driver = FilesDriver()
    driver.send(REPORT)
    driver.settle()
    driver.want(actions.LeaveChat(0.0))
    driver.want(actions.LeaveChat(0.0))
    assert driver.all(events.ClientEnded)
    assert driver.told_user[-1] == "The files that were on their way are not sent or saved"
    assert driver.failures == [False]
    assert not driver.files.busy


def test_progress_is_that_of_the_first() -> None:
    driver = FilesDriver()
    assert driver.files.progress == ""
    driver.send(REPORT, LocalFile(Path("x"), "a very long name of a file.tar.gz", 3_000))
    driver.settle()
    driver.transfers.under_way[0][1](250)
    assert driver.files.progress == "1/2: 25 % of report.pdf"
    driver.transfers.end()
    driver.transfers.under_way[0][1](3_000)
    assert driver.files.progress == "2/2: 100 % of a very lon…ile.tar.gz"


# --- saving -----------------------------------------------------------------------------------------------------------


def test_files_are_saved_one_after_the_other(tmp_path: Path) -> None:
    driver = FilesDriver()
    other = FileInfo("cd" * 16, "../../photo.jpg", 2_000)
    driver.save(FILE, other, typed=str(tmp_path))
    driver.settle()
    assert driver.transfers.end(tmp_path / "report.pdf") == f"/files/{FILE.id}/key"
    assert driver.transfers.end(tmp_path / "photo.jpg") == f"/files/{other.id}/key"
    assert driver.transfers.targets == [LocalTarget(tmp_path, "report.pdf"), LocalTarget(tmp_path, "photo.jpg")]
    assert driver.told_user == [f"Saved: {tmp_path}/report.pdf", f"Saved: {tmp_path}/photo.jpg"]
    assert driver.saved == [(FILE.id, tmp_path / "report.pdf"), (other.id, tmp_path / "photo.jpg")]
    assert (driver.files.busy, driver.failures) == (False, [])


def test_the_address_of_a_login_that_has_ended_is_asked_for_anew(tmp_path: Path) -> None:
    driver = FilesDriver()
    driver.save(FILE, typed=str(tmp_path))
    driver.settle()
    driver.cut()
    driver.transfers.end(FileGone("gone"))
    assert driver.told_user == []
    driver.settle()
    assert len([command for command in driver.sent if isinstance(command, AskLinks)]) == 2
    driver.transfers.end(FileGone("It is gone", "not_found"))
    assert driver.told_user == ["It is gone. Not saved: report.pdf"]
    assert driver.failures == [True]


def test_a_place_that_is_none_is_told_before_the_server_is_asked(tmp_path: Path) -> None:
    driver = FilesDriver()
    driver.save(FILE, typed=f"{tmp_path}/none/")
    assert driver.told_user == [f"There is no such folder. Name one that exists: {tmp_path}/none/"]
    assert not [command for command in driver.sent if isinstance(command, AskLinks)]


# --- previews ---------------------------------------------------------------------------------------------------------


def a_picture(number: int) -> FileInfo:
    return FileInfo(f"{number:032x}", "a.jpg", 5, "image/jpeg", 800, 600, [240, 320])


def test_previews_are_read_batch_by_batch_and_other_files_have_none() -> None:
    driver = FilesDriver()
    one, two, three = map(a_picture, range(1, 4))
    driver.files.look([one, FILE, two])
    driver.files.look([three])
    driver.settle()
    ((paths, came, done),) = driver.transfers.small
    assert [path.endswith("?size=240") for path in paths] == [True, True]
    came(1, b"the second")
    assert driver.previews == [(two.id, b"the second")]
    assert not driver.files.busy, "Ctrl-C does not mean them"
    done()
    driver.settle()
    assert [len(each[0]) for each in driver.transfers.small] == [2, 1]
    driver.transfers.small[1][2]()
    driver.settle()
    assert len(driver.transfers.small) == 2


def test_of_many_previews_the_newest_are_read() -> None:
    driver = FilesDriver()
    driver.files.look([a_picture(1)])
    driver.files.look(map(a_picture, range(2, 100)))
    driver.settle()
    driver.transfers.small[0][2]()
    driver.settle()
    asked = [command.ids for command in driver.sent if isinstance(command, AskLinks)]
    assert asked == [[a_picture(1).id], [a_picture(number).id for number in range(80, 100)]]


def test_previews_that_are_refused_hold_up_no_others() -> None:
    driver = FilesDriver()
    driver.files.look([a_picture(1)])
    (asked,) = driver.wire
    driver.wire.clear()
    assert isinstance(asked, AskLinks)
    driver.hear(Refused(ErrorCode.INVALID, "no", asked.ref))
    driver.files.look([a_picture(2)])
    driver.settle()
    assert len(driver.transfers.small) == 1
    assert driver.told_user == []
    assert driver.failures == []
