"""One bot's session behind both clients: the client core on the network's thread, asked from any other thread.

Everything here but `BotSession`'s public methods runs on the network's thread. A caller gets a future for each request,
and every future is settled, at the latest when the session ends.

What is heard waits in one queue. While more than `MOST_WAITING` entries wait, the core holds back what comes, and reads
it from the log later: a slow handler costs a bounded amount of memory and no connection, and its answers are still
acknowledged.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import structs

from securechat import model
from securechat.bot.cursor import Cursor
from securechat.bot.hearing import HeardEntry, OtherEvent
from securechat.bot.records import (
    BotError,
    Deleted,
    Disconnected,
    Edited,
    Gap,
    HeardFile,
    LeftRoom,
    Person,
    Reacted,
    Reconnected,
    Refused,
    StartupFailed,
    Stopped,
)
from securechat.client import outcome
from securechat.client.core import actions, events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.core.state import ConnectionPhase, ConversationId, PersonKey
from securechat.client.core.timing import retry_at
from securechat.client.files.https import FileGone, TransferError
from securechat.client.files.saving import local_target
from securechat.client.files.sources import LocalFile, local_files
from securechat.client.files.threads import FileTransfer, FileTransfers
from securechat.errors import ErrorCode, Refusal
from securechat.limits import MAX_TEXT_CHARS, PAGE_ROWS
from securechat.text.file_lines import without_file_lines
from securechat.text.names import check_room
from securechat.text.refusals import refusal_for

MOST_WAITING = 1_000
"""Entries that wait before more are held back; with those that are held (gap_fill.HELD_MESSAGES) and one page some
2,200, or 35 MB with the longest texts."""
_UNUSABLE, _FAILED = "file_unusable", "transfer_failed"
"""Codes of the library's own: of a file of this machine, and of a transfer that the server has not refused."""
UNNAMED_BOT = "A bot needs a token or a name: set SECURECHAT_TOKEN_FILE, or SECURECHAT_NAME"
LOGIN_REFUSED = "The login was refused: {}. Give a file with a valid token, or with the password"
_CODES = {events.RejectReason.NOT_IN_ROOM: ErrorCode.NOT_A_MEMBER}
"""Where the core has a word of its own for what the server says with another one."""


class BotNetwork(Protocol):
    """What a session needs of the network's thread; see `securechat.client.network.NetworkThread`."""

    failure: BaseException | None

    def start(self) -> None:
        """Begin to connect."""

    def post(self, callback: Callable[[], None]) -> None:
        """Run a callable on the network's thread."""

    def act(self, action: actions.Action) -> None:
        """Pass an action to the core, from any thread."""

    def want(self, action: actions.Action) -> None:
        """Pass an action to the core, on the network's thread."""

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the session is over; tell whether it is."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> object:
        """Call back once on the network's thread."""

    @property
    def now(self) -> float:
        """Monotonic seconds."""


