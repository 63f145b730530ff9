"""The client's pipe modes: --send, --tail, and what the chat in a pipe shares with them.

Messages go to stdout, everything else to stderr. A thread of its own reads stdin, because Windows cannot select it,
through a bounded queue, so that a file of any size is read only as fast as the server accepts its lines. A reader of
stdout that closes it (``| head``) ends the session silently.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from securechat.client import catalogue, outcome
from securechat.client.catalogue.translation import refusal_sentence
from securechat.client.core import actions, events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.core.state import ConnectionPhase, ConversationId
from securechat.client.core.timing import SendRate
from securechat.client.exit_codes import ClientExit
from securechat.client.network import NetworkThread, ServerTarget
from securechat.client.pipe.input_lines import LONGEST_LINE_BYTES, InputLine, decode_line
from securechat.client.pipe.stdout import Stdout
from securechat.client.ui.rows.describe import EventText
from securechat.client.ui.rows.describe_programs import token_lines
from securechat.client.ui.rows.rendering import NOTICE_MARK, change_json, change_line, json_line, purged_json, tail_line
from securechat.errors import ErrorCode
from securechat.limits import KIB
from securechat.model import Message, MessageChange
from securechat.text.names import LOBBY
from securechat.text.sanitize import one_line
from securechat.translation import system_error

READ_AHEAD = 64
"""Lines of stdin read ahead of the core: as many as can be unacknowledged."""
READ_BYTES = 64 * KIB
"""Bytes read from stdin at once."""
STALLED_S = 60.0
"""Time without a further line stored after which sending gives up: a job in a pipeline must end."""
PROGRESS_S = 2.0
"""Between two progress reports at a terminal, and two checks for progress."""
LOGGED_PROGRESS_S = 10.0
"""Between two progress reports in a log: six lines a minute."""
WAIT_S = 60.0
"""For a name that another connection has, and for a login beyond the time that the server named; as STALLED_S."""
NAME_RETRY_S = 1.0
"""Before the first new try of a name that is taken; each pause is twice as long, up to NAME_RETRY_MOST_S, because each
try is a line in the server's log."""
NAME_RETRY_MOST_S = 5.0
POLL_S = 0.2
"""Between two checks for Ctrl-C while waiting: Windows cannot interrupt a longer wait."""


