"""The interactive client where no terminal is needed to see it go wrong."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from securechat.client.core.actions import Action
from securechat.client.core.client import ClientCore
from securechat.client.core.events import MessageShown
from securechat.client.network import ServerTarget
from securechat.client.terminal.app import Terminal
from securechat.client.terminal.output import PromptOutput
from securechat.client.ui.input.password_prompt import PasswordPrompt, PasswordPurpose
from securechat.client.ui.themes import ColorDepth, ThemeName, theme
from securechat.model import FileInfo, Message
from securechat.tls.contexts import ClientContext
from tests.support.core_driver import SECRET

THEME = theme(ThemeName.NONE, ColorDepth.NONE)


def test_a_mistake_over_a_typed_line_becomes_a_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    core = ClientCore(secret=SECRET, jitter=lambda: 0.5, name="ann")
    terminal = Terminal(core, ServerTarget("localhost", 1, ClientContext(ssl.PROTOCOL_TLS_CLIENT)), None, THEME)
    said: list[str] = []

    def fail(_: Action) -> None:
        raise ValueError("over \x1b this")

    monkeypatch.setattr(terminal._network, "want", fail)
    monkeypatch.setattr(terminal, "_say", said.append)
    terminal._typed("hello")
    terminal._network._loop.close()
    assert len(said) == 1
    assert "made a mistake" in said[0]
    assert "ValueError" in said[0]
    assert "\x1b" not in said[0]


SECRET_LINE = "correct horse"


class Typing:
    """A terminal whose keys come from a test, which also says when the prompt hears of what is asked.

    Args:
        terminal: the terminal.
        keys: where keys go in.
    """

    def __init__(self, terminal: Terminal, keys: PipeInput) -> None:
        self.terminal = terminal
        self.keys = keys
        self.session = terminal._session = terminal._new_session()
        self.lines: list[tuple[str, bool]] = []
        self.said: list[str] = []
        self._held: list[Callable[[], None]] = []
        self._steps: list[Callable[[], object]] = []

    def ask(self, dialogue: PasswordPrompt | None = None, *, proving: bool = False) -> None:
        """Ask for a password or, without arguments, for none, as the network's thread does."""
        self.terminal._interaction.prompt, self.terminal._interaction.password_sent = dialogue, proving
        self.terminal._refresh()

    def hold(self, act: Callable[[object], None]) -> None:
        """Keep what the network's thread wants done in the prompt's."""
        self._held.append(lambda: act(self.session.app))

    def heard(self) -> None:
        """Do it."""
        held, self._held = self._held, []
        for act in held:
            act()

    def line(self, *steps: str | Callable[[], object], at_enter: Callable[[], object] = lambda: None) -> str:
        """Read one line, with keys and other things one after another; what the next line begins with is returned."""
        terminal, buffer = self.terminal, self.session.default_buffer
        accept = buffer.accept_handler
        assert accept is not None

        def accepted(_: object) -> bool:
            kept = accept(buffer)
            at_enter()
            return kept

        async def go_on() -> None:
            for step in steps:
                if callable(step):
                    step()
                else:
                    self.keys.send_text(step)
                await asyncio.sleep(0.02)

        def up() -> None:
            Terminal._prompt_is_up(terminal)
            self._going = asyncio.get_running_loop().create_task(go_on())

        terminal._over = False
        buffer.accept_handler = accepted
        terminal.__dict__["_prompt_is_up"] = up
        terminal._read_lines(self.session, PromptOutput(self.session.app, THEME))
        buffer.accept_handler = accept
        return terminal._set_aside

    @property
    def shows(self) -> str:
        """The prompt."""
        return str(self.session.message() if callable(self.session.message) else self.session.message)


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Typing]:
    core = ClientCore(secret=SECRET, jitter=lambda: 0.5, name="ann")
    terminal = Terminal(core, ServerTarget("localhost", 1, ClientContext(ssl.PROTOCOL_TLS_CLIENT)), None, THEME)
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        typing = Typing(terminal, keys)

        def hand_over(line: str) -> None:
            typing.lines.append((line, terminal._hidden))
            terminal._over = True

        monkeypatch.setattr(terminal, "_hand_over", hand_over)
        monkeypatch.setattr(terminal, "_in_prompt", typing.hold)
        monkeypatch.setattr(terminal, "_say", lambda text, _style=None: typing.said.append(text))
        yield typing
    terminal._network._loop.close()


