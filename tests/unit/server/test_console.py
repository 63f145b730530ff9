"""Console, chronicle and banner: one line per event, nothing hostile in it, and never in the loop's way."""

from __future__ import annotations

import io
import json
import threading
import time
from datetime import datetime
from typing import TextIO

import pytest

from securechat.errors import ErrorCode
from securechat.hub.interfaces import OperatorEvent
from securechat.net.connection_limits import Denial
from securechat.net.socket_options import CloseReason
from securechat.server import operator_log as chronicle_module
from securechat.server.banner import banner
from securechat.server.console import REST_S, Console
from securechat.server.operator_log import OperatorLog
from securechat.tls.hostnames import parse_names
from securechat.translation import Sentence
from tests.support.server import wait_until

MOMENT = datetime(2026, 3, 1, 9, 30).astimezone()
"""In the zone of this machine, whatever it is: lines show the local time."""


def fixed_clock() -> float:
    return MOMENT.timestamp()


def lines_of(use: object, *, json_format: bool = False) -> list[str]:
    stream = io.StringIO()
    console = Console(stream, json=json_format, clock=fixed_clock)
    use(console)  # type: ignore[operator]
    console.close()
    return stream.getvalue().splitlines()


def test_a_text_line_has_time_event_and_sentence() -> None:
    lines = lines_of(lambda console: console.event("connected", "127.0.0.1:5"))
    assert lines == ["2026-03-01 09:30:00  connected     127.0.0.1:5"]


def test_the_time_of_a_line_goes_on() -> None:
    stream, moments = io.StringIO(), iter([fixed_clock() + at for at in (0.2, 0.9, 1.0, 61.5)])
    console = Console(stream, clock=lambda: next(moments))
    for number in range(4):
        console.event("said", str(number))
    console.close()
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["09:30:00"] * 2 + ["09:30:01", "09:31:01"]


def test_an_empty_hand_over_wakes_nothing_and_loses_no_wake() -> None:
    stream, passes = io.StringIO(), []
    console = Console(stream, clock=fixed_clock)
    console.at_pass_end = passes.append
    console.event("said", "1")
    console.at_pass_end = None
    console.event("said", "2")  # handed over with the first
    wait_until(lambda: len(stream.getvalue().splitlines()) == 2, "both lines")
    wait_until(lambda: console._is_waiting, "the thread at rest")
    passes[0]()
    wait_until(lambda: console._ready._waiters, "the thread at rest again")  # type: ignore[attr-defined]
    console.event("said", "3")
    wait_until(lambda: len(stream.getvalue().splitlines()) == 3, "the third line, before the end", 5.0)
    console.close()


def test_no_line_carries_a_control_character_or_looks_like_two() -> None:
    hostile = 'x\n2026-03-01 09:30:00  named  "root"\x1b]52;c;evil\x07\u202e'
    for json_format in (False, True):
        lines = lines_of(lambda console: console.event("warning", hostile, name=hostile), json_format=json_format)
        assert len(lines) == 1
        assert not set(lines[0]) & set("\x1b\x07\u202e\r")


def test_json_lines_are_objects_with_a_time_an_event_and_fields() -> None:
    lines = lines_of(lambda console: console.event("named", "…", name="ann", address=None), json_format=True)
    assert json.loads(lines[0]) == {"at": MOMENT.isoformat(timespec="milliseconds"), "event": "named", "name": "ann"}


def test_a_translatable_sentence_is_logged_in_english() -> None:
    """A JSON encoder takes no str but its own, and a log has one language."""
    doubt = Sentence("{path} holds no certificate of its issuer", path="x.pem")
    lines = lines_of(lambda console: console.event("warning", doubt, file=doubt), json_format=True)
    assert json.loads(lines[0])["text"] == json.loads(lines[0])["file"] == "x.pem holds no certificate of its issuer"


