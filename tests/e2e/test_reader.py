"""The line mode for screen readers (--reader), in the cells of a terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

import pytest

from tests.support.screen import Screen

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
Open = Callable[..., Screen]
TIME = re.compile(r"^! \[1\] by bob: \d{4}-\d\d-\d\d \d\d:\d\d$", re.MULTILINE)


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
@pytest.mark.parametrize(("flags", "env"), [(("--reader",), {}), ((), {"SECURECHAT_READER": "1"})])
def test_every_row_begins_with_what_it_is(screen: Open, term: str, flags: tuple[str, ...], env: dict[str, str]) -> None:
    ann = screen("--name", "ann", *flags, env={"TERM": term, **env}, columns=40, rows=60)
    ann.wait_for("! Joined #lobby")
    bob = screen("--name", "bob")
    ann.wait_for("! bob joined")
    bob.line("shall we meet at nine, or rather at ten as we did the last time?")
    ann.wait_for("bob, 1: shall we meet")
    bob.wait_for("[1] bob: shall we meet")
    bob.line("/reply 1 ann?")
    ann.wait_for("bob, 2, reply to 1: ann?")
    bob.line("half a lin")
    ann.wait_for("bob, 3: half a lin")
    ann.line("/time 1")
    ann.wait_until(
        lambda: re.search(r"^! \[1\] by bob: \d{4}-\d\d-\d\d \d\d:\d\d$", ann.text, re.MULTILINE) is not None, "time"
    )
    bob.line("/quit")
    ann.wait_for("! bob left")
    first = re.compile(r"! |, |/ |bob, \d|(?:>>|/time)")
    assert [row for row in ann.rows if not first.match(row)] == []
    assert not re.search("[\u2500-\u25ff]", ann.text)


def test_nothing_stands_below_the_input_line(screen: Open) -> None:
    ann = screen("--name", "ann", "--reader")
    ann.wait_for("! Joined #lobby")
    bob = screen("--name", "bob")
    ann.wait_for("! bob joined")
    plain = screen("--name", "cyd")
    bob.wait_for("cyd joined")
    bob.type("a long text that is not sent yet")
    plain.wait_for("bob is typing")
    bob.line("")
    ann.wait_for("bob, 1: a long text")
    assert b"typing" not in ann.output
