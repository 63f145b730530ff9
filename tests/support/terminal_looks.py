"""What the cells of a terminal look like in every theme, as text that a person can read and compare.

A letter stands for what a cell looks like in each theme; a file ``looks.txt`` beside the snapshots says which.
``3-5 20a 1b c`` means: in rows 3 to 5, 20 cells are a, one b, and the rest c.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pyte

from securechat.client.ui.themes import ColorDepth, Theme, ThemeName, theme
from tests.support.terminal_state import Emulator

THEMES: dict[str, Theme] = {
    **{name.value: theme(name, ColorDepth.TRUE) for name in (ThemeName.DARK, ThemeName.LIGHT, ThemeName.CONTRAST)},
    ThemeName.TERMINAL.value: theme(ThemeName.TERMINAL, ColorDepth.ANSI),
    ThemeName.NONE.value: theme(ThemeName.NONE, ColorDepth.NONE),
}
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NAMES = (("bold", "bold"), ("blink", "dim"), ("italics", "italic"), ("underscore", "under"), ("reverse", "reverse"))
Look: TypeAlias = tuple[str, ...]
Cells: TypeAlias = list[list[str]]
"""What each cell looks like, by row."""


class DimEmulator(Emulator):
    """A terminal that knows dim characters, which pyte does not: they are its blinking ones."""

    def select_graphic_rendition(self, *attrs: int, private: bool = False) -> None:
        """Take SGR (ECMA-48, 8.3.117), with 2 as 5; behind 38 and 48 stand the parts of a colour."""
        at = next((index for index, each in enumerate(attrs) if each in {38, 48}), len(attrs))
        super().select_graphic_rendition(*(5 if each == 2 else each for each in attrs[:at]), *attrs[at:])


class Looks:
    """The letters that stand for looks in all themes.

    Args:
        path: of the file.
        update: whether further looks get letters.

    Attributes:
        letters: by look.
    """

    def __init__(self, path: Path, *, update: bool) -> None:
        self._path = path
        self._update = update
        self.letters: dict[Look, str] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                letter, *looks = re.split(r" +\| ?", line)
                self.letters[tuple(each.split(" ", 1)[1].strip() for each in looks)] = letter

    def described(self, styles: Sequence[Cells]) -> list[str]:
        """Return lines that tell the looks of all rows, by their cells in each theme."""
        cells = [[self._letter(each) for each in zip(*row, strict=True)] for row in zip(*styles, strict=True)]
        told = []
        for runs, numbered in itertools.groupby(enumerate(map(_runs, cells), 1), lambda each: each[1]):
            numbers = [number for number, _ in numbered]
            told.append(f"{numbers[0]}{f'-{numbers[-1]}' if numbers[1:] else ''} {runs}")
        return told

    def write(self) -> None:
        """Record the letters."""
        if self._update:
            lines = (
                f"{letter} " + " ".join(f"| {name} {each}".ljust(28) for name, each in zip(THEMES, look, strict=True))
                for look, letter in self.letters.items()
            )
            self._path.write_text("".join(f"{line.rstrip()}\n" for line in lines), encoding="utf-8")

    def unused(self) -> set[str]:
        """Return the letters that no snapshot beside the file has."""
        used: set[str] = set()
        for path in self._path.parent.glob("*.txt"):
            for line in path.read_text(encoding="utf-8").splitlines():
                if re.fullmatch(r"\d+(-\d+)? (\d+[a-zA-Z] )*[a-zA-Z]", line):
                    used |= set(re.sub(r"[^a-zA-Z]", "", line))
        return set(self.letters.values()) - used

    def _letter(self, look: Look) -> str:
        if look not in self.letters and self._update:
            self.letters[look] = LETTERS[len(self.letters)]
        return self.letters.get(look, f"<{look}>")


def rows_of(terminal: pyte.Screen) -> list[str]:
    """Return what a terminal shows."""
    buffer, columns = terminal.buffer, terminal.columns
    return ["".join(buffer[y][x].data for x in range(columns)).rstrip() for y in range(terminal.lines)]


def styles_of(terminal: pyte.Screen) -> Cells:
    """Return what each cell of a terminal looks like."""
    return [[_style(terminal.buffer[y][x]) for x in range(terminal.columns)] for y in range(terminal.lines)]


def _runs(row: list[str]) -> str:
    runs = [(letter, len(list(cells))) for letter, cells in itertools.groupby(row)]
    return " ".join([*(f"{count}{letter}" for letter, count in runs[:-1]), runs[-1][0]])


def _style(cell: Any) -> str:
    told = [name for attribute, name in _NAMES if getattr(cell, attribute)]
    if (cell.fg, cell.bg) != ("default", "default"):
        told.append(f"{cell.fg}/{cell.bg}".replace("default", "-"))
    return " ".join(told) or "-"
