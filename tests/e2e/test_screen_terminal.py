"""The screen on a real terminal, without a session: raw bytes, and what pyte and the terminal's modes say of them."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.screen import Screen
from tests.support.server import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
PROGRAM = [sys.executable, "-m", "tests.support.screen_program"]
ROOT = Path(__file__).parents[2]
Start = Callable[..., Screen]
ENTERED = b"\x1b[22;2t\x1b[?1049h"
RESTORED = (b"\x1b[?1002l", b"\x1b[?1000l", b"\x1b[<1u", b"\x1b[?2004l", b"\x1b[?1004l", b"\x1b[?1049l", b"\x1b[?25h")
ESCAPES = re.compile(
    rb"\x1b\[\?(?:25|1000|1002|1004|1006|1049|2004|2026|7)[hl]|\x1b\[\?2026\$p|\x1b\[5n|\x1b\[2[23];2t|\x1b\[[><]1u"
    rb"|\x1b\[(?:\d+;)*\d*[mHKJX]|\x1b\]2;[ -~]*\x1b\\|\x1b\]8;(?:id=[0-9a-f]{8};[!-~]+|;)\x1b\\"
    rb"|\x1b\]99;i=securechat:p=\?;\x1b\\|\x1b\]52;c;[A-Za-z0-9+/=]*\x1b\\|\x1b\]11;\?\x1b\\"
)
"""Every sequence that the screen may write."""


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the program, and ends all of them."""
    screens: list[Screen] = []

    def start_one(*, env: dict[str, str] | None = None, columns: int = 80, rows: int = 24) -> Screen:
        screen = Screen(PROGRAM, columns=columns, rows=rows, env={"PYTHONPATH": str(ROOT), **(env or {})}, cwd=ROOT)
        screens.append(screen)
        screen.wait_for("F1 help")
        return screen

    yield start_one
    for screen in screens:
        screen.__exit__()


def in_mode(screen: Screen) -> bool:
    return not termios.tcgetattr(screen._fd)[3] & (termios.ICANON | termios.ECHO)


def expect_restored(screen: Screen) -> None:
    """The modes are as before, in the order that leaves nothing behind."""
    at = -1
    tail = screen.output[screen.output.rindex(b"\x1b[?1006l") :]
    for sequence in RESTORED:
        assert tail.index(sequence) > at, sequence
        at = tail.index(sequence)
    assert screen.output.count(b"\x1b[22;2t") == screen.output.count(b"\x1b[23;2t")
    assert screen.output.count(b"\x1b[>1u") == screen.output.count(b"\x1b[<1u")
    flags = termios.tcgetattr(screen._fd)[3]
    assert flags & termios.ICANON
    assert flags & termios.ECHO


def test_every_escape_that_is_written_is_known(start: Start) -> None:
    screen = start()
    screen.paste("evil \x1b]0;title\x07\x1b]52;c;eA==\x07\x1b[31m\x9b31m\x00\x7f\r\x08 👩‍👩‍👧 \u202e text")
    screen.type("\r")
    screen.wait_for("ana 1")
    screen.type("\x03\x03")
    assert screen.wait_for_exit() == 0
    rest = ESCAPES.sub(b"", screen.output)
    assert b"\x1b" not in rest, rest[rest.index(b"\x1b") - 20 :][:60]
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", rest)
    assert "\u202e" not in screen.output.decode()
    assert b"\x1b]2;securechat (1)\x1b\\" in screen.output
    assert re.search(rb"\x1b\]8;id=(\w+);https://example.org/a/long/way\x1b", screen.output)


def test_the_cursor_shows_where_the_next_character_goes(start: Start) -> None:
    screen = start()
    screen.type("hello")
    screen.wait_for("#lobby > hello")
    emulator = screen._emulator
    screen.wait_until(lambda: emulator.cursor.x == 21 + len("#lobby > hello"), "the cursor behind the text")
    assert not emulator.cursor.hidden
    cell = emulator.buffer[emulator.cursor.y][emulator.cursor.x]
    assert not cell.reverse


@pytest.mark.parametrize("value", ["1", "anything"])
def test_no_color_means_no_colour_at_all(start: Start, value: str) -> None:
    screen = start(env={"NO_COLOR": value, "COLORTERM": "truecolor"})
    screen.type("text\r/h")
    screen.wait_for("/help")
    sgr = [code for found in re.findall(rb"\x1b\[([\d;]*)m", screen.output) for code in found.split(b";")]
    assert not [code for code in sgr if code.isdigit() and 30 <= int(code) <= 107]


def test_an_empty_no_color_means_nothing(start: Start) -> None:
    assert b"\x1b[0;38;2;" in start(env={"NO_COLOR": "", "COLORTERM": "truecolor"}).output


