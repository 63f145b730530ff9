"""/upload, /save and /files as typed, and the rows of messages with files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from securechat.client import catalogue
from securechat.client.catalogue.help_pages import usage
from securechat.client.core import actions, events
from securechat.client.core.client import ClientCore
from securechat.client.core.state import PersonKey, RoomKey
from securechat.client.terminal.editor import FileCompleter
from securechat.client.ui.commands.files import FurtherFiles, further_files
from securechat.client.ui.commands.parser import read
from securechat.client.ui.commands.results import InputError, SaveRequest, UploadRequest
from securechat.client.ui.interaction import Interaction
from securechat.client.ui.message_numbers import MessageNumbers, file_number
from securechat.client.ui.rows.event_rows import MessageRows
from securechat.client.ui.rows.rendering import json_line, quote_row, tail_line
from securechat.client.ui.rows.styled_text import TextStyle
from securechat.model import Deleted, Edited, FileInfo, Hit, Message, OwnFile, OwnUpload
from securechat.text.file_lines import with_file_lines
from securechat.tls.contexts import client_context
from tests.support.receiver import Authority

HERE = RoomKey("lobby")
PHOTO = FileInfo("ab" * 16, "photo.jpg", 1_258_291, "image/jpeg", 4000, 3000, [320])
REPORT = FileInfo("cd" * 16, "report.pdf", 1_000)


def message(text: str = "look", *files: FileInfo, seq: int = 7, sender: int = 2) -> Message:
    whole = with_file_lines(text, [(file.name, file.size) for file in files])
    return Message(seq, 0, sender, "ana", 0, whole, "lobby", files=list(files))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/upload report.pdf", UploadRequest("report.pdf")),
        ("/upload report.pdf the numbers", UploadRequest("report.pdf", "the numbers")),
        ('/upload "my photo.jpg" at the sea', UploadRequest("my photo.jpg", "at the sea")),
        ("/upload '/home/ana/my photo.jpg'  '/tmp/b c'", UploadRequest("/home/ana/my photo.jpg", "'/tmp/b c'")),
        ("/upload my\\ photo.jpg at the sea", UploadRequest("my photo.jpg", "at the sea")),
        ("/upload --as-file a.jpg", UploadRequest("a.jpg", as_file=True)),
        ("/upload @ana a.jpg for you", UploadRequest("a.jpg", "for you", "ana")),
        ('/upload --as-file @"user1 pc" a.jpg', UploadRequest("a.jpg", "", "user1 pc", as_file=True)),
        ("/upload a.jpg two\nlines", UploadRequest("a.jpg", "two\nlines")),
        ("/upload", InputError(usage("/upload"))),
        ("/upload @ana", InputError(usage("/upload"))),
        ('/upload "my photo.jpg', InputError(usage("/upload"))),
        ("/upload --as-file", InputError(usage("/upload"))),
        ("/save 12", SaveRequest("12")),
        ("/save [12]", SaveRequest("12")),
        ("/save 12.2", SaveRequest("12", 2)),
        ("/save [48213.12] /tmp", SaveRequest("48213", 12, "/tmp")),
        ("/save 12 ~/my photos", SaveRequest("12", path="~/my photos")),
        ('/save 12 "my photos"', SaveRequest("12", path="my photos")),
        ("/save 12.x", InputError(usage("/save"))),
        ("/save", InputError(usage("/save"))),
        ("/save photo.jpg", InputError(usage("/save"))),
        ("/files", actions.ShowFiles()),
        ("/files all", InputError(usage("/files"))),
    ],
)
def test_commands(line: str, expected: object) -> None:
    assert read(line, HERE, ["user1 pc", "ana"]) == expected


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("", FurtherFiles()),
        ("the numbers", FurtherFiles((), "the numbers")),
        ("two\nlines", FurtherFiles((), "two\nlines")),
        ("'/tmp/b c'", FurtherFiles(("/tmp/b c",))),
        ("./b ../c ~/d /e and text", FurtherFiles(("./b", "../c", "~/d", "/e"), "and text")),
        ("b.pdf", FurtherFiles(("b.pdf",))),
        ("b.pdf 'my c.jpg' ./d both of them", FurtherFiles(("b.pdf", "my c.jpg", "./d"), "both of them")),
        ("notes are in b.pdf", FurtherFiles((), "notes are in b.pdf")),  # a file without an ending is a word
        ("-- b.pdf is older", FurtherFiles((), "b.pdf is older")),
        ("b.pdf -- b.pdf is older", FurtherFiles(("b.pdf",), "b.pdf is older")),
        ("-- -- and so on", FurtherFiles((), "-- and so on")),
        ("--help says more", FurtherFiles((), "--help says more")),
        ("b.pfd done", FurtherFiles((), "b.pfd done", "b.pfd")),
        ("b.pdf c.pfd", FurtherFiles(("b.pdf",), "c.pfd", "c.pfd")),
        (
            "v1.2 is out, e.g. for https://a.example/b.pdf",
            FurtherFiles((), "v1.2 is out, e.g. for https://a.example/b.pdf"),
        ),
        ("https://a.example/b.pdf", FurtherFiles((), "https://a.example/b.pdf")),
        ('"so good" she said', FurtherFiles((), '"so good" she said')),
        ("a@2x.png docs/plan x.c", FurtherFiles(("a@2x.png", "docs/plan", "x.c"))),
        ("and/or not", FurtherFiles((), "and/or not")),
    ],
)
def test_further_files(rest: str, expected: FurtherFiles) -> None:
    assert further_files(rest, {"b.pdf", "my c.jpg", "notes", "a@2x.png", "docs/plan", "x.c"}.__contains__) == expected


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_a_file_has_the_number_of_its_message_and_its_place_among_several() -> None:
    numbers = MessageNumbers()
    both, alone = message("look", PHOTO, REPORT), message("", REPORT, seq=8)
    assert [file_number(both, file) for file in (PHOTO, REPORT, HOSTILE)] == ["7.1", "7.2", ""]
    assert file_number(alone, REPORT) == ""
    numbers.add(HERE, 7, both)
    (named,) = numbers.find("7")
    assert numbers.files(named) == (PHOTO, REPORT)
    assert numbers.files(named, 2) == (REPORT,)
    assert numbers.files(named, 0) == numbers.files(named, 3) == ()
    numbers.change(Deleted(9, 7, 2, "ana", 0, "lobby"))
    assert numbers.files(named) == numbers.files(named, 1) == ()


def test_a_file_of_the_list_is_known_without_its_message_until_that_is_deleted() -> None:
    numbers = MessageNumbers()
    numbers.add_file(HERE, 7, REPORT)
    numbers.add_file(HERE, 7, PHOTO)
    numbers.add_file(HERE, 7, REPORT)
    (named,) = numbers.find("7")
    assert numbers.files(named) == (PHOTO, REPORT)
    assert numbers.files(named, 1) == (), "its place is not known"
    numbers.change(Deleted(9, 7, 2, "ana", 0, "lobby"))
    assert numbers.files(named) == ()


# --- rows -------------------------------------------------------------------------------------------------------------


def rows_of(shown: Message, columns: int = 80) -> list[str]:
    core = ClientCore(secret="0" * 32, jitter=lambda: 0.0, name="me")
    rows = MessageRows(core).rows(events.MessageShown(shown, core.room("lobby"), own=False), columns)
    assert rows is not None
    return [str(row) for row in rows][1:]  # behind the day


def test_each_file_has_a_row_with_its_number_below_the_text() -> None:
    head, first, second = rows_of(message("look", PHOTO, REPORT))
    assert head.endswith("[7] ana: look")
    assert first == "      + [7.1] photo.jpg, 1.2 MiB, picture 4000 × 3000"
    assert second == "      + [7.2] report.pdf, 1,000 B"


def test_a_message_of_files_alone_has_no_text() -> None:
    head, row = rows_of(message("", REPORT))
    assert head.endswith("[7] ana:")
    assert row == "      + report.pdf, 1,000 B"


def test_no_text_looks_like_the_row_of_a_file() -> None:
    said = rows_of(message("look\n      + [2] report.pdf, 1000 B\n[file: report.pdf, 1000 B]"))
    assert not any(row.startswith("      + ") for row in said)


def test_what_is_answered_names_its_files_as_its_row_does() -> None:
    assert quote_row(message("look", REPORT), 3, 80) == "      > [3] ana: look + report.pdf, 1,000 B"
    assert quote_row(message("", PHOTO), 3, 80) == "      > [3] ana: photo.jpg, 1.2 MiB, picture 4000 × 3000"


def test_a_hit_has_its_files_below_it_and_what_matched_stands_out_in_their_names() -> None:
    def found(hit: Hit) -> tuple[list[str], list[str]]:
        core = ClientCore(secret="0" * 32, jitter=lambda: 0.0, name="me")
        rows = MessageRows(core).rows(events.SearchShown("report", (hit,), False), 80)
        assert rows is not None
        out = [row[span.start : span.end] for row in rows for span in row.spans if span.style is TextStyle.FOUND]
        return [str(row)[17:] if index == 0 else str(row) for index, row in enumerate(rows)][:3], out

    both = message("the report", PHOTO, REPORT)
    at = both.text.rindex("report")
    rows, out = found(Hit(both, [(4, 10), (at, at + 6)]))
    assert rows == [
        "[7] #lobby ana: the report",
        "      + [7.1] photo.jpg, 1.2 MiB, picture 4000 × 3000",
        "      + [7.2] report.pdf, 1,000 B",
    ]
    assert out == ["report", "report"]
    alone = message("", REPORT)
    rows, out = found(Hit(alone, [(7, 13), (1, 5)]))  # "file" is a word of the line alone
    assert rows[:2] == ["[7] #lobby ana:", "      + report.pdf, 1,000 B"]
    assert out == ["report"]


HOSTILE = FileInfo("ef" * 16, "\x1b[2J\u202egpj.exe\n-- bob: hi ┆", 5)


def test_the_name_of_a_file_is_harmless_everywhere() -> None:
    shown = message("look", HOSTILE)
    told = [*rows_of(shown), tail_line(shown)]
    for line in told:
        assert not set("\x1b\u202e\n") & set(line)
        assert not line.startswith("--")
    assert json_line(shown).isascii()


def test_a_pipe_without_numbers_has_one_line_a_message_as_it_always_had() -> None:
    assert tail_line(message("look", REPORT)) == "ana: look⏎[file: report.pdf, 1000 B]"
    assert tail_line(message("", REPORT)) == "ana: [file: report.pdf, 1000 B]"


def test_json_has_the_files() -> None:
    fields = json.loads(json_line(message("look", PHOTO, REPORT)))
    assert fields["text"] == "look\n[file: photo.jpg, 1.2 MiB]\n[file: report.pdf, 1000 B]"
    assert fields["files"] == [
        {
            "id": PHOTO.id,
            "name": "photo.jpg",
            "size": 1_258_291,
            "type": "image/jpeg",
            "width": 4000,
            "height": 3000,
        },
        {"id": REPORT.id, "name": "report.pdf", "size": 1_000, "type": "application/octet-stream"},
    ]
    assert "files" not in json.loads(json_line(message("look")))


def test_an_edit_is_told_without_the_lines_of_the_files() -> None:
    core = ClientCore(secret="0" * 32, jitter=lambda: 0.0, name="me")
    rows, key = MessageRows(core), core.room("lobby")
    before = message("look", REPORT)
    rows.rows(events.MessageShown(before, key, own=False), 80)
    after = message("seen?", REPORT)
    edit = Edited(8, 7, 2, "ana", 0, "lobby", text=after.text)
    (told,) = rows.rows(events.MessageChanged(edit, key, after), 80) or []
    assert str(told) == "-- ana edited their own [7]: seen?"


def test_own_files_are_listed_with_numbers_that_save_and_delete() -> None:
    core = ClientCore(secret="0" * 32, jitter=lambda: 0.0, name="me")
    rows = MessageRows(core)
    own = (OwnFile(PHOTO, 7, 0, "ops"), OwnFile(HOSTILE, 9, 0, to=5), OwnFile(PHOTO, 11, 0))
    page = events.FilesShown(own, True, 2_000_000, 262_144_000)
    used, first, second, elsewhere, *hints = rows.own_files(page)
    assert "in a room you are not in, where only a moderator can delete it: " in elsewhere
    assert used == "Your files take 1.9 MiB of 250 MiB"
    assert first.startswith("[7] ")
    assert first.endswith(" #ops: photo.jpg, 1.2 MiB, picture 4000 × 3000")
    assert " @another member: " in second
    assert "\x1b" not in second
    assert hints == [catalogue.files.DELETE_HINT(), catalogue.rooms.MORE()]
    (named,) = rows.numbers.find("7")
    assert rows.numbers.files(named) == (PHOTO,)
    assert (named.key, named.seq) == (core.room("ops"), 7)
    (named,) = rows.numbers.find("9")
    assert named.key == PersonKey(5)
    assert rows.own_files(events.FilesShown((), False, 0, 100)) == [
        "Your files take 0 B of 100 B",
        catalogue.files.NO_OWN_FILES(),
    ]


def test_uploads_that_no_message_has_are_listed_with_numbers_that_remove() -> None:
    rows = MessageRows(ClientCore(secret="0" * 32, jitter=lambda: 0.0, name="me"))
    half = OwnUpload("a" * 32, "dump\x1b.sql", 2_097_152, 1_048_576, 0)
    whole = OwnUpload("b" * 32, "a.txt", 5, 5, 0)
    page = events.FilesShown((), False, 2_097_157, 262_144_000, (half, whole))
    _, first, second, hint, none = rows.own_files(page)
    assert first.startswith("Upload 1, unfinished, until ")
    assert first.endswith(", 1 MiB of 2 MiB")
    assert "\x1b" not in first
    assert second.startswith("Upload 2, not sent, until ")
    assert second.endswith(": a.txt, 5 B")
    assert (hint, none) == (catalogue.files.REMOVE_HINT(), catalogue.files.NO_OWN_FILES())
    assert read("/delete upload 1", HERE, [], rows.numbers) == actions.DropUpload("a" * 32, "dump\x1b.sql")
    assert read("/delete Upload 2", HERE, [], rows.numbers) == actions.DropUpload("b" * 32, "a.txt")
    assert read("/delete upload 3", HERE, [], rows.numbers) == InputError(catalogue.files.no_such_upload("3"))
    assert read("/delete upload 0", HERE, [], rows.numbers) == InputError(catalogue.files.no_such_upload("0"))
    rows.own_files(events.FilesShown((), False, 0, 100))
    assert isinstance(read("/delete upload 1", HERE, [], rows.numbers), actions.DropUpload), "a page without uploads"
    rows.numbers.forget()
    assert isinstance(read("/delete upload 1", HERE, [], rows.numbers), InputError)


def test_a_row_of_a_narrow_terminal_is_cut_like_any_other() -> None:
    rows = rows_of(message("", FileInfo("a" * 32, "b" * 60 + ".tar.gz", 5), PHOTO), columns=40)
    assert all(len(row) < 40 for row in rows)
    assert rows[1].startswith("      + [7.1] bbb")


# --- what a typed line leads to ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ca_pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    return Authority(tmp_path_factory.mktemp("ca")).pem


def interaction(ca_pem: str) -> tuple[Interaction, ClientCore, MessageNumbers]:
    core = ClientCore(secret="0" * 32, jitter=lambda: 0.0, name="me")
    numbers = MessageNumbers()
    return Interaction(core, numbers, client_context(ca_pem)), core, numbers


def test_an_upload_is_looked_at_when_it_is_typed(ca_pem: str, tmp_path: Path) -> None:
    user, core, _ = interaction(ca_pem)
    (tmp_path / "a b.txt").write_bytes(b"123")
    asked = user.take(f'/upload "{tmp_path}/a b.txt" hello').send
    assert asked is not None
    assert ([file.name for file in asked.files], asked.text, asked.target) == (["a b.txt"], "hello", core.current)
    to_ana = user.take(f'/upload @ana "{tmp_path}/a b.txt"').send
    assert to_ana is not None
    assert (to_ana.target, to_ana.to) == (None, "ana")
    refused = user.take(f"/upload {tmp_path}/none hello")
    assert (refused.send, refused.refused) == (None, True)
    assert refused.notice.endswith(f"Not found: {tmp_path}/none")
    several = user.take(f'/upload "{tmp_path}/a b.txt" {tmp_path}/none hello')
    assert several.notice.endswith(f"Not found: {tmp_path}/none. No file was sent")
    long = user.take(f'/upload "{tmp_path}/a b.txt" {"x" * 4_001}')
    assert (long.send, long.refused) == (None, True)


@pytest.mark.usefixtures("folder")
def test_several_files_that_are_here_go_in_one_message(ca_pem: str, tmp_path: Path) -> None:
    user, _, _ = interaction(ca_pem)
    for name in ("notes.txt", "photo.jpg", "photo 2.jpg"):
        (tmp_path / name).write_bytes(b"123")
    sent = user.take('/upload notes.txt photo.jpg "photo 2.jpg" from the sea').send
    assert sent is not None
    names = [file.name for file in sent.files]
    assert (names, sent.text) == (["notes.txt", "photo.jpg", "photo 2.jpg"], "from the sea")
    mistyped = user.take("/upload notes.txt photo.jgp")
    assert (mistyped.send, mistyped.refused) == (None, True)
    assert mistyped.notice == (
        "There is no such file: photo.jgp. For a text that begins so, put -- before it: /upload PATH -- text"
    )
    said = user.take("/upload notes.txt -- photo.jgp is missing").send
    assert said is not None
    assert (len(said.files), said.text) == (1, "photo.jgp is missing")


def test_a_message_is_edited_without_the_lines_of_its_files(ca_pem: str) -> None:
    user, core, numbers = interaction(ca_pem)
    key = core.current
    assert key is not None
    numbers.add(key, 7, message("look", PHOTO, REPORT))
    assert user.take("/edit 7").prefill == "/edit 7 look"


def test_what_is_saved_is_named_by_number(ca_pem: str) -> None:
    user, _, numbers = interaction(ca_pem)
    numbers.add(HERE, 7, message("look", PHOTO, REPORT))
    numbers.add(HERE, 8, message(seq=8))
    saved = [user.take(line).save for line in ("/save 7", "/save 7.1 /tmp")]
    assert [(each.files, each.typed) for each in saved if each] == [((PHOTO, REPORT), None), ((PHOTO,), "/tmp")]
    assert user.take("/save 8").notice == user.take("/save 8.1").notice == catalogue.files.NO_FILES_THERE()
    assert [user.take(line).notice for line in ("/save 7.3", "/save 7.0")] == [
        "[7] has 2 files: /save 7.1 to /save 7.2"
    ] * 2
    numbers.add(HERE, 10, message("look", PHOTO, seq=10))
    assert user.take("/save 10.2").notice == "[10] has 1 file: /save 10"
    assert user.take("/save 9").notice == catalogue.rooms.no_such_number("9")
    numbers.change(Deleted(9, 7, 2, "ana", 0, "lobby"))
    assert [user.take(line).notice for line in ("/save 7", "/save 7.2")] == [
        "There is no such message here, or it was deleted"
    ] * 2


# --- completion -------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("photo.jpg", "photo 2.jpg", ".hidden", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "sea.png").touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/photo\x1b[2J")).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/upload no", ["/upload notes.txt "]),
        ("/upload ph", ['/upload "photo 2.jpg" ', "/upload photo.jpg ", "/upload photos/"]),
        ('/upload "photo 2', ['/upload "photo 2.jpg" ']),
        ("/upload photos/s", ["/upload photos/sea.png "]),
        ("/upload ~/no", ["/upload ~/notes.txt "]),
        ("/upload --as-file no", ["/upload --as-file notes.txt "]),
        ("/upload a.jpg ./no", ["/upload a.jpg ./notes.txt "]),
        ("/upload a.jpg no", ["/upload a.jpg notes.txt "]),
        ("/upload a.jpg photo.jpg no", ["/upload a.jpg photo.jpg notes.txt "]),
        ("/upload a.jpg see no", []),
        ("/upload .h", ["/upload .hidden "]),
        ("/upload nowhere/x", []),
        ("/save 12 pho", ['/save 12 "photo 2.jpg" ', "/save 12 photo.jpg ", "/save 12 photos/"]),
        ("/save 12", []),
        ("hello no", []),
        ("/upload", []),
    ],
)
@pytest.mark.usefixtures("folder")
def test_tab_completes_a_path(line: str, expected: list[str]) -> None:
    found = FileCompleter().get_completions(Document(line), CompleteEvent())
    assert [line[: len(line) + each.start_position] + each.text for each in found] == expected
