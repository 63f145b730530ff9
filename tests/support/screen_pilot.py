"""The application of the screen with a whole state and a model server behind it, and a terminal emulator before it.

Everything between a key and a cell is the product's: `ScreenApp`, `ScreenState`, the strips, the painter, the bytes.
All of it runs in one thread, so that nothing waits for time: `PilotScreen.settle` returns when all has been taken and
drawn. What the shell would ask of the system, such as to open a link, is kept instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from unittest.mock import patch

import pyte
from msgspec.structs import replace

from securechat.client.core.state import ConnectionPhase
from securechat.client.screen.app import ScreenApp
from securechat.client.screen.toolkit import PastedText, events
from securechat.client.ui.input.hidden_answer import HiddenAnswer
from securechat.client.ui.input.ui_actions import KeyTable
from securechat.client.ui.screen_model import view as views
from securechat.client.ui.themes import ColorDepth, Theme, ThemeName, theme
from tests.support.event_loops import without_running_loop
from tests.support.screen_rig import ScreenRig
from tests.support.terminal_looks import DimEmulator, rows_of

Play = Callable[["PilotScreen"], Awaitable[None]]

_NAMES = {"+": "plus", ">": "greater_than_sign", "?": "question_mark", "/": "slash", " ": "space"}
_SESSIONS = (
    views.SendFiles | views.SaveFiles | views.OpenSavedFile | views.EndTransfers | views.KeepLanguage,
    views.StoreUnsent | views.AddHistory | views.KeepSetting | views.LeaveScreen,
)
"""Requests that screen/session.py takes before the application does."""


class PilotScreen:
    """A screen that a test drives by keys.

    Args:
        rig: the state, and what happens around it.
        look: the theme.

    Attributes:
        inputs: what the application posted.
        requests: what the state asked of the shell since.
        written: all that went to the terminal.
        edited: what the editor was given, and what it gives back.
        opened: links that were given to the system.
    """

    def __init__(self, rig: ScreenRig, look: Theme | None = None) -> None:
        self.rig = rig
        self.inputs: list[views.ScreenInput] = []
        self.requests: list[views.ShellRequest] = []
        self.written = ""
        self.opened: list[str] = []
        self.edited: list[str] = []
        self.edits_to = "from the editor"
        self.app = ScreenApp(self._take, KeyTable(), look or theme(ThemeName.DARK, ColorDepth.TRUE))
        self._terminal = DimEmulator(80, 24)
        self._stream = pyte.Stream(self._terminal)
        self._unseen: list[str] = []
        self._pilot: Any = None

    # --- for the test

    async def press(self, *keys: str) -> None:
        """Press keys, as the table of actions names them."""
        for key in keys:
            self.app._driver.send_message(key_event(key))  # type: ignore[union-attr]
        await self.settle()

    async def type(self, text: str) -> None:
        """Type a text of letters, digits and signs."""
        await self.press(*text)

    async def paste(self, text: str) -> None:
        """Paste a text into what has the keys."""
        self.app.post_message(PastedText(text, len(text)))
        await self.settle()

    async def command(self, line: str) -> None:
        """Write a line in the empty composer and press Enter."""
        await self.paste(line)
        await self.press("Escape") if self.app._completions else None
        await self.press("Enter")

    async def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self.terminal.resize(rows, columns)
        await self._pilot.resize_terminal(columns, rows)
        await self.settle()

    async def settle(self) -> None:
        """Wait until everything is taken and drawn."""
        while True:
            await self._pilot._wait_for_screen()
            if not (self.app.has_untaken_view or self.app._held):
                break
        self.app.screen._on_timer_update()
        await self._pilot._wait_for_screen()
        if text := self.app.painter.take(sys.maxsize):
            self._write(text)  # as the thread that writes does after each sequence

    async def use(self, rig: ScreenRig) -> None:
        """Show another state, as if nothing had been typed yet."""
        self.rig = rig
        for taken in (self.inputs, self.requests, self.opened, self.edited):
            taken.clear()
        self.written = ""
        app = self.app
        app._posted = app._awaited = app._typed_at = 0
        app._revision, app._typed, app._left_completion = -1, None, ""
        app._answer = HiddenAnswer()
        app.composer.buffer.replace("")
        self._take(views.ScreenResized(app.size.width, app.size.height))
        app._posted = 1
        await self.settle()

    async def show(self) -> None:
        """Show what has happened around the screen."""
        self.app.show_soon(self._view())
        await self.settle()

    @property
    def view(self) -> views.ScreenView:
        """The view that is on the screen."""
        return self.app.view

    @property
    def text(self) -> str:
        """The text in the composer."""
        return self.app.composer.buffer.text

    @property
    def terminal(self) -> DimEmulator:
        """The terminal, which has shown all that was written."""
        unseen, self._unseen = "".join(self._unseen), []
        self._stream.feed(unseen)
        return self._terminal

    @property
    def rows(self) -> list[str]:
        """What the terminal shows."""
        return rows_of(self.terminal)

    # --- as session.py

    def _take(self, screen_input: views.ScreenInput) -> None:
        self.inputs.append(screen_input)
        before = len(self.rig.requests)
        self.rig.take(screen_input)
        if self.rig.core.phase is ConnectionPhase.ONLINE:
            self.rig.pump()
        for request in self.rig.requests[before:]:
            self.requests.append(request)
            if not isinstance(request, _SESSIONS):
                self.app.call_later(self.app.request, request)
        self.app.show_soon(self._view())

    def _view(self) -> views.ScreenView:
        return replace(self.rig.view, taken=len(self.inputs))  # the rig takes inputs of its own

    def _write(self, data: str) -> None:
        self.written += data
        self._unseen.append(data)

    @contextlib.contextmanager
    def _system(self) -> Iterator[None]:
        def open_link(link: str, _env: object, _tell: object) -> None:
            self.opened.append(link)

        def edited(text: str, _env: object) -> str:
            self.edited.append(text)
            return self.edits_to

        app = "securechat.client.screen.app"
        with patch(f"{app}.open_link", open_link), patch(f"{app}.edited", edited):
            yield

    async def _run(self, play: Play, size: tuple[int, int]) -> None:
        self.terminal.resize(size[1], size[0])
        async with self.app.run_test(size=size) as self._pilot:
            self.app._driver.write = self._write  # type: ignore[union-attr, method-assign]
            self.app.suspend = contextlib.nullcontext  # type: ignore[assignment]
            self.app.redraw()
            await self.settle()
            await play(self)

    def run(self, play: Play, size: tuple[int, int] = (80, 24)) -> None:
        """Run the application until ``play`` returns."""
        with self._system(), without_running_loop():
            asyncio.run(self._run(play, size))


class SharedScreen:
    """One application for many tests, since its start takes longer than most of them; each has a state of its own.

    Args:
        size: columns and rows of the terminal.
    """

    def __init__(self, size: tuple[int, int] = (80, 24)) -> None:
        self._loop = asyncio.new_event_loop()
        self._size = size
        self._plays: asyncio.Queue[tuple[Play, asyncio.Future[None]] | None] = asyncio.Queue()
        self._screen: PilotScreen | None = None
        self._task: asyncio.Task[None] | None = None

    def run(self, rig: ScreenRig, play: Play) -> None:
        """Run ``play`` with a screen that shows a state."""
        with without_running_loop():  # that of a browser's tests, which is suspended beneath these
            self._loop.run_until_complete(self._play(rig, play))

    def close(self) -> None:
        """End the application."""
        if self._task is not None and not self._task.done():
            self._plays.put_nowait(None)
            with without_running_loop():
                self._loop.run_until_complete(self._task)
        self._loop.close()

    async def _play(self, rig: ScreenRig, play: Play) -> None:
        if self._task is None or self._task.done():
            self._screen = PilotScreen(rig)
            self._task = asyncio.create_task(self._serve(self._screen))

        async def begin(screen: PilotScreen) -> None:
            if screen.rig is not rig:
                await screen.use(rig)
            await play(screen)

        done: asyncio.Future[None] = self._loop.create_future()
        self._plays.put_nowait((begin, done))
        await asyncio.wait({done, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            await self._task  # the application has ended: with its failure
        await done

    async def _serve(self, screen: PilotScreen) -> None:
        async def take(screen: PilotScreen) -> None:
            while (taken := await self._plays.get()) is not None:
                play, done = taken
                try:
                    await play(screen)
                except BaseException as error:  # noqa: BLE001 - it is the test's
                    done.set_exception(error)
                else:
                    done.set_result(None)

        with screen._system():
            await screen._run(take, self._size)


def key_event(key: str) -> events.Key:
    """Return the toolkit's event of a key, by its name in the table of actions."""
    if len(key) == 1:
        return events.Key(_NAMES.get(key, key), key)
    *modifiers, name = key.split("+")
    return events.Key("+".join([*modifiers, name]).lower(), "\r" if key == "Enter" else None)
