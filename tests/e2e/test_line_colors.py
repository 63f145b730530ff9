"""Colours and links of the line mode, in the bytes of the real client at a pseudo-terminal."""

from __future__ import annotations

import os
import re
import sys
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import at, run_client
from tests.support.screen import Screen
from tests.support.server import ServerProcess

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
Open = Callable[..., Screen]
COLORED = re.compile(rb"\x1b\[[0-9;]*(?:3[0-7]|9[0-7]|38|4[0-7]|10[0-7]|48)[0-9;]*m")
BOLD = re.compile(rb"\x1b\[0;(?:\d+;)*1(?:;4)?m")
LINK = "https://example.org/" + "path/" * 30 + "end"


def look_of(screen: Screen, row_end: str, part: str) -> tuple[object, ...]:
    """Return the look of a part of the row that ends so."""
    display = screen._emulator.display
    y = next(y for y, row in enumerate(display) if row.rstrip().endswith(row_end))
    cell = screen._emulator.buffer[y][display[y].rindex(part)]
    return cell.fg, cell.bg, cell.bold, cell.underscore


def talk(screen: Open, *flags: str, env: dict[str, str]) -> Screen:
    """Ann's screen with a line of bob's, one of hers, a direct message and an error."""
    ann = screen("--name", "ann", *flags, env=env, columns=100)
    ann.wait_for("Joined #lobby")
    bob = screen("--name", "bob")
    ann.wait_for("bob joined")
    bob.line("hello ann")
    ann.wait_for("bob: hello ann")
    ann.line("hi")
    ann.wait_for("ann: hi")
    bob.line("/msg ann psst")
    ann.wait_for("bob @ann: psst")
    ann.line("/reply 999 x")
    ann.wait_for("There is no message with this number")
    return ann


def test_names_own_lines_mentions_dialogues_notices_and_errors_look_different(screen: Open) -> None:
    ann = talk(screen, env={"NO_COLOR": ""})
    looks = [
        look_of(ann, "bob: hello ann", "bob"),
        look_of(ann, "ann: hi", "ann"),
        look_of(ann, "bob: hello ann", "ann"),
        look_of(ann, "bob @ann: psst", "@ann"),
        look_of(ann, "number here: 999", "There"),
        look_of(ann, "ann: hi", "hi"),
    ]
    assert len(set(looks)) == len(looks)
    assert re.search(rb"\x1b\[(?:0;)?2m--", ann.output), "notices are dim, which the emulator does not know"


@pytest.mark.parametrize(
    ("flags", "env", "colored"),
    [
        ((), {"NO_COLOR": ""}, True),
        ((), {"NO_COLOR": "1"}, False),
        (("--color", "never"), {}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        ((), {"SECURECHAT_COLOR": "never"}, False),
    ],
)
def test_colours_are_where_they_are_wanted(
    screen: Open, flags: tuple[str, ...], env: dict[str, str], colored: bool
) -> None:
    ann = talk(screen, *flags, env=env)
    assert bool(COLORED.search(ann.output)) is colored
    assert BOLD.search(ann.output), "what differs does so without colour, too"


def test_a_value_that_is_none_is_refused(screen: Open) -> None:
    ann = screen("--name", "ann", env={"SECURECHAT_COLOR": "red"})
    ann.wait_for("SECURECHAT_COLOR is auto or always or never, and not red")


def test_a_pipe_has_no_colour_and_no_link_whatever_is_wanted(server: ServerProcess) -> None:
    run_client(*at(server, "--name", "bob", "--send"), stdin=f"see {LINK}\n")
    told = run_client(*at(server, "--tail", "--color", "always", "--history", "1"), stop_after=1)
    assert told.stdout == f"bob: see {LINK}\n"


def test_a_link_is_clickable_over_all_its_rows(screen: Open) -> None:
    ann = screen("--name", "ann", columns=60)
    ann.wait_for("Joined #lobby")
    ann.line(f"see {LINK}, all of you")
    ann.wait_until(lambda: b"\x1b]8;;\x1b\\\x1b[0m, all of you" in ann.output, "the message with its link")
    opened = re.findall(rb"\x1b\]8;id=(\w+);([^\x1b]+)\x1b\\", ann.output)
    assert len(opened) > 1
    assert {target.decode() for _, target in opened} == {LINK}
    assert len({number for number, _ in opened}) == 1
    assert ann.output.count(b"\x1b]8;;\x1b\\") == len(opened)
    rows = [row for row in ann.rows if "path/" in row]
    assert len(rows) == len(opened)


def test_a_terminal_that_would_show_the_sequences_of_links_gets_none(screen: Open) -> None:
    ann = screen("--name", "ann", env={"TERM": "linux"})
    ann.wait_for("Joined #lobby")
    ann.line("see https://example.org/a")
    ann.wait_for("ann: see https://example.org/a")
    assert b"\x1b]8" not in ann.output


# --- /open, /copy and /url --------------------------------------------------------------------------------------------


def clipboard(screen: Screen) -> list[str]:
    return [b64decode(data).decode() for data in re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)\x1b\\", screen.output)]


def with_link(screen: Open, **options: object) -> Screen:
    ann = screen("--name", "ann", **{"columns": 60, **options})
    ann.wait_for("Joined #lobby")
    ann.line(f"see {LINK}")
    ann.wait_for("[1] ann: see")
    return ann


def test_a_link_is_printed_whole_on_a_line_of_its_own(screen: Open) -> None:
    ann = with_link(screen)
    ann.line("/url 1")
    ann.wait_until(lambda: f"{LINK}\r\n".encode() in ann.output, "the link without a break")


def test_over_ssh_a_link_is_copied_instead_of_opened_and_that_is_said(screen: Open, tmp_path: Path) -> None:
    opened = opener(tmp_path)
    env = {"SSH_CONNECTION": "a b c d", "DISPLAY": ":0", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ann = with_link(screen, env=env, columns=120)
    ann.line("/open 1")
    ann.wait_for("so the link was sent to the clipboard")
    assert clipboard(ann) == [LINK]
    assert not opened.exists()
    ann.line("/copy 1 text")
    ann.wait_for("Sent to the clipboard of your terminal")
    assert clipboard(ann)[1:] == [f"see {LINK}"]


def opener(folder: Path) -> Path:
    """Make an opener that writes its arguments into a file; returns that."""
    opened = folder / "opened"
    program = folder / "xdg-open"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$#" "$@" >"{opened}.part"\nmv "{opened}.part" "{opened}"\n')
    program.chmod(0o755)
    return opened


@pytest.mark.skipif(sys.platform == "darwin", reason="has an opener of its own")
def test_a_link_is_one_argument_of_the_systems_opener(screen: Open, tmp_path: Path) -> None:
    opened = opener(tmp_path)
    here = {"SSH_CONNECTION": "", "SSH_CLIENT": "", "SSH_TTY": "", "DISPLAY": ":0"}
    ann = screen("--name", "ann", columns=60, env={**here, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    ann.wait_for("Joined #lobby")
    ann.line("https://a.example/?a=$(touch%20x)&b=';c")
    ann.wait_for("[1] ann: ")
    ann.line("/open 1")
    ann.wait_for("Opened: https://a.example/")
    assert opened.read_text() == "1\nhttps://a.example/?a=$(touch%20x)&b=';c\n"
    assert clipboard(ann) == []
