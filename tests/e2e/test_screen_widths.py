"""Signs that terminals draw in different widths: every emoji of Unicode's list, and words of many scripts.

Three terminals are asked what they make of them: tmux, xterm (on a display without a screen, by its own answers and its
own print of the screen) and pyte. No text is wider than it is counted, so no field reaches into another; and where one
is narrower than counted, a redraw leaves nothing of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import emoji
import pyte
import pytest

from securechat import model as m
from securechat.client.ui.rows.wrapping import cells
from securechat.text.sanitize import visible
from tests.support.client import ROOT
from tests.support.screen_pilot import PilotScreen
from tests.support.screen_rig import ScreenRig
from tests.support.terminal_looks import rows_of
from tests.support.terminal_state import Emulator
from tests.support.tmux import TmuxPane, needs_tmux

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
needs_xterm = pytest.mark.skipif(
    shutil.which("xterm") is None or shutil.which("xvfb-run") is None, reason="xterm and Xvfb are not installed"
)
COLUMNS, ROWS = 120, 50
FIELD_ROWS = ROWS - 5
"""Rows of messages: without the header, the activity, the composer, the status and the footer."""
EMOJI = tuple(sorted(emoji.EMOJI_DATA))
"""Those of emoji-test.txt, fully qualified, minimally and unqualified."""
SCRIPTS = (
    *("สวัสดีครับ ที่นี่น้ำ", "नमस्ते क्षत्रिय हिन्दी", "مرحبا بالعالم لا", "שָׁלוֹם עוֹלָם", "வணக்கம் ஸ்ரீ", "ជំរាបសួរ ស្រ្តី", "བཀྲ་ཤིས་བདེ་ལེགས"),
    *("မင်္ဂလာပါ", "স্বাগতম ক্ষ", "日本語ｶﾅ", "中文㐀𠀀", "한국어 각 ㅎㅏㄴ", "àéîõü ẹ̀", "ꦲꦏ꧀ꦱꦫꦗꦮ", "ᮞᮥᮔ᮪ᮓ", "ʰ꙳①Ⓐ½…—“”"),
)  # fmt: skip
PROBE = [sys.executable, "-m", "tests.support.width_probe"]
ENV = {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}


# --- three terminals --------------------------------------------------------------------------------------------------


def in_tmux(directory: Path, mode: str, given: object, seen: Callable[[TmuxPane, str], None]) -> str:
    """Run the probe in a pane; ``seen`` is called with each number that it writes."""
    source, output = directory / "in.json", directory / "out"
    source.write_text(json.dumps(given), encoding="utf-8")
    with (
        tempfile.TemporaryDirectory(prefix="tmux-") as socket,
        TmuxPane(Path(socket), columns=COLUMNS, rows=ROWS, env=ENV) as pane,
    ):
        pane.start([*PROBE, mode, str(source), str(output)])
        last = ""
        while True:
            pane.wait_until(lambda last=last: output.exists() and output.read_text("utf-8") != last, "an answer")
            last = output.read_text("utf-8")
            if not last.isdecimal():
                return last
            seen(pane, last)
            pane.keys("x")


def in_xterm(directory: Path, mode: str, given: object) -> str:
    """Run the probe in an xterm; returns what it wrote."""
    source, output = directory / "in.json", directory / "out"
    source.write_text(json.dumps(given), encoding="utf-8")
    os.mkfifo(output.with_suffix(".pipe"))
    resources = {"printerCommand": f"cat > {output.with_suffix('.pipe')}", "printAttributes": "0"}
    flags = [flag for name, value in resources.items() for flag in ("-xrm", f"XTerm*{name}: {value}")]
    xterm = ["xterm", "-u8", "-geometry", f"{COLUMNS}x{ROWS}", "-fn", "fixed", *flags]
    command = ["xvfb-run", "-a", "-s", "-screen 0 2048x2048x24", *xterm]
    subprocess.run(
        [*command, "-e", *PROBE, mode, str(source), str(output)],
        check=True,
        capture_output=True,
        timeout=60,
        env={**os.environ, **ENV},
    )
    return output.read_text("utf-8")


def in_pyte(texts: list[str]) -> list[int]:
    """Return the columns that each text takes in the emulator."""
    terminal = Emulator(COLUMNS, ROWS)
    columns = []
    for text in texts:
        terminal.cursor.x = 0
        terminal.draw(text)
        columns.append(terminal.cursor.x)
    return columns


# --- no text is wider than it is counted ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "terminal", [pytest.param("tmux", marks=needs_tmux()), pytest.param("xterm", marks=needs_xterm), "pyte"]
)
def test_no_text_is_wider_than_it_is_counted(terminal: str, tmp_path: Path) -> None:
    texts = [visible(each) for each in (*EMOJI, *SCRIPTS)]
    match terminal:
        case "tmux":
            measured = json.loads(in_tmux(tmp_path, "measure", texts, lambda *_: None))
        case "xterm":
            measured = json.loads(in_xterm(tmp_path, "measure", texts))
        case _:
            measured = in_pyte(texts)
    assert len(measured) == len(texts) > 5000
    too_wide = [
        (text, columns, cells(text)) for text, columns in zip(texts, measured, strict=True) if columns > cells(text)
    ]
    assert too_wide == []
    assert any(columns < cells(text) for text, columns in zip(texts, measured, strict=True)), "they do differ"


# --- fields keep to themselves, and nothing old remains ---------------------------------------------------------------


def packed(texts: tuple[str, ...], columns: int) -> list[str]:
    """Return lines of texts between bars, each line as long as a field takes by the widest count."""
    lines, line = [], "|"
    for text in texts:
        if cells(f"{line}{text}|") > columns:
            lines.append(line)
            line = "|"
        line += f"{text}|"
    return [*lines, line]


@cache
def screens() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what the application writes, by screen, and what each is: harmless, messages or members."""
    written: list[str] = []
    kinds: list[str] = []
    rig = ScreenRig("ops")
    messages = packed((*SCRIPTS, *EMOJI), 80)
    members = packed((*SCRIPTS, *EMOJI[:: len(EMOJI) // 200]), 18)

    async def play(screen: PilotScreen) -> None:
        async def keep(kind: str) -> None:
            rig.pump()
            await screen.show()
            written.append(screen.written)
            kinds.append(kind)
            screen.written = ""

        def say(lines: list[str]) -> None:
            for line in [*lines, *["x"] * (FIELD_ROWS + 5 - len(lines))]:
                rig.driver.server.push(rig.driver.server.store(rig.core.me.id, line, room="ops"))

        say([])
        await keep("harmless")
        for at in range(0, len(messages), FIELD_ROWS):
            say([*["x"] * (FIELD_ROWS + 5), *messages[at : at + FIELD_ROWS]])
            await keep("messages")
            say([])
            await keep("harmless")
        present: list[m.Person] = []
        for at in range(0, len(members), 10):
            new = [m.Person(1000 + at + number, name) for number, name in enumerate(members[at : at + 10])]
            rig.driver.server.out.append(m.Presence("ops", 11, joined=new, left=present))
            present = new
            say([])
            await keep("members")
        rig.driver.server.out.append(m.Presence("ops", 1, left=present))
        say([])
        await keep("harmless")

    PilotScreen(rig).run(play, (COLUMNS, ROWS))
    return tuple(written), tuple(kinds)


def expect(shown: list[list[str]]) -> None:
    """Expect what is outside the field of the signs as on the first screen, and all of it on every harmless one."""
    first, edge = shown[0], shown[0][0].index("│")
    assert sum(kind == "messages" for kind in screens()[1]) > 5
    assert len(shown) == len(screens()[1])
    for number, (rows, kind) in enumerate(zip(shown, screens()[1], strict=True)):
        fields = range(1, ROWS - 4)
        for y, (row, wanted) in enumerate(zip(rows, first, strict=True)):
            where = f"screen {number}, row {y}: {row}"
            if kind == "messages" and y in fields:
                assert row[: edge + 1] == wanted[: edge + 1], where
            elif kind == "members" and "│" in wanted:
                assert row.partition("│")[2] == wanted.partition("│")[2], where
            else:
                assert row == wanted, where


@needs_tmux()
def test_fields_keep_to_themselves_in_tmux(tmp_path: Path) -> None:
    shown: list[list[str]] = []
    in_tmux(tmp_path, "show", screens()[0], lambda pane, _: shown.append([row.rstrip() for row in pane.rows()]))
    expect([[*rows, *[""] * (ROWS - len(rows))] for rows in shown])


@needs_xterm
def test_fields_keep_to_themselves_in_xterm(tmp_path: Path) -> None:
    pages = [page.split("\n") for page in json.loads(in_xterm(tmp_path, "print", screens()[0]))]
    expect([[*(row.rstrip() for row in rows), *[""] * ROWS][:ROWS] for rows in pages])


def test_fields_keep_to_themselves_in_pyte() -> None:
    terminal = Emulator(COLUMNS, ROWS)
    stream = pyte.Stream(terminal)
    shown = []
    for written in screens()[0]:
        stream.feed(written)
        shown.append(rows_of(terminal))
    expect(shown)
