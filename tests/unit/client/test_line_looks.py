"""What the line mode looks like, in every theme and language, for readers and at a simple terminal.

Events of a session become rows, and these the bytes that stand above the prompt, which a terminal emulator shows.
Record again where something was changed on purpose, in one process, and read the difference:

    python -m pytest -p no:xdist tests/unit/client/test_line_looks.py --update-golden

A file has a section for each number of columns; how styles are told stands in tests/support/terminal_looks.py.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pyte
import pytest
from msgspec.structs import replace
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output.vt100 import Vt100_Output

from securechat import model as m
from securechat.client.core import actions
from securechat.client.core.state import PersonKey
from securechat.client.terminal.output import PromptOutput
from securechat.client.ui.rows.session_rows import ServerAddress, SessionRows
from securechat.client.ui.rows.styled_text import TextRow
from securechat.client.ui.themes import Theme
from securechat.model import RevisionKind
from securechat.translation import use
from tests.support.core_driver import Driver
from tests.support.golden import GOLDEN
from tests.support.screen_rig import ScreenServer
from tests.support.screen_scenes import BOB, BOT, CARL, FIRST_MS, LONG
from tests.support.terminal_looks import THEMES, Cells, DimEmulator, Looks, rows_of, styles_of

pytestmark = [
    pytest.mark.not_pseudo("is about English and Indonesian"),
    pytest.mark.skipif(sys.platform == "win32", reason="the zone of the times is set as Unix does"),
]
COLUMNS = (80, 40)
ROWS = 70
LINES = GOLDEN / "line"


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    use("en")
    monkeypatch.undo()
    time.tzset()


class Session:
    """A session whose events become rows at once, as in the program.

    Args:
        reader: whether the rows are for a screen reader.

    Attributes:
        rows: by columns.
    """

    def __init__(self, *, reader: bool) -> None:
        self._driver = Driver(ScreenServer(), rooms=("ops",))
        self._makers = {
            columns: SessionRows(self._driver.core, ServerAddress("chat.lan", 8443, None), reader=reader)
            for columns in COLUMNS
        }
        self.rows: dict[int, list[TextRow]] = {columns: [] for columns in COLUMNS}
        self._noted = 0
        self._at_ms = FIRST_MS
        self._note()

    def _note(self) -> None:
        self._driver.settle()
        told, self._noted = self._driver.told[self._noted :], len(self._driver.told)
        for columns, maker in self._makers.items():
            for ui_event in told:
                self.rows[columns] += maker.rows(ui_event, columns)

    def do(self, action: Any) -> None:
        self._driver.want(action)
        self._note()

    def say(self, text: str, by: m.Person = BOB, **fields: Any) -> m.Message:
        server, to = self._driver.server, fields.pop("to", None)
        stored = server.store(by.id, text, room=None if to else "ops", to=to, files=tuple(fields.pop("files", ())))
        message = replace(stored, name=by.name, sent_at_ms=self._at_ms, bot=by is BOT, **fields)
        server.log[-1] = server.entries[-1] = message
        self._at_ms += 1000
        server.push(message)
        self._note()
        return message

    def hear(self, *heard: m.Event) -> None:
        self._driver.server.out += heard
        self._note()


def session(*, reader: bool) -> Session:
    """Play a session with a bit of everything."""
    one = Session(reader=reader)
    here = one._driver.core.room("ops")
    one.hear(m.Presence("ops", 4, joined=[BOB, CARL, BOT]))
    asked = one.say("Who brings tea, me?", mentions=[1])
    one.say(f"I do. See {LONG}, which is long", CARL, reply=asked.seq)
    one.say("first line\nsecond line of several words that take more than one row of forty columns", BOT)
    one.do(actions.SendMessage("I am there", here))
    mine = one._driver.server.log[-1].seq
    one.do(actions.ChangeMessage(here, RevisionKind.EDIT, mine, "I am there at four"))
    one._driver.server.change(asked.seq, "react", by=CARL.id, sign="👍")
    one._note()
    one.do(actions.ChangeMessage(here, RevisionKind.DELETE, mine))
    one.say("psst", to=1, to_name="me")
    one.do(actions.SendMessage("What is it?", PersonKey(BOB.id)))
    one.say("", CARL, files=[m.FileInfo("0" * 32, "kettle.png", 48_213, "image/png")])
    one.say("日本語 \x1b[31m ภาษาไทย 👨\u200d👩\u200d👧", CARL)
    one.do(actions.FindMessages("tea"))
    one.do(actions.AskWho("ops"))
    one.hear(m.Notice("maintenance at ten", FIRST_MS))
    one.hear(m.Presence("ops", 3, left=[CARL]))
    one._driver.cut()
    one._note()
    return one


def shown(rows: list[TextRow], look: Theme, columns: int) -> DimEmulator:
    """Return a terminal on which rows were written above the prompt."""
    stream = io.StringIO()
    terminal = DimEmulator(columns, ROWS)
    output = Vt100_Output(stream, lambda: Size(rows=ROWS, columns=columns), term="xterm-256color", enable_cpr=False)
    app: Any = SimpleNamespace(output=output, is_running=False)
    PromptOutput(app, look).write_rows(rows)
    pyte.Stream(terminal).feed(stream.getvalue().replace("\n", "\r\n"))
    return terminal


@pytest.fixture(scope="module")
def looks(request: pytest.FixtureRequest) -> Iterator[Looks]:
    LINES.mkdir(exist_ok=True)
    one = Looks(LINES / "looks.txt", update=request.config.getoption("--update-golden"))
    yield one
    one.write()


@pytest.mark.parametrize("language", ["en", "id"])
@pytest.mark.parametrize("reader", [False, True], ids=["lines", "reader"])
def test_a_session_looks_as_recorded(
    request: pytest.FixtureRequest, looks: Looks, language: str, *, reader: bool
) -> None:
    use(language)
    rows = session(reader=reader).rows
    sections = []
    for columns in COLUMNS:
        assert len(rows[columns]) < ROWS
        terminals = {name: shown(rows[columns], look, columns) for name, look in THEMES.items()}
        texts = [rows_of(each)[: len(rows[columns])] for each in terminals.values()]
        assert all(each == texts[0] for each in texts), "a theme says something that others do not say"
        plain = [str(row).rstrip().replace("\u200d", "") for row in rows[columns]]  # the emulator leaves joiners out
        assert texts[0] == plain, "TERM=dumb shows the same"
        styles: list[Cells] = [styles_of(each)[: len(rows[columns])] for each in terminals.values()]
        sections.append("\n".join([f"=== {columns}", *texts[0], "---", *looks.described(styles), ""]))
    path = LINES / f"{'reader' if reader else 'lines'}_{language}.txt"
    text = "\n".join(sections)
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8")
    assert text.splitlines() == path.read_text(encoding="utf-8").splitlines()


def test_every_look_is_somewhere(looks: Looks) -> None:
    """A letter that no session has is left from a theme that was."""
    assert not looks.unused()
