"""Text above the prompt: whenever it comes, it is written, once and in order."""

from __future__ import annotations

import asyncio

import pytest
from prompt_toolkit.application import Application
from prompt_toolkit.input import DummyInput
from prompt_toolkit.output import DummyOutput

from securechat.client.terminal.output import PromptOutput
from securechat.client.ui.styled_text import TextRow, TextSpan, TextStyle


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
    return PromptOutput(Application(output=paper, input=DummyInput()))


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
