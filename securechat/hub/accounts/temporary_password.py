"""Temporary passwords: a connection that came in by one may choose another password, and nothing else.

An administrator has made the password, and has told it to its owner by some way that others may have heard. The
connection gets its welcome and its rooms as any other, so that its client can go on as soon as the password is changed.
Sessions by certificate are free of it.
"""

from __future__ import annotations

from typing import Final

from securechat.model import ChangePassword, Command, Logout, Ping, Pong, Quit, Read, Typing
from securechat.text.refusals import refusal_for

_ALLOWED: Final[frozenset[type[Command]]] = frozenset({ChangePassword, Logout, Ping, Pong, Quit})
_UNHEARD: Final[frozenset[type[Command]]] = frozenset({Typing, Read})
"""Commands without an answer: they are dropped, not refused."""


def is_heard(command: Command) -> bool:
    """Tell whether a command counts while the password is temporary; False for one that is dropped.

    Raises:
        Refusal: PASSWORD_TEMPORARY, only the password can be changed.
    """
    if type(command) in _ALLOWED:
        return True
    if type(command) in _UNHEARD:
        return False
    raise refusal_for("password_temporary")
