"""What the full screen looks like, as text: cells and styles of a terminal, compared with ``tests/golden/screen``.

Record again where something was changed on purpose, and read the difference:

    python -m pytest tests/e2e/test_screen_snapshots.py --update-golden

A snapshot is made of the real program's bytes by a terminal emulator, with the settings from its environment. Every
other screen, theme, language and size is in tests/unit/client/screen/test_screen_looks.py, without a program. Below the
rows of the screen stand their styles: for each row its runs of cells as COLUMNS=STYLE.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securechat import model as m
from tests.support.client import CLIENT, ROOT
from tests.support.golden import GOLDEN
from tests.support.played_server import BOB, CARL, PlayedModel, PlayedServer
from tests.support.screen import ON
from tests.support.terminal_state import TerminalUnderTest

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix"),
    pytest.mark.not_pseudo("is about English and Indonesian"),
]
Open = Callable[..., TerminalUnderTest]
QUIET_S = 1.5
ESCAPE = "\x1b[27u"
LONG = "https://example.org/a/rather/long/path/that/fills/more/than/a/row?with=query&and=more"


@pytest.fixture
def played(certs: Path) -> Iterator[PlayedServer]:
    """A server with a room that has everything in it."""
    with PlayedServer(certs, PlayedModel(topics={"lobby": "Tea at four"}, server_name="played")) as server:
        asked = server.say("Who brings tea?")
        server.say("I do. See " + LONG, by=CARL.id, reply=asked.seq)
        kettle = server.say("It needs a ketle")
        server.edit(kettle, "It needs a kettle")
        gone = server.say("wrong room", by=CARL.id)
        server.delete(gone, CARL)
        server.react(kettle, "👍", CARL)
        server.react(kettle, "🚀", BOB)
        server.model.at_ms += 86_400_000
        server.say("```python\ndef pour(cups: int) -> None:\n    print(f'{cups} cups')  # hot\n```", by=CARL.id)
        photo = m.FileInfo("0" * 32, "kettle.png", 48_213, "image/png")
        server.say("", by=CARL.id, files=[photo])
        yield server


@pytest.fixture
def screen(played: PlayedServer) -> Iterator[Open]:
    """Opens screens that are connected, with the keyboard, and without the notices of the start."""
    opened: list[TerminalUnderTest] = []

    def make(columns: int = 80, rows: int = 24, *, theme: str = "dark", language: str = "en") -> TerminalUnderTest:
        env = {
            **ON,
            "SECURECHAT_THEME": theme,
            "SECURECHAT_LANG": language,
            "COLORTERM": "truecolor",
        }
        command = [*CLIENT, "--ca", str(played.ca), f"{played.host}:{played.port}", "--name", "ann"]
        one = TerminalUnderTest(command, cwd=ROOT, columns=columns, rows=rows, env=env)
        opened.append(one)
        one.wait_until(
            lambda: "ann · " in one.text and "pour" in one.text and "-- " in one.text, "messages and notices", 30
        )
        one.type("\x1b[I")
        one.type(ESCAPE)
        one.wait_until(lambda: not any("│-- " in row or row.startswith("-- ") for row in one.rows), "no notices", 30)
        return one

    yield make
    for each in opened:
        each.__exit__()


def snapshot(one: TerminalUnderTest, port: int) -> str:
    """Return the rows of a screen, and below them the styles."""
    emulator = one.emulator
    shown = one.cells(0, 0, emulator.columns, emulator.lines)
    styles = [_styles([emulator.buffer[y][x] for x in range(emulator.columns)]) for y in range(emulator.lines)]
    cursor = emulator.cursor
    rows = [f"{row.rstrip()}" for row in shown]
    told = [f"{number:>3} {style}" for number, style in enumerate(styles, 1) if style]
    text = "\n".join([*rows, "", f"cursor {cursor.x},{cursor.y}{' hidden' if cursor.hidden else ''}", *told, ""])
    return masked(text, port)


def masked(text: str, port: int) -> str:
    """Replace what differs each time by as many signs."""
    text = re.sub(r"\b[0-9a-f]{4}( [0-9a-f]{4}){2,}\b", lambda found: re.sub("[0-9a-f]", "0", found[0]), text)
    return text.replace(str(port), "0" * len(str(port)))


def _styles(row: list[object]) -> str:
    runs: list[list[object]] = []
    for cell in row:
        names = ("bold", "italics", "underscore", "reverse", "strikethrough")
        told = [name for name in names if getattr(cell, name)]
        fg, bg = cell.fg, cell.bg  # type: ignore[attr-defined]
        told += [f"{kind}:{color}" for kind, color in (("fg", fg), ("bg", bg)) if color != "default"]
        style = ",".join(told)
        if runs and runs[-1][1] == style:
            runs[-1][0] += 1  # type: ignore[operator]
        else:
            runs.append([1, style])
    return " ".join(f"{count}={style or '-'}" for count, style in runs) if any(style for _, style in runs) else ""


class Golden:
    """The files of one test.

    Args:
        update: record, and compare nothing.
        port: of the server.
    """

    def __init__(self, *, update: bool, port: int) -> None:
        self._update, self._port = update, port

    def expect(self, one: TerminalUnderTest, name: str, mask: Callable[[str], str] = str) -> None:
        """Wait until a screen looks as it was recorded.

        Args:
            one: the screen.
            name: of the file.
            mask: replaces what else differs each time by as many signs.
        """
        path = GOLDEN / "screen" / f"{name}.txt"
        if self._update:
            settled(one)
            path.write_text(mask(snapshot(one, self._port)), encoding="utf-8")
        wanted = path.read_text(encoding="utf-8")
        try:
            one.wait_until(lambda: mask(snapshot(one, self._port)) == wanted, name, 20)
        except AssertionError:
            assert mask(snapshot(one, self._port)).splitlines() == wanted.splitlines()
            raise


def settled(one: TerminalUnderTest) -> None:
    """Read until the client writes nothing for a while; for recording alone, as a test waits for what was recorded."""
    while one._pump(QUIET_S):
        pass


@pytest.fixture
def golden(request: pytest.FixtureRequest, played: PlayedServer) -> Golden:
    return Golden(update=request.config.getoption("--update-golden"), port=played.port)


@pytest.mark.parametrize(
    ("columns", "rows", "theme", "language"),
    [(80, 24, "dark", "en"), (120, 40, "light", "id"), (40, 20, "none", "id")],
)
def test_a_room_with_everything(
    screen: Open, golden: Golden, columns: int, rows: int, theme: str, language: str
) -> None:
    golden.expect(screen(columns, rows, theme=theme, language=language), f"room_{columns}x{rows}_{theme}_{language}")


def test_all_conversations_are_listed_from_the_start(screen: Open, played: PlayedServer) -> None:
    """The question for them goes out when the rooms are joined, and not before, when the client would refuse it."""
    item = m.ConversationItem(peer=m.Person(CARL.id, "carl"), last_seq=1)
    played.model.conversations = [item]
    one = screen()
    one.wait_until(lambda: any(row.startswith("  @carl") for row in one.rows), "the dialogue", 20)
    assert b"You are offline" not in one.output
