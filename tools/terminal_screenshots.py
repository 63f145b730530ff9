#!/usr/bin/env python3
"""Make the pictures of docs/terminal.md: a real server, people who do not exist, and the cells that a terminal shows.

    .venv/bin/python tools/terminal_screenshots.py [FOLDER]        docs/pictures by default

Each picture is an SVG of the cells of a terminal emulator (pyte) on which the real client runs. Each has a server of
its own, whose clock stands at a fixed time between two messages, so that a picture changes only where the client does:
a test makes them anew and compares. The server's address, whose port is another one each time, is shown as chat.lan.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

from msgspec import Struct

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pyte.screens import Char  # noqa: E402

from securechat.model import Direct, React, Say  # noqa: E402
from securechat.tls.certificate_directory import ensure_server  # noqa: E402
from securechat.tls.hostnames import parse_names  # noqa: E402
from tests.support.client import CLIENT, at  # noqa: E402
from tests.support.native import NativeClient  # noqa: E402
from tests.support.screen import ON, Screen  # noqa: E402
from tests.support.server import ServerProcess  # noqa: E402
from tools.screenshots import ANA, ROOM, TALK  # noqa: E402

BEGIN_MS = 1_772_442_000_000
"""Of the first message: 2 March 2026, 09:00 UTC."""
APART_MS = 70_000
"""Between two messages."""
SHOWN_ADDRESS = ("chat.lan", "8443")
"""In place of the server's, whose port is another one each time."""
CLOCK = """import os, pathlib, time
time.time_ns = lambda: int(pathlib.Path(os.environ["PICTURE_CLOCK"]).read_text()) * 1_000_000
"""
"""A `sitecustomize` for the server: the log's time is what stands in a file."""
DIRECT = {"en": "Lunch at noon?", "id": "Makan siang jam dua belas?"}
TITLE = "securechat (2)"
READY = {"en": "ana · connected", "id": "ana · terhubung"}
CELL = (8.4, 18.0)
"""Width and height of a cell in an SVG, pixels; the text is 14 pixels high."""
_MARGIN = 10.0
_NAMED = {
    "black": "000000",
    "red": "cd3131",
    "green": "0f9d58",
    "brown": "b58900",
    "blue": "2472c8",
    "magenta": "bc3fbc",
    "cyan": "1199a8",
    "white": "bfbfbf",
    "brightblack": "767676",
    "brightred": "f14c4c",
    "brightgreen": "23d18b",
    "brightbrown": "e5c07b",
    "brightblue": "3b8eea",
    "brightmagenta": "d670d6",
    "brightcyan": "29b8db",
    "brightwhite": "ffffff",
}
"""What pyte calls the 16 colours; each terminal has its own for them."""


class TerminalPicture(Struct, frozen=True):
    """A picture to be made.

    Attributes:
        name: of the file, without its ending.
        language: of what is said, and of the client.
        theme: as `--theme` takes it.
        columns, rows: of the terminal.
        lines: whether it is the line mode.
        light: whether the terminal's background is.
    """

    name: str
    language: str
    theme: str
    columns: int
    rows: int
    lines: bool = False
    light: bool = False


PICTURES = (
    TerminalPicture("terminal-wide-dark-en", "en", "dark", 112, 30),
    TerminalPicture("terminal-wide-light-id", "id", "light", 112, 30, light=True),
    TerminalPicture("terminal-narrow-dark-id", "id", "dark", 44, 26),
    TerminalPicture("terminal-wide-none-en", "en", "none", 80, 24),
    TerminalPicture("terminal-lines-dark-id", "id", "dark", 80, 24, lines=True),
    TerminalPicture("terminal-lines-light-en", "en", "light", 80, 24, lines=True, light=True),
)


