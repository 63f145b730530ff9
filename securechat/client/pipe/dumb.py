"""The chat at a terminal that can do nothing but lines (TERM=dumb): an editor's shell, a log, a braille display.

It shows the same rows as the line editor (client/ui/rows/session_rows.py) and asks the same questions. What it lacks is
colour, redrawing and completion: the terminal itself edits and shows what is typed, and its echo is off while a
password is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Sequence

from securechat.client import catalogue
from securechat.client.catalogue.help_pages import usage
from securechat.client.core import actions, events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.echo import EchoControl
from securechat.client.exit_codes import ClientExit
from securechat.client.link_opening import open_link
from securechat.client.network import ServerTarget
from securechat.client.pipe.files import pipe_files
from securechat.client.pipe.pipes import WAIT_S, PipeSend
from securechat.client.ui.interaction import InputResult, Interaction
from securechat.client.ui.rows.session_rows import GATHER_S, ServerAddress, SessionRows, rings
from securechat.text.sanitize import one_line
from securechat.translation import translated

FALLBACK_SIZE = (80, 24)
"""Columns and rows of a terminal that does not tell (a VT100's)."""


class DumbTerminal(PipeSend):
    """Chats at a simple terminal; ``reader`` as of `SessionRows`."""

    def __init__(
        self,
        core: ClientCore,
        server_target: ServerTarget,
        room: str,
        *,
        wait_s: float = WAIT_S,
        reader: bool = False,
    ) -> None:
        super().__init__(core, server_target, room, wait_s=wait_s)
        self._echo_control = EchoControl()
        server = ServerAddress(server_target.host, server_target.port, server_target.ca)
        self._rows = SessionRows(core, server, reader=reader)
        self._gathering = False
        self._files = pipe_files(self, server_target, announce=True, patience_s=None)
        self._interaction = Interaction(core, self._rows.messages.numbers, server_target.context)

    # --- the session --------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Leave the terminal with its echo however the program ends."""
        self._echo_control.restore_on_signals()
        if (number := getattr(signal, "SIGHUP", None)) is not None:
            signal.signal(number, self._signalled)
        self.network.post(self._greet)
        super().begin()

    def _greet(self) -> None:
        for row in self._rows.connecting(self._columns()):
            self.put(row)

    def restore(self) -> None:
        """Turn the terminal's echo on again."""
        self._echo_control.off()

    def ended(self) -> None:
        """Take back what was not sent."""
        self._files.finish()

    def worsen(self, code: ClientExit) -> None:
        """A refused line is no reason for another exit code: the user sees it, and ends the chat by leaving it."""
        if code is not ClientExit.MESSAGE_REFUSED:
            super().worsen(code)

    @property
    def busy(self) -> bool:
        """Whether files are on their way."""
        return self._files.busy

    # --- what is typed ------------------------------------------------------------------------------------------------

    def pull(self) -> None:
        """Read lines; if a name or a password is asked for, before login or later, the next line is the answer."""
        while True:
            self._answer_questions()
            super().pull()
            if not self.asks or self._lines.empty():
                return

    @property
    def asks(self) -> bool:
        """Whether the next line is an answer."""
        return self._interaction.asks

    def _answer_questions(self) -> None:
        while (self.asks or self._interaction.hides_input) and not self._lines.empty():
            if (typed := self._lines.get_nowait()) is None:
                self._interaction.give_up()
                self.network.want(actions.LeaveChat(0.0))
            elif typed.problem:
                self.notice(typed.problem)
            else:
                self._take(typed.text)

    def say(self, line: str) -> None:
        """Carry out a line. An exception is contained, or the rest of a paste would go to the shell."""
        try:
            self._take(line)
        except Exception as error:  # noqa: BLE001 - told to the user, who decides whether to go on
            self.notice(catalogue.connection.mistake(one_line(repr(error))))

    def _take(self, line: str) -> None:
        """Do what a line means, and ask the next question."""
        hidden = self._interaction.hides_input or self._interaction.replaces_password
        prompted = self._interaction.prompt is not None
        if hidden:
            sys.stderr.write("\n")
        asked = self.asks
        result = self._interaction.take(line, hidden=hidden)
        self._hide_or_show()
        if result.notice:
            self.notice(result.notice)
        if result.language and (why := self.network.keep_language(result.language)):
            self.notice(catalogue.language.not_kept(one_line(translated(why))))
        if result.prefill and not result.refused:
            self.notice(usage("/edit"))
        answered = self._interaction.asks_name and result.notice and not result.action
        if self.asks and (prompted or not asked or answered or self._interaction.asks_held):
            self._show_question()
        self._carry_out(result)

    def _carry_out(self, result: InputResult) -> None:
        for written in result.lines:
            self.put(written)
        if result.copy:
            self.notice(catalogue.links.NO_CLIPBOARD())
        if result.open:
            self._open(result.open)
        if result.action is not None:
            self.network.want(result.action)
        if result.send is not None:
            self._files.send(result.send)
        if result.save is not None:
            self._files.save(result.save)

    def _open(self, link: str) -> None:
        def done(opened: bool) -> None:
            said = catalogue.links.opened(link) if opened else catalogue.links.NO_BROWSER()
            self.network.post(lambda: self.notice(said))

        open_link(link, os.environ, done)

    def _hide_or_show(self) -> None:
        """Turn the echo off as long as what is typed is a password, or may be one that the server has not judged."""
        if self._interaction.hides_input:
            self._echo_control.on()
        else:
            self._echo_control.off()

    def _show_question(self) -> None:
        self._hide_or_show()
        prompt = self._interaction.prompt
        held = catalogue.accounts.HELD_PROMPT() if self._interaction.asks_held else catalogue.connection.NAME_PROMPT()
        sys.stderr.write(prompt.question if prompt is not None else held)
        sys.stderr.flush()

    # --- what is shown ------------------------------------------------------------------------------------------------

    def on_ui_events(self, ui_events: Sequence[UiEvent]) -> None:
        """Follow the files, ring, and gather reactions."""
        for ui_event in ui_events:
            self._files.note(ui_event)
        super().on_ui_events(ui_events)
        if any(map(rings, ui_events)):
            self._ring()
        if self._rows.messages.gathering and not self._gathering:
            self._gathering = True
            self.network.call_later(GATHER_S, self._tell_reactions)

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone
            sys.stdout.write("\a")
            sys.stdout.flush()

    def _tell_reactions(self) -> None:
        self._gathering = False
        for row in self._rows.messages.gathered(self._columns()):
            self.put(row)

    def on_ui_event(self, ui_event: UiEvent) -> None:
        """Show also what a script learns from its exit code or the progress."""
        super().on_ui_event(ui_event)
        if isinstance(ui_event, events.RateLimited):
            self.tell(ui_event)

    def otherwise(self, ui_event: UiEvent) -> None:
        """Show an event, and ask what it asks for."""
        asked = self.asks
        self._interaction.note(ui_event)
        self.tell(ui_event)
        if self.asks and not asked:
            self._show_question()
        else:
            self._hide_or_show()

    def tell(self, ui_event: UiEvent) -> None:
        """Write the rows of an event."""
        for row in self._rows.rows(ui_event, self._columns()):
            self.put(row)

    def tell_of_line(self, ui_event: UiEvent, number: int | None) -> None:
        """Lines have no numbers here."""
        del number
        self.tell(ui_event)

    def tell_rest(self) -> None:
        """Lines typed after the end are nothing that was to be sent."""

    def notice(self, text: str) -> None:
        """Write a notice, wrapped."""
        for row in self._rows.messages.notice(text, self._columns()):
            self.put(row)

    def name_refused(self, event: events.NameRefused) -> None:
        """Ask again."""
        self._ask_by(event)

    def name_kept(self, event: events.NameKept) -> None:
        """Wait as long as the server says: another name can be given with /nick."""
        self.tell(event)

    def login_delayed(self, event: events.LoginDelayed) -> None:
        """Wait until the user leaves."""
        self.tell(event)

    def password_needed(self, event: events.PasswordNeeded) -> None:
        """Ask for the password."""
        self._ask_by(event)

    def password_temporary(self, event: events.PasswordTemporary) -> None:
        """Ask for the new password."""
        self._ask_by(event)

    def _ask_by(self, ui_event: UiEvent) -> None:
        self.tell(ui_event)
        self._interaction.note(ui_event)
        self._show_question()

    @staticmethod
    def _columns() -> int:
        return shutil.get_terminal_size(FALLBACK_SIZE).columns
