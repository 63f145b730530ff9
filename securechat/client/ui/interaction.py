"""Interprets what a user types, the same way for the terminal and for a pipe: commands, names, passwords.

A shell gives every typed line to `Interaction.take` and does what the result says. It shows `asks_name` and `prompt`
as it can, and hides what is typed while `hides_input`. UI events that ask for something go to `Interaction.note`.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from securechat.client import catalogue
from securechat.client.catalogue import help_pages
from securechat.client.core import actions, events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.core.state import ConnectionPhase, ConversationId, RoomKey
from securechat.client.files.https import TransferError
from securechat.client.files.session import FilesToSave, FilesToSend
from securechat.client.files.sources import is_file, local_files
from securechat.client.secret_files import certificate_to_add
from securechat.client.ui.commands.files import further_files
from securechat.client.ui.commands.message_number import named_message
from securechat.client.ui.commands.parser import is_text, may_be_command, read
from securechat.client.ui.commands.results import (
    AddCertificateFile,
    AskPassword,
    BackToRoom,
    HistoryRequest,
    InputError,
    LinkRequest,
    LinkVerb,
    PrefillInput,
    SaveRequest,
    SetLanguage,
    ShowHelp,
    TimeRequest,
    UploadRequest,
)
from securechat.client.ui.input.password_prompt import PasswordPrompt, PasswordPurpose, PromptCancelled
from securechat.client.ui.message_numbers import MessageNumbers
from securechat.client.ui.rows.links import links_in
from securechat.client.ui.rows.rendering import day_at_ms, excerpt, local_date, local_days, own_text, shown_name
from securechat.errors import Refusal
from securechat.limits import MAX_TEXT_CHARS
from securechat.model import Person
from securechat.text.names import LOBBY, check_name, check_room
from securechat.text.refusals import refusal_for
from securechat.text.sanitize import one_line, visible
from securechat.text.search_query import parse, unknown_filters
from securechat.tls.contexts import ClientContext
from securechat.translation import is_no, is_yes, use

_CHECKED = (
    events.PasswordNeeded,
    events.PasswordTemporary,
    events.AccountActionDone,
    events.ConnectionLost,
    events.NameNeeded,
    events.NameRefused,
    events.LoggedIn,
    events.BackOnline,
    events.ClientEnded,
)
"""What a server that has got a password can answer."""
PASSWORD_ANSWERS = (events.RequestRefused, events.AccountActionDone, events.AccountActionUnconfirmed)
"""What follows /register and /password."""


_TOLD_FILTERS = 20
"""Unknown filters remembered, so that each is told once."""


class InputResult(Struct, frozen=True):
    """What follows from a typed line; each part may be missing.

    Attributes:
        action: for the core.
        notice: a sentence or page for the user.
        prefill: a line to edit and send.
        refused: whether the line is not carried out; ``notice`` has the reason.
        secret: whether the next lines may be passwords, because the line asked for one in vain.
        language: the code of the language that is in use from now on, to be remembered.
        send: files to be sent in a message.
        save: files of a message to be saved.
        open: a link to be opened, http or https in printable ASCII.
        copy: a text for the clipboard, safe to paste.
        lines: to be written as they are, each on a line of its own.
    """

    action: actions.Action | None = None
    notice: str = ""
    prefill: str = ""
    refused: bool = False
    secret: bool = False
    language: str = ""
    send: FilesToSend | None = None
    save: FilesToSave | None = None
    open: str = ""
    copy: str = ""
    lines: tuple[str, ...] = ()


class Interaction:
    """The dialogue with one user.

    Args:
        core: says what is current, and who the user is.
        numbers: the messages that the user can name.
        context: of the connection, for adding a certificate.
        default_name: taken where the user gives no name; None for none.
        can_hide: whether passwords can be asked for, where nothing shows what is typed.

    Attributes:
        asks_name: whether the next line is a name.
        prompt: asks for passwords; None when none is wanted.
        password_sent: whether the server has a password and has not answered.
        guarded: whether the next line may be a password that is not asked for: it is held and asked about, and belongs
            into no list of typed lines.
    """

    def __init__(
        self,
        core: ClientCore,
        numbers: MessageNumbers,
        context: ClientContext,
        *,
        default_name: str | None = None,
        can_hide: bool = True,
    ) -> None:
        self.asks_name = False
        self.prompt: PasswordPrompt | None = None
        self.password_sent = False
        self.guarded = False
        self._told_filters: list[str] = []
        self._held: str | None = None
        self._room: RoomKey | None = None
        self._account_password_sent = False
        self._replaces = False
        self._core = core
        self._numbers = numbers
        self._context = context
        self._default_name = default_name
        self._can_hide = can_hide

    @property
    def hides_input(self) -> bool:
        """Whether what is typed now is a password, or may be one typed again before the server has answered."""
        return self.prompt is not None or self.password_sent or self.expects_password

    @property
    def expects_password(self) -> bool:
        """Whether the next question will be for a password: what is typed before it may be one, and is not said."""
        return self._can_hide and not self.asks_name and self._core.expects_password

    @property
    def asks_held(self) -> bool:
        """Whether the next line tells if the one before, which may be a password, is a message."""
        return self._held is not None

    @property
    def asks(self) -> bool:
        """Whether the next line is an answer to a question."""
        return self.asks_name or self.prompt is not None or self.asks_held

    @property
    def replaces_password(self) -> bool:
        """Whether a temporary password is being replaced: nothing that is typed meanwhile is said."""
        return self._replaces

    @property
    def can_cancel(self) -> bool:
        """Whether an empty line cancels what is being asked, and leaves everything as it was."""
        return self.prompt is not None and self.prompt.purpose in {PasswordPurpose.REGISTER, PasswordPurpose.CHANGE}

    def note(self, ui_event: UiEvent) -> None:
        """Ask what a UI event asks for."""
        if isinstance(ui_event, _CHECKED):
            self.password_sent = self._replaces = False
        match ui_event:
            case events.NameNeeded() | events.NameRefused():
                self.asks_name = True
            case events.ActionRejected(events.RejectReason.NAME_INVALID) if not self._core.me.id:
                self.asks_name = True
            case events.RequestRefused() if self._account_password_sent:
                self.guarded, self._account_password_sent = True, False  # a user may type the password once more
            case events.AccountActionDone() | events.AccountActionUnconfirmed() if self._account_password_sent:
                self.guarded = isinstance(ui_event, events.AccountActionUnconfirmed)
                self._account_password_sent = False
            case events.PasswordNeeded(name, new):
                purpose = PasswordPurpose.INVITED if new else PasswordPurpose.LOG_IN
                self.prompt = PasswordPrompt(purpose, one_line(name))
            case events.PasswordTemporary(name, knows_old):
                purpose = PasswordPurpose.REPLACE_KNOWN if knows_old else PasswordPurpose.REPLACE
                self.prompt, self._replaces = PasswordPrompt(purpose, one_line(name)), True

    def take(self, line: str, *, hidden: bool = False) -> InputResult:
        """Interpret a line; ``hidden`` when it was typed where nothing shows."""
        if hidden:
            return self._answer(line.rstrip("\r\n"))
        if self.asks_name:
            return self._choose_name(line.strip() or self._default_name or "")
        if self._held is not None:
            return self._answer_about_held(line)
        if not line.strip():
            return InputResult()
        if self.guarded and not _is_command(line):
            self._held = line
            return InputResult()
        self.guarded = False
        return self._command(line)

    def give_up(self) -> None:
        """Nothing more will be typed."""
        self.asks_name, self.prompt, self._held = False, None, None

    def _answer_about_held(self, line: str) -> InputResult:
        """Send or drop the held line. Any other answer may be a password too: it takes the place of the held one."""
        held, self._held = self._held, None
        if is_yes(line) and held is not None:
            self.guarded = False
            return self._command(held)
        if not line.strip() or is_no(line):
            self.guarded = False
            return InputResult(notice=catalogue.accounts.HELD_DROPPED())
        if _is_command(line):
            self.guarded = False
            return self._command(line)
        self._held = line
        return InputResult(notice=catalogue.accounts.HELD_DROPPED())

    def _choose_name(self, name: str) -> InputResult:
        if not is_text(name):
            return InputResult(notice=catalogue.connection.NOT_TEXT(), refused=True)
        if _is_quit(name):
            return InputResult(actions.LeaveChat())
        if name.split()[:1] == ["/lang"]:
            return self._command(name)
        self.asks_name = False
        return InputResult(actions.ChooseName(name.removeprefix("/nick ")))

    def _unasked(self, typed: str) -> InputResult:
        """Take what was typed where nothing shows and nothing is asked: it is no password, and goes nowhere."""
        if _is_quit(typed):
            return InputResult(actions.LeaveChat())
        early = self.password_sent or self.expects_password or self._replaces
        return InputResult(notice=catalogue.accounts.TYPED_TOO_SOON() if early else catalogue.accounts.WENT_NOWHERE())

    def _answer(self, typed: str) -> InputResult:
        prompt = self.prompt
        if prompt is None:
            return self._unasked(typed)
        if not is_text(typed):  # what would be sent is not what was typed
            return InputResult(notice=catalogue.connection.NOT_TEXT())
        match prompt.give(typed):
            case None:
                return InputResult()
            case str(why):
                return InputResult(notice=why)
            case PromptCancelled():
                self.prompt = None
                self.asks_name = prompt.purpose in {PasswordPurpose.LOG_IN, PasswordPurpose.INVITED}
                return InputResult(
                    notice=catalogue.accounts.CHOOSE_NAME() if self.asks_name else catalogue.accounts.CANCELLED()
                )
            case action:
                self.prompt = None
                self.password_sent = self._replaces or isinstance(action, actions.GivePassword)
                self._account_password_sent = not self.password_sent
                self.guarded = self._account_password_sent  # until the answer, a line may be the password once more
                return InputResult(action)

    def _command(self, line: str) -> InputResult:  # noqa: C901, PLR0911, PLR0912 - one row a result
        core = self._core
        if isinstance(core.current, RoomKey):
            self._room = core.current
        match read(line, core.current, core.known_names(), self._numbers, core.me.id):
            case ShowHelp(page):
                return InputResult(notice=help_pages.page(page))
            case InputError(why, secret):
                self.guarded = secret
                return InputResult(notice=one_line(why), refused=True, secret=secret)
            case PrefillInput(text):
                return InputResult(prefill=text)
            case SetLanguage(code):
                return _speak(code)
            case HistoryRequest() as request:
                return self._history(request)
            case BackToRoom():
                is_there = self._room is not None and self._room.room in core.rooms
                return InputResult(actions.JoinRoom(self._room.room if self._room and is_there else LOBBY))
            case AskPassword(purpose):
                if why := self._why_not(purpose):
                    self.guarded = True
                    return InputResult(notice=why, refused=True, secret=True)
                self.prompt = PasswordPrompt(purpose, one_line(core.me.name))
                return InputResult()
            case AddCertificateFile(path):
                added = certificate_to_add(path, self._context, core.me.id)
                return _refused(one_line(added)) if isinstance(added, str) else InputResult(added)
            case UploadRequest() as request:
                return self._upload(request)
            case SaveRequest() as request:
                return self._save(request)
            case LinkRequest() as request:
                return self._link(request)
            case TimeRequest(number):
                return self._time(number)
            case actions.FindMessages() as action:
                return InputResult(_dated(action), self._unknown_filters(action.query))
            case action:
                return InputResult(action)

    def _upload(self, request: UploadRequest) -> InputResult:
        further = further_files(request.rest, is_file)
        if further.odd:
            return _refused(catalogue.files.text_like_file(one_line(further.odd)))
        if len(further.text) > MAX_TEXT_CHARS:
            length = str(len(further.text))
            return _refused(catalogue.connection.declined(events.RejectReason.TEXT_TOO_LONG, length, ""))
        try:
            files = local_files((request.path, *further.paths))
        except TransferError as error:
            return _refused(catalogue.files.nothing_sent(str(error)) if further.paths else str(error))
        target = None if request.to else self._core.current
        return InputResult(send=FilesToSend(files, further.text, target, request.to, request.as_file))

    def _save(self, request: SaveRequest) -> InputResult:
        named = named_message(request.number, self._numbers)
        if isinstance(named, InputError):
            return _refused(one_line(named.sentence))
        if files := self._numbers.files(named, request.place):
            return InputResult(save=FilesToSave(files, request.path))
        if named.message is not None and named.message.deleted is not None:
            return _refused(refusal_for("no_such_message").sentence)
        if request.place is not None and (count := len(self._numbers.files(named))):
            return _refused(catalogue.files.no_such_place(named.seq, count))
        return _refused(catalogue.files.NO_FILES_THERE())

    def _time(self, number: str) -> InputResult:
        named = named_message(number, self._numbers)
        if isinstance(named, InputError):
            return _refused(one_line(named.sentence))
        if (message := named.message) is None:
            return _refused(catalogue.links.UNKNOWN_TEXT())
        author = shown_name(Person(message.sender_id, message.name, message.bot), self._core.is_bot)
        return InputResult(notice=catalogue.rooms.sent_at(named.seq, author, local_date(message.sent_at_ms)))

    def _link(self, request: LinkRequest) -> InputResult:  # noqa: PLR0911 - one row a result
        named = named_message(request.number, self._numbers)
        if isinstance(named, InputError):
            return _refused(one_line(named.sentence))
        if (message := named.message) is None:
            return _refused(catalogue.links.UNKNOWN_TEXT())
        text = own_text(message)
        links = list(dict.fromkeys(link.target for link in links_in(text)))
        copies = request.verb is LinkVerb.COPY
        if text and copies and (request.whole_text or (not links and request.place is None)):
            return InputResult(copy=visible(text))
        if request.place is not None:
            links = links[request.place - 1 : request.place] if request.place else []
        if not links:
            return _refused(catalogue.links.NO_LINK())
        if request.verb is LinkVerb.PRINT:
            return InputResult(lines=tuple(links))
        if len(links) > 1:
            return InputResult(notice=catalogue.links.several(request.verb.value, named.seq, links))
        return InputResult(copy=links[0]) if copies else InputResult(open=links[0])

    def _history(self, request: HistoryRequest) -> InputResult:
        """Decide which conversation is meant; a word without a mark is a room that the user is in, or else a person."""
        target, at_ms = request.target, None
        if request.date and (at_ms := day_at_ms(request.date)) is None:
            return _refused(catalogue.rooms.no_such_day(one_line(request.date)))
        if not isinstance(target, str):
            return _show_history(target, request.count, at_ms)
        is_room, is_person = target.startswith("#"), target.startswith("@")
        try:
            room = check_room(target) if not is_person else ""
        except Refusal as refusal:
            if is_room:
                return _refused(catalogue.connection.wrong_name(excerpt(target), refusal.sentence))
            room = ""
        if is_room or room in self._core.rooms:
            return _show_history(self._core.room(room), request.count, at_ms)
        try:
            name = check_name(target.removeprefix("@").strip('"'))
        except Refusal as refusal:
            return _refused(catalogue.connection.wrong_name(excerpt(target), refusal.sentence))
        return InputResult(actions.ShowDirectHistory(name, request.count, at_ms, surely=is_person))

    def _unknown_filters(self, query: str) -> str:
        """Return a notice about what looks like a filter and is none; of each it is told once."""
        news = [word for word in unknown_filters(query) if word not in self._told_filters][:_TOLD_FILTERS]
        if not news:
            return ""
        self._told_filters = [*self._told_filters, *news][-_TOLD_FILTERS:]
        return catalogue.rooms.unknown_filters(news)

    def _why_not(self, purpose: PasswordPurpose) -> str:
        """Return why a password is not asked for: the answer would be no in any case. Empty where it may be yes."""
        if not self._can_hide:
            return catalogue.accounts.TERMINAL_ONLY()
        if self._core.leaving:
            return catalogue.connection.declined(events.RejectReason.LEAVING, "", "")
        if self._core.phase is not ConnectionPhase.ONLINE:
            return catalogue.connection.declined(events.RejectReason.AWAY, "", "")
        if purpose is PasswordPurpose.REGISTER and self._core.account:
            return catalogue.accounts.HAS_ACCOUNT()
        if purpose is PasswordPurpose.CHANGE and not self._core.account:
            return catalogue.accounts.HAS_NO_PASSWORD()
        return ""


def _speak(code: str) -> InputResult:
    """Use a language from now on, for this person is the only one who reads this process; or tell which one it is."""
    if not code:
        return InputResult(notice=catalogue.language.in_use())
    if why := use(code):
        return _refused(one_line(why))
    return InputResult(notice=catalogue.language.changed(), language=code)


def _refused(why: str) -> InputResult:
    return InputResult(notice=why, refused=True)


def _is_command(line: str) -> bool:
    return may_be_command(line) or line.strip().casefold() == "exit"


def _is_quit(line: str) -> bool:
    return line.strip().casefold() in {"exit", "/quit"}


def _dated(action: actions.FindMessages) -> actions.FindMessages:
    """Add what the dates of a search mean in the user's time zone; the server refuses a search that is not one."""
    try:
        asked = parse(action.query, local_days())
    except (Refusal, ValueError):
        return action
    return replace(action, since_ms=asked.after_ms, until_ms=asked.before_ms)


def _show_history(target: ConversationId, count: int, at_ms: int | None) -> InputResult:
    if at_ms is None:
        return InputResult(actions.AskHistory(target, count))
    return InputResult(actions.ShowHistory(target, at_ms=at_ms))
