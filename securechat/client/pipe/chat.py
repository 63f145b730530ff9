"""The chat without a prompt: lines in, lines out, in a pipe or on a simple terminal.

In a pipe every line is a message as it stands, because a log or another program's output is no list of commands;
``--commands`` obeys them. At a terminal lines are parsed as in the interactive client. Only there is the user asked for
a name or a password, and only there do numbers stand beside the messages: scripts read names and texts.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from securechat.client import catalogue
from securechat.client.catalogue.help_pages import usage
from securechat.client.catalogue.translation import refusal_sentence
from securechat.client.core import actions, events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.core.state import ConversationId
from securechat.client.echo import EchoControl
from securechat.client.exit_codes import ClientExit
from securechat.client.network import ServerTarget
from securechat.client.pipe.files import pipe_files
from securechat.client.pipe.pipes import STALLED_S, WAIT_S, PipeSend
from securechat.client.ui.event_rows import MessageRows, before_history
from securechat.client.ui.interaction import PASSWORD_ANSWERS, Interaction
from securechat.client.ui.rendering import change_line, elsewhere, file_tail_line, tail_line
from securechat.model import Message
from securechat.text.sanitize import one_line
from securechat.translation import translated


class PipeChat(PipeSend):
    """Chats without a prompt, in a pipe or on a simple terminal.

    Args:
        echo: whether the terminal echoes input, so that one's own lines need not be shown again.
        commands: whether lines may be commands; else each is a message as it stands.
    """

    def __init__(
        self,
        core: ClientCore,
        server_target: ServerTarget,
        room: str,
        *,
        echo: bool,
        commands: bool,
        wait_s: float = WAIT_S,
    ) -> None:
        super().__init__(core, server_target, room, wait_s=wait_s)
        self._echo = echo
        self._commands = commands
        self._echo_control = EchoControl()
        self._shown = MessageRows(core)
        self._files = pipe_files(self, server_target, announce=True, patience_s=None if echo else STALLED_S)
        self._interaction = Interaction(core, self._shown.numbers, server_target.context, can_hide=echo)

    def begin(self) -> None:
        """At a terminal, leave it with its echo however the program ends."""
        if self._echo:
            self._echo_control.restore_on_signals()
            if (number := getattr(signal, "SIGHUP", None)) is not None:
                signal.signal(number, self._signalled)
        super().begin()

    def restore(self) -> None:
        """Turn the terminal's echo on again."""
        self._echo_control.off()

    def ended(self) -> None:
        """Take back what was not sent."""
        self._files.finish()

    def pull(self) -> None:
        """Read lines; if a name or a password is asked for, before login or later, the next line is the answer."""
        while True:
            self._answer_questions()
            super().pull()
            if not self.asks or self._lines.empty():
                return

    @property
    def busy(self) -> bool:
        """Whether files are on their way."""
        return self._files.busy

    def on_ui_events(self, ui_events: Sequence[UiEvent]) -> None:
        """Follow the files, too."""
        for ui_event in ui_events:
            self._files.note(ui_event)
        super().on_ui_events(ui_events)

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

    def name_refused(self, event: events.NameRefused) -> None:
        """At a terminal, ask again."""
        if self._echo:
            self.notice(catalogue.connection.name_refused(one_line(event.name), refusal_sentence(event), event.code))
            self._note(event)
        else:
            super().name_refused(event)

    def name_kept(self, event: events.NameKept) -> None:
        """At a terminal, wait as long as the server says: another name can be given with /nick."""
        if self._echo:
            self.tell(event)
        else:
            super().name_kept(event)

    def login_delayed(self, event: events.LoginDelayed) -> None:
        """At a terminal, wait until the user leaves."""
        if self._echo:
            self.tell(event)
        else:
            super().login_delayed(event)

    def say(self, line: str) -> None:
        """Carry out a line. At a terminal an exception is contained, or the rest of a paste would go to the shell."""
        if not self._commands:
            super().say(line)
            return
        try:
            self._take(line)
        except Exception as error:
            if not self._echo:
                raise
            self.notice(catalogue.connection.mistake(one_line(repr(error))))

    def worsen(self, code: ClientExit) -> None:
        """At a terminal the user sees what went wrong, and ends the chat by leaving it."""
        if not (self._echo and code is ClientExit.MESSAGE_REFUSED):
            super().worsen(code)

    def tell_of_line(self, ui_event: UiEvent, number: int | None) -> None:
        """At a terminal lines have no numbers."""
        super().tell_of_line(ui_event, None if self._echo else number)

    def tell_rest(self) -> None:
        """At a terminal, lines typed after the end are nothing that was to be sent."""
        if not self._echo:
            super().tell_rest()

    def password_needed(self, event: events.PasswordNeeded) -> None:
        """Ask for the password, at a terminal."""
        if self._echo:
            self.notice(catalogue.accounts.password_needed(event.code, refusal_sentence(event)))
            self._note(event)
        else:
            super().password_needed(event)

    def password_temporary(self, event: events.PasswordTemporary) -> None:
        """Ask for the new password, at a terminal."""
        if self._echo:
            self.notice(catalogue.accounts.MUST_CHANGE())
            self._note(event)
        else:
            super().password_temporary(event)

    def _take(self, line: str) -> None:
        """Do what a line means, and ask the next question."""
        hidden = self._interaction.hides_input or self._interaction.replaces_password
        prompted = self._interaction.prompt is not None
        if hidden:
            sys.stderr.write("\n")
        asked = self.asks
        result = self._interaction.take(line, hidden=hidden)
        self._hide_or_show()
        if not self._echo and result.secret:
            self.notice(catalogue.connection.input_secret(self._number))
            self.finish(ClientExit.MESSAGE_REFUSED, STALLED_S)
            return
        if result.refused and not self._echo:
            self.refuse_line(result.notice)
        elif result.notice:
            self.notice(result.notice)
        if result.language and (why := self.network.keep_language(result.language)):
            self.notice(catalogue.language.not_kept(one_line(translated(why))))
        if result.prefill and not result.refused:
            self.notice(usage("/edit"))
            self.worsen(ClientExit.MESSAGE_REFUSED)
        answered = self._interaction.asks_name and result.notice and not result.action
        if self.asks and (prompted or not asked or answered or self._interaction.asks_held):
            self._show_question()
        if result.action is not None:
            self.network.want(result.action)
        if result.send is not None:
            self._files.send(result.send)
        if result.save is not None:
            self._files.save(result.save)

    def _note(self, ui_event: UiEvent) -> None:
        self._interaction.note(ui_event)
        self._show_question()

    def _hide_or_show(self) -> None:
        """Turn the echo off as long as what is typed is a password, or may be one that the server has not judged."""
        if self._echo and self._interaction.hides_input:
            self._echo_control.on()
        else:
            self._echo_control.off()

    def _show_question(self) -> None:
        self._hide_or_show()
        prompt = self._interaction.prompt
        held = catalogue.accounts.HELD_PROMPT() if self._interaction.asks_held else catalogue.connection.NAME_PROMPT()
        sys.stderr.write(prompt.question if prompt is not None else held)
        sys.stderr.flush()

    def otherwise(self, ui_event: UiEvent) -> None:
        """Write messages to stdout, everything else to stderr."""
        self._shown.note(ui_event)
        if isinstance(ui_event, (*PASSWORD_ANSWERS, events.LoggedIn, events.BackOnline, events.ConnectionLost)):
            self._interaction.note(ui_event)
            self._hide_or_show()
        match ui_event:
            case events.MessageShown() | events.HistoryLoaded(messages=(_, *_)) | events.HistoryShown(messages=(_, *_)):
                self._put_messages(ui_event)
            case events.SearchShown() | events.MessageChanged():
                self._put_more(ui_event)
            case events.NameNeeded():
                self._note(ui_event)
            case events.ActionRejected(events.RejectReason.NAME_INVALID) if self._echo and not self.core.me.id:
                self.tell(ui_event)
                self._note(ui_event)
            case events.RequestRefused() if not self._commands:
                super().otherwise(ui_event)
            case events.ActionRejected() if not self._echo:
                super().otherwise(ui_event)
            case events.RequestRefused() | events.RenameRefused():
                self.tell(ui_event)
                self.worsen(ClientExit.MESSAGE_REFUSED)
            case events.FilesShown():
                for said in self._shown.own_files(ui_event):
                    self.notice(said)
            case events.HistoryShown():
                self.notice(before_history(ui_event))
            case _:
                self.tell(ui_event)

    def _put_messages(self, ui_event: events.MessageShown | events.HistoryLoaded | events.HistoryShown) -> None:
        if isinstance(ui_event, events.MessageShown):
            if ui_event.elsewhere or not (ui_event.own and self._echo):
                room = elsewhere(ui_event.key, self.core.current, ui_event.message)
                self._print(ui_event.key, ui_event.message, room)
            return
        if isinstance(ui_event, events.HistoryShown) and (said := before_history(ui_event)):
            self.notice(said)
        for message in ui_event.messages:
            self._print(ui_event.key, message, None)
        if ui_event.more:
            self.notice(catalogue.rooms.MORE())

    def _put_more(self, ui_event: events.SearchShown | events.MessageChanged) -> None:
        if isinstance(ui_event, events.SearchShown):
            for hit in ui_event.hits:
                self._print(self.core.conversation_of(hit.message), hit.message, hit.message.room)
            for said in catalogue.rooms.after_hits(len(ui_event.hits), more=ui_event.more, building=ui_event.building):
                self.notice(said)
            return
        change, key = ui_event.change, ui_event.key
        room = None if key == self.core.current else change.room
        number = self._number_of(key, change.target)
        if (line := change_line(change, room=room, number=number, is_bot=self.core.is_bot)) is not None:
            self.put(line)

    def _print(self, key: ConversationId, message: Message, room: str | None) -> None:
        number = self._number_of(key, message.seq, message)
        self.put(tail_line(message, room=room, number=number, is_bot=self.core.is_bot))
        for file in message.files:
            if self._echo:
                self.put(file_tail_line(message, file, self.core.is_bot))

    def _number_of(self, key: ConversationId, seq: int, message: Message | None = None) -> int | None:
        """Return the number of a message at a terminal, where the user sees it; none for scripts."""
        self._shown.numbers.add(key, seq, message)
        return seq if self._echo else None
