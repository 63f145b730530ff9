"""What each screen looks like in every theme and language and at three sizes, compared with ``tests/golden/screen``.

A snapshot is made by a terminal emulator, of the bytes that the application writes, so that it outlives a version of
the toolkit. Record again where something was changed on purpose, in one process, and read the difference:

    python -m pytest -p no:xdist tests/unit/client/screen/test_screen_looks.py --update-golden

A file has a section for each language and size: the rows, the cursor, and the styles. A letter stands for what a cell
looks like in each theme; ``looks.txt`` says which. ``3-5 20a 1b c`` means: in rows 3 to 5, 20 cells are a, one b,
and the rest c.
"""

from __future__ import annotations

import itertools
import re
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from securechat.client.ui.themes import ColorDepth, Theme, ThemeName, theme
from securechat.translation import use
from tests.support.golden import GOLDEN
from tests.support.screen_pilot import PilotScreen, SharedScreen
from tests.support.screen_scenes import SCENES, SMALL, Scene

pytestmark = [
    pytest.mark.not_pseudo("is about English and Indonesian"),
    pytest.mark.skipif(sys.platform == "win32", reason="the zone of the times is set as Unix does"),
]
SIZES = ((80, 24), (120, 40), (40, 20))
THEMES: dict[str, Theme] = {
    **{name.value: theme(name, ColorDepth.TRUE) for name in (ThemeName.DARK, ThemeName.LIGHT, ThemeName.CONTRAST)},
    ThemeName.TERMINAL.value: theme(ThemeName.TERMINAL, ColorDepth.ANSI),
    ThemeName.NONE.value: theme(ThemeName.NONE, ColorDepth.NONE),
}
SCREENS = GOLDEN / "screen"
LOOKS = SCREENS / "looks.txt"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NAMES = (("bold", "bold"), ("blink", "dim"), ("italics", "italic"), ("underscore", "under"), ("reverse", "reverse"))
Look = tuple[str, ...]


class Looks:
    """The letters that stand for looks in all themes."""

    def __init__(self, *, update: bool) -> None:
        self._update = update
        self.letters: dict[Look, str] = {}
        if LOOKS.exists():
            for line in LOOKS.read_text(encoding="utf-8").splitlines():
                letter, *looks = re.split(r" +\| ?", line)
                self.letters[tuple(each.split(" ", 1)[1].strip() for each in looks)] = letter

    def letter(self, look: Look) -> str:
        """Return the letter of a look; one that is not known is shown in full."""
        if look not in self.letters and self._update:
            self.letters[look] = LETTERS[len(self.letters)]
        return self.letters.get(look, f"<{look}>")

    def write(self) -> None:
        """Record the letters."""
        lines = (
            f"{letter} "
            + " ".join(f"| {name} {each}".ljust(28) for name, each in zip(THEMES, look, strict=True)).rstrip()
            for look, letter in self.letters.items()
        )
        LOOKS.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def looks(request: pytest.FixtureRequest) -> Iterator[Looks]:
    one = Looks(update=request.config.getoption("--update-golden"))
    yield one
    if one._update:
        one.write()


@pytest.fixture(scope="module")
def screens() -> Iterator[dict[tuple[int, int], SharedScreen]]:
    """An application for each size."""
    found = {size: SharedScreen(size) for size in (*SIZES, SMALL)}
    yield found
    for each in found.values():
        each.close()


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    for name in ("SSH_CONNECTION", "SSH_TTY", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    yield
    use("en")
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("name", SCENES)
def test_a_screen_looks_as_recorded(
    request: pytest.FixtureRequest, name: str, looks: Looks, screens: dict[tuple[int, int], SharedScreen]
) -> None:
    sections = []
    for language, size in itertools.product(("en", "id"), (SMALL,) if name == "small" else SIZES):
        use(language)
        scene, play = SCENES[name]()
        taken: list[str] = []
        screens[size].run(scene.rig, partial(_snapshot, scene, play, looks, taken))
        sections.append(f"=== {language} {size[0]}x{size[1]}\n{taken[0]}")
    _expect(request, name, "\n".join(sections))


def _expect(request: pytest.FixtureRequest, name: str, shown: str) -> None:
    path = SCREENS / f"{name}.txt"
    if request.config.getoption("--update-golden"):
        path.write_text(shown, encoding="utf-8")
    assert shown.splitlines() == path.read_text(encoding="utf-8").splitlines()


async def _snapshot(_scene: Scene, play: Any, looks: Looks, taken: list[str], screen: PilotScreen) -> None:
    await play(screen)
    rows: list[str] = []
    styles: list[list[list[str]]] = []
    for name, look in THEMES.items():
        screen.app.use_theme(look)
        await screen.settle()
        shown = screen.rows
        rows = rows or shown
        assert shown == rows, f"{name} says something that others do not say"
        styles.append(_styles(screen))
    cursor = screen.terminal.cursor
    place = "hidden" if cursor.hidden else f"{cursor.x},{cursor.y}"
    cells = [[looks.letter(each) for each in zip(*row, strict=True)] for row in zip(*styles, strict=True)]
    runs = [_runs(row) for row in cells]
    told = []
    for style, numbered in itertools.groupby(enumerate(runs, 1), lambda each: each[1]):
        numbers = [number for number, _ in numbered]
        told.append(f"{numbers[0]}{f'-{numbers[-1]}' if numbers[1:] else ''} {style}")
    taken.append("\n".join([*rows, f"--- cursor {place}", *told, ""]))


def _runs(row: list[str]) -> str:
    runs = [(letter, len(list(cells))) for letter, cells in itertools.groupby(row)]
    return " ".join([*(f"{count}{letter}" for letter, count in runs[:-1]), runs[-1][0]])


def _styles(screen: PilotScreen) -> list[list[str]]:
    terminal = screen.terminal
    return [[_style(terminal.buffer[y][x]) for x in range(terminal.columns)] for y in range(terminal.lines)]


def _style(cell: Any) -> str:
    told = [name for attribute, name in _NAMES if getattr(cell, attribute)]
    if (cell.fg, cell.bg) != ("default", "default"):
        told.append(f"{cell.fg}/{cell.bg}".replace("default", "-"))
    return " ".join(told) or "-"


def test_every_look_is_somewhere(looks: Looks) -> None:
    """A letter that no screen has is left from a theme that was."""
    used = set()
    for path in SCREENS.glob("*.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if re.fullmatch(r"\d+(-\d+)? (\d+[a-zA-Z] )*[a-zA-Z]", line):
                used |= set(re.sub(r"[^a-zA-Z]", "", line))
    assert used == set(looks.letters.values())


def test_no_recorded_screen_is_without_a_scene() -> None:
    recorded = {path.stem for path in SCREENS.glob("*.txt")} - {"looks"}
    assert {name for name in recorded if not name.startswith("room_")} == set(SCENES)
