"""The chat in a pipe: lines in, lines out.

Every line is a message as it stands, because a log or another program's output is no list of commands; ``--commands``
obeys them. The user is asked for nothing, and no numbers stand beside the messages: scripts read names and texts.
"""

from __future__ import annotations

from collections.abc import Sequence

from securechat.client import catalogue
from securechat.client.catalogue.help_pages import usage
from securechat.client.core import events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.core.state import ConversationId
from securechat.client.exit_codes import ClientExit
from securechat.client.network import ServerTarget
from securechat.client.pipe.files import pipe_files
from securechat.client.pipe.pipes import STALLED_S, WAIT_S, PipeSend
from securechat.client.ui.interaction import PASSWORD_ANSWERS, InputResult, Interaction
from securechat.client.ui.rows.event_rows import MessageRows, before_history
from securechat.client.ui.rows.rendering import change_line, elsewhere, tail_line
from securechat.model import Message
from securechat.text.sanitize import one_line
from securechat.translation import translated


class PipeChat(PipeSend):
    """Chats in a pipe.

    Args:
        commands: whether lines may be commands; else each is a message as it stands.
    """

    def __init__(
        self, core: ClientCore, server_target: ServerTarget, room: str, *, commands: bool, wait_s: float = WAIT_S
    ) -> None:
        super().__init__(core, server_target, room, wait_s=wait_s)
        self._commands = commands
        self._shown = MessageRows(core)
        self._files = pipe_files(self, server_target, announce=True, patience_s=STALLED_S)
        self._interaction = Interaction(core, self._shown.numbers, server_target.context, can_hide=False)

    def ended(self) -> None:
        """Take back what was not sent."""
        self._files.finish()

    @property
    def busy(self) -> bool:
        """Whether files are on their way."""
        return self._files.busy

    def on_ui_events(self, ui_events: Sequence[UiEvent]) -> None:
        """Follow the files, too."""
        for ui_event in ui_events:
            self._files.note(ui_event)
        super().on_ui_events(ui_events)

    def say(self, line: str) -> None:
        """Carry out a line."""
        if self._commands:
            self._take(line)
        else:
            super().say(line)

    def _take(self, line: str) -> None:
        result = self._interaction.take(line)
        if result.secret:
            self.notice(catalogue.connection.input_secret(self._number))
            self.finish(ClientExit.MESSAGE_REFUSED, STALLED_S)
            return
        if result.refused:
            self.refuse_line(result.notice)
        elif result.notice:
            self.notice(result.notice)
        if result.language and (why := self.network.keep_language(result.language)):
            self.notice(catalogue.language.not_kept(one_line(translated(why))))
        if result.prefill and not result.refused:
            self.notice(usage("/edit"))
            self.worsen(ClientExit.MESSAGE_REFUSED)
        self._carry_out(result)

    def _carry_out(self, result: InputResult) -> None:
        for written in result.lines:
            self.put(written)
        if result.copy or result.open:
            words = catalogue.links
            self.refuse_line(words.NO_CLIPBOARD() if result.copy else words.NO_BROWSER())
        if result.action is not None:
            self.network.want(result.action)
        if result.send is not None:
            self._files.send(result.send)
        if result.save is not None:
            self._files.save(result.save)

    def otherwise(self, ui_event: UiEvent) -> None:
        """Write messages to stdout, everything else to stderr."""
        self._shown.note(ui_event)
        if isinstance(ui_event, (*PASSWORD_ANSWERS, events.LoggedIn, events.BackOnline, events.ConnectionLost)):
            self._interaction.note(ui_event)
        match ui_event:
            case events.MessageShown() | events.HistoryLoaded(messages=(_, *_)) | events.HistoryShown(messages=(_, *_)):
                self._put_messages(ui_event)
            case events.SearchShown() | events.MessageChanged():
                self._put_more(ui_event)
            case events.NameNeeded():
                self._interaction.note(ui_event)
            case events.RequestRefused() if not self._commands:
                super().otherwise(ui_event)
            case events.ActionRejected():
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
        self._shown.numbers.add(key, change.target)
        room = None if key == self.core.current else change.room
        if (line := change_line(change, room=room, is_bot=self.core.is_bot)) is not None:
            self.put(line)

    def _print(self, key: ConversationId, message: Message, room: str | None) -> None:
        self._shown.numbers.add(key, message.seq, message)
        self.put(tail_line(message, room=room, is_bot=self.core.is_bot))