class Talk:
    """What is said while ana looks.

    Args:
        server: of the picture.
        clock: the file with the server's time.
        language: of what is said.
    """

    def __init__(self, server: ServerProcess, clock: Path, language: str) -> None:
        self._server, self._clock, self._language = server, clock, language
        self._now_ms = BEGIN_MS
        self._people: dict[str, NativeClient] = {}

    def come_in(self) -> None:
        """Let all but ana join all rooms."""
        for room, author, _text in TALK[self._language]:
            if author != ANA and author not in self._people:
                one = self._people[author] = NativeClient(self._server.port, self._server.ca)
                one.hello(author)
                for each in dict.fromkeys(room for room, _author, _text in TALK[self._language]):
                    if each != "lobby":
                        one.join(each)
            del room

    def say_all(self, ana: Screen) -> None:
        """Say everything, in order, each when what is before it is stored; ana answers, and gets an answer."""
        for room, author, text in TALK[self._language]:
            self._pass_time()
            if author == ANA:
                self._answer(ana, text)
            else:
                self._people[author].say_acked(text, room)

    def _answer(self, ana: Screen, text: str) -> None:
        budi, dewi = self._people["budi"], self._people["dewi"]
        ana.line(text)
        said = budi.wait_for_text(text)
        self._pass_time()
        budi.send(React(self._draft(budi), said.seq, "\N{THUMBS UP SIGN}", room=ROOM))
        budi.send(Say(self._draft(budi), ROOM, "\N{SLICE OF PIZZA}", reply=said.seq))
        budi.wait_for_text("\N{SLICE OF PIZZA}")
        dewi.send(Direct(self._draft(dewi), said.sender_id, DIRECT[self._language]))
        dewi.wait_for_text(DIRECT[self._language])

    @staticmethod
    def _draft(person: NativeClient) -> int:
        return next(person._client_ids)

    def _pass_time(self) -> None:
        self._now_ms += APART_MS
        write_clock(self._clock, self._now_ms)

    def close(self) -> None:
        """Let all go."""
        for one in self._people.values():
            one.close()


def write_clock(path: Path, now_ms: int) -> None:
    """Set the server's time; it never reads half a number."""
    new = path.with_suffix(".new")
    new.write_text(str(now_ms))
    new.replace(path)


def made(picture: TerminalPicture, folder: Path, certs: Path) -> str:
    """Return a picture, as the text of an SVG.

    Args:
        picture: what to show.
        folder: an empty one, for the server.
        certs: of the server.
    """
    clock = folder / "clock"
    write_clock(clock, BEGIN_MS)
    (folder / "sitecustomize.py").write_text(CLOCK)
    paths = f"{folder}:{ROOT}"
    env = {"PYTHONPATH": paths, "PICTURE_CLOCK": str(clock)}
    server = ServerProcess(certs, folder / "data", env=env, prefix=("env",)).start()
    talk = Talk(server, clock, picture.language)
    try:
        talk.come_in()
        how = ("--plain", "--color", "always") if picture.lines else ()
        flags = ("--name", ANA, "--lang", picture.language, "--theme", picture.theme, *how)
        command = [*CLIENT, *at(server, *flags)]
        shell = {} if picture.lines else ON
        colors = {"COLORTERM": "truecolor", "PYTHONPATH": str(ROOT), **shell}
        with Screen(command, columns=picture.columns, rows=picture.rows, env=colors, cwd=ROOT) as ana:
            _enter_rooms(ana, picture)
            talk.say_all(ana)
            last = TALK[picture.language][-2][2]
            ana.wait_for(_last_word(last))
            ana.wait_for("\N{SLICE OF PIZZA}")
            if not picture.lines:
                ana.type("\x1b")  # the notices go
            ana.wait_until(lambda: _is_whole(ana, picture), "all of it")
            return svg(ana, picture, (server.host, str(server.port)))
    finally:
        talk.close()
        server.kill()


def _enter_rooms(ana: Screen, picture: TerminalPicture) -> None:
    rooms = [room for room, _author, _text in TALK[picture.language] if room not in {"lobby", ROOM}]
    ana.wait_for(">>" if picture.lines else READY[picture.language])
    for room in (*dict.fromkeys(rooms), ROOM):
        ana.line(f"/join {room}")
        ana.wait_for(f"#{room} >" if not picture.lines else f"#{room}")


def _last_word(text: str) -> str:
    return text.rpartition(" ")[2]


def _is_whole(ana: Screen, picture: TerminalPicture) -> bool:
    """Tell whether what comes last is there, and what goes has gone."""
    shown = ana.text
    if picture.lines:
        return shown.endswith(">>") and _last_word(TALK[picture.language][-1][2]) in shown
    titled = ana._emulator.title == TITLE  # what waits for ana: of the last message, and of the one to her alone
    return titled and "127.0.0.1" not in shown and "\N{THUMBS UP SIGN}" in shown


# --- cells to SVG -----------------------------------------------------------------------------------------------------


def cell_rows(ana: Screen, picture: TerminalPicture, address: tuple[str, str]) -> list[list[Char]]:
    """Return the cells of the terminal, with another address in place of the server's."""
    rows = []
    for y in range(picture.rows):
        row = [ana._emulator.buffer[y][x] for x in range(picture.columns)]
        for part, shown in zip(address, SHOWN_ADDRESS, strict=True):
            row = _with(row, part, shown)
        rows.append(row)
    return rows