def log_in() -> PasswordPrompt:
    return PasswordPrompt(PasswordPurpose.LOG_IN, "ann")


def test_no_prompt_asks_for_a_password_before_it_hides_what_is_typed(typing: Typing) -> None:
    shown: list[tuple[bool, bool]] = []

    def look() -> None:
        shown.append(("Password" in typing.shows, typing.terminal._hidden))

    typing.line(lambda: typing.ask(log_in()), look, typing.heard, look, SECRET_LINE + "\r")
    assert shown == [(False, False), (True, True)]
    assert typing.lines == [(SECRET_LINE, True)]


def test_a_password_is_not_kept_for_the_next_line_when_its_prompt_hears_late_that_it_is_one(typing: Typing) -> None:
    begun = typing.line(lambda: typing.ask(log_in()), SECRET_LINE + "\r", at_enter=typing.heard)
    assert begun == ""
    assert typing.lines == [(SECRET_LINE, False)]  # it was typed where it showed
    typing.ask()
    typing.line("hello\r")
    assert typing.lines[1:] == [("hello", False)]


def test_a_hidden_line_stays_one_when_the_login_ends_as_it_does(typing: Typing) -> None:
    typing.ask(proving=True)
    begun = typing.line(typing.ask, SECRET_LINE + "\r", at_enter=typing.heard)
    assert typing.lines == [(SECRET_LINE, True)]
    assert begun == ""


@pytest.mark.parametrize("begun", ["correct", "correc\x15", "c\x7f"])
def test_a_hidden_line_stays_one_when_the_login_ends_while_it_is_typed(typing: Typing, begun: str) -> None:
    typing.ask(proving=True)
    typing.line(begun, typing.ask, typing.heard, " horse\r")
    assert [hidden for _, hidden in typing.lines] == [True]
    typing.terminal._typed(typing.lines[0][0], hidden=True)
    assert typing.said == ["Your last line was hidden and was not sent"]
    assert typing.line("hello\r") == ""
    assert typing.lines[1:] == [("hello", False)]


def test_a_hidden_prompt_where_nothing_was_typed_gives_way_at_once_to_what_was_begun(typing: Typing) -> None:
    typing.line("hel", lambda: typing.ask(proving=True), typing.heard, typing.ask, typing.heard, "lo\r")
    assert typing.lines == [("hello", False)]


def test_what_was_cut_out_of_a_hidden_line_cannot_be_put_into_an_open_one(typing: Typing) -> None:
    typing.ask(log_in())
    typing.line(SECRET_LINE + "\x15\r")
    typing.ask()
    typing.line("\x19hello\r")
    assert typing.lines == [("", True), ("hello", False)]


def test_a_picture_stands_below_its_own_row_alone(typing: Typing, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, looked = typing.terminal, list[FileInfo]()
    monkeypatch.setattr(terminal._files, "look", looked.extend)
    photo = FileInfo("ab" * 16, "photo.jpg", 9, "image/jpeg", 4, 3, [240, 320])

    def shown(seq: int, *files: FileInfo) -> MessageShown:
        message = Message(seq, seq - 1, 2, "bob", 0, "hi", "lobby", files=list(files))
        return MessageShown(message, terminal._core.room("lobby"), own=False)

    terminal._look_at_pictures([shown(1), shown(2, photo)])
    assert terminal._last_shown == photo.id
    terminal._last_shown = None
    terminal._look_at_pictures([shown(3, photo), shown(4)])
    assert terminal._last_shown is None, "the last row is another message's: the picture would be taken for its own"
    assert looked == [photo, photo]