class BotSession:
    """A session.

    Args:
        core: the client core, not yet started.
        host: of the server, for sentences.
        port: of the server.
        most_waiting: entries that wait before more are held back.

    Attributes:
        network: runs the core and passes on what it shows to `heard`; set before `start`.
        files: transfers files, and calls back on the network's thread; set before `start`.
        cursors: where earlier runs ended, by the number of the account.
        core: read on the network's thread, or where a single number is wanted.
    """

    network: BotNetwork
    files: FileTransfers

    def __init__(self, core: ClientCore, host: str, port: int, most_waiting: int = MOST_WAITING) -> None:
        self.core = core
        self._most_waiting = most_waiting
        self.cursors: Mapping[int, Cursor] = {}
        self._server = (host, port)
        self._lock = threading.Lock()
        self._open: set[Future[Any]] = set()
        self._end: BotError | None = None
        self._started: Future[Person] = Future()
        self._waiting: deque[HeardEntry] = deque()
        self._taker: Future[HeardEntry] | None = None
        self._numbers = 0
        self._questions: dict[int, tuple[Future[model.Event], actions.AskServer | None]] = {}
        self._unasked: deque[actions.AskServer] = deque()
        self._unsent: deque[tuple[actions.SendMessage | actions.ChangeMessage, Future[int]]] = deque()
        self._sent: dict[int, Future[int]] = {}
        self._joins: dict[str, list[Future[None]]] = {}
        self._rejection: Refused | None = None
        self._holds_back = False

    # --- from any thread ----------------------------------------------------------------------------------------------

    def start(self) -> Future[Person]:
        """Connect and log in; the result is the bot itself. Raises StartupFailed."""
        self._open.add(self._started)
        self.network.start()
        return self._started

    def begins_at(self) -> Cursor:
        """Return where this run begins, once it is logged in: where an earlier one ended, or with what is said now."""
        if self.core.goes_on:
            return self.cursors[self.core.me.id]
        return Cursor(self.core.began_at)

    def take(self) -> Future[HeardEntry]:
        """Return the next thing heard, in order; one taker at a time."""
        return self._run(self._take)

    def join(self, room: str) -> Future[None]:
        """Enter a room, at once or after the reconnect."""
        return self._run(lambda future: self._join(room, future))

    def send(
        self,
        target: str | int,
        text: str,
        reply: int | None = None,
        key: str | None = None,
        files: Sequence[tuple[str, str]] = (),
    ) -> Future[int]:
        """Send a message to a room, by name, or to a person, by number; the result is its seq, when it is durable.

        ``files`` are the ids and names of finished uploads.
        """
        room = target if isinstance(target, str) else ""
        _expect_valid(model.Say(1, room, text[:MAX_TEXT_CHARS], reply, key))  # the core refuses what is longer
        uploaded = tuple(actions.PendingFile(*file) for file in files)
        return self._run(
            lambda future: self._send(actions.SendMessage(text, self._key(target), reply, key, uploaded), future)
        )

    # --- files

    def look_at(self, paths: Sequence[str]) -> Future[Any]:
        """Look at files of this machine, aside; the result is what `upload` takes."""
        future: Future[Any] = Future()

        def look() -> None:
            try:
                future.set_result(local_files(paths))
            except TransferError as error:
                future.set_exception(Refused(_UNUSABLE, str(error)))
            except Exception as error:  # noqa: BLE001 - such as a path that is none: the program's mistake
                future.set_exception(error)

        threading.Thread(target=look, name="files", daemon=True).start()
        return future

    def begin_upload(self, file: LocalFile, *, as_file: bool) -> Future[Any]:
        """Ask where a file goes; the result is a `model.UploadAdded`."""
        self._expect_files()
        return self._ask(lambda ref: model.AddUpload(ref, file.name, file.size, as_file))

    def upload(self, file: LocalFile, path: str) -> Future[None]:
        """Send a file; done when the server has all of it."""
        return self._transfer(lambda done: self.files.upload(file, path, _ignore, done))

    def discard(self, path: str) -> None:
        """Take an upload back that is in no message."""
        self.files.discard(path)

    def links(self, file_id: str) -> Future[Any]:
        """Ask where a file is read; the result is a `model.FileLinks`."""
        self._expect_files()
        _expect_valid(model.AskLinks(1, [file_id]))
        return self._ask(lambda ref: model.AskLinks(ref, [file_id]))

    def save(self, path: str, file: HeardFile, typed: str | None) -> Future[Path]:
        """Write a file of a message to a folder of this machine; the result is where it is."""
        try:
            place = local_target(typed, file.name)
        except TransferError as error:
            raise Refused(_UNUSABLE, str(error)) from None
        return self._transfer(lambda done: self.files.save(path, file.size, place, _ignore, done))

    def read(self, path: str, file: HeardFile) -> Future[bytes]:
        """Read a file of a message into memory."""
        return self._transfer(lambda done: self.files.read(path, file.size, done))

    def _expect_files(self) -> None:
        if model.FILES_FEATURE not in self.core.features:  # an older server answers such a command without its ref
            refusal = refusal_for("files_off")
            raise Refused(refusal.code.value, refusal.detail)

    def _transfer(self, start: Callable[[Callable[[Any], None]], FileTransfer]) -> Future[Any]:
        def begin(future: Future[Any]) -> None:
            transfer = start(lambda result: self._transferred(future, result))
            future.add_done_callback(lambda _: transfer.cancel())  # it is not wanted, or the session is over

        return self._run(begin)

    def _transferred(self, future: Future[Any], result: Any) -> None:
        if isinstance(result, FileGone):
            self._fail(future, Refused(ErrorCode.NOT_FOUND.value, str(result), result.arguments))
        elif isinstance(result, TransferError):
            self._fail(future, Refused(result.code or _FAILED, str(result), result.arguments))
        else:
            self._settle(future, result)

    def edit(self, target: str | int, seq: int, text: str) -> Future[int]:
        """Replace the text of a message; the result is the seq of the change, when it is durable."""
        return self._change(target, model.RevisionKind.EDIT, seq, text)

    def delete(self, target: str | int, seq: int) -> Future[int]:
        """Delete a message; see `edit`."""
        return self._change(target, model.RevisionKind.DELETE, seq)

    def react(self, target: str | int, seq: int, emoji: str, *, on: bool) -> Future[int]:
        """React to a message, or take the reaction away; see `edit`."""
        kind = model.RevisionKind.REACT if on else model.RevisionKind.UNREACT
        return self._change(target, kind, seq, emoji=emoji)

    def find_person(self, name: str) -> Future[Any]:
        """Look a person up; the result is a `model.Found`."""
        _expect_valid(model.Whois(1, name))
        return self._ask(lambda ref: model.Whois(ref, name))

    def members_page(self, room: str, after: int | None) -> Future[Any]:
        """Ask for a page of a roster, behind the person ``after``; the result is a `model.Roster`."""
        _expect_valid(model.Who(1, room, after))
        return self._ask(lambda ref: model.Who(ref, room, after))

    def history_page(self, target: str | int, before: int | None, rows: int) -> Future[Any]:
        """Ask for the last messages of a conversation; the result is a `model.HistoryPage`."""
        room, person = (target, None) if isinstance(target, str) else (None, target)
        question = model.History(1, room, person, before=before, limit=min(rows, PAGE_ROWS))
        _expect_valid(question)
        return self._ask_log(lambda ref: structs.replace(question, ref=ref))

    def search_page(self, query: str, before: int | None, rows: int) -> Future[Any]:
        """Ask for the newest messages that match; the result is a `model.SearchPage`."""
        question = model.Search(1, query, before, min(rows, PAGE_ROWS))
        _expect_valid(question)
        return self._ask_log(lambda ref: structs.replace(question, ref=ref))

    @property
    def waiting(self) -> int:
        """How many entries wait to be taken."""
        return len(self._waiting)

    def close(self, patience_s: float = 3.0) -> None:
        """Say goodbye, and wait until the network's thread has ended."""
        self.network.act(actions.LeaveChat(patience_s))
        if self._started in self._open or self.network.wait(0.0):
            return
        if not self.network.wait(patience_s + 5.0):
            self.network.act(actions.LeaveChat(0.0))
            self.network.wait(5.0)

    def _change(
        self, target: str | int, kind: model.RevisionKind, seq: int, text: str = "", emoji: str = ""
    ) -> Future[int]:
        room, person = (target, None) if isinstance(target, str) else (None, target)
        _expect_valid(model.Edit(1, seq, text[:MAX_TEXT_CHARS], room, person))
        if kind in {model.RevisionKind.REACT, model.RevisionKind.UNREACT}:
            _expect_valid(model.React(1, seq, emoji, room, person))
        return self._run(
            lambda future: self._send(actions.ChangeMessage(self._key(target), kind, seq, text, emoji), future)
        )

    def _ask(self, make: Callable[[int], model.Command]) -> Future[Any]:
        return self._run(lambda future: self._question(make, future))

    def _ask_log(self, make: Callable[[int], model.History | model.Search]) -> Future[Any]:
        return self._run(lambda future: self._question_to_log(make, future))

    def _run(self, do: Callable[[Future[Any]], None]) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            if self._end is not None:
                future.set_exception(self._end)
                return future
            self._open.add(future)

        def on_network() -> None:
            if future.done():  # cancelled, or the session is over
                self._forget(future)
                return
            try:
                do(future)
            except BotError as error:
                self._fail(future, error)
            except Refusal as refusal:  # of a name, before the server was asked
                self._fail(future, Refused(refusal.code.value, refusal.detail, refusal.arguments))
            except Exception as error:  # noqa: BLE001 - such as a room that is no text: the program's mistake
                self._fail(future, error)

        self.network.post(on_network)
        return future

    # --- on the network's thread: futures -----------------------------------------------------------------------------

    def _settle(self, future: Future[Any], result: Any) -> bool:
        """Give a caller its result; tell whether it still wants it."""
        self._forget(future)
        try:
            future.set_result(result)
        except InvalidStateError:  # it was cancelled
            return False
        return True

    def _fail(self, future: Future[Any], error: Exception) -> None:
        self._forget(future)
        with contextlib.suppress(InvalidStateError):
            future.set_exception(error)

    def _forget(self, future: Future[Any]) -> None:
        with self._lock:
            self._open.discard(future)

    # --- on the network's thread: requests ----------------------------------------------------------------------------

    def _key(self, target: str | int) -> ConversationId:
        return PersonKey(target) if isinstance(target, int) else self.core.room(check_room(target))

    def _take(self, future: Future[HeardEntry]) -> None:
        if self._waiting:
            if self._settle(future, self._waiting[0]):
                self._waiting.popleft()
            self._pace()
        else:
            self._taker = future

    def _pace(self) -> None:
        if not self._holds_back and len(self._waiting) > self._most_waiting:
            self._holds_back = True
            self.network.want(actions.HoldBack(on=True))
        elif self._holds_back and len(self._waiting) <= self._most_waiting // 2:
            self._holds_back = False
            self.network.want(actions.HoldBack(on=False))

    def _join(self, room: str, future: Future[None]) -> None:
        name = self.core.room(check_room(room)).room
        if self.core.phase is ConnectionPhase.ONLINE and name in self.core.rooms:
            self._settle(future, None)
            return
        self._joins.setdefault(name, []).append(future)
        if len(self._joins[name]) == 1:
            self._act(actions.JoinRoom(name))

    def _send(self, action: actions.SendMessage | actions.ChangeMessage, future: Future[int]) -> None:
        if self._unsent or self.core.full:
            self._unsent.append((action, future))
            return
        before = {message.number for message in self.core.unsent}
        self._act(action)
        (number,) = {message.number for message in self.core.unsent} - before
        self._sent[number] = future

    def _send_unsent(self) -> None:
        while self._unsent and not self.core.full:
            action, future = self._unsent[0]
            self._unsent, rest = deque(), self._unsent
            try:
                self._send(action, future)
            except BotError as error:
                self._fail(future, error)
            finally:
                rest.popleft()
                self._unsent = rest

    def _question(self, make: Callable[[int], model.Command], future: Future[model.Event]) -> None:
        self._numbers += 1
        question = actions.AskServer(self._numbers, make)
        self._questions[self._numbers] = future, question
        self._unasked.append(question)
        self._ask_unasked()

    def _question_to_log(
        self, make: Callable[[int], model.History | model.Search], future: Future[model.Event]
    ) -> None:
        self._numbers += 1
        self._questions[self._numbers] = future, None
        self._act(actions.AskLog(self._numbers, make))

    def _ask_unasked(self) -> None:
        while self._unasked and self.core.phase is ConnectionPhase.ONLINE:
            self.network.want(self._unasked.popleft())

    def _act(self, action: actions.Action) -> None:
        """Give an action to the core.

        Raises:
            Refused: the core rejects it.
        """
        self._rejection = None
        self.network.want(action)
        if self._rejection is not None:
            raise self._rejection

    # --- on the network's thread: what the core shows -----------------------------------------------------------------

    def heard(self, ui_events: Sequence[UiEvent]) -> None:
        """Take what the core shows after one input; nothing when the thread has ended."""
        if entries := [entry for event in ui_events if (entry := self._entry(event)) is not None]:
            self._number(entries)
            for entry in entries:
                self._hear(entry)
        for event in ui_events:
            self._note(event)
        if not ui_events and self.network.wait(0.0):
            self._over(self._failure() or Stopped("The session is over"))
        self._ask_unasked()
        self._send_unsent()
        self._pace()

    def _failure(self) -> BotError | None:
        """The error of a thread that has ended with a bug."""
        if self.network.failure is None:
            return None
        stopped = Stopped(f"The library has failed: {self.network.failure!r}")
        stopped.__cause__ = self.network.failure
        return stopped

    def _number(self, entries: Sequence[HeardEntry]) -> None:
        """Tell up to where the log is handled once each of them is: no further than to before the next ones."""
        through = self.core.complete_through
        for entry in reversed(entries):
            entry.through = through
            if entry.seq:
                through = min(through, entry.seq - 1)

    def _hear(self, entry: HeardEntry) -> None:
        taker, self._taker = self._taker, None
        if taker is not None and self._settle(taker, entry):
            return
        if len(self._waiting) < self._most_waiting or not isinstance(entry.event, Disconnected | Reconnected):
            self._waiting.append(entry)

    def _entry(self, event: UiEvent) -> HeardEntry | None:
        match event:
            case events.MessageShown(message, mentions_me=mentions_me):
                if self._is_before_the_first_run(message.seq):
                    return None  # a direct message that waited for the bot
                return HeardEntry(message.seq, fields={**self.fields_of(message), "mentions_me": mentions_me})
            case events.MessageChanged(change, message=message):
                return HeardEntry(change.seq, event=_change_of(change, message))
            case _:
                other = self._other_event(event)
                return None if other is None else HeardEntry(event=other)

    def _other_event(self, event: UiEvent) -> OtherEvent | None:
        match event:
            case events.MessagesPurged(purged, unseen=True) if not self._is_before_the_first_run(purged.through):
                return Gap(purged.room, purged.through)
            case events.HistoryReset():
                return Gap(None, None)
            case events.RoomLeft(room, text=text):
                return LeftRoom(room, text)
            case events.ConnectionLost(text=text):
                return Disconnected(text)
            case events.BackOnline():
                return Reconnected()
            case _:
                return None

    def _is_before_the_first_run(self, seq: int) -> bool:
        return not self.core.goes_on and seq <= self.core.began_at

    def fields_of(self, message: model.Message) -> dict[str, Any]:
        """Return the fields of a message that stand in the log."""
        files = [(file.name, file.size) for file in message.files]
        return {
            "seq": message.seq,
            "room": message.room,
            "sender": person_of(message.sender_id, message.name),
            "to": message.to,
            "text": without_file_lines(message.text, files),
            "sent_at": dt.datetime.fromtimestamp(message.sent_at_ms / 1000, dt.UTC),
            "reply_to": message.reply,
            "mentions": tuple(message.mentions),
            "own": message.sender_id == self.core.me.id,
            "bot": message.bot,
            "files": tuple(_file_fields(file) for file in message.files),
        }

    def _note(self, event: UiEvent) -> None:  # noqa: C901, PLR0912 - one flat match
        match event:
            case events.LoggedIn(me=me):
                self._settle(self._started, person_of(me.id, me.name))
            case events.NameNeeded():
                self._over(StartupFailed(UNNAMED_BOT))
            case events.NameRefused(name, _, text):
                self._over(StartupFailed(f"The name {name} was refused: {text}"))
            case events.PasswordNeeded(text=text):
                self._over(self._end_of(LOGIN_REFUSED.format(text)))
            case events.PasswordTemporary(name):
                self._over(
                    self._end_of(f"The password of {name} is a temporary one. Log in with securechat-client once")
                )
            case events.MessageAcked(message, seq):
                if (future := self._sent.pop(message.number, None)) is not None:
                    self._settle(future, seq)
            case events.MessageRefused(message, code, text, _, arguments):
                if (future := self._sent.pop(message.number, None)) is not None:
                    self._fail(future, Refused(code.value, text, arguments))
            case events.MessagesLost(messages):
                for message in messages:
                    if (future := self._sent.pop(message.number, None)) is not None:
                        self._fail(future, Stopped("The session ended before the server had stored the message"))
            case events.RoomJoined(room) | events.RoomSelected(room):
                for waiting in self._joins.pop(room, []):
                    self._settle(waiting, None)
            case events.RequestRefused(code, text, room, _, arguments) if room in self._joins:
                for waiting in self._joins.pop(room, []):
                    self._fail(waiting, Refused(code.value, text, arguments))
            case events.ActionRejected(reason, subject, detail):
                code_of = _CODES.get(reason, reason).value
                self._rejection = Refused(code_of, detail or f"{reason.value.replace('_', ' ')}: {subject}")
            case events.QuestionAnswered(number, answer):
                self._answered(number, answer)
            case events.ClientEnded():
                self._ended(event)
            case _:
                pass

    def _answered(self, number: int, answer: model.Event | None) -> None:
        if number not in self._questions:
            return
        future, question = self._questions[number]
        if answer is None and question is not None:
            self._unasked.append(question)  # the connection was lost: asked again on the next one
            return
        if isinstance(answer, model.Refused) and question is not None:
            now = self.network.now
            if (again_at := retry_at(answer, now)) is not None:
                self.network.call_later(again_at - now, lambda: self._ask_later(question))
                return
        del self._questions[number]
        if isinstance(answer, model.Refused):
            self._fail(future, Refused(answer.code.value, answer.text, answer.arguments, answer.retry_after_s))
        else:
            self._settle(future, answer)

    def _ask_later(self, question: actions.AskServer) -> None:
        self._unasked.append(question)
        self._ask_unasked()

    def _ended(self, event: events.ClientEnded) -> None:
        _, why = outcome.of_end(event, *self._server)
        self._over(self._end_of(why or "The session is over."))

    def _end_of(self, why: str) -> BotError:
        return StartupFailed(why) if self._started in self._open else Stopped(why)

    def _over(self, error: BotError) -> None:
        """End: every request that is open fails, and each later one."""
        with self._lock:
            if self._end is None:
                self._end = error
            still_open = list(self._open)
        self._unsent.clear()
        for future in still_open:
            self._fail(future, self._end)
        if self.core.phase is not ConnectionPhase.ENDED:
            self.network.want(actions.LeaveChat(0.0))


