"""Rows that are kept free for previews: how many, that they stay, and where the view says that previews stand."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from securechat.client.core import actions
from securechat.client.tty.cell_size import told_cell
from securechat.client.ui.rows.message_rows import RowContext, RowKind, message_block
from securechat.client.ui.rows.picture_cells import PictureArea, PictureRoom, above, picture_cells
from securechat.client.ui.screen_model.layout import ScreenPane
from securechat.client.ui.screen_model.view import FileTarget, PicturesShown, RunAction, ScreenResized, ScrollPane
from securechat.model import FileId, FileInfo, Message, Person
from tests.support.screen_rig import ScreenRig

PHOTO = FileInfo(FileId("a" * 32), "photo.jpg", 12_582, "image/jpeg", 640, 480, [240, 512])
ROOM = PictureRoom(2.0, 8)


def message(*files: FileInfo) -> Message:
    return Message(1, 0, 99, "ana", 1_700_000_000_000, "look", room="lobby", files=list(files))


@pytest.mark.parametrize(
    ("size", "room", "free", "cells"),
    [
        ((640, 480), ROOM, 60, (22, 8)),
        ((640, 480), PictureRoom(2.0, 30), 60, (30, 12)),
        ((640, 480), PictureRoom(1.5, 30), 60, (30, 15)),
        ((640, 480), ROOM, 14, (14, 6)),
        ((16, 16), ROOM, 60, (2, 1)),
        ((1, 65_535), ROOM, 60, (1, 8)),
        ((65_535, 1), ROOM, 60, (30, 1)),
        ((10**9, 10**9), ROOM, 60, (16, 8)),
        ((640, 0), ROOM, 60, None),
        ((640, -5), ROOM, 60, None),
        ((640, 480), PictureRoom(2.0, 0), 60, None),
        ((640, 480), PictureRoom(2.0, -1), 60, None),
        ((640, 480), ROOM, 0, None),
        ((640, 480), PictureRoom(1e9, 8), 60, (30, 6)),
        ((640, 480), PictureRoom(0.0, 8), 60, (11, 8)),
    ],
)
def test_the_cells_of_a_preview(
    size: tuple[int, int], room: PictureRoom, free: int, cells: tuple[int, int] | None
) -> None:
    assert room.cells(*size, free) == cells


def test_cells_are_never_more_than_there_are() -> None:
    for width in (1, 7, 100, 240):
        for height in (1, 7, 100, 240):
            for free in (1, 2, 9, 40):
                found = picture_cells(width, height, free, free, 2.0)
                assert found is not None
                assert 1 <= found[0] <= free
                assert 1 <= found[1] <= free


def test_a_message_has_rows_for_its_preview_where_pictures_are_shown() -> None:
    plain = message_block(message(PHOTO), None, RowContext(60, Person(1, "me")))
    assert RowKind.PICTURE not in {row.kind for row in plain}
    rows = message_block(message(PHOTO), None, RowContext(60, Person(1, "me"), pictures=ROOM))
    kept = [row for row in rows if row.kind is RowKind.PICTURE]
    assert len(rows) == len(plain) + 8
    assert {(row.row, row.seq, row.file_id) for row in kept} == {("", 1, PHOTO.id)}
    assert [row.picture.index for row in kept if row.picture] == list(range(8))
    assert rows[-9].kind is RowKind.FILE


@pytest.mark.parametrize("file", [replace(PHOTO, previews=[]), replace(PHOTO, previews=[512]), replace(PHOTO, width=0)])
def test_a_file_without_a_preview_for_terminals_has_none(file: FileInfo) -> None:
    rows = message_block(message(file), None, RowContext(60, Person(1, "me"), pictures=ROOM))
    assert RowKind.PICTURE not in {row.kind for row in rows}


# --- the view ---------------------------------------------------------------------------------------------------------


def shown(rig: ScreenRig, *, after: int = 0) -> Message:
    """A message with a picture, and lines after it."""
    sent = rig.driver.server.store(99, "look", room="lobby")
    sent = replace(sent, files=[PHOTO])
    rig.driver.server.push(sent)
    rig.pump()
    rig.state._context.notices.dismiss()
    for number in range(after):
        rig.say(f"line {number}")
    return sent


def rig_with_pictures() -> ScreenRig:
    rig = ScreenRig()
    rig.take(PicturesShown(2.0))
    return rig


def test_the_view_says_where_a_preview_stands_and_a_click_takes_the_file() -> None:
    rig = rig_with_pictures()
    sent = shown(rig)
    view = rig.view
    field = view.layout.messages
    assert field is not None
    (area,) = view.pictures
    assert area == PictureArea(PHOTO.id, sent.seq, field.column + 6, field.row + field.rows - 8, 22, 8, 0, 8)
    rows = view.messages[-8:]
    assert {row.row for row in rows} == {""}
    assert {row.target for row in rows} == {FileTarget(rig.core.current, sent.seq, PHOTO.id)}
    assert "photo.jpg" in view.messages[-9].row


def test_without_an_answer_of_the_terminal_no_row_is_kept() -> None:
    rig = ScreenRig()
    shown(rig)
    assert rig.view.pictures == ()
    assert "photo.jpg" in rig.view.messages[-1].row


def test_one_that_is_cut_at_the_upper_edge_says_which_rows_of_it_are_to_be_seen() -> None:
    rig = rig_with_pictures()
    shown(rig, after=1)
    field = rig.view.layout.messages
    assert field is not None
    (whole,) = rig.view.pictures
    for _ in range(40):
        if not rig.view.pictures or rig.view.pictures[0].shown < 8:
            break
        rig.say("more")
    (area,) = rig.view.pictures
    assert area.row == field.row
    assert 0 < area.first == 8 - area.shown
    assert area.key == whole.key
    assert area.origin[2] == area.row - area.first


def test_nothing_moves_the_rows_while_one_types_or_a_preview_comes() -> None:
    rig = rig_with_pictures()
    shown(rig, after=30)
    rig.take(ScrollPane(ScreenPane.MESSAGES, -12))
    before = rig.view.messages
    count = len(message_rows(rig))
    rig.type("one\ntwo\nthree\nfour")
    assert len(message_rows(rig)) == count
    rig.type("")
    assert rig.view.messages == before


def message_rows(rig: ScreenRig) -> list[str]:
    """The rows that the message with the picture has, wherever they are."""
    maker = rig.state._context.windows.row_maker(rig.core.current)
    return [block.row for blocks in maker._blocks.values() for block in blocks if block.file_id]


def test_a_third_of_the_field_at_most() -> None:
    rig = rig_with_pictures()
    shown(rig)
    for rows in (10, 16, 24, 60):
        rig.take(ScreenResized(100, rows))
        field = rig.view.layout.messages
        assert field is not None
        assert [area.rows for area in rig.view.pictures] == [min(12, field.rows // 3)]


def test_an_overlay_the_bare_view_and_a_deletion_show_none() -> None:
    rig = rig_with_pictures()
    sent = shown(rig)
    rig.run("help")
    assert rig.view.pictures == ()
    rig.escape()
    assert len(rig.view.pictures) == 1
    rig.take(RunAction("bare"))
    assert rig.view.pictures == ()
    rig.take(RunAction("bare"))
    assert len(rig.view.pictures) == 1
    rig.driver.server.change(sent.seq, "delete")
    rig.pump()
    assert rig.view.pictures == ()


def test_a_hidden_person_shows_none() -> None:
    rig = rig_with_pictures()
    shown(rig)
    rig.act(actions.IgnorePerson("p99"))
    assert rig.view.pictures == ()


# --- the answers of the terminal --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "cell"),
    [
        ("\x1b[6;20;10t", (10, 20)),
        ("\x1b[4;480;800t", (10, 20)),
        ("\x1b[6;0;10t", None),
        ("\x1b[6;20;99999t", None),
        ("\x1b[4;0;0t", None),
        ("\x1b[8;24;80t", None),
        ("\x1b[6;20t", None),
    ],
)
def test_the_size_of_a_cell(answer: str, cell: tuple[int, int] | None) -> None:
    assert told_cell(answer, 80, 24) == cell


def test_a_terminal_of_no_size_tells_no_cell() -> None:
    assert told_cell("\x1b[4;480;800t", 0, 0) is None


def test_areas_above_a_row() -> None:
    area = PictureArea(PHOTO.id, 1, 6, 4, 16, 6, 0, 6)
    assert above((area,), 10) == (area,)
    assert above((area,), 7) == (replace(area, shown=3),)
    assert above((area,), 4) == ()
