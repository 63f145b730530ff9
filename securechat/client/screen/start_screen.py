"""The screen of the first start: a form, tried until it is taken, on a thread of its own that may use the network."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping

from securechat.client.screen.app import ScreenApp
from securechat.client.ui.input.ui_actions import KeyTable
from securechat.client.ui.screen_model import view as views
from securechat.client.ui.screen_model.start_form import (
    Start,
    StartComparison,
    StartForm,
    StartRefused,
    StartResult,
    StartTaken,
)
from securechat.client.ui.settings import AUTO, ClientSettings, settings_theme


class StartScreen:
    """Shows the form.

    Args:
        form: its state, which belongs to the screen's thread.
        attempt: tries an answer, the values of the fields, on another thread.
        settings: as the user has them.
    """

    def __init__(self, form: StartForm, attempt: Start, settings: ClientSettings) -> None:
        self._form, self._attempt = form, attempt
        self._is_taken = False
        self._failure: BaseException | None = None
        self._app = ScreenApp(self._take, KeyTable(settings.keys), settings_theme(settings, os.environ), settings)
        if settings.theme == AUTO:
            self._app.started = lambda: self._app.answers.ask_background(
                lambda background: self._app.use_theme(settings_theme(settings, os.environ, background))
            )

    def run(self) -> bool:
        """Ask until an answer is taken; False where the user leaves."""
        self._app.run()
        if (failure := self._app.failure or self._failure) is not None:
            raise failure
        return self._is_taken

    def _take(self, screen_input: views.ScreenInput) -> None:
        form = self._form
        form.taken += 1
        match screen_input:
            case views.ScreenResized(columns, rows):
                form.columns, form.rows = columns, rows
            case views.CloseOverlay() if form.busy or not form.back():
                self._app.exit()
            case views.RunAction("interrupt" | "leave"):
                self._app.exit()
            case views.MoveSelection():
                form.move(screen_input)
            case views.ChooseItem() if not form.busy:
                self._begin(form.choose())
            case views.ClickRow(views.ItemTarget(index)) if not form.busy:
                self._begin(form.choose(index))
            case views.AnswerForm(values) if not form.busy:
                self._begin(form.answer(values))
        self._app.show_soon(form.view())

    def _begin(self, values: Mapping[str, str] | None) -> None:
        if values is not None:
            self._form.busy = True
            threading.Thread(target=self._try, args=(values,), name="start", daemon=True).start()

    def _try(self, values: Mapping[str, str]) -> None:
        try:
            result = self._attempt(values)
            self._app.in_screen(lambda: self._tried(values, result))
        except BaseException as error:  # noqa: BLE001 - passed to the main thread, which ends the process with it
            self._failure = error
            self._app.in_screen(self._app.exit)

    def _tried(self, values: Mapping[str, str], result: StartResult) -> None:
        self._form.busy = False
        match result:
            case StartTaken():
                self._is_taken = True
                self._app.exit()
            case StartRefused(field, sentence):
                self._form.refuse(values, field, sentence)
            case StartComparison(shown):
                self._form.compare(values, shown)
        self._app.show_soon(self._form.view())
