"""One session on a full screen: the network's thread with the state, the screen's thread with the application.

The screen's thread posts what the person did; the network's thread takes it, makes a view at once and hands it over.
After events, and after a typed text, which the screen shows by itself, it makes one when the last view was taken, and
at most `VIEWS_PER_S` times a second, so that a flood of messages leaves the time to the keyboard. Nothing else is
shared.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from securechat.client import outcome
from securechat.client.core import actions, events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.emoji_groups import emoji_groups
from securechat.client.exit_codes import ClientExit
from securechat.client.files.https import FileServer
from securechat.client.files.preview_process import PictureProtocol, PreviewEncoder
from securechat.client.files.previews import ScreenPreviews
from securechat.client.files.session import FileSession, FilesToSave
from securechat.client.files.threads import FileTransfers
from securechat.client.local_store import LocalStore
from securechat.client.network import NetworkThread, ServerTarget
from securechat.client.screen.app import ScreenApp
from securechat.client.screen_choices import ScreenChoices
from securechat.client.server_info import server_info
from securechat.client.tty.png import MOST_BYTES
from securechat.client.ui.input.completion import emoji_words
from securechat.client.ui.input.ui_actions import KeyTable
from securechat.client.ui.rows.rendering import NOTICE_MARK
from securechat.client.ui.screen_model import view as views
from securechat.client.ui.screen_model.state import ScreenState
from securechat.client.ui.settings import AUTO, ClientSettings, settings_theme
from securechat.client.unsent_recorder import UnsentRecorder
from securechat.model import Deleted
from securechat.net.timers import Timer
from securechat.text.sanitize import one_line
from securechat.translation import translated

VIEWS_PER_S = 12
"""Most views after events and while a text is typed: as often as a list can be read while it moves, and a list of 36
rows that are all new takes less than 64 KiB a second."""
STORE_S = 1.0
"""Between a change of what is unsent and its file: less than a person would mind to type again."""
SWITCH_S = 0.001
"""Between two switches of threads; Python's own are 5 ms."""
_SETTLED = (events.RoomJoined, events.ConnectionLost)
"""The start has come to something: what is said now is not pushed away by its notices."""
_TYPED = (views.TypedText, views.KeyTyped, views.FocusChanged, views.FrameShown)
"""Inputs that are on the screen already, or change little there; each view leads to a `FrameShown`."""
END_S = 5.0
"""Time for the network's thread to end when the screen has."""


