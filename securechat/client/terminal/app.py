"""The interactive line client: a prompt at the bottom, and the conversation above it.

prompt_toolkit edits the line on the main thread; output.py writes everything above it: it removes the line, writes, and
draws the line again. A sent line is erased and appears again as the server's copy, so that the screen shows what the
log has, once, in order.

Everything here but `run` happens on the network's thread (network.py explains why).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.clipboard import DummyClipboard, DynamicClipboard, InMemoryClipboard
from prompt_toolkit.completion import merge_completers
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.layout.processors import ConditionalProcessor
from prompt_toolkit.shortcuts import CompleteStyle

from securechat.client import catalogue, outcome
from securechat.client.catalogue.names import marked, named
from securechat.client.core import actions, events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.core.state import ConnectionPhase, PersonKey, RoomKey
from securechat.client.exit_codes import ClientExit
from securechat.client.files.https import FileServer
from securechat.client.files.session import FileSession
from securechat.client.files.threads import FileTransfers
from securechat.client.link_opening import open_link
from securechat.client.network import NetworkThread, ServerTarget
from securechat.client.terminal.editor import (
    FileCompleter,
    HiddenInput,
    InputHistory,
    MentionCompleter,
    add_row_below,
    cell_ratio,
    keep_pastes_alive,
    without_echo,
)
from securechat.client.terminal.output import PromptOutput
from securechat.client.terminal.resizing import PromptResizing
from securechat.client.tty import kitty, png
from securechat.client.tty.clipboard import copying
from securechat.client.ui.commands.parser import may_be_command
from securechat.client.ui.interaction import Interaction
from securechat.client.ui.message_numbers import file_number
from securechat.client.ui.rows.rendering import file_rows, shown_name
from securechat.client.ui.rows.session_rows import GATHER_S, ServerAddress, SessionRows, rings
from securechat.client.ui.rows.styled_text import TextRow, TextStyle
from securechat.client.ui.themes import Theme
from securechat.model import FileId, FileInfo, Message
from securechat.text.names import LOBBY
from securechat.text.sanitize import one_line
from securechat.translation import translated

POLL_S = 0.2
"""Seconds between looks at the clock while waiting without a prompt: Windows cannot interrupt a longer wait."""
WRITING_CHARS = 3
"""Characters typed before others are notified: a short answer needs no notification."""
NOTICED_S = 1.0
"""Between two checks of the typed text; the core decides whether to notify."""
KEPT_PICTURES = 200
"""Files whose pictures may still come."""
FALLBACK_SIZE = (80, 24)
"""Columns and rows of a terminal that does not tell (a VT100's)."""


class Terminal:
    """One interactive session.

    Args:
        core: a core that has not started.
        server_target: the server.
        login: the default name when the user is asked for one.
        theme: colours and attributes of what is written.
        pictures: whether pictures are shown, by kitty's protocol.
        has_links: whether the terminal takes links of OSC 8.
        reader: whether the rows are for a screen reader; then nothing stands below the input line.
    """

    def __init__(
        self,
        core: ClientCore,
        server_target: ServerTarget,
        login: str | None,
        theme: Theme,
        *,
        pictures: bool = False,
        has_links: bool = True,
        reader: bool = False,
    ) -> None:
        self._network = NetworkThread(core, server_target, self._on_ui_events)
        self._core = core
        self._server_target = server_target
        self._login = login
        self._theme = theme
        self._has_links = has_links
        self._exit = ClientExit.OK
        self._last_words: str | None = None
        server = ServerAddress(server_target.host, server_target.port, server_target.ca)
        self._session_rows = SessionRows(core, server, reader=reader)
        self._reader = reader
        self._lines = self._session_rows.messages
        self._gathering = False
        self._files = FileSession(
            core,
            self._network,
            FileTransfers(FileServer(server_target.host, server_target.port, server_target.ca_pem), self._network.post),
            self._say,
            changed=self._refresh,
            preview_came=self._show_picture,
            most_preview_bytes=png.MOST_BYTES,
        )
        self._pictures = pictures
        self._pictures_of: dict[FileId, tuple[Message, FileInfo]] = {}
        self._last_shown: FileId | None = None  # the file whose row is the last one
        self._interaction = Interaction(core, self._lines.numbers, server_target.context, default_name=login)
        self._asked = (catalogue.connection.PROMPT, False)
        self._prompt, self._hidden = self._asked
        self._typed_hidden = False
        self._set_aside = ""
        self._below = ""
        self._prefill = ""
        self._names: tuple[str, ...] = ()
        self._noticed_at = float("-inf")
        self._prompt_output: PromptOutput | None = None
        self._over = False
        self._session: PromptSession[str] | None = None

    # --- the main thread

    def run(self) -> int:
        """Chat until the user leaves or the server ends it; returns the exit code."""
        # Without this the renderer asks the terminal for the cursor's position, and prints a warning if it gets no
        # answer.
        os.environ.setdefault("PROMPT_TOOLKIT_NO_CPR", "1")
        self._session = self._new_session()
        self._prompt_output = PromptOutput(
            self._session.app, self._theme, has_links=self._has_links, waits=lambda: self._resizing.waiting
        )
        previous = self._leave_on_signals()
        try:
            self._write(self._session_rows.connecting(self._columns()), bell=False)
            if self._pictures and (os.environ.get("TMUX") or os.environ.get("STY")):
                self._pictures = False
                self._say(catalogue.files.NO_PICTURES_IN_TMUX())
            with without_echo():
                self._network.start()
                self._read_lines(self._session, self._prompt_output)
                self._wait_for_the_end()
                self._files.finish()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            self._prompt_output.prompt_has_ended()
            if self._exit is not ClientExit.OK or self._network.failure is not None:
                _forget_what_was_typed()
        return self._say_last_words()

    def _new_session(self) -> PromptSession[str]:
        killed, nothing = InMemoryClipboard(), DummyClipboard()
        session: PromptSession[str] = PromptSession(
            message=lambda: self._prompt,
            history=InputHistory(lambda: self._hidden or self._is_secret() or self._interaction.guarded),
            input_processors=[ConditionalProcessor(HiddenInput(), Condition(lambda: self._hidden))],
            completer=merge_completers([FileCompleter(), MentionCompleter(lambda: self._names)]),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            clipboard=DynamicClipboard(lambda: nothing if self._hidden else killed),
            reserve_space_for_menu=0,
            erase_when_done=True,
            enable_suspend=True,
        )
        self._resizing = PromptResizing(session.app)
        session.key_bindings = self._resizing.bindings
        add_row_below(session.layout, lambda: self._below)
        keep_pastes_alive(session.input)
        session.default_buffer.on_text_changed += self._notice_typing
        return session

    def _read_lines(self, session: PromptSession[str], prompt_output: PromptOutput) -> None:
        while not self._over:
            prompt_output.prompt_begins()
            self._prompt, self._hidden = self._asked
            self._typed_hidden = False
            begun, self._set_aside = ("", self._set_aside) if self._hidden else (self._set_aside, "")
            try:
                prefill, self._prefill = ("", self._prefill) if self._hidden else (self._prefill, "")
                line = session.prompt(default=prefill or begun, pre_run=self._prompt_is_up)
            except OSError:  # the terminal's window was closed; SIGHUP may come later, or not at all
                self._terminate(ClientExit.TERMINATED)
                break
            except (EOFError, KeyboardInterrupt) as end:
                if isinstance(end, KeyboardInterrupt) and self._is_half_written(session):
                    self._network.post(self._say_line_cleared)
                    continue
                if isinstance(end, KeyboardInterrupt) and self._files.busy and not self._hidden:
                    self._network.post(self._files.cancel)
                    continue
                if not self._may_be_cancelled():
                    self._leave()
                    break
                line = ""
            finally:
                prompt_output.prompt_has_ended()
            self._hand_over(line)

    def _hand_over(self, line: str) -> None:
        """Pass a line to the network's thread; if it may ask for a password, the next prompt waits for it."""
        understood = threading.Event()

        hidden = self._hidden

        def take() -> None:
            self._typed(line, hidden=hidden)
            understood.set()

        asks = self._is_secret() or self._interaction.guarded
        may_lead_to_a_question = hidden or asks or may_be_command(line)
        self._network.post(take)
        while may_lead_to_a_question and not understood.wait(POLL_S) and not self._network.wait(0.0):
            pass

    def _notice_typing(self, buffer: Buffer) -> None:
        """Note that the user is typing a message: no command, no password, and more than the start of a word."""
        self._typed_hidden = self._typed_hidden or self._hidden
        typed = buffer.text.lstrip()
        said = len(typed) >= WRITING_CHARS and (not typed.startswith("/") or typed.startswith("//"))
        if said and not self._hidden and not self._is_secret() and time.monotonic() - self._noticed_at >= NOTICED_S:
            self._noticed_at = time.monotonic()
            self._network.post(lambda: self._network.want(actions.NotifyTyping(self._core.current)))

    def _is_secret(self) -> bool:
        return self._interaction.hides_input

    def _show_what_is_asked(self) -> None:
        """Update the prompt's text and its hiding of input together, in the prompt's event loop.

        A line begun visibly is not part of a password; hidden input stays hidden up to its end.
        """
        if self._session is None or self._session.app.is_done:
            return  # this line ended under the old prompt; the next prompt updates itself
        prompt, secret = self._asked
        if self._hidden and not secret and self._typed_hidden:
            prompt = catalogue.accounts.NOWHERE_PROMPT()
        elif secret is not self._hidden:
            buffer = self._session.default_buffer
            begun, self._set_aside = self._set_aside, "" if self._hidden else buffer.text
            buffer.reset(Document(begun))
            self._hidden, self._typed_hidden = secret, False
        self._prompt = prompt
        self._session.app.invalidate()

    def _may_be_cancelled(self) -> bool:
        """Whether an empty line takes back what is being asked, and leaves everything as it was."""
        return self._interaction.can_cancel and not self._over

    def _is_half_written(self, session: PromptSession[str]) -> bool:
        """Whether Ctrl-C takes back a line, as in a shell, and the chat goes on."""
        return not self._hidden and not self._over and bool(session.default_buffer.text)

    def _leave(self) -> None:
        if not self._over:
            self._network.act(actions.LeaveChat())

    def _wait_for_the_end(self) -> None:
        while not self._network.wait(POLL_S):
            pass

    def _prompt_is_up(self) -> None:
        """Handle events that came between two prompts: the end, or a request for a password."""
        if self._prompt_output is not None:
            self._prompt_output.prompt_is_up()
        self._show_what_is_asked()
        if self._over and self._session is not None:
            self._session.app.exit(exception=EOFError)

    def _leave_on_signals(self) -> dict[int, Any]:
        """End the session as Ctrl-D does when the terminal closes or on SIGTERM, and restore the terminal."""
        previous: dict[int, Any] = {}
        for name, code in (("SIGTERM", ClientExit.TERMINATED), ("SIGHUP", ClientExit.TERMINATED)):
            if (number := getattr(signal, name, None)) is not None:
                previous[number] = signal.signal(number, lambda *_, code=code: self._terminate(code))
        previous[signal.SIGINT] = signal.signal(signal.SIGINT, lambda *_: self._interrupted())
        return previous

    def _terminate(self, code: ClientExit) -> None:
        self._exit = code
        self._network.act(actions.LeaveChat(0.0))

    def _interrupted(self) -> None:
        """Handle Ctrl-C without a prompt: before the first prompt, or while leaving."""
        self._network.act(actions.LeaveChat())

    def _say_last_words(self) -> int:
        if self._network.failure is not None:
            raise self._network.failure
        if self._last_words:
            with contextlib.suppress(OSError):  # the terminal is gone
                for row in self._lines.notice(self._last_words, self._columns()):
                    sys.stderr.write(f"{row}\n")
        return self._exit

    # --- the network's thread

    def _typed(self, line: str, *, hidden: bool = False) -> None:
        # After an exception the shell would run the rest of a paste as commands, so a bug here must not end the chat.
        try:
            self._take(line, hidden=hidden)
        except Exception as error:  # noqa: BLE001 - told to the user, who decides whether to go on
            # Of a mistake over a password only the kind: its words could be the password's.
            secret = hidden or self._is_secret()
            self._say(catalogue.connection.mistake(type(error).__name__ if secret else one_line(repr(error))))
        self._refresh()

    def _take(self, line: str, *, hidden: bool) -> None:
        result = self._interaction.take(line, hidden=hidden)
        if result.notice:
            self._say(result.notice, TextStyle.ERROR if result.refused else TextStyle.NOTICE)
        if result.language and (why := self._network.keep_language(result.language)):
            self._say(catalogue.language.not_kept(one_line(translated(why))))
        if result.prefill:
            self._prefill = result.prefill
        if result.copy:
            self._copy(result.copy, catalogue.links.COPIED())
        if result.open:
            self._open(result.open)
        self._write([TextRow.of(line) for line in result.lines], bell=False)
        if result.action is not None:
            self._network.want(result.action)
        if result.send is not None:
            self._files.send(result.send)
        if result.save is not None:
            self._files.save(result.save)

    def _copy(self, text: str, told: str) -> None:
        sequence = copying(text)
        if sequence is None or self._prompt_output is None:
            self._say(catalogue.links.TOO_LONG_TO_COPY(), TextStyle.ERROR)
            return
        self._prompt_output.write_sequences(sequence)
        self._say(told)

    def _open(self, link: str) -> None:
        def done(opened: bool) -> None:
            self._network.post(tell_opened if opened else copy_instead)

        def tell_opened() -> None:
            self._say(catalogue.links.opened(link))

        def copy_instead() -> None:
            self._copy(link, catalogue.links.COPIED_INSTEAD())

        open_link(link, os.environ, done)

    def _on_ui_events(self, ui_events: Sequence[UiEvent]) -> None:
        rows: list[TextRow] = []
        bell = False
        for ui_event in ui_events:
            self._files.note(ui_event)
            self._note(ui_event)
            rows += self._session_rows.rows(ui_event, self._columns())
            bell = bell or rings(ui_event)
        if self._is_secret():  # the request for a password is shown after the prompt that hides it
            self._refresh()
        self._write(rows, bell=bell)
        if self._pictures:
            self._look_at_pictures(ui_events)
        if self._lines.gathering and not self._gathering:
            self._gathering = True
            self._network.call_later(GATHER_S, self._tell_reactions)
        self._refresh()
        if not ui_events:  # the last call of the network's thread
            self._leave_prompt()

    def _look_at_pictures(self, ui_events: Sequence[UiEvent]) -> None:
        """Ask for the pictures of the messages that were shown; each comes later, below what is there then."""
        messages: list[Message] = []
        for ui_event in ui_events:
            match ui_event:
                case events.MessageShown(message):
                    messages.append(message)
                case events.HistoryLoaded(messages=shown) | events.HistoryShown(messages=shown):
                    messages += shown
        if ui_events and isinstance(last := ui_events[-1], events.MessageShown) and last.message.files:
            self._last_shown = last.message.files[-1].id
        for message in messages:
            self._pictures_of |= {file.id: (message, file) for file in message.files}
        while len(self._pictures_of) > KEPT_PICTURES:
            del self._pictures_of[next(iter(self._pictures_of))]
        self._files.look([file for message in messages for file in message.files])

    def _show_picture(self, file_id: FileId, data: bytes) -> None:
        """Show a picture, below its row where that is the last one, else with its row once more."""
        known = self._pictures_of.pop(file_id, None)
        columns, rows = shutil.get_terminal_size(FALLBACK_SIZE)
        if known is None or self._prompt_output is None:
            return
        message, file = known
        shown = kitty.kitty_picture(data, columns, rows, cell_ratio())
        if shown is not None:
            above = [] if self._last_shown == file_id else file_rows(file, file_number(message, file), columns)
            self._last_shown = None
            self._prompt_output.write_picture(above, shown)

    def _tell_reactions(self) -> None:
        self._gathering = False
        self._write(self._lines.gathered(self._columns()), bell=False)

    def _note(self, ui_event: UiEvent) -> None:
        self._interaction.note(ui_event)
        match ui_event:
            case events.MessagesLost() if self._exit is ClientExit.OK:
                self._exit = ClientExit.LINES_LOST
            case events.ClientEnded():
                self._ended(ui_event)

    def _ended(self, ended: events.ClientEnded) -> None:
        code, self._last_words = outcome.of_end(ended, self._server_target.host, self._server_target.port)
        if self._exit is ClientExit.OK:
            self._exit = code
        self._leave_prompt()

    def _leave_prompt(self) -> None:
        self._over = True
        self._in_prompt(lambda app: app.exit(exception=EOFError) if not app.is_done else None)

    def _in_prompt(self, act: Callable[[Application[str]], None]) -> None:
        """Run something in the prompt's event loop, from any thread, if a prompt is up; the next one updates itself."""
        app = self._session.app if self._session is not None else None
        if app is not None and app.loop is not None and app.is_running:
            with contextlib.suppress(RuntimeError):  # the loop has just ended
                app.loop.call_soon_threadsafe(act, app)

    def _refresh(self) -> None:
        """Update the prompt to the present question and the pending messages, if a prompt is up."""
        current = self._core.current
        room = current.room if isinstance(current, RoomKey) and current.room != LOBBY else None
        waiting = len(self._core.unsent) if self._core.phase is not ConnectionPhase.ONLINE or self._core.away else 0
        interaction = self._interaction
        if interaction.prompt is not None:
            asked = interaction.prompt.question
        elif interaction.password_sent or interaction.expects_password:
            asked = catalogue.accounts.PROVING_PROMPT()
        elif interaction.asks_held:
            asked = catalogue.accounts.HELD_PROMPT()
        elif interaction.asks_name:
            asked = catalogue.connection.name_prompt(self._login)
        else:
            asked = catalogue.connection.prompt(room=room, waiting=waiting, person=self._other_side())
        writers = [shown_name(person) for person in self._core.typists] if interaction.prompt is None else []
        below = self._files.progress or (catalogue.rooms.typing(writers) if writers else "")
        here = self._core.rooms.get(current.room) if isinstance(current, RoomKey) else None
        self._names = tuple(person.name for person in here.people.values()) if here is not None else ()
        if isinstance(current, PersonKey) and (other := self._core.name_of(current.person_id)) is not None:
            self._names = (other,)
        below = "" if self._reader else below
        if below != self._below:
            self._below = below
            if self._session is not None:
                self._session.app.invalidate()
        wanted = (asked, self._is_secret())
        if wanted != self._asked:
            self._asked = wanted
            self._in_prompt(lambda _: self._show_what_is_asked())

    def _other_side(self) -> str | None:
        """Return the person of the current dialogue, safe to show; None in a room."""
        current = self._core.current
        if not isinstance(current, PersonKey):
            return None
        name = self._core.name_of(current.person_id) or catalogue.rooms.UNKNOWN_MEMBER()
        return marked(named(one_line(name), bot=self._core.is_bot(current.person_id)))

    def _say_line_cleared(self) -> None:
        words = catalogue.connection
        self._say(words.LINE_CLEARED_IN_TRANSFER() if self._files.busy else words.LINE_CLEARED())

    def _say(self, text: str, style: TextStyle = TextStyle.NOTICE) -> None:
        self._write(self._lines.notice(text, self._columns(), style), bell=False)

    def _write(self, rows: list[TextRow], *, bell: bool) -> None:
        if rows and self._prompt_output is not None:
            self._last_shown = None
            self._prompt_output.write_rows(rows, bell=bell)

    @staticmethod
    def _columns() -> int:
        return shutil.get_terminal_size(FALLBACK_SIZE).columns


def _forget_what_was_typed() -> None:
    """Discard typed input after an unexpected end: the rest of a paste must not reach the shell."""
    if sys.platform != "win32":
        import termios  # noqa: PLC0415 - Unix alone has it

        with contextlib.suppress(termios.error):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
