"""The full screen in tmux, against a real server: two people, losses, stops, other sizes, and every way to end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.client import CLIENT, at
from tests.support.hostile_strings import hostile_string
from tests.support.native import NativeClient
from tests.support.played_server import PlayedServer
from tests.support.screen_panes import ScreenPanes, process_of, said
from tests.support.server import ServerProcess
from tests.support.tmux import TmuxPane, needs_tmux

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix"),
    needs_tmux(),
    pytest.mark.slow,
    pytest.mark.not_pseudo("looks for what is said in English"),
]


@pytest.fixture
def panes() -> Iterator[ScreenPanes]:
    with ScreenPanes() as made:
        yield made


def restored(one: TmuxPane, before: dict[str, str]) -> bool:
    """Tell whether the terminal is the shell's again, with its modes."""
    now = one.modes()
    return now["alternate_on"] == "0" and {**now, "window_name": ""} == {**before, "window_name": ""}


def test_each_message_comes_once_and_in_order_over_kills_stops_and_other_sizes(
    panes: ScreenPanes, server: ServerProcess
) -> None:
    ann, bob = panes.opened(server, "ann"), panes.opened(server, "bob", columns=100, rows=30)
    ann.wait_for("bob joined")
    wanted: list[str] = []

    def say(one: TmuxPane, name: str) -> None:
        wanted.append(f"from {name} {len(wanted)}")
        one.line(wanted[-1])

    def expect(*those: TmuxPane) -> None:
        for one in those:
            one.wait_until(lambda one=one: said(one)[-8:] == wanted[-8:], f"{wanted}, each once, in order")

    say(ann, "ann")
    expect(ann, bob)
    say(bob, "bob")
    expect(ann, bob)

    server.signal(signal.SIGKILL)
    server.wait()
    for one in (ann, bob):
        one.wait_until(lambda one=one: "· connected" not in one.text, "the loss")
    say(ann, "ann")
    server.start()
    expect(ann, bob)
    for one in (ann, bob):
        one.wait_for("· connected")

    ann.keys("C-z")
    ann.wait_until(lambda: ann.told("alternate_on") == "0", "the shell")
    say(bob, "bob")
    expect(bob)
    ann.line("fg")
    expect(ann)
    say(ann, "ann")
    expect(ann, bob)

    with bob.attached(60, 16) as small:
        small.wait_until(lambda: "from ann" in small.text and len(small.rows) <= 16, "the small terminal drawn")
        bob.wait_until(lambda: bob.told("pane_width") == "60", "the small size")
        say(ann, "ann")
        small.wait_for(wanted[-1])
    with bob.attached(120, 40) as large:
        bob.wait_until(lambda: bob.told("pane_width") == "120", "the large size")
        large.wait_for(wanted[-1])
        say(ann, "ann")
        large.wait_for(wanted[-1])
        expect(ann, bob)
    assert len(set(wanted)) == len(wanted)


@pytest.mark.parametrize("number", [0, signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_restored_at_the_end(panes: ScreenPanes, server: ServerProcess, number: int) -> None:
    one = panes()
    before = one.modes()
    one.line("echo a line before")
    one.start([*CLIENT, *at(server, "--name", "ann")])
    one.wait_for("ann · connected")
    assert one.told("alternate_on") == "1"
    if number:
        os.kill(process_of(one), number)
    else:
        one.keys("C-d")
    one.wait_until(lambda: restored(one, before), "the terminal as before")
    one.line("echo typed $((40 + 2))")
    one.wait_for("typed 42")
    assert "a line before" in one.text
    server.wait_for_event("disconnected", name="ann")


def test_the_terminal_is_restored_after_a_crash(panes: ScreenPanes) -> None:
    one = panes()
    before = one.modes()
    one.start([sys.executable, "-m", "tests.support.screen_program"])
    one.wait_for("F1 help")
    one.line("crash")
    one.wait_until(lambda: restored(one, before), "the terminal as before")
    one.line("echo typed $((40 + 2))")
    one.wait_for("typed 42")
    assert "ValueError: crash" in "\n".join(one.rows(history=True))


def around(one: TmuxPane) -> tuple[object, ...]:
    """Return the cells that no message is in, and the cursor."""
    rows = one.rows()
    edge = rows[0].index("│")
    return [row[: edge + 1] for row in rows[:-4]], rows[0], rows[-4:], one.cursor()


@pytest.mark.parametrize("screen", [True, False])
def test_hostile_strings_change_nothing_but_their_field(panes: ScreenPanes, certs: Path, screen: bool) -> None:
    with PlayedServer(certs) as server:
        one = panes(columns=140, rows=50)
        one.line(f"export SECURECHAT_PLAIN={int(not screen)}")
        one.start([*CLIENT, *at(server, "--name", "ann")])  # type: ignore[arg-type]
        one.wait_for("Joined #lobby")

        def looks() -> tuple[object, ...]:
            return one.modes(), one.buffers(), around(one) if screen else one.cursor()

        def is_drawn(end: str) -> bool:
            """Whether all is painted, and in the line mode at the bottom, as it scrolls."""
            rows = one.rows()
            last = rows[-5] if screen else rows[-2]
            return last.endswith(end) and one.told("cursor_flag") == "1" and (screen or rows[-1].strip() == ">>")

        def show(first: int | None) -> None:
            """Show strings from a number on, or harmless ones, until the end of them is drawn."""
            said = ["x"] * 60 if first is None else [hostile_string(first + number) for number in range(60)]
            texts = [
                "".join(f"\u27e6{each}\u27e7" for each in said[at : at + 3]) for at in range(0, 24 if screen else 60, 3)
            ]
            end = f"end of {first};"
            server.push([server.say(text) for text in [*texts, "y" * 60, end]])
            one.wait_for(end)
            if screen and "Joined #lobby" in one.text:
                one.keys("Escape")
            one.wait_until(lambda: is_drawn(end) or not (screen or first is not None), "all of it")

        for _ in range(4):
            show(None)
        one.wait_until(lambda: is_drawn("end of None;"), "harmless strings")
        wanted = looks()
        assert wanted[1] == ""
        for first in range(0, 900, 60):
            show(first)
            one.wait_until(lambda: looks() == wanted, f"all as before: {first}: {wanted}", 20)


def test_what_comes_to_a_detached_session_stays_unread(
    panes: ScreenPanes, server: ServerProcess, connect: Callable[..., NativeClient]
) -> None:
    ann = panes()
    ann._run("set-option", "-g", "focus-events", "on")
    with ann.attached(100, 30) as terminal:
        ann.start([*CLIENT, *at(server, "--name", "ann")])
        terminal.wait_for("ann · connected")
        bob = connect(server, "bob")
        terminal.wait_for("bob joined")
        terminal.type("x")
        bob.say("seen")
        terminal.wait_for("seen")
        terminal.wait_until(lambda: _lobby(ann) == [], "nothing unread")
    ann.wait_until(lambda: ann.told("session_attached") == "0", "a detached session")
    bob.say("to an empty room")
    ann.wait_until(lambda: _lobby(ann) == ["1"], "an unread message")
    with ann.attached(100, 30) as terminal:
        terminal.wait_for("to an empty room")
        terminal.wait_until(lambda: _lobby(ann) == [], "nothing unread")


def _lobby(one: TmuxPane) -> list[str]:
    """The counts beside the lobby in the list."""
    return next((row.partition("│")[0].split()[2:] for row in one.rows() if row.startswith("> #lobby")), ["none"])
