"""A few questions in a row that end in an intent, asked where nobody can read the answers.

Pure: whoever shows a prompt asks for `PasswordPrompt.question`, gives every typed line to `PasswordPrompt.give`, and
shows nothing of it.
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


class PasswordPurpose(Enum):
    """What the passwords are for."""

    LOG_IN = "log_in"
    INVITED = "invited"
    REGISTER = "register"
    CHANGE = "change"


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
}


class PromptCancelled(Struct, frozen=True):
    """An empty line: no password is given."""


PromptOutcome: TypeAlias = (
    actions.GivePassword | actions.RegisterAccount | actions.SetPassword | PromptCancelled | str | None
)


class PasswordPrompt:
    """Asks for what one purpose needs.

    Args:
        purpose: what for.
        name: whose password it is.
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
        """The prompt."""
        match self._steps[0]:
            case _Step.ONLY:
                return catalogue.accounts.password_prompt(self._name)
            case _Step.OLD:
                return catalogue.accounts.OLD_PASSWORD_PROMPT
            case _Step.NEW:
                return catalogue.accounts.NEW_PASSWORD_PROMPT
            case _Step.AGAIN:
                return catalogue.accounts.AGAIN_PROMPT

    def give(self, typed: str) -> PromptOutcome:
        """Take a line: an intent ends it, `PromptCancelled` too; a sentence says what was wrong; None asks on."""
        if not typed:
            return PromptCancelled()
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
        """The server judges again; but whoever hears it now need not type a password twice that is none."""
        if typed == self._old:
            self._steps.insert(0, _Step.NEW)
            return catalogue.accounts.THE_OLD_ONE
        try:
            check_password(typed, self._name)
        except Refusal as refusal:
            self._steps.insert(0, _Step.NEW)
            return refusal.detail
        self._new = typed
        return None

    def _repeated(self, typed: str) -> PromptOutcome:
        if typed != self._new:
            self._steps = [_Step.NEW, _Step.AGAIN]
            return catalogue.accounts.NOT_THE_SAME
        match self.purpose:
            case PasswordPurpose.REGISTER:
                return actions.RegisterAccount(typed)
            case PasswordPurpose.CHANGE:
                return actions.SetPassword(self._old, typed)
            case _:
                return actions.GivePassword(typed)