class PipeClient:
    """The base of all pipe modes: the network thread, the exit code, notices on stderr, a silent end.

    Args:
        core: not started yet.
        server_target: the server.
        wait_s: how long to wait for a name that is taken, or kept, beyond the time that the server names; 0 for not at
            all.
    """

    def __init__(self, core: ClientCore, server_target: ServerTarget, *, wait_s: float = WAIT_S) -> None:
        self.core = core
        self._wait_s = wait_s
        self._login_by: float | None = None
        self._name_tries = 0
        self._event_text = EventText(core)
        self.network = NetworkThread(core, server_target, self.on_ui_events)
        self.exit = ClientExit.OK
        self._server_target = server_target
        self._interrupts = 0
        self._stdout = Stdout(self._output_over)

    def run(self) -> int:
        """Run until done; returns the exit code."""
        previous = {number: signal.signal(number, self._signalled) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self.network.start()
            self.begin()
            while not self.network.wait(POLL_S):
                pass
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            self.restore()
        self.ended()
        if self.network.failure is not None:
            raise self.network.failure
        return self.exit

    def begin(self) -> None:
        """Start what a mode needs besides the network; nothing by default."""

    def ended(self) -> None:
        """The session is over; nothing by default."""

    def restore(self) -> None:
        """Restore the terminal; nothing by default."""

    def on_ui_event(self, ui_event: UiEvent) -> None:
        """Handle one event that `on_ui_events` does not handle for every mode."""

    def on_ui_events(self, ui_events: Sequence[UiEvent]) -> None:
        """Handle events from the network's thread."""
        for ui_event in ui_events:
            match ui_event:
                case events.NameRefused():
                    self.name_refused(ui_event)
                case events.PasswordNeeded():
                    self.password_needed(ui_event)
                case events.PasswordTemporary():
                    self.password_temporary(ui_event)
                case events.NameKept():
                    self.name_kept(ui_event)
                case events.LoginDelayed():
                    self.login_delayed(ui_event)
                case events.StateNotSaved() | events.AnnouncementShown() | events.NoticeShown():
                    self.tell(ui_event)
                case events.LoggedIn() | events.BackOnline():
                    self._login_by, self._name_tries = None, 0
                    self.on_ui_event(ui_event)
                case events.ClientEnded():
                    self._ended(ui_event)
                case _:
                    self.on_ui_event(ui_event)

    def name_refused(self, event: events.NameRefused) -> None:
        """Wait for a name that another connection has, or end: a script cannot be asked for another name."""
        if event.code is ErrorCode.NAME_IN_USE and self._may_wait():
            if not self._name_tries:
                self.notice(catalogue.connection.name_awaited(one_line(event.name), self._wait_s))
            delay_s = min(NAME_RETRY_MOST_S, NAME_RETRY_S * 2.0 ** min(self._name_tries, 10))
            self._name_tries += 1
            self.network.call_later(delay_s, lambda: self.network.want(actions.ChooseName(event.name)))
            return
        self.notice(catalogue.connection.name_refused(one_line(event.name), refusal_sentence(event), event.code))
        self.finish(outcome.of_name(event.code), 0.0)

    def name_kept(self, event: events.NameKept) -> None:
        """Let the core wait for a name that is kept, if the user wants to wait."""
        name, kept_s = one_line(event.name), event.retry_after_s
        if self._wait_s > 0:
            self.notice(catalogue.connection.name_kept(name, kept_s, can_choose=False))
            self._login_by = self.network.now + event.retry_after_s + self._wait_s
        else:
            self.notice(catalogue.connection.name_not_awaited(name, kept_s))
            self.finish(ClientExit.NAME_TAKEN, 0.0)

    def login_delayed(self, event: events.LoginDelayed) -> None:
        """Let the core wait."""
        self.tell(event)

    def _may_wait(self) -> bool:
        if self._login_by is None:
            self._login_by = self.network.now + self._wait_s
        return self.network.now < self._login_by

    def password_needed(self, event: events.PasswordNeeded) -> None:
        """End: a script cannot be asked for a password."""
        self.notice(catalogue.accounts.password_missing(event.code, refusal_sentence(event)))
        self.finish(ClientExit.LOGIN_REFUSED, 0.0)

    def password_temporary(self, event: events.PasswordTemporary) -> None:  # noqa: ARG002  (PipeChat asks by it)
        """End: a script cannot be asked for a new password."""
        self.notice(catalogue.accounts.MUST_CHANGE_AT_TERMINAL())
        self.finish(ClientExit.LOGIN_REFUSED, 0.0)

    def notice(self, text: str) -> None:
        """Write a notice for the user, on stderr."""
        with contextlib.suppress(OSError):  # stderr is closed: the notice has no other way out
            for line in text.split("\n"):
                sys.stderr.write(f"{NOTICE_MARK}{line}\n")
            sys.stderr.flush()

    def tell(self, ui_event: UiEvent) -> None:
        """Write the sentence for an event, if it has one."""
        if isinstance(ui_event, events.ApiTokenMade):
            self._tell_token(ui_event)
        elif said := self._event_text.of(ui_event):
            self.notice(said)

    def _tell_token(self, event: events.ApiTokenMade) -> None:
        """Write a new token on stderr, as it is: it is shown this once."""
        where = self._server_target
        with contextlib.suppress(OSError):  # stderr is closed
            for line in token_lines(event, where.host, where.port, where.ca):
                sys.stderr.write(f"{line.text}\n" if line.copied else f"{NOTICE_MARK}{line.text}\n")
            sys.stderr.flush()

    def put(self, line: str) -> None:
        """Write a line to stdout."""
        self._stdout.put(line)

    def finish(self, code: ClientExit, patience_s: float) -> None:
        """Leave, with this exit code unless an earlier one was worse."""
        if self.exit is ClientExit.OK:
            self.exit = code
        self.network.want(actions.LeaveChat(patience_s))

    def _output_over(self, why: str | None) -> None:
        """End because stdout was closed, silently, or cannot be written. Callable on any thread."""
        self.network.post(lambda: self._end_with_output(why))

    def _end_with_output(self, why: str | None) -> None:
        if why is not None:
            self.notice(catalogue.connection.output_failed(why))
        self.finish(ClientExit.OK if why is None else ClientExit.OUTPUT_FAILED, 0.0)

    def _ended(self, ended: events.ClientEnded) -> None:
        code, why = outcome.of_end(ended, self._server_target.host, self._server_target.port)
        if self.exit is ClientExit.OK:
            self.exit = code
        if why:
            self.notice(why)

    def _signalled(self, number: int, _: object) -> None:
        code = ClientExit.INTERRUPTED if number == signal.SIGINT else ClientExit.TERMINATED
        patience_s = 3.0 if self._interrupts == 0 else 0.0
        self._interrupts += 1
        self.network.post(lambda: self.finish(code, patience_s))


class PipeTail(PipeClient):
    """--tail: writes a room's last messages, then new ones.

    Args:
        json: write JSON lines instead of ``name: text``.
        rename: returns another name when the generated one is taken; None when the name was given.
    """

    def __init__(
        self,
        core: ClientCore,
        server_target: ServerTarget,
        room: str,
        *,
        json: bool,
        rename: Any = None,
        wait_s: float = WAIT_S,
    ) -> None:
        super().__init__(core, server_target, wait_s=wait_s)
        self._key = core.room(room)
        self._json = json
        self._rename = rename

    def begin(self) -> None:
        """Watch stdout: a room may be silent for hours while its reader closes it."""
        self._stdout.watch()

    def name_refused(self, event: events.NameRefused) -> None:
        """A name we made up can be made up again."""
        if self._rename is not None:
            self.network.want(actions.ChooseName(self._rename()))
        else:
            super().name_refused(event)

    def on_ui_event(self, ui_event: UiEvent) -> None:
        """Write messages of the room to stdout, and the state of the connection to stderr."""
        match ui_event:
            case events.MessageShown(message, key) if key == self._key:
                self._print(message)
            case events.HistoryLoaded(key, messages) if key == self._key:
                for message in messages:
                    self._print(message)
            case events.MessageChanged(change, key) if key == self._key:
                line = self._change_line(change)
                if line is not None:
                    self.put(line)
            case events.MessagesPurged(purged, key) if self._json and key in {None, self._key}:
                self.put(purged_json(purged))
            case events.RoomLeft(room, text=text) if text and room == self._key.room:
                self.tell(ui_event)
                self.finish(ClientExit.ROOM_REFUSED, 0.0)
            case events.RequestRefused(room=room) if room is None or room == self._key.room:
                self.notice(catalogue.connection.room_refused(one_line(self._key.room), refusal_sentence(ui_event)))
                self.finish(ClientExit.ROOM_REFUSED, 0.0)
            case events.ConnectionLost() | events.BackOnline() | events.HistoryReset():
                self.tell(ui_event)

    def _change_line(self, change: MessageChange) -> str | None:
        is_bot = self.core.is_bot
        return change_json(change, is_bot) if self._json else change_line(change, is_bot=is_bot)

    def _print(self, message: Message) -> None:
        is_bot = self.core.is_bot
        self.put(json_line(message, is_bot) if self._json else tail_line(message, is_bot=is_bot))


class PipeSend(PipeClient):
    """--send: reads lines from stdin and sends them, as fast as the server accepts them.

    Args:
        message_key: what the user calls these lines; each gets it with its number as its key, so that lines that the
            account sends again are stored once. None: each run sends new messages.
    """

    def __init__(
        self,
        core: ClientCore,
        server_target: ServerTarget,
        room: str,
        *,
        message_key: str | None = None,
        wait_s: float = WAIT_S,
    ) -> None:
        super().__init__(core, server_target, wait_s=wait_s)
        self._message_key = message_key
        self.key: ConversationId = core.room(room)
        self.acked = 0
        self.slow = False
        self._lines: queue.Queue[InputLine | None] = queue.Queue(READ_AHEAD)
        self._input_over = False
        self._pulling = False
        self._number = 0
        self._read_number = 0
        self._line_of: dict[int, int] = {}
        self._progress_at: float | None = None
        self._progress_s = PROGRESS_S if sys.stderr.isatty() else LOGGED_PROGRESS_S
        self._send_rate = SendRate()
        self._moved_at: float | None = None

    def begin(self) -> None:
        """Start the thread that reads stdin."""
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def _read(self) -> None:
        try:
            self._read_lines()
        except OSError as error:  # not a readable descriptor, or the terminal is gone
            why = system_error(error)
            self.network.post(lambda: self._input_failed(why))
        self._lines.put(None)
        self.network.post(self.pull)

    def _input_failed(self, why: str) -> None:
        self.notice(catalogue.connection.input_failed(why))
        self.worsen(ClientExit.USAGE)

    def _read_lines(self) -> None:
        # Not through sys.stdin.buffer: a thread that still holds its lock when the process ends aborts the interpreter.
        rest = b""
        while data := os.read(sys.stdin.fileno(), READ_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._put(line)
            if len(rest) > LONGEST_LINE_BYTES:  # refused as too long in any case; its end is not kept
                rest = rest[:LONGEST_LINE_BYTES]
        if rest:
            self._put(rest)

    def _put(self, raw: bytes) -> None:
        self._read_number += 1
        line = decode_line(self._read_number, raw)
        if line.fatal or line.problem or line.text.strip():
            self._lines.put(line)
            self.network.post(self.pull)

    def pull(self) -> None:
        """Take lines while the core has room for them; leave when there are no more and all are stored."""
        if self._pulling:  # sending a line causes events, and events call this again
            return
        self._pulling = True
        while self.core.phase is ConnectionPhase.ONLINE and not self._input_over and not self.core.full:
            if self._lines.empty() or self.asks or self.core.leaving:
                break
            if (line := self._lines.get_nowait()) is None:
                self._input_over = True
            else:
                self.take_line(line)
        self._pulling = False
        if self._input_over and not self.core.unsent and not self.busy and not self.core.leaving:
            self.finish(ClientExit.OK, STALLED_S)

    def login_delayed(self, event: events.LoginDelayed) -> None:
        """Let the core wait, for a while: a job in a pipeline must end, however often the server delays it again."""
        super().login_delayed(event)
        now = self.network.now
        if self._login_by is None:
            self._login_by = now + (event.retry_after_s + self._wait_s if self._wait_s > 0 else 0.0)
        self.network.call_later(max(0.0, self._login_by - now), self._expect_login)

    def _expect_login(self) -> None:
        if self._login_by is not None and self.network.now >= self._login_by:
            self._login_by = None  # told once
            self.notice(catalogue.connection.login_late(self._wait_s))
            self.finish(ClientExit.LINES_LOST, 0.0)

    @property
    def busy(self) -> bool:
        """Whether something else than messages is on its way."""
        return False

    def files_moved(self) -> None:
        """A file has moved, or moves no more."""
        self.pull()

    @property
    def asks(self) -> bool:
        """Whether the next line is an answer to a question, not a message."""
        return False

    def take_line(self, line: InputLine) -> None:
        """Say a line, or tell why it is not sent."""
        self._number = line.number
        if line.problem:
            self.notice(line.problem)
            self.worsen(ClientExit.MESSAGE_REFUSED)
            if line.fatal:
                self._input_over = True
            return
        if self._moved_at is None:
            self._watch()
        self.say(line.text)
        if unsent := self.core.unsent:
            self._line_of.setdefault(max(each.number for each in unsent), line.number)

    def say(self, line: str) -> None:
        """Send one line."""
        key = None if self._message_key is None else f"{self._message_key}:{self._number}"
        self.network.want(actions.SendMessage(line, self.key, key=key))

    def worsen(self, code: ClientExit) -> None:
        """End with this exit code, unless there is another already."""
        if self.exit is ClientExit.OK:
            self.exit = code

    def refuse_line(self, why: str) -> None:
        """Tell why the line being taken is not carried out."""
        self.notice(catalogue.connection.input_line(self._number, why))
        self.worsen(ClientExit.MESSAGE_REFUSED)

    def tell_rest(self) -> None:
        """Tell about the lines that were read and not taken when the session ends: none is lost silently."""
        while not self._input_over and not self._lines.empty():
            line = self._lines.get_nowait()
            if line is not None:
                if self._number:  # else nothing was sent, and the reason is told already
                    self.notice(catalogue.connection.input_rest(line.number))
                self.worsen(ClientExit.LINES_LOST)
            self._input_over = True

    def on_ui_events(self, ui_events: Sequence[UiEvent]) -> None:
        """Handle events, then take more lines: the events may have made room."""
        super().on_ui_events(ui_events)
        if any(isinstance(each, events.ClientEnded) for each in ui_events):
            self.tell_rest()
        self.pull()

    def on_ui_event(self, ui_event: UiEvent) -> None:
        """Count stored lines; a refused line or room is a failure."""
        match ui_event:
            case events.LoggedIn() if self._message_key is not None and "keys" not in self.core.features:
                self.notice(catalogue.connection.KEYS_UNKNOWN())
                self.finish(ClientExit.MESSAGE_REFUSED, 0.0)
            case events.LoggedIn(account=False) if self._message_key is not None:
                self.notice(catalogue.connection.KEY_OF_GUEST())
                self.finish(ClientExit.LOGIN_REFUSED, 0.0)
            case events.MessageAcked(message):
                self._line_of.pop(message.number, None)
                self.acked += 1
                self._moved_at = self.network.now
                self._send_rate.moved(self.network.now)
                self.report()
            case events.RateLimited():
                self.slow = True
                self._send_rate.begin(self.network.now)
            case events.LeavingChat():
                self.tell(ui_event)
            case events.MessageRefused(message):
                self.worsen(ClientExit.MESSAGE_REFUSED)
                self.tell_of_line(ui_event, self._line_of.pop(message.number, None))
            case events.MessagesLost():
                self.tell(ui_event)
                self.worsen(ClientExit.LINES_LOST)
            case _:
                self.otherwise(ui_event)

    def otherwise(self, ui_event: UiEvent) -> None:
        """Handle the other events that matter to --send."""
        match ui_event:
            case events.RoomJoined(room, _, 1, again=False, made=made, owned=owned, told_later=False) if room != LOBBY:
                self.notice(catalogue.connection.nobody_else(one_line(room), made=made and owned))
            case events.RequestRefused(room=room):
                self.notice(catalogue.connection.room_refused(one_line(room or ""), refusal_sentence(ui_event)))
                self.finish(ClientExit.ROOM_REFUSED, 0.0)
            case events.ActionRejected():
                self.worsen(ClientExit.MESSAGE_REFUSED)
                self.tell_of_line(ui_event, self._number)
            case events.ConnectionLost() | events.BackOnline() | events.HistoryReset():
                self.tell(ui_event)

    def tell_of_line(self, ui_event: UiEvent, number: int | None) -> None:
        """Write the sentence for an event, with the number of its line where that is known."""
        if said := self._event_text.of(ui_event):
            self.notice(said if number is None else catalogue.connection.input_line(number, said))

    def report(self) -> None:
        """Report the progress, and what it waits for, every few seconds once there is a rate to show."""
        now, rate = self.network.now, self._send_rate.rate()
        left = len(self.core.unsent) + (0 if self._input_over else self._lines.qsize())
        early = self._progress_at is not None and now - self._progress_at < self._progress_s
        if not self.slow or rate is None or not left or early:
            return
        self._progress_at = now
        self.notice(catalogue.connection.progress(self.acked, left, rate, more=not self._input_over))

    def _watch(self) -> None:
        """Give up when there is no progress for too long."""
        if self._moved_at is None:
            self._moved_at = self.network.now
        if self.core.unsent and self.network.now - self._moved_at >= STALLED_S:
            self.notice(catalogue.connection.stalled(STALLED_S))
            self.finish(ClientExit.LINES_LOST, 0.0)
        elif self.core.phase is not ConnectionPhase.ENDED:
            if not self.core.unsent:
                self._moved_at = self.network.now
            self.network.call_later(PROGRESS_S, self._watch)
