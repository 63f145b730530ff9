"""Interprets what a user types, the same way for the terminal and for a pipe: commands, names, passwords.

A shell gives every typed line to `Interaction.take` and does what the result says. It shows `asks_name` and `prompt`
as it can, and hides what is typed while `hides_input`. UI events that ask for something go to `Interaction.note`.
"""

from __future__ import annotations

from msgspec import Struct

from securechat.client import catalogue
from securechat.client.catalogue.help_pages import PAGES
from securechat.client.core import actions, events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.core.state import ConversationId
from securechat.client.secret_files import certificate_to_add
from securechat.client.ui.commands.parser import encodable, read
from securechat.client.ui.commands.results import (
    AddCertificateFile,
    AskPassword,
    HistoryFromDate,
    InputError,
    PrefillInput,
    ShowHelp,
)
from securechat.client.ui.line_numbers import LineNumbers
from securechat.client.ui.password_prompt import PasswordPrompt, PasswordPurpose, PromptCancelled
from securechat.client.ui.rendering import day_at_ms
from securechat.text.sanitize import one_line
from securechat.tls.contexts import ClientContext

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


class InputResult(Struct, frozen=True):
    """What follows from a typed line; each part may be missing.

    Attributes:
        action: for the core.
        notice: a sentence or page for the user.
        prefill: a line to edit and send.
    """

    action: actions.Action | None = None
    notice: str = ""
    prefill: str = ""


class Interaction:
    """The dialogue with one user.

    Args:
        core: says what is current, and who the user is.
        numbers: the messages that the user can name by number.
        context: of the connection, for adding a certificate.
        default_name: taken where the user gives no name; None for none.
        can_hide: whether passwords can be asked for, where nothing shows what is typed.

    Attributes:
        asks_name: whether the next line is a name.
        prompt: asks for passwords; None when none is wanted.
        password_sent: whether the server has a password and has not answered.
    """

    def __init__(
        self,
        core: ClientCore,
        numbers: LineNumbers,
        context: ClientContext,
        *,
        default_name: str | None = None,
        can_hide: bool = True,
    ) -> None:
        self.asks_name = False
        self.prompt: PasswordPrompt | None = None
        self.password_sent = False
        self._replaces = False
        self._core = core
        self._numbers = numbers
        self._context = context
        self._default_name = default_name
        self._can_hide = can_hide

    @property
    def hides_input(self) -> bool:
        """Whether what is typed now is a password, or may be one typed again before the server has answered."""
        return self.prompt is not None or self.password_sent

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
            case events.PasswordNeeded(name, new):
                purpose = PasswordPurpose.INVITED if new else PasswordPurpose.LOG_IN
                self.prompt = PasswordPrompt(purpose, one_line(name))
            case events.PasswordTemporary(name, knows_old):
                purpose = PasswordPurpose.REPLACE_KNOWN if knows_old else PasswordPurpose.REPLACE
                self.prompt, self._replaces = PasswordPrompt(purpose, one_line(name)), True

    def take(self, line: str, *, hidden: bool = False) -> InputResult:
        """Interpret a line; ``hidden`` when it was typed where nothing shows."""
        if hidden:
            return self._answer(encodable(line).rstrip("\r\n"))
        if self.asks_name:
            return self._choose_name(encodable(line).strip() or self._default_name or "")
        return self._command(line) if line.strip() else InputResult()

    def give_up(self) -> None:
        """Nothing more will be typed."""
        self.asks_name, self.prompt = False, None

    def _choose_name(self, name: str) -> InputResult:
        if name.casefold() in {"exit", "/quit"}:
            return InputResult(actions.LeaveChat())
        self.asks_name = False
        return InputResult(actions.ChooseName(name.removeprefix("/nick ")))

    def _answer(self, typed: str) -> InputResult:
        prompt = self.prompt
        if prompt is None:
            early = self.password_sent
            return InputResult(notice=catalogue.accounts.TYPED_TOO_SOON if early else catalogue.accounts.WENT_NOWHERE)
        match prompt.give(typed):
            case None:
                return InputResult()
            case str(why):
                return InputResult(notice=why)
            case PromptCancelled():
                self.prompt = None
                self.asks_name = prompt.purpose in {PasswordPurpose.LOG_IN, PasswordPurpose.INVITED}
                return InputResult(
                    notice=catalogue.accounts.CHOOSE_NAME if self.asks_name else catalogue.accounts.CANCELLED
                )
            case action:
                self.prompt = None
                self.password_sent = self._replaces or isinstance(action, actions.GivePassword)
                return InputResult(action)

    def _command(self, line: str) -> InputResult:  # noqa: PLR0911 - one row a result
        core = self._core
        match read(line, core.current, core.known_names(), self._numbers, core.me.id):
            case ShowHelp(page):
                return InputResult(notice=PAGES[page])
            case InputError(why):
                return InputResult(notice=one_line(why))
            case PrefillInput(text):
                return InputResult(prefill=text)
            case HistoryFromDate(target, date):
                return _from_date(core.room(target) if isinstance(target, str) else target, date)
            case AskPassword(purpose):
                if not self._can_hide:
                    return InputResult(notice=catalogue.accounts.TERMINAL_ONLY)
                self.prompt = PasswordPrompt(purpose, one_line(core.me.name))
                return InputResult()
            case AddCertificateFile(path):
                added = certificate_to_add(path, self._context, core.me.id)
                return InputResult(notice=one_line(added)) if isinstance(added, str) else InputResult(added)
            case action:
                return InputResult(action)


def _from_date(target: ConversationId, date: str) -> InputResult:
    if (at_ms := day_at_ms(date)) is None:
        return InputResult(notice=catalogue.rooms.no_such_day(one_line(date)))
    return InputResult(actions.ShowHistory(target, at_ms=at_ms))
