"""Asks for passwords with hidden input, as a sequence of questions that ends in an action.

Pure: the terminal shows `PasswordPrompt.question`, passes every typed line to `PasswordPrompt.give`, and shows none of
them.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from securechat.client import catalogue
from securechat.client.core import actions
from securechat.client.core.credentials import LONGEST_PASSWORD
from securechat.errors import Refusal
from securechat.text.passwords import check_password
from securechat.translation import translated


class PasswordPurpose(Enum):
    """The purposes of asking for passwords."""

    LOG_IN = "log_in"
    INVITED = "invited"
    REGISTER = "register"
    CHANGE = "change"
    REPLACE = "replace"
    REPLACE_KNOWN = "replace_known"


class _Step(Enum):
    OLD = "old"
    NEW = "new"
    AGAIN = "again"
    ONLY = "only"


_STEPS = {
    PasswordPurpose.LOG_IN: (_Step.ONLY,),
    PasswordPurpose.INVITED: (_Step.NEW, _Step.AGAIN),
    PasswordPurpose.REGISTER: (_Step.NEW, _Step.AGAIN),
    PasswordPurpose.CHANGE: (_Step.OLD, _Step.NEW, _Step.AGAIN),
    PasswordPurpose.REPLACE: (_Step.OLD, _Step.NEW, _Step.AGAIN),
    PasswordPurpose.REPLACE_KNOWN: (_Step.NEW, _Step.AGAIN),
}


REPLACING = frozenset({PasswordPurpose.REPLACE, PasswordPurpose.REPLACE_KNOWN})
"""A temporary password is replaced: there is no way around it but to leave."""


class PromptCancelled(Struct, frozen=True):
    """An empty line cancelled the prompt: no password is given."""


PromptOutcome: TypeAlias = (
    actions.GivePassword | actions.RegisterAccount | actions.SetPassword | PromptCancelled | str | None
)


class PasswordPrompt:
    """Asks the questions of one purpose.

    Args:
        purpose: the purpose.
        name: the name of the account.
    """

    def __init__(self, purpose: PasswordPurpose, name: str) -> None:
        self.purpose = purpose
        self._name = name
        self._steps = list(_STEPS[purpose])
        self._old = self._new = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.purpose})"

    @property
    def question(self) -> str:
        """The text of the prompt."""
        match self._steps[0]:
            case _Step.ONLY:
                return catalogue.accounts.password_prompt(self._name)
            case _Step.OLD if self.purpose in REPLACING:
                return catalogue.accounts.TEMPORARY_PASSWORD_PROMPT()
            case _Step.OLD:
                return catalogue.accounts.OLD_PASSWORD_PROMPT()
            case _Step.NEW if self.purpose in REPLACING:
                return catalogue.accounts.own_password_prompt()
            case _Step.NEW:
                return catalogue.accounts.new_password_prompt()
            case _Step.AGAIN:
                return catalogue.accounts.AGAIN_PROMPT()

    def give(self, typed: str) -> PromptOutcome:
        """Take a line: an action or `PromptCancelled` ends the prompt; a sentence reports an error; None asks on."""
        if not typed:
            return catalogue.accounts.MUST_CHANGE() if self.purpose in REPLACING else PromptCancelled()
        if len(typed) > LONGEST_PASSWORD:
            return catalogue.accounts.password_too_long(LONGEST_PASSWORD)
        step = self._steps.pop(0)
        match step:
            case _Step.ONLY:
                return actions.GivePassword(typed)
            case _Step.OLD:
                self._old = typed
            case _Step.NEW:
                return self._chosen(typed)
            case _Step.AGAIN:
                return self._repeated(typed)
        return None

    def _chosen(self, typed: str) -> PromptOutcome:
        """Check a new password before it is sent; the server checks again, but this spares typing it twice in vain."""
        if typed == self._old:
            self._steps.insert(0, _Step.NEW)
            return catalogue.accounts.THE_OLD_ONE()
        try:
            check_password(typed, self._name)
        except Refusal as refusal:
            self._steps.insert(0, _Step.NEW)
            return translated(refusal.sentence)
        self._new = typed
        return None

    def _repeated(self, typed: str) -> PromptOutcome:
        if typed != self._new:
            self._steps = [_Step.NEW, _Step.AGAIN]
            return catalogue.accounts.NOT_THE_SAME()
        match self.purpose:
            case PasswordPurpose.REGISTER:
                return actions.RegisterAccount(typed)
            case PasswordPurpose.CHANGE | PasswordPurpose.REPLACE | PasswordPurpose.REPLACE_KNOWN:
                return actions.SetPassword(self._old, typed)
            case _:
                return actions.GivePassword(typed)
