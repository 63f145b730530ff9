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
from securechat.client.tty.notices import NoticeSequence, known_sequence, notifying
from securechat.client.tty.screen_pictures import KittyPictures, SixelPictures
from securechat.client.ui.screen_model import view as views

PICTURES_S = 3.0
"""Time for the answers about pictures: some round trips of a slow link."""
_READS_NO_ANSWER: bool = sys.platform == "win32"
"""Textual's own driver tells of none, and Apple's terminal would print the question."""
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
        self._knows_99 = False
        self._painter, self._send, self._later = painter, send, later
        self._write_frame, self._post, self._size = write_frame, post, size
        self._background: Callable[[int | None], None] | None = None
        self._protocol: PictureProtocol | None = None
        self._use: Callable[[tuple[int, int]], None] | None = None
        self._tell: Callable[[str], None] = lambda _: None
        self._has_kitty = self._is_decided = False
        self._cell: tuple[int, int] | None = None

    def note(self, answer: str) -> None:
        """Take an answer."""
        if modes.knows_synchronized(answer):
            self._painter.synchronized = True
        elif modes.knows_notifications(answer):
            self._knows_99 = True
        elif self._background is not None and (background := modes.background_of(answer)) is not None:
            self._tell_background(background)
        elif self._use is not None:
            self._note_pictures(answer)

    def undecoded(self) -> None:
        """Tell that the terminal has sent bytes that are no text."""
        self._post(views.ShowSentence(words.NOT_DECODED()))

    # --- notifications

    def notify(self, text: str, setting: str, *, rings: bool) -> None:
        """Notify as the terminal can, or ring where there is no text.

        Args:
            text: see `views.NotifyUser`.
            setting: of the user: terminal, bell or off.
            rings: whether the bell rings where the terminal knows no notification.
        """
        if setting != "off":
            known = known_sequence(os.environ, answered_99=self._knows_99)
            self._send(notifying(text, NoticeSequence.NONE if setting == "bell" or not text else known, rings=rings))

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

    def ask_pictures(
        self, protocol: PictureProtocol, use: Callable[[tuple[int, int]], None], tell: Callable[[str], None]
    ) -> None:
        """Ask whether the terminal shows pictures.

        Args:
            protocol: that the user has chosen.
            use: gets the size of a cell in pixels where it does, and again when that has changed.
            tell: gets a sentence for the user where it does not.
        """
        if os.environ.get("TMUX") or os.environ.get("STY"):
            tell(NO_PICTURES_IN_TMUX())
            return
        if _READS_NO_ANSWER or os.environ.get("TERM_PROGRAM") == "Apple_Terminal":
            tell(words.no_pictures(protocol.value))
            return
        self._protocol, self._use, self._tell = protocol, use, tell
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
            self._tell(words.no_pictures(self._protocol.value))
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
