"""Pictures over the frames of the painter: what a terminal of kitty's protocol holds and shows after each piece."""

from __future__ import annotations

import os
import re
from base64 import b64encode

import pytest
from msgspec.structs import replace

from securechat.client.tty import screen_pictures
from securechat.client.tty.frames import CLEAR, RowPart, TerminalPainter
from securechat.client.tty.png import IndexedPicture, encoded
from securechat.client.tty.screen_pictures import EncodedPicture, KittyPictures, SixelPictures
from securechat.client.ui.rows.picture_cells import PictureArea
from securechat.model import FileId
from tests.support.picture_terminal import PictureTerminal, Placed

AREA = PictureArea(FileId("a" * 32), 7, 6, 4, 16, 6, 0, 6)
OTHER = replace(AREA, file_id=FileId("b" * 32), row=12)
SMALL = EncodedPicture(160, 120, encoded(IndexedPicture(160, 120, bytes(6), b"", bytes(160 * 120))))
LARGE = EncodedPicture(240, 200, encoded(IndexedPicture(240, 200, bytes(768), b"", os.urandom(240 * 200))))
WHOLE = Placed(6, 4, 16, 6, (0, 0, 160, 120))


class Rig:
    """A painter of 80 x 24 and its terminal."""

    def __init__(self, *, sixel: bool = False) -> None:
        self.painter = TerminalPainter()
        self.painter.pictures = SixelPictures() if sixel else KittyPictures(100)
        self.terminal = PictureTerminal()
        self.written = ""

    def show(self, *areas: PictureArea, end: int = 24, text: str = "x") -> None:
        rows = {y: {0: RowPart(0, 80, f"{text}{y}", "\x1b[m")} for y in range(24)}
        self.painter.show(rows, (0, 0), 80, range(0), (areas, end))

    def take(self) -> str:
        piece = self.painter.take()
        self.written += piece
        self.terminal.feed(piece)
        return piece

    def drain(self) -> str:
        found = ""
        while piece := self.take():
            found += piece
        return found

    @property
    def placed(self) -> list[Placed]:
        return list(self.terminal.placed.values())


def test_a_picture_is_transmitted_once_behind_the_rows_and_placed() -> None:
    rig = Rig()
    rig.show(AREA)
    rig.painter.give_picture(AREA, SMALL)
    written = rig.drain()
    assert rig.terminal.held == {100: SMALL.png}
    assert rig.placed == [WHOLE]
    assert written.index("x23") < written.index("\x1b_G")
    data = b64encode(SMALL.png).decode()
    assert f"\x1b_Ga=t,f=100,q=2,i=100,m=0;{data}\x1b\\" in written
    assert "\x1b[5;7H\x1b_Ga=p,q=2,C=1,i=100,p=1,c=16,r=6,x=0,y=0,w=160,h=120\x1b\\" in written
    assert rig.drain() == ""


def test_nothing_is_transmitted_before_it_is_given_nor_when_it_is_not_wanted() -> None:
    rig = Rig()
    rig.show(AREA)
    assert "\x1b_G" not in rig.drain()
    rig.show()
    rig.painter.give_picture(AREA, SMALL)
    assert "\x1b_G" not in rig.drain()
    rig.show()
    rig.show(AREA)
    assert "\x1b_G" not in rig.drain()


def test_one_that_is_given_before_its_frame_comes_is_shown_with_it() -> None:
    for sixel, picture in ((False, SMALL), (True, STRIPS)):
        rig = Rig(sixel=sixel)
        rig.show()
        rig.drain()
        rig.painter.give_picture(AREA, picture)
        rig.show(AREA)
        assert ("\x1bP" if sixel else "a=p") in rig.drain()


def test_a_large_one_goes_in_pieces_that_typing_does_not_wait_for() -> None:
    rig = Rig()
    rig.show(AREA)
    rig.drain()
    rig.painter.give_picture(AREA, LARGE)
    pieces = []
    while piece := rig.take():
        pieces.append(piece)
    assert len(pieces) > 10
    assert max(map(len, pieces)) < 4300
    assert rig.terminal.held == {100: LARGE.png}


def test_a_part_is_shown_by_its_source_and_moves_without_a_transmission() -> None:
    rig = Rig()
    rig.show(AREA)
    rig.painter.give_picture(AREA, SMALL)
    rig.drain()
    rig.show(replace(AREA, row=1, first=2, shown=4), text="y")
    written = rig.drain()
    assert rig.placed == [Placed(6, 1, 16, 4, (0, 40, 160, 80))]
    assert rig.terminal.transmitted == 1
    assert written.index("a=d,q=2,d=i,i=100,p=1") < written.index("y0") < written.index("a=p")


def test_a_list_over_the_last_rows_cuts_it() -> None:
    rig = Rig()
    rig.show(AREA)
    rig.painter.give_picture(AREA, SMALL)
    rig.drain()
    rig.show(AREA, end=6)
    rig.drain()
    assert rig.placed == [Placed(6, 4, 16, 2, (0, 0, 160, 40))]
    rig.show(AREA, end=4)
    rig.drain()
    assert rig.placed == []
    rig.show(AREA)
    rig.drain()
    assert rig.placed == [WHOLE]
    assert rig.terminal.transmitted == 1


def test_a_slow_terminal_never_has_a_picture_over_the_text_of_another_frame() -> None:
    rig = Rig()
    rig.show(AREA)
    rig.painter.give_picture(AREA, SMALL)
    rig.drain()
    for step in range(20):  # frames of which only the first piece is taken, or none
        rig.show(replace(AREA, row=4 + step % 3), text=str(step) * 1000)
        if step % 2:
            rig.take()
            assert rig.placed == []
    rig.drain()
    assert [each.row for each in rig.placed] == [4 + 19 % 3]
    assert rig.terminal.transmitted == 1