def test_a_console_that_is_stuck_stops_nobody_and_says_what_it_dropped() -> None:
    class Stuck(io.StringIO):
        def __init__(self) -> None:
            super().__init__()
            self.go = threading.Event()

        def write(self, text: str) -> int:
            self.go.wait(20)
            return super().write(text)

    stream = Stuck()
    console = Console(stream, clock=fixed_clock)
    for number in range(25_000):
        console.event("connected", str(number))
    stream.go.set()
    console.close(20)
    assert "lines were dropped" in stream.getvalue()


def test_a_console_that_is_gone_is_survived() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    console = Console(Gone(), clock=fixed_clock)
    console.event("connected", "x")
    console.close(20)


def test_texts_are_shown_only_when_asked_for() -> None:
    for show in (False, True):
        lines = lines_of(
            lambda console, show=show: OperatorLog(console, show_messages=show).happened(
                OperatorEvent.SAID, None, "ann", "lobby", "secret"
            )
        )
        assert bool(lines) is show


def test_every_reason_a_connection_can_end_for_has_a_sentence() -> None:
    ending = {code.value for code in list(ErrorCode)[: list(ErrorCode).index(ErrorCode.UNKNOWN_TYPE)]}
    missing = (ending | {reason.value for reason in CloseReason}) - set(chronicle_module._REASONS)
    assert missing == set()
    assert {denial.value for denial in Denial} == set(chronicle_module._DENIALS)


def test_the_banner_shows_what_to_paste_here_and_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURECHAT_BANNER", "dev")
    names = parse_names(["localhost", "10.0.0.5"])
    text = "\n".join(banner("1.0", [("127.0.0.1", 8443), ("::1", 8443), ("10.0.0.5", 8443)], "sha256:ab", names))
    assert "python3 tools/dev.py chat --pin sha256:ab localhost:8443" in text
    assert "python3 tools/dev.py chat --pin sha256:ab 10.0.0.5:8443" in text
    assert "[::1]:8443" in text
    monkeypatch.delenv("SECURECHAT_BANNER")
    plain = "\n".join(banner("1.0", [("127.0.0.1", 1)], None, names))
    assert "securechat-client --ca CA.pem localhost:1" in plain


@pytest.mark.parametrize(("lines", "sentence"), [(1, "(1 line was dropped"), (2, "(2 lines were dropped")])
def test_what_was_dropped_is_counted(lines: int, sentence: str) -> None:
    stream = io.StringIO()
    console = Console(stream, clock=fixed_clock)
    with console._ready:
        console._dropped = lines
        console._ready.notify()
    console.event("connected", "next")
    console.close()
    assert sentence in stream.getvalue()


def test_a_console_that_cannot_spell_a_name_still_writes_the_line() -> None:
    raw = io.BytesIO()
    console = Console(io.TextIOWrapper(raw, encoding="ascii"), clock=fixed_clock)
    console.event("named", "привет")
    console.event("connected", "next")
    console.close()
    assert b"\\u043f" in raw.getvalue()
    assert b"next" in raw.getvalue()


def test_a_code_is_drawn_on_a_terminal_that_has_its_signs() -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    def draws(stream: TextIO, *, json_format: bool = False) -> bool:
        console = Console(stream, json=json_format)
        console.close()
        return console.draws("▀")

    assert draws(Terminal(io.BytesIO(), encoding="utf-8"))
    assert not draws(Terminal(io.BytesIO(), encoding="utf-8"), json_format=True)
    assert not draws(Terminal(io.BytesIO(), encoding="ascii"))
    assert not draws(io.StringIO())


def test_a_storm_of_lines_does_not_wake_the_thread_for_each() -> None:
    writes: list[str] = []
    first = threading.Event()

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            writes.append(text)
            first.set()
            return len(text)

    console = Console(Stream(), clock=fixed_clock)
    began = time.monotonic()
    console.event("said", "first")
    assert first.wait(20)
    for number in range(500):
        console.event("said", str(number))
    console.close(20)
    rests = (time.monotonic() - began) / REST_S
    assert "".join(writes).count("\n") == 501
    assert len(writes) <= 3 + rests
