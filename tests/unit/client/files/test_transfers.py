"""Transfers against a server of their protocols, with real TLS, cut wherever a connection can be cut."""

from __future__ import annotations

import io
import queue
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from securechat.client.files import https, saving, threads
from securechat.client.files.download import download
from securechat.client.files.https import Attempts, Cancelled, FileGone, FileServer, TransferError
from securechat.client.files.saving import LocalTarget
from securechat.client.files.sources import LocalFile, local_files
from securechat.client.files.threads import FileTransfers
from securechat.client.files.upload import PART_BYTES, _Upload, upload
from tests.support.file_server import Answered, FilesDouble
from tests.support.receiver import PATIENCE_S, Authority, closed_port

SIZE = 40_000
DATA = bytes(number * 7 % 251 for number in range(SIZE))
EVERY_TENTH = [SIZE * tenth // 10 for tenth in range(11)]
UPLOAD = "/api/v1/uploads/ab/key"
FILE = "/files/ab/key"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(https, "LONGEST_DELAY_S", 0.01)


@pytest.fixture
def double(tmp_path: Path) -> Iterator[FilesDouble]:
    server = FilesDouble(tmp_path)
    yield server
    server.close()


def attempts(patience_s: float | None = PATIENCE_S) -> Attempts:
    return Attempts(threading.Event(), patience_s)


def send(double: FilesDouble, data: bytes = DATA, patience_s: float | None = PATIENCE_S) -> list[int]:
    moved: list[int] = []
    upload(double.seen_by(), UPLOAD, io.BytesIO(data), len(data), attempts=attempts(patience_s), moved=moved.append)
    return moved


def read(double: FilesDouble, size: int = SIZE, patience_s: float | None = PATIENCE_S) -> bytes:
    target = io.BytesIO()
    download(double.seen_by(), FILE, size, target, attempts=attempts(patience_s), moved=lambda _: None)
    return target.getvalue()


# --- uploads ----------------------------------------------------------------------------------------------------------


def test_an_upload_is_one_request_where_nothing_breaks(double: FilesDouble) -> None:
    stored = double.add_upload(UPLOAD, SIZE)
    moved = send(double)
    assert stored.data == DATA
    assert double.requests == [("PATCH", UPLOAD)]
    assert double.headers[0]["tus-resumable"] == "1.0.0"
    assert double.headers[0]["content-type"] == "application/offset+octet-stream"
    assert moved == sorted(moved)
    assert moved[-1] == SIZE


@pytest.mark.parametrize("at", EVERY_TENTH)
def test_an_upload_goes_on_where_it_was_cut(double: FilesDouble, at: int) -> None:
    stored = double.add_upload(UPLOAD, SIZE)
    double.cuts = [at]
    send(double)
    assert stored.data == DATA
    assert double.patched_bytes == SIZE, "no byte is sent twice that the server has"


def test_an_upload_survives_a_cut_at_every_tenth_of_it(double: FilesDouble) -> None:
    stored = double.add_upload(UPLOAD, SIZE)
    double.cuts = list(EVERY_TENTH)
    send(double)
    assert stored.data == DATA
    assert double.cuts == []
    assert double.patched_bytes == SIZE


def test_an_upload_follows_an_offset_that_went_back(double: FilesDouble) -> None:
    """A server that was killed has what it had synced."""
    stored = double.add_upload(UPLOAD, SIZE)
    double.cuts, double.loses_bytes = [30_000], 5_000
    send(double)
    assert stored.data == DATA
    assert double.patched_bytes == SIZE + 5_000


def test_an_upload_waits_for_a_server_that_is_started_again(double: FilesDouble) -> None:
    stored = double.add_upload(UPLOAD, SIZE)
    double.cuts = [20_000]
    double.stop()
    done = threading.Thread(target=send, args=(double,))
    done.start()
    double.start()
    done.join(PATIENCE_S)
    assert stored.data == DATA


def test_a_large_upload_goes_in_parts_over_one_connection(double: FilesDouble) -> None:
    data = DATA * (PART_BYTES // SIZE + 1)
    stored = double.add_upload(UPLOAD, len(data))
    send(double, data)
    assert stored.data == data
    assert double.requests == [("PATCH", UPLOAD)] * 2


@pytest.mark.parametrize(
    "answer",
    [
        Answered(503, {"code": "busy", "detail": "later", "reason": "pictures_busy", "retry_after_s": 0.001}),
        Answered(409, {"code": "file_not_ready", "detail": "at work", "reason": "upload_not_ready"}),
        Answered(423, {"code": "busy", "detail": "another", "reason": "upload_in_use"}),
        Answered(500),
        Answered(409, {"code": "out_of_order", "detail": "another offset"}),
    ],
)
def test_what_passes_is_tried_again(double: FilesDouble, answer: Answered) -> None:
    stored = double.add_upload(UPLOAD, SIZE)
    double.answers["PATCH"] = deque([answer, answer])
    send(double)
    assert stored.data == DATA


def test_a_refusal_is_told_in_its_own_words(double: FilesDouble) -> None:
    double.add_upload(UPLOAD, SIZE)
    problem = {"code": "picture_unreadable", "detail": "raw", "reason": "picture_unreadable", "args": {}}
    double.answers["PATCH"] = deque([Answered(422, problem)])
    with pytest.raises(TransferError, match="The picture cannot be read") as refused:
        send(double)
    assert (refused.value.code, refused.value.reason) == ("picture_unreadable", "picture_unreadable")


def test_a_refusal_of_a_newer_server_keeps_its_sentence_and_stays_harmless(double: FilesDouble) -> None:
    double.add_upload(UPLOAD, SIZE)
    double.answers["PATCH"] = deque([Answered(422, {"code": "new", "detail": "no \x1b[2Jway", "reason": "unheard_of"})])
    with pytest.raises(TransferError, match="way") as refused:
        send(double)
    assert str(refused.value) == "No ␛[2Jway"


@pytest.mark.parametrize("status", [409, 422, 503])
def test_what_an_answer_without_a_body_means_is_told_by_the_next_part(double: FilesDouble, status: int) -> None:
    """A server may end a whole upload when it is asked for the offset, and HEAD has no words for what is wrong."""
    stored = double.add_upload(UPLOAD, SIZE)
    double.cuts = [SIZE]
    double.answers["HEAD"] = deque([Answered(status)])
    send(double)
    assert stored.data == DATA
    assert double.requests[-1][0] == "PATCH"


def test_an_upload_that_is_gone_is_told(double: FilesDouble) -> None:
    with pytest.raises(FileGone):
        send(double)
    assert double.requests == [("PATCH", UPLOAD)]


def test_an_upload_that_was_removed_is_told_and_not_as_one_that_is_lost(double: FilesDouble) -> None:
    problem = {"code": "invalid", "detail": "You have removed it", "reason": "upload_removed"}
    double.answers["PATCH"] = deque([Answered(410, problem)])
    with pytest.raises(TransferError) as caught:
        send(double)
    assert (isinstance(caught.value, FileGone), caught.value.reason) == (False, "upload_removed")


def test_an_upload_is_given_up_after_its_patience(double: FilesDouble) -> None:
    double.add_upload(UPLOAD, SIZE)
    double.answers["PATCH"] = deque([Answered(503)] * 10_000)
    double.answers["HEAD"] = deque([Answered(503)] * 10_000)
    with pytest.raises(TransferError):
        send(double, patience_s=0.2)


def test_a_file_that_got_shorter_is_not_sent(double: FilesDouble) -> None:
    double.add_upload(UPLOAD, SIZE)
    with pytest.raises(TransferError, match="has changed while it was sent"):
        upload(double.seen_by(), UPLOAD, io.BytesIO(DATA[:100]), SIZE, attempts=attempts(), moved=lambda _: None)


@pytest.mark.parametrize("offset", ["", "-1", "x", str(SIZE + 1), "9" * 40])
def test_an_offset_that_is_none_ends_the_upload(double: FilesDouble, offset: str) -> None:
    double.add_upload(UPLOAD, SIZE)
    double.answers["PATCH"] = deque([Answered(500)])
    double.answers["HEAD"] = deque([Answered(200, headers={"Upload-Offset": offset})])
    with pytest.raises(TransferError, match="another file than expected"):
        send(double)


def test_a_server_that_stalls_is_left_and_asked_again(double: FilesDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https, "STALL_S", 0.5)
    stored = double.add_upload(UPLOAD, SIZE)
    double.hangs.set()
    sending = threading.Thread(target=send, args=(double,))
    sending.start()
    while not double.requests:
        threading.Event().wait(0.01)
    double.hangs.clear()
    sending.join(PATIENCE_S)
    assert stored.data == DATA
    assert double.requests[0][0] == "PATCH"
    assert len(double.requests) > 1


def test_bytes_that_come_over_several_attempts_count_as_progress() -> None:
    """On a slow network a part takes several; each brings the offset forward, and none is ever answered."""
    now = [0.0]
    limited = Attempts(threading.Event(), 10.0, lambda: now[0])
    sending = _Upload(UPLOAD, io.BytesIO(DATA), SIZE, limited, lambda _: None)
    for offset in (10_000, 20_000, 30_000):
        now[0] += 9.0
        sending._note(offset)
        limited.wait(TransferError("stalled"))
    now[0] += 11.0
    with pytest.raises(TransferError, match="stalled"):
        limited.wait(TransferError("stalled"))


@pytest.mark.parametrize(
    ("host", "name"), [("fe80::1%eth0", "fe80::1"), ("chat.example", "chat.example"), ("::1", "::1")]
)
def test_a_zone_is_for_the_socket_and_not_for_the_certificate(double: FilesDouble, host: str, name: str) -> None:
    connection = https.HttpsConnection(host, 8443, double.seen_by().context)
    assert connection._address == (host, 8443)
    assert connection.host == name


# --- downloads --------------------------------------------------------------------------------------------------------


def test_a_download_is_one_request_where_nothing_breaks(double: FilesDouble) -> None:
    double.files[FILE] = DATA
    assert read(double) == DATA
    assert double.requests == [("GET", FILE)]


@pytest.mark.parametrize("at", EVERY_TENTH[:-1])
def test_a_download_goes_on_where_it_was_cut(double: FilesDouble, at: int) -> None:
    double.files[FILE] = DATA
    double.cuts = [at]
    assert read(double) == DATA
    ranges = [headers.get("range") for headers in double.headers]
    assert ranges == [None, f"bytes={at}-" if at else None]


def test_a_download_survives_a_cut_at_every_tenth_of_it(double: FilesDouble) -> None:
    double.files[FILE] = DATA
    double.cuts = EVERY_TENTH[:-1]
    assert read(double) == DATA


@pytest.mark.parametrize(
    "answer",
    [
        Answered(206, {"a": 1}),
        Answered(206, {"a": 1}, {"Content-Range": f"bytes 0-9/{SIZE}"}),
        Answered(206, {"a": 1}, {"Content-Range": f"bytes 20000-39999/{SIZE + 1}"}),
        Answered(200, {"another": "file"}),
        Answered(302, {}, {"Location": "https://elsewhere.example/"}),
    ],
)
def test_what_is_another_file_is_never_mixed_with_this_one(double: FilesDouble, answer: Answered) -> None:
    double.files[FILE] = DATA
    double.cuts = [20_000]
    target = io.BytesIO()
    first = threading.Event()

    def moved(count: int) -> None:
        if count == 20_000 and not first.is_set():
            first.set()
            double.answers["GET"] = deque([answer])

    with pytest.raises(TransferError):
        download(double.seen_by(), FILE, SIZE, target, attempts=attempts(), moved=moved)


def test_a_file_of_another_size_is_refused_before_a_byte_is_written(double: FilesDouble) -> None:
    double.files[FILE] = DATA
    target = io.BytesIO()
    with pytest.raises(TransferError, match="another file than expected"):
        download(double.seen_by(), FILE, SIZE - 1, target, attempts=attempts(), moved=lambda _: None)
    assert target.getvalue() == b""


def test_a_range_that_is_not_there_begins_anew(double: FilesDouble) -> None:
    double.files[FILE] = DATA
    double.answers["GET"] = deque([Answered(416)])
    assert read(double) == DATA


def test_a_file_that_is_gone_is_told(double: FilesDouble) -> None:
    with pytest.raises(FileGone, match="not there any more"):
        read(double)


# --- verified or nothing ----------------------------------------------------------------------------------------------


def test_a_server_by_another_ca_gets_no_byte(double: FilesDouble, tmp_path: Path) -> None:
    stored = double.add_upload(UPLOAD, SIZE)
    double.files[FILE] = DATA
    stranger = double.seen_by(Authority(tmp_path).pem)
    with pytest.raises(TransferError, match="intercepted"):
        upload(stranger, UPLOAD, io.BytesIO(DATA), SIZE, attempts=attempts(None), moved=lambda _: None)
    with pytest.raises(TransferError, match="intercepted"):
        download(stranger, FILE, SIZE, io.BytesIO(), attempts=attempts(None), moved=lambda _: None)
    assert double.requests == []
    assert stored.data == b""


def test_a_server_with_another_name_gets_no_byte(tmp_path: Path) -> None:
    double = FilesDouble(tmp_path, "chat.example")
    try:
        double.files[FILE] = DATA
        with pytest.raises(TransferError, match="names"):
            read(double)
        assert double.requests == []
    finally:
        double.close()


def test_without_a_ca_nothing_is_trusted(double: FilesDouble) -> None:
    with pytest.raises(TransferError, match="CA"):
        upload(double.seen_by(""), UPLOAD, io.BytesIO(DATA), SIZE, attempts=attempts(), moved=lambda _: None)
    assert double.requests == []


@pytest.mark.parametrize("path", ["", "files/a", "//x y", "/a\r\nHost: b", "/ä", "https://elsewhere.example/"])
def test_an_address_that_is_none_is_not_asked(double: FilesDouble, path: str) -> None:
    with pytest.raises(TransferError, match="another file than expected"):
        download(double.seen_by(), path, SIZE, io.BytesIO(), attempts=attempts(), moved=lambda _: None)
    assert double.requests == []


# --- on threads -------------------------------------------------------------------------------------------------------


class Asker:
    """The one that asked, with its thread: the test's own."""

    def __init__(self, server: FileServer, patience_s: float | None = PATIENCE_S) -> None:
        self.posted: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.transfers = FileTransfers(server, self.posted.put, patience_s)
        self.moved: list[int] = []
        self.results: list[Any] = []

    def result(self) -> Any:
        while not self.results:
            self.posted.get(timeout=PATIENCE_S)()
        return self.results.pop()


def local(folder: Path, data: bytes = DATA, name: str = "report.pdf") -> LocalFile:
    path = folder / name
    path.write_bytes(data)
    (file,) = local_files([str(path)])
    return file


def test_a_file_goes_there_and_back(double: FilesDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "PROGRESS_S", 0.0)
    stored = double.add_upload(UPLOAD, SIZE)
    asker = Asker(double.seen_by())
    asker.transfers.upload(local(tmp_path), UPLOAD, asker.moved.append, asker.results.append)
    assert asker.result() is None
    assert stored.data == DATA
    assert asker.moved[-1] == SIZE

    double.files[FILE] = DATA
    folder = tmp_path / "downloads"
    folder.mkdir()
    place = LocalTarget(folder, "report.pdf")
    asker.transfers.save(FILE, SIZE, place, asker.moved.append, asker.results.append)
    assert asker.result() == folder / "report.pdf"
    asker.transfers.save(FILE, SIZE, place, asker.moved.append, asker.results.append)
    assert asker.result() == folder / "report (1).pdf"
    assert sorted(each.name for each in folder.iterdir()) == ["report (1).pdf", "report.pdf"]
    assert all(each.read_bytes() == DATA and not each.stat().st_mode & 0o111 for each in folder.iterdir())

    asker.transfers.read(FILE, SIZE, asker.results.append)
    assert asker.result() == DATA


def test_small_files_are_read_one_after_the_other_and_what_is_wrong_is_left_out(double: FilesDouble) -> None:
    double.files = {"/a?size=240": b"small", "/b?size=240": DATA, "/d?size=240": b"also small"}
    asker, came = Asker(double.seen_by()), list[tuple[int, bytes]]()

    def read(*paths: str) -> list[tuple[int, bytes]]:
        came.clear()
        asker.transfers.read_small(
            paths, 100, lambda index, data: came.append((index, data)), lambda: asker.results.append("done")
        )
        assert asker.result() == "done"
        return came

    assert read("/a?size=240", "/c?size=240", "/d?size=240") == [(0, b"small"), (2, b"also small")]
    assert read("/a?size=240", "/b?size=240", "/d?size=240") == [(0, b"small")], "a large one ends the connection"
    assert read("no path", "/a?size=240") == []
    double.stop()
    assert read("/a?size=240") == []
    double.start()


def test_a_cancelled_upload_ends(double: FilesDouble, tmp_path: Path) -> None:
    double.add_upload(UPLOAD, SIZE)
    double.answers["PATCH"] = deque([Answered(503)] * 100_000)
    double.answers["HEAD"] = deque([Answered(503)] * 100_000)
    asker = Asker(double.seen_by(), None)
    transfer = asker.transfers.upload(local(tmp_path), UPLOAD, asker.moved.append, asker.results.append)
    transfer.cancel()
    assert isinstance(asker.result(), Cancelled)


def test_a_cancelled_download_leaves_nothing(double: FilesDouble, tmp_path: Path) -> None:
    double.files[FILE] = DATA
    double.cuts = [20_000]
    double.stop()
    folder = tmp_path / "downloads"
    folder.mkdir()
    asker = Asker(double.seen_by(), None)
    transfer = asker.transfers.save(FILE, SIZE, LocalTarget(folder, "a"), asker.moved.append, asker.results.append)
    transfer.cancel()
    assert isinstance(asker.result(), Cancelled)
    assert list(folder.iterdir()) == []
    double.start()


def test_a_disk_that_is_full_is_told_and_leaves_nothing(
    double: FilesDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving.os, "fsync", full)
    double.files[FILE] = DATA
    folder = tmp_path / "downloads"
    folder.mkdir()
    asker = Asker(double.seen_by())
    asker.transfers.save(FILE, SIZE, LocalTarget(folder, "a"), asker.moved.append, asker.results.append)
    assert "No space left" in str(asker.result())
    assert list(folder.iterdir()) == []


def test_an_upload_is_taken_back(double: FilesDouble) -> None:
    double.add_upload(UPLOAD, SIZE)
    asker = Asker(double.seen_by())
    asker.transfers.discard(UPLOAD)
    asker.posted.get(timeout=PATIENCE_S)()
    assert double.uploads == {}


def test_no_server_at_all_is_waited_for_and_then_told(tmp_path: Path, double: FilesDouble) -> None:
    away = FileServer("127.0.0.1", closed_port(), double.authority.pem)
    asker = Asker(away, 0.05)
    asker.transfers.upload(local(tmp_path), UPLOAD, asker.moved.append, asker.results.append)
    assert "takes no more of the file" in str(asker.result())