def test_a_transmission_that_is_not_wanted_any_more_is_ended() -> None:
    rig = Rig()
    rig.show(AREA)
    rig.drain()
    rig.painter.give_picture(AREA, LARGE)
    rig.take()
    rig.show(OTHER)
    rig.painter.give_picture(OTHER, SMALL)
    rig.drain()
    assert list(rig.terminal.held.values()) == [SMALL.png]
    assert [each.row for each in rig.placed] == [12]


def test_a_placement_that_goes_within_a_transmission_goes_at_once() -> None:
    rig = Rig()
    rig.show(AREA, OTHER)
    rig.painter.give_picture(AREA, SMALL)
    rig.drain()
    rig.painter.give_picture(OTHER, LARGE)
    rig.take()
    rig.show(OTHER)
    rig.take()
    assert rig.placed == []
    rig.drain()
    assert [each.row for each in rig.placed] == [12]


def test_what_the_terminal_holds_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen_pictures, "MOST_HELD_BYTES", 3 * 4 * 160 * 120)
    rig = Rig()
    for number in range(10):
        area = replace(AREA, file_id=FileId(f"{number:032x}"))
        rig.show(area)
        rig.painter.give_picture(area, SMALL)
        rig.drain()
        assert len(rig.placed) == 1
    assert sorted(rig.terminal.held) == [107, 108, 109]


def test_a_row_that_is_written_anew_gets_its_picture_again() -> None:
    rig = Rig()
    rig.show(AREA)
    rig.painter.give_picture(AREA, SMALL)
    rig.drain()
    rig.painter.show({5: {0: RowPart(0, 80, "other", "\x1b[m")}}, (0, 0), 80, range(0))
    assert rig.drain().count("a=p") == 1
    rig.painter.show({20: {0: RowPart(0, 80, "other", "\x1b[m")}}, (0, 0), 80, range(0))
    assert "a=p" not in rig.drain()
    assert rig.placed == [WHOLE]


@pytest.mark.parametrize("way", ["anew", "bare", "erase"])
def test_redrawing_the_bare_view_and_leaving_delete_everything(way: str) -> None:
    rig = Rig()
    rig.show(AREA)
    rig.painter.give_picture(AREA, SMALL)
    rig.drain()
    if way == "anew":
        rig.painter.paint_anew(CLEAR)
        rig.painter.paint_anew(CLEAR, rows=24)
    elif way == "bare":
        rig.painter.show_bare(f"{CLEAR}text")
    else:
        rig.terminal.feed(rig.painter.erase_pictures())
    rig.drain()
    assert not rig.terminal.held
    assert not rig.placed
    rig.painter.show_bare(None)
    rig.show(AREA)
    rig.painter.give_picture(AREA, SMALL)
    rig.drain()
    assert rig.placed == [WHOLE]


def test_a_deleted_message_takes_its_picture_out_of_the_terminal() -> None:
    rig = Rig()
    rig.show(AREA, OTHER)
    rig.painter.give_picture(AREA, SMALL)
    rig.painter.give_picture(OTHER, SMALL)
    rig.drain()
    rig.painter.forget_pictures([AREA.file_id])
    rig.drain()
    assert list(rig.terminal.held) == [101]
    assert [each.row for each in rig.placed] == [12]


def test_the_file_id_of_a_server_is_in_no_sequence() -> None:
    rig = Rig()
    evil = replace(AREA, file_id=FileId("\x1b]52;c;eA==\x07"))
    rig.show(evil)
    rig.painter.give_picture(evil, SMALL)
    assert "]52" not in rig.drain()


# --- sixels -----------------------------------------------------------------------------------------------------------

STRIPS = EncodedPicture(160, 120, strips=tuple(f"\x1bP0;1;0q{row}\x1b\\" for row in range(6)))
DRAWN = re.compile(r"\x1b\[(\d+);7H\x1bP0;1;0q(\d)")


def test_sixels_are_drawn_behind_the_rows_and_a_row_again_that_is_written() -> None:
    rig = Rig(sixel=True)
    rig.show(AREA)
    rig.painter.give_picture(AREA, STRIPS)
    written = rig.drain()
    assert DRAWN.findall(written) == [(str(5 + row), str(row)) for row in range(6)]
    assert written.index("x23") < written.index("\x1bP")
    rig.painter.show({5: {0: RowPart(0, 80, "other", "\x1b[m")}}, (0, 0), 80, range(0))
    assert DRAWN.findall(rig.drain()) == [("6", "1")]
    rig.show(AREA, end=8)
    rig.drain()
    rig.show(AREA)
    assert DRAWN.findall(rig.drain())[-2:] == [("9", "4"), ("10", "5")]


def test_rows_are_written_anew_where_sixels_go() -> None:
    rig = Rig(sixel=True)
    rig.show(AREA)
    rig.painter.give_picture(AREA, STRIPS)
    rig.drain()
    rig.show()
    written = rig.drain()
    assert [y for y in range(24) if f"x{y}" in re.findall(r"x\d+", written)] == [4, 5, 6, 7, 8, 9]
    assert "\x1bP" not in written


def test_sixels_are_not_drawn_again_while_they_move() -> None:
    rig = Rig(sixel=True)
    rig.show(AREA)
    rig.painter.give_picture(AREA, STRIPS)
    rig.drain()
    moved = replace(AREA, row=1, first=2, shown=4)
    rig.show(moved, text="y")
    assert "\x1bP" not in rig.drain()
    rig.painter.give_picture(moved, STRIPS)
    assert DRAWN.findall(rig.drain()) == [("2", "2"), ("3", "3"), ("4", "4"), ("5", "5")]
