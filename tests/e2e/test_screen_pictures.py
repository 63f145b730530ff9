"""Pictures in the rows of the screen: the real client on a terminal that answers, and what stands there then."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from securechat.client.tty.png import png_size
from tests.support.picture_terminal import ANSWERS, SIXEL_ANSWERS, PictureTerminal
from tests.support.pictures import upright
from tests.support.screen import ON, Screen
from tests.support.server import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
Open = Callable[..., Screen]
ENV = {**ON, "TMUX": "", "STY": ""}
CTRL_UP, ESC = "\x1b[1;5A", "\x1b"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    upright(size=(640, 480)).save(path)
    return path


class Viewer:
    """A person's screen on a terminal with pictures."""

    def __init__(self, screen: Open, name: str, **options: object) -> None:
        self.shown = PictureTerminal()
        env = {**ENV, **options.pop("env", {})}  # type: ignore[dict-item]
        self.screen = screen(
            "--name", name, "--pictures", "kitty", env=env, answers=ANSWERS, reads=self.shown.feed, **options
        )
        self.screen.wait_for("Write a message")
        self.screen.wait_for("connected")

    def wait(self, condition: Callable[[PictureTerminal], object], what: str) -> None:
        self.screen.wait_until(lambda: bool(condition(self.shown)), what)

    def row(self, text: str) -> int:
        """The row of the terminal with a text."""
        return next(y for y, row in enumerate(self.screen._emulator.display) if text in row)


def process_state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def plain(screen: Open, name: str) -> Screen:
    one = screen("--name", name, env=ENV)
    one.wait_for("Write a message")
    one.wait_for("connected")
    return one


def test_a_picture_stands_below_its_file_and_goes_with_its_message(screen: Open, photo: Path) -> None:
    ann = plain(screen, "ann")
    bob = Viewer(screen, "bob")
    ann.line(f"/upload {photo} the sea")
    bob.wait(lambda terminal: terminal.placed, "a picture")
    ((number, _),) = bob.shown.placed
    (placed,) = bob.shown.placed.values()
    width, height = png_size(bob.shown.held[number], 512) or (0, 0)
    assert placed.row == bob.row("photo.png") + 1
    assert (placed.columns, placed.rows) == (16, 6)  # a third of 24 - 5 rows; 120 of 160 x 120 pixels of 10 x 20
    assert placed.source == (0, 0, width, height)
    assert abs(width / height - 160 / 120) < 0.02
    bob.screen.resize(100, 40)
    bob.wait(lambda terminal: [each.rows for each in terminal.placed.values()] == [11], "larger")
    assert bob.shown.transmitted == 2
    bob.screen.type("\x1bOQ")
    bob.wait(lambda terminal: not terminal.placed, "nothing below F2")
    assert bob.shown.held, "and it is not sent again"
    bob.screen.type(ESC)
    bob.wait(lambda terminal: terminal.placed, "the picture again")
    assert bob.shown.transmitted == 2
    ann.type(f"{CTRL_UP}d")
    ann.wait_for("Delete")
    ann.type("\r")
    bob.wait(lambda terminal: not terminal.placed and not terminal.held, "nothing once it is deleted")


def test_it_goes_along_with_its_rows_and_is_cut_at_the_edge(screen: Open, photo: Path) -> None:
    bob = Viewer(screen, "bob")
    bob.screen.line(f"/upload {photo} the sea")
    bob.wait(lambda terminal: terminal.placed, "a picture")
    for number in range(14):
        bob.screen.line(f"line {number}")
        bob.screen.wait_until(lambda number=number: f"line {number}" in bob.screen.text, "the line")  # type: ignore[misc]
    bob.wait(lambda terminal: [each.source[1] > 0 for each in terminal.placed.values()] == [True], "a part")
    (placed,) = bob.shown.placed.values()
    assert placed.row == 1
    assert 0 < placed.rows < 6
    assert bob.shown.transmitted == 1


def test_nothing_remains_at_the_end_nor_while_suspended(screen: Open, photo: Path) -> None:
    bob = Viewer(screen, "bob")
    bob.screen.line(f"/upload {photo} the sea")
    bob.wait(lambda terminal: terminal.placed, "a picture")
    bob.screen.type("\x1a")
    bob.wait(lambda terminal: not terminal.held, "nothing at the shell")
    wait_until(lambda: process_state(bob.screen.process.pid) == "T", "stopped")
    bob.screen.process.send_signal(signal.SIGCONT)
    bob.wait(lambda terminal: terminal.placed, "the picture again")
    bob.screen.type("\x0c")
    bob.wait(lambda terminal: terminal.transmitted == 3, "drawn anew")
    bob.wait(lambda terminal: len(terminal.placed) == len(terminal.held) == 1, "one")
    bob.screen.type("\x04")
    assert bob.screen.wait_for_exit() == 0
    assert not bob.shown.held


@pytest.mark.parametrize("question", [b"\x1b_Gi=31", b"\x1b[c"])
def test_a_terminal_that_does_not_answer_shows_none_and_the_user_is_told(
    screen: Open, photo: Path, question: bytes
) -> None:
    answers = {asked: answer for asked, answer in ANSWERS.items() if not asked.startswith(question)}
    bob = screen("--name", "bob", "--pictures", "kitty", env=ENV, answers=answers)
    bob.wait_for("No pictures are shown: this terminal")
    bob.line(f"/upload {photo} the sea")
    bob.wait_for("photo.png")
    bob.line("after it")
    bob.wait_for("after it")
    assert bob.output.count(b"\x1b_G") == 1  # the question


def test_tmux_gets_no_question(screen: Open) -> None:
    bob = screen("--name", "bob", "--pictures", "kitty", env={**ENV, "TMUX": "/tmp/tmux-1/default,1,0"})
    bob.wait_for("No pictures are shown, because tmux")
    assert b"\x1b_G" not in bob.output


def test_off_asks_nothing(screen: Open, photo: Path) -> None:
    ann = plain(screen, "ann")
    ann.line(f"/upload {photo} the sea")
    ann.wait_for("photo.png")
    assert b"\x1b_" not in ann.output
    assert b"\x1b[16t" not in ann.output
    assert b"\x1b[c" not in ann.output


def test_sixels_are_drawn_row_by_row(screen: Open, photo: Path) -> None:
    bob = screen("--name", "bob", "--pictures", "sixel", env=ENV, answers=SIXEL_ANSWERS)
    bob.wait_for("Write a message")
    bob.wait_for("connected")
    bob.line(f"/upload {photo} the sea")
    bob.wait_until(lambda: bob.output.count(b"\x1bP0;1;0q") == 6, "a picture of six rows")
    assert b'\x1bP0;1;0q"1;1;160;20#' in bob.output
    bob.line("after it")
    bob.wait_until(lambda: bob.output.count(b"\x1bP0;1;0q") == 12, "drawn again, one row higher")
