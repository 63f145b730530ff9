"""A few questions in a row that end in an intent, asked where nobody can read the answers.

Pure: whoever shows a prompt asks for `Dialogue.question`, gives every typed line to `Dialogue.give`, and shows nothing
of it.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from securechat.client import intents as want
from securechat.client import sentences_accounts as sentences
from securechat.client.login import LONGEST_PASSWORD
from securechat.errors import Refusal
from securechat.passwords import check_password


class Purpose(Enum):
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
    Purpose.LOG_IN: (_Step.ONLY,),
    Purpose.INVITED: (_Step.NEW, _Step.AGAIN),
    Purpose.REGISTER: (_Step.NEW, _Step.AGAIN),
    Purpose.CHANGE: (_Step.OLD, _Step.NEW, _Step.AGAIN),
}


class Cancelled(Struct, frozen=True):
    """An empty line: no password is given."""


Outcome: TypeAlias = want.GivePassword | want.Register | want.ChangePassword | Cancelled | str | None


class Dialogue:
    """Asks for what one purpose needs.

    Args:
        purpose: what for.
        name: whose password it is.
    """

    def __init__(self, purpose: Purpose, name: str) -> None:
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
                return sentences.password_prompt(self._name)
            case _Step.OLD:
                return sentences.OLD_PASSWORD_PROMPT
            case _Step.NEW:
                return sentences.NEW_PASSWORD_PROMPT
            case _Step.AGAIN:
                return sentences.AGAIN_PROMPT

    def give(self, typed: str) -> Outcome:
        """Take a line: an intent ends it, `Cancelled` too; a sentence says what was wrong; None asks on."""
        if not typed:
            return Cancelled()
        if len(typed) > LONGEST_PASSWORD:
            return sentences.password_too_long(LONGEST_PASSWORD)
        step = self._steps.pop(0)
        match step:
            case _Step.ONLY:
                return want.GivePassword(typed)
            case _Step.OLD:
                self._old = typed
            case _Step.NEW:
                return self._chosen(typed)
            case _Step.AGAIN:
                return self._repeated(typed)
        return None

    def _chosen(self, typed: str) -> Outcome:
        """The server judges again; but whoever hears it now need not type a password twice that is none."""
        if typed == self._old:
            self._steps.insert(0, _Step.NEW)
            return sentences.THE_OLD_ONE
        try:
            check_password(typed, self._name)
        except Refusal as refusal:
            self._steps.insert(0, _Step.NEW)
            return refusal.detail
        self._new = typed
        return None

    def _repeated(self, typed: str) -> Outcome:
        if typed != self._new:
            self._steps = [_Step.NEW, _Step.AGAIN]
            return sentences.NOT_THE_SAME
        match self.purpose:
            case Purpose.REGISTER:
                return want.Register(typed)
            case Purpose.CHANGE:
                return want.ChangePassword(self._old, typed)
            case _:
                return want.GivePassword(typed)
