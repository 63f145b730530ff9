"""The parts of a run of the terminal client: each starts it anew, does one thing to it, and notes the figures."""

from __future__ import annotations

import contextlib
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from tools.bench.client_terminal import SILENCE_S, ClientTerminal, Link
from tools.bench.process import ROOT
from tools.bench.terminal_figures import Run
from tools.bench.terminal_room import (
    NUMBERED,
    PASSWORD,
    READER,
    ROOM,
    ROOMS,
    Flood,
    Talker,
    last_line,
    room_name,
)

KEYS = 200
PAGES = 100
FLOOD_PAGES = 100
SWITCHES = 30
RESIZES = 10
_IDLE_S = 5.0
_QUIET_S = 0.5
_BEGIN_S = 1.0
"""Of a flood, before anything is measured."""
_APART_S = 0.05
_LETTERS = [chr(code) for code in range(0x0430, 0x0450)]
"""Cyrillic letters: one cell each, and in no other text of this measurement."""
_LINE_CHARS = 24
_KEY_BYTES = 120
"""Of what a key has drawn: position, erase, prompt, text and cursor."""
_FOOTER = "F1"
_CTRL_U, _CTRL_G, _CTRL_END, _PAGE_UP = "\x15", "\x07", "\x1b[1;5F", "\x1b[5~"
_LIST_ROW = re.compile(rb"\x1b\[(\d+);\d+H(?:\x1b\[[\d;]*[mKX])*[^\x1b]*(?:\x1b\[[\d;]*m[^\x1b]*)?line \d{7} of")


class Bench(Struct):
    """What the parts measure with.

    Attributes:
        port: of the server, on 127.0.0.1.
        ca: verifies it.
        scratch: a folder of this measurement.
        talker: the others in the room.
        flood_s: seconds of a flood; 0: none.
        scrolled: messages to scroll; 0: none.
        link: the slow one.
        against: another checkout, for the line mode's start.
    """

    port: int
    ca: Path
    scratch: Path
    talker: Talker
    flood_s: float
    scrolled: int
    link: Link
    against: Path | None = None
    guests: int = 0

    @contextlib.contextmanager
    def client(
        self,
        *,
        columns: int = 120,
        rows: int = 40,
        lines: bool = False,
        account: bool = False,
        link: Link | None = None,
        checkout: Path = ROOT,
    ) -> Iterator[ClientTerminal]:
        """The client on a terminal, while the block lasts."""
        self.guests += 1
        name = READER if account else f"guest-{self.guests}"
        command = [sys.executable, "-m", "securechat.cli.chat", "127.0.0.1", "--port", str(self.port)]
        command += ["--ca", str(self.ca), "--name", name, "--room", ROOM]
        if account:
            password = self.scratch / "password"
            password.touch(mode=0o600)
            password.write_text(f"{PASSWORD}\n", encoding="utf-8")
            command += ["--password-file", str(password)]
        env = {"SECURECHAT_PLAIN": "1" if lines else "0"}
        client = ClientTerminal(command, columns=columns, rows=rows, link=link, env=env, checkout=checkout)
        try:
            yield client
        finally:
            client.close()

    @contextlib.contextmanager
    def client_in_room(
        self, *, columns: int = 120, rows: int = 40, link: Link | None = None
    ) -> Iterator[ClientTerminal]:
        """The screen, when the room's last message is there and all is quiet."""
        last = self.talker.say(1)
        with self.client(columns=columns, rows=rows, link=link) as client:
            client.wait_for(last)
            client.settle(max(_QUIET_S, 3 * client.link.delay_s))
            yield client


def start_of_lines(bench: Bench, run: Run) -> None:
    """Start the line mode, by turns with the other checkout's."""

    def started(checkout: Path) -> tuple[float, float]:
        last = bench.talker.say(1)
        began = time.monotonic()
        with bench.client(lines=True, checkout=checkout) as client:
            return (client.wait_for(last) - began) * 1e3, client.cpu_s() * 1e3

    took_ms, cpu_ms = started(ROOT)
    run.note("lines_start", took_ms)
    run.note("lines_cpu", cpu_ms)
    if bench.against is not None:
        before_ms, before_cpu_ms = started(bench.against)
        run.note("lines_before", before_ms)
        run.note("lines_cpu_before", before_cpu_ms)
        run.note("lines_later", took_ms - before_ms)


