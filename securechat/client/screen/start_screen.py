"""The screen of the first start: a form, tried until it is taken, on a thread of its own that may use the network."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping

from securechat.client.screen.app import ScreenApp
from securechat.client.ui import screen_view as views
from securechat.client.ui.start_form import StartForm
from securechat.client.ui.themes import ThemeName, color_depth, theme, theme_on
from securechat.client.ui.ui_actions import KeyTable

Attempt = Callable[[Mapping[str, str]], tuple[str, str] | None]
"""Tries an answer: returns the field that is wrong and why, None where it is taken."""


class StartScreen:
    """Shows the form.

    Args:
        form: its state, which belongs to the screen's thread.
        attempt: called on another thread, with the values of the fields.
    """

    def __init__(self, form: StartForm, attempt: Attempt) -> None:
        self._form = form
        self._attempt = attempt
        self._depth = color_depth(os.environ)
        self._is_taken = False
        self._app = ScreenApp(self._take, KeyTable(), theme(ThemeName.DARK, self._depth))
        self._app.started = lambda: self._app.ask_background(
            lambda background: self._app.use_theme(theme(theme_on(background), self._depth))
        )

    def run(self) -> bool:
        """Ask until an answer is taken; False where the user leaves."""
        self._app.run()
        if self._app.failure is not None:
            raise self._app.failure
        return self._is_taken

    def _take(self, screen_input: views.ScreenInput) -> None:
        self._form.taken += 1
        match screen_input:
            case views.ScreenResized(columns, rows):
                self._form.columns, self._form.rows = columns, rows
            case views.AnswerForm(values) if not self._form.busy:
                self._form.busy = True
                threading.Thread(target=self._try, args=(values,), name="start", daemon=True).start()
            case views.CloseOverlay() | views.RunAction("interrupt" | "leave"):
                self._app.exit()
        self._app.show_soon(self._form.view())

    def _try(self, values: Mapping[str, str]) -> None:
        refused = self._attempt(values)
        self._app.in_screen(lambda: self._tried(values, refused))

    def _tried(self, values: Mapping[str, str], refused: tuple[str, str] | None) -> None:
        self._form.busy = False
        if refused is None:
            self._is_taken = True
            self._app.exit()
        else:
            self._form.refuse(values, *refused)
            self._app.show_soon(self._form.view())