def _with(row: list[Char], text: str, shown: str) -> list[Char]:
    """Return a row with one text in place of another, which is not shorter."""
    start = "".join(cell.data or "\0" for cell in row).find(text)
    if start < 0:
        return row
    put = [row[start]._replace(data=char) for char in shown]
    return [*row[:start], *put, *row[start + len(text) :], *[Char(" ")] * (len(text) - len(shown))]


def svg(ana: Screen, picture: TerminalPicture, address: tuple[str, str]) -> str:
    """Return the cells as an SVG: each part of a row in one look is a text of as many cells as it takes."""
    paper, ink = ("#ffffff", "#1f2328") if picture.light else ("#16181d", "#d6d8dc")
    wide, high = CELL
    size = (picture.columns * wide + 2 * _MARGIN, picture.rows * high + 2 * _MARGIN)
    font = 'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]:.0f}" height="{size[1]:.0f}" {font}>',
        f"<title>securechat-client, {picture.columns} x {picture.rows}</title>",
        f'<rect width="100%" height="100%" rx="6" fill="{paper}"/>',
    ]
    for y, row in enumerate(cell_rows(ana, picture, address)):
        x = 0
        for look, cells in groupby(zip(_looks(row), row, strict=True), key=lambda each: each[0]):
            run = [cell for _look, cell in cells]
            parts += _run(run, look, (_MARGIN + x * wide, _MARGIN + y * high), (paper, ink))
            x += len(run)
    cursor = ana._emulator.cursor
    if not cursor.hidden:
        place = f'x="{_MARGIN + cursor.x * wide:.1f}" y="{_MARGIN + cursor.y * high:.1f}"'
        parts.append(f'<rect {place} width="{wide}" height="{high}" fill="{ink}" fill-opacity="0.6"/>')
    return "\n".join([*parts, "</svg>", ""])


class _Look(Struct, frozen=True):
    """What the cells of one text have in common; what is not ASCII stands apart, so that no letter is moved by it."""

    fore: str
    back: str
    bold: bool
    italic: bool
    underlined: bool
    reverse: bool
    plain: bool


def _looks(row: Sequence[Char]) -> list[_Look]:
    """Return the look of each cell; the second half of a wide sign has that of the first."""
    looks: list[_Look] = []
    for cell in row:
        look = _Look(
            cell.fg, cell.bg, cell.bold, cell.italics, cell.underscore, cell.reverse, plain=cell.data.isascii()
        )
        looks.append(look if cell.data or not looks else looks[-1])
    return looks


def _run(run: Sequence[Char], look: _Look, place: tuple[float, float], colors: tuple[str, str]) -> list[str]:
    """Return the SVG of cells in one look, ``place`` pixels from the corner."""
    paper, ink = colors
    front, behind = _color(look.fore, ink), _color(look.back, paper)
    if look.reverse:
        front, behind = behind, front
    (x, y), (wide, high) = place, CELL
    parts = []
    if behind != paper:
        parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{len(run) * wide:.1f}" height="{high}" fill="{behind}"/>')
    text = "".join(cell.data for cell in run)
    shown = text.rstrip()
    if not shown:
        return parts
    begin = len(shown) - len(shown.lstrip())
    said = shown.strip()
    cells = len(run) - (len(text) - len(shown)) - begin
    style = "".join(
        f' {name}="{value}"'
        for name, value, on in (
            ("font-weight", "bold", look.bold),
            ("font-style", "italic", look.italic),
            ("text-decoration", "underline", look.underlined),
        )
        if on
    )
    parts.append(
        f'<text x="{x + begin * wide:.1f}" y="{y + 0.75 * high:.1f}" textLength="{cells * wide:.1f}"'
        f' lengthAdjust="spacingAndGlyphs" xml:space="preserve" fill="{front}"{style}>{escape(said)}</text>'
    )
    return parts


def _color(name: str, otherwise: str) -> str:
    if name == "default":
        return otherwise
    return f"#{name if re.fullmatch('[0-9a-f]{6}', name) else _NAMED[name]}"


def all_made(folder: Path) -> dict[str, str]:
    """Make all pictures; returns them by the names of their files.

    Args:
        folder: an empty one, for the servers.
    """
    certs = folder / "certs"
    ensure_server(certs, parse_names(["127.0.0.1"]))
    pictures = {}
    for picture in PICTURES:
        (folder / picture.name).mkdir()
        pictures[f"{picture.name}.svg"] = made(picture, folder / picture.name, certs)
    return pictures


def main(arguments: list[str]) -> int:
    """Make the pictures; returns the exit code."""
    target = Path(arguments[0]) if arguments else ROOT / "docs" / "pictures"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="securechat-pictures-") as name:
        for file, text in all_made(Path(name)).items():
            (target / file).write_text(text, encoding="utf-8")
            print(target / file)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