def start_and_rest(bench: Bench, run: Run) -> None:
    """Start the screen; do nothing; type; turn pages; resize."""
    last = bench.talker.say(1)
    began = time.monotonic()
    with bench.client() as client:
        run.note("start", client.wait_for(_FOOTER) - began)
        client.forget()
        run.note("start_room", client.wait_for(last) - began)
        client.settle(1.0)
        cpu_s, written = client.cpu_s(), client.written
        client.read_for(_IDLE_S)
        run.note("idle_cpu", (client.cpu_s() - cpu_s) / _IDLE_S * 100)
        run.note("idle_bytes", client.written - written)
        keys_ms = [took_s * 1e3 for took_s in typed_keys(client, KEYS)]
        run.note("key_p50", *keys_ms)
        run.note("key_p99", *keys_ms)
        client.type(_CTRL_U)
        client.settle()
        _resize(client, run)
        _turn_pages(client, run)


def _resize(client: ClientTerminal, run: Run) -> None:
    for number in range(RESIZES):
        columns, rows = ((100, 30), (120, 40))[number % 2]
        client.forget()
        began = time.monotonic()
        client.resize(columns, rows)
        run.note("resize", (client.wait_for(b"\x1b[%d;1H" % rows) - began) * 1e3)
        client.settle(0.2)


def _turn_pages(client: ClientTerminal, run: Run) -> None:
    least = _top(client)
    for _ in range(PAGES):
        took_s, least, size = _page_up(client, least)
        run.note("page_p50", took_s * 1e3)
        run.note("page_p99", took_s * 1e3)
        run.note("page_bytes", size)


def _top(client: ClientTerminal) -> int:
    """Turn one page up; returns the number of the topmost line then."""
    client.settle()
    client.forget()
    client.type(_PAGE_UP)
    client.read_for(0.3)
    return client.wait_for_number(NUMBERED, lambda _: True)[1]


def _page_up(client: ClientTerminal, least: int, silence_s: float = SILENCE_S) -> tuple[float, int, int]:
    """Turn a page; returns the seconds until an older line came, the number of the topmost one, and the bytes."""
    client.forget()
    written, began = client.written, time.monotonic()
    client.type(_PAGE_UP)
    came_at, _ = client.wait_for_number(NUMBERED, lambda number: number < least)
    client.settle(silence_s)
    _, number = client.wait_for_number(NUMBERED, lambda number: number < least)
    return came_at - began, number, client.written - written


def scroll(bench: Bench, run: Run) -> None:
    """Scroll through the messages as fast as pages come."""
    if not bench.scrolled:
        return
    with bench.client_in_room() as client:
        least = _top(client)
        goal = max(1, bench.talker.number - bench.scrolled)
        began = bench.talker.number
        while least > goal:
            _, least, _ = _page_up(client, least, 0.002)
        run.note("rss_scrolled", client.rss_mib())
        run.note("scrolled", began - least)


def rooms(bench: Bench, run: Run) -> None:
    """Be in a hundred rooms, and go from one to the other."""
    with bench.client(account=True) as client:
        client.wait_for(_FOOTER)
        client.settle(1.0)
        client.type(_CTRL_END)  # from the line of the unread
        client.settle()
        run.note("rss_rooms", client.rss_mib())
        for number in range(SWITCHES):
            took_ms = _switch(client, number) * 1e3
            run.note("switch_asked", took_ms)
            run.note("switch_asked_p50", took_ms)
        for number in range(SWITCHES):
            took_ms = _switch(client, number) * 1e3
            run.note("switch_kept", took_ms)
            run.note("switch_kept_p50", took_ms)
        for number in range(SWITCHES, ROOMS - 2):
            _switch(client, number)
        run.note("rss_opened", client.rss_mib())


def _switch(client: ClientTerminal, number: int) -> float:
    """Choose a room from the list; returns the seconds from Enter to its last line."""
    client.type(_CTRL_G)
    client.settle()
    client.type(room_name(number))
    client.settle()
    client.forget()
    began = time.monotonic()
    client.type("\r")
    took_s = client.wait_for(last_line(number)) - began
    client.settle()
    return took_s


def small_terminal(bench: Bench, run: Run) -> None:
    """Type at 80 by 24."""
    with bench.client_in_room(columns=80, rows=24) as client:
        for letter in _LETTERS:
            written = client.written
            client.type(letter)
            client.wait_for(letter)
            client.settle()
            run.note("key_bytes", client.written - written)


