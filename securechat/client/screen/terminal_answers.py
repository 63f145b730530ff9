"""The answers of the terminal to what it is asked, which may come late, more than once, or never."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from securechat.client.catalogue import screen_shell as words
from securechat.client.catalogue.files import NO_PICTURES_IN_TMUX
from securechat.client.files.preview_process import PictureProtocol
from securechat.client.tty import cell_size, kitty, modes, sixel
from securechat.client.tty.frames import TerminalPainter
from securechat.client.tty.screen_pictures import KittyPictures, SixelPictures
from securechat.client.ui.screen_model import view as views

PICTURES_S = 3.0
"""Time for the answers about pictures: some round trips of a slow link."""
ASK_ATTRIBUTES = "\x1b[c"
"""Every terminal answers it (DA1), so that an answer that has not come before will not come."""


class TerminalAnswers:
    """The answers of one terminal. Everything here belongs to the screen's thread.

    Args:
        painter: of the terminal.
        send: writes a sequence.
        later: calls something after so many seconds.
        write_frame: writes what the painter has.
        post: takes what the terminal has told.
        size: columns and rows of the terminal.

    Attributes:
        notifies: whether the terminal has said that it knows OSC 99.
    """

    def __init__(
        self,
        painter: TerminalPainter,
        send: Callable[[str], None],
        later: Callable[[float, Callable[[], None]], Any],
        write_frame: Callable[[], None],
        post: Callable[[views.ScreenInput], None],
        size: Callable[[], tuple[int, int]],
    ) -> None:
        self.notifies = False
        self._painter, self._send, self._later = painter, send, later
        self._write_frame, self._post, self._size = write_frame, post, size
        self._background: Callable[[int | None], None] | None = None
        self._protocol: PictureProtocol | None = None
        self._use: Callable[[tuple[int, int]], None] | None = None
        self._has_kitty = self._is_decided = False
        self._cell: tuple[int, int] | None = None

    def note(self, answer: str) -> None:
        """Take an answer."""
        if modes.knows_synchronized(answer):
            self._painter.synchronized = True
        elif modes.knows_notifications(answer):
            self.notifies = True
        elif self._background is not None and (background := modes.background_of(answer)) is not None:
            self._tell_background(background)
        elif self._use is not None:
            self._note_pictures(answer)

    # --- the background

    def ask_background(self, tell: Callable[[int | None], None]) -> None:
        """Ask for the background, and draw nothing until the answer comes, or for 100 ms."""
        self._background = tell
        self._painter.hold(on=True)
        self._send(modes.ASK_BACKGROUND)
        self._later(modes.ANSWER_S, lambda: self._tell_background(None))

    def _tell_background(self, background: int | None) -> None:
        tell, self._background = self._background, None
        if tell is not None:
            self._painter.hold(on=False)
            tell(background)
            self._write_frame()

    # --- pictures

    def ask_pictures(self, protocol: PictureProtocol, use: Callable[[tuple[int, int]], None]) -> None:
        """Ask whether the terminal shows pictures; the user is told where it shows none.

        Args:
            protocol: that the user has chosen.
            use: gets the size of a cell in pixels where it does, and again when that has changed.
        """
        if os.environ.get("TMUX") or os.environ.get("STY"):
            self._post(views.ShowSentence(NO_PICTURES_IN_TMUX()))
            return
        self._protocol, self._use = protocol, use
        asked = kitty.ASK if protocol is PictureProtocol.KITTY else ""
        self._send(f"{asked}{cell_size.ASK}{ASK_ATTRIBUTES}")
        self._later(PICTURES_S, lambda: self._decide(knows=False))

    def resized(self) -> None:
        """The terminal has another size, and perhaps another font."""
        if self._painter.pictures is not None:
            self._cell = None
            self._send(cell_size.ASK)
            self._tell_cell()

    def _note_pictures(self, answer: str) -> None:
        if kitty.knows_pictures(answer):
            self._has_kitty = True
        elif (cell := cell_size.told_cell(answer, *self._size())) is not None:
            if self._cell is None or "[6;" in answer:  # which is the exact one
                self._cell = cell
                self._tell_cell()
        elif answer.startswith("\x1b[?") and answer.endswith("c"):
            is_kitty = self._protocol is PictureProtocol.KITTY
            self._decide(knows=self._has_kitty if is_kitty else sixel.knows_sixels(answer))

    def _decide(self, *, knows: bool) -> None:
        if self._is_decided or self._protocol is None:
            return
        self._is_decided = True
        if not knows:
            self._use = None
            self._post(views.ShowSentence(words.no_pictures(self._protocol.value)))
        elif self._protocol is PictureProtocol.SIXEL:
            self._painter.pictures = SixelPictures()
        else:  # numbers that no other program in this terminal is likely to have; 32 bits, never 0
            self._painter.pictures = KittyPictures(1 + int.from_bytes(os.urandom(3)) * 64)
        self._tell_cell()

    def _tell_cell(self) -> None:
        if self._use is not None and self._painter.pictures is not None:
            cell = self._cell or cell_size.window_cell(sys.__stdout__.fileno()) or cell_size.USUAL  # type: ignore[union-attr]
            self._use(cell)
            self._post(views.PicturesShown(cell[1] / cell[0]))