class ScreenSession:
    """A session with a screen; see this module.

    Args:
        core: a core that has not started, with Visibility.REPORTED.
        server_target: the server.
        login: the default name when the user is asked for one.
        local_store: where unsent texts are kept; None to keep none.
        settings: as the user has them.
        notes: sentences of the start, to be shown once.
    """

    def __init__(
        self,
        core: ClientCore,
        server_target: ServerTarget,
        login: str | None,
        local_store: LocalStore | None = None,
        settings: ClientSettings | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self._notes = notes
        self._network = NetworkThread(core, server_target, self._on_ui_events)
        self._server_target = server_target
        where = (server_target.host, server_target.port, server_target.ca_pem)
        self._unsent = UnsentRecorder(local_store, *where)
        self._choices = ScreenChoices(local_store, *where, settings or ClientSettings())
        self._settings = settings = self._choices.settings
        keys = KeyTable(settings.keys)
        self._state = ScreenState(
            core,
            self._network.want,
            lambda: self._network.now,
            keys,
            context=server_target.context,
            server=server_info(server_target),
            settings=settings,
            emoji=emoji_words(emoji_groups()),
            history=self._choices.history,
            default_name=login,
        )
        transfers = FileTransfers(FileServer(*where), self._network.post)
        self._files = FileSession(
            core,
            self._network,
            transfers,
            self._say,
            changed=self._tell_progress,
            preview_came=lambda file_id, data: self._previews.came(file_id, data),  # noqa: PLW0108 - there is none yet
            most_preview_bytes=MOST_BYTES,
            saved=self._tell_saved,
        )
        self._app = ScreenApp(self._take_soon, keys, settings_theme(settings, os.environ), settings)
        self._previews = ScreenPreviews(
            self._files.look_at,
            PreviewEncoder(self._network.post),
            self._app.painter,
            lambda: self._app.in_screen(self._app.write_frame),
            lambda: self._network.now,
            self._network.call_later,
        )
        self._app.ended = self._leave
        self._app.erased = lambda: self._network.post(self._previews.erased)
        self._exit = ClientExit.OK
        self._last_words: str | None = None
        self._timer: Timer | None = None
        self._made_at = float("-inf")
        self._own = 0
        self._soon = self._started = self._is_settled = False
        self._storing: Timer | None = None
        self._keeping: Timer | None = None

    def run(self) -> int:
        """Chat until the user leaves or the server ends it; returns the exit code."""
        interval_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)  # a key passes three threads, and each may wait for the network's that long
        try:
            self._app.started = self._start
            self._app.run()
        finally:
            sys.setswitchinterval(interval_s)
            gc.unfreeze()
            if self._started:
                self._app.flush_typed()
                self._network.act(actions.LeaveChat(0.0))
                if self._network.wait(END_S):  # its thread has ended, so the state is ours
                    self._state.give_back_all()
                    self._store_unsent()
                    self._keep()
                self._files.finish()
        for failure in (self._app.failure, self._network.failure):
            if failure is not None:
                raise failure
        if self._last_words:
            with contextlib.suppress(OSError):  # the terminal is gone
                sys.stderr.write(f"{NOTICE_MARK}{one_line(self._last_words)}\n")
        return self._exit

    # --- the screen's thread

    def _start(self) -> None:
        """Connect, and choose the theme, once there is a screen."""
        self._started = True
        gc.freeze()  # what is there stays: a collection would look at it for 25 ms each time, and hold up every thread
        self._network.start()
        if self._settings.theme == AUTO:
            self._app.answers.ask_background(
                lambda background: self._app.use_theme(settings_theme(self._settings, os.environ, background))
            )
        if self._settings.pictures != "off":
            protocol = PictureProtocol(self._settings.pictures)
            self._app.answers.ask_pictures(
                protocol,
                lambda cell: self._network.post(partial(self._previews.use, protocol, cell)),
                lambda why: self._network.post(partial(self._say_settled, why)),
            )

    def _take_soon(self, screen_input: views.ScreenInput) -> None:
        self._network.post(partial(self._take, screen_input))

    def _leave(self, _number: int) -> None:
        """Leave at once: the terminal is closed, or a signal says so."""
        self._exit = ClientExit.TERMINATED
        self._app.flush_typed()
        self._network.act(actions.LeaveChat(0.0))
        self._app.set_timer(END_S, self._app.exit)

    # --- the network's thread

    def _take(self, screen_input: views.ScreenInput) -> None:
        self._do(self._state.take(screen_input))
        if isinstance(screen_input, _TYPED):
            self._show_in_turn()
        else:
            self._show()

    def _on_ui_events(self, ui_events: Sequence[UiEvent]) -> None:
        for ui_event in ui_events:
            self._files.note(ui_event)
            match ui_event:
                case events.MessageChanged(Deleted() as change):
                    self._previews.forget(change.target)
                case events.MessagesPurged() | events.HistoryReset():
                    self._previews.forget()
                case events.ClientEnded():
                    self._ended(ui_event)
                case events.LoggedIn():
                    self._state.encryption_is(self._network.tls_version)
                    self._say(self._unsent.read(ui_event.me.name, self._state.use_unsent))
        self._do(self._state.note(ui_events))
        if any(isinstance(ui_event, _SETTLED) for ui_event in ui_events):
            self._is_settled = True
            self._say_notes()
        if not ui_events:  # the last call of the network's thread
            self._app.in_screen(self._app.exit)
        else:
            self._show_in_turn()

    def _show_in_turn(self) -> None:
        if not self._soon:
            self._show_by(max(self._network.now, self._made_at + 1 / VIEWS_PER_S))

    def _show_by(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._soon = True
        self._timer = self._network.call_later(max(0.0, when - self._network.now), self._show_if_taken)

    def _show_if_taken(self) -> None:
        self._timer = None
        if self._app.has_untaken_view:
            self._show_by(self._network.now + 1 / VIEWS_PER_S)
        else:
            self._made_at = self._network.now  # those after inputs do not count: what an input asked for comes at once
            self._show()

    def _show(self) -> None:
        """Make a view now, and another one when it changes by itself."""
        view = self._state.view()
        self._app.show_soon(replace(view, taken=view.taken - self._own))
        self._previews.show(view.pictures)
        self._do(self._state.note(()))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (deadline := self._state.deadline()) is not None:
            self._show_by(deadline)
        self._soon = False

    def _ended(self, ended: events.ClientEnded) -> None:
        code, self._last_words = outcome.of_end(ended, self._server_target.host, self._server_target.port)
        if self._exit is ClientExit.OK:
            self._exit = code

    def _do(self, requests: Sequence[views.ShellRequest]) -> None:
        for request in requests:
            match request:
                case views.SendFiles() | views.SaveFiles() | views.OpenSavedFile() | views.EndTransfers():
                    self._move(request)
                case views.KeepLanguage(code):
                    if why := self._network.keep_language(code):
                        self._say(translated(why))
                case views.StoreUnsent():
                    if self._storing is None:
                        self._storing = self._network.call_later(STORE_S, self._store_unsent)
                case views.AddHistory() | views.KeepSetting():
                    if self._choices.take(request) and self._keeping is None:
                        self._keeping = self._network.call_later(STORE_S, self._keep)
                case views.LeaveScreen():
                    self._app.in_screen(self._app.exit)
                case _:
                    self._app.in_screen(partial(self._app.request, request))

    def _move(self, request: views.ShellRequest) -> None:
        match request:
            case views.SendFiles(files):
                self._files.send(files)
            case views.SaveFiles(files):
                self._files.save(files)
            case views.OpenSavedFile(file, path) if not Path(path).exists():
                self._files.save(FilesToSave((file,)))
            case views.OpenSavedFile():
                self._app.in_screen(partial(self._app.request, request))
            case views.EndTransfers():
                self._files.cancel()

    def _keep(self) -> None:
        self._keeping = None
        self._say(self._choices.store())

    def _store_unsent(self) -> None:
        self._storing = None
        self._say(self._unsent.write(self._state.unsent.all()))

    def _say_notes(self) -> None:
        notes, self._notes = self._notes, ()
        for sentence in notes:
            self._say(sentence)

    def _say(self, sentence: str) -> None:
        if sentence:
            self._take_own(views.ShowSentence(one_line(sentence)))

    def _say_settled(self, sentence: str) -> None:
        """Say something that is not to go away when the first conversation opens."""
        if self._is_settled:
            self._say(sentence)
        else:
            self._notes = (*self._notes, sentence)

    def _tell_progress(self) -> None:
        self._take_own(views.TransferProgress(self._files.progress))

    def _tell_saved(self, file_id: str, path: Path) -> None:
        self._take_own(views.FileSaved(file_id, str(path.resolve())))

    def _take_own(self, screen_input: views.ScreenInput) -> None:
        """Take what the screen did not post, and does not count."""
        self._own += 1
        self._take(screen_input)