def test_nothing_old_remains_where_emoji_are_drawn_narrower_than_counted(start: Start) -> None:
    """Each row of a pane begins with its place and an erase, so that what is drawn narrower leaves nothing."""
    screen = start()
    for text in ("👩‍👩‍👧‍👦 family", "हिन्दी", "x"):
        screen.line(text)
    screen.wait_for("ana 3 x")
    drawn = re.findall(rb"\x1b\[\d+;22H((?:\x1b\[[\d;]*m)*)(.)", screen.output)
    assert drawn
    pieces = re.split(rb"\x1b\[\d+;22H", screen.output)[1:]
    written = [piece for piece in pieces if b"ana" in piece]
    assert written
    assert all(re.match(rb"(?:\x1b\[[\d;]*m)+\x1b\[K", piece) for piece in written)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_restores_the_terminal(start: Start, number: int) -> None:
    screen = start()
    assert in_mode(screen)
    screen.process.send_signal(number)
    screen.wait_for_exit()
    expect_restored(screen)


def test_leaving_and_a_crash_restore_the_terminal(start: Start) -> None:
    screen = start()
    screen.type("\x04")
    assert screen.wait_for_exit() == 0
    expect_restored(screen)
    screen = start()
    screen.type("crash\r")
    assert screen.wait_for_exit() == 1
    assert b"ValueError: crash" in screen.output.split(b"\x1b[23;2t")[-1]
    expect_restored(screen)


def test_suspending_gives_the_terminal_back_and_continuing_draws_anew(start: Start) -> None:
    screen = start()
    screen.type("half")
    screen.wait_for("#lobby > half")
    screen.type("\x1a")
    screen.wait_until(lambda: screen.output.endswith(b"\x1b[23;2t"), "the terminal given back")
    screen.wait_until(lambda: _state(screen.process.pid) == "T", "stopped")
    expect_restored(screen)
    before = len(screen.output)
    screen.process.send_signal(signal.SIGCONT)
    screen.wait_until(lambda: b"F1 help" in screen.output[before:], "all rows again")
    screen.wait_until(lambda: b"half" in screen.output[before:], "the typed text again")
    assert in_mode(screen)
    screen.type(" line\r")
    screen.wait_for("ana 1 half line")


def test_a_stop_without_warning_is_mended_when_it_goes_on(start: Start) -> None:
    screen = start()
    screen.process.send_signal(signal.SIGSTOP)
    before = len(screen.output)
    screen.process.send_signal(signal.SIGCONT)
    screen.wait_until(lambda: b"F1 help" in screen.output[before:], "all rows again")
    screen.type("text\r")
    screen.wait_for("ana 1 text")
    screen.type("\x04")
    screen.wait_for_exit()
    expect_restored(screen)


@pytest.mark.parametrize(
    "noise",
    [
        "\x1b[1",
        "\x1b]11;rgb:1111/2222",
        "\x1bP1$r",
        "\x1b[<0;5",
        "\x1b[<0;999;999M\x1b[<0;999;999m",
        "\x1b[?62;22c\x1b[24;80R\x1b]11;rgb:0000/0000/0000\x07\x1b[?2026;2$y\x1b[?1u",
        "\x1b[0n\x1b[0n\x1b[3n",
        "\x1b[99999999u",
        "\x1b[98:66;1:3u\x1b[1;1:3A",
        "\x1b[M abc"[:6],
        "\xff\xfe",
    ],
)
def test_nothing_that_a_terminal_answers_is_typed_and_the_keyboard_lives(start: Start, noise: str) -> None:
    screen = start()
    screen.type("a")
    screen.wait_for("#lobby > a")
    os.write(screen._fd, noise.encode("latin-1"))
    deadline = time.monotonic() + 0.8  # longer than a half sequence is waited for
    while (left_s := deadline - time.monotonic()) > 0:
        screen._pump(left_s)
    screen.type("b\r")
    screen.wait_for("ana 1 a")
    shown = next(row for row in screen.rows if "ana 1" in row)
    assert shown.rstrip().endswith(("a��b", "ab")), shown


def test_a_paste_of_ten_mib_is_cut_and_told_and_typing_goes_on(start: Start) -> None:
    screen = start()
    os.set_blocking(screen._fd, True)
    for piece in ("\x1b[200~", *["0123456789abcdef\x00" * 4096] * 150, "\x1b[201~"):
        data = piece.encode()
        while data:
            data = data[os.write(screen._fd, data[:4096]) :]
    screen.wait_until(lambda: screen.text.count("0123456789abcdef") > 3, "the paste")
    screen.type("\x15")
    screen.type("typed\r")
    screen.wait_for("ana 1 typed")


def test_a_mark_of_the_end_in_a_paste_sends_nothing(start: Start) -> None:
    screen = start()
    screen.type("\x1b[200~harmless\x1b[201~\rrm -rf\r\x00\x1b[201~")
    screen.wait_for("rm -rf")
    assert "ana 1" not in screen.text
    screen.type("\r")
    screen.wait_for("ana 1 harmless")


MOST_AFTER = 64 * 1024
"""Bytes until the newest frame is whole: what the kernel holds, and some frames; a flood has written a hundred."""


