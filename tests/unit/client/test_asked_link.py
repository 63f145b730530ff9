"""An invite link that is pasted at a prompt: what is wrong is said, and it is asked for again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from securechat.cli import chat
from securechat.client import catalogue
from securechat.client.connection_plan import StartupError
from securechat.invite_link import SCHEME, InviteLink, format_link

LINK = InviteLink("chat.example.org", 8443, "0" * 32, "sha256:" + "a" * 64, once=True)
WHOLE = format_link(LINK)


class Prompts:
    """A user who answers with these lines, and then with nothing."""

    def __init__(self, lines: list[str]) -> None:
        self.asked: list[str] = []
        self._lines: Iterator[str] = iter(lines)

    def ask(self, prompt: str) -> str:
        self.asked.append(prompt)
        return next(self._lines, "")


def at(monkeypatch: pytest.MonkeyPatch, *lines: str, terminal: bool = True) -> Prompts:
    prompts = Prompts(list(lines))
    monkeypatch.setattr(chat, "_ask", prompts.ask)
    monkeypatch.setattr(chat, "_is_terminal", lambda _: terminal)
    return prompts


@pytest.mark.parametrize(
    "lines",
    [
        (WHOLE,),
        ("hello", WHOLE),
        ("hello", "again", SCHEME, WHOLE),
        (WHOLE[:40], WHOLE[40:]),
        (WHOLE[:40], WHOLE),
        (WHOLE[:40], "rubbish, not the rest", WHOLE),
    ],
    ids=["at once", "after one", "after three", "in two parts", "whole after a part", "after a wrong part"],
)
def test_a_bad_link_is_asked_for_again(monkeypatch: pytest.MonkeyPatch, lines: tuple[str, ...]) -> None:
    at(monkeypatch, *lines)
    assert chat._asked_link() == LINK


def test_what_is_wrong_is_said_before_it_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = at(monkeypatch, "hello", WHOLE[:40], WHOLE[40:])
    chat._asked_link()
    first, second = capsys.readouterr().err.splitlines()
    assert "This is no invite link" in first
    assert "The link is cut off" in second
    link, rest = catalogue.accounts.LINK_PROMPT(), catalogue.accounts.REST_PROMPT()
    assert prompts.asked == [link, link, rest]


def test_it_is_not_asked_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = at(monkeypatch, *["hello"] * 100)
    with pytest.raises(StartupError, match="This is no invite link"):
        chat._asked_link()
    assert len(prompts.asked) == 5


def test_a_script_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = at(monkeypatch, "hello", WHOLE, terminal=False)
    with pytest.raises(StartupError, match="This is no invite link"):
        chat._asked_link()
    assert len(prompts.asked) == 1


def test_an_empty_line_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, "")
    with pytest.raises(StartupError, match=catalogue.accounts.NO_LINK()):
        chat._asked_link()
