"""Text above the prompt: whenever it comes, it is written, once and in order."""

from __future__ import annotations

import asyncio

import pytest
from prompt_toolkit.application import Application
from prompt_toolkit.input import DummyInput
from prompt_toolkit.output import DummyOutput

from securechat.client.terminal.output import PromptOutput, attributes
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.client.ui.themes import ColorDepth, Look, ThemeName, theme


class Paper(DummyOutput):
    def __init__(self) -> None:
        self.text = ""
        self.written = asyncio.Event()

    def write(self, data: str) -> None:
        self.write_raw(data.replace("\x1b", "?"))

    def write_raw(self, data: str) -> None:
        self.text += data
        self.written.set()


@pytest.fixture
def paper() -> Paper:
    return Paper()


@pytest.fixture
def above(paper: Paper) -> PromptOutput:
    return PromptOutput(Application(output=paper, input=DummyInput()), theme(ThemeName.TERMINAL, ColorDepth.ANSI))


def test_without_a_prompt_it_is_written_at_once(above: PromptOutput, paper: Paper) -> None:
    above.write("one\n")
    assert paper.text == "one\n"


def test_what_comes_while_a_prompt_begins_is_written_when_it_is_up(above: PromptOutput, paper: Paper) -> None:
    async def prompt() -> None:
        above.prompt_is_up()
        await paper.written.wait()

    above.prompt_begins()
    above.write("one\n")
    above.write("two\n")
    assert not paper.text
    asyncio.run(prompt())
    assert paper.text == "one\ntwo\n"


def test_what_a_prompt_leaves_behind_is_written_when_it_has_ended(above: PromptOutput, paper: Paper) -> None:
    async def prompt() -> None:
        above.prompt_is_up()
        above.write("one\n")
        await paper.written.wait()
        above.write("two\n")  # due in a moment, and the loop ends before that

    above.prompt_begins()
    asyncio.run(prompt())
    above.prompt_has_ended()
    above.write("three\n")
    assert paper.text == "one\ntwo\nthree\n"


def test_a_loop_that_has_just_ended_costs_nothing(above: PromptOutput, paper: Paper) -> None:
    async def prompt() -> None:
        above.prompt_is_up()

    above.prompt_begins()
    asyncio.run(prompt())
    above.write("one\n")
    above.prompt_has_ended()
    assert paper.text == "one\n"


def test_the_next_prompt_shows_what_comes_after_one_that_left_something_behind(
    above: PromptOutput, paper: Paper
) -> None:
    async def short() -> None:
        above.prompt_is_up()
        above.write("one\n")

    async def long() -> None:
        above.prompt_is_up()
        above.write("two\n")
        paper.written.clear()
        await paper.written.wait()

    for prompt in (short(), long()):
        above.prompt_begins()
        asyncio.run(prompt)
        above.prompt_has_ended()
    assert paper.text == "one\ntwo\n"


def test_a_terminal_that_is_gone_is_no_error(
    above: PromptOutput, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: str) -> None:
        raise OSError

    monkeypatch.setattr(paper, "write", gone)
    above.write("one\n")


def test_what_stands_out_is_written_apart_and_the_text_stays_the_text(above: PromptOutput, paper: Paper) -> None:
    looks: list[str] = []
    paper.set_attributes = lambda attrs, _: looks.append(f"{len(paper.text)} {attrs.dim} {attrs.bold}")  # type: ignore[method-assign]
    row = TextRow.of("12 [3] found it", [TextSpan(3, 6, TextStyle.DIM), TextSpan(7, 12, TextStyle.FOUND)])
    above.write_rows([row, TextRow.of("next")], bell=True)
    assert paper.text == "12 [3] found it\nnext\n\a"
    assert looks == ["3 True False", "7 False True"]


def test_a_picture_is_written_as_it_is_and_no_text_is(above: PromptOutput, paper: Paper) -> None:
    above.write_picture([TextRow.of("a\x1b_Grow")], "  \x1b_Ga=T;\x1b\\")
    assert paper.text == "a?_Grow\n  \x1b_Ga=T;\x1b\\\n"


@pytest.mark.parametrize(
    ("look", "depth", "foreground", "background"),
    [
        (Look(0x12AB00, 0xFFFFFF), ColorDepth.TRUE, "12ab00", "ffffff"),
        (Look(16, 231), ColorDepth.INDEXED, "000000", "ffffff"),
        (Look(1, 15), ColorDepth.ANSI, "ansired", "ansiwhite"),
        (Look(bold=True), ColorDepth.NONE, "", ""),
    ],
)
def test_a_look_is_written_in_the_colours_of_the_terminal(
    look: Look, depth: ColorDepth, foreground: str, background: str
) -> None:
    written = attributes(look, depth)
    assert (written.color, written.bgcolor, written.bold) == (foreground, background, look.bold)


URL = "https://example.org/a?b=c"


def linked(*targets: str) -> list[TextRow]:
    return [TextRow.of(f"see {URL} ok", [TextSpan(4, 4 + len(URL), TextStyle.LINK, link=each)]) for each in targets]


def test_a_link_is_one_sequence_around_its_text_with_one_id_on_all_rows(above: PromptOutput, paper: Paper) -> None:
    above.write_rows(linked(URL, URL))
    begin = paper.text.index("\x1b]8;id=sc")
    sequence = paper.text[begin : paper.text.index("\x1b\\", begin) + 2]
    assert sequence.endswith(f";{URL}\x1b\\")
    assert paper.text == f"see {sequence}{URL}\x1b]8;;\x1b\\ ok\n" * 2


@pytest.mark.parametrize(
    "target", ["", "https://a/\x1b\\x", "https://a/\x07", "https://a/ b", "https://é/", "https://a/\x9c"]
)
def test_a_target_that_could_end_the_sequence_is_no_link(above: PromptOutput, paper: Paper, target: str) -> None:
    above.write_rows(linked(target))
    assert paper.text == f"see {URL} ok\n"


def test_where_the_terminal_takes_no_links_there_are_none(paper: Paper) -> None:
    app = Application[None](output=paper, input=DummyInput())
    PromptOutput(app, theme(ThemeName.NONE, ColorDepth.NONE), has_links=False).write_rows(linked(URL))
    assert paper.text == f"see {URL} ok\n"