def flood(bench: Bench, run: Run) -> None:
    """A thousand messages a second in the room that is shown: type, then turn pages."""
    if not bench.flood_s:
        return
    with bench.client_in_room() as client, Flood(bench.talker) as talking:
        client.read_for(_BEGIN_S)
        client.recorded = bytearray()
        cpu_s, written, began = client.cpu_s(), client.written, time.monotonic()
        keys_ms = [took_s * 1e3 for took_s in typed_keys(client, round(bench.flood_s / _APART_S), apart_s=_APART_S)]
        took_s = time.monotonic() - began
        run.note("flood_key_p50", *keys_ms)
        run.note("flood_key_p99", *keys_ms)
        run.note("flood_kib_s", (client.written - written) / took_s / 1024)
        run.note("flood_cpu", (client.cpu_s() - cpu_s) / took_s * 100)
        run.note("flood_frames", _frames(client) / took_s)
        run.note("flood_per_s", talking.per_s)
        client.recorded = None
        client.type(_CTRL_U)
        least = _top_in_flood(client)
        for _ in range(FLOOD_PAGES):
            client.forget()
            began = time.monotonic()
            client.type(_PAGE_UP)
            came_at, _ = client.wait_for_number(NUMBERED, lambda number: number < least)  # noqa: B023 - called here
            run.note("flood_page_p99", (came_at - began) * 1e3)
            client.read_for(2 * _APART_S)
            _, least = client.wait_for_number(NUMBERED, lambda number: number < least)  # noqa: B023


def _top_in_flood(client: ClientTerminal) -> int:
    client.type(_PAGE_UP)
    client.read_for(0.3)
    client.forget()
    client.type(_PAGE_UP)
    client.read_for(0.3)
    return client.wait_for_number(NUMBERED, lambda _: True)[1]


def slow_link(bench: Bench, run: Run) -> None:
    """Type in the flood on a slow link, one key when the last one is there."""
    if not bench.flood_s:
        return
    with bench.client_in_room(link=bench.link) as client, Flood(bench.talker):
        client.read_for(3 * _BEGIN_S)
        client.recorded = bytearray()
        written, began = client.written, time.monotonic()
        link_s = 2 * bench.link.delay_s + _KEY_BYTES / (bench.link.bytes_s or float("inf"))
        while time.monotonic() < began + bench.flood_s:
            for took_s in typed_keys(client, _LINE_CHARS, apart_s=_APART_S):
                run.note("link_key_p50", (took_s - link_s) * 1e3)
                run.note("link_key_p99", (took_s - link_s) * 1e3)
            client.type(_CTRL_U)
            client.read_for(4 * bench.link.delay_s)
        took_s = time.monotonic() - began
        run.note("link_kib_s", (client.written - written) / took_s / 1024)
        run.note("link_frames", _frames(client) / took_s)


def slow_reader(bench: Bench, run: Run) -> None:
    """Type in the flood where the terminal reads 2 KiB/s, then where it reads nothing; then all at once again."""
    if not bench.flood_s:
        return
    for bytes_s, name in ((2048.0, "slow"), (0.0, "none")):
        with bench.client_in_room() as client:
            client.link = Link(bytes_s)
            with Flood(bench.talker):
                for letter in _LETTERS[:_LINE_CHARS]:
                    client.type(letter)
                    client.read_for(bench.flood_s / _LINE_CHARS / 2)
                run.note(f"{name}_rss", client.rss_mib())
                client.link, written = Link(), client.written
                client.wait_for("".join(_LETTERS[:_LINE_CHARS]))
                run.note(f"{name}_after", (client.written - written) / 1024)


def typed_keys(client: ClientTerminal, count: int, apart_s: float = 0.0) -> Iterator[float]:
    """Type letters, one behind the other; yield the seconds until each came back."""
    for number in range(count):
        letter = _LETTERS[number % len(_LETTERS)]
        if number and number % _LINE_CHARS == 0:
            client.type(_CTRL_U)
            client.settle() if not apart_s else client.read_for(apart_s)
        client.forget()
        began = time.monotonic()
        client.type(letter)
        yield client.wait_for(letter) - began
        if apart_s:
            client.read_for(max(0.0, began + apart_s - time.monotonic()))
        else:
            client.settle(0.02)


def _frames(client: ClientTerminal) -> float:
    """Count how often a row of the list was drawn: the median of the rows."""
    drawn = Counter(found[1] for found in _LIST_ROW.finditer(bytes(client.recorded or b"")))
    return statistics.median(drawn.values()) if drawn else 0.0
