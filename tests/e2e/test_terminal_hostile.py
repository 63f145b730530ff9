"""Hostile strings in every field that a peer or a server controls, at a real client on a pseudo-terminal.

A played server (tests/support/played_server.py) says them, because the real one lets through only a part. Each string
stands between two marks with its number. The client shows each scene twice, with harmless strings and with hostile
ones. Then everything outside of the marks must be the same: rows, heads, panes, title, modes, cursor; between the marks
there are only signs; and the bytes hold no escape that is not in ``tests/golden/terminal_escapes.txt``, which
``--update-golden`` records from the harmless strings alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path

import pytest

from securechat import model as m
from securechat.errors import ErrorCode
from tests.support.client import CLIENT, ROOT
from tests.support.hostile_strings import hostile_string
from tests.support.played_server import BOB, START_MS, PlayedServer
from tests.support.screen import ON
from tests.support.terminal_escapes import escapes, keep, known
from tests.support.terminal_state import TerminalUnderTest, is_shown_safely

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix"),
    pytest.mark.not_pseudo("compares what is shown with what is sent"),
]
OPEN, CLOSE = "\u27e6{}\u27e8", "\u27e9{}\u27e7"
FIELD = re.compile("\u27e6(\\d+)\u27e8(.*?)\u27e9\\1\u27e7")
ENOUGH = 5_000
"""Strings for each shell."""
LEAVING = {
    "lines": set(),
    "screen": {
        *("CSI ?1000l", "CSI ?1002l", "CSI ?1004l", "CSI ?1006l", "CSI ?1049l", "CSI ?2004l", "CSI ?2026l", "CSI ?7h"),
        *("CSI <1u", "CSI 23;2t", "OSC 8;; ST", "U+000D", "U+000A"),
    },
}
"""What a shell writes at its end."""
CONTINUED = "      ┆ "


class Strings:
    """Numbered strings between marks: of one scene, from 0 on.

    Args:
        hostile: makes the string of a number; None for harmless ones.
    """

    def __init__(self, hostile: Callable[[int], str] | None) -> None:
        self._hostile = hostile
        self.taken = 0

    def one(self) -> str:
        number = self.taken
        self.taken += 1
        said = "x" if self._hostile is None else self._hostile(number)
        return f"{OPEN.format(number)}{said}{CLOSE.format(number)}"

    def several(self, count: int) -> str:
        return "".join(self.one() for _ in range(count))


Scene = Callable[[PlayedServer, Strings], list[m.Event]]


def texts(server: PlayedServer, strings: Strings) -> list[m.Event]:
    said = [server.say(strings.several(5)) for _ in range(20)]
    return [*said, server.say("see https://example.org/a/link there")]


def edits(server: PlayedServer, strings: Strings) -> list[m.Event]:
    said = [server.say("harmless") for _ in range(20)]
    return [*said, *(server.edit(each, strings.several(5)) for each in said)]


def quotes(server: PlayedServer, strings: Strings) -> list[m.Event]:
    said = [server.say(strings.one()) for _ in range(12)]
    return [*said, *(server.say("an answer", reply=each.seq) for each in said)]


def names(server: PlayedServer, strings: Strings) -> list[m.Event]:
    first = 1000 * (1 + server.model.fed)
    people = [m.Person(first + number, strings.one()) for number in range(20)]
    renamed = [m.Renaming(person.id, person.name, strings.one()) for person in people[:5]]
    said = [server.say("says a thing", by=person.id, name=person.name) for person in people]
    joined = m.Presence("lobby", 20, joined=people)
    return [joined, *said, m.Presence("lobby", 20, renamed=renamed), m.Presence("lobby", 3, left=people)]


def rooms(server: PlayedServer, strings: Strings) -> list[m.Event]:
    events: list[m.Event] = []
    for _ in range(8):
        room = strings.one()
        events += [
            m.Invited(room, m.Person(7, strings.one())),
            m.Joined(room, server.model.fed, 1, topic=strings.one()),
        ]
        events += [server.say("in a room", room=room), m.Left(room, 0, ErrorCode.KICKED, strings.one())]
    return events


def notices(server: PlayedServer, strings: Strings) -> list[m.Event]:
    return [m.Notice(strings.several(3), server.model.at_ms) for _ in range(10)]


def reasons(server: PlayedServer, strings: Strings) -> list[m.Event]:
    me = m.Person(server.model.me, "ann")
    by = m.Person(8, strings.one())
    muted = [m.RoleChanged("lobby", me, "member", by, None, strings.one()) for _ in range(5)]
    topics = [m.RoomRules("lobby", topic=strings.one(), by=by) for _ in range(5)]
    return [*muted, *topics, m.RoomRules("lobby")]


def signs(server: PlayedServer, strings: Strings) -> list[m.Event]:
    said = [server.say("harmless") for _ in range(10)]
    people = [m.Person(number, "bob") for number in (2, 3)]
    return [*said, *(server.react(each, strings.one(), by) for each in said for by in people)]


def files(server: PlayedServer, strings: Strings) -> list[m.Event]:
    found = [m.FileInfo(f"{number:032x}", strings.one(), 12, strings.one()) for number in range(15)]
    return [server.say("", files=[file]) for file in found]


def hostile_from(seed: int, scene: Scene, number: int) -> str:
    """Return a string; names and reasons are short, so that none is cut."""
    return hostile_string(seed + number, most_chars={names: 8, reasons: 4}.get(scene, 24))


SCENES: tuple[Scene, ...] = (texts, texts, texts, edits, texts, quotes, names, rooms, notices, reasons, files)


@pytest.fixture
def played(certs: Path) -> Iterator[PlayedServer]:
    with PlayedServer(certs) as server:
        yield server


@pytest.fixture
def client(played: PlayedServer) -> Iterator[Callable[..., TerminalUnderTest]]:
    opened: list[TerminalUnderTest] = []

    def make(**options: object) -> TerminalUnderTest:
        command = [*CLIENT, "--ca", str(played.ca), f"{played.host}:{played.port}", "--name", "ann"]
        opened.append(TerminalUnderTest(command, cwd=ROOT, **options))
        played.wait_until_connected()
        return opened[-1]

    yield make
    for each in opened:
        each.__exit__()


def skeleton(rows: Sequence[str], joins: Callable[[str], str | None]) -> str:
    """Return what stands outside of the marks, one line for each row that begins something.

    Args:
        rows: of the terminal.
        joins: returns what a row adds to the one above it; None for one that begins something.
    """
    joined = "".join(f"\n{row}" if (more := joins(row)) is None else more for row in rows)
    assert is_shown_safely(joined.replace("\n", "")), ascii(joined)
    outside = FIELD.sub(lambda found: f"\u27e6{found[1]}\u27e7", joined)
    outside = re.sub('"(\u27e6\\d+\u27e7)"', r"\1", outside)  # a name that could be taken for more stands in quotes
    return re.sub(r"\d+", "#", re.sub(r"[^\S\n]+", "", outside))


def numbers(rows: Sequence[str]) -> list[int]:
    return [int(found) for found in re.findall("\u27e6(\\d+)\u27e8", "".join(rows))]


def expect_same(got: str, wanted: str, what: str) -> None:
    differing = [pair for pair in zip_longest(got.split("\n"), wanted.split("\n")) if pair[0] != pair[1]]
    assert not differing, (what, [tuple(map(ascii, pair)) for pair in differing[:3]])


# --- the line mode


class Lines:
    """A line mode of 200 columns."""

    def __init__(self, client: Callable[..., TerminalUnderTest], server: PlayedServer) -> None:
        self.terminal = client(columns=200, rows=50)
        self.server = server
        self.terminal.wait_for("Joined #lobby")
        self._scenes = 0

    def shows(self, scene: Scene, strings: Strings) -> str:
        """Play a scene; returns its skeleton."""
        begin, end = f"scene {self._scenes} begins", f"scene {self._scenes} ends"
        self._scenes += 1
        start = len(self.terminal.output)
        self.server.push([self.server.say(begin), *scene(self.server, strings), self.server.say(end)])
        self.terminal.wait_for_output(end.encode(), start)
        self.terminal.wait_until(lambda: self.terminal.rows[-1] == ">>", "the prompt")
        rows = self.terminal.rows
        first, last = (next(at for at, row in enumerate(rows) if text in row) for text in (begin, end))
        self.terminal.emulator.history.top.clear()
        return skeleton(rows[first + 1 : last], lines_join)

    def asks(self, command: str, strings: Strings) -> str:
        """Type a command whose answer holds all strings; returns the skeleton of the answer."""
        begin, end = f"answer {self._scenes} begins", f"answer {self._scenes} ends"
        self._scenes += 1
        start = len(self.terminal.output)
        self.server.push([self.server.say(begin)])
        self.terminal.wait_for_output(begin.encode(), start)
        self.terminal.line(command)
        self.terminal.wait_for_output(OPEN.format(strings.taken - 1).encode(), start)
        self.terminal.wait_until(lambda: self.terminal.rows[-1] == ">>", "the prompt")
        self.server.push([self.server.say(end)])
        self.terminal.wait_for_output(end.encode(), start)
        self.terminal.wait_until(lambda: self.terminal.rows[-1] == ">>", "the prompt")
        rows = self.terminal.rows
        first, last = (next(at for at, row in enumerate(rows) if text in row) for text in (begin, end))
        self.terminal.emulator.history.top.clear()
        return skeleton(rows[first + 1 : last], lines_join)


def lines_join(row: str) -> str | None:
    """Return what a row of the line mode adds to the one above it."""
    return row[len(CONTINUED) :] if row.startswith(CONTINUED) else None


@pytest.mark.slow
def test_lines_stay_as_they_are_around_hostile_strings(
    client: Callable[..., TerminalUnderTest], played: PlayedServer, request: pytest.FixtureRequest
) -> None:
    lines = Lines(client, played)
    wanted = {scene: lines.shows(scene, Strings(None)) for scene in SCENES}
    state, harmless = lines.terminal.state(), escapes(lines.terminal.output)
    if request.config.getoption("--update-golden"):
        keep("lines", harmless)
    seed = 0
    while seed < ENOUGH:
        for scene in SCENES:
            strings = Strings(partial(hostile_from, seed, scene))
            expect_same(lines.shows(scene, strings), wanted[scene], f"{scene.__name__} {seed}")
            lines.terminal.wait_until(
                lambda: lines.terminal.state() == state, f"modes as before: {scene.__name__} {seed}", 20
            )
            seed += strings.taken
    assert escapes(lines.terminal.output) <= known("lines")


def ask_for_hits(server: PlayedServer, strings: Strings) -> str:
    said = [server.say(strings.one(), name=strings.one(), room="elsewhere") for _ in range(15)]
    server.model.found = [m.Hit(each, [(0, 2)]) for each in said]
    return "/search x"


def ask_for_rooms(server: PlayedServer, strings: Strings) -> str:
    server.model.listed = [m.RoomCount(strings.one(), 3) for _ in range(15)]
    return "/rooms"


def ask_for_people(server: PlayedServer, strings: Strings) -> str:
    server.model.people = [m.Person(number, strings.one()) for number in range(100, 115)]
    return "/who"


def test_lines_stay_as_they_are_around_hostile_answers(
    client: Callable[..., TerminalUnderTest], played: PlayedServer
) -> None:
    lines = Lines(client, played)
    for ask in (ask_for_hits, ask_for_rooms, ask_for_people):
        strings = Strings(None)
        wanted = lines.asks(ask(played, strings), strings)
        for seed in range(100_000, 101_000, 100):
            strings = Strings(lambda number, seed=seed: hostile_string(seed + number, most_chars=8))
            expect_same(lines.asks(ask(played, strings), strings), wanted, f"{ask.__name__} {seed}")
    assert escapes(lines.terminal.output) <= known("lines")


@pytest.mark.parametrize("shell", ["lines", "screen"])
def test_last_words_of_a_server_are_shown_and_nothing_more(
    client: Callable[..., TerminalUnderTest], played: PlayedServer, shell: str
) -> None:
    strings = Strings(partial(hostile_from, 200_000, texts))
    said = strings.several(40)
    terminal = client(env=ON if shell == "screen" else {})
    terminal.wait_for("Joined #lobby")
    played.hang_up(m.Closing(ErrorCode.BANNED, said))
    terminal.wait_for_exit()
    assert OPEN.format(39).encode() in terminal.output
    assert is_shown_safely("".join(terminal.rows))
    assert escapes(terminal.output) <= known(shell) | LEAVING[shell]


@pytest.mark.parametrize("shell", ["lines", "screen"])
def test_half_a_character_on_the_wire_ends_the_connection_and_no_more(
    client: Callable[..., TerminalUnderTest], played: PlayedServer, shell: str
) -> None:
    """JSON can hold a surrogate without its other half; the client takes it for no record (protocol.md, section 3)."""
    terminal = client(env=ON if shell == "screen" else {})
    terminal.wait_for("Joined #lobby")
    played.push_body(b'{"t":"notice","at":1,"text":"half \\ud83d\\u001b[2J"}')
    terminal.wait_for("The server sent something that is not", 20)
    terminal.wait_until(lambda: "half" not in terminal.text, "no half of it")
    assert escapes(terminal.output) <= known(shell)


# --- the screen


COLUMNS, ROWS = 200, 80
GUTTER = 6
LISTED = frozenset({"", "*", "-", "+", "~", "|"})
"""What may stand before a further row of something."""
PRESSED_ESCAPE = "\x1b[27u"


class Panes:
    """A screen of 200 by 80 that has the keyboard."""

    def __init__(self, client: Callable[..., TerminalUnderTest], server: PlayedServer) -> None:
        self.terminal = client(columns=COLUMNS, rows=ROWS, env=ON)
        self.server = server
        self.terminal.wait_for("Joined #lobby")
        self.terminal.type("\x1b[I")
        self._scenes = 0
        self.dismisses_notices()

    def dismisses_notices(self) -> None:
        """Press Escape, if there are notices below the messages."""
        if self.messages()[-1].startswith("-"):
            self.terminal.type(PRESSED_ESCAPE)
            self.terminal.wait_until(lambda: not self.messages()[-1].startswith("-"), "notices gone", 20)

    def is_painted(self) -> bool:
        """Tell whether a frame is whole: then the cursor is back in the composer."""
        cursor = self.terminal.emulator.cursor
        return not cursor.hidden and cursor.y == ROWS - 3

    def outside(self, *but: str) -> list[str]:
        """Return all cells around the messages, and where the cursor is.

        Args:
            but: panes in which strings are: ``rooms``, ``members``, ``header``, ``activity``.
        """
        cells, cursor = self.terminal.cells, self.terminal.emulator.cursor
        left = "".join(cells(0, 0, COLUMNS, 1)).index("│")
        wide, members = COLUMNS - left - 1, (ROWS - 2) // 3
        panes = {
            "edge": cells(left, 0, 1, ROWS - 2),
            "line": cells(0, ROWS - 3 - members, left, 1),
            "rooms": cells(0, 0, left, ROWS - 3 - members),
            "members": cells(0, ROWS - 2 - members, left, members),
            "header": cells(left + 1, 0, wide, 1),
            "activity": cells(left + 1, ROWS - 4, wide, 1),
            "composer": cells(left + 1, ROWS - 3, wide, 1),
            "status": cells(0, ROWS - 2, COLUMNS, 2),
        }
        kept = [row for pane, rows in panes.items() if pane not in but for row in rows]
        return [f"{cursor.x} {cursor.y} {cursor.hidden}", *kept]

    def expect(self, around: list[str], state: object, what: str, *but: str) -> None:
        """Wait until all around is as it was."""
        now = (self.outside(*but), self.terminal.state())
        try:
            self.terminal.wait_until(lambda: (self.outside(*but), self.terminal.state()) == (around, state), what, 20)
        except AssertionError:
            assert now == (around, state), what
            raise

    def messages(self) -> list[str]:
        left = "".join(self.terminal.cells(0, 0, COLUMNS, 1)).find("│")
        return [row.rstrip() for row in self.terminal.cells(left + 1, 1, COLUMNS - left - 1, ROWS - 5)]

    def shows(self, scene: Scene, strings: Strings, wanted: str | None = None) -> str:
        """Play a scene until the messages look as wanted, or all strings are there; returns how they look."""
        begin, end = f"scene {self._scenes} begins", f"scene {self._scenes} ends"
        self._scenes += 1
        self.server.model.at_ms = START_MS
        self.server.push([self.server.say(begin), *scene(self.server, strings), self.server.say(end)])
        looks = ""

        def is_drawn() -> bool:
            nonlocal looks
            rows = self.messages()
            first, last = (next((at for at, row in enumerate(rows) if text in row), None) for text in (begin, end))
            if first is None or last is None or not self.is_painted():
                return False
            looks = skeleton(rows[first + 1 :], lambda row: row[GUTTER:] if row[:GUTTER].strip() in LISTED else None)
            return looks == wanted if wanted is not None else len(set(numbers(rows[first:]))) == strings.taken

        try:
            self.terminal.wait_until(is_drawn, "the scene", 20)
        except AssertionError:
            expect_same(looks, wanted or "", scene.__name__)
            raise
        self.dismisses_notices()
        return looks


SCREEN_SCENES: tuple[Scene, ...] = (texts, texts, texts, edits, texts, quotes, names, signs, reasons, files)


@pytest.mark.slow
def test_the_screen_stays_as_it_is_around_hostile_strings(
    client: Callable[..., TerminalUnderTest], played: PlayedServer, request: pytest.FixtureRequest
) -> None:
    panes = Panes(client, played)
    terminal = panes.terminal
    wanted = {scene: panes.shows(scene, Strings(None)) for scene in SCREEN_SCENES}
    around, state, harmless = panes.outside(), terminal.state(), escapes(terminal.output)
    if request.config.getoption("--update-golden"):
        keep("screen", harmless)
    seed = 0
    while seed < ENOUGH:
        for scene in SCREEN_SCENES:
            strings = Strings(partial(hostile_from, seed, scene))
            panes.shows(scene, strings, wanted[scene])
            panes.expect(around, state, f"{scene.__name__} {seed}")
            seed += strings.taken
    assert escapes(terminal.output) <= known("screen")


IN_LISTS = ("rooms", "members", "header", "activity")


def lists(server: PlayedServer, strings: Strings) -> tuple[list[m.Event], list[m.Event]]:
    """Return events that fill the lists with strings, and those that empty them."""
    first = 1000 * (1 + server.model.fed)
    people = [m.Person(first + number, strings.one()) for number in range(8)]
    rooms = [strings.one() for _ in range(8)]
    begins = [m.Presence("lobby", 11, joined=people), *(m.Joined(room, server.model.fed, 1) for room in rooms)]
    begins += [m.RoomRules("lobby", topic=strings.several(2), by=BOB), m.TypingNow(people[0], "lobby")]
    ends = [m.RoomRules("lobby", by=BOB), *(m.Left(room, 0, ErrorCode.KICKED, "x") for room in rooms)]
    return begins, [*ends, m.Presence("lobby", 3, left=people)]


@pytest.mark.slow
def test_lists_and_edges_of_the_screen_stay_where_they_are(
    client: Callable[..., TerminalUnderTest], played: PlayedServer
) -> None:
    panes = Panes(client, played)
    terminal = panes.terminal
    around: list[str] | None = None
    for seed in range(300_000, 301_200, 100):
        is_first = around is None
        strings = Strings(
            (lambda _: "x" * 24) if is_first else (lambda number, seed=seed: hostile_string(seed + number))
        )
        begins, ends = lists(played, strings)
        sentinel = f"seed {seed}"
        played.push([*begins, played.say(sentinel)])
        terminal.wait_until(
            lambda sentinel=sentinel: (
                panes.is_painted()
                and sum(row.count("\u27e6") for row in terminal.cells(0, 0, 28, ROWS)) >= 16
                and any(sentinel in row for row in panes.messages())
            ),
            "all in the lists",
            20,
        )
        if around is None:
            around, state = panes.outside(*IN_LISTS), terminal.state()
        panes.expect(around, state, str(seed), *IN_LISTS)
        assert is_shown_safely("".join(terminal.rows))
        played.push([*ends, played.say(f"end of {seed}")])
        terminal.wait_until(lambda: "11 members" not in terminal.text, "lists as before", 20)
        panes.dismisses_notices()
    assert escapes(terminal.output) <= known("screen")


def hits_around(terminal: TerminalUnderTest) -> object:
    rows = [row.rstrip() for row in terminal.cells(0, 0, COLUMNS, ROWS)]
    looks = skeleton(rows[:-2], lambda row: row.partition("┆ ")[2] if row.lstrip().startswith("┆ ") else None)
    return looks.rstrip("\n"), rows[-2:], terminal.state()


def test_a_list_of_hostile_hits_stays_in_its_field(
    client: Callable[..., TerminalUnderTest], played: PlayedServer
) -> None:
    panes = Panes(client, played)
    terminal = panes.terminal
    wanted: object = None
    for seed in range(400_000, 401_000, 100):
        strings = Strings(
            None if wanted is None else lambda number, seed=seed: hostile_string(seed + number, most_chars=8)
        )
        terminal.line(ask_for_hits(played, strings))
        terminal.wait_until(
            lambda: OPEN.format(29) in terminal.text and not terminal.emulator.cursor.hidden, "the hits", 20
        )
        if wanted is None:
            wanted = hits_around(terminal)
        terminal.wait_until(
            lambda wanted=wanted: hits_around(terminal) == wanted, f"all as before: {seed}: {wanted}", 20
        )
        terminal.type(PRESSED_ESCAPE)
        terminal.wait_for("Write a message")
    assert escapes(terminal.output) <= known("screen")
