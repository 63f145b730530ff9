"""What each screen looks like in every theme and language and at three sizes, compared with ``tests/golden/screen``.

A snapshot is made by a terminal emulator, of the bytes that the application writes, so that it outlives a version of
the toolkit. Record again where something was changed on purpose, in one process, and read the difference:

    python -m pytest -p no:xdist tests/unit/client/screen/test_screen_looks.py --update-golden

A file has a section for each language and size: the rows, the cursor, and the styles; see
tests/support/terminal_looks.py.
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

from securechat.translation import use
from tests.support.golden import GOLDEN
from tests.support.screen_pilot import PilotScreen, SharedScreen
from tests.support.screen_scenes import SCENES, SMALL, Scene
from tests.support.terminal_looks import THEMES, Cells, Looks, styles_of

pytestmark = [
    pytest.mark.not_pseudo("is about English and Indonesian"),
    pytest.mark.skipif(sys.platform == "win32", reason="the zone of the times is set as Unix does"),
]
SIZES = ((80, 24), (120, 40), (40, 20))
SCREENS = GOLDEN / "screen"


@pytest.fixture(scope="module")
def looks(request: pytest.FixtureRequest) -> Iterator[Looks]:
    one = Looks(SCREENS / "looks.txt", update=request.config.getoption("--update-golden"))
    yield one
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
    styles: list[Cells] = []
    for name, look in THEMES.items():
        screen.app.use_theme(look)
        await screen.settle()
        shown = screen.rows
        rows = rows or shown
        assert shown == rows, f"{name} says something that others do not say"
        styles.append(styles_of(screen.terminal))
    cursor = screen.terminal.cursor
    place = "hidden" if cursor.hidden else f"{cursor.x},{cursor.y}"
    taken.append("\n".join([*rows, f"--- cursor {place}", *looks.described(styles), ""]))


def test_every_look_is_somewhere(looks: Looks) -> None:
    """A letter that no screen has is left from a theme that was."""
    assert not looks.unused()


def test_no_recorded_screen_is_without_a_scene() -> None:
    recorded = {path.stem for path in SCREENS.glob("*.txt")} - {"looks"}
    of_programs = {name for name in recorded if re.search(r"_\d+x\d+_", name)}  # of tests that start the client
    assert recorded - of_programs == set(SCENES)