@pytest.mark.parametrize("bytes_a_key", [0, 100])
def test_a_terminal_that_reads_little_or_nothing_stops_no_typing_and_gets_the_newest_frame(
    start: Start, bytes_a_key: int
) -> None:
    screen = start(env={"SCREEN_PROGRAM": "flood"})
    wait_until(lambda: _unread(screen) >= FULL, "a full pseudo-terminal")
    typed = ""
    for number in range(15):
        typed += f"t{number}"
        screen.type(f"t{number}")
        if bytes_a_key:
            os.read(screen._fd, bytes_a_key)
            wait_until(lambda: _unread(screen) >= FULL, "more")
    before = len(screen.output)
    screen.wait_for(typed)
    assert len(screen.output) - before < MOST_AFTER
    screen.type("\r")
    screen.wait_until(lambda: screen.rows[-3].endswith("#lobby >"), "an empty composer")


FULL = 4095
"""What a pseudo-terminal's line discipline holds for the terminal, bytes (N_TTY_BUF_SIZE of Linux, and one less)."""


def _unread(screen: Screen) -> int:
    return struct.unpack("i", fcntl.ioctl(screen._fd, termios.FIONREAD, bytes(4)))[0]


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def test_a_size_of_nothing_and_a_tiny_one_crash_nothing(start: Start) -> None:
    screen = start()
    for columns, rows, shown in ((0, 0, b""), (1, 1, "…".encode()), (15, 2, b"too small:"), (40, 10, b"F1 help")):
        before = len(screen.output)
        screen._resize(columns, rows)
        os.killpg(screen.process.pid, signal.SIGWINCH)
        screen.wait_until(lambda at=before, text=shown: text in screen.output[at:], f"{columns} by {rows}")
    screen.type("text\r")
    screen.wait_for("ana 1 text")


def test_idle_writes_nothing(start: Start) -> None:
    screen = start()
    screen.type("a")
    screen.wait_for("#lobby > a")
    while screen._pump(0.3):
        pass
    size = len(screen.output)
    assert not screen._pump(1.0)
    assert len(screen.output) == size


def test_the_users_editor_has_the_terminal_and_gives_the_text_back(start: Start, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "EDITOR HERE"\nprintf "two\\nlines\\n" > "$1"\n', encoding="utf-8")
    editor.chmod(0o755)
    screen = start(env={"EDITOR": str(editor), "VISUAL": ""})
    screen.type("one\x0f")
    screen.wait_for("lines")
    given_back = screen.output.index(b"\x1b[?1049l")
    assert given_back < screen.output.index(b"EDITOR HERE") < screen.output.rindex(b"\x1b[?1049h")
    screen.type("\r")
    screen.wait_for("ana 1 two")


def test_the_terminals_background_chooses_the_theme_and_nothing_of_the_answer_is_typed(start: Start) -> None:
    screen = start(env={"COLORTERM": "truecolor"})
    os.write(screen._fd, b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?2026;2$y")
    screen.type("a")
    screen.wait_for("#lobby > a")
    screen.type("b")
    screen.wait_for("#lobby > ab")
    assert b"\x1b[?2026h" in screen.output


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_in_tmux_the_screen_is_drawn_and_the_shell_comes_back(tmp_path: Path) -> None:
    socket = f"securechat-{os.getpid()}"

    def tmux(*words: str) -> str:
        command = ["tmux", "-L", socket, "-f", "/dev/null", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout

    program = shlex.join([*PROGRAM])
    shell = f"cd {shlex.quote(str(ROOT))}; echo BEFORE; {program}; echo AFTER; exec cat"
    tmux("new-session", "-d", "-x", "80", "-y", "24", "-s", "one", shell)
    try:
        wait_until(lambda: "F1 help" in tmux("capture-pane", "-p"), "the screen")
        tmux("send-keys", "-l", "👩‍👩‍👧 हिन्दी")
        tmux("send-keys", "Enter")
        wait_until(lambda: "ana 1" in tmux("capture-pane", "-p"), "the message")
        tmux("send-keys", "-l", "next")
        wait_until(lambda: "next" in tmux("capture-pane", "-p"), "the text")
        shown = tmux("capture-pane", "-p")
        assert "हिन्दी" not in next(row for row in shown.splitlines() if "next" in row)
        wait_until(lambda: tmux("display-message", "-p", "#{pane_title}").strip() == "securechat (1)", "the title")
        assert tmux("display-message", "-p", "#{cursor_flag}").strip() == "1"
        tmux("resize-window", "-x", "100", "-y", "30")
        wait_until(lambda: tmux("capture-pane", "-p").splitlines()[29:30] == ["F1 help"], "the new size")
        tmux("send-keys", "C-c")
        tmux("send-keys", "C-d")
        wait_until(lambda: "AFTER" in tmux("capture-pane", "-p"), "the shell")
        shown = tmux("capture-pane", "-p")
        assert shown.split() == ["BEFORE", "AFTER"]
        assert tmux("display-message", "-p", "#{alternate_on}#{mouse_any_flag}").strip() == "00"
    finally:
        tmux("kill-server")