def _expect_valid(command: model.Command) -> None:
    """Look at what a program gives: what cannot be encoded would end the network's thread.

    Raises:
        Refused: it is malformed, such as a text with lone surrogates, or a number below 0.
    """
    try:
        msgspec.json.decode(msgspec.json.encode(command), type=type(command))
    except (msgspec.MsgspecError, UnicodeError, TypeError) as error:
        raise Refused(ErrorCode.INVALID.value, str(error)) from None


def person_of(number: int, name: str) -> Person:
    """Return a person as the library tells of one."""
    return Person(number, name)


def _file_fields(file: model.FileInfo) -> dict[str, Any]:
    return {
        "id": file.id,
        "name": file.name,
        "size": file.size,
        "type": file.type,
        "width": file.width,
        "height": file.height,
    }


def _ignore(_: object) -> None:
    pass


def _change_of(change: model.MessageChange, message: model.Message | None = None) -> Edited | Deleted | Reacted:
    base = (change.seq, change.target, change.room, person_of(change.sender_id, change.name))
    match change:
        case model.Edited(text=text):
            if text is not None and message is not None and message.text == text:
                text = without_file_lines(text, [(file.name, file.size) for file in message.files])
            return Edited(*base, text)
        case model.Deleted():
            return Deleted(*base)
        case model.Reacted(sign=sign, on=on):
            return Reacted(*base, sign, on)
